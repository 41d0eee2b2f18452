"""Tools for developers; nothing of the program imports them."""
