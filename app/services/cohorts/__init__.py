"""Thousands of recordings at once: a folder of them, recognised by worker processes of Dask.

What runs where: a child process (`child`) that a command or the site starts (`running`) lists the folder (`folder`),
hands its recordings to workers (`cluster`), which read and recognise one after another (`recogniser`), and keeps what
they answer (`kept`). Tables and the report are made from what is kept (`tables`, `report`). `cohorts` is what pages do.
"""
