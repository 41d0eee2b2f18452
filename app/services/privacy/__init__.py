"""What is kept of a person: which rows and files, how they take them along, how all of it goes, and when by itself."""
