"""What an administrator does with data sets: add, describe, look at their rows, remove."""
