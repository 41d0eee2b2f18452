"""Samples of one sensor over time.

In: the streams of a recording as a file holds them, each on its own clock, in whatever unit. Out: the same streams in
m/s² and rad/s with or without gravity, and signals resampled to one uniform rate, cut where a sensor stops. Every
fact about clocks, units and gravity is here. May import: nothing of the core but its errors, problems, progress and
array types.
"""
