"""The signal of an upload on disk: thinned with its peaks, gaps and missing samples left as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.har.signals.types import UNLABELLED, SignalSet
from app.services.recordings import lanes, stored_signal
from app.services.recordings.stored_signal import StoredSignal

RATE_HZ = 100.0
POINTS = {"acc_x": 1333, "acc_y": 1333, "acc_z": 1333, "heart_rate": 4000}


def signals(lengths: list[int], pause_s: float = 60.0, channels: tuple[str, ...] = ("acc_x", "acc_y")) -> SignalSet:
    """Return stretches of noise of one recording with pauses between them."""
    n = sum(lengths)
    length = np.array(lengths)
    first = np.cumsum(length) - length
    return SignalSet(
        signal=np.random.default_rng(0).normal(0, 1, (n, len(channels))).astype(np.float32),
        labels=np.full(n, UNLABELLED, np.int16),
        channels=channels,
        sampling_rate_hz=RATE_HZ,
        gravity="removed",
        activities=(),
        recording_ids=("a",),
        subjects=("a",),
        first=first,
        length=length,
        recording=np.zeros(len(lengths), np.int64),
        start_s=first / RATE_HZ + pause_s * np.arange(len(lengths)),
    )


def view(folder: Path, saved: SignalSet, start_s: float = -1e9, end_s: float = 1e9) -> list[dict]:
    stored_signal.save(folder, saved, None)
    return StoredSignal(folder, "a").view(start_s, end_s, POINTS)


def there(trace: dict) -> list[float]:
    return [value for value in trace["values"] if value is not None]


@pytest.mark.parametrize("n", [5_000, 200_000, 1_000_000], ids=["short", "read whole", "from the overview"])
def test_thinning_keeps_every_peak_and_at_most_the_points_asked_for(tmp_path: Path, n: int) -> None:
    saved = signals([n])
    peaks = np.random.default_rng(1).choice(n, 20, replace=False)
    saved.signal[peaks, 0] = 50 + np.arange(20)
    trace, other = view(tmp_path, saved)
    stripe_s = n / RATE_HZ / 666
    for at, height in zip(peaks, 50 + np.arange(20), strict=True):
        near = np.abs(peaks - at) / RATE_HZ < 2 * stripe_s
        if height == saved.signal[peaks[near], 0].max():  # of two peaks in a stripe, the higher
            shown = trace["time_s"][trace["values"].index(height)]
            assert shown == pytest.approx(at / RATE_HZ, abs=0.65)
    assert 1200 < len(trace["values"]) <= 1333
    assert min(there(other)) == pytest.approx(saved.signal[:, 1].min(), abs=1e-3)
    assert trace["time_s"] == sorted(trace["time_s"])
    assert 0 <= trace["time_s"][0] < 3 * stripe_s
    assert n / RATE_HZ - 3 * stripe_s < trace["time_s"][-1] <= n / RATE_HZ


@pytest.mark.parametrize("length", [400, 40_000], ids=["read whole", "from the overview"])
def test_a_gap_is_a_break_and_nothing_is_drawn_within_it(tmp_path: Path, length: int) -> None:
    saved = signals([length] * 12)
    for trace in view(tmp_path, saved):
        assert trace["values"].count(None) == 11
        times = np.array([t for t, value in zip(trace["time_s"], trace["values"], strict=True) if value is not None])
        within = (times >= saved.start_s[:, None]) & (times <= (saved.start_s + length / RATE_HZ)[:, None])
        assert within.any(axis=0).all()
        assert (np.array(trace["time_s"]) == np.sort(trace["time_s"])).all()


def test_thousands_of_gaps_do_not_add_up_to_more_points(tmp_path: Path) -> None:
    trace, _ = view(tmp_path, signals([60] * 5_000, pause_s=1.0))
    assert len(trace["values"]) <= 1333
    assert len(there(trace)) >= 600


def test_missing_samples_are_a_break_and_a_sensor_that_is_missing_throughout_is_left_out(tmp_path: Path) -> None:
    saved = signals([100_000, 300_000], channels=("acc_x", "acc_y", "heart_rate"))
    saved.signal[:, 1] = np.nan
    saved.signal[20_000:30_000, 2] = np.nan
    x, heart = view(tmp_path, saved)
    assert (x["channel"], heart["channel"]) == ("acc_x", "heart_rate")
    assert (x["values"].count(None), heart["values"].count(None)) == (1, 2)
    assert not [t for t, v in zip(heart["time_s"], heart["values"], strict=True) if v is not None and 200 < t < 299]
    (closer,) = (t for t in view(tmp_path, saved, 250.0, 260.0) if t["channel"] == "heart_rate")
    assert closer["values"] == []  # the trace stays, without points


@pytest.mark.parametrize("length", [400, 40_000], ids=["read whole", "from the overview"])
def test_a_sensor_that_runs_on_where_another_stops_is_drawn_without_a_break(tmp_path: Path, length: int) -> None:
    saved = signals([length] * 9, pause_s=0.0)
    saved.start_s[1::2] += 1 / RATE_HZ  # a sample may be missing between
    saved.signal.reshape(9, length, 2)[1::2, :, 1] = np.nan
    on, off = view(tmp_path, saved)
    assert (on["values"].count(None), off["values"].count(None)) == (0, 4)
    for trace in (on, off):
        assert trace["time_s"] == sorted(trace["time_s"])
        assert trace["time_s"][-1] == pytest.approx((9 * length - 1) / RATE_HZ, abs=10)
    times = np.array([t for t, value in zip(off["time_s"], off["values"], strict=True) if value is not None])
    assert (times // (length / RATE_HZ) % 2 == 0).all()


def test_a_constant_signal_is_drawn_from_end_to_end(tmp_path: Path) -> None:
    saved = signals([200_000])
    saved.signal[:] = 1.5
    trace, _ = view(tmp_path, saved)
    assert set(trace["values"]) == {1.5}
    assert trace["time_s"][-1] - trace["time_s"][0] > 1990


def test_a_closer_look_has_every_sample(tmp_path: Path) -> None:
    saved = signals([100_000, 100_000])
    trace, _ = view(tmp_path, saved, 500.0, 502.0)
    assert trace["time_s"][0] <= 500.0
    assert trace["time_s"][-1] >= 502.0
    np.testing.assert_allclose(trace["values"], saved.signal[50_000 : 50_000 + len(trace["values"]), 0], atol=1e-4)
    between, _ = view(tmp_path, saved, 1001.0, 1059.0)
    assert between["values"] == []


def test_an_upload_of_an_earlier_version_without_an_overview_looks_the_same(tmp_path: Path) -> None:
    saved = signals([300_000, 200_000])
    saved.signal[12_345, 0] = 99
    new = view(tmp_path, saved)[0]
    (tmp_path / "overview.npy").unlink()
    old = StoredSignal(tmp_path, "a").view(-1e9, 1e9, POINTS)[0]
    assert max(there(old)) == max(there(new)) == 99
    assert old["values"].count(None) == new["values"].count(None) == 1
    assert old["time_s"][0] == pytest.approx(new["time_s"][0], abs=10)
    assert old["time_s"][-1] == pytest.approx(new["time_s"][-1], abs=10)


def test_of_several_recordings_only_the_one_asked_for_is_drawn(tmp_path: Path) -> None:
    both = replace(signals([300_000, 300_000], 0.0), recording_ids=("a", "b"), recording=np.array([0, 1]))
    both = replace(both, start_s=np.array([0.0, 7.0]))
    both.signal[:300_000, 0], both.signal[300_000:, 0] = -1, 1
    stored_signal.save(tmp_path, both, None)
    for name, value, start in (("a", -1, 0.0), ("b", 1, 7.0)):
        stored = StoredSignal(tmp_path, name)
        assert set(stored.view(-1e9, 1e9, POINTS)[0]["values"]) == {value}
        assert stored.extent_s == (start, start + 2999.99)


@pytest.mark.parametrize("n", [5_000, 1_000_000], ids=["read whole", "from the overview"])
def test_the_length_of_a_vector_is_that_of_its_samples_and_an_earlier_upload_looks_the_same(
    tmp_path: Path, n: int
) -> None:
    saved = signals([n, n // 2], channels=("acc_x", "acc_y", "acc_z", "watch.gyro_x"))
    saved.signal[n // 3] = (30.0, 40.0, 0.0, 1.0)
    stored_signal.save(tmp_path, saved, None)
    lengths = np.linalg.norm(saved.signal[:, :3], axis=1)
    for earlier in (False, True):
        if earlier:
            (tmp_path / "magnitudes.npy").unlink()
        (trace,) = StoredSignal(tmp_path, "a").magnitudes(-1e9, 1e9, 4000)
        assert trace["sensor"] == "accelerometer"  # a gyroscope of one axis has no length
        assert max(there(trace)) == pytest.approx(50.0, abs=1e-3)
        assert min(there(trace)) == pytest.approx(lengths.min(), abs=1e-3)
        assert trace["values"].count(None) == 1
        assert len(trace["values"]) <= 4000


def test_a_lane_is_thinned_and_broken_where_it_stops(tmp_path: Path) -> None:
    time = np.concatenate((np.arange(0, 3000.0), np.arange(4000.0, 9000.0)))
    values = np.sin(time / 500).astype(np.float32)
    values[[1234, 5000]] = 9, -9
    lanes.save(tmp_path, [("a", "watch.heart_rate", time, values), ("b", "skin_temperature", time, values)], None)
    (trace,) = lanes.view(tmp_path, "a", -1.0, 1e9, 1000)
    assert (trace["channel"], len(trace["values"]) <= 1001) == ("watch.heart_rate", True)
    assert (max(there(trace)), min(there(trace)), trace["values"].count(None)) == (9, -9, 1)
    (closer,) = lanes.view(tmp_path, "b", 100.0, 110.0, 1000)
    assert closer["time_s"] == list(range(99, 111))
    (none,) = lanes.view(tmp_path, "a", 3200.0, 3300.0, 1000)
    assert len(there(none)) <= 2
    assert lanes.view(tmp_path, "c", 0.0, 1.0, 10) == []
