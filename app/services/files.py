"""Files that are there whole or not at all, whenever the server dies or the disk is full."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

DRAFT = ".draft-"  # begins the name of what is being written


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give another name to write to, which becomes the file's at the end of the block; it goes when that fails."""
    draft = path.with_name(f"{DRAFT}{uuid4().hex}{path.suffix}")
    try:
        yield draft
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def link_or_copy(source: Path | str, target: Path | str) -> None:
    """Give a file a second name, which takes no room; where the file system has no such thing, copy it."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)
