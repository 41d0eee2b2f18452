"""A device that lies still in many directions tells its own errors, and is corrected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.har.problems import ProblemKind
from app.har.signals import calibration, samples
from app.har.signals.calibration import calibrate, error_mg, fit, still_means
from app.har.signals.types import Recording, Stream
from tests import devices
from tests.exports import G
from tests.har.test_devices import read_one

OFFSET, SCALE = np.array([0.034, -0.021, 0.012]), np.array([1.021, 0.968, 1.009])


def directions(n: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(0, 1, (n, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def distorted(true: np.ndarray) -> np.ndarray:
    return np.asarray((true - OFFSET) / SCALE)


def test_a_known_distortion_is_found_however_many_vectors_are_alike() -> None:
    true = np.concatenate([directions(300), np.tile(directions(1, 5), (700, 1))])  # most nights on one side
    still = distorted(true) + np.random.default_rng(1).normal(0, 0.0005, true.shape)
    found = fit(still)
    assert found is not None
    np.testing.assert_allclose(found.offset_g, OFFSET, atol=1e-3)
    np.testing.assert_allclose(found.scale, SCALE, atol=2e-3)
    assert found.error_before_mg == pytest.approx(error_mg(still))
    assert found.error_before_mg > 10
    assert found.error_after_mg < 1
    assert found.helps


def test_vectors_that_are_not_still_weigh_less() -> None:
    true = directions(500)
    still = distorted(true)
    still[::10] *= 1.08  # a lift that starts
    found = fit(still)
    assert found is not None
    np.testing.assert_allclose(found.offset_g, OFFSET, atol=5e-3)


@pytest.mark.parametrize(
    "true", [directions(99), np.abs(directions(500)), directions(500) * (1, 1, 0.2)], ids=["few", "one side", "flat"]
)
def test_too_few_directions_calibrate_nothing(true: np.ndarray) -> None:
    assert fit(true) is None


def recording(true: np.ndarray, rate_hz: int = 20) -> Recording:
    """Return 10 s in each direction and then 5 s of movement."""
    rng = np.random.default_rng(2)
    held = np.repeat(distorted(true), 15 * rate_hz, axis=0)
    moving = np.tile(np.arange(15 * rate_hz) >= 10 * rate_hz, len(true))
    held += rng.normal(0, 0.003, held.shape) + moving[:, None] * rng.normal(0, 0.3, held.shape)
    time_s = np.arange(len(held)) / rate_hz
    return Recording("a", "b", (Stream("accelerometer", time_s, (held * G).astype(np.float32)),), "included")


def test_only_stretches_without_movement_and_holes_are_still() -> None:
    whole = recording(directions(30))
    (stream,) = whole.streams
    kept = np.delete(np.arange(len(stream.time_s)), np.arange(20, 120))  # a hole in the first
    cut = Stream("accelerometer", stream.time_s[kept], stream.values[kept])
    n = len(still_means(stream))
    assert 5 <= n <= 15  # those that do not reach into movement
    assert 0 < len(still_means(cut)) < n + 8
    assert len(still_means(Stream("accelerometer", stream.time_s[:9], stream.values[:9]))) == 0


@pytest.mark.parametrize("most_bytes", [10**9, 1000])
def test_a_recording_is_calibrated_in_memory_or_in_a_file(most_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "IN_MEMORY_BYTES", most_bytes)
    monkeypatch.setattr(calibration, "BLOCK", 5000)
    true = directions(400)
    before = recording(true)
    after = calibrate(before)
    (problem,) = after.problems
    assert problem.kind == ProblemKind.CALIBRATED
    assert "mg from it now" in problem.detail
    np.testing.assert_allclose(
        after.streams[0].values, (before.streams[0].values * SCALE + OFFSET * G), atol=0.003 * G, rtol=2e-3
    )
    assert error_mg(still_means(after.streams[0])) < 1


def test_a_device_s_file_is_calibrated_as_it_is_read(tmp_path: Path) -> None:
    rate_hz, true = 12.5, np.repeat(directions(120, 4), 125 * 2, axis=0)
    rng = np.random.default_rng(0)
    counts = np.rint((distorted(true) + rng.normal(0, 0.002, true.shape)) * 2048).astype(int)
    data = devices.cwa(counts, rate_hz=rate_hz, rate=0x47, acc_scale=3)
    found = read_one(tmp_path, data, "a.cwa")
    assert [problem.kind for problem in found.problems] == [ProblemKind.CALIBRATED]
    np.testing.assert_allclose(np.linalg.norm(found.streams[0].values, axis=1).mean(), G, rtol=1e-3)
    one_side = np.rint(distorted(np.abs(true)) * 2048).astype(int)
    left = read_one(tmp_path, devices.cwa(one_side, rate_hz=rate_hz, rate=0x47, acc_scale=3), "b.cwa")
    assert ProblemKind.NOT_CALIBRATED in [problem.kind for problem in left.problems]
    np.testing.assert_allclose(left.streams[0].values, one_side / 2048 * G, rtol=1e-6)
