"""Falls: a stream's impacts, and which of them are falls. Research software, not a medical device.

In: samples of acceleration with gravity, batch by batch; recordings with falls, to learn from. Out: candidates of
falls, within five seconds of the impact; trained detectors. May import: classifiers, datasets, signals.
"""
