"""Learning from windows without labels: what is given an activity, what is not, and what a model makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.har.classifiers.base import WindowFormat
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.config import ModelConfig
from app.har.errors import InsufficientData, InvalidSetting
from app.har.signals.types import UNLABELLED
from app.har.sums import Matrix
from app.har.training import experiment, unlabelled
from app.har.training.config import validated
from app.har.training.unlabelled import (
    Given,
    give_activities,
    neighbours,
    of_others,
    only_one,
    solved,
    without_labels,
)
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet, make_windows
from app.services.models.unlabelled_gain import what_unlabelled_was_worth
from tests import synthetic

SMALL = ModelConfig(n_selected=20, units=8, elm_nodes=80, elm_convolutions=40)


@pytest.fixture(scope="module")
def people() -> WindowSet:
    return synthetic.window_set(subjects=8)


@pytest.fixture(scope="module")
def halves(people: WindowSet) -> tuple[WindowSet, WindowSet]:
    labelled = np.isin(people.subjects, np.unique(people.subjects)[:5])
    return people.take(labelled), people.take(~labelled)


@pytest.fixture(scope="module", autouse=True)
def few_nodes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unlabelled, "NODES", 100)
        yield


@pytest.fixture(scope="module")
def given(halves: tuple[WindowSet, WindowSet]) -> Given:
    labelled, rest = halves
    return give_activities(labelled, replace(rest, y=np.full(len(rest), UNLABELLED)))


def test_windows_of_other_people_are_given_the_right_activities(
    given: Given, halves: tuple[WindowSet, WindowSet]
) -> None:
    rest = halves[1]
    true = {(one, start): y for one, start, y in zip(rest.recordings, rest.start_s, rest.y, strict=True)}
    right = [
        true[one, start] == y
        for one, start, y in zip(given.windows.recordings, given.windows.start_s, given.windows.y, strict=True)
    ]
    assert given.gain["used"]
    assert given.gain["given"] == len(right) == sum(given.gain["by_activity"].values()) >= 0.5 * len(rest)
    assert np.mean(right) >= 0.95
    told = what_unlabelled_was_worth({"dataset": "other", "parts": [given.gain]})
    assert f"learnt from {len(right)} of {len(rest)} windows without labels of other" in told


def test_a_model_learns_from_given_windows_but_is_calibrated_without_them(
    given: Given, halves: tuple[WindowSet, WindowSet]
) -> None:
    labelled, n = halves[0], len(given.windows)
    model = ActivityClassifier(replace(SMALL, low_rate_augmentation=0.0), given.windows)
    everything = WindowSet.joined([labelled, given.windows])
    model.format_ = WindowFormat.of(everything)
    part = model._describe_training_part(everything, seed=0)
    assert len(part.y) == len(labelled) + n
    assert part.held_out.max() < len(labelled)
    assert set(range(len(labelled), len(labelled) + n)) <= set(part.fitted.tolist())


def test_what_would_make_it_worse_is_not_learnt_from(people: WindowSet) -> None:
    rng = np.random.default_rng(0)
    people = people.take(slice(0, None, 4))
    mislabelled = replace(people, y=rng.permutation(people.y))  # nobody can be recognised by such labels
    found = give_activities(mislabelled, people)
    assert not found.gain["used"] or found.gain["f1_with"] >= found.gain["f1_without"]
    assert len(found.windows) == (found.gain["given"] if found.gain["used"] else 0)
    worse = {**found.gain, "given": 7, "used": False, "f1_without": 0.9, "f1_with": 0.8}
    assert "they would have made it worse" in what_unlabelled_was_worth({"parts": [worse]})


def test_no_head_meets_the_people_by_whom_it_is_judged(people: WindowSet, monkeypatch: pytest.MonkeyPatch) -> None:
    people = people.take(slice(0, None, 4))
    part = unlabelled._parts(people, seed=0)
    own: list[int] = []

    def solving(known: FloatArray, y: IntArray, unknown: FloatArray, guess: IntArray, n_activities: int) -> Matrix:
        number = len(own) % (part.max() + 2)  # the last head leaves nobody out
        own.append(int((guess != UNLABELLED)[part == number].sum()))
        assert number > part.max() or len(y) == (part != number).sum()
        return solved(known, y, unknown, guess, n_activities)

    monkeypatch.setattr(unlabelled, "solved", solving)
    assert give_activities(people, people).gain["given"]
    assert sum(own) == 0


def test_chance_is_how_much_a_change_hangs_on_single_people() -> None:
    right, wrong = np.array([[4, 0], [0, 4]]), np.array([[0, 4], [4, 0]])
    assert unlabelled._chance(np.array([right] * 3), np.array([right] * 3)) == 0.0
    one = unlabelled._chance(np.array([right] * 3), np.array([right, right, wrong]))
    assert one == pytest.approx(1 / 3)  # of a loss of 1/3: one person of three is all of it


def test_a_lead_is_over_the_best_other_activity() -> None:
    leads = unlabelled._lead(np.array([[0.9, 0.2, 0.6], [0.5, -np.inf, 0.5]]))
    np.testing.assert_allclose(leads, [[0.3, -0.7, -0.3], [0.0, -np.inf, 0.0]])


def test_a_window_is_given_an_activity_only_where_exactly_one_reaches_the_limit() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.7], [0.2, 0.1]])
    assert only_one(scores, 0.6).tolist() == [0, UNLABELLED, UNLABELLED]


def test_neighbours_are_of_one_recording_and_without_a_gap(people: WindowSet) -> None:
    some = people.take(people.recordings == people.recordings[0])
    gap = some.take(np.arange(len(some)) != 1)
    before, after = neighbours(gap)
    assert before[:2].tolist() == [0, 1]
    assert after[0] == 0
    assert after[1] == 2


def test_people_left_out_and_windows_with_a_label_are_not_learnt_from() -> None:
    signals = synthetic.signal_set(subjects=3)
    like = make_windows(signals)
    half = replace(signals, labels=np.where(np.arange(len(signals.labels)) % 1200 < 600, UNLABELLED, signals.labels))
    first = signals.subjects[0]
    own = without_labels(half, like, [first], own=True)
    other = without_labels(half, like, [], own=False)
    assert first not in own.subjects
    assert 0 < len(own) < len(other)
    assert (other.y == UNLABELLED).all()


@pytest.mark.parametrize(
    ("known_as", "tested"), [("raw/{}", "{}"), ("raw/{}", "made/{}"), ("{}", "{}"), ("raw/ward/{}", "made/ward_{}")]
)
def test_who_is_tested_is_not_learnt_from_under_the_name_of_another_data_set(
    people: WindowSet, known_as: str, tested: str
) -> None:
    names = sorted(set(people.subjects.tolist()))
    known = replace(people, subjects=np.array([known_as.format(name) for name in people.subjects.tolist()]))
    left = of_others(known, [tested.format(name) for name in names[:2]])
    assert set(left.subjects.tolist()) == {known_as.format(name) for name in names[2:]}


def test_labels_of_one_person_and_other_models_are_refused(people: WindowSet) -> None:
    one = people.take(people.subjects == people.subjects[0])
    with pytest.raises(InsufficientData, match="at least two people"):
        give_activities(one, people)
    with pytest.raises(InvalidSetting, match="recordings without labels"):
        validated({"models": ["svm"], "unlabelled": "other"})
    with pytest.raises(InvalidSetting, match="cannot be taken back"):  # a certificate of forgetting would not be true
        validated({"models": ["elm-gru-am"], "unlabelled": "other", "keep_sums": True})


def test_few_rows_have_the_solution_of_many() -> None:
    rng = np.random.default_rng(0)
    H, y = rng.normal(size=(12, 20)).astype(np.float32), np.arange(12) % 2
    twice, none = np.tile(H, (3, 1)), np.full(0, UNLABELLED)
    few = solved(H, y, H[:0], none, 2)
    assert few.shape == (20, 2)
    padded = np.concatenate([H, np.zeros((12, 20), np.float32)])  # rows of nothing, but more than there are columns
    np.testing.assert_allclose(solved(padded, np.tile(y, 2), H[:0], none, 2), few, atol=1e-9)
    assert not np.allclose(solved(twice, np.tile(y, 3), H[:0], none, 2), few)


class Reached(Exception):
    """A training has come this far."""


def test_a_fold_whose_windows_without_labels_are_all_of_who_is_tested_learns_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    signals = synthetic.signal_set(subjects=3)
    rows = np.repeat(signals.recording, signals.length)
    half = np.arange(len(rows)) % 1200 < 600

    def given(*_: object) -> Given:
        raise Reached("with others")

    def fitted(*arguments: object) -> None:
        assert arguments[-1] is None
        raise Reached("alone")

    monkeypatch.setattr(experiment, "give_activities", given)
    monkeypatch.setattr(experiment, "fit_and_score", fitted)
    config, reached = validated({"models": ["elm-gru-am"], "unlabelled": "own", "folds": 3}), []
    for person in sorted(set(signals.subjects)):
        own = np.isin(rows, [i for i, whose in enumerate(signals.subjects) if whose == person])
        some = replace(signals, labels=np.where(own & half, UNLABELLED, signals.labels))
        with pytest.raises(Reached) as end:
            experiment.run_experiment(some, config, tmp_path, data={}, plots=False)
        reached.append(str(end.value))
    assert sorted(reached) == ["alone", "with others", "with others"]
    with pytest.raises(InsufficientData, match="of people who are tested, or there are none"):
        experiment.run_experiment(signals, config, tmp_path, data={}, plots=False)
