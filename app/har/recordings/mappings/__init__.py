"""Tables in no known layout, read by a `ColumnMapping`.

In: opened tables, and a mapping that is guessed from names and values, or confirmed by a person. Out: recordings, or
what a reading would give (`dry_run`). May import: the rest of recordings but no format, and signals.
"""
