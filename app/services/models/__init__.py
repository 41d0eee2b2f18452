"""What an administrator does with models: train, compare, look at versions, make one the default."""
