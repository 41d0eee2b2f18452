"""Tables of a row a sensor and time, turned into one with columns for each sensor.

The sensor is named by a word in a column of its own, or by Android's number of its type. What comes out has a heading
for each sensor and axis, `gyroscope_x`, and blank cells in the rows of the other sensors, which are read as such.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from statistics import median, quantiles
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
PLAIN = {1: "accelerometer", 2: "gyroscope", 3: "magnetometer"}  # how loggers number them that count from one
# The median length of a sensor's vectors by which its number is believed: gravity in g, m/s² or mg; the field in µT
LENGTHS = {"accelerometer": ((0.5, 3), (5, 30), (500, 3000)), "magnetometer": ((12, 1000),)}
TOLD = re.compile(r"sensor\w*|\w*type|source|stream|kind|modality|device\w*|id|name|column \d+")
DIFFERENT = 3  # times as long is gravity as what another number's rows hold, where numbers are sensors' at all
MOSTLY = 0.9  # share of the first rows that must have one
FIRST_COLUMNS, FEWEST_ROWS = 3, 3  # where a number without a heading may stand, and which of them count
FEWEST_CHANGES = 0.2  # share of the rows in which the type differs from that before: labels keep for longer
ORDER = "order of the rows"  # of a column made here
SHORT = {
    "a": "accelerometer", "acc": "accelerometer", "g": "gyroscope", "gyr": "gyroscope", "m": "magnetometer",
    "mag": "magnetometer",
}  # fmt: skip


def as_wide(source: Source) -> Source | None:
    """Return a long table as one with columns for each sensor, None where it is no long table.

    Raises
    ------
    UnreadableData : it is too large, names too many sensors, or numbers them in a way that is not known.
    """
    layout = source.layout
    names = [name or f"column {i + 1}" for i, name in enumerate(layout.names or [""] * layout.n_columns)]
    place = _sensor_column(layout, names)
    axes = [] if place is None else _axes(layout, place)
    if place is None or len(axes) < 3:
        return None
    numbering = _numbering(layout, place, axes) if is_number(layout.column(place)[-1]) else {}
    if numbering is None:
        _refuse_numbers(source, names[place], place, axes)
        return None
    if source.member.size > MAX_BYTES:
        raise UnreadableData(
            f"{source.name}: holds a row for each sensor and time, in {source.member.size:,} bytes; at most "
            f"{MAX_BYTES:,} are read of these. Export a file for each sensor."
        )
    return open_table(_wide(source, names, place, axes, numbering))


def _sensor_column(layout: Layout, names: list[str]) -> int | None:
    """Return the column that says which sensor each row is of."""
    for place in range(min(layout.n_columns, len(names))):
        cells = [cell.strip() for cell in layout.column(place)]
        if len(cells) < 2 or not TOLD.fullmatch(names[place]):
            continue
        if all(cell and not is_number(cell) for cell in cells):
            words = set(cells)
            named = [_named(word) for word in words]
            if all(named) or ("acc" in "".join(named).lower() and 2 * sum(map(bool, named)) >= len(words)):
                return place
        elif (layout.header or place < FIRST_COLUMNS) and _are_types(cells):
            return place
    return None


def _named(word: str) -> str:
    """Return what a word calls a sensor, "" where it calls none."""
    return SHORT.get(word.lower(), "") or (word if kind_of_name(word) or "orientation" in word.lower() else "")


def _are_types(cells: list[str]) -> bool:
    """Tell whether cells seem to be numbers of sensors, that change from row to row."""
    numbers = [cell for cell in cells if cell.isdecimal() and len(cell) < 4]
    changes = sum(one != other for one, other in pairwise(numbers))
    few = 1 < len(set(numbers)) <= MAX_SENSORS
    return few and len(numbers) >= MOSTLY * len(cells) and changes >= FEWEST_CHANGES * len(numbers)


def _lengths(layout: Layout, place: int, axes: list[int]) -> dict[int, list[float]]:
    """Return the lengths of the first vectors by the number in their rows."""
    found: dict[int, list[float]] = {}
    for row in layout.rows:
        cells = [row[i].strip().replace(",", ".") if i < len(row) else "" for i in axes]
        if len(row) > place and row[place].strip().isdecimal() and all(map(is_number, cells)):
            length = sum(float(cell) ** 2 for cell in cells) ** 0.5
            found.setdefault(int(row[place]), []).append(length)
    return {number: lengths for number, lengths in found.items() if len(lengths) >= FEWEST_ROWS}


def _numbering(layout: Layout, place: int, axes: list[int]) -> Mapping[int, str] | None:
    """Return which sensor each number is of, None where no numbering known here fits the values."""
    vectors = _lengths(layout, place, axes)
    lengths = {number: median(own) for number, own in vectors.items()}
    for numbering in (ANDROID, PLAIN):
        if numbering is PLAIN and _is_steadier_than_the_first(vectors):
            continue
        if set(lengths) <= set(numbering) and any("accel" in numbering[number] for number in lengths):
            ranges = {number: LENGTHS.get(numbering[number], ((0.0, float("inf")),)) for number in lengths}
            if all(any(low <= lengths[n] <= high for low, high in own) for n, own in ranges.items()):
                return numbering
    return None


def _is_steadier_than_the_first(vectors: Mapping[int, list[float]]) -> bool:
    """Tell whether another number than 1 holds gravity: as long as that, and twice as steady as what 1 holds."""
    spread = {}
    for number, own in vectors.items():
        low, middle, high = quantiles(own)
        spread[number] = (high - low) / middle if middle else 0.0
    return any(
        number != 1 and _is_gravity(median(own)) and 2 * spread[number] < spread.get(1, 0.0)
        for number, own in vectors.items()
    )


def _is_gravity(length: float) -> bool:
    return any(low <= length <= high for low, high in LENGTHS["accelerometer"])


def _refuse_numbers(source: Source, name: str, place: int, axes: list[int]) -> None:
    """Refuse a table whose numbers are sensors' that are not known; others may be labels, or a counter.

    Raises
    ------
    UnreadableData : one number's rows hold gravity, and another's are far shorter or longer, or less steady.
    """
    vectors = _lengths(source.layout, place, axes)
    lengths = {number: median(own) for number, own in vectors.items()}
    gravity = [own for own in lengths.values() if _is_gravity(own)]
    differ = any(max(one, own) > DIFFERENT * min(one, own) for one in gravity for own in lengths.values())
    if differ or _is_steadier_than_the_first(vectors):
        numbers = ", ".join(map(str, sorted(lengths)))
        raise UnreadableData(
            f"{source.name}: {name} seems to number the sensor of each row ({numbers}); which number is which sensor "
            "is not known here. Write a word there instead of each number, such as accelerometer, or export a file for "
            "each sensor."
        )


def _axes(layout: Layout, place: int) -> list[int]:
    """Return the columns of the three axes: the first three of numbers behind the sensor's, or before it."""
    numeric = [i for i in range(layout.n_columns) if i != place and layout.numeric(i)]
    by_stem: dict[str, list[int]] = {}
    for i in numeric:
        if (name := (layout.names or [""] * layout.n_columns)[i])[-1:] in ("x", "y", "z"):
            by_stem.setdefault(name[:-1], []).append(i)
    behind = [i for i in numeric if i > place]
    return next((own for own in by_stem.values() if len(own) == 3), behind)[:3]


def _wide(source: Source, names: list[str], place: int, axes: list[int], numbering: Mapping[int, str]) -> Member:
    """Write the table anew; the sensors' rows alternate, so that the beginning shows all of them."""
    import polars as pl

    unique = [f"{name}_{i}" if name in names[:i] else name for i, name in enumerate(names)]
    types: dict[str, Any] = {name: pl.Float64 if i in axes else pl.String for i, name in enumerate(unique)}
    frame, sensor = parse(source, types), unique[place]
    words = frame[sensor].str.strip_chars().fill_null("")
    headings = {word: _heading(word, numbering) for word in words.unique().to_list()}
    frame = frame.with_columns(words.replace_strict(headings, return_dtype=pl.String).alias(sensor))
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


def _heading(word: str, numbering: Mapping[int, str]) -> str:
    """Return how the columns of a sensor are headed."""
    known = numbering.get(int(word), "") if word.isdecimal() and len(word) < 4 else _named(word)
    return re.sub(r"\W+", "_", known or word).strip("_")
