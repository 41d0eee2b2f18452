"""What Polar Sensor Logger writes: a text file for each signal, on the sensor's clock and the phone's."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from app.har.errors import UnreadableData
from tests.exports import G, kinds, stream, upload, zipped

START = datetime(2024, 2, 5, 9, 30, tzinfo=timezone.utc)
N, RATE_HZ = 400, 52
TIME = np.arange(N) / RATE_HZ
VALUES = np.random.default_rng(4).normal((0, 0, 1000), 80, (N, 3)).round()


def phone(second: float) -> str:
    return f"{START + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S.%f}"[:-3]


def signal(unit: str, values: np.ndarray, late_s: float = 0.1) -> str:  # type: ignore[type-arg]
    """Return a file whose samples came to the phone up to so much later, in batches of 25."""
    heading = f"Phone timestamp;sensor timestamp [ns];X [{unit}];Y [{unit}];Z [{unit}]\n"
    batch = (np.arange(N) // 25 * 25 + 24).clip(0, N - 1)
    return heading + "".join(
        f"{phone(TIME[batch[i]] + late_s)};{760_440_600_000_000_000 + round(TIME[i] * 1e9)};{x:g};{y:g};{z:g}\n"
        for i, (x, y, z) in enumerate(values.tolist())
    )


PULSE = "Phone timestamp;HR [bpm];HRV [ms];Breathing interval [rpm];\n" + "".join(
    f"{phone(1 + second)};{0 if second == 3 else 70 + second};;;\n" for second in range(6)
)


def test_signals_of_one_recording_share_the_sensors_clock_and_pulse_lies_beside(tmp_path: Path) -> None:
    names = {
        "ACC": signal("mg", VALUES), "GYRO": signal("dps", VALUES / 10), "MAGN": signal("G", VALUES / 2500),
        "HR": PULSE, "ECG": "Phone timestamp;sensor timestamp [ns];ecg [uV]\n2024-02-05T09:30:00.000;1;2\n",
    }  # fmt: skip
    files = {f"Polar_Sense_C1_20240205_093000_{name}.txt": text for name, text in names.items()}
    (recording,) = upload(tmp_path, zipped(files), "walk.zip")
    own, turning = stream(recording, "accelerometer"), stream(recording, "gyroscope")
    assert (recording.app, recording.gravity, recording.local_clock) == ("Polar Sensor Logger", "included", True)
    np.testing.assert_allclose(own.time_s, TIME, atol=1e-6)
    np.testing.assert_allclose(turning.time_s, own.time_s, atol=1e-6)
    np.testing.assert_allclose(own.values, VALUES / 1000 * G, rtol=1e-5)
    np.testing.assert_allclose(turning.values, np.deg2rad(VALUES / 10), rtol=1e-4)
    np.testing.assert_allclose(stream(recording, "magnetometer").values, VALUES / 25, rtol=1e-4)
    pulse = stream(recording, "heart_rate")
    assert pulse.values[:, 0].tolist() == [70, 71, 72, 74, 75]
    assert recording.origin_utc_s == pytest.approx(
        START.timestamp() + 0.1, abs=0.02
    )  # the last of a batch comes soonest
    assert pulse.time_s[0] == pytest.approx(0.9, abs=0.02)
    assert "ecg [uv], which is not read here" in recording.problems[0].detail
    assert kinds(recording) == ["unreadable file"]


def test_a_signal_that_is_not_read_is_told(tmp_path: Path) -> None:
    text = "Phone timestamp;RR-interval [ms]\n" + f"{phone(1)};812\n" * 20
    with pytest.raises(UnreadableData, match="found rr-interval"):
        upload(tmp_path, text, "Polar_H10_C1_20240205_093000_RR.txt")
