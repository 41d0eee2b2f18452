"""Text as files bring it and other programs read it: half characters in JSON, formulas in spreadsheets."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# What a spreadsheet takes for the beginning of a formula, after spaces or the mark of text, wide signs included
FORMULA = re.compile(r"['\s]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
A_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
LONGEST_NAME = 60  # characters: of those that take four bytes, with an ending, no more are a file's name on Linux
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")  # no file of Windows can be called so
MARK = "'"  # before it, a spreadsheet takes a cell for text


def loads(text: str | bytes) -> Any:
    r"""Parse JSON; halves of characters such as ``\ud800``, which no page can hold, become question marks."""
    text = text.decode() if isinstance(text, bytes) else text
    value = json.loads(text)
    if "\\ud" not in text.lower():
        return value
    return json.loads(whole_characters(json.dumps(value, ensure_ascii=False)))


def whole_characters(text: str) -> str:
    """Return a text with a question mark for each half of a character."""
    return text.encode(errors="replace").decode()


def cell(value: object) -> object:
    """Return the value of a cell of CSV so that no spreadsheet takes its text for a formula; numbers stay as they are.

    Source: OWASP, CSV injection.
    """
    if isinstance(value, str) and FORMULA.match(value) and not A_NUMBER.fullmatch(value):
        return MARK + value
    return value


def text_of_cell(text: str) -> str:
    """Return the text of which `cell` made this."""
    marked = text.startswith(MARK) and FORMULA.match(text) and not A_NUMBER.fullmatch(text[1:])
    return text[1:] if marked else text


def to_csv(table: pd.DataFrame, header: bool = True) -> str:
    """Write a table as CSV, in which no spreadsheet takes text for a formula."""
    safe = table.rename(columns={name: str(cell(name)) for name in table.columns})
    for name in safe.columns:
        if safe[name].dtype == object or str(safe[name].dtype) in ("str", "string"):
            texts = {value: cell(value) for value in safe[name].dropna().unique()}
            safe[name] = safe[name].map(texts)
    text: str = safe.to_csv(index=False, header=header, lineterminator="\r\n")
    return text


def file_name(text: str) -> str:
    """Return a text as a name that a file can have anywhere."""
    name = re.sub(r"[^\w .()-]+", "_", text).strip(" .")[:LONGEST_NAME].rstrip(" .")
    return f"_{name}" if not name or _RESERVED.match(name) else name
