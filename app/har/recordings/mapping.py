"""Any table of sensor readings, one sample a row, read by a mapping: what each of its columns is, and in which unit."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from app.har.documents import Section, dump_yaml, load_yaml
from app.har.errors import HarError, InvalidDescription, UnreadableData
from app.har.recordings.build import build_recording, label_codes, printable, raw_stream
from app.har.recordings.conversions import sources_in
from app.har.recordings.files import Member
from app.har.recordings.sensors import ACCELERATION, ROTATION, kind_of_name, unit_of_text
from app.har.recordings.tables import Layout, Source, parse
from app.har.types import MODALITY_CHANNELS, Gravity, IntArray, Problem, Recording, Stream

if TYPE_CHECKING:
    import polars as pl

APP = "own layout"
DATE_TIME = "date-time"
TIME_UNITS: Mapping[str, float] = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
UNITS: Mapping[str, Mapping[str, float]] = {  # unit -> what one of it is in the unit of MODALITY_UNITS
    "accelerometer": ACCELERATION,
    "gyroscope": ROTATION,
    "linear_accelerometer": ACCELERATION,
    "gravity": ACCELERATION,
    "magnetometer": {"µT": 1.0, "mG": 0.1, "G": 100.0},
    "heart_rate": {"beats/min": 1.0},
    "electrodermal_activity": {"µS": 1.0},
    "skin_temperature": {"°C": 1.0},
}
SENSOR_OF_KIND: Mapping[str, str] = {  # of what a name tells, see sensors.kind_of_name
    **dict.fromkeys(("acceleration", "total", "linear"), "accelerometer"),
    **{kind: kind for kind in ("gravity", "gyroscope", "magnetometer")},
}
TIME_SPELLINGS: Mapping[str, str] = {"us": "µs", "μs": "µs", "sec": "s", "seconds": "s", "datetime": DATE_TIME}
DATE_TIMES = tuple(  # tried in this order; fractions of a second and a zone may follow
    f"{date}{separator}%H:%M:%S%.f{zone}"
    for date in ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y%m%d")
    for separator in (" ", "T")
    for zone in ("", "%z")
)
DEVICE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
EPOCH_S = (1e8, 1e10)  # seconds since 1970 lie between these from 1973 on
MAX_RATE_HZ = 2000.0
MIN_ROWS, MIN_NUMERIC, MAX_COLUMNS = 10, 3, 200  # of what is a table of samples at all


@dataclass(frozen=True)
class SensorColumns:
    """Where one sensor stands in a table: a column for each of its channels, in the order of MODALITY_CHANNELS."""

    modality: str  # of MODALITY_CHANNELS; a device prefix where several are worn: "watch.accelerometer"
    columns: tuple[str, ...]
    unit: str  # of UNITS
    signs: tuple[int, ...] = ()  # 1 or -1 a column; none: as it is
    scale: float = 1.0  # by which readings are multiplied to be in the unit: raw counts

    @property
    def kind(self) -> str:
        return self.modality.rpartition(".")[2]


@dataclass(frozen=True)
class ColumnMapping:
    """What the columns of a table are."""

    sensors: tuple[SensorColumns, ...]
    time: str | None = None
    time_unit: str = "s"  # of TIME_UNITS, or DATE_TIME
    rate_hz: float | None = None  # where there is no column of time
    gravity: Gravity | None = None  # None: told by the signal
    label: str | None = None
    subject: str | None = None

    @property
    def columns(self) -> dict[str, str]:
        """The columns that it names, by the key that names them."""
        named = {"time.column": self.time, "label": self.label, "subject": self.subject}
        for sensor in self.sensors:
            named |= {f"sensors.{sensor.modality}.columns[{i}]": name for i, name in enumerate(sensor.columns)}
        return {key: name for key, name in named.items() if name is not None}

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as written to YAML; `from_section` reads them."""
        document: dict[str, Any] = {
            "time": {"column": self.time, "unit": self.time_unit} if self.time else {"rate_hz": self.rate_hz},
            "sensors": {},
        }
        for sensor in self.sensors:
            own: dict[str, Any] = {"columns": list(sensor.columns), "unit": sensor.unit}
            if -1 in sensor.signs:
                own["signs"] = list(sensor.signs)
            if sensor.scale != 1.0:
                own["scale"] = sensor.scale
            document["sensors"][sensor.modality] = own
        optional = {"gravity": self.gravity, "label": self.label, "subject": self.subject}
        return document | {key: value for key, value in optional.items() if value is not None}

    def to_yaml(self) -> str:
        """Write it for a person to read and change."""
        return dump_yaml(self.as_dict())


def from_yaml(text: str, source: str) -> ColumnMapping:
    """Read a mapping from YAML.

    Raises
    ------
    InvalidDescription : the message names the key, what was expected and what was found.
    """
    return from_section(load_yaml(text, source))


def from_section(document: Section) -> ColumnMapping:
    """Read a mapping from the keys of a document; see `from_yaml`."""
    time = document.section("time", "the keys column and unit, or the key rate_hz")
    if time is None:
        raise document.fault("time", "the keys column and unit, or the key rate_hz")
    column = time.text("column", "the name of a column")
    unit = time.choice("unit", (*TIME_UNITS, DATE_TIME), TIME_SPELLINGS)
    rate_hz = time.number(
        "rate_hz", f"a number of rows a second, above 0 and at most {MAX_RATE_HZ:,.0f}", 1e-3, MAX_RATE_HZ
    )
    time.end()
    if (column is None) == (rate_hz is None):
        raise document.fault("time", "either the keys column and unit, or the key rate_hz", dict(time.values))
    if column and unit is None:
        raise time.fault("unit", f"one of {', '.join((*TIME_UNITS, DATE_TIME))}")
    sensors = document.section("sensors", "a key for each sensor")
    if sensors is None or not sensors.values:
        raise document.fault("sensors", f"at least one of {', '.join(MODALITY_CHANNELS)}")
    found = tuple(_sensor(sensors, name) for name in sensors.values)
    mapping = ColumnMapping(
        found,
        column,
        unit or "s",
        rate_hz,
        document.choice("gravity", get_args(Gravity)),  # type: ignore[arg-type]
        document.text("label", "the name of a column"),
        document.text("subject", "the name of a column"),
    )
    document.end()
    first: dict[str, str] = {}
    for key, name in mapping.columns.items():
        if (other := first.setdefault(name, key)) != key and not {key, other} <= {"label", "subject"}:
            raise document.fault(key, f"a column that nothing else uses ({other} does)", name)
    return mapping


def _sensor(sensors: Section, modality: str) -> SensorColumns:
    device, dot, kind = modality.rpartition(".")
    if kind not in MODALITY_CHANNELS or (dot and not DEVICE.fullmatch(device)):
        expected = f"one of {', '.join(MODALITY_CHANNELS)}, a device's name in small letters before a dot if need be"
        raise sensors.fault(modality, expected, modality)
    channels = MODALITY_CHANNELS[kind]
    own = sensors.section(modality, "the keys columns and unit")
    if own is None:
        raise sensors.fault(modality, "the keys columns and unit")
    expected = f"{len(channels)} names of columns, for {', '.join(channels)}"
    columns = own.items("columns", expected)
    if columns is None:
        raise own.fault("columns", expected)
    names = [str(name).strip() for name in columns if isinstance(name, (str, int, float)) and str(name).strip()]
    if len(names) != len(channels) or len(columns) != len(channels):
        raise own.fault("columns", expected, columns)
    written = own.text("unit") or ""
    unit = own.choice(
        "unit", UNITS[kind], {} if written in UNITS[kind] else {written: unit_of_text(written) or written}
    )
    if unit is None:
        raise own.fault("unit", f"one of {', '.join(UNITS[kind])}")
    signs = own.items("signs", f"{len(channels)} times 1 or -1")
    if signs is not None and (len(signs) != len(channels) or any(s not in (1, -1) or s is True for s in signs)):
        raise own.fault("signs", f"{len(channels)} times 1 or -1", signs)
    scale = own.number("scale", "a number above 0", 1e-12, 1e12)
    own.end()
    return SensorColumns(modality, tuple(names), unit, tuple(signs or ()), 1.0 if scale is None else scale)


def column_names(layout: Layout) -> tuple[str, ...]:
    """Return a name of its own for each column: of the header, or by its number."""
    names: dict[str, None] = {}
    for index in range(layout.n_columns):
        heading = (layout.header or ())[index : index + 1]
        name = printable(heading[0].strip().strip('"')).strip() if heading else ""
        unique, copies = name or f"column {index + 1}", 1
        while unique in names:
            copies += 1
            unique = f"{name} ({copies})"
        names[unique] = None
    return tuple(names)


def fingerprint(layout: Layout) -> str:
    """Return what files of one layout share: the names of the columns, or without a header their number and kind.

    Where a file's name tells the sensor, that is part of it.
    """
    if layout.header:
        known: list[Any] = list(column_names(layout))
    else:
        known = [layout.numeric(index) for index in range(layout.n_columns)]
    known += sorted(sensors_told(layout.name))
    return hashlib.blake2b(json.dumps(known).encode(), digest_size=16).hexdigest()


def is_table(layout: Layout) -> bool:
    """Tell whether a file looks like samples in rows, so that a person can say what its columns are."""
    numeric = sum(layout.numeric(index) for index in range(min(layout.n_columns, MAX_COLUMNS)))
    return numeric >= MIN_NUMERIC and layout.n_columns <= MAX_COLUMNS and len(layout.rows) >= MIN_ROWS


def check_columns(mapping: ColumnMapping, layout: Layout, name: str) -> None:
    """Refuse a file that lacks a column that the mapping names.

    Raises
    ------
    InvalidDescription : which key names a column that is not there.
    """
    if layout.n_columns > MAX_COLUMNS:
        raise InvalidDescription(f"{name}: expected at most {MAX_COLUMNS} columns, found {layout.n_columns:,}.")
    there = column_names(layout)
    for key, column in mapping.columns.items():
        if column not in there:
            raise InvalidDescription(
                f"{name}: the mapping's {key}: expected one of its columns ({', '.join(there)[:300]}), "
                f"found {column!r}."
            )


def sensors_told(name: str) -> frozenset[str]:
    """Return the sensors that a file's name tells: many apps write x, y, z into a file for each of them."""
    kind = SENSOR_OF_KIND.get(kind_of_name(PurePosixPath(name).stem), "")
    return frozenset(filter(None, [kind]))


def unknown_tables(members: Sequence[Member]) -> list[Source]:
    """Return the files of the layout that most tables share, which a person can say the columns of.

    Raises
    ------
    UnreadableData : there is no table of numbers.
    """
    groups: dict[str, list[Source]] = {}
    for source, _ in _sources(members):
        if source is not None and is_table(source.layout):
            groups.setdefault(fingerprint(source.layout), []).append(source)
    if not groups:
        name = members[0].name if members else "the upload"
        raise UnreadableData(f"{name}: no table of numbers is left; expected {MIN_ROWS} rows of {MIN_NUMERIC} numbers.")
    return max(groups.values(), key=len)


def fitting(members: Sequence[Member], mapping: ColumnMapping, name: str) -> list[Source]:
    """Return the files that have the columns of a mapping; others, a readme for one, are left out.

    So is a file among several whose name tells another sensor.

    Raises
    ------
    InvalidDescription : none has them all; the message is that of the first.
    UnreadableData : there is no table at all.
    """
    kinds = {sensor.kind for sensor in mapping.sensors}
    sources: list[Source] = []
    first: HarError | None = None
    for source, error in _sources(members):
        if source is not None:
            told = sensors_told(source.name)
            if len(members) > 1 and told and not told & kinds:
                continue
            try:
                check_columns(mapping, source.layout, source.name)
                sources.append(source)
            except InvalidDescription as fault:
                error = fault
        if first is None or isinstance(first, UnreadableData):
            first = error or first
    if not sources:
        raise first or UnreadableData(f"{name}: holds no table of the sensors that the mapping names.")
    return sources


def _sources(members: Sequence[Member]) -> Iterator[tuple[Source | None, HarError | None]]:
    for member in members:
        try:
            yield from ((source, None) for source in sources_in(member))
        except UnreadableData as error:
            yield None, error


@dataclass(frozen=True)
class _Rows(Source):
    """Some rows of a file."""

    rows: IntArray

    def line(self, row: int) -> int:
        return super().line(int(self.rows[row]))


def read(sources: Sequence[Source], mapping: ColumnMapping) -> list[Recording]:
    """Read files by a mapping: a recording each, or where a column names subjects, one for each of them.

    Raises
    ------
    InvalidDescription : a file lacks a column that the mapping names.
    UnreadableData : what the mapping calls numbers or times is none.
    """
    return [recording for source in sources for recording in _read_file(source, mapping)]


def _read_file(source: Source, mapping: ColumnMapping) -> list[Recording]:
    import polars as pl

    check_columns(mapping, source.layout, source.name)
    numbers = {name: pl.Float32 for sensor in mapping.sensors for name in sensor.columns}
    times = {mapping.time: pl.Float64} if mapping.time and mapping.time_unit != DATE_TIME else {}
    types: dict[Any, Any] = {**numbers, **times}
    kept = dict.fromkeys(mapping.columns.values())
    frame = parse(source, {name: types.get(name, pl.String) for name in column_names(source.layout)}, list(kept))
    frame = frame.with_row_index(_unused("row", kept))
    row = frame.columns[0]
    if mapping.subject is None:
        return [_recording(source, source.name, source.name, frame, mapping)]
    subjects = frame[mapping.subject].cast(pl.String).fill_null("").str.strip_chars()
    frame = frame.with_columns(subjects.alias(mapping.subject))
    parts = frame.partition_by(mapping.subject, maintain_order=True)
    recordings = []
    for part in parts:
        subject = str(part[mapping.subject][0]) or "unknown"
        some = _Rows(source.member, source.layout, part[row].to_numpy().astype(np.int64))
        name = source.name if len(parts) == 1 else f"{source.name}, {subject}"
        recordings.append(_recording(some, name, subject, part, mapping))
    return recordings


def _unused(name: str, taken: Mapping[str, object]) -> str:
    while name in taken:
        name += "_"
    return name


def _recording(source: Source, name: str, subject: str, frame: pl.DataFrame, mapping: ColumnMapping) -> Recording:
    frame, time, origin = _timed(source, frame, mapping)
    labels, activities = label_codes(frame[mapping.label]) if mapping.label else (None, ())
    parts: list[tuple[Stream, list[Problem]]] = []
    for sensor in mapping.sensors:
        factor = UNITS[sensor.kind][sensor.unit] * sensor.scale
        signs = sensor.signs or (1,) * len(sensor.columns)
        turned = frame.with_columns(
            frame[column] * sign for column, sign in zip(sensor.columns, signs, strict=True) if sign != 1
        )
        times = f", times {sensor.scale:g}" if sensor.scale != 1.0 else ""
        unit = f"{sensor.unit}{times}, by the mapping"
        axes = sensor.columns
        parts.append(
            raw_stream(source, turned, sensor.modality, time, axes, labels, unit=unit, factor=factor, in_seconds=True)
        )
    return build_recording(
        name, name, subject, parts, gravity=mapping.gravity, activities=activities, app=APP, origin_utc_s=origin
    )


def _timed(source: Source, frame: pl.DataFrame, mapping: ColumnMapping) -> tuple[pl.DataFrame, str, float | None]:
    """Bring the column of time to seconds; return its name too, and the Unix time of its zero where the file tells."""
    import polars as pl

    if mapping.time is None:
        if mapping.rate_hz is None:
            raise InvalidDescription(
                f"{source.name}: the mapping's time: expected a column or a number of rows a second, found neither."
            )
        name = _unused("time", dict.fromkeys(frame.columns))
        return frame.with_columns(pl.Series(name, np.arange(len(frame)) / mapping.rate_hz)), name, None
    column = frame[mapping.time]
    if mapping.time_unit == DATE_TIME:
        seconds = date_time_seconds(column)
        if seconds.null_count() == len(seconds):
            found = next((text for text in column if text), "")
            raise UnreadableData(
                f"{source.name}, line {source.line(0)}: expected dates and times in {mapping.time}, such as "
                f"2024-05-31 12:00:00.25, found {found[:60]!r}."
            )
    else:
        seconds = column * TIME_UNITS[mapping.time_unit]
    start = seconds.filter(seconds.is_finite()).min()
    origin = float(start) if isinstance(start, float) and EPOCH_S[0] < start < EPOCH_S[1] else None  # since 1970
    return frame.with_columns((seconds - (origin or 0.0)).alias(mapping.time)), mapping.time, origin


def date_time_seconds(column: pl.Series) -> pl.Series:
    """Turn text such as 2024-05-31 12:00:00.25, 31.05.2024 12:00:00,25 or 12:00:00.25 into seconds.

    Dates count from 1970 (in UTC unless a zone is written), mere times from midnight; what is neither becomes null.
    The format is that which most of the first cells are in.
    """
    import polars as pl

    text = (
        column.cast(pl.String).str.strip_chars().str.replace(",", ".", literal=True).str.replace(r"(\d)Z$", "${1}+0000")
    )
    head = text.drop_nulls().head(200)
    parsed = [(head.str.to_datetime(f, strict=False, time_unit="us").null_count(), f) for f in DATE_TIMES]
    missing, best = min(parsed, key=lambda pair: pair[0])
    clock = head.str.to_time("%H:%M:%S%.f", strict=False).null_count()
    if clock < missing:
        return text.str.to_time("%H:%M:%S%.f", strict=False).cast(pl.Int64) / 1e9
    return text.str.to_datetime(best, strict=False, time_unit="us").dt.epoch("us") / 1e6
