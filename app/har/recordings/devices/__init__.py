"""Files as research devices write them: packed bytes, no text.

A module a device. Each is read part by part, so that a week needs no more memory than a day.
In: a file on disk. Out: recordings, and what was wrong with it. May import: the rest of recordings, and signals.
"""
