"""What is easily misread is read right, or refused with what to do: see `tests/cases.py`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.har.recordings.quality import card
from app.har.signals.clocks import sampling_rate
from app.har.signals.intervals import gap_free
from app.har.signals.normalisation import normalise_upload
from app.har.signals.types import Recording
from tests import cases
from tests.exports import kinds, stream, upload


def read(folder: Path, content: str | dict[str, str], name: str = "upload.csv") -> Recording:
    (recording,) = normalise_upload(upload(folder, content, name))
    return recording


# --- samples that are none


@pytest.mark.parametrize("hz", [25, 100])
@pytest.mark.parametrize("value", [(0, 0, 0), (0.31, 9.7, -0.52)])
def test_a_run_of_one_value_is_a_hole(tmp_path: Path, value: tuple[float, ...], hz: float) -> None:
    recording = read(tmp_path, cases.idle((7, 23), value, hz))
    accelerometer = stream(recording, "accelerometer")
    (first, second) = gap_free(accelerometer, hz)
    assert first[1] == pytest.approx(7, abs=1.5 / hz)
    assert second[0] == pytest.approx(23, abs=1.5 / hz)
    assert recording.gravity == "included"
    assert {"frozen values", "clock gap"} <= set(kinds(recording))
    quality = card(recording)
    assert quality.verdict == "usable"
    assert "accelerometer: 16.0 of 30.0 s are missing" in quality.reasons


def test_a_run_that_ends_a_recording_is_listed(tmp_path: Path) -> None:
    recording = read(tmp_path, cases.idle((12, 30)))
    assert stream(recording, "accelerometer").time_s[-1] < 12
    assert card(recording).verdict == "usable"
    assert "frozen values" in kinds(recording)


def test_a_gyroscope_of_zeros_is_asleep_only_while_its_device_moves(tmp_path: Path) -> None:
    t, a, w, _ = cases.person()
    still = np.tile(a[:1], (len(a), 1)) + np.random.default_rng(0).normal(0, 0.02, a.shape)
    for acceleration, asleep in ((a, True), (still, False)):
        rotation = w.copy()
        rotation[500:1500] = 0
        text = cases.table(cases.KINELAB, *np.column_stack([t, acceleration, rotation]).round(4).T)
        recording = read(tmp_path, text)
        assert len(stream(recording, "gyroscope").time_s) == (2000 if asleep else 3000)
        assert ("frozen values" in kinds(recording)) == asleep


def test_coarse_steps_repeat_a_value_without_a_fault(tmp_path: Path) -> None:
    """As the wrist of someone who sits still, in steps of 1/64 g."""
    t, a, _, _ = cases.person(hz=32)
    quiet = np.where((t >= 5)[:, None] & (t < 9)[:, None], a[160], a)
    coarse = np.round(quiet / cases.G * 64) / 64 * cases.G
    recording = read(tmp_path, cases.table("time_s,acc_x,acc_y,acc_z", *np.column_stack([t, coarse]).round(4).T))
    assert len(stream(recording, "accelerometer").time_s) == len(t)
    assert not {"frozen values", "clock gap"} & set(kinds(recording))


# --- signs and devices of Sensor Logger


def upright(recording: Recording, truth: cases.Values, modality: str = "accelerometer") -> bool:
    """Tell whether acceleration holds gravity, in m/s² and the right way up."""
    mean = stream(recording, modality).values.mean(axis=0)
    return recording.gravity == "included" and bool(np.allclose(mean, truth.mean(axis=0), atol=0.02))


@pytest.mark.parametrize("without", [(), ("recording epoch time",), ("recording epoch time", "appVersion")])
def test_every_version_of_the_metadata_turns_apples_axes(tmp_path: Path, without: tuple[str, ...]) -> None:
    t, a, w, g = cases.person()
    files = {"Accelerometer.csv": cases.sensor_logger(t, g - a), "Gravity.csv": cases.sensor_logger(t, -g)}
    files |= {"Gyroscope.csv": cases.sensor_logger(t, w), "Metadata.csv": cases.metadata("ios", without)}
    recording = read(tmp_path, files)
    assert upright(recording, a)
    assert "file not used" not in kinds(recording)


@pytest.mark.parametrize("metadata", [None, cases.metadata("ios")])
def test_what_is_called_uncalibrated_and_in_g_is_apples(tmp_path: Path, metadata: str | None) -> None:
    t, a, _, _ = cases.person(hz=50)
    files = {"AccelerometerUncalibrated.csv": cases.sensor_logger(t, -a / cases.G)}
    recording = read(tmp_path, files | ({"Metadata.csv": metadata} if metadata else {}))
    assert upright(recording, a)
    android = read(tmp_path, {"AccelerometerUncalibrated.csv": cases.sensor_logger(t, a)})
    assert upright(android, a)
    assert "axes inverted" not in kinds(android)


def test_phone_and_watch_of_one_export_are_two_devices(tmp_path: Path) -> None:
    t, a, w, _ = cases.person()
    t2, a2, w2, g2 = cases.person(hz=50, seed=3)
    order = [1, 2, 0]
    files = {
        "TotalAcceleration.csv": cases.sensor_logger(t, a), "Gyroscope.csv": cases.sensor_logger(t, w),
        "WatchTotalAcceleration.csv": cases.sensor_logger(t2, a2[:, order]), "HeartRate.csv": cases.heart_rate(),
        "WatchAccelerometer.csv": cases.sensor_logger(t2, (a2 - g2)[:, order]),
        "WatchGyroscope.csv": cases.sensor_logger(t2, 2 * w2[:, order]), "Metadata.csv": cases.metadata(),
    }  # fmt: skip
    recording = read(tmp_path, files)
    found = {own.modality: (round(sampling_rate(own.time_s), 1), float(own.values.std())) for own in recording.streams}
    assert list(found) == [
        "phone.accelerometer", "phone.gyroscope",
        "watch.accelerometer", "watch.gyroscope", "watch.linear_accelerometer", "watch.heart_rate",
    ]  # fmt: skip
    assert found["phone.accelerometer"][0] == 100
    assert found["watch.accelerometer"][0] == 50
    assert found["watch.gyroscope"][1] == pytest.approx(2 * found["phone.gyroscope"][1], rel=0.05)
    assert upright(recording, a2[:, order], "watch.accelerometer")
    assert not recording.problems


@pytest.mark.parametrize(
    ("file", "divisors"),
    [("WristMotion", (-cases.G, -cases.G)), ("WristMotion", (1.0, 1.0)), ("Headphone", (-cases.G, -1.0))],
)
def test_apples_table_of_three_sensors_is_one_device(tmp_path: Path, file: str, divisors: tuple[float, float]) -> None:
    """A watch's gravity is in g like its acceleration, or both in m/s²; headphones give gravity in m/s² alone."""
    t, a, w, g = cases.person(hz=50)
    files = {f"{file}.csv": cases.wrist_motion(t, a, w, g, *divisors), "HeartRate.csv": cases.heart_rate()}
    recording = read(tmp_path, files | {"Metadata.csv": cases.metadata("ios")})
    assert upright(recording, a)
    assert np.allclose(stream(recording, "accelerometer").values, a, atol=0.01)
    assert np.allclose(stream(recording, "gyroscope").values, w, atol=0.01)
    assert stream(recording, "heart_rate").values[0] == 70
    with_phone = read(
        tmp_path, files | {"Gravity.csv": cases.sensor_logger(t, -g), "Metadata.csv": cases.metadata("ios")}
    )
    assert {own.modality.partition(".")[0] for own in with_phone.streams} == {"phone", recording_device(file)}


def recording_device(file: str) -> str:
    return {"WristMotion": "watch", "Headphone": "headphones"}[file]


def test_marks_of_a_person_are_labels(tmp_path: Path) -> None:
    t, a, w, _ = cases.person()
    files = {"TotalAcceleration.csv": cases.sensor_logger(t, a), "Gyroscope.csv": cases.sensor_logger(t, w)}
    text = cases.marks((5, "standing"), (10, ""), (12, "lap 2"), (15, "Start walking"), (25, "stop walking"))
    recording = read(tmp_path, files | {"Annotation.csv": text})
    assert recording.activities == ("standing", "walking")
    for own in recording.streams:
        assert own.labels is not None
        assert own.labels[[499, 501, 1499, 1501, 2499, 2501]].tolist() == [-1, 0, 0, 1, 1, -1]
    assert not recording.problems


@pytest.mark.parametrize("text", ["", "\n", cases.marks()])
def test_a_file_of_no_marks_is_no_problem(tmp_path: Path, text: str) -> None:
    t, a, _, _ = cases.person()
    recording = read(tmp_path, {"TotalAcceleration.csv": cases.sensor_logger(t, a), "Annotation.csv": text})
    assert not recording.problems


def test_json_holds_marks_and_the_watch_too(tmp_path: Path) -> None:
    t, a, w, g = cases.person(hz=20)
    tables = {"TotalAcceleration": cases.sensor_logger(t, a), "WristMotion": cases.wrist_motion(t, a, w, g)}
    tables["Annotation"] = cases.marks((10, "walking"))
    readings = [
        {"sensor": sensor, **dict(zip(header.split(","), line.split(","), strict=True))}
        for sensor, (header, *lines) in ((name, text.splitlines()) for name, text in tables.items())
        for line in lines
    ]
    recording = read(tmp_path, json.dumps(readings), "upload.json")
    assert {"phone.accelerometer", "watch.accelerometer", "watch.gyroscope"} <= {s.modality for s in recording.streams}
    assert upright(recording, a, "watch.accelerometer")
    assert recording.activities == ("walking",)


@pytest.mark.parametrize("stale", [(328_885.0,), (40.0,), (900.0, 899.9)])
def test_rows_left_over_from_before_do_not_set_the_origin(tmp_path: Path, stale: tuple[float, ...]) -> None:
    t, a, w, g = cases.person()
    sensors = {"Accelerometer": g - a, "Gravity": -g, "Gyroscope": w}
    files = {f"{name}.csv": cases.sensor_logger(t, own, stale) for name, own in sensors.items()}
    recording = read(tmp_path, files | {"Metadata.csv": cases.metadata("ios")})
    assert recording.origin_utc_s == pytest.approx(1_700_000_000, abs=0.02)
    assert all(own.time_s[0] == pytest.approx(0, abs=0.02) for own in recording.streams)
    told = [problem for problem in recording.problems if problem.source == "Gyroscope.csv"]
    assert [problem.detail.partition(":")[0] for problem in told] == ["gyroscope"]
    assert upright(recording, a)
