"""Transitions between activities: what their names say, and where they are found in made-up people's recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.har.classifiers.elm_gru_am.persistence import load_model, save_model
from app.har.classifiers.transitions import finder as finder_module
from app.har.classifiers.transitions.courses import Rules, likeliest
from app.har.classifiers.transitions.finder import TransitionFinder, fit_finder
from app.har.classifiers.transitions.moments import AROUND, describe, with_surroundings
from app.har.recordings.formats.hapt import ACTIVITIES, TRANSITIONS
from app.har.signals.types import SignalSet
from app.har.vocabulary import LYING, SITTING, SITTING_OR_LYING, STANDING, stands_up, transition_ends
from app.har.windows import label_segments

RATE = 50
UP, DOWN = (0.0, 9.81, 0.0), (0.0, 4.0, 9.0)  # gravity while standing, and while sitting
SIT, STAND, RISE, LOWER = (ACTIVITIES.index(name) for name in ("SITTING", "STANDING", "SIT_TO_STAND", "STAND_TO_SIT"))


def people(n: int, seed: int = 0) -> SignalSet:
    """Return people who stand and sit in turn, for 6 to 12 s each; to sit down or to stand up takes them 2 s."""
    rng = np.random.default_rng(seed)
    signals, labels = [], []
    for _ in range(n):
        values, label, here = [], [], np.array(UP)
        for posture, gravity, move in [(STAND, UP, RISE), (SIT, DOWN, LOWER)] * 4:
            move_to = np.linspace(here, gravity, 2 * RATE) + 3 * np.sin(np.linspace(0, np.pi, 2 * RATE))[:, None]
            still = np.tile(gravity, (round(rng.uniform(6, 12) * RATE), 1))
            values += [move_to, still] if label else [still]
            label += (
                [np.full(2 * RATE, move), np.full(len(still), posture)] if label else [np.full(len(still), posture)]
            )
            here = np.array(gravity)
        signals.append(np.concatenate(values))
        labels.append(np.concatenate(label))
    length = np.array([len(each) for each in signals])
    signal = np.concatenate(signals) + rng.normal(0, 0.05, (length.sum(), 3))
    ids = tuple(map(str, range(n)))
    first = np.cumsum(length) - length
    return SignalSet(
        signal.astype(np.float32), np.concatenate(labels).astype(np.int16), ("acc_x", "acc_y", "acc_z"), RATE,
        "included", ACTIVITIES, ids, ids, first, length, np.arange(n), np.full(n, 100.0),
    )  # fmt: skip


@pytest.fixture(scope="module")
def finder() -> TransitionFinder:
    found = fit_finder(people(4), trees=10)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("SIT_TO_STAND", (SITTING, STANDING)),
        ("LIE_TO_SIT", (LYING, SITTING)),
        ("STANDING_UP", (SITTING_OR_LYING, STANDING)),
        ("Sitting down", (STANDING, SITTING)),
        ("TURNING", (STANDING, STANDING)),
        ("SITTING", None),
        ("lying down", None),  # a posture, as people write it
        ("jumping", None),
    ],
)
def test_the_name_of_a_transition_says_from_where_to_where(name: str, ends: tuple[str, str] | None) -> None:
    assert transition_ends(name) == ends


def test_standing_up_is_from_sitting_and_of_all_hapt_transitions_ends_are_known() -> None:
    assert [name for name in (*ACTIVITIES, "STANDING_UP", "TURNING") if stands_up(name)] == [
        "SIT_TO_STAND",
        "STANDING_UP",
    ]
    assert all(transition_ends(name) for name in TRANSITIONS)


def test_a_course_follows_the_names_where_single_moments_do_not() -> None:
    """Somebody sits; one moment says lying down from standing, which who sits cannot do."""
    proba = np.full((20, 12), 0.01, np.float32)
    proba[:, SIT] = 0.4
    proba[10, ACTIVITIES.index("STAND_TO_LIE")] = 0.9
    rules = Rules.of(ACTIVITIES)
    assert set(likeliest(proba, rules)) == {SIT}
    proba[10:] = 0.01
    proba[10:14, RISE], proba[14:, STAND] = 0.9, 0.9
    assert likeliest(proba, rules).tolist() == [SIT] * 10 + [RISE] * 4 + [STAND] * 6


def test_nobody_stands_up_in_a_quarter_of_a_second() -> None:
    proba = np.full((40, 12), 0.01, np.float32)
    proba[:20, SIT], proba[20, RISE], proba[21:, STAND] = 0.9, 0.9, 0.9
    lasts = np.where(np.isin(ACTIVITIES, TRANSITIONS), 5, 1)
    course = likeliest(proba, Rules.of(ACTIVITIES), lasts).tolist()
    assert course.count(RISE) in (0, 5)
    proba[18:23, RISE] = 0.6
    course = likeliest(proba, Rules.of(ACTIVITIES), lasts).tolist()
    assert course == [SIT] * 18 + [RISE] * 5 + [STAND] * 17


def test_a_transition_begins_where_the_signal_looks_like_that() -> None:
    proba = np.full((40, 12), 0.01, np.float32)
    proba[:12, SIT], proba[28:, STAND] = 0.9, 0.9
    proba[12:28, SIT] = proba[12:28, RISE] = proba[12:28, STAND] = 0.3  # no moment says when it was
    change = np.full(40, 0.01, np.float32)
    change[[17, 18, 23, 24]] = 0.9
    course = likeliest(proba, Rules.of(ACTIVITIES), change=change)
    assert (np.flatnonzero(np.diff(course)) + 1).tolist() == [18, 24]


def test_moments_are_described_alike_however_long_the_stretch_is() -> None:
    signal = people(1).signal
    described = describe(signal, ("acc_x", "acc_y", "acc_z"), RATE)
    np.testing.assert_allclose(
        described[:40, :3], [signal[12 * i : 12 * i + 24].mean(axis=0) for i in range(40)], atol=1e-4
    )
    (rows,) = with_surroundings(described, [0, 30])
    assert rows.shape == (2, len(AROUND) * described.shape[1])
    np.testing.assert_array_equal(rows[1].reshape(len(AROUND), -1)[0], described[30 + AROUND[0]])
    assert describe(signal[:20], ("acc_x", "acc_y", "acc_z"), RATE).shape[0] == 0


def test_standing_up_is_found_in_others_when_it_was(finder: TransitionFinder) -> None:
    signals = people(2, seed=1)
    found, truth = finder.transitions(signals), label_segments(signals)
    true = np.isin(truth.label, (RISE, LOWER))
    assert found.activity.tolist() == truth.label[true].tolist()
    began = 100 + (truth.first - signals.first[truth.stretch])[true] / RATE
    assert np.abs(found.start_s - began).max() < 1
    assert np.abs(found.end_s - found.start_s - 2).max() < 1


def test_where_a_sensor_is_missing_nothing_is_found(finder: TransitionFinder) -> None:
    signals = people(1, seed=2)
    assert not len(finder.course(replace(signals, signal=np.full_like(signals.signal, np.nan))).start_s)


def test_where_a_sensor_is_missing_in_all_that_has_transitions_nothing_is_taught() -> None:
    signals = people(3)
    signals.signal[:, 1] = np.nan
    assert fit_finder(signals) is None
    beside = people(1, seed=3)  # of another data set, that has all sensors and no transitions
    beside.labels[np.isin(beside.labels, (RISE, LOWER))] = SIT
    n = len(signals.signal)
    both = replace(
        signals,
        signal=np.concatenate([signals.signal, beside.signal]),
        labels=np.concatenate([signals.labels, beside.labels]),
        recording_ids=(*signals.recording_ids, "beside"),
        subjects=(*signals.subjects, "beside"),
        first=np.append(signals.first, n),
        length=np.append(signals.length, len(beside.signal)),
        recording=np.append(signals.recording, len(signals.recording)),
        start_s=np.append(signals.start_s, 0.0),
    )
    assert fit_finder(both) is None


def test_of_a_large_data_set_fewer_moments_are_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = []
    fit = finder_module.fit_forest
    monkeypatch.setattr(finder_module, "fit_forest", lambda X, *a, **k: learnt.append(len(X)) or fit(X, *a, **k))
    monkeypatch.setattr(finder_module, "MOST", 300)
    fit_finder(people(4), trees=1)
    assert 200 < learnt[0] <= 310


def test_an_exercise_of_minutes_that_is_called_like_a_transition_takes_no_state_for_each_moment() -> None:
    signals = people(4)
    labels = np.where(signals.labels == SIT, RISE, signals.labels)
    found = fit_finder(replace(signals, labels=labels), trees=1)
    assert found is not None
    assert found.lasts is not None
    assert found.lasts[RISE] == finder_module.SURELY


def test_a_data_set_without_transitions_teaches_none() -> None:
    signals = people(2)
    assert fit_finder(replace(signals, activities=tuple(f"exercise {i}" for i in range(12)))) is None


def test_a_model_that_is_stored_finds_the_same(finder: TransitionFinder, small_base: Path, tmp_path: Path) -> None:
    model = load_model(small_base)
    assert model.finder is None
    model.finder = finder
    save_model(model, tmp_path / "model", extra={})
    stored, signals = load_model(tmp_path / "model").finder, people(1, seed=1)
    assert stored is not None
    assert stored.activities == finder.activities
    assert stored.changes is not None
    assert stored.lasts is not None
    assert stored.lasts[RISE] == 4  # of 8 moments
    for ours, kept in zip(
        vars(finder.transitions(signals)).values(), vars(stored.transitions(signals)).values(), strict=True
    ):
        np.testing.assert_array_equal(ours, kept)
    model.finder = replace(finder, lasts=None, changes=None)  # of a build that did not know when they begin
    save_model(model, tmp_path / "earlier", extra={})
    earlier = load_model(tmp_path / "earlier").finder
    assert earlier is not None
    assert earlier.lasts is earlier.changes is None
    assert len(earlier.transitions(signals).start_s) == 7
