"""Dates and times as text, in seconds: which of a date's numbers is the month, and what follows midnight."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars as pl

EXAMPLE = "2024-05-31 12:00:00.25"  # for messages
DAY_S = 86400.0
CLOCKS = ("%H:%M:%S%.f", "%I:%M:%S%.f %p")
DAY_FIRST, MONTH_FIRST = "%d/%m/%Y", "%m/%d/%Y"
FORMATS = tuple(  # tried in this order
    f"{date}{separator}{clock}{zone}"
    for date in ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", DAY_FIRST, "%Y%m%d", "%d-%b-%Y", "%d %b %Y")
    for separator in (" ", "T")
    for clock in CLOCKS
    for zone in ("", "%z")
)
SLASHED = r"^\s*(\d{1,2}/\d{1,2}/(?:\d{4}|\d{2}))\b"  # the day first or the month
DATE = re.compile(r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))\s*")
LIKE_TIME = r"^\s*(\d{1,4}[-/. ](\d{1,2}|[A-Za-z]{3})[-/. ]\d{1,4}[ T,]+)?\d{1,2}:\d{2}"
PLAIN = (  # other ways to write the same
    (r"^(\d{1,2}[./]\d{1,2}[./])(\d{2})\b", "${1}20${2}"),  # a year of two digits
    (r", +", " "),
    (r"(\d:\d\d:\d\d)[:,](\d)", "${1}.${2}"),
    (r"(\d) ?(?:Z|UTC|GMT)$", "${1}+0000"),
)
ZONE = r"\d:\d\d.*(?:Z|UTC|GMT|[+-]\d\d:?\d\d)(?: ?\[[A-Za-z0-9_+/-]+\])?\s*$"  # behind a time
ZONE_NAME = r" ?\[[A-Za-z0-9_+/-]+\]$"
HEAD = 200  # cells by which the format is told


def date_time_seconds(column: pl.Series, day_first: bool | None = None) -> pl.Series:
    """Return dates with times, or mere times, as seconds; what is neither becomes null.

    Dates count from 1970 (in UTC unless a zone is written); mere times from midnight, on over the next ones. The format
    is that which most of the first cells are in.

    Parameters
    ----------
    day_first : how 06/05/2024 is read, see `is_day_first`; default as the column itself tells, 6 May where it does not.
    """
    import polars as pl

    text = _plain(column)
    if day_first is None:
        day_first = is_day_first(column) is not False
    head = text.drop_nulls().head(HEAD)
    formats = [text if day_first else text.replace(DAY_FIRST, MONTH_FIRST) for text in FORMATS]
    dates = [(head.str.to_datetime(format_, strict=False).null_count(), format_) for format_ in formats]
    times = [(head.str.to_time(format_, strict=False).null_count(), format_) for format_ in CLOCKS]
    (missing, date), (timeless, clock) = (min(tried, key=lambda pair: pair[0]) for tried in (dates, times))
    if missing <= timeless:
        seconds = text.str.to_datetime(date, strict=False, time_unit="us").dt.epoch("us") / 1e6
        return seconds.set(seconds < -DAY_S, None)  # the year 24 is none
    since_midnight = (text.str.to_time(clock, strict=False).cast(pl.Int64) / 1e9).to_numpy()
    return pl.Series(column.name, over_midnight(since_midnight), nan_to_null=True)


def names_zone(column: pl.Series) -> bool:
    """Tell whether dates with times say in which zone they are; those without are of a clock on the wall."""
    import polars as pl

    return bool(column.cast(pl.String).drop_nulls().head(HEAD).str.contains(ZONE).any())


def is_day_first(*columns: pl.Series) -> bool | None:
    """Tell whether a 06/05/2024 in columns that belong together is 6 May; None where it may as well be 5 June.

    A recording runs on: the reading that all the dates have and under which they are closest together is right. True,
    too, where there are no such dates.
    """
    import polars as pl

    texts = [column.cast(pl.String).str.extract(SLASHED).drop_nulls().unique() for column in columns]
    dates = _plain(pl.concat(texts).unique())
    by_day, by_month = (dates.str.to_date(format_, strict=False) for format_ in (DAY_FIRST, MONTH_FIRST))
    if by_day.equals(by_month):
        return True
    fits = [(days.null_count(), _span(days)) for days in (by_day, by_month)]
    return None if fits[0] == fits[1] else fits[0] < fits[1]


def is_date(cell: str) -> bool:
    """Tell whether a cell is a date without a time."""
    return bool(DATE.fullmatch(cell))


def like_time(column: pl.Series) -> bool:
    """Tell whether most cells look like times or dates with times, in whatever form."""
    return int(column.str.contains(LIKE_TIME).sum()) >= 0.8 * max(len(column), 1)


def over_midnight(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Let the seconds since midnight run on over the next one, instead of starting again; NaN stay NaN."""
    running, good = time_s.copy(), np.isfinite(time_s)
    running[good] = np.unwrap(time_s[good], period=DAY_S)
    return running


def _plain(column: pl.Series) -> pl.Series:
    import polars as pl

    text = column.cast(pl.String).str.strip_chars()
    head = text.drop_nulls().head(HEAD)
    if head.str.ends_with("]").any():  # of a zone by name, behind its offset
        text = text.str.replace(ZONE_NAME, "")
        head = text.drop_nulls().head(HEAD)
    for pattern, plain in PLAIN:
        if head.str.contains(pattern).any():  # each takes a second for a million rows
            text = text.str.replace(pattern, plain)
    return text


def _span(days: pl.Series) -> int:
    numbers = days.drop_nulls().to_physical().to_numpy()
    return int(np.ptp(numbers)) if len(numbers) else 0
