"""Which column of an unknown table is its clock, and in what unit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.har.errors import quote
from app.har.recordings.date_times import EXAMPLE, date_time_seconds, is_date, like_time
from app.har.recordings.mappings.guess_columns import (
    COUNTER_WORDS,
    TIME_WORDS,
    TableSample,
    Values,
    is_any,
    words_of,
)
from app.har.recordings.mappings.mapping import EPOCH_S, MAX_RATE_HZ
from app.har.recordings.mappings.units import DATE_TIME, DAYS, TICKS, TIME_SPELLINGS, TIME_UNITS, who_counts_days

if TYPE_CHECKING:
    import polars as pl

LOOKED_AT = 2000  # texts of a column that decide whether they are dates
READABLE = 0.8  # share of them that must be
RISING = 0.95  # share of a clock's steps that don't fall
DIFFERENT = 0.05  # share of a clock's values that are different at least
UNKNOWN_RATE_HZ = 50.0  # where no column counts time
A_SECOND = 1.1 / 86_400  # of a day, and a little more
FINE, FINEST_US = "fine", 1000  # of Xsens' SampleTimeFine: in µs if a step is as long, in ticks of 0.1 ms if shorter
RATE = re.compile(r"(?:rate|frequency|freq)\W{1,5}(\d{1,4}(?:\.\d{1,6})?)\b|\b(\d{1,4}(?:\.\d{1,6})?) ?Hz\b", re.I)


@dataclass(frozen=True)
class TimeGuess:
    """The column of time, its unit, and why."""

    column: str | None
    unit: str
    reason: str
    clocks: frozenset[str]  # all columns of dates and times, or that only count upwards: none of them is a sensor's
    rate_hz: float = UNKNOWN_RATE_HZ  # rows per second
    stated: bool = False  # the rate, by the lines above the table or the name of the file; there is no column


@dataclass(frozen=True)
class _Clock:
    """A column that may be the time."""

    column: str
    unit: str
    reason: str
    rate_hz: float
    named: bool
    distinct: float  # share of its values
    since_1970: bool = False

    @property
    def rank(self) -> tuple[bool, float, bool]:
        return self.named, round(self.distinct, 1), self.since_1970


def find_time(table: TableSample, about: Sequence[str] = ()) -> TimeGuess:
    """Find the column that counts time: by its name, how finely it counts, and whether it does so since 1970.

    Parameters
    ----------
    about : lines about the file, which may state a rate where no column counts.
    """
    rising = {name: values for name, values in table.numbers.items() if _rises(values)}
    numeric = [_numeric_clock(name, values) for name, values in rising.items()]
    dated = [_date_time_clock(name, texts) for name, texts in table.texts.items()]
    candidates = [clock for clock in numeric + dated if clock]
    times_only = {name for name, texts in table.texts.items() if _is_unusable_clock(texts)}
    clocks = frozenset({*rising, *(clock.column for clock in dated if clock), *times_only})
    if not candidates and (rate := _rate_in(about)):
        return TimeGuess(None, "s", f"no column counts time, but the file states {rate:g} Hz", clocks, rate, True)
    if not candidates:
        reason = "no column counts time: enter the number of rows per second"
        return TimeGuess(None, "s", "; ".join([reason, *_unreadable_times(table)[-1:]]), clocks)
    best = max(candidates, key=lambda clock: clock.rank)
    return TimeGuess(best.column, best.unit, best.reason, clocks, best.rate_hz)


def _rate_in(about: Sequence[str]) -> float:
    """Return the first rate that lines about a file state, one that is called so rather than another; 0 for none."""
    found = [match.groups() for line in about for match in RATE.finditer(line)]
    named = [called or any_ for called, any_ in sorted(found, key=lambda pair: not pair[0])]
    return next((rate for rate in map(float, named) if 1 <= rate <= MAX_RATE_HZ), 0.0)


def _rises(values: Values) -> bool:
    good = values[np.isfinite(values)]
    if len(good) < 3 or good.max() <= good.min():
        return False
    return bool((np.diff(good) >= 0).mean() >= RISING and len(np.unique(good)) > DIFFERENT * len(good))


def _numeric_clock(name: str, values: Values) -> _Clock | None:
    """Return what a rising column counts, None where it is no clock but a counter, or has no sensor's rate."""
    words = words_of(name)
    named = is_any(TIME_WORDS, words)
    clock = _with_unit(name, values, named)
    counts = bool(np.all(np.diff(values[np.isfinite(values)]) == 1))
    if clock and counts and (not named or is_any(COUNTER_WORDS, words) or clock.unit == "s"):
        return None
    return clock


def _with_unit(name: str, values: Values, named: bool) -> _Clock | None:
    """Return the unit in which a column's steps make a sensor's rate, and why."""
    good = np.sort(values[np.isfinite(values)])
    steps = np.diff(good)
    steps = steps[steps > 0]
    step = float(np.median(steps)) * len(steps) / (len(good) - 1)  # of a batch that shares a stamp, too
    in_ticks, counts_days = is_any(FINE, words_of(name)) and step < FINEST_US, who_counts_days(good[0])
    usual = [own for own in TIME_UNITS if own not in (TICKS, DAYS)]
    units = [TICKS] if in_ticks else [DAYS] if counts_days and step < A_SECOND else usual
    possible = [unit for unit in units if 1 / MAX_RATE_HZ <= step * TIME_UNITS[unit] <= 1.0]
    if not possible:
        return None
    in_name = next((unit for unit in _units_in_name(name) if unit in possible), "")
    since_1970 = next((unit for unit in possible if EPOCH_S[0] < good[0] * TIME_UNITS[unit] < EPOCH_S[1]), "")
    unit = since_1970 or in_name or possible[0]
    how = "by its size counted from 1970" if since_1970 else "by its name" if in_name else f"steps of {step:g}"
    if unit == DAYS:
        how = f"dates as {counts_days} counts them"
    rate = 1 / (step * TIME_UNITS[unit])
    distinct = len(np.unique(values)) / len(values)
    reason = f"{how}: {unit}, {rate:.4g} rows per second"
    return _Clock(name, unit, reason, rate, named, distinct, bool(since_1970))


def _units_in_name(name: str) -> list[str]:
    words = words_of(name)
    bracket = re.findall(r"[\(\[]\s*(\w+)\s*[\)\]]", name)
    units = [TIME_SPELLINGS.get(text, text) for text in (*bracket, *words)]
    spelled_out = {"s": r"seconds?|secs?|sekunden?", "ms": r"milli\w*", "ns": r"nano\w*"}
    return units + [unit for unit, pattern in spelled_out.items() if is_any(pattern, words)]


def _date_time_clock(name: str, texts: pl.Series) -> _Clock | None:
    """Return a column of dates or times as text, None where most of it is neither or it never advances."""
    some = texts.head(LOOKED_AT)
    seconds = date_time_seconds(some).drop_nulls()
    if len(seconds) < max(2, READABLE * len(some)) or seconds.n_unique() <= 1:
        return None
    rate = (len(seconds) - 1) / float(np.ptp(seconds.to_numpy()))
    distinct = seconds.n_unique() / len(seconds)
    dated = float(seconds.to_numpy().min()) > EPOCH_S[0]
    return _Clock(name, DATE_TIME, "dates or times as text", rate, named=True, distinct=distinct, since_1970=dated)


def _is_unusable_clock(texts: pl.Series) -> bool:
    """Tell whether texts are times without seconds, or mere dates."""
    some = texts.head(LOOKED_AT)
    return like_time(some) or all(map(is_date, some.drop_nulls()))


def _unreadable_times(table: TableSample) -> list[str]:
    """Return what columns of times without seconds begin with, and what would be read."""
    return [
        f"{name} begins with {quote(repr(texts.drop_nulls()[0][:40]))}, expected seconds too, as in {EXAMPLE}+02:00"
        for name, texts in table.texts.items()
        if like_time(texts.head(LOOKED_AT))
    ]
