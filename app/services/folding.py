"""Texts as searches compare them, the same on every database: without capitals, and letters with their dots in one.

macOS names files with the letter and its dots apart.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from sqlalchemy import ColumnElement, String, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class Folded(FunctionElement[str]):
    """A text in a query, folded."""

    type = String()
    inherit_cache = True


@compiles(Folded)
def _own(element: Folded, compiler: SQLCompiler, **options: Any) -> str:
    return f"lower({compiler.process(element.clauses, **options)})"  # SQLite's is `folded`


@compiles(Folded, "postgresql")
def _of_server(element: Folded, compiler: SQLCompiler, **options: Any) -> str:
    return f"replace(lower(normalize({compiler.process(element.clauses, **options)}, NFC)), 'ß', 'ss')"


def folded(text: str | None) -> str | None:
    """Return a text folded; SQLite's own ``lower`` knows no letters like Ü."""
    return None if text is None else unicodedata.normalize("NFC", text).casefold()


def holds(column: Any, word: str) -> ColumnElement[bool]:
    """Return the condition that a word, whatever signs are in it, is in a column."""
    for sign in "/%_":
        word = word.replace(sign, f"/{sign}")
    return Folded(column).like(Folded(literal(f"%{word}%")), escape="/")
