"""What the columns of any table of sensor readings are, one sample a row, and in which unit; `mapped` reads by it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, get_args

from app.har.documents import Section, dump_yaml, load_yaml
from app.har.errors import HarError, InvalidDescription, UnreadableData
from app.har.recordings.build import printable
from app.har.recordings.conversions import sources_in
from app.har.recordings.files import Member, is_document
from app.har.recordings.layout import Layout
from app.har.recordings.sensors import SENSOR_OF_KIND, kind_of_name
from app.har.recordings.tables import Source
from app.har.signals.types import MODALITY_CHANNELS, Gravity
from app.har.signals.units import ACCELERATION, ROTATION, unit_of_text

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
TIME_SPELLINGS: Mapping[str, str] = {"us": "µs", "μs": "µs", "sec": "s", "seconds": "s", "datetime": DATE_TIME}
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
    file: str = ""  # where each sensor has a file of its own: what is in that file's name, in small letters

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
    def files(self) -> tuple[str, ...]:
        """What tells the sensors' files by their names, none where all sensors stand in one file."""
        return tuple(dict.fromkeys(sensor.file for sensor in self.sensors if sensor.file))

    def file_of(self, name: str) -> str:
        """Return what tells a file by its name, the longest of `files` that is in it, "" if none is."""
        stem = PurePosixPath(name).stem.lower()
        return max((text for text in self.files if text in stem), key=len, default="")

    def within(self, file: str) -> ColumnMapping:
        """Return what it says of one of `files`."""
        return replace(self, sensors=tuple(sensor for sensor in self.sensors if sensor.file == file))

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
            if sensor.file:
                own["file"] = sensor.file
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
    _check_files(document, mapping)
    for file in mapping.files or ("",):
        first: dict[str, str] = {}
        for key, name in mapping.within(file).columns.items():
            if (other := first.setdefault(name, key)) != key and not {key, other} <= {"label", "subject"}:
                raise document.fault(key, f"a column that nothing else uses ({other} does)", name)
    return mapping


def _check_files(document: Section, mapping: ColumnMapping) -> None:
    if not mapping.files:
        return
    for sensor in mapping.sensors:
        if not sensor.file:
            expected = f"a part of its file's name, as of the other sensors ({', '.join(mapping.files)})"
            raise document.fault(f"sensors.{sensor.modality}.file", expected)
    for key, column in (("label", mapping.label), ("subject", mapping.subject)):
        if column:
            raise document.fault(key, "no column, because each sensor has a file of its own", column)


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
    file = (own.text("file", "a part of the name of the file that it stands in") or "").lower()
    own.end()
    return SensorColumns(modality, tuple(names), unit, tuple(signs or ()), 1.0 if scale is None else scale, file)


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


def fingerprint(*layouts: Layout) -> str:
    """Return what files of one layout share: the names of the columns, or without a header their number and kind.

    Where a file's name tells the sensor, that is part of it. Of the layouts of several files that belong together, what
    all of them share with others that do.
    """
    known = sorted({json.dumps(_known(layout)) for layout in layouts})
    text = known[0] if len(known) == 1 else json.dumps(known)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _known(layout: Layout) -> list[Any]:
    if layout.header:
        known: list[Any] = list(column_names(layout))
    else:
        known = [layout.numeric(index) for index in range(layout.n_columns)]
    return known + sorted(sensors_told(layout.name))


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


def unknown_tables(members: Sequence[Member]) -> list[list[Source]]:
    """Return the tables which a person can say the columns of, by layout; the layout that most are in comes first.

    Raises
    ------
    UnreadableData : there is no table of numbers.
    """
    groups: dict[str, list[Source]] = {}
    for source in _opened(members)[0]:
        if is_table(source.layout):
            groups.setdefault(fingerprint(source.layout), []).append(source)
    if not groups:
        name = members[0].name if members else "the upload"
        raise UnreadableData(f"{name}: no table of numbers is left; expected {MIN_ROWS} rows of {MIN_NUMERIC} numbers.")
    return sorted(groups.values(), key=len, reverse=True)


def fitting(
    members: Sequence[Member], mapping: ColumnMapping, name: str
) -> tuple[list[Source], list[tuple[str, HarError]]]:
    """Return the files that have the columns of a mapping, and of each other one, by name, why it is none of them.

    A file among several whose name tells another sensor is none either.

    Raises
    ------
    InvalidDescription : none has them all; the message is that of the first.
    UnreadableData : there is no table at all.
    """
    kinds = {sensor.kind for sensor in mapping.sensors}
    opened, unread = _opened(members)
    sources: list[Source] = []
    unfit: list[tuple[str, HarError]] = []
    strangers: list[tuple[str, HarError]] = []  # whose names tell that the mapping is not about them
    for source in opened:
        told, file = sensors_told(source.name), mapping.file_of(source.name)
        if not file if mapping.files else len(members) > 1 and told and not told & kinds:
            wanted = " or ".join(mapping.files) or " and ".join(sorted(kinds))
            strangers.append((source.name, InvalidDescription(f"its name tells of none that is mapped: {wanted}")))
            continue
        try:
            check_columns(mapping.within(file), source.layout, source.name)
            sources.append(source)
        except InvalidDescription as error:
            unfit.append((source.name, error))
    if not sources:
        wanted = f": none is called {' or '.join(mapping.files)}" if mapping.files else ""
        nothing = UnreadableData(f"{name}: holds no table of the sensors that the mapping names{wanted}.")
        raise next((error for _, error in unfit + unread), nothing)
    return sources, unfit + unread + strangers


def _opened(members: Sequence[Member]) -> tuple[list[Source], list[tuple[str, HarError]]]:
    """Return the tables, and of the other files what is wrong with them."""
    sources: list[Source] = []
    errors: list[tuple[str, HarError]] = []
    for member in members:
        if len(members) > 1 and is_document(member.name):
            continue
        try:
            sources.extend(sources_in(member))
        except UnreadableData as error:
            errors.append((member.name, error))
    return sources, errors
