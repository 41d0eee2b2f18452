"""What a person says of their recordings: corrections, what a model learns from them, and who else may see them."""
