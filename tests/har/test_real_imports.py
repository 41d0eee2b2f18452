"""The real files of the shared data, imported, against their own bytes read in another way."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from app.har.recordings.upload import read_upload
from app.har.signals.clocks import sampling_rate
from app.har.signals.normalisation import normalise_upload
from app.har.signals.turning import turning_ratio
from app.har.signals.types import Recording
from tests.exports import G, kinds, stream, upload


@dataclass(frozen=True)
class Real:
    """A file of the shared data and what is in it: where its axes are, and by what its numbers are to be multiplied."""

    path: str
    modality: str
    columns: tuple[int, ...]  # of x, y, z
    factor: float
    rate_hz: float
    gravity: str
    unit: str
    clock: tuple[int, float] | None = None  # column, and seconds in its unit
    separator: str = ","
    head: int = 1  # lines before the data


APPS = {"sensor-logger": "Sensor Logger", "phyphox": "phyphox", "hhar": "HHAR", "stress-predict": "Empatica E4"}
MS2, RADS = "m/s²", "rad/s"
REAL = [
    *(
        Real(f"phone-exports/sensor-logger/{name}.csv", modality, (4, 3, 2), 1.0, 101.5, gravity, unit, (1, 1.0))
        for name, modality, gravity, unit in (
            ("Accelerometer", "accelerometer", "removed", MS2),
            ("TotalAcceleration", "accelerometer", "included", MS2),
            ("Gyroscope", "gyroscope", "removed", RADS),
        )
    ),
    *(
        Real(f"phone-exports/phyphox/{name}.csv", modality, (1, 2, 3), factor, 101.1, gravity, unit, (0, 1.0))
        for name, modality, factor, gravity, unit in (
            ("Accelerometer", "accelerometer", 1.0, "included", MS2),
            ("Linear Acceleration", "accelerometer", 1.0, "removed", MS2),
            ("Gyroscope", "gyroscope", np.radians(1.0), "removed", "deg/s"),
        )
    ),
    *(
        Real(f"hhar/{name}.csv", modality, (3, 4, 5), 1.0, rate, "included", unit, clock, separator, head)
        for name, modality, rate, unit, clock, separator, head in (
            ("phones/Phones_accelerometer", "accelerometer", 198.4, MS2, (1, 1e-3), ",", 1),
            ("phones/Phones_gyroscope", "gyroscope", 198.4, RADS, (1, 1e-3), "\t", 1),
            ("watch/Watch_accelerometer", "accelerometer", 100.5, MS2, None, ",", 0),
            ("watch/Watch_gyroscope", "gyroscope", 100.5, RADS, None, ",", 0),
        )
    ),
    *(
        Real(f"stress-predict/{person}/{name}.csv", modality, columns, factor, rate, gravity, unit, head=2)
        for person in ("S01", "S02")
        for name, modality, columns, factor, rate, gravity, unit in (
            ("ACC", "accelerometer", (0, 1, 2), G / 64, 32.0, "included", "1/64 g"),
            ("HR", "heart_rate", (0,), 1.0, 1.0, "removed", "beats/min"),
            ("EDA", "electrodermal_activity", (0,), 1.0, 4.0, "removed", "µS"),
            ("TEMP", "skin_temperature", (0,), 1.0, 4.0, "removed", "°C"),
        )
    ),
]


def read(path: Path) -> list[Recording]:
    """Read a file under its own name."""
    return read_upload(path, path.name)


def raw_rows(text: str, separator: str, head: int) -> list[list[str]]:
    return [line.split(separator) for line in text.splitlines()[head:] if line.strip()]


@pytest.mark.real_data
@pytest.mark.parametrize("real", REAL, ids=lambda real: real.path)
def test_a_real_file_has_the_axes_unit_rate_and_gravity_of_its_bytes(real: Real, data_dir: Path) -> None:
    path = data_dir / real.path
    (found,) = read_upload(path, path.name)
    (own,) = found.streams
    rows = raw_rows(path.read_text(), real.separator, real.head)
    values = np.array([[float(row[i]) for i in real.columns] for row in rows]) * real.factor
    app = next(app for part, app in APPS.items() if part in real.path)
    assert (own.modality, found.gravity, found.app) == (real.modality, real.gravity, app)
    assert own.unit_found.startswith(real.unit + ", ")
    assert sampling_rate(own.time_s) == pytest.approx(real.rate_hz, rel=0.005)
    dropped = len(rows) - len(own.values)
    assert 0 <= dropped <= 20  # copies of rows in HHAR
    if app != "HHAR":
        assert dropped == 0
        np.testing.assert_allclose(own.values, values, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(own.values[0], values[0], rtol=1e-5)
    np.testing.assert_allclose(own.values.mean(axis=0), values.mean(axis=0), atol=0.02)
    length = np.linalg.norm(values, axis=1)
    if real.modality == "accelerometer":
        assert (float(np.median(length)) > 8.5) == (real.gravity == "included")
    if real.clock:
        column, unit_s = real.clock
        span = (float(rows[-1][column]) - float(rows[0][column])) * unit_s
        assert np.ptp(own.time_s) == pytest.approx(span, abs=0.011)


def folder_as_zip(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return target


@pytest.mark.real_data
def test_the_real_zip_of_sensor_logger_has_its_hole_in_two_sensors_of_three(data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "phone-exports" / "sensor-logger"
    (found,) = read_upload(folder_as_zip(folder, tmp_path / "z"), "monday.zip")
    assert [s.modality for s in found.streams] == ["accelerometer", "gyroscope", "linear_accelerometer"]
    assert (found.gravity, found.recording_id, found.app) == ("included", "monday.zip", "Sensor Logger")
    first = min(int(raw_rows(p.read_text(), ",", 1)[0][0]) for p in folder.iterdir())
    assert found.origin_utc_s == pytest.approx(first / 1e9, abs=1e-6)
    (gap,) = (p for p in found.problems if p.kind == "clock gap")
    seconds = [float(row[1]) for row in raw_rows((folder / "Gyroscope.csv").read_text(), ",", 1)]
    assert np.diff(seconds).max() == pytest.approx(85.5, abs=0.1)
    assert gap.detail.startswith("gyroscope, linear_accelerometer: 85.5 s without samples")
    # What the file calls Accelerometer is what is left of TotalAcceleration without gravity
    total, free = stream(found, "accelerometer"), stream(found, "linear_accelerometer")
    assert np.linalg.norm(total.values.mean(axis=0)) > 9.0
    assert np.linalg.norm(free.values.mean(axis=0)) < 0.1
    there = np.column_stack([np.interp(free.time_s, total.time_s, axis) for axis in total.values.T])
    assert float(np.median(np.linalg.norm(there - free.values, axis=1))) == pytest.approx(G, abs=0.1)


@pytest.mark.real_data
def test_the_lone_accelerometer_of_sensor_logger_reports_its_hole_of_85_6_s(data_dir: Path) -> None:
    (found,) = read(data_dir / "phone-exports" / "sensor-logger" / "Accelerometer.csv")
    assert [p.detail[:44] for p in found.problems] == ["accelerometer: 85.6 s without samples after "]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "modality", "gravity"),
    [
        ("TotalAcceleration", "accelerometer", "included"),
        ("Accelerometer", "accelerometer", "removed"),
        ("Gyroscope", "gyroscope", "removed"),
    ],
)
def test_a_lone_real_file_of_another_name_is_told_by_its_size(
    name: str, modality: str, gravity: str, data_dir: Path
) -> None:
    (found,) = read_upload(data_dir / "phone-exports" / "sensor-logger" / f"{name}.csv", "monday.csv")
    assert ([s.modality for s in found.streams], found.gravity) == ([modality], gravity)
    assert next(p.kind for p in found.problems if p.source == "monday.csv") == "sensor by size"


@pytest.mark.real_data
def test_the_heading_deg_per_s_of_the_real_phyphox_file_is_told_and_found_wrong(data_dir: Path, tmp_path: Path) -> None:
    """Gravity turns in the accelerometer as fast as the gyroscope says in rad/s, so the heading is mistaken."""
    folder = data_dir / "phone-exports" / "phyphox"
    (alone,) = read(folder / "Gyroscope.csv")
    (problem,) = alone.problems
    assert problem.kind == "unit converted"
    assert "deg/s by the header" in problem.detail
    assert "nearly still in deg/s" in problem.detail
    (found,) = normalise_upload(read_upload(folder_as_zip(folder, tmp_path / "z"), "walk.zip"))
    assert [s.modality for s in found.streams] == ["accelerometer", "gyroscope", "linear_accelerometer"]
    (mismatch,) = found.problems
    assert mismatch.kind == "unit mismatch"
    assert "deg/s, by the header" in mismatch.detail
    numbers = {
        p.stem: np.array([[float(cell) for cell in row] for row in raw_rows(p.read_text(), ",", 1)])
        for p in folder.iterdir()
    }
    np.testing.assert_allclose(stream(found, "gyroscope").values, numbers["Gyroscope"][:, 1:], rtol=1e-5)
    # The same told in another way: the direction of total minus linear acceleration, against the raw numbers
    time = numbers["Accelerometer"][:, 0]
    linear, rotation = (
        np.column_stack([np.interp(time, numbers[name][:, 0], numbers[name][:, i]) for i in (1, 2, 3)])
        for name in ("Linear Acceleration", "Gyroscope")
    )
    gravity = numbers["Accelerometer"][:, 1:] - linear
    up = gravity / np.linalg.norm(gravity, axis=1, keepdims=True)
    step = 10
    turned = (up[step:] - up[:-step]) / (time[step:] - time[:-step])[:, None]
    told = np.cross(up[step // 2 : -step // 2], rotation[step // 2 : -step // 2])
    assert float((turned * told).sum() / (told**2).sum()) == pytest.approx(1.0, abs=0.15)  # 57 if it were in deg/s


@pytest.mark.real_data
def test_the_real_physics_toolbox_file_has_sensors_of_14_6_hz_behind_44_rows_a_second(data_dir: Path) -> None:
    path = data_dir / "phone-exports" / "physics-toolbox" / "record_N.csv"
    (found,) = read_upload(path, path.name)
    raw = np.array([[float(cell) for cell in row[:10]] for row in raw_rows(path.read_text(), ",", 2)])
    assert (len(raw) - 1) / np.ptp(raw[:, 0]) == pytest.approx(44.0, abs=0.1)
    assert (found.app, found.gravity) == ("Physics Toolbox", "included")
    for modality, first, factor in (("accelerometer", 1, G), ("linear_accelerometer", 4, 1.0), ("gyroscope", 7, 1.0)):
        own = stream(found, modality)
        assert sampling_rate(own.time_s) == pytest.approx(14.6, abs=0.1)
        rows = np.searchsorted(raw[:, 0], own.time_s - 1e-9)
        np.testing.assert_allclose(own.values, raw[rows, first : first + 3] * factor, rtol=1e-5, atol=1e-6)
        assert own.values[0].any()  # the zeros at the start are gone
    repeated = [p.detail for p in found.problems if p.kind == "repeated values"]
    assert len(repeated) == 3
    assert repeated[0].startswith("accelerometer: each value is repeated 3.0 times, the sensor gives 14.7 a second")
    assert [p.kind for p in found.problems].count("zeros at the start") == 2


@pytest.mark.real_data
def test_the_real_phones_of_hhar_report_tabs_and_ruined_nanoseconds(data_dir: Path, tmp_path: Path) -> None:
    (found,) = read_upload(folder_as_zip(data_dir / "hhar" / "phones", tmp_path / "z"), "phones.zip")
    assert [s.modality for s in found.streams] == ["accelerometer", "gyroscope"]
    told = [(p.source, p.kind) for p in found.problems[:3]]
    assert told == [
        ("Phones_accelerometer.csv", "unusable timestamps"),
        ("Phones_gyroscope.csv", "separator"),
        ("Phones_gyroscope.csv", "unusable timestamps"),
    ]
    assert found.activities == ("stand", "sit", "walk", "stairsup", "stairsdown", "bike")
    assert found.origin_utc_s == pytest.approx(1424696633.908)
    assert turning_ratio(*found.streams)[0] < 5  # rad/s indeed


@pytest.mark.real_data
@pytest.mark.parametrize("person", ["S01", "S02"])
def test_a_real_e4_has_four_signals_on_one_clock(person: str, data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "stress-predict" / person
    (found,) = read_upload(folder_as_zip(folder, tmp_path / "z"), f"{person}.zip")
    starts = {
        name: float((folder / f"{name}.csv").read_text().split()[0].strip(",")) for name in ("ACC", "HR", "EDA", "TEMP")
    }
    assert [s.modality for s in found.streams] == [
        "accelerometer", "heart_rate", "electrodermal_activity", "skin_temperature",
    ]  # fmt: skip
    assert found.origin_utc_s == starts["ACC"]
    assert stream(found, "heart_rate").time_s[0] == starts["HR"] - starts["ACC"] == 10.0
    assert float(np.median(np.linalg.norm(stream(found, "accelerometer").values, axis=1))) == pytest.approx(G, abs=0.3)
    assert found.problems == ()


@pytest.mark.real_data
def test_beats_of_a_real_e4_agree_with_its_heart_rate(data_dir: Path) -> None:
    folder = data_dir / "stress-predict" / "S01"
    (beats,) = read(folder / "IBI.csv")
    (rate,) = read(folder / "HR.csv")
    medians = [float(np.median(r.streams[0].values)) for r in (beats, rate)]
    assert medians[0] == pytest.approx(medians[1], rel=0.15)


def of_archive(data_dir: Path, tmp_path: Path, archive: str, *members: str) -> tuple[Recording, dict[str, str]]:
    """Return the recording of some members of a data set, and their text."""
    with zipfile.ZipFile(data_dir / archive) as source:
        files = {name: source.read(name).decode("latin-1") for name in members}
    (found,) = upload(tmp_path, files)
    return found, files


@pytest.mark.real_data
def test_a_real_file_of_sisfall_is_at_rest_as_heavy_as_gravity(data_dir: Path, tmp_path: Path) -> None:
    name = "SisFall_dataset/SA01/D01_SA01_R01.txt"
    found, files = of_archive(data_dir, tmp_path, "sisfall/SisFall_dataset_R01.zip", name, "SisFall_dataset/Readme.txt")
    bits = np.array(
        [[int(c) for c in line.strip().rstrip(";").split(",")] for line in files[name].splitlines() if line]
    )
    np.testing.assert_allclose(stream(found, "accelerometer").values, bits[:, :3] * 32 / 2**13 * G, rtol=1e-5)
    np.testing.assert_allclose(stream(found, "gyroscope").values, np.radians(bits[:, 3:6] * 4000 / 2**16), rtol=1e-5)
    other = bits[:, 6:] * 16 / 2**14 * G  # the second accelerometer, on axes of its own, feels the same weight
    lengths = [float(np.median(np.linalg.norm(v, axis=1))) for v in (stream(found, "accelerometer").values, other)]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.08)
    assert (found.subject, found.activity, found.gravity, kinds(found)) == ("SA01", "Walking slowly", "included", [])
    assert sampling_rate(stream(found, "gyroscope").time_s) == 200.0


@pytest.mark.real_data
def test_a_real_experiment_of_hapt_is_read_without_its_set(data_dir: Path, tmp_path: Path) -> None:
    names = [f"HAPT Data Set/RawData/{sensor}_exp01_user01.txt" for sensor in ("acc", "gyro")]
    found, files = of_archive(data_dir, tmp_path, "hapt/HAPT Data Set.zip", *names)
    acceleration, rotation = (np.array([line.split() for line in files[n].splitlines()], float) for n in names)
    np.testing.assert_allclose(stream(found, "accelerometer").values, acceleration * G, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(stream(found, "gyroscope").values, rotation, rtol=1e-5, atol=1e-6)
    ratio, correlation = turning_ratio(*found.streams)
    assert ratio == pytest.approx(1.0, abs=0.2)
    assert correlation > 0.4
    assert (found.subject, found.app, found.gravity) == ("1", "HAPT", "included")


@pytest.mark.real_data
def test_a_real_execution_of_sp_sw_har_has_both_devices(data_dir: Path, tmp_path: Path) -> None:
    names = [f"DATA/s01/s01_01_{device}.csv" for device in ("sp", "sw")]
    found, files = of_archive(data_dir, tmp_path, "sp-sw-har/sp-sw-har.zip", *names)
    for device, name in zip(("phone", "watch"), names, strict=True):
        rows = raw_rows(files[name], ",", 1)
        first = np.array([float(cell) for cell in rows[0][:6]])
        np.testing.assert_allclose(stream(found, f"{device}.accelerometer").values[0], first[:3], rtol=1e-5)
        np.testing.assert_allclose(stream(found, f"{device}.gyroscope").values[0], first[3:], rtol=1e-5)
        assert sampling_rate(stream(found, f"{device}.gyroscope").time_s) == pytest.approx(103.0, abs=1.5)
    assert found.origin_utc_s == pytest.approx(min(float(raw_rows(t, ",", 1)[0][6]) for t in files.values()) / 1e3)
    assert (found.app, found.gravity) == ("SP-SW-HAR", "included")


@pytest.mark.real_data
def test_a_real_recording_of_ku_har_has_no_gravity(data_dir: Path, tmp_path: Path) -> None:
    name = "1.Raw_time_domian_data/11.Walk/1002_L_1.csv"
    found, files = of_archive(data_dir, tmp_path, "ku-har/1.Raw_time_domian_data.zip", name)
    raw = np.array(raw_rows(files[name], ",", 0), float)
    for modality, first in (("accelerometer", 1), ("gyroscope", 5)):
        own = stream(found, modality)
        np.testing.assert_allclose(own.values[0], raw[0, first : first + 3], rtol=1e-5)
        np.testing.assert_allclose(own.time_s[[0, -1]], raw[[0, -1], first - 1], atol=1e-6)
        assert sampling_rate(own.time_s) == pytest.approx(100.0, abs=0.5)
    assert np.linalg.norm(raw[:, 1:4].mean(axis=0)) < 1.0
    assert (found.activity, found.gravity, found.app) == ("Walk", "removed", "KU-HAR")
    windows = read(data_dir / "ku-har" / "subsamples_60x1803.csv")
    assert {(r.app, r.gravity, len(r.streams[0].time_s)) for r in windows} == {("KU-HAR windows", "removed", 300)}
    assert len(windows) == 60


@pytest.mark.real_data
def test_the_table_in_the_docs_is_what_the_program_finds(data_dir: Path) -> None:
    from benchmarks import imports_table

    text = imports_table.DOCUMENT.read_text(encoding="utf-8")
    assert imports_table.updated(text, imports_table.table(data_dir)) == text, "run python -m benchmarks.imports_table"
