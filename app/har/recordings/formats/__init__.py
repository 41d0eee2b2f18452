"""The layouts that are known, one file each: a new format goes here, and into `importers.IMPORTERS`.

In: opened tables (`tables.Source`) of one layout. Out: recordings; for a layout that data sets come in also the parts
of the data set, for `datasets.loaders.LOADERS`. May import: the rest of recordings, and signals.
"""
