"""Files of watches and sensors that hold messages, documents or matrices: read to the sample, or told what they are."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from app.har.errors import UnknownTable, UnreadableData
from app.har.recordings.files import in_memory
from app.har.recordings.matrices import tables_of_matrices
from app.har.signals.clocks import sampling_rate
from tests import devices
from tests.devices import START_S
from tests.exports import G, kinds, stream, upload, zipped
from tests.har.test_devices import counts, read_one

LEVEL = 32_768
TURNED = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
CALIBRATION = {
    0: ("u1", [0]), 1: ("u4", [9]), 2: ("u4", [2304]), 3: ("u4", [LEVEL]), 4: ("i4", [5, -7, 11]),
    5: ("i4", (TURNED * 65_535).ravel().tolist()),
}  # fmt: skip


def walk(seconds: int, rate_hz: int = 25) -> np.ndarray:
    """Return counts of 1/256 g around the level of a 16-bit sensor."""
    return counts(seconds * rate_hz) + LEVEL


@pytest.mark.parametrize("order", ["<", ">"])
def test_raw_counts_of_a_fit_file_are_calibrated_by_the_message_before_them(tmp_path: Path, order: str) -> None:
    samples = walk(20)
    data = devices.fit(samples, calibration=CALIBRATION, start_s=START_S + 0.25, holes=(7,), order=order)
    recording = read_one(tmp_path, data, "run.fit")
    own = stream(recording, "accelerometer")
    kept = np.r_[0 : 7 * 25, 8 * 25 : 20 * 25]
    expected = (samples[kept] - LEVEL - np.array([5, -7, 11])) @ TURNED.T / 256 * G
    assert (recording.app, recording.gravity, kinds(recording)) == ("FIT", "included", ["clock gap"])
    assert recording.origin_utc_s == pytest.approx(START_S + 0.25, abs=1e-6)
    np.testing.assert_allclose(own.time_s, kept / 25, atol=1e-3)
    np.testing.assert_allclose(own.values, expected, rtol=1e-4, atol=1e-4)
    pulse = stream(recording, "heart_rate")
    assert (len(pulse.values), pulse.values[3, 0], pulse.time_s[3]) == (19, 73.0, pytest.approx(2.75))


def test_what_a_watch_has_calibrated_itself_is_taken_as_it_is(tmp_path: Path) -> None:
    files, begun = [devices.Fit(), devices.Fit()], int(START_S) - devices.FIT_EPOCH_S
    for second in range(10):
        written = files[second // 5]
        axes = {
            8 + axis: ("i2", [250 * axis + 10 * second + k for k in range(10)]) for axis in range(3)
        }  # thousandths of g
        turning = {5 + axis: ("f4", [1.5 * axis + k for k in range(10)]) for axis in range(3)}
        for number, own in ((165, axes), (164, turning)):
            fields = {253: ("u4", [begun + second]), 0: ("u2", [0]), 1: ("u2", list(range(0, 1000, 100))), **own}
            written.message(number, fields)  # type: ignore[arg-type]
    recording = read_one(tmp_path, b"".join(own.file() for own in files), "two.fit")  # one behind the other
    values = stream(recording, "accelerometer").values
    assert values.shape == (100, 3)
    np.testing.assert_allclose(values[70], np.array([70, 320, 570]) / 1000 * G, rtol=1e-5)
    np.testing.assert_allclose(stream(recording, "gyroscope").values[0], np.deg2rad([0, 1.5, 3.0]), rtol=1e-5)


def test_damaged_and_lacking_fit_files_are_told(tmp_path: Path) -> None:
    data = devices.fit(walk(20), calibration=CALIBRATION)
    cut = read_one(tmp_path, data[: len(data) // 2], "cut.fit")
    assert kinds(cut)[0] == "cut off"
    assert f"{len(data) - 16:,} bytes, and the file ends at byte {len(data) // 2:,}" in cut.problems[0].detail
    changed = bytearray(data)
    changed[-30] ^= 0x01
    assert kinds(read_one(tmp_path, bytes(changed), "changed.fit"))[0] == "corrupt rows"
    with pytest.raises(UnreadableData, match="raw counts, and no message of calibration"):
        read_one(tmp_path, devices.fit(walk(5)), "raw.fit")
    with pytest.raises(UnreadableData, match="found 5 records"):
        read_one(tmp_path, devices.fit(walk(5), sensor=99), "ride.fit")


def test_fit_files_that_were_changed_anywhere_are_read_as_far_as_they_go_or_told(tmp_path: Path) -> None:
    data, rng, read = devices.fit(walk(6), calibration=CALIBRATION), np.random.default_rng(1), 0
    for _ in range(150):
        changed = bytearray(data)
        for place in rng.integers(14, len(data), 3):
            changed[place] = rng.integers(256)
        recording = None
        with suppress(UnreadableData):
            recording = read_one(tmp_path, bytes(changed[: rng.integers(40, len(data))]), "a.fit")
        if recording is None:
            continue
        read += 1
        assert recording.problems
        assert np.isfinite(stream(recording, "accelerometer").values).all()
    assert read > 50


def test_a_movesense_document_is_read_at_the_rate_of_its_blocks(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    acceleration = rng.normal((0, 0, 9.8), 1, (400, 3)).round(3)
    turning = rng.normal(0, 40, (400, 3)).round(2)
    timed = [{"TimeDetailed": {"relativeTime": 2000, "utcTime": int(START_S * 1e6)}}]
    blocks = devices.movesense(acceleration.tolist(), holes=(50, 51)) + devices.movesense(turning.tolist(), name="Gyro")
    recording = read_one(tmp_path, json.dumps({"Samples": timed + blocks}).encode(), "chest.json")
    own, gyroscope = stream(recording, "accelerometer"), stream(recording, "gyroscope")
    kept = np.r_[0:200, 208:400]
    assert (recording.app, recording.gravity) == ("Movesense", "included")
    assert recording.origin_utc_s == pytest.approx(START_S + 1.0)  # the sensor's clock was at 3 s
    np.testing.assert_allclose(own.time_s, kept / 52, atol=2e-3)
    np.testing.assert_allclose(own.values, acceleration[kept], rtol=1e-6)
    np.testing.assert_allclose(gyroscope.values, np.deg2rad(turning), rtol=1e-5)
    assert sampling_rate(own.time_s) == pytest.approx(52, abs=0.3)
    lines = "\n".join(json.dumps(own) for own in blocks).encode()
    assert len(stream(read_one(tmp_path, lines, "lines.json"), "gyroscope").values) == 400


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b'{"data": [{"acc": {"Timestamp": 1, "ArrayAcc": [{"x": 1, "y": 2, "z": 3}]}}]}', "found 1 block"),
        (b'{"data": [{"acc": {"ArrayAcc": [{"x": 1, "y": 2, "z": 3}]}}]}', 'blocks of "Timestamp"'),
        (b'{"data": [{"acc": {"Timestamp": 1, "ArrayAcc": [{"x": 1, "y":', "line 1: expected JSON to its end"),
        (
            b'{"data": [{"acc": {"Timestamp": 1, "ArrayAcc": [{"x": "a", "y": 2, "z": null}]}}]}',
            'blocks of "Timestamp"',
        ),
    ],
)
def test_documents_that_are_no_movesense_recording_are_told(tmp_path: Path, content: bytes, what: str) -> None:
    with pytest.raises(UnreadableData, match=what):
        read_one(tmp_path, content, "a.json")


def matlab(**variables: object) -> bytes:
    file = io.BytesIO()
    savemat(file, variables, do_compression=True)
    return file.getvalue()


def test_matrices_of_matlab_are_columns_of_a_table(tmp_path: Path) -> None:
    n = 500
    time, values = np.arange(n) / 50, (counts(n) / 256 * G).round(4)
    plain = matlab(time_s=time[:, None], acc=values, fs=50.0, note="a walk")
    recording = read_one(tmp_path, plain, "a.mat")
    np.testing.assert_allclose(stream(recording, "accelerometer").values, values, rtol=1e-6)
    np.testing.assert_allclose(stream(recording, "accelerometer").time_s, time, atol=1e-9)
    nested = matlab(watch={"time": time, "acc": values.T}, fs=50.0)
    (table,) = tables_of_matrices(in_memory("b.mat", nested))
    lines = table.read().decode().splitlines()
    assert lines[:2] == ["# Sampling rate: 50 Hz", "time,acc_x,acc_y,acc_z"]
    days = matlab(t=719_529 + (START_S + time) / 86_400, acc=values)
    (table,) = tables_of_matrices(in_memory("c.mat", days))
    assert float(table.read().splitlines()[1].split(b",")[0]) == pytest.approx(START_S, abs=1e-4)


def test_matrices_of_hdf5_are_columns_of_a_table_and_links_are_not_followed(tmp_path: Path) -> None:
    n = 500
    time, values = np.arange(n) / 50, (counts(n) / 256 * G).round(4)
    file = io.BytesIO()
    with h5py.File(file, "w", userblock_size=512) as written:
        for name, array in (("time_s", time[None]), ("acc", values.T)):  # MATLAB's arrays lie by columns
            written.create_dataset(name, data=array).attrs["MATLAB_class"] = np.bytes_("double")
        written["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")
        written["round"] = h5py.SoftLink("/")
    data = b"MATLAB 7.3 MAT-file".ljust(512) + file.getvalue()[512:]
    np.testing.assert_allclose(stream(read_one(tmp_path, data, "a.mat"), "accelerometer").values, values, rtol=1e-6)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (matlab(acc=counts(400))[:900], "damaged or cut off"),
        (matlab(a=1.0, b="text"), "found a"),
        (b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + bytes(60), "MATLAB|arrays of numbers"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "HDF5"),
    ],
)
def test_files_without_matrices_are_told(tmp_path: Path, data: bytes, what: str) -> None:
    with pytest.raises(UnreadableData, match=what):
        read_one(tmp_path, data, "a.mat")


def test_matrices_are_not_read_out_of_other_files_of_the_server(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(30)))
    elsewhere, virtual = io.BytesIO(), io.BytesIO()
    with h5py.File(elsewhere, "w") as written:
        written.create_dataset("acc", (30,), "u1", external=[(str(secret), 0, 30)])
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["acc"] = np.arange(30.0)
    with h5py.File(virtual, "w") as written:
        layout = h5py.VirtualLayout((30,), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "acc", (30,))
        written.create_virtual_dataset("acc", layout)
    for file in (elsewhere, virtual):
        with pytest.raises(UnreadableData, match="in other files"):
            tables_of_matrices(in_memory("a.h5", file.getvalue()))


def test_too_many_values_are_refused_before_they_are_read(tmp_path: Path) -> None:
    file = io.BytesIO()
    with h5py.File(file, "w") as written:
        written.create_dataset("acc", (10**9, 3), "f8", chunks=(10**6, 3), compression="gzip")  # nothing is stored
    with pytest.raises(UnreadableData, match="more than 100,000,000 values"):
        read_one(tmp_path, file.getvalue(), "a.h5")


def test_matrices_whose_columns_are_in_doubt_are_asked_about(tmp_path: Path) -> None:
    with pytest.raises(UnknownTable):
        read_one(tmp_path, matlab(readings=counts(400).astype(float)), "a.mat")


def test_apple_health_is_told_from_a_recording(tmp_path: Path) -> None:
    record = '<Record type="HKQuantityTypeIdentifier{}" sourceName="Watch" value="71"/>\n'
    text = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE HealthData [\n<!ELEMENT HealthData>\n]>\n<HealthData>\n'
    text += record.format("HeartRate") * 3 + record.format("StepCount") + "</HealthData>"
    for content, name in (
        (text.encode(), "export.xml"),
        (zipped({"apple_health_export/export.xml": text}), "export.zip"),
    ):
        with pytest.raises(UnreadableData, match=r"3 of HeartRate, 1 of StepCount.*no acceleration"):
            upload(tmp_path, content, name)


def test_cells_and_several_structures_of_matlab_are_named_where_nothing_can_be_read(tmp_path: Path) -> None:
    cells = np.empty((1, 2), object)
    cells[0, 0] = cells[0, 1] = np.zeros((200, 3))
    runs = np.zeros((1, 2), [("acc", object)])
    runs["acc"][0, 0] = runs["acc"][0, 1] = np.zeros((200, 3))
    with pytest.raises(UnreadableData, match=r"found cells \(cells\), runs \(structures\)\.$"):
        read_one(tmp_path, matlab(cells=cells, runs=runs), "a.mat")
