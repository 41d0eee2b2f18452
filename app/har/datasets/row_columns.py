"""What the columns of the rows as recorded are: their units, and whose, what and when a row is.

The rows are the files' own; a data set's format says in which unit a column is, unless the values showed another one
when it was added (`Store.units`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from app.har.datasets.contents import Contents
from app.har.datasets.rows import RowTable
from app.har.signals.types import MODALITY_CHANNELS, MODALITY_UNITS, UNLABELLED, SignalSet

SECONDS: Mapping[str, float] = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
ACC, GYRO, OF_TABLE = "accelerometer", "gyroscope", ""  # the sensor that a table is called after
IN_G: Mapping[str, str] = {ACC: "g", "gravity": "g"}


@dataclass(frozen=True)
class Layout:
    """The columns of one format's rows."""

    sensors: Mapping[str, str]  # pattern of a column → its sensor
    units: Mapping[str, str] = field(default_factory=dict)  # of the sensors, where they are not the core's
    others: Mapping[str, str] = field(default_factory=dict)  # unit by column
    time: str = ""  # the column with the time of a row
    rate_hz: float = 0.0  # at which the rows come, where no column has the time
    label: str = ""  # the column with the activity of a row


XYZ: Mapping[str, str] = {"[xyz]": OF_TABLE}
# Kinelab's own columns, in its units: those of recordings that a description made a data set of
PLAIN = Layout(
    {rf"(.+\.)?{re.escape(channel)}": kind for kind, channels in MODALITY_CHANNELS.items() for channel in channels},
    others={"time_s": "s"}, time="time_s", label="activity",
)  # fmt: skip
LAYOUTS: Mapping[str, Layout] = {
    "kinelab-csv": replace(PLAIN),  # whose values may be in other units
    "ku-har-raw": Layout({"a[xyz]": ACC, "g[xyz]": GYRO}, others={"t_acc": "s", "t_gyro": "s"}, time="t_acc"),
    "ku-har-windows": Layout({r"acc[XYZ]_\d+": ACC, r"gyro[XYZ]_\d+": GYRO}),
    "hhar": Layout(XYZ, others={"Arrival_Time": "ms", "Creation_Time": "ns"}, time="Creation_Time", label="gt"),
    "hapt": Layout(XYZ, IN_G, rate_hz=50.0),
    "motion-sense": Layout(
        {r"gravity\.[xyz]": "gravity", r"rotationrate\.[xyz]": GYRO, r"useracceleration\.[xyz]": ACC},
        IN_G, dict.fromkeys((f"attitude.{angle}" for angle in ("roll", "pitch", "yaw")), "rad"),
        rate_hz=50.0,
    ),
    "oxford-walk": Layout({"[xyz]": ACC}, others={"time": "ns"}, time="time"),
    "embedded-example": Layout({"a[xyz]": ACC, "w[xyz]": GYRO}, IN_G, rate_hz=50.0),
    "sisfall": Layout({}, rate_hz=200.0),  # in codes of each sensor's own
    "sp-sw-har": Layout(
        {"[xyz]_acc": ACC, "[xyz]_gyro": GYRO}, others={"timestamp": "ms"}, time="timestamp", label="label"
    ),
    "stm-har": Layout({}),  # their names have the unit
    "wisdm-watch": Layout(XYZ, others={"time": "ns"}, time="time"),
}  # fmt: skip


@dataclass(frozen=True)
class RowFacts:
    """Whose a row is, what it shows and when, as far as that is known."""

    subject: str
    activity: str
    time_s: float | None  # since the first row of its recording


@dataclass(frozen=True)
class RowColumns:
    """The columns of one table of a data set."""

    layout: Layout
    found: Mapping[str, str]  # unit by modality, as the values showed it
    table: RowTable
    contents: Contents
    signals: SignalSet

    def unit(self, column: str) -> str:
        """Return the unit of a column, "" where it has none or that is not known."""
        if other := self.layout.others.get(column):
            return other
        name = str(self.table.entry["name"])
        for pattern, sensor in self.layout.sensors.items():
            if re.fullmatch(pattern, column):
                kind = sensor or name
                found = self.found.get(f"{name}.{kind}") or self.found.get(kind) if self.layout is not PLAIN else ""
                return found or self.layout.units.get(kind) or MODALITY_UNITS.get(kind, "")
        return ""

    def facts(self, index: NDArray[np.int64]) -> list[RowFacts]:
        """Return whose, what and when some rows are."""
        numbers, starts = self.table.recordings_of(index)
        times = self._times(index, starts)
        labels = self._labels(index)
        facts = []
        for number, start, row, time, label in zip(numbers, starts, index.tolist(), times, labels, strict=True):
            i = self.contents.number_of[self.table.entry["recordings"][number]]
            activity = label or self._activity(i, row - int(start))
            facts.append(RowFacts(self.contents.subjects[i], activity, time))
        return facts

    def _labels(self, index: NDArray[np.int64]) -> Sequence[str]:
        if self.layout.label not in self.table.entry["kinds"]:
            return [""] * len(index)
        return [str(value or "") for (value,) in self.table.read(index, [self.layout.label])]

    def _times(self, index: NDArray[np.int64], starts: NDArray[np.int64]) -> list[float | None]:
        if self.layout.rate_hz:
            return [
                (row - start) / self.layout.rate_hz for row, start in zip(index.tolist(), starts.tolist(), strict=True)
            ]
        if self.table.entry["kinds"].get(self.layout.time) not in ("integer", "float"):
            return [None] * len(index)
        scale = SECONDS[self.unit(self.layout.time)]
        own, first = (self.table.read(rows, [self.layout.time]) for rows in (index, starts))
        return [
            None if now is None or then is None else scale * (now - then)
            for (now,), (then,) in zip(own, first, strict=True)
        ]

    def _activity(self, recording: int, row: int) -> str:
        """Return the activity of a row of a recording: its only one, or the label at that moment."""
        there = np.flatnonzero(self.contents.samples[recording])
        if len(there) == 1:
            return self._name(int(there[0]))
        if not self.layout.rate_hz:
            return ""
        signals = self.signals
        stretches = np.flatnonzero(signals.recording == recording)
        time = signals.start_s[stretches[0]] + row / self.layout.rate_hz
        stretch = stretches[max(0, int(np.searchsorted(signals.start_s[stretches], time, side="right")) - 1)]
        sample = int((time - signals.start_s[stretch]) * signals.sampling_rate_hz)
        inside = 0 <= sample < signals.length[stretch]
        return self._name(int(signals.labels[signals.first[stretch] + sample])) if inside else ""

    def _name(self, code: int) -> str:
        return "" if code in (UNLABELLED, len(self.contents.activities)) else self.contents.activities[code]
