"""Smoothing: bouts too short to be believed, and what it never reaches across."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.har.signals.types import SignalSet
from app.har.smoothing import LONGEST_S, bout_lengths, shortest_bout, smoothed
from app.har.types import FloatArray

ACTIVITIES = ("Sitting", "Standing", "Walking", "Stairs up", "Stairs down", "Not worn")
LETTERS = dict(zip("SNWUD_", range(6), strict=True))
STEP_S = 3.0


def probabilities(votes: str, sure: float = 0.9) -> FloatArray:
    """Return a row a letter: how sure of that activity, the rest shared out; a dot knows nothing."""
    rows = np.full((len(votes), 6), (1 - sure) / 5, np.float32)
    for row, letter in zip(rows, votes, strict=True):
        row[LETTERS.get(letter, 0)] = sure
        if letter == ".":
            row[:] = 1 / 6
    return rows


def both(
    proba: FloatArray,
    shortest_s: float = 9.0,
    *,
    start_s: Sequence[float] | None = None,
    recording: Sequence[int] | None = None,
    unfamiliar: Sequence[int] = (),
    begins: Sequence[int] = (),
    unworn: Sequence[int] = (),
) -> tuple[FloatArray, NDArray[np.bool_]]:
    n = len(proba)
    start = np.arange(n) * STEP_S if start_s is None else np.array(start_s, np.float64)
    strange, new, off = (np.isin(np.arange(n), positions) for positions in (unfamiliar, begins, unworn))
    owner = np.zeros(n, np.int64) if recording is None else np.array(recording)
    return smoothed(proba, strange, ACTIVITIES, owner, start, start + STEP_S, new, off, shortest_s)


def smooth(proba: FloatArray, shortest_s: float = 9.0, **options: Sequence[float]) -> FloatArray:
    return both(proba, shortest_s, **options)[0]  # type: ignore[arg-type]


def votes(proba: FloatArray) -> str:
    letters = list(LETTERS)
    return "".join("." if np.ptp(row) < 1e-6 else letters[int(row.argmax())] for row in proba)


LONG = "W" * 12


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{LONG}S{LONG}", f"{LONG}W{LONG}"),
        (f"{LONG}SS{LONG}", f"{LONG}WW{LONG}"),
        (f"{LONG}SSS{LONG}", f"{LONG}SSS{LONG}"),  # 9 s: as long as a bout must be
        (f"S{LONG}", f"W{LONG}"),
        (f"SS{LONG}", f"SS{LONG}"),  # it may have begun before the recording
        (f"{LONG}UU{'S' * 12}", f"{LONG}UU{'S' * 12}"),  # on the way from one to another
        (f"{LONG}WUWUWUWU{LONG}", "W" * 32),
        ("WSWSWSSWSSWSSSSSSSSSSSSSSS", "S" * 26),
    ],
)
def test_a_bout_shorter_than_can_be_believed_takes_the_answer_around_it(before: str, after: str) -> None:
    assert votes(smooth(probabilities(before))) == after


def test_a_noisy_sequence_has_far_fewer_bouts() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([2, 0, 2, 1, 3, 2], [40, 60, 30, 50, 6, 80])
    wrong = rng.random(len(truth)) < 0.2
    noisy = np.where(wrong, rng.integers(0, 5, len(truth)), truth)
    found = smooth(probabilities("".join("SNWUD_"[i] for i in noisy))).argmax(axis=1)
    assert np.count_nonzero(np.diff(noisy)) > 70
    assert np.count_nonzero(np.diff(found)) < 10
    assert (found == truth).mean() > 0.97


def test_bouts_that_are_long_enough_keep_their_answers_and_their_confidence() -> None:
    proba = probabilities("WWWWWSSSSSUUUUUDDDDDWWWWW", 0.97)
    np.testing.assert_allclose(smooth(proba), proba, atol=1e-6)


def test_a_window_by_itself_stays_as_it_is() -> None:
    for proba in (probabilities("S", 0.4), np.zeros((0, 6), np.float32)):
        np.testing.assert_array_equal(smooth(proba), proba)


def test_windows_of_which_nothing_is_known_stay_so_and_end_what_is_smoothed() -> None:
    np.testing.assert_array_equal(smooth(probabilities("." * 30)), probabilities("." * 30))
    before = f"{LONG}..SS{LONG}"
    assert votes(smooth(probabilities(before))) == before  # SS begins a stretch of its own


@pytest.mark.parametrize(
    "apart",
    [
        {"start_s": [*np.arange(14) * 3.0, *(100 + np.arange(14) * 3.0)]},  # a hole
        {"start_s": [*np.arange(14) * 3.0, *np.arange(14) * 3.0], "recording": [0] * 14 + [1] * 14},
        {"start_s": [*(50 + np.arange(14) * 3.0), *np.arange(14) * 3.0]},  # two clocks
        {"begins": [14]},  # another wearing
    ],
)
def test_nothing_is_smoothed_across_a_hole_another_recording_or_another_wearing(apart: dict[str, list[int]]) -> None:
    proba = probabilities(f"{LONG}SSSS{LONG}")
    together = smooth(proba, 15.0)
    assert votes(together) == "W" * 28
    found = smooth(proba, 15.0, **apart)  # type: ignore[arg-type]
    changed = proba.copy()
    changed[14:] = probabilities("D" * 14)
    other = smooth(changed, 15.0, **apart)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found[:14], other[:14])  # what comes after plays no part


def test_a_device_that_is_not_worn_is_left_alone_and_ends_a_stretch() -> None:
    before = f"{LONG}_{LONG}SS__{LONG}"
    assert votes(smooth(probabilities(before))) == before
    proba = probabilities(f"{LONG}SSDSS{LONG}")
    assert votes(smooth(proba)) == f"{LONG}SSSSS{LONG}"
    found = smooth(proba, unworn=[14])  # as something else found out that nobody wore it
    assert votes(found) == f"{LONG}SSDSS{LONG}"


def test_an_unfamiliar_window_has_no_vote_and_a_lone_one_is_not_believed() -> None:
    proba = probabilities(f"{LONG}WUUUUW{LONG}")
    found, strange = both(proba, unfamiliar=[13, 14])
    assert votes(found) == "W" * 30
    assert not strange.any()
    everyone_else = np.delete(proba, [13, 14], axis=0).mean(axis=0)  # the two add nothing to how sure the bout is
    np.testing.assert_allclose(found, np.tile(everyone_else, (30, 1)), atol=1e-6)


def test_unfamiliar_movement_stays_so_where_it_lasts_and_ends_a_stretch() -> None:
    proba = probabilities(f"{LONG}UUUUUUSS{LONG}")
    found, strange = both(proba, unfamiliar=[12, 13, 15, 16, 17])
    assert np.flatnonzero(strange).tolist() == [12, 13, 14, 15, 16, 17]
    np.testing.assert_array_equal(found[12:18], proba[12:18])
    assert votes(found[18:]) == "SS" + LONG
    everything, still = both(proba, unfamiliar=range(len(proba)))
    np.testing.assert_array_equal(everything, proba)
    assert still.all()


def test_an_answer_is_as_sure_as_the_windows_of_its_bout_are_on_average_the_overruled_included() -> None:
    proba = np.concatenate([probabilities("WWWWWW", 0.6), probabilities("S", 0.9), probabilities("WWWWWWWWW", 0.9)])
    found = smooth(proba)[:, LETTERS["W"]]
    np.testing.assert_allclose(found, (6 * 0.6 + 0.02 + 9 * 0.9) / 16, rtol=1e-5)


def test_a_window_that_straddles_two_bouts_makes_neither_less_sure() -> None:
    found = smooth(probabilities(f"{LONG}U{'S' * 12}"))
    np.testing.assert_allclose(found[:12], probabilities(LONG), atol=1e-6)
    np.testing.assert_allclose(found[13:], probabilities("S" * 12), atol=1e-6)


def test_a_model_unsure_of_all_it_sees_does_not_become_sure() -> None:
    """Half walking, half stairs, always a little more of the one: as in recordings without a reference."""
    half = np.zeros((60, 6), np.float32)
    half[:, LETTERS["W"]], half[:, LETTERS["U"]] = 0.52, 0.48
    found = smooth(np.concatenate([probabilities("U" * 20), half, probabilities("U" * 20)]))
    assert votes(found) == "U" * 20 + "W" * 60 + "U" * 20
    np.testing.assert_allclose(found[20:80], half, atol=1e-6)


def test_the_tree_decides_before_the_activities() -> None:
    """Three ways to be still share what one way to walk has alone; the vote is still."""
    mixed = np.array([[0.28, 0.28, 0.40, 0.02, 0.01, 0.01]] * 5, np.float32)
    found = smooth(np.concatenate([probabilities("S" * 12), mixed, probabilities("S" * 12)]))
    assert votes(found) == "S" * 29


def test_short_stretches_were_recorded_to_show_short_bouts() -> None:
    test = probabilities("SSWWSS")  # a sit-to-stand test of 18 s
    np.testing.assert_array_equal(smooth(test), test)
    np.testing.assert_array_equal(smooth(probabilities(f"{LONG}S{LONG}"), 3.0), probabilities(f"{LONG}S{LONG}"))


def test_windows_that_overlap_do_not_count_twice() -> None:
    apart = smooth(probabilities(f"{LONG}SSS{LONG}"))
    half = (np.arange(54) * STEP_S / 2).tolist()
    twice = smooth(np.repeat(probabilities(f"{LONG}SSS{LONG}"), 2, axis=0), start_s=half)
    assert votes(twice) == "".join(letter * 2 for letter in votes(apart))
    short = smooth(np.repeat(probabilities(f"{LONG}SS{LONG}"), 2, axis=0), start_s=half[:52])
    assert votes(short) == "W" * 52


@given(st.text("SNWUD_.", min_size=1, max_size=60), st.integers(0, 2**16), st.floats(1, 40))
@settings(max_examples=60, deadline=None)
def test_any_sequence_gives_probabilities(letters: str, seed: int, shortest_s: float) -> None:
    rng = np.random.default_rng(seed)
    proba = probabilities(letters, 0.7)
    where = {name: np.flatnonzero(rng.random(len(letters)) < 0.2).tolist() for name in ("unfamiliar", "begins")}
    found, strange = both(proba, shortest_s, **where)
    assert found.shape == proba.shape
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(found[strange], proba[strange])
    assert len(set(votes(found))) <= len(set(letters))


def labelled(bouts: Sequence[tuple[int, float]], rate_hz: float = 10.0, recordings: Sequence[int] = (0,)) -> SignalSet:
    """Return signals of bouts, (label, seconds), in so many recordings, each of the same bouts."""
    labels = np.concatenate([np.full(round(seconds * rate_hz), label, np.int16) for label, seconds in bouts])
    n, length = len(recordings), len(labels)
    return SignalSet(
        signal=np.zeros((n * length, 1), np.float32),
        labels=np.tile(labels, n),
        channels=("acc_x",),
        sampling_rate_hz=rate_hz,
        gravity="removed",
        activities=("A", "B"),
        recording_ids=tuple(f"r{i}" for i in recordings),
        subjects=tuple(f"p{i}" for i in recordings),
        first=np.arange(n) * length,
        length=np.full(n, length),
        recording=np.arange(n),
        start_s=np.zeros(n),
    )


def test_the_shortest_bout_is_one_that_nearly_all_of_the_labelled_time_is_at_least_as_long_as() -> None:
    often_short = labelled([(0, 1.0), (1, 1.5)] * 10)
    assert shortest_bout(bout_lengths(often_short)) == pytest.approx(1.0)
    rarely_short = labelled([(0, 7.0), (1, 8.0)] * 10 + [(0, 1.0)])
    assert shortest_bout(bout_lengths(rarely_short)) == pytest.approx(7.0)
    unlabelled = labelled([(0, 6.0), (-1, 1.0)] * 10)
    assert shortest_bout(bout_lengths(unlabelled)) == pytest.approx(6.0)


def test_recordings_of_one_activity_do_not_show_how_short_bouts_are() -> None:
    assert shortest_bout(bout_lengths(labelled([(0, 300.0)]))) == LONGEST_S
    assert shortest_bout(bout_lengths(labelled([(-1, 300.0)]))) == LONGEST_S


def test_only_the_recordings_that_a_model_learns_from_count() -> None:
    two = labelled([(0, 6.0), (1, 8.0)], recordings=(0, 1))
    short = two.labels.copy()
    short[140:] = np.repeat(np.arange(14) % 2, 10)  # the second recording changes every second
    two = replace(two, labels=short)
    assert shortest_bout(bout_lengths(two, ["r0"])) == pytest.approx(6.0)
    assert shortest_bout(bout_lengths(two, ["r1"])) == pytest.approx(1.0)
