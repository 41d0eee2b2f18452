"""Capture-24: `time,x,y,z,annotation`, a file a person, a day at the wrist in free living.

Format: Chan et al., Capture-24: a large dataset of wrist-worn activity tracker data, Scientific Data 11 (2024). In g
with gravity, 100 Hz; the annotation, "7030 sleeping;MET 0.95", is empty where nothing was annotated.
"""

from __future__ import annotations

from app.har.errors import UnreadableData
from app.har.recordings.build import build_recording, label_codes, raw_stream, read_each
from app.har.recordings.date_times import EXAMPLE, date_time_seconds, names_zone
from app.har.recordings.layout import Layout
from app.har.recordings.tables import Source, columns
from app.har.signals.types import Recording
from app.har.signals.units import STANDARD_GRAVITY

APP = "Capture-24"
AXES = ("x", "y", "z")
HEADER = ("time", *AXES, "annotation")
DESCRIPTION = f"Capture-24: columns {','.join(HEADER)}"


def matches(layout: Layout) -> bool:
    """Tell whether the headings are those of this data set."""
    return layout.names == HEADER


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files, a recording each."""
    return read_each({source.name: source for source in sources}, lambda _, source: _read_one(source))


def _read_one(source: Source) -> Recording:
    import polars as pl

    types = {"time": pl.String, "annotation": pl.Categorical}
    frame = columns(source, {name: (i, types.get(name, pl.Float32)) for i, name in enumerate(HEADER)})
    seconds = date_time_seconds(frame["time"])
    there = seconds.drop_nulls()
    if not len(there):
        raise UnreadableData(f"{source.name}, line {source.line(0)}: expected times such as {EXAMPLE}.")
    origin = float(there[0])
    codes, activities = label_codes(frame["annotation"])
    timed = frame.with_columns((seconds - origin).alias("time"))
    unit = "g, by the format"
    part = raw_stream(
        source, timed, "accelerometer", "time", AXES, codes, unit=unit, factor=STANDARD_GRAVITY, in_seconds=True
    )
    subject = source.layout.stem.upper()
    return build_recording(
        source.name, source.name, subject, [part], gravity="included", activities=activities, app=APP,
        origin_utc_s=origin, local_clock=not names_zone(frame["time"]),
    )  # fmt: skip
