"""Tables of a row a sensor and time, turned into one with columns for each sensor.

The sensor is named by a word in a column of its own, or by Android's number of its type. What comes out has a heading
for each sensor and axis, `gyroscope_x`, and blank cells in the rows of the other sensors, which are read as such.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from app.har.errors import UnreadableData
from app.har.recordings.files import Member, in_memory
from app.har.recordings.layout import SAMPLE_LINES, Layout, is_number
from app.har.recordings.sensors import kind_of_name
from app.har.recordings.tables import Source, open_table, parse

if TYPE_CHECKING:
    import polars as pl

MAX_BYTES = 512 * 2**20
MAX_SENSORS = 20
# Android's Sensor.TYPE_…: https://developer.android.com/reference/android/hardware/Sensor
ANDROID = {
    1: "accelerometer", 2: "magnetometer", 3: "orientation", 4: "gyroscope", 9: "gravity", 10: "linear_acceleration",
    11: "rotation_vector", 14: "magnetometer_uncalibrated", 15: "game_rotation_vector", 16: "gyroscope_uncalibrated",
    35: "accelerometer_uncalibrated",
}  # fmt: skip
TOLD = re.compile(r"sensor\w*|\w*type|source|stream|kind|modality|device\w*|id|name|column \d+")
FEWEST_CHANGES = 0.2  # share of the rows in which the type differs from that before: labels keep for longer
ORDER = "order of the rows"  # of a column made here
SHORT = {"a": "accelerometer", "acc": "accelerometer", "g": "gyroscope", "gyr": "gyroscope", "m": "magnetometer"}


def as_wide(source: Source) -> Source | None:
    """Return a long table as one with columns for each sensor, None where it is no long table.

    Raises
    ------
    UnreadableData : it is too large, or names too many sensors.
    """
    names = [name or f"column {i + 1}" for i, name in enumerate(source.layout.names or [""] * source.layout.n_columns)]
    place = _sensor_column(source.layout, names)
    axes = [] if place is None else _axes(source.layout, place)
    if place is None or len(axes) < 3:
        return None
    if source.member.size > MAX_BYTES:
        raise UnreadableData(
            f"{source.name}: holds a row for each sensor and time, in {source.member.size:,} bytes; at most "
            f"{MAX_BYTES:,} are read of these. Export a file for each sensor."
        )
    return open_table(_wide(source, names, place, axes))


def _sensor_column(layout: Layout, names: list[str]) -> int | None:
    """Return the column that says which sensor each row is of."""
    for place in range(min(layout.n_columns, len(names))):
        cells = [cell.strip() for cell in layout.column(place)]
        if len(cells) < 2 or not TOLD.fullmatch(names[place]):
            continue
        if all(cell and not is_number(cell) for cell in cells):
            if all(_named(cell) for cell in set(cells)):
                return place
        elif _are_types(cells):
            return place
    return None


def _named(word: str) -> str:
    """Return what a word calls a sensor, "" where it calls none."""
    return SHORT.get(word.lower(), "") or (word if kind_of_name(word) or "orientation" in word.lower() else "")


def _are_types(cells: list[str]) -> bool:
    """Tell whether cells are Android's numbers of sensors, of which one measures acceleration, row by row."""
    found = {int(cell) if cell.isdecimal() and len(cell) < 4 else 0 for cell in cells}
    changes = sum(one != other for one, other in pairwise(cells))
    known = found <= set(ANDROID) and len(found) > 1 and bool(found & {1, 10, 35})
    return known and changes >= FEWEST_CHANGES * len(cells)


def _axes(layout: Layout, place: int) -> list[int]:
    """Return the columns of the three axes: the first three of numbers behind the sensor's, or before it."""
    numeric = [i for i in range(layout.n_columns) if i != place and layout.numeric(i)]
    named = [i for i in numeric if re.search(r"(^|[\W_])[xyz]$|[xyz]$", (layout.names or [""] * layout.n_columns)[i])]
    behind = [i for i in numeric if i > place]
    return (named if len(named) == 3 else behind)[:3]


def _wide(source: Source, names: list[str], place: int, axes: list[int]) -> Member:
    """Write the table anew; the sensors' rows alternate, so that the beginning shows all of them."""
    import polars as pl

    unique = [f"{name}_{i}" if name in names[:i] else name for i, name in enumerate(names)]
    types: dict[str, Any] = {name: pl.Float64 if i in axes else pl.String for i, name in enumerate(unique)}
    frame, sensor = parse(source, types), unique[place]
    words = frame[sensor].str.strip_chars().fill_null("")
    frame = frame.with_columns(
        words.replace_strict({word: _heading(word) for word in words.unique().to_list()}, return_dtype=pl.String).alias(
            sensor
        )
    )
    sensors = [word for word in frame[sensor].unique(maintain_order=True) if word]
    if len(sensors) > MAX_SENSORS:
        raise UnreadableData(f"{source.name}: names {len(sensors):,} sensors; at most {MAX_SENSORS} are read.")
    frame = _alternating(frame.filter(pl.col(sensor) != ""), sensor, [unique[i] for i in (*axes, place)])
    columns = [pl.col(name) for i, name in enumerate(unique) if i not in (*axes, place)]
    for word in sensors:
        for axis, i in zip("xyz", axes, strict=True):
            columns.append(pl.when(pl.col(sensor) == word).then(pl.col(unique[i])).alias(f"{word}_{axis}"))
    return in_memory(source.name, frame.select(columns).write_csv().encode())


def _alternating(frame: pl.DataFrame, sensor: str, others: list[str]) -> pl.DataFrame:
    """Put the rows of sensors that follow one another in the order of the first column that runs on in each."""
    import polars as pl

    if frame[sensor].head(SAMPLE_LINES).n_unique() > 1:
        return frame
    frame = frame.sort(sensor, maintain_order=True)
    parts = frame.partition_by(sensor, maintain_order=True)
    for name in (name for name in frame.columns if name not in others):
        times = [part[name].cast(pl.Float64, strict=False) for part in parts]
        columns = [part[name] for part in parts] if any(own.null_count() for own in times) else times
        if all(own.is_sorted() and own.n_unique() > 1 for own in columns):
            return frame.with_columns(pl.concat(columns).alias(ORDER)).sort(ORDER, maintain_order=True).drop(ORDER)
    return frame


def _heading(word: str) -> str:
    """Return how the columns of a sensor are headed."""
    known = ANDROID.get(int(word), "") if word.isdecimal() and len(word) < 4 else _named(word)
    return re.sub(r"\W+", "_", known or word).strip("_")
