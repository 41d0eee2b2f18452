"""Many labelled recordings as one data set.

In: a folder, an archive or the embedded example, and a description where labels and subjects come from elsewhere.
Out: a `Store` on disk: signals at one rate, labels, subjects, and the rows as recorded. May import: recordings,
signals, windows.
"""
