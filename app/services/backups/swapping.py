"""Changing what a home holds for what was restored: all of it or nothing, whenever the process ends.

In each of a home's folders, ``.restore/new`` holds what is to come and ``.restore/old`` what was there, so that every
step is a rename within one file system. A file, ``ready``, decides: without it nothing was restored, and what lies in
``.restore`` is deleted; with it the steps are gone through, by the next start if need be, from wherever they stopped.

It is called before the settings are read (``config.py``), and so imports nothing of ours.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

ROOTS = ("instance", "uploads", "model_store")
STAGED = ".restore"
READY, MOVED = "ready", "moved"  # files in `instance/.restore`
LOCK = "restore.lock"


def lock(home: Path) -> FileLock:
    """Return what a restore holds until its end."""
    return FileLock(home / "instance" / LOCK)


def is_decided(home: Path) -> bool:
    """Tell whether what is staged takes the place of what is there, and has not done so yet."""
    return (home / "instance" / STAGED / READY).exists()


def commit(home: Path) -> None:
    """Decide that what is staged takes the place of what is there, within the lock, and let it."""
    if hasattr(os, "sync"):
        os.sync()  # what is staged is on the disk before this is
    (home / "instance" / STAGED / READY).touch()
    _go_on(home)


def finish(home: Path) -> None:
    """Finish what was decided, or delete what was not, where a restore was killed; one that goes on stays."""
    if not any((home / root / STAGED).exists() for root in ROOTS):
        return
    try:
        with lock(home).acquire(timeout=-1 if is_decided(home) else 0):
            _go_on(home)
    except Timeout:
        return


def _go_on(home: Path) -> None:
    staged = {home / root: home / root / STAGED for root in ROOTS}
    marks = home / "instance" / STAGED
    if is_decided(home):
        if not (marks / MOVED).exists():
            for root, stage in staged.items():
                (stage / "old").mkdir(parents=True, exist_ok=True, mode=0o700)
                for entry in [entry for entry in root.iterdir() if not _stays(entry.name)]:
                    entry.rename(stage / "old" / entry.name)
            (marks / MOVED).touch()
        for root, stage in staged.items():
            for entry in list((stage / "new").iterdir()) if (stage / "new").exists() else []:
                entry.rename(root / entry.name)
        (marks / READY).unlink()  # from here on there is only something to delete
    for stage in staged.values():
        shutil.rmtree(stage, ignore_errors=True)


def _stays(name: str) -> bool:
    """Tell whether something is a process's that runs, or our own."""
    return name == STAGED or name.endswith(".lock")
