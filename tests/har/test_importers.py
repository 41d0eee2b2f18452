"""Every format that people bring: what an app writes of a recording is what was recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.har.problems import ProblemKind
from app.har.recordings.importers import IMPORTERS
from app.har.recordings.layout import sniff
from app.har.signals.clocks import sampling_rate
from app.har.signals.normalisation import normalise_upload
from app.har.signals.turning import turning_ratio
from app.har.signals.types import Recording, Stream
from app.har.signals.units import unit_of_text
from tests import exports, synthetic
from tests.exports import START_S, e4, kinds, stream, upload, walk, zipped

G = 9.80665


def of_two_rates() -> Recording:
    """Return a walk whose gyroscope is slower than its accelerometer, each on a clock of its own."""
    fast, slow = walk(), walk(rate_hz=50.0)
    gyroscope = stream(slow, "gyroscope")
    return replace(fast, streams=(fast.streams[0], replace(gyroscope, time_s=gyroscope.time_s + 0.013)))


def of_all_kinds() -> Recording:
    """Return a walk with gravity, and what a phone makes of it."""
    base = walk()
    own = stream(base, "accelerometer")
    free = synthetic.recording("Walk", seconds=12.0, rate_hz=100.0).streams[0]
    field = np.tile(np.array([20.0, -5.0, -42.0], np.float32), (len(own.time_s), 1)) + free.values / 10
    return replace(
        base,
        streams=(
            *base.streams,
            replace(free, modality="linear_accelerometer"),
            replace(own, modality="gravity", values=own.values - free.values),
            replace(own, modality="magnetometer", values=field.astype(np.float32)),
        ),
    )


def turning(rate_hz: float = 100.0, seconds: float = 20.0) -> Recording:
    """Return a device that is turned to and fro: gravity turns in its axes as its gyroscope says."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    angle = 0.8 * np.sin(2 * np.pi * 0.25 * time)
    acceleration = G * np.column_stack([np.zeros_like(time), np.sin(angle), np.cos(angle)])
    rotation = np.column_stack([np.gradient(angle, time), np.zeros_like(time), np.zeros_like(time)])
    noise = np.random.default_rng(0).normal(0, 0.05, (2, len(time), 3))
    values = acceleration + noise[0], rotation + 0.1 * noise[1]
    streams = [
        Stream(name, time, own.astype(np.float32))
        for name, own in zip(("accelerometer", "gyroscope"), values, strict=True)
    ]
    return Recording("turning", "1", tuple(streams), "included")


def assert_same(found: Recording, written: Recording, atol: float = 1e-4, time_atol: float = 1e-6) -> None:
    """Compare streams of the same names: values, and times on one clock."""
    assert {s.modality for s in found.streams} == {s.modality for s in written.streams}
    origin = min(s.time_s[0] for s in found.streams) - min(s.time_s[0] for s in written.streams)
    for own in written.streams:
        again = stream(found, own.modality)
        assert again.values.shape == own.values.shape, own.modality
        np.testing.assert_allclose(again.values, own.values, atol=atol, err_msg=own.modality)
        np.testing.assert_allclose(again.time_s - origin, own.time_s, atol=time_atol, err_msg=own.modality)
    assert found.gravity == written.gravity


Writer = Callable[[Recording], str | bytes | dict[str, str]]
# format -> (writer, app, unit of the accelerometer, whether the start is known)
FORMATS: dict[str, tuple[Writer, str, str, bool]] = {
    "sensor logger": (exports.sensor_logger, "Sensor Logger", "m/s², by the app's standard", True),
    "sensor logger, iOS": (lambda r: exports.sensor_logger(r, platform="ios"), "Sensor Logger", "m/s²", True),
    "sensor logger, iOS standardised": (
        lambda r: exports.sensor_logger(r, platform="ios", standardised=True),
        "Sensor Logger",
        "m/s²",
        True,
    ),
    "sensor logger, JSON": (exports.sensor_logger_json, "Sensor Logger", "m/s²", True),
    "phyphox": (exports.phyphox, "phyphox", "m/s², by the header", True),
    "phyphox, semicolons": (lambda r: exports.phyphox(r, separator=";"), "phyphox", "m/s², by the header", True),
    "phyphox, tabs": (lambda r: exports.phyphox(r, separator="\t"), "phyphox", "m/s², by the header", True),
    "phyphox, decimal comma": (
        lambda r: exports.phyphox(r, separator=";", decimal=","),
        "phyphox",
        "m/s², by the header",
        True,
    ),
    "phyphox, sensor in the file's name": (lambda r: exports.phyphox(r, plain=True), "phyphox", "m/s²", True),
    "physics toolbox": (exports.physics_toolbox, "Physics Toolbox", "g, by the app's standard", False),
    "aware": (exports.aware, "AWARE", "m/s², by its size", True),
}


@pytest.mark.parametrize("name", FORMATS)
def test_what_an_app_exports_is_read_as_it_was_measured(name: str, tmp_path: Path) -> None:
    write, app, unit, dated = FORMATS[name]
    written = walk()
    (found,) = upload(tmp_path, write(written))
    time_atol = {"AWARE": 6e-4}.get(app, 1e-6)  # whole milliseconds
    assert_same(found, written, time_atol=time_atol)
    assert found.app == app
    assert stream(found, "accelerometer").unit_found.startswith(unit)
    assert stream(found, "gyroscope").unit_found.startswith("rad/s")
    assert found.origin_utc_s == (pytest.approx(START_S, abs=1e-3) if dated else None)
    assert [kind for kind in kinds(found) if kind != "axes inverted"] == []


@pytest.mark.parametrize("name", [n for n in FORMATS if n not in ("physics toolbox", "aware")])
def test_sensors_of_two_rates_keep_their_own_clocks(name: str, tmp_path: Path) -> None:
    written = of_two_rates()
    (found,) = upload(tmp_path, FORMATS[name][0](written))
    assert_same(found, written)
    assert [round(sampling_rate(s.time_s)) for s in found.streams] == [100, 50]


@pytest.mark.parametrize("name", [n for n in FORMATS if n != "aware"])
def test_acceleration_without_gravity_is_the_accelerometer_where_nothing_else_is(name: str, tmp_path: Path) -> None:
    written = walk("removed")
    (found,) = upload(tmp_path, FORMATS[name][0](written))
    assert_same(found, written)
    assert found.gravity == "removed"


@pytest.mark.parametrize(
    "write", [exports.sensor_logger, exports.aware, lambda r: exports.sensor_logger(r, platform="ios")]
)
def test_every_sensor_of_a_phone_is_kept_under_its_own_name(write: Writer, tmp_path: Path) -> None:
    written = of_all_kinds()
    (found,) = upload(tmp_path, write(written))
    assert_same(found, written, time_atol=6e-4)
    assert [s.modality for s in found.streams][:3] == ["accelerometer", "gyroscope", "linear_accelerometer"]


def test_gravity_and_the_rest_add_up_where_the_total_was_not_exported(tmp_path: Path) -> None:
    written = of_all_kinds()
    files = exports.sensor_logger(written)
    del files["TotalAcceleration.csv"]
    (found,) = upload(tmp_path, files)
    assert_same(found, written)
    assert "the sum of gravity" in stream(found, "accelerometer").unit_found


SURROUNDINGS = {"heart_rate": 72.0, "pressure": 1003.25, "sound_level": -42.5, "light": 310.0}


def in_surroundings() -> Recording:
    time = np.arange(1.0, 12.0, 2.0)
    beside = [Stream(kind, time, np.full((len(time), 1), value, np.float32)) for kind, value in SURROUNDINGS.items()]
    return replace(walk(), streams=(*walk().streams, *beside))


def test_heart_rate_pressure_loudness_and_light_come_with_sensor_logger(tmp_path: Path) -> None:
    (found,) = upload(tmp_path, exports.sensor_logger(in_surroundings()))
    assert_same(found, in_surroundings())
    assert kinds(found) == []


def test_pressure_is_in_hectopascal_whatever_it_was_written_in(tmp_path: Path) -> None:
    files = exports.sensor_logger(in_surroundings())
    for written, unit in (("100.325", "kPa, by its size"), ("100325", "Pa, by its size")):
        files["Barometer.csv"] = files["Barometer.csv"].replace("1003.25", written)
        (found,) = upload(tmp_path, files)
        pressure = stream(found, "pressure")
        assert pressure.values.max() == pytest.approx(1003.25)
        assert pressure.unit_found == unit
        files["Barometer.csv"] = files["Barometer.csv"].replace(written, "1003.25")
    files["Barometer.csv"] = files["Barometer.csv"].replace("1003.25", "120.0")  # as of blood, in mmHg
    (found,) = upload(tmp_path, files)
    assert "pressure" not in [own.modality for own in found.streams]
    assert kinds(found) == ["unreadable file"]


@pytest.mark.parametrize(
    ("heading", "value", "modality"),
    [("Pressure (hPa)", "1.00325E3", "pressure"), ("Illuminance (lx)", "3.1E2", "light"),
     ("Sound pressure level (dB)", "-4.25E1", "sound_level")],
)  # fmt: skip
def test_phyphox_has_sensors_of_one_column(heading: str, value: str, modality: str, tmp_path: Path) -> None:
    files = exports.phyphox(walk())
    files["Other.csv"] = exports.rows(f'"Time (s)","{heading}"', [[str(i) for i in range(9)], [value] * 9])
    (found,) = upload(tmp_path, files)
    assert stream(found, modality).values[:, 0].tolist() == pytest.approx([SURROUNDINGS[modality]] * 9)
    assert kinds(found) == []


def test_what_phyphox_computes_of_a_lift_is_not_missed(tmp_path: Path) -> None:
    header = '"Time (s)","Pressure (hPa)","Altitude (m)","Time (velocity) (s)","Velocity (m/s)"'
    seconds, pressure = [str(i) for i in range(9)], ["1.00325E3"] * 9
    (found,) = upload(tmp_path, exports.rows(header, [seconds, pressure, seconds, seconds, seconds]), "lift.csv")
    assert [own.modality for own in found.streams] == ["pressure"]
    assert kinds(found) == []


def test_physics_toolbox_writes_pressure_light_and_loudness_into_every_row(tmp_path: Path) -> None:
    header, *lines = exports.physics_toolbox(walk()).strip().splitlines()
    text = "\n".join([f"{header}p,I,dB,", *(f"{line}1003.25,310,-42.5," for line in lines)])
    (found,) = upload(tmp_path, text, "record.csv")
    for modality in ("pressure", "light", "sound_level"):
        assert set(stream(found, modality).values.ravel().tolist()) == {SURROUNDINGS[modality]}
    assert kinds(found) == kinds(upload(tmp_path, exports.physics_toolbox(walk()), "record.csv")[0])


def test_the_uncalibrated_accelerometer_serves_where_it_is_alone_and_may_be_in_g(tmp_path: Path) -> None:
    written = walk()
    files = exports.sensor_logger(written)
    total = stream(written, "accelerometer")
    in_g = replace(written, streams=(replace(total, values=total.values / np.float32(G)),))
    files["AccelerometerUncalibrated.csv"] = exports.sensor_logger(in_g)["TotalAcceleration.csv"]
    (both,) = upload(tmp_path, files)
    assert_same(both, written)
    del files["TotalAcceleration.csv"]
    (alone,) = upload(tmp_path, files)
    assert_same(alone, written)
    assert stream(alone, "accelerometer").unit_found == "g, by its size"


@pytest.mark.parametrize(
    ("sensor", "modality"),
    [("TotalAcceleration", "accelerometer"), ("Gyroscope", "gyroscope"), ("Magnetometer", "magnetometer")],
)
def test_a_lone_file_of_any_name_is_told_by_its_size(sensor: str, modality: str, tmp_path: Path) -> None:
    written = of_all_kinds()
    (found,) = upload(tmp_path, exports.sensor_logger(written)[f"{sensor}.csv"], "monday.csv")
    assert [s.modality for s in found.streams] == [modality]
    np.testing.assert_allclose(found.streams[0].values, stream(written, modality).values, atol=1e-4)
    assert kinds(found) == ["sensor by size"]
    assert found.problems[0].source == "monday.csv"


def test_a_name_that_gravity_contradicts_is_not_believed(tmp_path: Path) -> None:
    text = exports.sensor_logger(walk())["TotalAcceleration.csv"]
    (found,) = upload(tmp_path, text, "Accelerometer.csv")
    assert found.gravity == "included"
    assert kinds(found) == ["gravity found"]


def test_a_name_that_promises_gravity_is_not_believed_either(tmp_path: Path) -> None:
    text = exports.sensor_logger(walk("removed"))["Accelerometer.csv"]
    (found,) = upload(tmp_path, text, "TotalAcceleration.csv")
    assert found.gravity == "removed"
    assert kinds(found) == ["no gravity"]


def test_running_without_gravity_is_not_taken_for_gravity_in_g(tmp_path: Path) -> None:
    written = synthetic.recording("Run", seconds=12.0, rate_hz=100.0)
    own = stream(written, "accelerometer")
    drifting = replace(own, values=own.values + np.array([0.0, 0.0, 1.0], np.float32))  # a mean of 1 m/s²
    text = exports.phyphox(replace(written, gravity="included", streams=(drifting,)))["Accelerometer.csv"]
    (found,) = upload(tmp_path, text, "run.csv")
    assert (found.gravity, kinds(found)) == ("removed", [])
    np.testing.assert_allclose(found.streams[0].values, drifting.values, atol=1e-4)


def test_several_exports_in_one_archive_are_several_recordings(tmp_path: Path) -> None:
    one, two = exports.sensor_logger(walk()), exports.phyphox(walk("removed"))
    files = {f"monday/{k}": v for k, v in one.items()} | {f"tuesday/{k}": v for k, v in two.items()}
    files |= {f"wednesday/{k}": v for k, v in one.items()}
    found = upload(tmp_path, files)
    assert {r.recording_id: (r.app, r.gravity, len(r.streams)) for r in found} == {
        "monday": ("Sensor Logger", "included", 2),
        "tuesday": ("phyphox", "removed", 2),
        "wednesday": ("Sensor Logger", "included", 2),
    }
    assert found[1].recording_id == "wednesday" or found[2].origin_utc_s == pytest.approx(START_S)


def test_a_ruined_column_of_nanoseconds_gives_way_to_the_seconds(tmp_path: Path) -> None:
    written = walk()
    lines = exports.sensor_logger(written)["TotalAcceleration.csv"].splitlines()
    ruined = [lines[0], *(",".join(["1.75215E+18", *line.split(",")[1:]]) for line in lines[1:])]
    (found,) = upload(tmp_path, "\n".join(ruined), "TotalAcceleration.csv")
    assert np.ptp(found.streams[0].time_s) == pytest.approx(np.ptp(written.streams[0].time_s))
    assert kinds(found) == ["unusable timestamps"]
    assert found.origin_utc_s is None


# What the heading says -> what the values were multiplied by, what is found
@pytest.mark.parametrize(
    ("unit", "factor", "told"),
    [
        ("deg/s", np.degrees(1.0), "deg/s, by the header"),
        ("°/s", np.degrees(1.0), "deg/s, by the header"),
        ("rad/s", 1.0, "rad/s, by the header"),
        ("deg/s", 1.0, "rad/s, by how fast it turns"),
        ("rad/s", np.degrees(1.0), "deg/s, by"),
    ],
)
def test_a_gyroscope_is_in_rad_per_s_whatever_its_heading_says(
    unit: str, factor: float, told: str, tmp_path: Path
) -> None:
    written = turning()
    (found,) = normalise_upload(upload(tmp_path, exports.phyphox(written, units={"gyroscope": (unit, factor)})))
    assert_same(found, written, atol=1e-3)
    assert stream(found, "gyroscope").unit_found.startswith(told)
    expected = "unit converted" if factor != 1.0 and unit != "rad/s" else "unit mismatch"
    assert (expected in kinds(found)) == (unit != "rad/s" or factor != 1.0)


@pytest.mark.parametrize(
    ("unit", "factor", "told"),
    [("g", 1 / G, "g, by the header"), ("m/s^2", 1 / G, "g, by its size"), ("g", 1.0, "m/s², by its size"),
     ("mg", 1000 / G, "mg, by the header"), ("m/s²", 1.0, "m/s², by the header")],
)  # fmt: skip
def test_acceleration_is_in_m_per_s2_whatever_its_heading_says(
    unit: str, factor: float, told: str, tmp_path: Path
) -> None:
    written = walk()
    (found,) = upload(tmp_path, exports.phyphox(written, units={"accelerometer": (unit, factor)}))
    assert_same(found, written, atol=1e-3)
    assert stream(found, "accelerometer").unit_found == told
    assert ("unit mismatch" in kinds(found)) == told.endswith("by its size")


def test_gravity_turns_as_a_right_gyroscope_says() -> None:
    written = turning()
    ratio, correlation = turning_ratio(*written.streams)
    assert ratio == pytest.approx(1.0, abs=0.1)
    assert correlation > 0.9


@pytest.mark.parametrize(
    ("text", "unit"),
    [("m/s^2", "m/s²"), ("m/s²", "m/s²"), ("ms-2", "m/s²"), ("g", "g"), ("mg", "mg"), ("rad/s", "rad/s"),
     ("deg/s", "deg/s"), ("°/s", "deg/s"), ("dps", "deg/s"), ("degrees/s", "deg/s"), ("deg/sec", "deg/s"),
     ("°/sec", "deg/s"), ("degree/second", "deg/s"), ("degrees per second", "deg/s"), ("radians/s", "rad/s"),
     ("mdps", "mdeg/s"), ("µT", "µT"), ("hPa", "hPa"), ("mbar", "hPa"),
     ("lx", "lux"), ("dB", "dB"), ("kV", ""), ("", "")],
)  # fmt: skip
def test_units_are_known_by_their_spellings(text: str, unit: str) -> None:
    assert unit_of_text(text) == unit


@pytest.mark.parametrize("clock", ["time", "date"])
def test_physics_toolbox_may_write_the_time_of_day(clock: str, tmp_path: Path) -> None:
    written = walk()
    (found,) = upload(tmp_path, exports.physics_toolbox(written, clock=clock), "record.csv")  # over midnight
    assert_same(found, written, time_atol=1e-4)


def test_physics_toolbox_repeats_slow_sensors_and_writes_zeros_first(tmp_path: Path) -> None:
    accelerometer, gyroscope = of_two_rates().streams
    late = replace(gyroscope, time_s=gyroscope.time_s + 0.1)
    linear = walk("removed").streams[0]
    rarely = replace(linear, modality="linear_accelerometer", time_s=linear.time_s[::10], values=linear.values[::10])
    written = replace(of_two_rates(), streams=(accelerometer, late, rarely))
    (found,) = upload(tmp_path, exports.physics_toolbox(written), "record.csv")
    assert {s.modality: round(sampling_rate(s.time_s)) for s in found.streams}["linear_accelerometer"] == 10
    zeros = [problem.detail for problem in found.problems if problem.kind == "zeros at the start"]
    assert len(zeros) == 1
    assert zeros[0].startswith("wx, wy, wz: the first 1")
    assert "repeated values" in kinds(found)


@pytest.mark.parametrize("write", [exports.workbook, exports.old_workbook])
def test_a_workbook_of_phyphox_is_read_sheet_by_sheet(write: Callable[..., bytes], tmp_path: Path) -> None:
    written = walk(seconds=6.0)
    heads = {"accelerometer": "Acceleration {} (m/s^2)", "gyroscope": "Gyroscope {} (rad/s)"}
    sheets = {
        own.modality.title(): [
            ["Time (s)", *(heads[own.modality].format(axis) for axis in "xyz")],
            *np.column_stack([own.time_s, own.values]).tolist(),
        ]
        for own in written.streams
    }
    (found,) = upload(tmp_path, write(sheets), "walk.xls")
    assert_same(found, written)
    (inside,) = upload(tmp_path, zipped({"walk.xls": write(sheets)}), "walk.zip")
    assert_same(inside, written)


def test_aware_on_an_iphone_is_in_g_with_apples_sign(tmp_path: Path) -> None:
    written = walk()
    (found,) = upload(tmp_path, exports.aware(written, unit_g=True))
    assert_same(found, written, time_atol=6e-4)
    assert stream(found, "accelerometer").unit_found == "g, by its size"
    assert kinds(found) == ["axes inverted"]
    linear = Stream("linear_accelerometer", written.streams[0].time_s, written.streams[0].values - [0, 0, 9.80665])
    both = replace(written, streams=(*written.streams, replace(linear, values=linear.values.astype(np.float32))))
    (found,) = upload(tmp_path, exports.aware(both, unit_g=True))
    assert_same(found, both, time_atol=6e-4)


@pytest.mark.parametrize("unit_g", [False, True])
def test_awares_barometer_and_light_have_one_column_each(unit_g: bool, tmp_path: Path) -> None:
    beside = [own for own in in_surroundings().streams if own.kind not in ("heart_rate", "sound_level")]
    written = replace(in_surroundings(), streams=tuple(beside))
    (found,) = upload(tmp_path, exports.aware(written, unit_g=unit_g))
    assert_same(found, written, time_atol=6e-4)
    assert stream(found, "pressure").unit_found == "hPa, by its size"
    assert stream(found, "light").unit_found == "lux, by the format"


def test_hhar_is_read_back_with_its_activity(tmp_path: Path) -> None:
    written = walk()
    (found,) = upload(tmp_path, exports.hhar(written))
    assert_same(found, written)
    assert (found.app, found.activities, found.origin_utc_s) == ("HHAR", ("walk",), pytest.approx(START_S))


def test_motion_sense_gives_total_acceleration_the_right_way_up(tmp_path: Path) -> None:
    written = walk(rate_hz=50.0)
    (found,) = upload(tmp_path, {"A_DeviceMotion_data/wlk_7/sub_3.csv": exports.motion_sense(written)})
    own = stream(found, "accelerometer")
    np.testing.assert_allclose(own.values, stream(written, "accelerometer").values, atol=1e-4)
    np.testing.assert_allclose(own.time_s, stream(written, "accelerometer").time_s, atol=1e-9)
    parts = stream(found, "gravity").values + stream(found, "linear_accelerometer").values
    np.testing.assert_allclose(parts, own.values, atol=1e-4)
    assert (found.activity, found.subject, found.gravity, found.app) == ("walking", "3", "included", "MotionSense")
    assert own.values[:, 2].mean() == pytest.approx(9.81, abs=0.1)
    assert kinds(found) == ["axes inverted", "constant signal"]  # the made-up gravity


def test_wisdm_is_a_recording_a_person(tmp_path: Path) -> None:
    written = walk(rate_hz=20.0)
    one = replace(written, streams=written.streams[:1])
    text = exports.wisdm(one, "33", "Walking") + exports.wisdm(one, "7", "Jogging")
    found = upload(tmp_path, text, "WISDM_ar_v1.1_raw.txt")
    assert {r.subject: r.activities for r in found} == {"33": ("Walking",), "7": ("Jogging",)}
    for recording in found:
        assert_same(recording, one)


def test_the_known_faults_of_wisdm_are_survived_and_listed(tmp_path: Path) -> None:
    written = walk(rate_hz=20.0)
    one = replace(written, streams=written.streams[:1])
    lines = exports.wisdm(one).splitlines()
    lines[10] += lines.pop(11)  # two rows on a line
    lines[20] = ",".join([*lines[20].split(",")[:5], ";"])  # no z
    lines[30] = "33,Walking,0,0,0,0;"
    lines[40] = ""
    lines[41] = "33,Walking,;"
    (found,) = upload(tmp_path, "\n".join(lines), "raw.txt")
    assert "corrupt rows" in kinds(found)
    assert len(found.streams[0].time_s) == len(one.streams[0].time_s) - 4
    assert "3 of 239 rows" in found.problems[0].detail


def test_wisdm_of_2019_joins_devices_and_sensors_of_a_person(tmp_path: Path) -> None:
    written = walk(rate_hz=20.0)
    names = {"accel": "accelerometer", "gyro": "gyroscope"}
    files = {
        f"raw/{device}/{short}/data_1600_{short}_{device}.txt": exports.wisdm(
            replace(written, streams=(stream(written, modality),)), "1600", "A"
        )
        for device in ("phone", "watch")
        for short, modality in names.items()
    }
    (found,) = upload(tmp_path, files)
    assert {s.modality for s in found.streams} == {f"{d}.{m}" for d in ("phone", "watch") for m in names.values()}
    assert (found.subject, found.activities) == ("1600", ("Walking",))
    np.testing.assert_allclose(stream(found, "watch.gyroscope").values, stream(written, "gyroscope").values, atol=1e-4)


def test_pamap2_has_three_devices_and_a_heart_rate(tmp_path: Path) -> None:
    base = walk()
    devices = ("hand", "chest", "ankle")
    streams = tuple(
        replace(own, modality=f"{device}.{own.modality}", values=own.values * np.float32(1 + i / 10))
        for i, device in enumerate(devices)
        for own in base.streams
    )
    (found,) = upload(tmp_path, exports.pamap2(replace(base, streams=streams)), "subject101.dat")
    for own in streams:
        np.testing.assert_allclose(stream(found, own.modality).values, own.values, atol=1e-4)
        np.testing.assert_allclose(stream(found, own.modality).time_s, own.time_s, atol=1e-6)
    pulse = stream(found, "heart_rate")
    assert sampling_rate(pulse.time_s) == pytest.approx(9.0, abs=0.2)
    assert set(pulse.values.ravel().tolist()) == {100.0}
    assert (found.subject, found.activities, found.gravity) == ("101", ("walking",), "included")
    labels = stream(found, "hand.accelerometer").labels
    assert labels is not None
    assert set(labels.tolist()) == {0}
    assert {p.detail.split(":")[0] for p in found.problems} >= {"subject101.dat, line 1"}  # no magnetometer was written


def test_an_e4_brings_the_body_beside_the_movement(tmp_path: Path) -> None:
    (found,) = upload(tmp_path, exports.empatica(e4()), "1628_A00F7B.zip")
    assert_same(found, e4())
    assert (found.app, found.origin_utc_s, found.recording_id) == ("Empatica E4", START_S, "1628_A00F7B.zip")
    assert stream(found, "accelerometer").unit_found == "1/64 g, by the format"
    assert kinds(found) == []


def test_beats_give_a_heart_rate_where_nothing_else_does(tmp_path: Path) -> None:
    files = {k: v for k, v in exports.empatica(e4()).items() if k != "HR.csv"}
    files["IBI.csv"] = f"{START_S:.6f}, IBI\n" + "".join(f"{i * 0.75:.6f},0.750000\n" for i in range(1, 60))
    (found,) = upload(tmp_path, files)
    assert set(stream(found, "heart_rate").values.ravel().tolist()) == {80.0}


def test_sisfall_is_converted_by_its_formula(tmp_path: Path) -> None:
    written = walk(rate_hz=200.0)
    (found,) = upload(tmp_path, {"SisFall_dataset/SA01/D01_SA01_R01.txt": exports.sisfall(written)})
    assert_same(found, written, atol=G / 256)  # one bit
    assert (found.subject, found.activity, found.app) == ("SA01", "Walking slowly", "SisFall")


def test_hapt_pairs_are_read_without_the_rest_of_the_set(tmp_path: Path) -> None:
    written = walk(rate_hz=50.0)
    (found,) = upload(tmp_path, exports.hapt(written))
    assert_same(found, written)
    assert (found.subject, found.activities, kinds(found)) == ("7", (), [])
    (labelled,) = upload(tmp_path, exports.hapt(written) | {"labels.txt": "1 7 1 101 400\n1 7 5 401 500\n"})
    labels = labelled.streams[0].labels
    assert labels is not None
    assert [labelled.activities[code] if code >= 0 else None for code in labels[[0, 99, 100, 399, 400, 499, 500]]] == [
        None, None, "WALKING", "WALKING", "STANDING", "STANDING", None,
    ]  # fmt: skip


def test_windows_of_uci_har_are_joined_where_they_follow_one_another(tmp_path: Path) -> None:
    written = walk(rate_hz=50.0, seconds=12.8)
    files = exports.uci_har_windows(written)
    (found,) = upload(tmp_path, files)
    assert_same(found, written)
    assert (found.subject, found.activities[0], found.app) == ("5", "WALKING", "UCI HAR")
    torn = {
        k: v if not k.endswith("_train.txt") or "Inertial" not in k else "\n".join(
            line for i, line in enumerate(v.splitlines()) if i != 4
        )
        for k, v in files.items()
    } | {"train/subject_train.txt": "5\n" * 8, "train/y_train.txt": "1\n" * 8}  # fmt: skip
    first, second = upload(tmp_path, torn)
    assert (len(first.streams[0].time_s), len(second.streams[0].time_s)) == (64 * 5, 64 * 5)
    np.testing.assert_allclose(second.streams[0].values, written.streams[0].values[64 * 5 :], atol=1e-4)


def test_a_sensor_that_cannot_be_read_leaves_the_others(tmp_path: Path) -> None:
    files = exports.sensor_logger(walk()) | {"Gyroscope.csv": "time,seconds_elapsed,z,y,x\n"}
    (found,) = upload(tmp_path, files)
    assert [s.modality for s in found.streams] == ["accelerometer"]
    assert [(p.source, p.kind) for p in found.problems] == [("Gyroscope.csv", "unreadable file")]


def test_an_archive_packed_with_backslashes_keeps_its_folders_apart(tmp_path: Path) -> None:
    files = {f"{day}/{k}": v for day in ("monday", "tuesday") for k, v in exports.sensor_logger(walk()).items()}
    packed = zipped(files).replace(b"monday/", b"monday\\").replace(b"tuesday/", b"tuesday\\")
    assert [r.recording_id for r in upload(tmp_path, packed)] == ["monday", "tuesday"]


def test_an_export_that_cannot_be_read_leaves_the_others(tmp_path: Path) -> None:
    files = {f"monday/{k}": v for k, v in exports.sensor_logger(walk()).items()}
    files |= {"tuesday/Gyroscope.csv": "time,seconds_elapsed,z,y,x\n" + "1,a,b,c,d\n" * 20}
    (found,) = upload(tmp_path, files)
    assert found.recording_id == "monday"
    assert [(p.source, p.kind) for p in found.problems] == [("tuesday", "unreadable recording")]


def test_files_that_are_not_used_are_told(tmp_path: Path) -> None:
    files = exports.sensor_logger(walk()) | {
        "Location.csv": "time,seconds_elapsed,latitude\n1752154081500000000,0.1,51.5\n",
        "photo.jpg": "\x00\x01",
    }
    (found,) = upload(tmp_path, files)
    assert sorted((p.source, p.kind) for p in found.problems) == [
        ("photo.jpg", "unreadable file"), ("upload.zip", "file not used"),
    ]  # fmt: skip
    assert "Location.csv" in found.problems[-1].detail


def test_every_generated_file_is_of_exactly_one_importer() -> None:
    every = {
        **exports.sensor_logger(of_all_kinds()), "ph/a": exports.phyphox(walk())["Accelerometer.csv"],
        "ph/t": exports.phyphox(walk())["meta/time.csv"], "pt": exports.physics_toolbox(walk()),
        **{f"aw/{k}": v for k, v in exports.aware(walk()).items()}, **exports.hhar(walk()),
        "ms": exports.motion_sense(walk()), "wisdm": exports.wisdm(walk()), "pamap": exports.pamap2(walk()),
        **exports.empatica(e4()), "sisfall": exports.sisfall(walk()), **exports.hapt(walk()),
        **exports.uci_har_windows(walk()), "oxford": exports.oxford_walk(walk()),
        "walking_01_26Hz_4g_mg.csv": exports.stm_har(walk()),
    }  # fmt: skip
    for name, text in every.items():
        if name != "info.txt":
            layout = sniff(text.encode()[: 2**20], name, complete=len(text) < 2**20)
            assert len([i.APP for i in IMPORTERS if i.matches(layout)]) == 1, name


@pytest.mark.parametrize("start", ["1e400", "nan", "-1e300", "1e12"])
def test_a_start_that_no_clock_reads_is_left_out(tmp_path: Path, start: str) -> None:
    files = exports.phyphox(walk())
    files["meta/time.csv"] = files["meta/time.csv"].replace(f"{START_S:.3f}", start)
    (found,) = upload(tmp_path, files)
    assert found.origin_utc_s is None
    assert kinds(found) == [ProblemKind.DATE_NOT_USED]
