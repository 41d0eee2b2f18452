"""Gravity is never silently there or not there: it is taken off, put on, or the recording is refused."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.har.errors import InsufficientData, UnusableRecording
from app.har.recordings.upload import read_upload
from app.har.signals.filters import Preparation, estimate_gravity, low_passed, prepare
from app.har.signals.gravity import match_gravity
from app.har.signals.normalisation import normalise_units, require_plausible_magnitudes
from app.har.signals.resampling import to_signal_set
from app.har.signals.types import Gravity, Recording, Stream
from app.har.windows import make_windows
from tests import synthetic

ROOT = Path(__file__).resolve().parents[2]


def turning(
    time: NDArray[np.float64], seed: int = 0, degrees: float = 15.0, period_s: float = 60.0
) -> NDArray[np.float64]:
    """Return gravity as a phone feels it that is slowly turned to and fro about some axis; (n, 3) in m/s²."""
    rng = np.random.default_rng(seed)
    axis, down = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    angle = np.radians(degrees) * np.sin(2 * np.pi * time / period_s + 1)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return np.asarray(9.80665 * (down * cos + np.cross(axis, down) * sin + axis * (axis @ down) * (1 - cos)))


def with_gravity(recording: Recording, *beside: str, seed: int = 0) -> Recording:
    """Return what a phone would have recorded of it, with these streams of the phone's own beside it."""
    accelerometer, *others = recording.streams
    gravity = turning(accelerometer.time_s, seed)
    total = replace(accelerometer, values=(accelerometer.values + gravity).astype(np.float32))
    own = {
        "gravity": Stream("gravity", accelerometer.time_s, gravity.astype(np.float32)),
        "linear_accelerometer": replace(accelerometer, modality="linear_accelerometer"),
    }
    return replace(recording, streams=(total, *others, *(own[name] for name in beside)), gravity="included")


@pytest.mark.parametrize("activity", ["Rest", "Walk", "Run"])
@pytest.mark.parametrize(
    ("beside", "action", "error"),
    [
        ((), "low-pass at 0.3 Hz", 0.45),
        (("gravity",), "gravity that the phone", 1e-5),
        (("linear_accelerometer",), "linear", 0),
    ],
)
def test_gravity_is_taken_off_by_the_best_means_there_are(
    activity: str, beside: tuple[str, ...], action: str, error: float
) -> None:
    true = synthetic.recording(activity, seconds=60.0)
    converted = match_gravity(with_gravity(true, *beside), "removed")
    assert converted.gravity == "removed"
    assert [p.kind for p in converted.problems] == ["gravity removed"]
    assert action in converted.problems[0].action
    assert "the model was trained without" in converted.problems[0].detail
    difference = converted.streams[0].values - true.streams[0].values
    assert np.sqrt((difference**2).mean()) <= error
    assert converted.streams[0].modality == "accelerometer"


@pytest.mark.parametrize("seconds", [0.6, 1.5, 3.0, 5.0])
def test_short_stretches_are_not_spoilt_at_their_ends(seconds: float) -> None:
    true = synthetic.recording("Walk", seconds=seconds)
    difference = match_gravity(with_gravity(true), "removed").streams[0].values - true.streams[0].values
    assert np.abs(difference.mean(axis=0) + true.streams[0].values.mean(axis=0)).max() < 0.35
    assert np.abs(difference).max() < 1.5  # gravity was 9.8


def test_each_side_of_a_gap_is_separated_by_itself() -> None:
    one, two = synthetic.recording("Rest", seconds=20.0), synthetic.recording("Rest", seconds=20.0, seed=1)
    time = np.concatenate([one.streams[0].time_s, one.streams[0].time_s + 60])
    up, aside = np.array([0, 0, 9.81]), np.array([9.81, 0, 0])
    values = np.concatenate([one.streams[0].values + up, two.streams[0].values + aside])
    turned = Recording("r", "s", (Stream("accelerometer", time, values.astype(np.float32)),), "included")
    assert np.abs(match_gravity(turned, "removed").streams[0].values).max() < 0.2


def test_gravity_is_put_on_only_with_the_phones_own() -> None:
    true = synthetic.recording("Walk", seconds=20.0)
    total = with_gravity(true, "gravity")
    linear = replace(true, streams=(true.streams[0], total.streams[-1]))
    back = match_gravity(linear, "included")
    np.testing.assert_allclose(back.streams[0].values, total.streams[0].values, atol=1e-5)
    assert [p.kind for p in back.problems] == ["gravity added"]
    with pytest.raises(UnusableRecording, match="gravity was removed, but the model was trained with gravity"):
        match_gravity(true, "included")


@pytest.mark.parametrize("spoil", [lambda t: t[: len(t) // 2], lambda t: t[(t < 10) | (t > 50)]], ids=["half", "hole"])
def test_a_stream_of_the_phones_own_that_is_not_all_there_is_not_used(
    spoil: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> None:
    recording = with_gravity(synthetic.recording("Walk", seconds=60.0), "linear_accelerometer")
    own = recording.streams[-1]
    kept = np.isin(own.time_s, spoil(own.time_s))
    worse = replace(own, time_s=own.time_s[kept], values=own.values[kept])
    converted = match_gravity(replace(recording, streams=(*recording.streams[:-1], worse)), "removed")
    assert "low-pass" in converted.problems[0].action
    assert len(converted.streams[0].time_s) == len(recording.streams[0].time_s)


def test_without_acceleration_or_with_the_same_gravity_nothing_is_done() -> None:
    recording = synthetic.recording("Walk")
    assert match_gravity(recording, "removed") == recording
    rotation = replace(recording, streams=recording.streams[1:])
    assert match_gravity(rotation, "included").problems == ()


@pytest.mark.parametrize(
    ("activity", "gravity", "acc", "gyro", "wanted", "message"),
    [
        ("Walk", "included", 1.0, 1.0, "included", None),
        ("Rest", "included", 1.0, 1.0, "removed", None),
        ("Run", "removed", 1.0, 1.0, "removed", None),
        ("Walk", "included", 1 / 9.81, 1.0, "included", None),  # certain: g
        ("Walk", "included", 1000 / 9.81, 1.0, "removed", None),  # certain: thousandths of g
        ("Walk", "included", 3.0, 1.0, "included", "more than twice gravity"),
        ("Walk", "included", 9.81, 1.0, "included", None),  # certain: multiplied by 9.81 once too often
        ("Walk", "included", 1 / 9.81**2, 1.0, "included", None),  # certain: divided by it once too often
        ("Walk", "included", 700.0, 1.0, "included", "more than twice gravity"),
        ("Run", "removed", 1.0, 57.3, "removed", None),  # certain: deg/s
        ("Run", "removed", 1.0, 5000.0, "removed", "raw counts"),
    ],
)
def test_certain_units_are_converted_and_uncertain_ones_refused(
    activity: str, gravity: Gravity, acc: float, gyro: float, wanted: Gravity, message: str | None
) -> None:
    recording = synthetic.recording(activity, gravity=gravity)
    scaled = [replace(s, values=s.values * np.float32(f)) for s, f in zip(recording.streams, (acc, gyro), strict=True)]
    settled = normalise_units(replace(recording, streams=tuple(scaled)))
    if message is None:
        require_plausible_magnitudes(settled, wanted)
        for after, before in zip(settled.streams, recording.streams, strict=True):
            np.testing.assert_allclose(after.values, before.values, rtol=1e-2)
        assert [p.kind for p in settled.problems] == ["unit converted"] * (acc != 1.0 or gyro != 1.0)
    else:
        with pytest.raises(UnusableRecording, match=message):
            require_plausible_magnitudes(settled, wanted)


@pytest.mark.parametrize("wanted", ["included", "removed"])
@pytest.mark.parametrize(("factor", "unit"), [(1000 / 9.81, "mg"), (1 / 9.81, "g"), (1.0, "")])
def test_what_is_too_short_for_certainty_is_refused_with_the_unit_that_would_fit(
    factor: float, unit: str, wanted: Gravity
) -> None:
    accelerometer = synthetic.recording("Walk", seconds=2.5, gravity="included").streams[0]
    scaled = replace(accelerometer, values=accelerometer.values * np.float32(factor))
    recording = normalise_units(Recording("r", "s", (scaled,), "included"))
    if unit == "mg" or (unit == "g" and wanted == "included"):
        with pytest.raises(UnusableRecording, match=rf"seems to be in {unit}\. Multiply by"):
            require_plausible_magnitudes(recording, wanted)
    else:
        require_plausible_magnitudes(recording, wanted)


def test_acceleration_near_1_that_does_not_keep_there_is_not_taken_for_gravity() -> None:
    running = synthetic.recording("Run")
    streams = (replace(running.streams[0], values=running.streams[0].values + np.float32(0.6)), running.streams[1])
    recording = normalise_units(replace(running, streams=streams))
    assert recording.gravity == "removed"
    np.testing.assert_array_equal(recording.streams[0].values, streams[0].values)


def test_gravity_that_is_promised_and_not_there_is_told() -> None:
    recording = normalise_units(replace(synthetic.recording("Walk"), gravity="included"))
    assert (recording.gravity, recording.problems[0].kind) == ("removed", "no gravity")


def test_a_filter_keeps_what_is_slower_and_takes_what_is_faster() -> None:
    time = np.arange(3000) / 100
    slow, fast = np.sin(2 * np.pi * 1.0 * time), np.sin(2 * np.pi * 20.0 * time)
    filtered = low_passed((slow + fast)[:, None], 100.0, 5.0)[:, 0]
    assert np.abs(filtered - slow)[100:-100].max() < 0.01  # zero phase: nothing is late
    assert np.abs(estimate_gravity((9.81 + fast)[:, None], 100.0) - 9.81).max() < 0.1
    with pytest.raises(InsufficientData, match="needs signals of more than 120 Hz"):
        low_passed(fast[:, None], 100.0, 60.0)


def test_signals_are_prepared_as_the_model_was_trained() -> None:
    recordings = [with_gravity(own, seed=n) for n, own in enumerate(synthetic.recordings(2, 30.0))]
    signals = to_signal_set(recordings)
    assert prepare(signals, Preparation()) is signals
    prepared = prepare(signals, Preparation(low_pass_hz=10.0, separate_gravity=True))
    assert prepared.gravity == "removed"
    for first, length in zip(prepared.first, prepared.length, strict=True):
        assert np.abs(prepared.signal[first : first + length, :3].mean(axis=0)).max() < 0.2
    resting = signals.labels == signals.activities.index("Rest")
    assert prepared.signal[resting, 3:].std() < 0.8 * signals.signal[resting, 3:].std()
    apart = to_signal_set([match_gravity(own, "removed") for own in recordings])  # as an upload is converted
    only_gravity = prepare(signals, Preparation(separate_gravity=True))
    np.testing.assert_allclose(only_gravity.signal, apart.signal, atol=0.02)


@pytest.mark.real_data
def test_a_model_trained_without_gravity_recognises_the_same_with_gravity_added(data_dir: Path, tmp_path: Path) -> None:
    from app.har.classifiers.elm_gru_am.persistence import load_model

    model = load_model(ROOT / "reference_models" / "reference-ku-har")
    path, originals, converted = tmp_path / "recording", [], []
    with zipfile.ZipFile(data_dir / "ku-har" / "1.Raw_time_domian_data.zip") as archive:
        for number, name in enumerate(_two_of_each(archive)):
            path.write_bytes(archive.read(name))
            originals += read_upload(path, name)
            converted.append(match_gravity(normalise_units(with_gravity(originals[-1], seed=number)), "removed"))
            assert [p.kind for p in converted[-1].problems][-1] == "gravity removed"
    before, after = (
        make_windows(to_signal_set(own, 100.0, ("accelerometer", "gyroscope")), 3.0, by_label=False)
        for own in (originals, converted)
    )
    same = model.predict_proba(before).argmax(axis=1) == model.predict_proba(after).argmax(axis=1)
    by_activity = [same[before.y == label].mean() for label in range(len(before.activities))]
    assert len(by_activity) == 7
    assert same.mean() >= 0.98
    assert min(by_activity) >= 0.8  # a run of 15 s has five windows


def _two_of_each(archive: zipfile.ZipFile) -> list[str]:
    folders: dict[str, list[str]] = {}
    for name in archive.namelist():
        if name.endswith(".csv") and "/1101_" not in name:
            folders.setdefault(name.split("/")[1], []).append(name)
    return [name for names in folders.values() for name in sorted(names)[3:40:18]]
