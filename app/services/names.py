"""How data sets and models may be called; a model is called after the data set that it was trained on."""

from __future__ import annotations

import re

MAX_NAME = 64
NAME_PATTERN = r"[a-z0-9][a-z0-9\-]{0,63}"  # also what browsers check
NAME_RULE = "1 to 64 lower-case letters, digits and hyphens, starting with a letter or digit"


def is_name(text: str) -> bool:
    """Tell whether a data set or a model may be called so."""
    return re.fullmatch(NAME_PATTERN, text) is not None
