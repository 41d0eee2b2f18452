"""A long recording is recognised a run of windows at a time, as it would be in one piece, with progress."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.har.classifiers.everyday.classifier import CHANNELS
from app.har.progress import Event
from app.har.signals.filters import Preparation
from app.har.signals.types import Recording, Stream
from app.services.recordings import recognise as module
from app.services.recordings import resample as resampling
from app.services.recordings.demands import StatedDemands
from app.services.recordings.recognise import Model, always, recognise
from tests import synthetic
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two minutes of a walk and a rest, labelled."""
    path = tmp_path_factory.mktemp("long") / "walk.csv"
    walk, rest = (synthetic.kinelab_csv(name, 1, 60.0, 100.0).splitlines() for name in ("Walk", "Rest"))
    shifted = [f"{float(line.partition(',')[0]) + 60.0:.3f},{line.partition(',')[2]}" for line in rest[1:]]
    path.write_text("\n".join([*walk, *shifted]))
    return path


def test_windows_recognised_in_batches_are_those_recognised_in_one_piece(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.har.classifiers.elm_gru_am.persistence import load_model

    model = load_model(ROOT / "reference_models" / "reference-ku-har")
    whole = recognise(recording, "walk.csv", always(Model("lab/1", lambda: model))).result
    monkeypatch.setattr(module, "BATCH", 7)
    events: list[Event] = []
    in_batches = recognise(recording, "walk.csv", always(Model("lab/1", lambda: model)), events.append).result
    np.testing.assert_allclose(in_batches.proba, whole.proba, atol=1e-4)
    for name in ("start_s", "end_s", "recording_index", "labels", "unfamiliar"):
        np.testing.assert_array_equal(getattr(in_batches, name), getattr(whole, name))
    assert (in_batches.recording_ids, in_batches.label_activities) == (whole.recording_ids, whole.label_activities)
    assert len(whole) == 40
    assert {whole.label_activities[i] for i in whole.labels} == {"Walk", "Rest"}
    fractions = [event["fraction"] for event in events if event["stage"] == "recognising"]
    assert fractions == [0.0, *(min(7 * i, 40) / 40 for i in range(1, 7))]
    assert list(dict.fromkeys(event["stage"] for event in events)) == ["reading", "resampling", "recognising"]


@pytest.mark.parametrize("gyroscope", [False, True])
def test_gravity_comes_off_a_long_recording_as_off_a_short_one(
    gyroscope: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    time = np.concatenate([np.arange(20_000), np.arange(20_400, 40_000)]) / 100.07  # with a hole
    turning = np.stack(
        [np.sin(time / 9), np.cos(time / 9) * np.cos(time / 31), np.cos(time / 9) * np.sin(time / 31)], 1
    )
    steps = np.sin(2 * np.pi * 1.9 * time)[:, None] * (1.0, 2.0, 1.5) + rng.normal(0, 0.1, (len(time), 3))
    streams = [Stream("accelerometer", time, (9.81 * turning + steps).astype(np.float32))]
    if gyroscope:
        streams.append(Stream("gyroscope", time, steps.astype(np.float32)))
    recording = Recording("day", "one", tuple(streams), "included")
    demands = StatedDemands(CHANNELS, 50.0, 3.0, 150, "removed", Preparation())
    found = []
    for long in (10**9, 0):
        monkeypatch.setattr(resampling, "LONG", long)
        found.append(resampling.resample([recording], demands, "day.cwa"))
    (short, problems), (later, same_problems) = found
    assert same_problems == problems
    assert later.channels == short.channels == CHANNELS
    assert later.gravity == short.gravity == "removed"
    for name in ("first", "length", "start_s"):
        np.testing.assert_array_equal(getattr(later, name), getattr(short, name))
    stretches = zip(later.first.tolist(), later.length.tolist(), strict=True)
    inner = np.concatenate([np.arange(first + 50, first + n - 50) for first, n in stretches])
    np.testing.assert_allclose(later.signal[inner], short.signal[inner], atol=0.02)
    np.testing.assert_allclose(later.signal, short.signal, atol=0.3)
    assert np.isnan(later.signal[:, 3:6]).all() != gyroscope
