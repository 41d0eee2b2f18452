"""Errors of the core. Each message says what was expected and what was found, for the person who brought the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

NOT_SHOWN = "(not shown)"
_quotes: ContextVar[bool] = ContextVar("quotes", default=True)


@contextmanager
def quoting(allowed: bool) -> Iterator[None]:
    """Let the messages made in this block show pieces of files, or not."""
    token = _quotes.set(allowed)
    try:
        yield
    finally:
        _quotes.reset(token)


def quote(text: str) -> str:
    """Return a piece of a file for a message, or in its place that it is not shown."""
    return text if _quotes.get() else NOT_SHOWN


class HarError(Exception):
    """Base of everything the core raises on purpose; its text is fit to be shown on a page."""


class UnreadableData(HarError):
    """A file or archive cannot be read as what it claims to be (truncated, binary, hostile, too large)."""


class UnreadableDevice(UnreadableData):
    """A file as a device writes it is damaged or lacks something: it holds no columns that a person could name."""


class UnrecognisedData(UnreadableData):
    """A file or folder is readable but in none of the layouts known here."""


class UnknownTable(UnrecognisedData):
    """In no layout known here, but a table of numbers: a person can say by a mapping what its columns are."""


class InvalidDescription(HarError):
    """A mapping, or the description of a data set, is wrong; the message names the key, what was expected and found."""


class UnusableRecording(HarError):
    """A recording was read but a model cannot take it (too short, missing sensor, other units).

    ``held`` is what the file holds, where that is known: it shows which other model would do.
    """

    held: Mapping[str, Any] | None = None


class InsufficientData(HarError):
    """A data set is too small for what was asked (one subject in a subject split, one activity, no window)."""


class Unlabelled(InsufficientData):
    """No recording of a data set names an activity: a person can describe where the labels are."""


class ModelIntegrityError(HarError):
    """A stored model's files are missing, changed, or of another format."""


class UnsolvableSums(HarError):
    """Sums of rows have no solution: rows were taken away that had not been added, or the ridge is too small."""


class InvalidSetting(HarError):
    """A setting of a training is wrong; ``setting`` says which."""

    def __init__(self, message: str, setting: str) -> None:
        super().__init__(message)
        self.setting = setting
