"""One file for each sensor, in no known layout: guessed together, read as one recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.har.datasets.described import DescribedDataset
from app.har.datasets.description import Description, FromName
from app.har.datasets.store import build_store, open_store
from app.har.errors import HarError, InvalidDescription, UnreadableData
from app.har.recordings.conversions import open_tables
from app.har.recordings.files import in_memory
from app.har.recordings.mappings.dry_run import dry_run
from app.har.recordings.mappings.guess import Guess
from app.har.recordings.mappings.guess_files import guess_files
from app.har.recordings.mappings.mapping import (
    ColumnMapping,
    fingerprint,
    fitting,
    unknown_tables,
)
from app.har.recordings.upload import read_upload
from app.har.signals.types import Recording
from tests.bad_inputs import zipped
from tests.synthetic import signal
from tests.tables import ACC, GYRO, LINEAR, TIME, G, table

XYZ = "t,x,y,z"
A, W, L = table(XYZ, [TIME, ACC / G]), table(XYZ, [TIME[:300], np.degrees(GYRO[:300])]), table(XYZ, [TIME, LINEAR])
LATER, SINCE_1970 = table("time,x,y,z", [TIME, ACC]), table(XYZ, [TIME + 1.7e9, GYRO])
BOTH = """
time: {column: t, unit: s}
sensors:
  accelerometer: {columns: [x, y, z], unit: g, file: accel}
  gyroscope: {columns: [x, y, z], unit: deg/s, file: gyro}
"""


def guessed(files: dict[str, str]) -> Guess:
    return guess_files(unknown_tables(open_tables([in_memory(name, text.encode()) for name, text in files.items()])))[1]


def read(folder: Path, files: dict[str, str], columns: ColumnMapping | str) -> list[Recording]:
    mapping = ColumnMapping.from_yaml(columns, "m.yaml") if isinstance(columns, str) else columns
    (folder / "upload").write_bytes(zipped(files))
    return read_upload(folder / "upload", "phone.zip", mapping=mapping)


def sensors(found: Guess) -> dict[str, tuple[str, str]]:
    return {sensor.modality: (sensor.file, sensor.unit) for sensor in found.mapping.sensors}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("accel.csv", "gyro.csv"), ("accel", "gyro")),
        (("w1/Accelerometer.csv", "w1/Gyroscope.csv"), ("accelerometer", "gyroscope")),
        (("2024-05-31_12-00 acc data.csv", "2024-05-31_12-00 gyr rotation.csv"), ("acc", "gyr")),
    ],
)
def test_files_whose_names_tell_their_sensors_are_guessed_together(
    names: tuple[str, str], words: tuple[str, str]
) -> None:
    found = guessed({names[0]: A, names[1]: table(XYZ, [TIME, np.degrees(GYRO) * 30])})
    assert sensors(found) == {"accelerometer": (words[0], "g"), "gyroscope": (words[1], "deg/s")}
    assert (found.mapping.time, found.mapping.gravity) == ("t", "included")
    assert f"in the file called {words[1]}" in found.reasons["gyroscope"]
    assert ColumnMapping.from_yaml(found.to_yaml(), "guess.yaml") == found.mapping


def test_acceleration_without_gravity_stands_beside_that_with_it() -> None:
    found = guessed(
        {"Accelerometer.csv": A, "LinearAcceleration.csv": L, "Gyroscope.csv": table("t,a,b,c", [TIME, GYRO])}
    )
    assert sensors(found) == {
        "accelerometer": ("accelerometer", "g"),
        "gyroscope": ("gyroscope", "rad/s"),
        "linear_accelerometer": ("linearacceleration", "m/s²"),
    }


@pytest.mark.parametrize(
    "files",
    [
        {"monday.csv": A, "tuesday.csv": A},  # two recordings
        {"acc_left.csv": A, "acc_right.csv": A},
        {"accel.csv": A, "gyro.csv": table("time,x,y,z", [TIME, GYRO])},  # no one name for the time
        {"accel.csv": A, "gyro.csv": W.replace("\n", ",1\n").replace("z,1", "z,label")},  # more than the axes
        {"accel.csv": A, "gyro.csv": A},  # gravity in both
        {"accel.csv": A, "gyro.csv": W, **{f"{n}.csv": A for n in range(5)}},  # of which most are something else
    ],
)
def test_what_is_not_plainly_a_file_for_each_sensor_is_not_taken_for_it(files: dict[str, str]) -> None:
    assert guessed(files).mapping.files == ()


def test_the_files_are_read_as_one_recording_each_on_its_own_rows(tmp_path: Path) -> None:
    (recording,) = read(tmp_path, {"readme.txt": "hello\n", "gyro.csv": W, "accel.csv": A}, BOTH)
    assert [(s.modality, len(s.values)) for s in recording.streams] == [("accelerometer", 400), ("gyroscope", 300)]
    np.testing.assert_allclose(recording.streams[0].values, ACC, atol=1e-4)
    np.testing.assert_allclose(recording.streams[1].values, GYRO[:300], atol=1e-4)
    assert (recording.recording_id, recording.gravity, recording.problems) == ("accel.csv + gyro.csv", "included", ())


def test_recordings_are_told_apart_by_folders_and_by_the_rest_of_the_names(tmp_path: Path) -> None:
    files = {
        f"{name}_{sensor}.csv": text for name in ("walk1", "walk2") for sensor, text in (("accel", A), ("gyro", W))
    }
    files |= {"p3/accel 12-00-01.csv": A, "p3/gyro 12-00-02.csv": W, "p4/gyro.csv": W}
    found = {recording.recording_id: recording for recording in read(tmp_path, files, BOTH)}
    assert {name: len(own.streams) for name, own in found.items()} == {
        "walk1": 2,
        "walk2": 2,
        "p3/12-00-01": 2,
        "p4": 1,
    }
    assert [(p.kind, p.source) for p in found["p4"].problems] == [("missing sensor", "p4")]


def test_the_longest_of_the_words_tells_a_file(tmp_path: Path) -> None:
    mapping = BOTH.replace("file: accel", "file: acc").replace(
        "gyroscope: {columns: [x, y, z], unit: deg/s, file: gyro}",
        "linear_accelerometer: {columns: [x, y, z], unit: m/s², file: linear_acc}",
    )
    (recording,) = read(tmp_path, {"acc.csv": A, "linear_acc.csv": L}, mapping)
    np.testing.assert_allclose(recording.streams[1].values, LINEAR, atol=1e-4)


def test_the_clocks_of_the_files_stay_together_when_they_count_from_1970(tmp_path: Path) -> None:
    files = {}
    for name, first, values in (("accel.csv", 0, ACC / G), ("gyro.csv", 100, GYRO)):
        rows = zip(TIME[first:] + 1.7e9, values[first:], strict=True)
        files[name] = "t,x,y,z\n" + "".join(f"{t:.3f},{x},{y},{z}\n" for t, (x, y, z) in rows)
    (recording,) = read(tmp_path, files, BOTH)
    assert recording.origin_utc_s == pytest.approx(1.7e9)
    assert [stream.time_s[0] for stream in recording.streams] == pytest.approx([0.0, 2.0], abs=1e-3)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.csv": A, "b.csv": W}, "phone.zip: holds no table of the sensors that the mapping names: none is called"),
        ({"accel.csv": LATER, "readme.csv": "a\n"}, "accel.csv: the mapping's time.column: expected"),
        ({"accel_1.csv": A, "1_accel.csv": A, "gyro_1.csv": W}, "1: 2 files are called 'accel', expected one for each"),
        ({"accel.csv": A, "gyro.csv": SINCE_1970}, "accel.csv: expected times since 1970, as in the other files"),
        ({"accel.csv": A, "gyro.csv": b"\x00\x01\x02" * 900}, "never"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_refused_by_name(files: dict[str, str], message: str, tmp_path: Path) -> None:
    if message == "never":  # a damaged file is left out, as one that is not there
        (recording,) = read(tmp_path, files, BOTH)
        assert [p.kind for p in recording.problems] == ["missing sensor", "unreadable file"]
        assert "gyro.csv" in recording.problems[1].detail
        return
    with pytest.raises(HarError) as caught:
        read(tmp_path, files, BOTH)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((", file: gyro", ""), "sensors.gyroscope.file: expected a part of its file's name, as of the other sensors"),
        (("gyroscope: {columns: [x, y, z]", "gyroscope: {columns: [t, y, z]"), "a column that nothing else uses"),
        (("file: gyro", "file: accel"), "a column that nothing else uses"),
        (("time:", "label: what\ntime:"), "label: expected no column, because each sensor has a file of its own"),
        (("time:", "subject: who\ntime:"), "subject: expected no column"),
        (("file: gyro", "file: [1]"), "sensors.gyroscope.file: expected a part of the name"),
    ],
)
def test_a_faulty_mapping_of_files_is_refused_by_the_key(change: tuple[str, str], message: str) -> None:
    with pytest.raises(InvalidDescription) as caught:
        ColumnMapping.from_yaml(BOTH.replace(*change), "m.yaml")
    assert message in str(caught.value)


def test_an_export_is_known_again_whatever_the_order_of_its_files() -> None:
    def prints(files: dict[str, str]) -> str:
        groups = unknown_tables(open_tables([in_memory(name, text.encode()) for name, text in files.items()]))
        return fingerprint(*(source.layout for source in guess_files(groups)[0]))

    assert prints({"accel.csv": A, "gyro.csv": W}) == prints({"gyro.csv": W, "accel.csv": A, "readme.txt": "x\n"})
    assert prints({"accel.csv": A}) != prints({"accel.csv": A, "gyro.csv": W})


def test_a_trial_shows_all_sensors_of_the_first_recordings() -> None:
    files = {f"{n}/{name}.csv": text for n in range(5) for name, text in (("accel", A), ("gyro", W))}
    mapping = ColumnMapping.from_yaml(BOTH, "m.yaml")
    members = [in_memory(name, text.encode()) for name, text in files.items()]
    facts = dry_run(fitting(open_tables(members), mapping, "x.zip")[0], mapping)
    assert [(own.name, len(own.sensors)) for own in facts] == [("0", 2), ("1", 2), ("2", 2)]


def test_a_data_set_of_such_files_is_one_recording_for_each_pair(tmp_path: Path) -> None:
    origin = FromName(pattern="{label}_{subject}_{part}.csv")
    description = Description(label=origin, subject=origin, columns=ColumnMapping.from_yaml(BOTH, "m.yaml"))
    files = {"Walk_p3_other.csv": A}
    for what in ("Walk", "Run"):
        for who in (1, 2):
            time, values = signal(what, who, 8.0, gravity="included")
            files[f"{what}_p{who}_accel.csv"] = table(XYZ, [time, values[:, :3] / G])
            files[f"{what}_p{who}_gyro.csv"] = table(XYZ, [time, np.degrees(values[:, 3:])])
    (tmp_path / "set.zip").write_bytes(zipped(files))
    summary = build_store(tmp_path / "set.zip", tmp_path / "store", loader=DescribedDataset(description))
    signals = open_store(tmp_path / "store").signals
    assert (summary.recordings, summary.subjects, set(signals.activities)) == (4, 2, {"Walk", "Run"})
    assert summary.channels == ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
    assert [p.source for p in summary.problems if p.kind == "unreadable file"] == ["Walk_p3_other.csv"]


def test_no_files_at_all_is_an_error() -> None:
    with pytest.raises(UnreadableData, match="no table of numbers"):
        unknown_tables(open_tables([]))
