"""Names of files and labels, made of what people call recordings and subjects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from app.har.texts import LONGEST_NAME


def label(text: str) -> str:
    """Return the letters and digits of a text, as labels of BIDS have them; "x" where there are none."""
    return re.sub(r"[^0-9A-Za-z]", "", text)[:LONGEST_NAME] or "x"


def distinct(texts: Iterable[str], clean: Callable[[str], str]) -> dict[str, str]:
    """Return a name of its own for each text, told apart even where capitals are not."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for text in dict.fromkeys(texts):
        name, number = clean(text), 1
        while name.casefold() in taken:
            number += 1
            name = clean(f"{clean(text)[: LONGEST_NAME - 8]} {number}")
        taken.add(name.casefold())
        found[text] = name
    return found
