"""One blueprint a screen: validate, one service call, catch named errors, redirect."""
