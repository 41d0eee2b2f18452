"""What produces each figure that docs/BENCHMARKS.md quotes."""
