"""Short events between activities, standing up or lying down, beside what a model answers of its windows.

In: signals, with labels to learn from. Out: stretches of each activity to a quarter of a second. Windows of a model are
longer than most transitions; what is found here changes none of its answers. May import: the everyday model's forests,
features, signals, windows, the vocabulary.
"""
