"""A data set as files that others read: `kinelab` is what this program reads back, `bids` what BIDS tools read.

In: a signal set. Out: files one after another, by name and a bounded part at a time. May import: recordings, signals.
"""
