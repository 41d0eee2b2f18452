"""Windows lie inside one stretch, and in training inside one activity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.har.signals.types import UNLABELLED, SignalSet
from app.har.windows import make_windows
from tests import synthetic


def counting(lengths: list[int], labels: np.ndarray | None = None) -> SignalSet:  # type: ignore[type-arg]
    """Return stretches, each of its own recording, whose samples count up."""
    n, length = sum(lengths), np.array(lengths, np.int64)
    signal = np.repeat(np.arange(n, dtype=np.float32)[:, None], 6, axis=1)
    labels = np.zeros(n, np.int16) if labels is None else labels.astype(np.int16)
    ids = tuple(f"r{i}" for i in range(len(lengths)))
    return SignalSet(
        signal,
        labels,
        tuple("abcdef"),
        10.0,
        "removed",
        ("x", "y"),
        ids,
        ids,
        np.cumsum(length) - length,
        length,
        np.arange(len(lengths)),
        np.arange(len(lengths)) * 100.0,
    )


def test_windows_are_the_samples_in_order_with_their_recording_and_start() -> None:
    windows = make_windows(counting([35, 20]), 1.0)
    assert windows.X.shape == (5, 10, 6)
    assert windows.X.dtype == np.float32
    assert windows.X[:, 0, 0].tolist() == [0, 10, 20, 35, 45]
    assert windows.recordings.tolist() == ["r0", "r0", "r0", "r1", "r1"]
    assert windows.start_s.tolist() == [0.0, 1.0, 2.0, 100.0, 101.0]
    assert windows.window_length_s == 1.0


def test_overlap_moves_the_next_window_nearer() -> None:
    assert make_windows(counting([30]), 1.0, overlap=0.5).start_s.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=6),
    st.integers(2, 20),
    st.floats(0, 0.9),
    st.integers(0, 99),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_no_window_crosses_a_gap_or_in_training_a_change_of_label(
    lengths: list[int], n: int, overlap: float, seed: int, by_label: bool
) -> None:
    labels = np.random.default_rng(seed).integers(-1, 2, sum(lengths)).repeat(7)[: sum(lengths)]
    signals = counting(lengths, labels)
    windows = make_windows(signals, n / 10, overlap, by_label)
    position = windows.X[:, :, 0].astype(int)
    stretch = np.searchsorted(signals.first, position, side="right") - 1
    assert (np.diff(position, axis=1) == 1).all()
    assert (stretch == stretch[:, :1]).all()
    if by_label:
        assert (signals.labels[position] == windows.y[:, None]).all()
        assert (windows.y != UNLABELLED).all()


def test_in_prediction_the_label_is_that_of_most_samples() -> None:
    labels = np.array([0] * 6 + [1] * 4 + [1] * 9 + [0] + [UNLABELLED] * 7 + [0] * 3)
    assert make_windows(counting([30], labels), 1.0, by_label=False).y.tolist() == [0, 1, UNLABELLED]


def test_byte_identical_windows_are_dropped_in_training_and_kept_in_prediction() -> None:
    signals = counting([40])
    signals = replace(signals, signal=np.tile(signals.signal[:20], (2, 1)))
    assert make_windows(signals, 1.0).start_s.tolist() == [0.0, 1.0]
    assert len(make_windows(signals, 1.0, by_label=False)) == 4


def test_a_set_shorter_than_a_window_gives_none() -> None:
    windows = make_windows(counting([9]), 1.0)
    assert windows.X.shape == (0, 10, 6)


@pytest.mark.parametrize(("length", "overlap"), [(0.1, 0.0), (0.0, 0.0), (1.0, 1.0), (1.0, -0.1)])
def test_impossible_windows_are_refused(length: float, overlap: float) -> None:
    with pytest.raises(ValueError, match="window of"):
        make_windows(counting([30]), length, overlap)


def test_subjects_and_activities_go_with_the_windows() -> None:
    windows = synthetic.window_set(subjects=3)
    assert set(windows.subjects) == {"1", "2", "3"}
    assert [windows.activities[y] for y in windows.y[:12]] == ["Rest"] * 4 + ["Walk"] * 4 + ["Run"] * 4
