"""What is easily misread is read right, or refused with what to do: see `tests/cases.py`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.har.datasets.described import DescribedDataset
from app.har.datasets.description import Description, FromTable
from app.har.errors import UnreadableData
from app.har.recordings.conversions import open_tables
from app.har.recordings.files import in_memory, open_files
from app.har.recordings.importers import importer_of
from app.har.recordings.layout import sniff
from app.har.recordings.mappings import mapped
from app.har.recordings.mappings.guess import Guess
from app.har.recordings.mappings.guess_files import guess_files
from app.har.recordings.mappings.mapping import unknown_tables
from app.har.recordings.quality import card
from app.har.recordings.upload import read_upload
from app.har.signals.clocks import sampling_rate
from app.har.signals.intervals import gap_free
from app.har.signals.normalisation import normalise_upload
from app.har.signals.types import Recording
from tests import cases
from tests.exports import kinds, stream, upload

START = 1_707_125_400.0  # Unix time of `cases.BASE`


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
@pytest.mark.parametrize("a_degree", [131, 65.5, 32.8, 16.4, *(1000 / mdps for mdps in (8.75, 17.5, 35, 70))])
def test_raw_counts_are_divided_once_by_what_gravity_shows(names: str, a_g: float, a_degree: float) -> None:
    t, a, w, _ = cases.person()
    counts = np.column_stack([1000 * t, a * a_g / cases.G, w * cases.DEG * a_degree]).astype(int).T
    found, recording = by_guess(cases.table(f"millis,{names.lower()}", *counts))
    assert [1 / sensor.scale for sensor in found.mapping.sensors] == pytest.approx([a_g, a_degree])
    assert np.allclose(stream(recording, "accelerometer").values, a, atol=0.01)
    assert np.allclose(stream(recording, "gyroscope").values, w, atol=0.02)


@pytest.mark.parametrize(("name", "a_degree"), [("LSM6DS3_walk.csv", 1000 / 35), ("walk.csv", 32.8)])
def test_a_chip_is_named_where_gravity_does_not_turn_as_clearly_as_the_gyroscope(name: str, a_degree: float) -> None:
    t, a, w, _ = cases.person()
    shaken = a + 1.5 * np.random.default_rng(1).standard_normal(a.shape)
    counts = np.column_stack([1000 * t, shaken * 4096 / cases.G, w * cases.DEG * 1000 / 35]).astype(int).T
    found, _ = by_guess(cases.table(f"millis,{axes('a', 'g').lower()}", *counts), name)
    assert 1 / found.mapping.sensors[1].scale == pytest.approx(a_degree)
    assert ("of an LSM6 28.571: check the factor" in found.reasons["gyroscope"]) == (name == "walk.csv")


@pytest.mark.parametrize("form", ["acc_{} (cm/s^2)", "acc_{} [cm/s²]", "Acceleration {} (cm/s2)", "acc_{}_cms2", "row"])
def test_centimetres_are_believed_where_a_heading_says_so(form: str) -> None:
    t, a, _, _ = cases.person()
    header = "ms," + ",".join(("acc_{}" if form == "row" else form).format(axis) for axis in "xyz")
    header += "\nms,cm/s^2,cm/s^2,cm/s^2" if form == "row" else ""
    found, recording = by_guess(cases.table(header, (1000 * t).round(), *(100 * a).T.round(2)))
    assert found.mapping.sensors[0].unit == "cm/s²"
    assert np.allclose(stream(recording, "accelerometer").values, a, atol=1e-3)
    assert "unit mismatch" not in kinds(recording)


def test_counts_that_a_heading_states_are_believed() -> None:
    t, a, w, _ = cases.person()
    still = np.column_stack([1000 * t, a * 4096 / cases.G, w * 0 + 3 + np.round(w)]).astype(int).T
    form = "{}x (n),{}y (n),{}z (n)"
    header = f"ms,{axes('a', form=form).replace('n', '4096 LSB/g')},{axes('g', form=form).replace('n', '65.5 LSB/dps')}"
    found, _ = by_guess(cases.table(header, *still))
    assert [1 / sensor.scale for sensor in found.mapping.sensors] == pytest.approx([4096, 65.5])


@pytest.mark.parametrize("stated", [4096, 8192, 32768])
def test_counts_of_another_range_than_the_heading_states_are_taken_by_gravity(stated: int) -> None:
    t, a, _, _ = cases.person()
    counts = np.column_stack([1000 * t, a * 16384 / cases.G]).astype(int).T
    header = "ms," + ",".join(f"acc_{axis} ({stated} LSB/g)" for axis in "xyz")
    found, recording = by_guess(cases.table(header, *counts))
    assert f"16384 a g, with gravity, though the heading says {stated}" in found.reasons["accelerometer"]
    assert np.allclose(stream(recording, "accelerometer").values, a, atol=0.01)


@pytest.mark.parametrize("most", [256, 4096])
def test_counts_around_a_middle_are_not_taken_for_g(most: int) -> None:
    t, a, _, _ = cases.person()
    counts = (most / 2 + a / cases.G * most / 8).astype(int)
    assert counts.min() >= 0
    found, _ = by_guess(cases.table("ms,X,Y,Z", (1000 * t).astype(int), *counts.T))
    assert f"whole numbers around {most / 2:g}: raw counts from a middle" in found.reasons["accelerometer"]
    assert found.mapping.sensors[0].scale == 1


@pytest.mark.parametrize(
    ("heading", "values", "label"),
    [
        ("DeviceOrientation", ("faceUp", "portrait"), None),
        ("sensor", ("left", "right"), None),
        ("state", ("START", "STOP"), None),
        ("label", ("Accelerometer", "Gyroscope"), None),
        ("label", ("sensor_0", "sensor_1"), None),
        ("label", ("Sensor 1 left ankle", "Sensor 2 right wrist"), None),
        ("activity", ("imu0", "imu1"), None),
        ("what", ("walking", "sitting"), "what"),
        ("label", ("A", "B"), "label"),
    ],
)
def test_labels_are_guessed_where_they_look_like_activities(
    heading: str, values: tuple[str, str], label: str | None
) -> None:
    t, a, _, _ = cases.person()
    cells = [values[int(x > 15)] for x in t]
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


@pytest.mark.parametrize("device", [("8665",), ("8665", "A2B1")])
@pytest.mark.parametrize("order", [("CAL",), ("RAW", "CAL"), ("CAL", "RAW")])
def test_units_are_no_data_whatever_a_sensor_box_writes(device: tuple[str, ...], order: tuple[str, ...]) -> None:
    t, a, w, _ = cases.person()
    names, units, columns = [f"Shimmer_{device[0]}_Timestamp_FormattedUnix_CAL"], ["yyyy/mm/dd hh:mm:ss.000"], []
    for own in device:
        for kind in order:
            raw = kind == "RAW"
            sensors = {
                "Accel_LN": (2047 + 83 * a if raw else a, "m/(s^2)"),
                "Gyro": (65.5 * cases.DEG * w if raw else cases.DEG * w, "deg/s"),
                "Mag": (500 + 0 * a, "local_flux"),
                "Pressure_BMP280": (100 + 0 * a[:, :1], "kPa"),
                "Battery": (3900 - 0 * a[:, :1], "mV"),
            }
            for sensor, (values, unit) in sensors.items():
                axes_of = ["_X", "_Y", "_Z"] if values.shape[1] == 3 else [""]
                names += [f"Shimmer_{own}_{sensor}{axis}_{kind}" for axis in axes_of]
                units += ["no_units" if raw else unit] * len(axes_of)
                columns += list(values.astype(int).T if raw else values.T.round(4))
    heads = ['"sep=\t"', *("\t".join([*cells, ""]) for cells in (names, [name[-3:] for name in names], units))]
    stamps = [cases.stamp(x, "%Y/%m/%d %H:%M:%S") for x in t]
    rows = ["\t".join(map(str, cells)) + "\t" for cells in zip(stamps, *columns, strict=True)]
    _, recording = by_guess("\n".join([*heads, *rows, ""]))
    assert "empty cells" not in kinds(recording)
    for own in device:
        place = f"shimmer-{own.lower()}." if len(device) > 1 else ""
        assert np.allclose(stream(recording, f"{place}accelerometer").values, a, atol=1e-3)
        assert np.allclose(stream(recording, f"{place}gyroscope").values, w, atol=1e-3)


# --- a row a sensor


def long(sensors: dict[str, cases.Values], t: cases.Values, *, apart: bool = False, more: str = "") -> list[str]:
    """Return rows of one sensor each, which alternate or follow one another."""
    lines = [
        (float(x), f"{1_707_125_400_000 + round(1000 * x)},{name},{cases.row(own)}{more}")
        for name, values in sensors.items()
        for x, own in zip(t, values, strict=True)
    ]
    return [line for _, line in (lines if apart else sorted(lines, key=lambda pair: pair[0]))]


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    "names",
    [("accelerometer", "gyroscope"), ("TYPE_ACCELEROMETER", "TYPE_GYROSCOPE"), ("acc", "gyr"), ("1", "4")],
)
def test_a_row_a_sensor_is_a_sensor_each(names: tuple[str, str], apart: bool) -> None:
    t, a, w, _ = cases.person()
    if apart and names[0] == "1":
        return  # numbers that keep for long may be labels
    rows = long(dict(zip(names, (a, w), strict=True)), t, apart=apart, more=",walking")
    _, recording = by_guess("\n".join(["timestamp,sensor,x,y,z,activity", *rows, ""]))
    assert {own.modality: round(sampling_rate(own.time_s)) for own in recording.streams} == {
        "accelerometer": 100, "gyroscope": 100,
    }  # fmt: skip
    assert upright(recording, a)
    assert np.allclose(stream(recording, "gyroscope").values, w, atol=1e-3)
    assert recording.activities == ("walking",)
    assert not recording.problems


def test_androids_numbers_without_a_heading_are_sensors() -> None:
    t, a, w, _ = cases.person(hz=50)
    rows = long({"2": a * 0 + [20.1, -5, -38.2] + w, "1": a, "4": w}, t)
    _, recording = by_guess("\n".join(line.replace(",", " ") for line in rows), "long.dat")
    found = {own.modality: round(sampling_rate(own.time_s)) for own in recording.streams}
    assert found == {"accelerometer": 50, "gyroscope": 50, "magnetometer": 50}
    assert upright(recording, a)


@pytest.mark.parametrize("unit", [1, cases.G])
def test_numbers_that_count_the_gyroscope_first_are_not_taken_for_the_other_way_round(
    tmp_path: Path, unit: float
) -> None:
    t, a, w, _ = cases.person()
    text = "\n".join(["timestamp,sensor,x,y,z", *long({"1": w, "2": a / unit}, t), ""])
    with pytest.raises(UnreadableData, match="which number is which sensor is not known"):
        read(tmp_path, text)
    text = "\n".join(["timestamp,sensor,x,y,z", *long({"1": a / unit, "2": w}, t), ""])
    _, recording = by_guess(text)
    assert upright(recording, a)


def test_sensors_of_two_rates_that_follow_one_another_keep_theirs() -> None:
    t, a, w, _ = cases.person()
    slow = slice(None, None, 4)
    rows = long({"Accelerometer": a}, t) + long({"Gyroscope": w[slow]}, t[slow])
    _, recording = by_guess("\n".join(["time,sensorType,x,y,z", *rows, ""]))
    assert [round(sampling_rate(own.time_s)) for own in recording.streams] == [100, 25]


def test_numbers_of_activities_are_no_sensors() -> None:
    t, a, _, _ = cases.person()
    table = cases.table("time,x,y,z,id", t, *a.T.round(4), [1 if x < 15 else 4 for x in t])
    _, recording = by_guess(table)
    assert [own.modality for own in recording.streams] == ["accelerometer"]


# --- clocks


@pytest.mark.parametrize("zone", ["+0100 [Europe/London]", "+01:00[Europe/London]", "+0100 [GMT+1]"])
def test_the_name_of_a_zone_is_passed_over(zone: str) -> None:
    t, a, _, _ = cases.person()
    text = cases.table("time,x,y,z", [cases.stamp(x) + zone for x in t], *(a.T / cases.G).round(3))
    _, recording = by_guess(text)
    assert recording.origin_utc_s == START - 3600
    assert sampling_rate(recording.streams[0].time_s) == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S"])
def test_the_date_of_physics_toolbox_is_kept(tmp_path: Path, form: str) -> None:
    t, a, _, _ = cases.person()
    text = cases.table(
        "time,gFx,gFy,gFz,gFTotal", [cases.stamp(x, form) + "0" for x in t], *(a.T / cases.G).round(3), t
    )
    recording = read(tmp_path, text)
    assert recording.origin_utc_s == START
    assert recording.streams[0].time_s[[0, -1]] == pytest.approx([0, 29.99])


@pytest.mark.parametrize("hz", [30, 100])
def test_whole_seconds_are_spread_and_no_gaps(hz: float) -> None:
    t, a, _, _ = cases.person(hz=hz)
    text = cases.table("Timestamp,X,Y,Z", [cases.stamp(x)[:-4] for x in t], *(a.T / cases.G).round(4))
    _, recording = by_guess(text)
    assert len(gap_free(recording.streams[0], hz)) == 1
    assert kinds(recording) == ["batched timestamps"]


@pytest.mark.parametrize("first", [25_569, 719_529])
@pytest.mark.parametrize("hz", [20, 100])
def test_dates_as_days_are_those_of_a_spreadsheet_or_matlab(first: float, hz: float) -> None:
    t, a, _, _ = cases.person(hz=hz)
    days = [f"{first + (START + x) / 86_400:.12f}" for x in t]
    found, recording = by_guess(cases.table("Time,X,Y,Z", days, *(a.T / cases.G).round(4)))
    assert found.mapping.time_unit == "days"
    assert recording.origin_utc_s == pytest.approx(START, abs=1e-3)
    assert sampling_rate(recording.streams[0].time_s) == pytest.approx(hz, rel=1e-3)
    assert upright(recording, a)


# --- devices


@pytest.mark.parametrize("form", ["M/d/yyyy", "dd.MM.yyyy", "yyyy-MM-dd"])
@pytest.mark.parametrize("header", ["Accelerometer X,Accelerometer Y,Accelerometer Z", "", "Timestamp"])
def test_the_lines_above_actigraphs_raw_data_tell_its_clock(tmp_path: Path, form: str, header: str) -> None:
    t, a, _, _ = cases.person(60, 30)
    dates = {"M/d/yyyy": "2/5/2024", "dd.MM.yyyy": "05.02.2024", "yyyy-MM-dd": "2024-02-05"}
    stamps = [f"{dates[form]} {cases.stamp(x, '%H:%M:%S')}," if header == "Timestamp" else "" for x in t]
    names = header.replace("Timestamp", "Timestamp,Accelerometer X,Accelerometer Y,Accelerometer Z")
    body = [stamp + cases.row(own, 3) for stamp, own in zip(stamps, a / cases.G, strict=True)]
    recording = read(tmp_path, cases.actigraph(names, body, form))
    assert upright(recording, a)
    assert recording.origin_utc_s == START
    assert sampling_rate(recording.streams[0].time_s) == pytest.approx(30, rel=0.01)
    assert kinds(recording) == ["text before the table"]


@pytest.mark.parametrize(
    ("header", "epoch"), [("TimeStamp,axis1,axis2,axis3,steps,vm", "00:00:01"), ("Axis1,Axis2,Axis3", "00:01:00")]
)
@pytest.mark.parametrize("above", [True, False])
def test_counts_are_refused_by_name(tmp_path: Path, header: str, epoch: str, above: bool) -> None:
    counts = np.random.default_rng(1).integers(0, 128, (240, 3)).tolist()
    stamped = header.startswith("Time")
    body = [
        (f"2024-02-05T09:{30 + i // 60}:{i % 60:02d}Z," if stamped else "")
        + f"{x},{y},{z}" + (",1,99" if stamped else "")
        for i, (x, y, z) in enumerate(counts)
    ]  # fmt: skip
    text = cases.actigraph(header, body, hz=None, epoch=epoch) if above else "\n".join([header, *body, ""])
    with pytest.raises(UnreadableData, match="counts, one for each epoch"):
        read(tmp_path, text)


def test_capture_24_is_read_with_its_annotations(tmp_path: Path) -> None:
    t, a, _, _ = cases.person()
    remark = ["7030 sleeping;MET 0.95" if x < 15 else "" for x in t]
    stamps = [cases.stamp(x) for x in t]
    recording = read(tmp_path, cases.table("time,x,y,z,annotation", stamps, *(a.T / cases.G).round(4), remark))
    assert (recording.app, recording.activities) == ("Capture-24", ("7030 sleeping;MET 0.95",))
    assert upright(recording, a)
    labels = recording.streams[0].labels
    assert labels is not None
    assert np.bincount(labels + 1).tolist() == [1500, 1500]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.db", b"SQLite format 3\x00" + bytes(200), "SQLite"),
        ("a.agd", b"SQLite format 3\x00" + bytes(200), "counts"),
    ],
)
def test_files_of_other_devices_are_refused_by_name(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableData, match=what) as refusal:
        read_upload(path, name)
    assert "CSV" in str(refusal.value)


# --- a data set of folders


@pytest.mark.parametrize("named", ["files", "one file", "folders"])
def test_a_table_of_labels_keeps_the_files_of_a_folder_together(tmp_path: Path, named: str) -> None:
    lines = ["recording,label,subject,start,end"]
    for number, folder in enumerate(("P01", "P02")):
        t, a, w, g = cases.person(seed=number)
        (tmp_path / folder).mkdir()
        files = {"Accelerometer": g - a, "Gravity": -g, "Gyroscope": w}
        for name, own in files.items():
            (tmp_path / folder / f"{name}.csv").write_text(cases.sensor_logger(t, own))
        (tmp_path / folder / "Metadata.csv").write_text(cases.metadata("ios"))
        told = {"files": [f"{folder}/{name}.csv" for name in files], "folders": [folder]}
        for name in told.get(named, [f"{folder}/Gyroscope.csv"]):
            lines += [f"{name},stand,{folder},0,15", f"{name},walk,{folder},15,30"]
    (tmp_path / "labels.csv").write_text("\n".join([*lines, ""]))
    table = FromTable(table="labels.csv")
    with open_files(tmp_path) as members:
        parts = list(DescribedDataset(Description(label=table, subject=table)).read_dataset(members))
    recordings = [recording for part in parts for recording in part.recordings]
    assert [(own.recording_id, own.subject, own.activities) for own in recordings] == [
        ("P01", "P01", ("stand", "walk")), ("P02", "P02", ("stand", "walk")),
    ]  # fmt: skip
    for number, recording in enumerate(recordings):
        assert {"accelerometer", "gyroscope"} <= {own.modality for own in recording.streams}
        assert upright(recording, cases.person(seed=number)[1])
    assert [problem.kind for part in parts for problem in part.problems] == []
