"""A phone that streams over HTTP, as Sensor Logger does, with what real people recorded."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import polars as pl
from numpy.typing import NDArray

Values = NDArray[np.float64]
G = 9.80665


def motion_sense(data: Path, activity: str, seconds: float, subject: int = 1) -> Values:
    """Return (n, 9) movement, gravity and rotation at 50 Hz, in the phone's units and signs: a pocket, one activity."""
    with zipfile.ZipFile(data / "motion-sense" / "motion-sense.zip") as archive:
        ending = f"sub_{subject}.csv"
        name = next(n for n in archive.namelist() if f"/{activity}_" in n and n.endswith(ending))
        table = pl.read_csv(io.BytesIO(archive.read(name)))
    sensors = ("userAcceleration", "gravity", "rotationRate")
    values = table.select([f"{sensor}.{axis}" for sensor in sensors for axis in "xyz"]).to_numpy()
    values[:, :6] *= -G  # Apple's sign, in g
    return np.asarray(values[: round(50 * seconds)])


def fall(data: Path, code: str = "F01", subject: str = "SA01", around_s: float = 5.0) -> Values:
    """Return the same of a fall of SisFall: some seconds before its hardest moment, and all after it."""
    with zipfile.ZipFile(data / "sisfall" / "SisFall_dataset_R01.zip") as archive:
        text = archive.read(f"SisFall_dataset/{subject}/{code}_{subject}_R01.txt").decode()
    rows = np.array([line.strip(" ;\r").split(",") for line in text.splitlines() if line.strip()], float)[::4]
    whole, rotation = rows[:, :3] / 256 * G, np.radians(rows[:, 3:6] * 4000 / 2**16)
    gravity = np.stack([np.convolve(np.pad(axis, 25, "edge"), np.ones(51) / 51, "valid") for axis in whole.T], 1)
    hardest = int(np.linalg.norm(whole, axis=1).argmax())
    return np.column_stack([whole - gravity, gravity, rotation])[max(0, hardest - round(50 * around_s)) :]


class Phone:
    """Sends batches of one second, by a clock of its own that may run ahead of the server's."""

    def __init__(self, address: str, token: str, session: str = "walk") -> None:
        self.address, self.token, self.session = address, token, session
        self.now_s = time.time()
        self.number = 0

    def batch(self, values: Values) -> dict[str, Any]:
        """Return the next message, of samples at 50 Hz."""
        payload = []
        for row in values:
            stamp = round(self.now_s * 1e9)
            for name, part in zip(("accelerometer", "gravity", "gyroscope"), row.reshape(3, 3), strict=True):
                payload.append({"name": name, "time": stamp, "values": dict(zip("xyz", part.tolist(), strict=True))})
            self.now_s += 0.02
        self.number += 1
        return {"messageId": self.number, "sessionId": self.session, "deviceId": "test", "payload": payload}

    def send(self, document: dict[str, Any], path: str = "/api/live") -> dict[str, Any]:
        """Post a message; return the answer, with the status where it was refused."""
        request = Request(self.address + path, json.dumps(document).encode(), method="POST")
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urlopen(request, timeout=20) as response:
                return json.load(response)  # type: ignore[no-any-return]
        except HTTPError as error:
            return json.load(error) | {"status": error.code}

    def stream(self, values: Values, speed: float = 1.0) -> dict[str, Any]:
        """Send what was recorded, a second at a time; return the last answer."""
        answer: dict[str, Any] = {}
        for start in range(0, len(values), 50):
            begun = time.monotonic()
            answer = self.send(self.batch(values[start : start + 50]))
            assert "status" not in answer, answer
            time.sleep(max(0.0, 1 / speed - (time.monotonic() - begun)))
        return answer
