"""Daily measures: what a study needs of a person's days, each with its definition and source."""
