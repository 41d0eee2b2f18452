"""A trained model for devices without this program: as C, and what a device must know to use it.

In: a fitted ELM-GRU-AM. Out: the files of an artefact, and what the very artefact answers of windows, run here, beside
what the model answers. May import: classifiers, evaluation, signals, windows.
"""
