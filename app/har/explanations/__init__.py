"""Why a model gave its answer: which moments, sensors and features decided, and whether that was shown to be true.

In: a fitted ELM-GRU-AM and windows. Out: values of cells of the signal and of groups of features, curves of deletion
and insertion, and a document of plain numbers and words. May import: classifiers and what they may import.
"""
