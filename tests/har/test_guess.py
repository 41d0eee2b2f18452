"""What an unknown table's columns are guessed to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.har.errors import HarError
from app.har.recordings.files import in_memory, open_files
from app.har.recordings.mappings import mapped
from app.har.recordings.mappings.guess import Guess, guess
from app.har.recordings.mappings.mapping import ColumnMapping
from app.har.recordings.tables import open_table
from tests.tables import ACC, GYRO, LINEAR, TIME, G, german, labelled, rows, table

DEGREES = np.degrees(GYRO)
XYZ = ("x", "y", "z")


def guessed(content: str) -> Guess:
    return guess(open_table(in_memory("walk.csv", content.encode())))


def axes(*names: str) -> tuple[str, ...]:
    """Return names with {} for x, y and z."""
    return tuple(name.format(axis) for name in names for axis in XYZ)


# header, columns, (time, unit), {sensor: (first column, unit)}, gravity
GUESSES = {
    "short names, degrees by their size": (
        table("t,ax,ay,az,gx,gy,gz", [TIME, ACC, DEGREES]),
        ("t", "s"),
        {"accelerometer": ("ax", "m/s²"), "gyroscope": ("gx", "deg/s")},
        "included",
    ),
    "units in the heading": (
        table(
            "timestamp_ms,Acc_X (g),Acc_Y (g),Acc_Z (g),Gyr_X (°/s),Gyr_Y (°/s),Gyr_Z (°/s)",
            [TIME * 1e3, ACC / G, DEGREES],
        ),
        ("timestamp_ms", "ms"),
        {"accelerometer": ("Acc_X (g)", "g"), "gyroscope": ("Gyr_X (°/s)", "deg/s")},
        "included",
    ),
    "thousandths of g": (
        table("time,acc_x_mg,acc_y_mg,acc_z_mg", [TIME, ACC / G * 1000]),
        ("time", "s"),
        {"accelerometer": ("acc_x_mg", "mg")},
        "included",
    ),
    "German, semicolons, decimal commas": (
        german(),
        ("Zeit (s)", "s"),
        {"accelerometer": ("Beschleunigung X (m/s^2)", "m/s²"), "gyroscope": ("Drehrate X (°/s)", "deg/s")},
        "included",
    ),
    "no header, with gravity": (
        table("", [TIME, ACC, GYRO]),
        ("column 1", "s"),
        {"accelerometer": ("column 2", "m/s²"), "gyroscope": ("column 5", "rad/s")},
        "included",
    ),
    "no header, gyroscope first": (
        table("", [TIME, GYRO, ACC]),
        ("column 1", "s"),
        {"gyroscope": ("column 2", "rad/s"), "accelerometer": ("column 5", "m/s²")},
        "included",
    ),
    "no header, no gravity": (
        table("", [TIME, LINEAR]),
        ("column 1", "s"),
        {"accelerometer": ("column 2", "m/s²")},
        "removed",
    ),
    "nanoseconds since 1970, bare axes in g": (
        rows(
            "epoch,x,y,z",
            lambda i, t, v: f"{1_700_000_000_000_000_000 + int(t * 1e9)},{v[0] / G},{v[1] / G},{v[2] / G}",
        ),
        ("epoch", "ns"),
        {"accelerometer": ("x", "g")},
        "included",
    ),
    "date-time text": (
        rows("Date,accX,accY,accZ", lambda i, t, v: f"2024-05-31 12:00:{t:06.3f},{v[0]},{v[1]},{v[2]}"),
        ("Date", "date-time"),
        {"accelerometer": ("accX", "m/s²")},
        "included",
    ),
    "date-time text of whole seconds beside a finer clock": (
        rows("date,elapsed,ax,ay,az", lambda i, t, v: f"31.05.2024 12:00:{int(t):02d},{t},{v[0]},{v[1]},{v[2]}"),
        ("elapsed", "s"),
        {"accelerometer": ("ax", "m/s²")},
        "included",
    ),
    "what the phone made of it": (
        table(
            ",".join(
                [
                    "seconds_elapsed",
                    *axes("userAcceleration.{}", "rotationRate.{}"),
                    "attitude.roll",
                    *axes("gravity.{}"),
                ]
            ),
            [TIME, LINEAR, GYRO, np.sin(TIME), ACC],
        ),
        ("seconds_elapsed", "s"),
        {
            "linear_accelerometer": ("userAcceleration.x", "m/s²"),
            "gyroscope": ("rotationRate.x", "rad/s"),
            "gravity": ("gravity.x", "m/s²"),
        },
        "included",
    ),
    "total and linear acceleration": (
        table("time,gFx,gFy,gFz,ax,ay,az,wx,wy,wz", [TIME, ACC / G, LINEAR, GYRO]),
        ("time", "s"),
        {"accelerometer": ("gFx", "g"), "linear_accelerometer": ("ax", "m/s²"), "gyroscope": ("wx", "rad/s")},
        "included",
    ),
    "two places on the body": (
        table(
            ",".join(["time", *axes("chest_acc_{}", "ankle_acc_{}", "ankle_gyro_{}"), "hr"]),
            [TIME, ACC, ACC, GYRO, TIME * 0 + 70],
        ),
        ("time", "s"),
        {
            "chest.accelerometer": ("chest_acc_x", "m/s²"),
            "ankle.accelerometer": ("ankle_acc_x", "m/s²"),
            "ankle.gyroscope": ("ankle_gyro_x", "rad/s"),
            "heart_rate": ("hr", "beats/min"),
        },
        "included",
    ),
    "a counter is no clock": (
        table("index,a_x,a_y,a_z", [np.arange(len(TIME)), ACC]),
        (None, "s"),
        {"accelerometer": ("a_x", "m/s²")},
        "included",
    ),
    "rotation in brackets, in thousandths of a degree": (
        table(
            ",".join(["T", *axes("Acc {} [g]", "Gyr {} [mdps]")]),
            [TIME, ACC / G, DEGREES * 1000],
        ),
        ("T", "s"),
        {"accelerometer": ("Acc x [g]", "g"), "gyroscope": ("Gyr x [mdps]", "mdeg/s")},
        "included",
    ),
    "a clock of twelve hours": (
        rows("When,accX,accY,accZ", lambda i, t, v: f'"6/5/2024, 11:59:{50 + t:05.2f} PM",{v[0]},{v[1]},{v[2]}'),
        ("When", "date-time"),
        {"accelerometer": ("accX", "m/s²")},
        "included",
    ),
    "raw counts": (
        table("t,accel0,accel1,accel2", [TIME, np.round(ACC / G * 16384)]),
        ("t", "s"),
        {"accelerometer": ("accel0", "g")},
        "included",
    ),
    "orientation is no sensor of ours": (
        table(",".join(["t", *axes("ACCELEROMETER {} (m/s²)", "ORIENTATION {} (°)")]), [TIME, ACC, DEGREES]),
        ("t", "s"),
        {"accelerometer": ("ACCELEROMETER x (m/s²)", "m/s²")},
        "included",
    ),
    "numbered columns": (
        rows(
            "timestamp,double_values_0,double_values_1,double_values_2",
            lambda i, t, v: f"{1_600_000_000_000 + round(t * 1e3)},{v[0]},{v[1]},{v[2]}",
        ),
        ("timestamp", "ms"),
        {"accelerometer": ("double_values_0", "m/s²")},
        "included",
    ),
}


@pytest.mark.parametrize("case", GUESSES.values(), ids=GUESSES)
def test_columns_units_and_gravity_are_guessed_from_names_and_magnitudes(case) -> None:  # type: ignore[no-untyped-def]
    content, time, sensors, gravity = case
    found = guessed(content)
    assert (found.mapping.time, found.mapping.time_unit) == time
    assert {s.modality: (s.columns[0], s.unit) for s in found.mapping.sensors} == sensors
    assert found.mapping.gravity == gravity
    assert set(sensors) | {"time"} <= set(found.reasons)
    assert all(found.reasons.values())


@pytest.mark.parametrize("stamp", ["06/05/2024 12:{:02.0f}", "2024-05-31 12:00:{:06.3f} CEST"])
def test_stamps_that_count_no_seconds_are_no_label_and_are_told(stamp: str) -> None:
    found = guessed(rows("T,ax,ay,az", lambda i, t, v: f"{stamp.format(t)},{v[0]},{v[1]},{v[2]}"))
    assert (found.mapping.time, found.mapping.label) == (None, None)
    assert f"T begins with '{stamp.format(0)}', expected seconds too" in found.reasons["time"]


def test_label_subject_and_axis_order_are_guessed_and_the_guess_reads_the_file() -> None:
    source = open_table(in_memory("own.csv", labelled().encode()))
    found = guess(source)
    assert (found.mapping.label, found.mapping.subject) == ("movement", "person")
    assert found.mapping.sensors[0].columns == ("x_acc", "y_acc", "z_acc")
    (recording,) = mapped.read([source], found.mapping)
    assert (recording.subject, recording.activities, recording.gravity) == ("p1", ("Walk",), "included")
    np.testing.assert_allclose(np.median(recording.streams[0].values, axis=0), [0, 0, 9.81], atol=1.0)


@pytest.mark.parametrize(
    ("name", "modality"),
    [("left/Gyroscope.csv", "gyroscope"), ("LinearAcceleration.csv", "accelerometer"), ("walk.csv", "accelerometer")],
)
def test_the_name_of_the_file_tells_the_sensor_of_bare_axes(name: str, modality: str) -> None:
    found = guess(open_table(in_memory(name, table("time,x,y,z", [TIME, LINEAR]).encode())))
    assert [sensor.modality for sensor in found.mapping.sensors] == [modality]


REAL = {
    "phone-exports/phyphox/Accelerometer.csv": ("s", {"accelerometer": "m/s²"}, "included"),
    "phone-exports/phyphox/Gyroscope.csv": ("s", {"gyroscope": "deg/s"}, None),
    "phone-exports/sensor-logger/Accelerometer.csv": ("ns", {"accelerometer": "m/s²"}, "removed"),
    "phone-exports/sensor-logger/TotalAcceleration.csv": ("ns", {"accelerometer": "m/s²"}, "included"),
    "phone-exports/physics-toolbox/record_N.csv": (
        "s",
        {"accelerometer": "g", "linear_accelerometer": "m/s²", "gyroscope": "rad/s"},
        "included",
    ),
}


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "truth"), REAL.items())
def test_real_exports_would_be_guessed_right_if_nobody_knew_their_layout(
    name: str, truth: tuple[str, dict[str, str], str | None], data_dir: Path
) -> None:
    with open_files(data_dir / name) as members:
        found = guess(open_table(members[0])).mapping
    assert (found.time_unit, {s.modality: s.unit for s in found.sensors}, found.gravity) == truth


def test_a_reason_shows_the_value_that_decided() -> None:
    reasons = guessed(table("t,ax,ay,az,gx,gy,gz", [TIME, ACC, DEGREES])).reasons
    assert "values around 9.79: m/s² with gravity" in reasons["accelerometer"]
    assert "deg/s" in reasons["gyroscope"]
    assert "50 rows per second" in reasons["time"]


def test_raw_counts_become_g_by_their_factor() -> None:
    sensor = guessed(GUESSES["raw counts"][0]).mapping.sensors[0]
    assert sensor.scale == pytest.approx(1 / 16384)


def test_a_heading_that_its_values_contradict_is_told() -> None:
    reasons = guessed(table("t,ax (g),ay (g),az (g)", [TIME, ACC])).reasons
    assert "though the heading says g" in reasons["accelerometer"]


def test_the_guess_is_yaml_that_can_be_read_again() -> None:
    found = guessed(german())
    assert ColumnMapping.from_yaml(found.to_yaml(), "guess.yaml") == found.mapping
    assert found.to_yaml().startswith("# time: ")


NAMES = st.sampled_from(
    [
        "t",
        "time",
        "ax",
        "ay",
        "az",
        "x",
        "y",
        "z",
        "acc_x",
        "gyro z (deg/s)",
        "g",
        "label",
        "user",
        "",
        "1e",
        "((",
        "a1",
        "a2",
        "a3",
        "é",
    ]
)
CELLS = st.one_of(
    st.floats(width=32).map(str),
    st.integers(-10, 10**19).map(str),
    st.sampled_from(["", "walk", "nan", "2024-05-31 12:00:00", "12:00:01"]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(NAMES, st.lists(CELLS, min_size=12, max_size=12)), min_size=1, max_size=9),
    st.booleans(),
    st.sampled_from(",;\t"),
)
def test_a_guess_never_crashes_and_reading_by_it_ends_in_recordings_or_a_message(
    columns: list[tuple[str, list[str]]], headed: bool, separator: str
) -> None:
    lines = [separator.join(name for name, _ in columns)] * headed
    lines += [separator.join(cells[row] for _, cells in columns) for row in range(12)]
    try:
        source = open_table(in_memory("any.csv", "\n".join(lines).encode()))
    except HarError:
        return
    found = guess(source)
    try:
        complete = ColumnMapping.from_yaml(found.to_yaml(), "guess.yaml")
        recordings = mapped.read([source], complete)
    except HarError as error:
        message = str(error)
        recordings = []
    assert recordings or "any.csv" in message or "guess.yaml" in message
    assert not recordings or complete == found.mapping
