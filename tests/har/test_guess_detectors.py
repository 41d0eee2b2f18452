"""The detectors of a guess by themselves: what names say, which column counts time, which columns are a sensor."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from app.har.recordings.mappings.guess_columns import TableSample, Words, device_in, split_axis, unit_in, words_of
from app.har.recordings.mappings.guess_sensors import find_sensors
from app.har.recordings.mappings.guess_time import find_time
from tests.tables import ACC, GYRO, LINEAR, TIME, G


@pytest.mark.parametrize(
    ("name", "words", "axis", "unit"),
    [
        ("Acc_X (g)", ("acc", "x"), (("acc",), "x"), "g"),
        ("gyroZ", ("gyro", "z"), (("gyro",), "z"), ""),
        ("gFx", ("g", "fx"), (("gf",), "x"), ""),
        ("ax", ("ax",), (("a",), "x"), ""),
        ("z_acc", ("z", "acc"), (("acc",), "z"), ""),
        ("acc_x_mg", ("acc", "x", "mg"), (("acc",), "x"), "mg"),
        ("Gyr Y [°/s]", ("gyr", "y"), (("gyr",), "y"), "deg/s"),
        ("double_values_2", ("double", "values", "2"), (("double", "values"), "2"), ""),
        ("label", ("label",), None, ""),
    ],
)
def test_a_name_is_split_into_words_axis_and_unit(
    name: str, words: Words, axis: tuple[Words, str] | None, unit: str
) -> None:
    assert (words_of(name), split_axis(name), unit_in(name)) == (words, axis, unit)


@pytest.mark.parametrize(
    ("words", "device"),
    [(("left", "wrist", "acc"), "left-wrist"), (("acc",), ""), (("acc2",), "2"), (("acc", "1"), "1")],
)
def test_a_device_is_what_a_name_says_besides_the_sensor(words: Words, device: str) -> None:
    assert device_in(words) == device


def sample(**columns: np.ndarray | list[str]) -> TableSample:
    numbers = {name: own for name, own in columns.items() if isinstance(own, np.ndarray)}
    texts = {name: pl.Series(name, own) for name, own in columns.items() if isinstance(own, list)}
    return TableSample(numbers, texts)


CLOCK = [f"2024-05-31 12:00:{t:06.3f}" for t in TIME.tolist()]
ROWS = np.arange(len(TIME), dtype=float)


@pytest.mark.parametrize(
    ("table", "column", "unit", "rate_hz"),
    [
        (sample(t=TIME), "t", "s", 50.0),
        (sample(t=1e3 * TIME), "t", "ms", 50.0),
        (sample(epoch=1.7e9 + TIME), "epoch", "s", 50.0),
        (sample(when=CLOCK), "when", "date-time", 50.0),
        (sample(when=CLOCK, index=ROWS), "when", "date-time", 50.0),
        (sample(index=ROWS), None, "s", 50.0),
        (sample(value=np.sin(TIME)), None, "s", 50.0),
        (sample(elapsed=TIME, other=TIME * 2), "elapsed", "s", 50.0),
    ],
)
def test_the_column_that_counts_time_is_found(
    table: TableSample, column: str | None, unit: str, rate_hz: float
) -> None:
    found = find_time(table)
    assert (found.column, found.unit, found.rate_hz) == (column, unit, pytest.approx(rate_hz, rel=0.01))
    assert found.clocks >= {name for name in table.numbers if name != "value"}


def test_times_without_seconds_are_no_clock_and_shown() -> None:
    found = find_time(sample(when=["12:30"] * 20, ax=np.cos(30 * TIME[:20])))
    assert (found.column, found.clocks) == (None, {"when"})
    assert "when begins with '12:30', expected seconds too" in found.reason


def columns(**sensors: np.ndarray) -> dict[str, np.ndarray]:
    return {name + axis: own[:, i] for name, own in sensors.items() for i, axis in enumerate("xyz")}


@pytest.mark.parametrize(
    ("table", "by_file", "found", "gravity"),
    [
        (columns(a=ACC, g=GYRO), "", {"accelerometer": "m/s²", "gyroscope": "rad/s"}, "included"),
        (columns(acc=ACC / G, gyr=np.degrees(GYRO)), "", {"accelerometer": "g", "gyroscope": "deg/s"}, "included"),
        (columns(linacc=LINEAR), "", {"accelerometer": "m/s²"}, "removed"),
        (columns(a=ACC, linacc=LINEAR), "", {"accelerometer": "m/s²", "linear_accelerometer": "m/s²"}, "included"),
        ({"x": GYRO[:, 0], "y": GYRO[:, 1], "z": GYRO[:, 2]}, "gyroscope", {"gyroscope": "rad/s"}, None),
        (columns(ori_=GYRO), "", {}, None),
        ({**columns(a=ACC), "ATMOSPHERIC PRESSURE (hPa)": np.full(len(TIME), 990.5),
          "LOCATION Altitude-atmospheric pressure ( m)": np.full(len(TIME), 300.0),
          "SOUND LEVEL (dB)": np.full(len(TIME), 40.0), "LIGHT (lux)": np.full(len(TIME), 11.0)}, "",
         {"accelerometer": "m/s²", "pressure": "hPa", "sound_level": "dB", "light": "lux"}, "included"),
        ({**columns(a=ACC), "baro": np.full(len(TIME), 99.05), "pressure": np.full(len(TIME), 120.0)}, "",
         {"accelerometer": "m/s²", "pressure": "kPa"}, "included"),
        ({**columns(a=ACC), "hr": np.full(len(TIME), 70.0)}, "", {"accelerometer": "m/s²", "heart_rate": "beats/min"},
         "included"),
    ],
)  # fmt: skip
def test_sensors_and_their_units_are_found(
    table: dict[str, np.ndarray], by_file: str, found: dict[str, str], gravity: str | None
) -> None:
    guess = find_sensors(table, 50.0, by_file)
    assert {sensor.modality: sensor.unit for sensor in guess.sensors} == found
    assert guess.gravity == gravity
    assert set(guess.reasons) == set(found)
