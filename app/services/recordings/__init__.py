"""What a user does with recordings: upload, map columns, have activities recognised, look at them, delete them."""
