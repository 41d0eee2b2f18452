"""Names of files and labels, made of what people call recordings and subjects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

LONGEST = 60  # characters: of those that take four bytes, with an ending, no more are a file's name on Linux
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")  # no file of Windows can be called so


def file_name(text: str) -> str:
    """Return a text as a name that a file can have anywhere."""
    name = re.sub(r"[^\w .()-]+", "_", text).strip(" .")[:LONGEST].rstrip(" .")
    return f"_{name}" if not name or RESERVED.match(name) else name


def label(text: str) -> str:
    """Return the letters and digits of a text, as labels of BIDS have them; "x" where there are none."""
    return re.sub(r"[^0-9A-Za-z]", "", text)[:LONGEST] or "x"


def distinct(texts: Iterable[str], clean: Callable[[str], str]) -> dict[str, str]:
    """Return a name of its own for each text, told apart even where capitals are not."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for text in dict.fromkeys(texts):
        name, number = clean(text), 1
        while name.casefold() in taken:
            number += 1
            name = clean(f"{clean(text)[: LONGEST - 8]} {number}")
        taken.add(name.casefold())
        found[text] = name
    return found
