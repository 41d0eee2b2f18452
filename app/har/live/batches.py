"""One message of a device: samples of several sensors, each at its own times.

Format: the page PUSHING of Sensor Logger's own documentation (github.com/tszheichoi/awesome-sensor-logger), which our
phone page writes as well. Time is Unix time in ns, a number or its digits. Units and signs are those of its files, see
`recordings.formats.sensor_logger`; a message does not name its platform, and what only iOS writes shows it: an
uncalibrated accelerometer in g.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.errors import UnreadableData, quote
from app.har.recordings.formats.sensor_logger import FILES, IN_SI, MOTION
from app.har.signals.normalisation import MOST
from app.har.signals.units import PRESSURE, STANDARD_GRAVITY, pressure_unit

WATCH = "watch"
WRIST = "wristmotion"  # one entry of three sensors, as an Apple Watch gives them
# What we call a sensor, by the kind of Sensor Logger's, and the modality that a recording calls it
SENSORS = {
    "total": "acceleration",
    "linear": "movement",
    "gravity": "gravity",
    "gyroscope": "rotation",
    "magnetometer": "magnetometer",
    "heart_rate": "heart_rate",
    "pressure": "pressure",
}
MODALITIES = {
    "acceleration": "accelerometer",
    "movement": "linear_accelerometer",
    "gravity": "gravity",
    "rotation": "gyroscope",
    "magnetometer": "magnetometer",
    "heart_rate": "heart_rate",
    "pressure": "pressure",
}
TURNED = ("total", "linear", "gravity")  # kinds in which Apple's sign is the other one
AXES = ("x", "y", "z")
SINGLES = {"heart_rate": ("bpm",), "pressure": ("pressure",)}  # of one value; they are of no device
MAX_KEY = 64  # characters of a session's name
MAX_ID = 2**53


@dataclass(frozen=True)
class Samples:
    """Samples of one sensor in one batch."""

    time_s: NDArray[np.float64]  # (n,) Unix seconds by the device's clock, not necessarily in order
    values: NDArray[np.float32]  # (n, k) m/s², rad/s, µT, beats/min, hPa; k is 3, or 1 of SINGLES

    @cached_property
    def start_s(self) -> float:
        """The earliest time, inf where there is none."""
        return float(self.time_s.min(initial=math.inf))

    @cached_property
    def end_s(self) -> float:
        """The latest time, -inf where there is none."""
        return float(self.time_s.max(initial=-math.inf))


@dataclass(frozen=True)
class Batch:
    """One message of a device."""

    message_id: int
    session_key: str
    sensors: Mapping[
        str, Samples
    ]  # "acceleration" (with gravity), "movement" (without), …; of a watch "watch.rotation"
    battery: float | None = None  # 0 … 1

    @property
    def end_s(self) -> float:
        """The latest time of a sample in it, -inf where there is none."""
        return max((own.end_s for own in self.sensors.values()), default=-math.inf)


def read_batch(document: Any) -> Batch:
    """Read a message ``{messageId, sessionId, deviceId, payload: [{name, time, values}, …]}``.

    Sensors that are not used, such as orientation, location, light or loudness, are left out, and so are samples
    without a value, or with one that no sensor gives.

    Raises
    ------
    UnreadableData : it is not of that form; the message names the key, what was expected and what was found.
    """
    if not isinstance(document, Mapping):
        raise _wrong("the message", "an object", document)
    message_id, session_key = document.get("messageId"), document.get("sessionId")
    if not isinstance(message_id, int) or isinstance(message_id, bool) or not 0 <= message_id < MAX_ID:
        raise _wrong("messageId", "a whole number that grows by one", message_id)
    if not isinstance(session_key, str) or not 0 < len(session_key) <= MAX_KEY:
        raise _wrong("sessionId", f"a name of at most {MAX_KEY} characters", session_key)
    payload = document.get("payload")
    if not isinstance(payload, list):
        raise _wrong("payload", "a list of readings", payload)
    named = _by_name(payload)
    battery = _battery(named.pop("battery", None))
    found: dict[str, list[_Reading]] = {}
    for name in sorted(named, key=_rank):
        for reading in _readings(name, named[name]):
            found.setdefault(reading.device, []).append(reading)
    sensors: dict[str, Samples] = {}
    for readings in found.values():
        for key, samples in _in_our_units(readings):
            sensors.setdefault(key, samples)  # of two of a kind, the first listed
    return Batch(message_id, session_key, sensors, battery)


@dataclass
class _Entries:
    """What a message holds of one sensor."""

    time_ns: list[Any] = field(default_factory=list)
    values: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _Reading:
    """Samples of one sensor as they came."""

    name: str
    device: str
    kind: str
    time_s: NDArray[np.float64]
    values: NDArray[np.float32]

    @property
    def length(self) -> float:
        """The median length of the vectors."""
        return float(np.median(np.linalg.norm(self.values, axis=1))) if len(self.values) else math.nan


def _by_name(payload: Sequence[Any]) -> dict[str, _Entries]:
    named: defaultdict[str, list[Any]] = defaultdict(list)
    joined: dict[str, _Entries] = {}
    try:
        for entry in payload:
            named[entry["name"]].append(entry)
        for name, entries in named.items():
            own = joined.setdefault(name.lower().replace(" ", ""), _Entries())
            own.time_ns += [entry["time"] for entry in entries]
            own.values += [entry.get("values", entry) for entry in entries]
    except (KeyError, TypeError, AttributeError):
        raise _wrong_entry(payload) from None
    return joined


def _wrong_entry(payload: Sequence[Any]) -> UnreadableData:
    """Return what is wrong with the first reading of a message that is none."""
    for place, entry in enumerate(payload):
        if not isinstance(entry, Mapping) or "name" not in entry or "time" not in entry:
            return _wrong(f"payload[{place}]", "an object with name, time and values", entry)
        if not isinstance(entry["name"], str):
            return _wrong(f"payload[{place}].name", "a sensor's name", entry["name"])
    return _wrong("payload", "a list of readings", payload)


def _rank(name: str) -> int:
    """Put the sensor first that is taken where there are two of a kind."""
    order = list(FILES)
    bare = name.removeprefix(WATCH)
    return order.index(bare) if bare in order else len(order)


def _readings(name: str, entries: _Entries) -> list[_Reading]:
    device = WATCH if name.startswith(WATCH) or name == WRIST else ""
    if name == WRIST:
        return [_reading(name, device, kind, entries, axes) for kind, axes in MOTION.items()]
    kind = FILES.get(name.removeprefix(WATCH))
    if kind is None or kind not in SENSORS:
        return []
    if kind in SINGLES:
        return [_in_hpa(_reading(name, "", kind, entries, SINGLES[kind]))]
    return [_reading(name, device, kind, entries, AXES)]


def _in_hpa(reading: _Reading) -> _Reading:
    """Convert a pressure that is in another unit, as a watch's; what is none of the air's is no sample."""
    if reading.kind != "pressure" or not len(reading.values):
        return reading
    unit = pressure_unit(float(np.median(reading.values)))
    if not unit:
        return replace(reading, time_s=reading.time_s[:0], values=reading.values[:0])
    return replace(reading, values=reading.values * np.float32(PRESSURE[unit]))


def _reading(name: str, device: str, kind: str, entries: _Entries, axes: Sequence[str]) -> _Reading:
    keys = axes
    if name == WRIST and entries.values and axes[0] not in entries.values[0]:
        small = {key.lower(): key for key in entries.values[0]}  # "rotationRateX"
        keys = [small.get(axis, axis) for axis in axes]
    time_s = _numbers(f"time of {name}", "Unix time in ns", lambda: entries.time_ns) * 1e-9
    values: NDArray[np.float64] = _numbers(
        f"values of {name}",
        f"an object with numbers {', '.join(keys)}",
        lambda: chain.from_iterable(zip(*(map(itemgetter(key), entries.values) for key in keys), strict=True)),
    ).reshape(-1, len(keys))
    if not (np.isfinite(time_s).all() and np.isfinite(values).all()):
        there = np.isfinite(time_s) & np.isfinite(values).all(axis=1)
        time_s, values = time_s[there], values[there]
    return _Reading(name, device, kind, time_s, values.astype(np.float32))


def _numbers(key: str, expected: str, values: Callable[[], Iterable[Any]]) -> NDArray[np.float64]:
    try:
        return np.fromiter(values(), np.float64)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UnreadableData(f"{key}: expected {expected}; found {quote(str(error))[:80]}") from None


def _in_our_units(readings: Sequence[_Reading]) -> list[tuple[str, Samples]]:
    """Convert the sensors of one device that are in g, and turn Apple's sign round."""
    in_g = any(r.name.endswith("accelerometeruncalibrated") and r.length < IN_SI for r in readings)
    in_g_wrist = any(r.name == WRIST and r.kind == "gravity" and r.length < IN_SI for r in readings)
    found = []
    for own in readings:
        values = own.values
        of_wrist = own.name == WRIST
        if own.kind in TURNED and ((of_wrist and in_g_wrist) or own.name.endswith("accelerometeruncalibrated")):
            values = values * np.float32(STANDARD_GRAVITY) if in_g or in_g_wrist else values
        if own.kind in TURNED and (in_g_wrist if of_wrist else in_g):
            values = -values
        key = SENSORS[own.kind]
        most = MOST.get(MODALITIES[key], math.inf)
        time_s, beyond = own.time_s, np.abs(values) > most
        if beyond.any():
            within = ~beyond.any(axis=1)
            time_s, values = time_s[within], values[within]
        if len(time_s):
            found.append((f"{own.device}.{key}" if own.device else key, Samples(time_s, values)))
    return found


def _battery(entries: _Entries | None) -> float | None:
    if entries is None or not entries.values:
        return None
    level = entries.values[-1].get("batteryLevel") if isinstance(entries.values[-1], Mapping) else None
    if level is None:
        return None
    if not isinstance(level, int | float) or not math.isfinite(level):
        raise _wrong("batteryLevel", "a number from 0 to 1", level)
    return min(float(level), 1.0) if level >= 0 else None  # -1: the device does not know


def _wrong(key: str, expected: str, found: Any) -> UnreadableData:
    shown = "nothing" if found is None else quote(repr(found)[:80])
    return UnreadableData(f"{key}: expected {expected}; found {shown}")
