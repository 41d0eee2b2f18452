"""Files of research devices are read to the sample: units, axes, gravity, rate, start and holes."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.har.errors import UnreadableDevice
from app.har.recordings.devices import gathered
from app.har.signals.clocks import sampling_rate
from app.har.signals.types import Recording
from tests import devices
from tests.devices import START_S, Counts
from tests.exports import G, kinds, stream, upload, zipped


def counts(n: int, n_axes: int = 3, a_g: int = 256) -> Counts:
    """Return a walk in whole counts, gravity along z."""
    rng = np.random.default_rng(5)
    steps = np.sin(2 * np.pi * 1.8 * np.arange(n) / 100)[:, None] * (90, 160, 120)
    samples = np.rint((steps + rng.normal(0, 9, (n, 3)) + (0, 0, 256)) * a_g / 256).astype(int)
    turning = rng.integers(-9000, 9000, (n, 3))
    return np.hstack([turning, samples]) if n_axes == 6 else samples


def read_one(folder: Path, content: bytes, name: str) -> Recording:
    (recording,) = upload(folder, content, name)
    return recording


def closes(recording: Recording, modality: str) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Return times and values of a sensor."""
    own = stream(recording, modality)
    return own.time_s, own.values


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("rate_hz", [100.0, 98.8, 101.3])
def test_an_ax3_is_read_to_the_sample_at_its_real_rate(tmp_path: Path, packed: bool, rate_hz: float) -> None:
    samples = counts(1200)
    recording = read_one(
        tmp_path, devices.cwa(samples, rate_hz=rate_hz, start_s=START_S + 0.25, packed=packed), "a.cwa"
    )
    time, values = closes(recording, "accelerometer")
    assert recording.app == "Axivity"
    assert recording.gravity == "included"
    assert recording.origin_utc_s == pytest.approx(START_S + 0.25, abs=1e-4)
    assert kinds(recording) == []
    last = 1200 - (120 if packed else 80)  # the samples of the last block have no next stamp: nominal rate
    np.testing.assert_allclose(time[: last + 1], np.arange(last + 1) / rate_hz, atol=1e-4)
    np.testing.assert_allclose(values, samples / 256 * G, rtol=1e-6)


@pytest.mark.parametrize(("acc_scale", "gyro_scale"), [(3, 2), (4, 3), (5, 5), (6, 6)])
def test_an_ax6_is_read_in_the_ranges_that_its_blocks_say(tmp_path: Path, acc_scale: int, gyro_scale: int) -> None:
    samples = counts(400, 6, a_g=2 ** (8 + acc_scale))
    data = devices.cwa(samples, acc_scale=acc_scale, gyro_scale=gyro_scale)
    recording = read_one(tmp_path, data, "a.cwa")
    _, turning = closes(recording, "gyroscope")
    _, acceleration = closes(recording, "accelerometer")
    np.testing.assert_allclose(turning, np.deg2rad(samples[:, :3] / 32768 * 8000 / 2**gyro_scale), rtol=1e-5)
    np.testing.assert_allclose(acceleration, samples[:, 3:] / 2 ** (8 + acc_scale) * G, rtol=1e-6)


def test_the_stamp_of_a_block_may_be_that_of_any_of_its_samples(tmp_path: Path) -> None:
    samples, at = counts(800), START_S + 0.4
    blocks = [
        devices.cwa_block(samples[k : k + 80], at + (k + 30) / 100, k // 80, stamped=30) for k in range(0, 800, 80)
    ]
    recording = read_one(tmp_path, devices.cwa_header() + b"".join(blocks), "a.cwa")
    assert recording.origin_utc_s == pytest.approx(at, abs=1e-4)


def test_lost_and_damaged_blocks_are_holes(tmp_path: Path) -> None:
    data = bytearray(devices.cwa(counts(1600), holes=(5, 6)))
    data[1024 + 512 * 12 + 100] ^= 0xFF
    recording = read_one(tmp_path, gzip.compress(bytes(data)), "a.cwa.gz")
    time, _ = closes(recording, "accelerometer")
    assert kinds(recording) == ["corrupt rows", "clock gap", "clock gap"]
    assert "byte 7,168: a block whose checksum is wrong" in recording.problems[0].detail
    np.testing.assert_allclose(time[399:401], [3.99, 5.60], atol=1e-3)
    assert len(time) == 1600 - 3 * 80
    assert recording.recording_id == "a.cwa"


def test_a_long_recording_lies_in_a_file_and_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = devices.cwa(counts(2000, 6), acc_scale=3, gyro_scale=3, holes=(9,))
    in_memory = read_one(tmp_path, data, "a.cwa")
    monkeypatch.setattr(gathered, "IN_MEMORY_BYTES", 1000)
    monkeypatch.setattr("app.har.recordings.devices.axivity.AT_ONCE", 7)
    on_disk = read_one(tmp_path, data, "a.cwa")
    for one, other in zip(in_memory.streams, on_disk.streams, strict=True):
        np.testing.assert_array_equal(one.time_s, other.time_s)
        np.testing.assert_array_equal(one.values, other.values)
    assert not on_disk.streams[0].values.flags.writeable


@pytest.mark.parametrize("words", [False, True])
def test_a_gt3x_is_read_to_the_sample_and_sleep_is_a_hole(tmp_path: Path, words: bool) -> None:
    samples = counts(30 * 20)
    files = {
        "info.txt": devices.gt3x_info(30, START_S, Acceleration_Scale="256.0", TimeZone="-05:00:00"),
        "log.bin": devices.gt3x_log(samples, 30, asleep=range(8, 13), words=words),
    }
    recording = read_one(tmp_path, zipped(files), "a.gt3x")
    time, values = closes(recording, "accelerometer")
    kept = np.r_[0 : 8 * 30, 13 * 30 : 20 * 30]
    assert recording.origin_utc_s == START_S + 5 * 3600  # the device's clock is five hours behind UTC
    assert kinds(recording) == ["clock gap"]
    np.testing.assert_allclose(time, kept / 30, atol=1e-6)
    np.testing.assert_allclose(values, samples[kept] / 256 * G, rtol=1e-6)


def test_the_older_gt3x_is_read_from_its_start_at_341_counts_a_g(tmp_path: Path) -> None:
    samples = counts(30 * 20 + 1, a_g=341)
    info = devices.gt3x_info(30, START_S, Serial_Number="NEO1C04110003", Firmware="2.5.0")
    data = zipped({"info.txt": info, "activity.bin": devices.twelve_bits(samples), "lux.bin": b"\0" * 40})
    recording = read_one(tmp_path, data, "a.gt3x")
    time, values = closes(recording, "accelerometer")
    assert recording.origin_utc_s == START_S
    np.testing.assert_allclose(time, np.arange(600) / 30, atol=1e-9)
    np.testing.assert_allclose(values, samples[:600] / 341 * G, rtol=1e-6)


def test_firmware_that_turned_the_axes_of_a_gt3x_is_turned_back(tmp_path: Path) -> None:
    samples = counts(30 * 5)
    info = devices.gt3x_info(30, START_S, Serial_Number="MOS2D12345678", Firmware="1.6.0")
    recording = read_one(tmp_path, zipped({"info.txt": info, "log.bin": devices.gt3x_log(samples, 30)}), "a.gt3x")
    _, values = closes(recording, "accelerometer")
    np.testing.assert_allclose(values, np.stack([samples[:, 1], -samples[:, 0], samples[:, 2]], 1) / 256 * G, rtol=1e-6)


def test_damaged_records_of_a_gt3x_are_left_out(tmp_path: Path) -> None:
    samples = counts(30 * 20)
    log = bytearray(devices.gt3x_log(samples, 30))
    log[1000] ^= 0xFF
    files = {"info.txt": devices.gt3x_info(30, START_S), "log.bin": bytes(log[:-20])}
    recording = read_one(tmp_path, zipped(files), "a.gt3x")
    assert kinds(recording) == ["corrupt rows", "clock gap"]
    assert len(stream(recording, "accelerometer").time_s) == 30 * 18


def test_a_geneactiv_of_85_7_hz_gives_300_samples_in_three_and_a_half_seconds(tmp_path: Path) -> None:
    samples = counts(300 * 12)
    recording = read_one(tmp_path, devices.geneactiv(samples, holes=(7,)), "a.bin")
    time, values = closes(recording, "accelerometer")
    kept = np.r_[0 : 300 * 7, 300 * 8 : 300 * 12]
    assert recording.origin_utc_s == START_S + 0.5 - 3600  # an hour ahead of UTC
    assert kinds(recording) == ["clock gap"]
    np.testing.assert_allclose(time[:1801], np.arange(1801) * 3.5 / 300, atol=1e-9)
    assert sampling_rate(time) == pytest.approx(300 / 3.5, abs=0.02)
    expected = (samples * 100 - devices.GENEACTIV_OFFSET) / devices.GENEACTIV_GAIN
    np.testing.assert_allclose(values, expected[kept] * G, rtol=1e-5)


def test_several_devices_of_one_upload_are_recordings_each(tmp_path: Path) -> None:
    gt3x = zipped({"info.txt": devices.gt3x_info(30, START_S), "log.bin": devices.gt3x_log(counts(300), 30)})
    files = {"left.cwa": devices.cwa(counts(800)), "right.bin": devices.geneactiv(counts(600)), "hip.gt3x": gt3x}
    found = upload(tmp_path, zipped(files), "study.zip")  # type: ignore[arg-type]
    assert {one.recording_id: one.app for one in found} == {
        "left.cwa": "Axivity", "right.bin": "GENEActiv", "hip.gt3x": "ActiGraph GT3X",
    }  # fmt: skip


def test_the_files_of_an_embraceplus_are_one_recording_at_its_real_rate(tmp_path: Path) -> None:
    samples = counts(64 * 60, a_g=1024)
    files = devices.avro_files(samples, real_hz=63.9, codec="deflate")
    recording = read_one(tmp_path, zipped(files), "participant.zip")
    time, values = closes(recording, "accelerometer")
    first_two = len(samples) * 2 // 3
    assert (recording.subject, recording.app, recording.gravity) == ("001", "Empatica EmbracePlus", "included")
    assert recording.origin_utc_s == START_S
    assert kinds(recording) == []
    np.testing.assert_allclose(time[: first_two + 1], np.arange(first_two + 1) / 63.9, atol=1e-5)
    np.testing.assert_allclose(values, samples / 2048 * G, rtol=1e-6)
    assert {(own.modality, own.unit_found) for own in recording.streams[1:]} == {
        ("electrodermal_activity", "µS, by the format"), ("skin_temperature", "°C, by the format"),
    }  # fmt: skip
    assert stream(recording, "electrodermal_activity").values[-1] == 2.25


def test_a_lost_file_of_an_embraceplus_is_a_hole_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    files = devices.avro_files(counts(64 * 90, a_g=1024))
    names = sorted(files)
    recording = read_one(tmp_path, zipped({**files, names[1]: files[names[1]][:2000]}), "participant.zip")
    time, _ = closes(recording, "accelerometer")
    assert kinds(recording) == ["unreadable file", "clock gap"]
    np.testing.assert_allclose(time[64 * 30 - 1 : 64 * 30 + 1], [30 - 1 / 64, 60], atol=1e-3)


def test_a_device_that_hangs_for_a_while_reads_the_same_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = counts(4000)
    samples[1000:1600] = samples[999]
    data = devices.cwa(samples)
    in_memory = read_one(tmp_path, data, "a.cwa")
    monkeypatch.setattr(gathered, "IN_MEMORY_BYTES", 1000)
    monkeypatch.setattr("app.har.recordings.build.AT_ONCE", 700)
    monkeypatch.setattr("app.har.signals.frozen.BLOCK", 100)
    monkeypatch.setattr("app.har.signals.frozen.BLOCKS", 5)
    on_disk = read_one(tmp_path, data, "a.cwa")
    assert kinds(on_disk) == kinds(in_memory) == ["frozen values", "clock gap"]
    assert len(on_disk.streams[0].time_s) == 3400
    np.testing.assert_array_equal(on_disk.streams[0].time_s, in_memory.streams[0].time_s)
    np.testing.assert_array_equal(on_disk.streams[0].values, in_memory.streams[0].values)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.cwa", lambda: devices.cwa(counts(2000))[100:], "begins with the letters MD; found the bytes 20 20"),
        ("a.cwa", lambda: devices.cwa(counts(2000))[:700], "expected blocks of 512 bytes"),
        ("a.bin", lambda: devices.geneactiv(counts(1500))[200:], "begins with the line 'Device Identity'"),
        ("a.gt3x", lambda: zipped({"info.txt": devices.gt3x_info(30, START_S)})[:150], "damaged or incomplete"),
    ],
)
def test_a_damaged_file_of_a_device_is_no_table_that_a_person_could_name_columns_of(
    tmp_path: Path, name: str, content: Callable[[], bytes], found: str
) -> None:
    with pytest.raises(UnreadableDevice, match=found):
        upload(tmp_path, content(), name)
