"""What is easily misread is read right, or refused with what to do: see `tests/cases.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.har.recordings.quality import card
from app.har.signals.intervals import gap_free
from app.har.signals.normalisation import normalise_upload
from app.har.signals.types import Recording
from tests import cases
from tests.exports import kinds, stream, upload

UP = (1.56, 9.5, 1.33)  # m/s², the mean acceleration of `cases.person`


def read(folder: Path, content: str, name: str = "upload.csv") -> Recording:
    (recording,) = normalise_upload(upload(folder, content, name))
    return recording


# --- samples that are none


@pytest.mark.parametrize("hz", [25, 100])
@pytest.mark.parametrize("value", [(0, 0, 0), (0.31, 9.7, -0.52)])
def test_a_run_of_one_value_is_a_hole(tmp_path: Path, value: tuple[float, ...], hz: float) -> None:
    recording = read(tmp_path, cases.idle((7, 23), value, hz))
    accelerometer = stream(recording, "accelerometer")
    (first, second) = gap_free(accelerometer, hz)
    assert first[1] == pytest.approx(7, abs=1.5 / hz)
    assert second[0] == pytest.approx(23, abs=1.5 / hz)
    assert recording.gravity == "included"
    assert {"frozen values", "clock gap"} <= set(kinds(recording))
    quality = card(recording)
    assert quality.verdict == "usable"
    assert "accelerometer: 16.0 of 30.0 s are missing" in quality.reasons


def test_a_run_that_ends_a_recording_is_listed(tmp_path: Path) -> None:
    recording = read(tmp_path, cases.idle((12, 30)))
    assert stream(recording, "accelerometer").time_s[-1] < 12
    assert card(recording).verdict == "usable"
    assert "frozen values" in kinds(recording)


def test_a_gyroscope_of_zeros_is_asleep_only_while_its_device_moves(tmp_path: Path) -> None:
    t, a, w, _ = cases.person()
    still = np.tile(a[:1], (len(a), 1)) + np.random.default_rng(0).normal(0, 0.02, a.shape)
    for acceleration, asleep in ((a, True), (still, False)):
        rotation = w.copy()
        rotation[500:1500] = 0
        text = cases.table(cases.KINELAB, *np.column_stack([t, acceleration, rotation]).round(4).T)
        recording = read(tmp_path, text)
        assert len(stream(recording, "gyroscope").time_s) == (2000 if asleep else 3000)
        assert ("frozen values" in kinds(recording)) == asleep


def test_coarse_steps_repeat_a_value_without_a_fault(tmp_path: Path) -> None:
    """As the wrist of someone who sits still, in steps of 1/64 g."""
    t, a, _, _ = cases.person(hz=32)
    quiet = np.where((t >= 5)[:, None] & (t < 9)[:, None], a[160], a)
    coarse = np.round(quiet / cases.G * 64) / 64 * cases.G
    recording = read(tmp_path, cases.table("time_s,acc_x,acc_y,acc_z", *np.column_stack([t, coarse]).round(4).T))
    assert len(stream(recording, "accelerometer").time_s) == len(t)
    assert not {"frozen values", "clock gap"} & set(kinds(recording))
