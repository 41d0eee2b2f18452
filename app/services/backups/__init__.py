"""Backups of a home: one encrypted file, whole or not at all, and its way back.

A backup is taken while the site runs: for a moment nobody writes to the database, while it is copied and all files get
a second name (``moment.py``); what is read at leisure afterwards (``writing.py``) is this moment. A restore unpacks
beside what is there, looks at everything (``reading.py``), and changes it for the new in steps that the next start
finishes if they are cut short (``swapping.py``).
"""
