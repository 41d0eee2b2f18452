"""What is easily misread is read right, or refused with what to do: see `tests/cases.py`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.har.errors import UnreadableData
from app.har.recordings.conversions import open_tables
from app.har.recordings.files import in_memory
from app.har.recordings.importers import importer_of
from app.har.recordings.layout import sniff
from app.har.recordings.mappings import mapped
from app.har.recordings.mappings.guess import Guess
from app.har.recordings.mappings.guess_files import guess_files
from app.har.recordings.mappings.mapping import unknown_tables
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


def by_guess(content: str, name: str = "upload.csv") -> tuple[Guess, Recording]:
    """Return the guess at a table in no layout known here, and what is read by it."""
    tables = open_tables([in_memory(name, content.encode())])
    assert all(importer_of(source.layout) is None for source in tables.sources)
    sources, found = guess_files(unknown_tables(tables))
    (recording,) = normalise_upload(mapped.read(sources, found.mapping))
    return found, recording


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


# --- tables in no known layout


XYZ = "{}X,{}Y,{}Z"


def axes(*names: str, form: str = XYZ) -> str:
    return ",".join(form.replace("{}", name) for name in names)


@pytest.mark.parametrize(
    "names",
    [
        axes("userAcceleration", "gravity", "rotationRate"),
        axes("user_acceleration_", "gravity_", "rotation_rate_"),
        axes("motionUserAcceleration", "motionGravity", "motionRotationRate", form="{}X(G),{}Y(G),{}Z(G)"),
    ],
)
@pytest.mark.parametrize("hz", [50, 100])
def test_apples_parts_share_their_unit_are_added_and_turned(names: str, hz: float) -> None:
    t, a, w, g = cases.person(hz=hz)
    parts = np.column_stack([1_707_125_400 + t, (g - a) / cases.G, -g / cases.G, w]).T.round(5)
    header = f"timestamp,{names},activity".replace("RateX(G)", "RateX(rad/s)").replace("RateY(G)", "RateY(rad/s)")
    activity = ["walk" if x > 15 else "stand" for x in t]
    found, recording = by_guess(cases.table(header.replace("RateZ(G)", "RateZ(rad/s)"), *parts, activity))
    assert found.mapping.label == "activity"
    assert np.allclose(stream(recording, "accelerometer").values, a, atol=0.01)
    assert np.allclose(stream(recording, "gyroscope").values, w, atol=0.01)
    assert recording.gravity == "included"
    assert "Apple" in found.reasons["gravity"]


@pytest.mark.parametrize("names", [axes("a", "g"), axes("Ac", "Gy"), axes("accel_", "gyro_")])
@pytest.mark.parametrize("a_g", [16384, 8192, 4096, 2048])
@pytest.mark.parametrize("a_degree", [131, 65.5, 32.8, 16.4])
def test_raw_counts_are_divided_once_by_what_gravity_shows(names: str, a_g: float, a_degree: float) -> None:
    t, a, w, _ = cases.person()
    counts = np.column_stack([1000 * t, a * a_g / cases.G, w * cases.DEG * a_degree]).astype(int).T
    found, recording = by_guess(cases.table(f"millis,{names.lower()}", *counts))
    assert [1 / sensor.scale for sensor in found.mapping.sensors] == pytest.approx([a_g, a_degree])
    assert np.allclose(stream(recording, "accelerometer").values, a, atol=0.01)
    assert np.allclose(stream(recording, "gyroscope").values, w, atol=0.02)


def test_counts_that_a_heading_states_are_believed() -> None:
    t, a, w, _ = cases.person()
    still = np.column_stack([1000 * t, a * 4096 / cases.G, w * 0 + 3 + np.round(w)]).astype(int).T
    form = "{}x (n),{}y (n),{}z (n)"
    header = f"ms,{axes('a', form=form).replace('n', '4096 LSB/g')},{axes('g', form=form).replace('n', '65.5 LSB/dps')}"
    found, _ = by_guess(cases.table(header, *still))
    assert [1 / sensor.scale for sensor in found.mapping.sensors] == pytest.approx([4096, 65.5])


@pytest.mark.parametrize(
    ("heading", "values", "label"),
    [
        ("DeviceOrientation", ("faceUp", "portrait"), None),
        ("sensor", ("left", "right"), None),
        ("state", ("START", "STOP"), None),
        ("label", ("Accelerometer", "Gyroscope"), None),
        ("what", ("walking", "sitting"), "what"),
        ("label", ("A", "B"), "label"),
    ],
)
def test_labels_are_guessed_where_they_look_like_activities(
    heading: str, values: tuple[str, str], label: str | None
) -> None:
    t, a, _, _ = cases.person()
    cells = [values[x > 15] for x in t]
    found, recording = by_guess(
        cases.table(f"time,ax,ay,az,{heading},Label 2", *t[None], *a.T.round(4), cells, [""] * len(t))
    )
    assert found.mapping.label == label
    assert recording.activities == (values if label else ())


# --- separators and headings


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_what_stands_in_remarks_separates_nothing(mark: str) -> None:
    t, a, _, _ = cases.person()
    remark = [f"7030 sleeping{mark}MET 0.95" if x < 15 else f"home{mark}5035 kitchen{mark}MET 3.3" for x in t]
    text = cases.table("when,x,y,z,remark", [cases.stamp(x) for x in t], *(a.T / cases.G).round(4), remark)
    _, recording = by_guess(text)
    assert upright(recording, a)
    assert recording.streams[0].time_s[-1] == pytest.approx(29.99)


def test_a_decimal_comma_is_no_separator() -> None:
    text = "\n".join(f"{i},5;{i},25;{i},125" for i in range(20))
    assert sniff(f"a;b;c\n{text}\n".encode(), "a.csv").n_columns == 3
    assert sniff(f"{text}\n".encode(), "a.csv").n_columns == 3


@pytest.mark.parametrize(
    "above", ["{},,,,,,,{},,,,,,", "{},,,,,,,{},,,,,,,", "{0},{0},{0},{0},{0},{0},{0},{1},{1},{1},{1},{1},{1},{1},"]
)
def test_a_row_of_places_above_the_headings_makes_devices(above: str) -> None:
    t, a, w, _ = cases.person()
    order = [1, 2, 0]
    stamps = (1_390_000_000_000 + 1000 * t).astype(int)
    header = above.format("Left_pocket", "Belt") + "\n" + ",".join(["time_stamp,Ax,Ay,Az,Gx,Gy,Gz"] * 2) + ",activity"
    parts = [stamps, *a.T.round(4), *w.T.round(4), stamps, *a[:, order].T.round(4), *w[:, order].T.round(4)]
    _, recording = by_guess(cases.table(header, *parts, ["walking"] * len(t)))
    assert upright(recording, a, "left-pocket.accelerometer")
    assert upright(recording, a[:, order], "belt.accelerometer")
    assert np.allclose(stream(recording, "belt.gyroscope").values, w[:, order], atol=1e-3)
    assert recording.activities == ("walking",)


def test_a_title_above_the_headings_is_named() -> None:
    text = "\n".join(["a,b,c,d,e", "time,x,y,z,label,more", *["1,2,3,4,5,6"] * 20])
    with pytest.raises(UnreadableData, match="If a title or a row of places stands above the headings, delete"):
        sniff(text.encode(), "a.csv")


@pytest.mark.parametrize("unit", ["m/(s^2)", "m/(sec^2)", "m/s^2"])
@pytest.mark.parametrize("formats", [True, False])
def test_a_sensor_box_is_one_device_and_its_row_of_units_no_data(unit: str, formats: bool) -> None:
    t, a, w, _ = cases.person()
    names = ["Timestamp_Unix", *(f"Accel_{s}_{k}" for s in ("LN", "WR") for k in "XYZ"), *(f"Gyro_{k}" for k in "XYZ")]
    heads = ["".join(f"Shimmer_8665_{name}_CAL\t" for name in names)] + (["CAL\t" * len(names)] if formats else [])
    heads += ["".join(f"{own}\t" for own in ["ms", *[unit] * 6, *["deg/s"] * 3])]
    values = np.column_stack([1_707_125_400_000 + 1000 * t, a, 1.01 * a, w * cases.DEG]).round(4)
    text = "\n".join(['"sep=\t"', *heads, *("".join(f"{cell}\t" for cell in own) for own in values.tolist()), ""])
    _, recording = by_guess(text)
    assert [own.modality for own in recording.streams] == ["accelerometer", "gyroscope"]
    assert np.allclose(stream(recording, "accelerometer").values, a, atol=1e-3)
    assert np.allclose(stream(recording, "gyroscope").values, w, atol=1e-3)
    assert "empty cells" not in kinds(recording)
