"""Answers while samples come: those of an upload in the end, whatever the clocks of the device do."""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path

import numpy as np
import pytest

from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.stored_models import load_model
from app.har.live.batches import Batch, Samples
from app.har.live.recogniser import LiveRecogniser, LiveWindow
from app.har.live.uniform import UniformStream, advance
from app.har.progress import ignore_event
from app.har.signals.types import Recording, Stream
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.recognise import Model, _recognised
from tests import synthetic

MODEL = Path(__file__).parents[2] / "reference_models" / "reference-everyday"
T0 = 1.7e9
DAY = ("Rest", "Walk", "Rest", "Run", "Walk", "Rest")


@pytest.fixture(scope="module")
def model() -> EverydayClassifier:
    loaded = load_model(MODEL)
    assert isinstance(loaded, EverydayClassifier)
    return loaded


def day(rate_hz: float = 50.0, *, gap_s: float = 0.0, jitter_s: float = 0.0, subject: int = 3) -> Recording:
    """Return somebody who rests, walks and runs, 20 s each; a gap in the middle."""
    parts = [synthetic.signal(a, subject, 20.0, rate_hz, seed=i, gravity="included")[1] for i, a in enumerate(DAY)]
    values = np.concatenate(parts).astype(np.float32)
    time = np.arange(len(values)) / rate_hz
    time += np.random.default_rng(0).uniform(-jitter_s, jitter_s, len(time))
    time[len(time) // 2 :] += gap_s
    streams = Stream("accelerometer", time, values[:, :3]), Stream("gyroscope", time + 0.003, values[:, 3:])
    return Recording("day", "1", streams, "included")


def batches(recording: Recording) -> list[Batch]:
    """Cut a recording into batches of a second, as a device sends them."""
    names = {"accelerometer": "acceleration", "gyroscope": "rotation"}
    last = max(stream.time_s[-1] for stream in recording.streams)
    found = []
    for second in range(math.ceil(last) + 1):
        sensors = {}
        for stream in recording.streams:
            first, end = np.searchsorted(stream.time_s, [second - 0.5, second + 0.5])
            if end > first:
                sensors[names[stream.modality]] = Samples(stream.time_s[first:end] + T0, stream.values[first:end])
        if sensors:
            found.append(Batch(second, "s", sensors))
    return found


def streamed(live: LiveRecogniser, sent: list[Batch]) -> dict[float, LiveWindow]:
    """Return the last answer about each window on the upload's grid."""
    track = live.open()
    found = [window for batch in sent for window in live.step([(track, [batch])])[0]] + live.finish(track)
    return {round(window.start_s - T0, 2): window for window in found if window.on_grid}


def uploaded(model: EverydayClassifier, recording: Recording) -> PredictionResult:
    return _recognised(deque([recording]), "day", Model("m", lambda: model), ignore_event, "", None)[0].result


@pytest.mark.parametrize(
    "recording", [day(), day(100.0, jitter_s=0.002), day(60.0, gap_s=5.0)], ids=["50 Hz", "100 Hz jitters", "60 Hz gap"]
)
def test_a_stream_is_answered_as_the_same_recording_uploaded(model: EverydayClassifier, recording: Recording) -> None:
    result, windows = uploaded(model, recording), streamed(LiveRecogniser(model), batches(recording))
    assert [round(float(start), 1) for start in result.start_s] == [round(start, 1) for start in sorted(windows)]
    answers = np.stack([windows[start].probabilities for start in sorted(windows)])
    assert (answers.argmax(axis=1) == result.proba.argmax(axis=1)).mean() >= 0.99
    assert np.abs(answers - result.proba).max() < 0.1


def test_sessions_of_one_step_do_not_touch_each_other(model: EverydayClassifier) -> None:
    sent = [batches(day(subject=i))[:28] for i in (3, 4)]
    live = LiveRecogniser(model)
    tracks = [live.open(), live.open()]
    together: list[dict[float, LiveWindow]] = [{}, {}]
    for pair in zip(*sent, strict=True):
        for found, own in zip(together, live.step([(t, [b]) for t, b in zip(tracks, pair, strict=True)]), strict=True):
            found.update({window.start_s: window for window in own})
    for i, found in enumerate(together):
        track = live.open()
        alone = {w.start_s: w for batch in sent[i] for w in live.step([(track, [batch])])[0]}
        assert alone.keys() == found.keys()
        for start, window in alone.items():
            np.testing.assert_allclose(window.probabilities, found[start].probabilities, atol=1e-4)
    for row in (row for track in tracks for row in track.memory.grid):
        arrays = row.measures, row.features, row.personal, row.log_level, row.unlike, row.said
        assert all(array is None or array.base is None for array in arrays), "a view keeps the others' windows"


def test_a_window_is_answered_within_half_a_second_of_its_end(model: EverydayClassifier) -> None:
    live = LiveRecogniser(model)
    track = live.open()
    for batch in batches(day(100.0))[:30]:
        newest = max((window.end_s for window in live.step([(track, [batch])])[0]), default=math.nan)
        assert not newest < batch.end_s - live.classifier.window_length_s / 2
    assert batch.end_s - newest < 1.5  # a hop, and what the filter waits for


def test_a_clock_that_jumps_begins_anew_and_goes_on(model: EverydayClassifier) -> None:
    sent = batches(day())
    jumps = {40: 3600.0, 60: -7200.0, 80: 0.0}
    shift, moved = 0.0, []
    for number, batch in enumerate(sent):
        shift = jumps.get(number, shift)
        sensors = {name: Samples(own.time_s + shift, own.values) for name, own in batch.sensors.items()}
        moved.append(Batch(batch.message_id, "s", sensors))
    windows = streamed(LiveRecogniser(model), moved)
    starts = np.array(sorted(windows))
    for shift in (0.0, *jumps.values()):
        assert ((starts >= shift) & (starts <= shift + 130)).sum() >= 4
    assert all(np.isfinite(window.probabilities).all() for window in windows.values())


def test_a_single_wrong_stamp_and_shuffled_samples_do_no_harm(model: EverydayClassifier) -> None:
    sent = batches(day())
    usual = streamed(LiveRecogniser(model), sent)
    spoilt = []
    rng = np.random.default_rng(1)
    for batch in sent:
        order = {name: rng.permutation(len(own.time_s)) for name, own in batch.sensors.items()}
        sensors = {n: Samples(own.time_s[order[n]], own.values[order[n]]) for n, own in batch.sensors.items()}
        spoilt.append(Batch(batch.message_id, "s", sensors))
    own = spoilt[50].sensors["rotation"]
    stamps = own.time_s.copy()
    stamps[7] += 1e6
    spoilt[50] = Batch(50, "s", {**spoilt[50].sensors, "rotation": Samples(stamps, own.values)})
    found = streamed(LiveRecogniser(model), spoilt)
    assert found.keys() == usual.keys()
    same = [found[start].probabilities.argmax() == usual[start].probabilities.argmax() for start in usual]
    assert np.mean(same) >= 0.95
    assert all(np.isfinite(window.probabilities).all() for window in found.values())


def test_memory_of_a_session_stays_bounded() -> None:
    stream = UniformStream()
    sizes = []
    for second in range(400):
        time_s = T0 + second + np.arange(100) / 100
        values = np.zeros((100, 3), np.float32)
        stream.add(Batch(second, "s", {"acceleration": Samples(time_s, values)}), 0.5)
        advance([stream], 50.0, 3.0, 850)
        sizes.append(sum(clock.values.nbytes + clock.time_s.nbytes for clock in stream.clocks.values()))
    assert max(sizes[100:]) <= max(sizes[:100])
    assert stream.stretch is not None
    assert stream.stretch.kept.nbytes < 100_000
