"""Recognition as it happens: batches of a device's samples in, answers for windows out, the same as of an upload.

In: what Sensor Logger or the phone page pushes. Out: windows that overlap, each with its probabilities, and a journal
that becomes an upload. May import: all of the core but training; knows no server and no database.
"""
