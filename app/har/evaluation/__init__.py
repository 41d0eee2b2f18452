"""How windows are split, and what an answer scores.

In: windows, and the probabilities that some model gave them. Out: splits that keep people apart, metrics with
intervals. Knows no model and no plot. May import: windows and signals.
"""
