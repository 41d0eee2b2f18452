"""What every model is, and which there are.

In: windows with labels, to fit; windows, to recognise. Out: the probability of each activity in each window. `base`
is the contract, `catalogue` says what each is called, `registry` makes them, `model_folder` keeps one on disk,
`stored_models` reads any that was kept. May import: evaluation, signals, windows.
"""
