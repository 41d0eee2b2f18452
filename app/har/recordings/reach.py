"""Which files may be read by their path, and whether messages may quote them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.har.errors import UnreadableData


@dataclass(frozen=True)
class Reach:
    """The folders whose files may be read.

    A path is judged by where it leads: links and ``..`` are followed, and folders are compared as the file system
    compares them, so that other letters or another mount of the same folder change nothing.
    """

    within: tuple[Path, ...] | None = None  # None: everywhere
    outside: tuple[Path, ...] = ()  # not even where `within` would allow it
    quotes: bool = True  # whether messages show the text of these files

    def allows(self, path: Path) -> bool:
        """Tell whether a path leads to where reading is allowed; it need not exist."""
        try:
            real = path.resolve()
        except (OSError, RuntimeError, ValueError):  # links in a circle, an impossible name
            return False
        if any(map(os.path.islink, (real, *real.parents))):  # a circle, of which Python 3.13 says nothing
            return False
        around = _identities((real, *real.parents))
        if around & _identities(self.outside):
            return False
        return self.within is None or bool(around & _identities(self.within))

    def check(self, path: Path, name: str) -> None:
        """Refuse a path that leads elsewhere.

        Raises
        ------
        UnreadableData : the message names the file as the person does.
        """
        if not self.allows(path):
            raise UnreadableData(f"{name}: lies outside of the folders from which data sets may be read.")


ANYWHERE = Reach()


def _identities(paths: Iterable[Path]) -> set[tuple[int, int]]:
    """Return what the file system knows the files and folders by that exist."""
    found = set()
    for path in paths:
        with suppress(OSError, ValueError):
            status = path.stat()
            found.add((status.st_dev, status.st_ino))
    return found
