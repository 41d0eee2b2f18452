"""One training, from a data set's signals to metrics, plots and a saved model.

In: signals and a `TrainConfig`. Out: a folder of results, and the model with its card. May import: all of the core.
"""
