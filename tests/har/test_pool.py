"""Several data sets as one: whose is what, at which rate, under which name, and what is missing where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.har.datasets.pool import Member, pool
from app.har.errors import InsufficientData
from app.har.signals.one_rate import at_rate
from app.har.signals.resampling import to_signal_set
from app.har.signals.types import MOTION, UNLABELLED, Gravity, Recording, SignalSet, Stream, channels_of
from app.har.vocabulary import shared_names
from app.har.windows import WindowSet, make_windows
from tests import synthetic

BOTH = tuple(channel for modality in MOTION for channel in channels_of(modality))
ACCELEROMETER = BOTH[:3]


def member(name: str, signals: SignalSet, **chosen: str) -> Member:
    return Member(name, signals, shared_names(signals.activities, chosen))


def people(rate_hz: float = 50.0, gravity: Gravity = "removed", subjects: int = 2) -> SignalSet:
    return synthetic.signal_set(subjects, rate_hz=rate_hz, gravity=gravity)


def without_gyroscope(signals: SignalSet) -> SignalSet:
    return replace(signals, signal=signals.signal[:, :3], channels=signals.channels[:3])


def on_devices(signals: SignalSet, *devices: str) -> SignalSet:
    """Each device has twice as much of everything as the one before."""
    factors = 2.0 ** np.arange(len(devices))
    return replace(
        signals,
        signal=np.concatenate([factor * signals.signal for factor in factors], axis=1).astype(np.float32),
        channels=tuple(f"{device}.{channel}" for device in devices for channel in signals.channels),
    )


def labelled_as(signals: SignalSet, *activities: str) -> SignalSet:
    return replace(signals, activities=activities)


def test_subjects_and_recordings_are_of_their_data_set() -> None:
    found = pool([member("one", people()), member("two", people())]).signals
    assert len(found.recording_ids) == len(set(found.recording_ids)) == 12
    assert set(found.subjects) == {"one/1", "one/2", "two/1", "two/2"}
    windows = make_windows(replace(found, signal=found.signal + np.arange(len(found.signal))[:, None]), 3.0)
    assert windows.datasets is not None
    assert (np.char.partition(windows.subjects, "/")[:, 0] == windows.datasets).all()
    some = windows.take(slice(3, 9))
    assert some.datasets is not None
    assert some.datasets.tolist() == windows.datasets[3:9].tolist()
    halves = WindowSet.joined([windows.take(slice(0, 5)), windows.take(slice(5, None))])
    assert halves.datasets is not None
    assert halves.datasets.tolist() == windows.datasets.tolist()


def test_a_set_alone_says_nothing_of_data_sets() -> None:
    assert make_windows(people(), 3.0).datasets is None


@pytest.mark.parametrize("rates", [(100.0, 50.0), (100.0, 20.0), (50.0, 25.0), (222.0, 20.0)])
def test_the_lowest_rate_is_that_of_all(rates: tuple[float, float]) -> None:
    found = pool([member(f"at-{rate:g}", people(rate)) for rate in rates])
    assert found.signals.sampling_rate_hz == min(rates)
    assert [note for note in found.notes if "resampled" in note] == [
        f"at-{rate:g}: {rate:g} Hz, resampled to {min(rates):g} Hz" for rate in rates if rate > min(rates)
    ]
    windows = make_windows(found.signals, 3.0)
    assert windows.datasets is not None
    counts = np.unique(windows.datasets, return_counts=True)[1]
    assert counts.tolist() == [24, 24]


def test_of_fast_sets_fifty_hertz_are_kept() -> None:
    assert pool([member("one", people(100.0)), member("two", people(200.0))]).signals.sampling_rate_hz == 50.0


@pytest.mark.parametrize(("source_hz", "target_hz"), [(100.0, 50.0), (222.0, 50.0), (50.0, 20.0), (20.0, 50.0)])
def test_a_movement_keeps_its_shape_at_another_rate(source_hz: float, target_hz: float) -> None:
    time = np.arange(round(20 * source_hz)) / source_hz
    slow = np.sin(2 * np.pi * 2.0 * time) + 9.81
    fast = 3 * np.sin(2 * np.pi * 0.45 * source_hz * time) if source_hz > 2 * target_hz else 0 * time
    values = np.stack([slow, slow + fast, np.full_like(time, 9.81)], axis=1).astype(np.float32)
    recording = Recording("r", "p", (Stream("accelerometer", time, values),), "included", activity="Walk")
    found = at_rate(to_signal_set([recording], source_hz), target_hz)
    at = np.arange(len(found.signal)) / target_hz
    assert at[-1] == pytest.approx(time[-1], abs=1 / target_hz)
    inside = slice(round(target_hz), -round(target_hz))
    expected = np.sin(2 * np.pi * 2.0 * at) + 9.81
    np.testing.assert_allclose(found.signal[inside, 0], expected[inside], atol=0.02)
    np.testing.assert_allclose(found.signal[inside, 1], expected[inside], atol=0.05)  # nothing is folded back
    np.testing.assert_allclose(found.signal[:, 2], 9.81, atol=1e-3)  # up to both ends


def test_labels_and_stretches_stay_at_their_time() -> None:
    n = 1000
    signals = SignalSet(
        signal=np.zeros((n, 3), np.float32),
        labels=np.repeat([0, UNLABELLED, 1, 1], 250).astype(np.int16),
        channels=ACCELEROMETER, sampling_rate_hz=100.0, gravity="removed", activities=("a", "b"),
        recording_ids=("r",), subjects=("p",), first=np.array([0, 600]), length=np.array([600, 400]),
        recording=np.array([0, 0]), start_s=np.array([5.0, 20.0]),
    )  # fmt: skip
    found = at_rate(signals, 50.0)
    assert (found.first.tolist(), found.length.tolist()) == ([0, 300], [300, 200])
    assert found.start_s.tolist() == [5.0, 20.0]
    assert found.labels.tolist() == [0] * 125 + [UNLABELLED] * 125 + [1] * 250


def test_gravity_is_separated_where_a_set_has_none() -> None:
    found = pool([member("with", people(gravity="included")), member("without", people())])
    assert found.signals.gravity == "removed"
    assert [note for note in found.notes if "gravity" in note] == [
        "with: gravity was separated, because not all of the data sets include it"
    ]
    assert np.abs(found.signals.signal[: len(found.signals.signal) // 2, 2].mean()) < 0.1
    both = pool([member("one", people(gravity="included")), member("two", people(gravity="included"))])
    assert (both.signals.gravity, both.notes) == ("included", ())


def test_one_device_is_taken_where_the_others_have_one() -> None:
    found = pool([member("pair", on_devices(people(), "phone", "watch")), member("alone", people())])
    assert found.signals.channels == BOTH
    assert found.notes == ("pair: of phone, watch, phone was taken",)
    half = len(found.signals.signal) // 2
    np.testing.assert_array_equal(found.signals.signal[:half], found.signals.signal[half:])


def test_the_device_that_is_wanted_is_taken() -> None:
    signals = on_devices(people(), "phone", "watch")
    wanted = replace(member("pair", signals), device="watch")
    found = pool([wanted, member("alone", people())])
    assert found.signals.channels == BOTH
    assert found.notes == ("pair: of phone, watch, watch was taken",)
    half = len(found.signals.signal) // 2
    np.testing.assert_array_equal(found.signals.signal[:half], 2 * found.signals.signal[half:])
    both = pool([wanted, replace(member("other pair", signals), device="watch")])
    assert both.signals.channels == BOTH


def test_devices_that_all_sets_have_are_kept() -> None:
    found = pool([member(name, on_devices(people(), "phone", "watch")) for name in ("one", "two")])
    assert len(found.signals.channels) == 12
    assert found.notes == ()


def test_a_sensor_that_a_set_lacks_is_missing_there() -> None:
    found = pool([member("bare", without_gyroscope(people())), member("both", people())])
    assert found.signals.channels == BOTH
    assert found.notes == ("bare: gyro_x, gyro_y, gyro_z missing",)
    windows = make_windows(found.signals, 3.0)
    missing = np.isnan(windows.X)
    assert not missing[:, :, :3].any()
    assert (missing[:, :, 3:].all(axis=(1, 2)) == (windows.datasets == "bare")).all()


def test_a_missing_sensor_stays_missing_at_another_rate() -> None:
    signals = people(100.0)
    gone = signals.signal.copy()
    gone[: signals.length[0], 3:] = np.nan
    found = at_rate(replace(signals, signal=gone), 50.0)
    n = int(found.length[0])
    assert np.isnan(found.signal[:n, 3:]).all()
    assert np.isfinite(found.signal[:n, :3]).all()
    assert np.isfinite(found.signal[n:]).all()


def test_activities_have_one_name_in_the_order_of_the_vocabulary() -> None:
    one = labelled_as(people(), "Jump", "SIT_TO_STAND", "WALKING_UPSTAIRS")
    two = labelled_as(people(), "wlk", "ups", "Stairs")
    found = pool([member("one", one), member("two", two)]).signals
    assert found.activities == ("Walking", "Stairs", "Stairs up", "Jump")
    by_recording = {
        name: {found.activities[label] if label >= 0 else None for label in found.labels[first : first + n]}
        for name, first, n in zip(found.recording_ids, found.first, found.length, strict=True)
    }
    assert by_recording["one/1_Walk_0"] == {None}  # a transition
    assert by_recording["one/2_Run_0"] == by_recording["two/2_Walk_0"] == {"Stairs up"}
    chosen = pool([member("one", one, Jump="", SIT_TO_STAND="Other movement"), member("two", two)]).signals
    assert chosen.activities == ("Walking", "Stairs", "Stairs up", "Other movement")


@pytest.mark.parametrize("names", [[], ["one"], ["one", "one"]])
def test_one_set_is_no_pool(names: list[str]) -> None:
    with pytest.raises(InsufficientData, match="at least two different data sets"):
        pool([member(name, people()) for name in names])
