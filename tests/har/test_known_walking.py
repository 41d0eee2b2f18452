"""Postures against walking of another recording: only where the device was put in the same way round."""

from __future__ import annotations

import numpy as np
import pytest

from app.har.classifiers.everyday.evidence import _tilt
from app.har.classifiers.types import WalkingReference
from app.har.types import FloatArray

NO_WALK = np.zeros(0, np.int64)
ONE = np.full(7, "one recording")


def turned(*angles_deg: float) -> FloatArray:
    """Return directions of gravity, turned so far from the y axis; (n, 3)."""
    radians = np.radians(angles_deg)
    return np.stack([np.sin(radians), np.cos(radians), 0 * radians], axis=1).astype(np.float32)


KNOWN = WalkingReference(np.zeros(1, np.float32), turned(0.0)[0], 10)


def test_a_device_that_was_put_in_upside_down_has_no_tilt_against_walking_of_another_recording() -> None:
    gravity = turned(10.0, 80.0, 119.0, 121.0, 170.0)
    tilt = _tilt(gravity, ONE, np.arange(5), NO_WALK, KNOWN)
    assert tilt[:3].tolist() == pytest.approx([10.0, 80.0, 119.0], abs=0.1)
    assert np.isnan(tilt[3:]).all()


def test_walking_in_the_recording_itself_shows_which_way_round_the_device_is() -> None:
    gravity = np.concatenate([turned(*[170.0] * 5), turned(170.0, 90.0)])
    tilt = _tilt(gravity, ONE, np.array([5, 6]), np.arange(5), KNOWN)
    assert tilt.tolist() == pytest.approx([0.0, 80.0], abs=0.1)


def test_walking_in_another_recording_of_the_same_file_does_not_show_which_way_round_the_device_is() -> None:
    gravity = np.concatenate([turned(*[0.0] * 5), turned(170.0, 90.0)])
    recordings = np.array(["walking"] * 5 + ["standing"] * 2)
    tilt = _tilt(gravity, recordings, np.arange(7), np.arange(5), None)
    assert tilt[[0, 6]].tolist() == pytest.approx([0.0, 90.0], abs=0.1)
    assert np.isnan(tilt[5])


def test_nothing_is_known_of_the_tilt_without_walking() -> None:
    assert np.isnan(_tilt(turned(10.0), ONE, np.array([0]), NO_WALK, None)).all()
    unknown = WalkingReference(np.zeros(1, np.float32), np.full(3, np.nan, np.float32), 10)
    assert np.isnan(_tilt(turned(10.0), ONE, np.array([0]), NO_WALK, unknown)).all()
