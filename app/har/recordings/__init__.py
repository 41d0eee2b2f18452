"""From a file to recordings.

In: what a person uploads, or the files of a data set: tables, workbooks, JSON, archives. Out: `Recording`s, and a
list of what was wrong with the files. `formats` knows the layouts of apps and data sets, one file each; `mappings`
reads a table whose columns a person names. May import: signals.
"""
