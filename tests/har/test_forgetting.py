"""A head without a person is the one that the others alone give, and a stored model forgets with a certificate."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.har.classifiers import model_folder
from app.har.classifiers.elm_gru_am import forgetting, head_sums
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.config import ModelConfig
from app.har.classifiers.elm_gru_am.elm import ExtremeLearningMachine
from app.har.classifiers.elm_gru_am.head_sums import HeadRows, as_kept
from app.har.classifiers.elm_gru_am.persistence import load_model, save_model
from app.har.errors import InsufficientData, InvalidSetting, ModelIntegrityError
from app.har.signals.types import UNLABELLED
from app.har.training import left_out
from app.har.training.left_out import without_people
from tests import synthetic
from tests.trained import Example

SMALL = ModelConfig(n_selected=20, units=8, elm_nodes=80, elm_convolutions=40, keep_sums=True)
N_ACTIVITIES, N_FEATURES = 3, 12
PATTERNS = [(True, True), (True, False), (False, True)]


def rows_of(n_people: int, seed: int) -> HeadRows:
    """Make rows of people of whom each does every activity, some of them seldom."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.append(np.arange(N_ACTIVITIES), rng.integers(0, 2, 15)) for _ in range(n_people)])
    X = as_kept(rng.normal(0, 1.5, (len(y), N_FEATURES)).astype(np.float32).clip(-5, 5))
    return HeadRows(X, y, np.repeat([f"p{number}" for number in range(n_people)], len(y) // n_people))


def machine() -> ExtremeLearningMachine:
    return ExtremeLearningMachine(40, 1.0, 3, [np.arange(6), np.arange(6, N_FEATURES)])


def solved(elm: ExtremeLearningMachine) -> ExtremeLearningMachine:
    for pattern in PATTERNS:
        elm.solve(pattern)
    return elm


@pytest.mark.parametrize("drawn", [False, True], ids=["towards 0", "towards a base"])
def test_how_a_head_does_on_people_left_out_is_what_one_without_them_does(drawn: bool) -> None:
    rows, elm, everything = rows_of(5, 0), machine(), (True, True)
    centre = np.random.default_rng(1).normal(0, 0.1, (elm.n_nodes, N_ACTIVITIES)).astype(np.float32)
    elm.centres = {everything: centre} if drawn else {}
    elm.fit(rows.X, rows.y, N_ACTIVITIES, balanced=True)
    found = head_sums.left_out(elm, rows, elm.weights)
    for number in range(5):
        own = rows.subjects == f"p{number}"
        others = rows.take(~own)
        H = elm.hidden(rows.X[own].astype(np.float64))
        beta = elm.solution(elm.sums_of(others.X, others.y), everything)
        assert found[f"p{number}"] == (own.sum(), ((H @ beta).argmax(axis=1) == rows.y[own]).sum())


@settings(deadline=None, max_examples=40)
@given(
    n_people=st.integers(2, 6),
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 60),
    order=st.randoms(use_true_random=False),
)
def test_whoever_is_forgotten_in_any_order_the_head_is_that_of_the_others(
    n_people: int, seed: int, batch: int, order: np.random.Generator
) -> None:
    rows = rows_of(n_people, seed)
    elm = machine().fit(rows.X[:batch], rows.y[:batch], N_ACTIVITIES, balanced=True)
    weights = elm.weights
    for start in range(batch, len(rows.y), batch):
        elm.partial_fit(rows.X[start : start + batch], rows.y[start : start + batch], N_ACTIVITIES)
    solved(elm)
    people = [f"p{number}" for number in range(n_people)]
    order.shuffle(people)  # type: ignore[arg-type]
    while len(people) > 1:
        subject = people.pop()
        rows, facts = head_sums.without(elm, rows, weights, subject)
        assert facts["difference_to_solving_from_scratch"] <= 1e-8
        assert set(rows.subjects) == set(people)
        alone = machine()
        alone.weights = weights
        solved(alone.partial_fit(rows.X, rows.y, N_ACTIVITIES))
        for pattern in PATTERNS:
            np.testing.assert_allclose(elm.betas[pattern], alone.betas[pattern], rtol=1e-5, atol=1e-7)


def test_rows_that_the_head_was_not_solved_from_are_refused() -> None:
    rows = rows_of(3, 0)
    elm = solved(machine().fit(rows.X, rows.y, N_ACTIVITIES, balanced=True))
    before = dict(elm.betas)
    other = replace(rows, X=as_kept(rows.X + np.float32(0.01)))
    with pytest.raises(ModelIntegrityError, match="not solved from the rows that were kept with it"):
        head_sums.without(elm, other, elm.weights, "p1")
    assert all(elm.betas[pattern] is beta for pattern, beta in before.items())


def test_the_only_person_of_an_activity_is_refused() -> None:
    rows = rows_of(3, 1)
    rows = rows.take((rows.y != 2) | (rows.subjects == "p1"))
    elm = solved(machine().fit(rows.X, rows.y, N_ACTIVITIES, balanced=True))
    with pytest.raises(InsufficientData, match="Nobody but p1 did 1 of the activities"):
        head_sums.without(elm, rows, elm.weights, "p1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Store a small model that kept its rows."""
    folder = tmp_path_factory.mktemp("kept") / "model"
    model = ActivityClassifier(SMALL).fit(synthetic.window_set(5), epochs=1, seed=1)
    save_model(model, folder, texts={forgetting.CARD: "# A model\n"})
    return folder


def kept(folder: Path) -> HeadRows:
    return head_sums.read(folder, model_folder.verify(folder))[0]


def test_a_training_keeps_the_rows_of_everybody_and_their_copies_if_it_is_asked_to(trained: Path) -> None:
    windows, rows = synthetic.window_set(5), kept(trained)
    people = model_folder.verify(trained)[head_sums.KEPT]
    assert [one["subject"] for one in people] == np.unique(windows.subjects).tolist()
    assert sum(one["rows"] for one in people) == len(rows.y) > len(windows)
    for subject in np.unique(windows.subjects):
        own = rows.subjects == subject
        assert (np.bincount(rows.y[own]) >= np.bincount(windows.y[windows.subjects == subject])).all()
    assert (trained / head_sums.ROWS_FILE).stat().st_size <= len(rows.y) * (2 * rows.X.shape[1] + 16) + 4096


def test_of_more_rows_than_a_model_may_keep_none_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(head_sums, "MOST_BYTES", 1000)
    model = ActivityClassifier(SMALL).fit(synthetic.window_set(2), epochs=1, seed=1)
    assert model.head_rows_ is None
    assert model.too_many_ is not None
    assert model.too_many_["rows"] > model.too_many_["most"]
    save_model(model, tmp_path / "model")
    assert not (tmp_path / "model" / head_sums.ROWS_FILE).exists()


def test_a_stored_model_forgets_two_people_one_after_the_other(trained: Path, tmp_path: Path) -> None:
    first = forgetting.forget(trained, "2", tmp_path / "a", "lab/1")
    second = forgetting.forget(tmp_path / "a", "4", tmp_path / "b", "lab/2")
    old, new = load_model(trained), load_model(tmp_path / "b")
    rows, everyone = kept(tmp_path / "b"), kept(trained)
    assert set(rows.subjects) == set(everyone.subjects) - {"2", "4"}
    assert first["rows_by_activity"] == {
        activity: int(((everyone.subjects == "2") & (everyone.y == number)).sum())
        for number, activity in enumerate(old.activities)
    }
    assert second["rows"] + len(rows.y) == second["rows"] + second["rows_of_others"] == (kept(tmp_path / "a").y).size
    alone = old.new_elm(old.elm_.seed)
    alone.weights = head_sums.read(trained, model_folder.verify(trained))[1]
    alone.partial_fit(rows.X, rows.y, len(old.activities))
    assert list(new.elm_.betas) == list(old.elm_.betas)
    for pattern, beta in new.elm_.betas.items():
        expected = alone.solution(alone.sums_of(rows.X, rows.y), pattern)
        assert np.linalg.norm(beta - expected) <= 1e-6 * np.linalg.norm(expected)  # in float32, as it is stored
        assert np.linalg.norm(beta - old.elm_.betas[pattern]) > 1e-3 * np.linalg.norm(expected)
    assert [one["subject"] for one in forgetting.of(tmp_path / "b")] == ["2", "4"]
    assert max(one["difference_to_solving_from_scratch"] for one in (first, second)) <= 1e-8
    for name, array in old.network_.arrays.items():
        np.testing.assert_array_equal(new.network_.arrays[name], array)
    card = (tmp_path / "b" / forgetting.CARD).read_text(encoding="utf-8")
    assert card.count("## Forgotten") == 1
    assert "nothing is kept of whoever was forgotten" in card
    assert re.findall(r"rows of one person, on [-0-9]{10}, from (\S+)", card) == ["lab/1", "lab/2"]
    windows = synthetic.window_set(5)
    assert np.isfinite(new.predict_proba(windows)).all()
    assert not np.array_equal(new.predict_proba(windows), old.predict_proba(windows))


@pytest.mark.parametrize("subject", ["nobody", "", "2 ", "💥" * 500])
def test_an_unknown_person_is_refused_and_some_are_named(trained: Path, tmp_path: Path, subject: str) -> None:
    with pytest.raises(InsufficientData, match="It learnt from: 1, 2, 3, 4, 5"):
        forgetting.forget(trained, subject, tmp_path / "new", "lab/1")
    assert not any(tmp_path.iterdir())


def test_a_model_that_kept_nothing_says_how_to_train_one_that_does(example_model: Example, tmp_path: Path) -> None:
    with pytest.raises(InsufficientData, match="--keep-sums"):
        forgetting.forget(example_model.model, "s01", tmp_path / "new", "lab/1")


def test_kept_rows_that_were_changed_are_noticed_when_they_are_needed(trained: Path, tmp_path: Path) -> None:
    save_model(load_with_rows(trained), tmp_path / "model")
    path = tmp_path / "model" / head_sums.ROWS_FILE
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    load_model(tmp_path / "model")  # recognition does not read them
    with pytest.raises(ModelIntegrityError, match=r"kept-rows\.npz was changed"):
        model_folder.verify(tmp_path / "model")
    with pytest.raises(ModelIntegrityError, match=r"kept-rows\.npz was changed"):
        forgetting.forget(tmp_path / "model", "2", tmp_path / "new", "lab/1")


def load_with_rows(folder: Path) -> ActivityClassifier:
    model = load_model(folder)
    model.head_rows_, model.elm_.weights = head_sums.read(folder, model_folder.verify(folder))
    return model


def test_no_reference_model_keeps_rows_of_people(example_model: Example) -> None:
    from config import ROOT

    for path in (ROOT / "reference_models").glob("*/manifest.json"):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        assert not manifest.get(head_sums.KEPT)
        assert not list(path.parent.glob(f"{model_folder.ASIDE}*"))


def test_people_who_are_left_out_have_no_labels_any_more(example_model: Example) -> None:
    signals = example_model.store.signals
    gone = sorted(set(signals.subjects))[:2]
    left = without_people(signals, gone)
    for stretch, recording in product(range(len(signals.first)), [signals.recording]):
        first, length = signals.first[stretch], signals.length[stretch]
        expected = signals.labels[first : first + length]
        if signals.subjects[recording[stretch]] in gone:
            expected = np.full(length, UNLABELLED)
        np.testing.assert_array_equal(left.labels[first : first + length], expected)
    assert without_people(signals, ()) is signals
    with pytest.raises(InvalidSetting, match="There is no subject ghost in the data to leave out"):
        without_people(signals, ["ghost", gone[0]])


def test_a_person_of_several_data_sets_may_be_called_as_their_own_does_if_that_is_clear() -> None:
    people = ["hapt/2", "ku-har/17", "ku-har/2", *(f"ku-har/10{i}" for i in range(30))]
    assert left_out.resolved(["17", "hapt/2", "17"], people) == ("ku-har/17", "hapt/2")
    with pytest.raises(InvalidSetting, match=r"not exactly one subject 2 in .* Subjects: hapt/2, ku-har/2, hapt"):
        left_out.resolved(["2"], [*people, "hapt/1"])
    with pytest.raises(InvalidSetting, match=r"no subject ku-har/71 in .* Subjects: ku-har/17, .* and 13 more\.$"):
        left_out.resolved(["ku-har/71", "17"], people)
