"""What programs need beside the use cases that pages have, too: tokens, and answers that may be given again."""
