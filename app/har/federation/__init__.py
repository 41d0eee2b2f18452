"""Several sites learn one model together, and none shows its recordings to another.

In: windows of one site, and the feature map of a model that all sites have. Out: signed files with sums and counts, and
the head that solves the sums of all sites together. May import: classifiers, datasets, windows, signals.
"""
