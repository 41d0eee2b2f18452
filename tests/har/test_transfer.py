"""A model that was trained on other data is built on: what is kept, what is solved anew, and what few windows give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.har.classifiers.elm_gru_am import forgetting, network_weights, persistence
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.config import ModelConfig
from app.har.classifiers.elm_gru_am.transfer import MEMORY, TransferredClassifier, counterparts, head_on
from app.har.errors import UnusableRecording
from app.har.sums import Sums
from app.har.training.transfer import Base, learning_curve
from app.har.windows import WindowSet
from tests import synthetic

SMALL = ModelConfig(n_selected=20, units=8, elm_nodes=80, elm_convolutions=40)
SEEN = {"base": "old/1", "digest": "0" * 64, "seen": [{"dataset": "old", "fingerprint": "f"}]}


@pytest.fixture(scope="module")
def base() -> ActivityClassifier:
    return ActivityClassifier(SMALL).fit(synthetic.window_set(subjects=5), epochs=1)


def others(subjects: int = 6, seed: int = 1) -> WindowSet:
    """Return windows of other people, whose data set has other names, and an activity that the base does not know."""
    windows = synthetic.window_set(subjects=subjects, seed=seed)
    renamed = {"Rest": "Standing", "Walk": "Walking", "Run": "Shaking"}
    names = tuple(renamed[name] for name in windows.activities)
    return replace(windows, activities=names, subjects=np.char.add("new-", windows.subjects))


def test_a_solution_around_a_centre_is_the_centre_without_rows_and_the_usual_one_of_what_is_left() -> None:
    rng = np.random.default_rng(0)
    H, T, centre = rng.normal(size=(20, 8)), rng.normal(size=(20, 3)), rng.normal(size=(8, 3))
    np.testing.assert_allclose(Sums.none(8, 3).solve(2.0, centre), centre)
    expected = centre + np.linalg.solve(H.T @ H + 2.0 * np.eye(8), H.T @ (T - H @ centre))
    np.testing.assert_allclose(Sums.of(H, T).solve(2.0, centre), expected)


def test_activities_are_the_same_by_name_then_by_shared_name_then_as_somebody_chose() -> None:
    of_base = ("Walk", "Stair-up", "Table-tennis")
    found = counterparts(("WALKING", "Table-tennis", "Chess", "Climb"), {"Climb": "Stairs up"}, of_base, {})
    assert found == {"WALKING": "Walk", "Table-tennis": "Table-tennis", "Climb": "Stair-up"}
    assert counterparts(("Sitting",), {}, ("Posture",), {"Posture": "Sitting"}) == {"Sitting": "Posture"}


def test_a_network_that_is_loaded_gives_the_answers_of_the_one_that_was_stored(base: ActivityClassifier) -> None:
    windows = synthetic.window_set(subjects=2)
    description = base.describer_(windows)
    network = base._build_network(description, seed=7)
    network_weights.load_into(network, base.network_.arrays, len(base.sensors))
    again = network_weights.of_network(network, len(base.sensors))
    assert again.keys() == base.network_.arrays.keys()
    for name, array in base.network_.arrays.items():
        np.testing.assert_allclose(again[name], array, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("fine_tune", [False, True])
def test_a_model_on_a_base_learns_other_activities_keeps_the_map_and_needs_no_base_to_be_read(
    base: ActivityClassifier, tmp_path: Path, fine_tune: bool
) -> None:
    windows = others()
    before = {name: array.copy() for name, array in base.network_.arrays.items()}
    alike = counterparts(windows.activities, {}, base.activities, {})
    assert alike == {"Walking": "Walk"}
    model = TransferredClassifier(base, alike, fine_tune=fine_tune).fit(windows)
    assert model.activities == windows.activities
    assert model.window_scaler_ is base.window_scaler_
    assert model.describer_ is base.describer_
    assert (model.predict_proba(windows).argmax(axis=1) == windows.y).mean() > 0.9
    changed = [name for name, array in before.items() if not np.array_equal(model.network_.arrays[name], array)]
    assert (set(changed) == {"activity", "activity bias"}) is not fine_tune
    for name, array in before.items():
        np.testing.assert_array_equal(base.network_.arrays[name], array)
    persistence.save_model(model, tmp_path / "model")
    read = persistence.load_model(tmp_path / "model")
    np.testing.assert_allclose(read.predict_proba(windows), model.predict_proba(windows), atol=1e-6)


def test_of_no_new_windows_the_head_says_half_of_what_the_base_said_and_nothing_of_what_is_new(
    base: ActivityClassifier,
) -> None:
    head = head_on(base, ("Shaking", "Walking"), {"Walking": "Walk"})
    beta = next(iter(base.elm_.betas.values()))
    head.learn(Sums.none(len(beta), 2))
    found = head.betas[(True,) * len(head.sizes)]
    np.testing.assert_allclose(found[:, 1], MEMORY * beta[:, base.activities.index("Walk")], rtol=1e-5)
    assert not found[:, 0].any()


def test_windows_that_the_base_does_not_read_are_refused_by_their_channels(base: ActivityClassifier) -> None:
    windows = others()
    fewer = replace(windows, X=windows.X[:, :, :3], channels=windows.channels[:3])
    with pytest.raises(UnusableRecording, match=r"expects the channels acc_x, .*gyro_z; found acc_x, acc_y, acc_z"):
        TransferredClassifier(base).fit(fewer)


def test_a_model_on_a_base_forgets_a_person_exactly(base: ActivityClassifier, tmp_path: Path) -> None:
    windows = others()
    model = TransferredClassifier(base, {"Walking": "Walk"}, keep_sums=True).fit(windows)
    persistence.save_model(model, tmp_path / "model")
    person = str(windows.subjects[0])
    certificate = forgetting.forget(tmp_path / "model", person, tmp_path / "without", "new/1")
    assert certificate["difference_to_solving_from_scratch"] <= 1e-8
    assert any("built on another" in line for line in certificate["not_forgotten"])
    read = persistence.load_model(tmp_path / "without")
    assert read.elm_.centres.keys() == base.elm_.betas.keys()


def test_the_curve_compares_heads_on_the_same_few_windows_and_a_base_that_fits_is_ahead(
    base: ActivityClassifier,
) -> None:
    train, test = synthetic.window_set(subjects=6, seed=1), synthetic.window_set(subjects=3, seed=2)
    points = learning_curve(Base(base, SEEN, {}, {}), train, test, seed=0)
    assert [point["windows"] for point in points] == [1, 2, 5, 10, 20, None]
    assert points[0]["base"] > 0.8
    assert all(0 <= point[key] <= 1 for point in points for key in ("base", "scratch"))
