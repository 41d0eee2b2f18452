"""What a study measures of a day: activities, intensity, sitting, rest and wear, each by a definition with its source.

In: what was done when and when steps were made, by the world's clock; streams. Out: slots of 5 s, rows of days and
hours, what each column is. May import: signals.
"""
