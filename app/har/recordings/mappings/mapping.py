"""What the columns of any table of sensor readings are, one sample a row, and in which unit; `mapped` reads by it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, Literal, get_args

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)
from typing_extensions import Self

from app.har.documents import Document, refusal
from app.har.errors import HarError, InvalidDescription, UnreadableData, quote
from app.har.recordings.build import printable
from app.har.recordings.conversions import Tables
from app.har.recordings.layout import Layout
from app.har.recordings.mappings.units import DATE_TIME, TIME_SPELLINGS, TIME_UNITS, UNITS
from app.har.recordings.sensors import SENSOR_OF_KIND, kind_of_name
from app.har.recordings.tables import Source
from app.har.signals.types import MODALITY_CHANNELS, Gravity
from app.har.signals.units import unit_of_text

APP = "own layout"
DEVICE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
EPOCH_S = (1e9, 1e10)  # seconds since 1970 lie between these from 2001 on; less counts from 2000, or a start
MAX_RATE_HZ = 2000.0
MIN_ROWS, MIN_NUMERIC, MAX_COLUMNS = 10, 3, 200  # of what is a table of samples at all
A_COLUMN = "the name of a column"  # what is expected in a mapping
TIME_KEYS = "the keys column and unit, or the key rate_hz"


class SensorColumns(Document):
    """Where one sensor stands in a table: a column for each of its channels, in the order of MODALITY_CHANNELS."""

    # Of MODALITY_CHANNELS; a device prefix where several are worn: "watch.accelerometer". In a document, the key
    modality: str = Field(exclude=True)
    columns: tuple[str, ...] = Field(description="the name of a column for each of its channels")
    unit: str = Field(description="the unit of its readings")  # of UNITS
    signs: tuple[Literal[1, -1], ...] = ()  # one a column; none: as it is
    # By which raw counts become readings in the unit
    scale: float = Field(default=1.0, strict=True, ge=1e-12, le=1e12, description="a number above 0")
    # Where each sensor has a file of its own
    file: str = Field(default="", description="a part of the name of the file that it stands in")

    @property
    def kind(self) -> str:
        return self.modality.rpartition(".")[2]

    @field_validator("modality")
    @classmethod
    def _known_modality(cls, modality: str) -> str:
        device, dot, kind = modality.rpartition(".")
        if kind not in MODALITY_CHANNELS or (dot and not DEVICE.fullmatch(device)):
            known = ", ".join(MODALITY_CHANNELS)
            raise refusal(f"one of {known}, a device's name in small letters before a dot if need be", modality)
        return modality

    @field_validator("columns", "signs", mode="wrap")
    @classmethod
    def _one_for_each_channel(cls, value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        channels = MODALITY_CHANNELS.get(_kind(info), ())
        names = f"{len(channels)} names of columns, for {', '.join(channels)}"
        expected = names if info.field_name == "columns" else f"{len(channels)} times 1 or -1"
        try:
            checked = check(value)
        except ValidationError as error:
            raise refusal(expected, value) from error
        if len(checked) != len(channels) or any(isinstance(own, bool) for own in value):  # True equals 1
            raise refusal(expected, value)
        return checked

    @field_validator("unit", mode="plain")
    @classmethod
    def _known_unit(cls, value: object, info: ValidationInfo) -> str:
        known = UNITS.get(_kind(info), {})
        text = str(value).strip()
        unit = text if text in known else unit_of_text(text)
        if unit not in known:
            raise refusal(f"one of {', '.join(known)}", value)
        return unit

    @field_validator("file")
    @classmethod
    def _in_small_letters(cls, file: str) -> str:
        return file.lower()


def _kind(info: ValidationInfo) -> str:
    """Return the kind of sensor that is being validated, "" where its modality is none."""
    return str(info.data.get("modality", "")).rpartition(".")[2]


class TimeSource(Document):
    """Where the time of a row comes from: a column, or its number where rows come at a fixed rate."""

    column: str | None = Field(default=None, description=A_COLUMN)
    unit: str | None = None  # of TIME_UNITS, or DATE_TIME
    rate_hz: float | None = Field(
        default=None,
        strict=True,
        ge=1e-3,
        le=MAX_RATE_HZ,
        description=f"a number of rows per second, above 0 and at most {MAX_RATE_HZ:,.0f}",
    )

    @field_validator("unit", mode="plain")
    @classmethod
    def _known_unit(cls, value: object) -> str:
        text = str(value).strip()
        unit = TIME_SPELLINGS.get(text, text)
        if unit not in (*TIME_UNITS, DATE_TIME):
            raise refusal(f"one of {', '.join((*TIME_UNITS, DATE_TIME))}", value)
        return unit

    @model_validator(mode="after")
    def _column_or_rate(self) -> Self:
        if (self.column is None) == (self.rate_hz is None):
            raise refusal(f"either {TIME_KEYS}", {key: value for key, value in self if value is not None})
        if self.column is not None and self.unit is None:
            raise refusal(f"one of {', '.join((*TIME_UNITS, DATE_TIME))}", key="unit")
        return self

    @model_serializer
    def _keys(self) -> dict[str, object]:
        return {"rate_hz": self.rate_hz} if self.column is None else {"column": self.column, "unit": self.unit}


class ColumnMapping(Document):
    """What the columns of a table are."""

    time_source: TimeSource = Field(alias="time", description=TIME_KEYS)
    by_modality: dict[str, SensorColumns] = Field(
        alias="sensors", min_length=1, description=f"at least one of {', '.join(MODALITY_CHANNELS)}"
    )
    # None: detected in the signal
    gravity: Gravity | None = Field(default=None, description=f"one of {', '.join(get_args(Gravity))}")
    label: str | None = Field(default=None, description=A_COLUMN)
    subject: str | None = Field(default=None, description=A_COLUMN)

    @field_validator("by_modality", mode="before")
    @classmethod
    def _with_modality(cls, sensors: Any) -> Any:
        if not isinstance(sensors, Mapping):
            return sensors
        for key, own in sensors.items():
            if isinstance(own, Mapping) and "modality" in own:
                raise refusal("no such key: the modality is the key of the sensor", own["modality"], f"{key}.modality")
        return {key: {**own, "modality": key} if isinstance(own, Mapping) else own for key, own in sensors.items()}

    @model_validator(mode="after")
    def _one_file_or_one_each(self) -> Self:
        if not self.files:
            return self
        for sensor in self.sensors:
            if not sensor.file:
                expected = f"a part of its file's name, as of the other sensors ({', '.join(self.files)})"
                raise refusal(expected, key=f"sensors.{sensor.modality}.file")
        for key, column in (("label", self.label), ("subject", self.subject)):
            if column:
                raise refusal("no column, because each sensor has a file of its own", column, key)
        return self

    @model_validator(mode="after")
    def _each_column_once(self) -> Self:
        for file in self.files or ("",):
            first: dict[str, str] = {}
            for key, name in self.within(file).columns.items():
                if (other := first.setdefault(name, key)) != key and not {key, other} <= {"label", "subject"}:
                    raise refusal(f"a column that nothing else uses ({other} does)", name, key)
        return self

    @classmethod
    def draft(
        cls,
        sensors: Iterable[SensorColumns] = (),
        time: str | None = None,
        unit: str = "s",
        rate_hz: float | None = None,
        **rest: Any,
    ) -> Self:
        """Return a mapping for a person to complete, unchecked: it may lack sensors and a source of time."""
        source = TimeSource.model_construct(column=time, unit=unit, rate_hz=rate_hz)
        return cls.model_construct(time_source=source, by_modality={own.modality: own for own in sensors}, **rest)

    @classmethod
    def draft_of(cls, document: Mapping[str, Any]) -> Self:
        """Return the draft that `as_dict` made plain values of."""
        time, rest = document.get("time", {}), {key: document.get(key) for key in ("gravity", "label", "subject")}
        sensors = [SensorColumns(modality=key, **own) for key, own in document.get("sensors", {}).items()]
        return cls.draft(sensors, time.get("column"), time.get("unit", "s"), time.get("rate_hz"), **rest)

    @property
    def sensors(self) -> tuple[SensorColumns, ...]:
        return tuple(self.by_modality.values())

    @property
    def time(self) -> str | None:
        """The column of time, None where rows come at a fixed rate."""
        return self.time_source.column

    @property
    def time_unit(self) -> str:
        return self.time_source.unit or "s"

    @property
    def rate_hz(self) -> float | None:
        return self.time_source.rate_hz

    @property
    def files(self) -> tuple[str, ...]:
        """The words that tell the sensors' files apart, none where all sensors stand in one file."""
        return tuple(dict.fromkeys(sensor.file for sensor in self.sensors if sensor.file))

    def file_of(self, name: str) -> str:
        """Return the longest of `files` that is in a file's name, "" if none is."""
        stem = PurePosixPath(name).stem.lower()
        return max((text for text in self.files if text in stem), key=len, default="")

    def within(self, file: str) -> Self:
        """Return what it says about one of `files`."""
        there = {modality: sensor for modality, sensor in self.by_modality.items() if sensor.file == file}
        return self.model_copy(update={"by_modality": there})

    @property
    def columns(self) -> dict[str, str]:
        """The columns that it names, by the key that names them."""
        named = {"time.column": self.time, "label": self.label, "subject": self.subject}
        for sensor in self.sensors:
            named |= {f"sensors.{sensor.modality}.columns[{i}]": name for i, name in enumerate(sensor.columns)}
        return {key: name for key, name in named.items() if name is not None}


def column_names(layout: Layout) -> tuple[str, ...]:
    """Return a name of its own for each column: of the header, or by its number."""
    names: dict[str, None] = {}
    copies: Counter[str] = Counter()
    for index in range(layout.n_columns):
        heading = (layout.header or ())[index : index + 1]
        name = printable(heading[0].strip().strip('"')).strip() if heading else ""
        unique = name or f"column {index + 1}"
        while unique in names:
            copies[name] += 1
            unique = f"{name} ({copies[name] + 1})"
        names[unique] = None
    return tuple(names)


def fingerprint(*layouts: Layout) -> str:
    """Return what files of one layout share: the names of the columns, or without a header their number and kind.

    Where a file's name names the sensor, that is part of it. Of the layouts of several files that belong together, what
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
    return known + sorted(sensors_in_name(layout.name))


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
                f"{name}: the mapping's {key}: expected one of its columns ({quote(', '.join(there)[:300])}), "
                f"found {column!r}."
            )


def sensors_in_name(name: str) -> frozenset[str]:
    """Return the sensors that a file's name names: many apps write x, y, z into a file for each of them."""
    kind = SENSOR_OF_KIND.get(kind_of_name(PurePosixPath(name).stem), "")
    return frozenset(filter(None, [kind]))


def unknown_tables(tables: Tables) -> list[list[Source]]:
    """Return the tables which a person can say the columns of, by layout; the layout that most are in comes first.

    Raises
    ------
    UnreadableData : there is no table of numbers.
    """
    groups: dict[str, list[Source]] = {}
    for source in tables.sources:
        if is_table(source.layout):
            groups.setdefault(fingerprint(source.layout), []).append(source)
    if not groups:
        raise UnreadableData(
            f"{tables.name}: no table of numbers is left; expected {MIN_ROWS} rows of {MIN_NUMERIC} numbers."
        )
    return sorted(groups.values(), key=len, reverse=True)


def fitting(tables: Tables, mapping: ColumnMapping, name: str) -> tuple[list[Source], list[tuple[str, HarError]]]:
    """Return the files that have the columns of a mapping, and of each other one, by name, why it is none of them.

    Among several files, one whose name names another sensor does not fit either.

    Raises
    ------
    InvalidDescription : none has them all; the message is that of the first.
    UnreadableData : there is no table at all.
    """
    kinds = {sensor.kind for sensor in mapping.sensors}
    sources: list[Source] = []
    unfit: list[tuple[str, HarError]] = []
    strangers: list[tuple[str, HarError]] = []  # whose names tell that the mapping is not about them
    for source in tables.sources:
        named, file = sensors_in_name(source.name), mapping.file_of(source.name)
        if not file if mapping.files else tables.n_files > 1 and named and not named & kinds:
            wanted = " or ".join(mapping.files) or " and ".join(sorted(kinds))
            strangers.append(
                (source.name, InvalidDescription(f"its name matches none of the mapped sensors: {wanted}"))
            )
            continue
        try:
            check_columns(mapping.within(file), source.layout, source.name)
            sources.append(source)
        except InvalidDescription as error:
            unfit.append((source.name, error))
    if not sources:
        wanted = f": none is called {' or '.join(mapping.files)}" if mapping.files else ""
        nothing = UnreadableData(f"{name}: holds no table of the sensors that the mapping names{wanted}.")
        raise next((error for _, error in [*unfit, *tables.unread]), nothing)
    return sources, [*unfit, *tables.unread, *strangers]
