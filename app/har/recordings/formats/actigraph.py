"""ActiGraph, as ActiLife exports raw data to CSV: ten lines about the device, then `Accelerometer X,Accelerometer Y,…`.

Format: ActiLife's "Export raw data", as read by `read.gt3x` and GGIR. In g with gravity; rate, start and how dates are
written stand in the first lines; a column of times is there if it was asked for. Its other export holds counts of
epochs, which are no acceleration and are refused.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import numpy as np

from app.har.errors import UnreadableData, quote
from app.har.recordings.build import build_recording, raw_stream, read_each
from app.har.recordings.date_times import date_time_seconds
from app.har.recordings.layout import Layout
from app.har.recordings.tables import Source, columns
from app.har.signals.types import Recording
from app.har.signals.units import STANDARD_GRAVITY

APP = "ActiGraph"
DESCRIPTION = "ActiGraph, raw data as CSV: Data File Created By ActiGraph …, then columns Accelerometer X, Y, Z"
AXES = ("x", "y", "z")
COUNTS = {"axis1", "axis2", "axis3"}
FIRST = re.compile(r"data (?:file|table) created by actigraph", re.I)
RATE, DATE_FORMAT = re.compile(r"\bat (\d{1,4}) ?Hz\b", re.I), re.compile(r"\bdate format (\S{1,20})", re.I)
START_TIME, START_DATE = re.compile(r"start time:? (\S{1,20})", re.I), re.compile(r"start date:? (\S{1,20})", re.I)
EPOCH = re.compile(r"epoch period.{0,20}?(\d{1,2}):(\d{2}):(\d{2})", re.I)
LETTERS = (("yyyy", "%Y"), ("yy", "%y"), ("MM", "%m"), ("M", "%m"), ("dd", "%d"), ("d", "%d"))


def matches(layout: Layout) -> bool:
    """Tell whether the first line names the maker, or the columns are those of its counts."""
    return bool(layout.lead and FIRST.search(layout.lead[0])) or set(layout.names) >= COUNTS


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files, a recording each."""
    return read_each({source.name: source for source in sources}, lambda _, source: _read_one(source))


def _said(pattern: re.Pattern[str], source: Source) -> re.Match[str] | None:
    return next(filter(None, map(pattern.search, source.layout.lead)), None)


def _read_one(source: Source) -> Recording:
    import polars as pl

    _refuse_counts(source)
    names = source.layout.names
    ends = [name.rpartition(" ")[2] for name in names]
    places = [ends.index(axis) for axis in AXES] if set(AXES) <= set(ends) else [0, 1, 2]
    stamped = bool(names) and names[0].startswith(("timestamp", "date"))
    wanted: dict[str, tuple[int, Any]] = {axis: (place, pl.Float32) for axis, place in zip(AXES, places, strict=True)}
    frame = columns(source, wanted | ({"time": (0, pl.String)} if stamped else {}))
    start, rate = _start(source), _said(RATE, source)
    if stamped:
        dates = frame["time"].str.replace(r"^(\d{1,2})[-.](\d{1,2})[-.]", "${1}/${2}/")
        seconds = date_time_seconds(dates, _date_format(source).startswith("d"))
        first = seconds.drop_nulls()
        start = float(first[0]) if len(first) else start
        frame = frame.with_columns((seconds - (start or 0.0)).alias("time"))
    elif rate:
        frame = frame.with_columns(pl.Series("time", np.arange(len(frame)) / float(rate[1])))
    else:
        raise UnreadableData(
            f"{source.name}: expected a column of times or 'at … Hz' in the first line, found neither."
        )
    unit = "g, by the format"
    part = raw_stream(source, frame, "accelerometer", "time", AXES, unit=unit, factor=STANDARD_GRAVITY, in_seconds=True)
    return build_recording(
        source.name, source.name, source.name, [part], gravity="included", app=APP, origin_utc_s=start,
        local_clock=True,
    )  # fmt: skip


def _refuse_counts(source: Source) -> None:
    epoch = _said(EPOCH, source)
    lasts = sum(int(n) * scale for n, scale in zip(epoch.groups(), (3600, 60, 1), strict=True)) if epoch else 0
    if lasts or set(source.layout.names) >= COUNTS:
        of = f" of {lasts} s" if lasts else ""
        raise UnreadableData(
            f"{source.name}: holds an ActiGraph's counts, one for each epoch{of}, not acceleration; nothing can be "
            "recognised in them. In ActiLife choose 'Export raw data', which writes the acceleration in g as CSV."
        )


def _date_format(source: Source) -> str:
    found = _said(DATE_FORMAT, source)
    return found[1] if found else "M/d/yyyy"


def _start(source: Source) -> float | None:
    """Return the start of the recording as Unix time, as if its clock were UTC; None where the lines don't say it."""
    date, time = _said(START_DATE, source), _said(START_TIME, source)
    if not date or not time:
        return None
    form = _date_format(source)
    for letters, code in LETTERS:
        form = form if code in form else form.replace(letters, code, 1)
    try:
        start = datetime.strptime(f"{date[1]} {time[1]}", f"{form} %H:%M:%S")
    except ValueError as error:
        found = quote(repr(f"{date[1]} {time[1]}"))
        raise UnreadableData(f"{source.name}: expected a start in the form {form}, found {found}.") from error
    return start.replace(tzinfo=timezone.utc).timestamp()
