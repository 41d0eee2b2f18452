"""Devices that are none: a recording that is sent as if it were recorded now, and made-up people who walk and sit.

They speak to a server over HTTP alone, as Sensor Logger does: a message a second.
"""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from app.services.errors import Invalid, ServiceError

RATE_HZ = 100.0
G = 9.80665
TIMEOUT_S = 30.0
NAMES = {  # of sensors in Sensor Logger's messages, by what a recording calls them
    "accelerometer": "totalacceleration",
    "linear_accelerometer": "accelerometer",
    "gravity": "gravity",
    "gyroscope": "gyroscope",
    "magnetometer": "magnetometer",
    "heart_rate": "heartrate",
}

Sent = Mapping[str, tuple[NDArray[np.float64], NDArray[np.float32]]]  # of each sensor: times (n,), values (n, k)


class Refused(ServiceError):
    """A server did not take a message."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"The server answered {status}: {text[:300]}")
        self.code = status


@dataclass
class Phone:
    """A connection to a server on which one session is sent."""

    url: str
    token: str
    session: str = field(default_factory=lambda: str(uuid4()))
    number: int = 0  # of the next message
    waited_s: float = 0.0  # because the server said so
    _connection: http.client.HTTPConnection | None = None

    def message(self, sensors: Sent) -> bytes:
        """Return the next message."""
        payload = []
        for name, (times, values) in sensors.items():
            keys = ("bpm",) if values.shape[1] == 1 else ("x", "y", "z")
            stamps = np.round(times * 1e9).astype(np.int64).tolist()
            payload += [
                {"name": name, "time": stamp, "values": dict(zip(keys, row, strict=True))}
                for stamp, row in zip(stamps, np.round(values.astype(np.float64), 5).tolist(), strict=True)
            ]
        document = {"messageId": self.number, "sessionId": self.session, "deviceId": "simulated", "payload": payload}
        self.number += 1
        return json.dumps(document, separators=(",", ":")).encode()

    def send(self, body: bytes, path: str = "/api/live") -> dict[str, Any]:
        """Send a message until it is taken; wait for as long as the server says.

        Raises
        ------
        Refused : it is not taken, for another reason than that the server has to be waited for.
        """
        while True:
            status, answer = self._post(path, body)
            if status == 200:
                return answer
            wait_s = float(answer.get("wait_s") or 0.0)
            if status not in (429, 503, 507) or not wait_s:
                raise Refused(status, str(answer.get("message", answer)))
            self.waited_s += wait_s
            time.sleep(wait_s)

    def end(self) -> None:
        """End the session."""
        self.send(json.dumps({"sessionId": self.session}).encode(), "/api/live/end")

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        for last in (False, True):
            connection = self._connection or self._connect()
            try:
                connection.request("POST", urlsplit(self.url).path.rstrip("/") + path, body, headers)
                answer = connection.getresponse()
                text = answer.read()
                break
            except (OSError, http.client.HTTPException) as error:  # the server closes what is idle, or starts anew
                self.close()
                if last:
                    raise Refused(0, f"no answer ({error})") from error
        try:
            return answer.status, dict(json.loads(text))
        except ValueError:
            return answer.status, {"message": text.decode(errors="replace")}

    def _connect(self) -> http.client.HTTPConnection:
        address = urlsplit(self.url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise Invalid(f"The address of a server is like http://127.0.0.1:5000; found {self.url[:80]!r}.")
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(address.hostname, address.port, timeout=TIMEOUT_S)
        return self._connection


# --- recordings


def batches_of(path: Path, name: str, seconds: float = 1.0) -> Iterator[tuple[float, Sent]]:
    """Yield what a recording holds, second by second: when each part begins on its clock, and its samples.

    Raises
    ------
    HarError : it cannot be read.
    """
    from app.har.recordings.upload import open_upload
    from app.services.recordings.recognise import read_recordings

    with open_upload(path, name) as upload:
        recording = read_recordings(upload)[0]
    streams = {}
    for stream in recording.streams:
        kind = stream.kind
        if kind == "accelerometer" and recording.gravity == "removed":
            kind = "linear_accelerometer"
        if (sent_as := NAMES.get(kind)) is not None and sent_as not in streams:
            streams[sent_as] = (stream.time_s, np.nan_to_num(stream.values).astype(np.float32))
    if not streams:
        raise Invalid(f"{name} holds no sensor that a phone would send.")
    first = min(float(times[0]) for times, _ in streams.values())
    last = max(float(times[-1]) for times, _ in streams.values())
    for begin in np.arange(first, last, seconds).tolist():
        sensors = {}
        for sent_as, (times, values) in streams.items():
            start, stop = np.searchsorted(times, (begin, begin + seconds))
            if stop > start:
                sensors[sent_as] = times[start:stop] - first, values[start:stop]
        if sensors:
            yield begin - first, sensors


# --- people


class Person:
    """Somebody who walks, sits and stands in turn, with a phone in a trouser pocket.

    A walk is what the thigh swings, harmonics of the stride with a pace, a strength and phases of the person's own, and
    two impacts in each stride, with the shaking that they leave; gravity turns with the thigh when the person sits.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._stride_hz = self._rng.uniform(0.85, 1.0)
        self._strength = self._rng.uniform(2.3, 3.3)  # m/s²
        self._swing = self._rng.uniform(0.32, 0.42)  # rad
        self._phases = self._rng.uniform(0, 2 * np.pi, 10)
        self._bouts = [(what, self._rng.uniform(20, 60)) for what in ("walking", "sitting", "walking", "standing")]
        self._shift = int(self._rng.integers(len(self._bouts)))
        self._length_s = sum(seconds for _, seconds in self._bouts)

    def doing(self, at_s: float) -> str:
        """Return what the person does at a moment, in seconds since the beginning."""
        left = at_s % self._length_s
        for what, seconds in self._bouts[self._shift :] + self._bouts[: self._shift]:
            if left < seconds:
                return what
            left -= seconds
        return "standing"

    def second(self, at_s: float, rate_hz: float = RATE_HZ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Return a second: times from `at_s` on, (n,), and acceleration with gravity and rotation, (n, 6)."""
        times = at_s + np.arange(round(rate_hz)) / rate_hz
        what = self.doing(at_s)
        tilt = np.radians({"walking": 8.0, "sitting": 82.0, "standing": 4.0}[what])
        values = np.tile([0.0, G * np.cos(tilt), G * np.sin(tilt), 0.0, 0.0, 0.0], (len(times), 1))
        values += self._rng.normal(0, [0.03, 0.03, 0.03, 0.01, 0.01, 0.01], values.shape)
        if what == "walking":
            values = self._walk(times)
        return times, values.astype(np.float32)

    def _walk(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        phases, strength = self._phases, self._strength
        stride = 2 * np.pi * self._stride_hz * times
        impact = np.exp(6 * (np.cos(stride - phases[9]) - 1)) + 0.6 * np.exp(6 * (-np.cos(stride - phases[9]) - 1))

        def waves(*amplitudes: tuple[int, float, int]) -> NDArray[np.float64]:
            parts = [own * np.sin(k * stride + phases[phase]) for k, own, phase in amplitudes]
            return np.asarray(np.sum(parts, axis=0))

        up = strength * (waves((2, 0.6, 0), (4, 0.35, 1), (6, 0.2, 2), (8, 0.12, 3)) + 1.2 * impact - 0.35)
        ahead = strength * (waves((1, 0.45, 4), (2, 0.4, 5), (3, 0.2, 6), (5, 0.15, 0)) + 0.5 * impact)
        aside = strength * waves((1, 0.25, 6), (3, 0.2, 7), (4, 0.15, 8))
        thigh = self._swing * np.sin(stride)
        turning = self._swing * 2 * np.pi * self._stride_hz * np.cos(stride)
        values = np.column_stack(
            (
                aside,
                (G + up) * np.cos(thigh) + ahead * np.sin(thigh),
                (G + up) * np.sin(thigh) + ahead * np.cos(thigh),
                turning + waves((2, 0.5, 3), (4, 0.3, 2)),
                waves((1, 0.4, 1), (2, 0.3, 7)),
                waves((1, 0.3, 5), (3, 0.25, 6)),
            )
        )
        shaking = self._rng.normal(0, [0.7, 0.7, 0.7, 0.2, 0.2, 0.2], values.shape)
        return np.asarray(values + shaking * (0.3 + impact[:, None]))


@dataclass(frozen=True)
class Mischief:
    """How unreliable a connection is: shares of messages that are sent twice, lost, or later than the next one."""

    doubled: float = 0.0
    dropped: float = 0.0
    shuffled: float = 0.0

    def copies(self, body: bytes, chance: random.Random) -> list[bytes]:
        """Return how a message arrives: once, twice or never."""
        if chance.random() < self.dropped:
            return []
        return [body, body] if chance.random() < self.doubled else [body]


def send_person(
    url: str, token: str, seed: int, seconds: float, mischief: Mischief, chance: random.Random, rate_hz: float = RATE_HZ
) -> None:
    """Send what somebody's phone measures, as long as it takes; phones do not begin at the same moment.

    Raises
    ------
    Refused : the server takes nothing more of it.
    """
    person, phone = Person(seed), Phone(url, token)
    began = time.time() + chance.random()
    held: list[bytes] = []  # that comes after the next one
    for second in range(round(seconds)):
        times, values = person.second(float(second), rate_hz)
        times = times + began
        body = phone.message({"totalacceleration": (times, values[:, :3]), "gyroscope": (times, values[:, 3:])})
        time.sleep(max(0.0, began + second + 1 - time.time()))
        copies = mischief.copies(body, chance)
        arriving, held = ([], copies) if not held and chance.random() < mischief.shuffled else (copies + held, [])
        for one in arriving:
            phone.send(one)
    for one in held:
        phone.send(one)
    phone.end()
    phone.close()
