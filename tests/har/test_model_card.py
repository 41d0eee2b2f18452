"""A model card says what a model was trained on, how well it does and where its limits are, in its run's figures."""

from __future__ import annotations

import numpy as np

from app.har.classifiers.base import WindowFormat
from app.har.evaluation.scores import evaluate
from app.har.training.model_card import model_card
from tests import synthetic

FORMAT = WindowFormat(("Rest", "Walk", "Run"), ("acc_x", "acc_y", "acc_z"), 50.0, 150, "removed")


def test_the_card_has_the_figures_of_the_test_part_by_activity_and_by_people() -> None:
    windows = synthetic.window_set(6)
    probabilities = np.eye(3, dtype=np.float32)[windows.y]
    wrong = windows.subjects == windows.subjects[0]
    probabilities[wrong] = np.roll(probabilities[wrong], 1, axis=1)
    metrics = evaluate(windows, probabilities, fit_seconds=1, predict_seconds=1).as_dict()
    split = {"protocol": "subject", "seed": 0, "train_windows": 1234, "train_subjects": 9, "test_windows": len(windows)}
    result = {
        "metrics": metrics,
        "split": {**split, "test_subjects": 6},
        "data": {"dataset": "walkers", "fingerprint": "abc"},
        "config": {"overlap": 0.5},
    }
    card = model_card("walkers", FORMAT, result)
    assert card.startswith("# walkers\n")
    for said in ("1,234 windows of 9 people", "fingerprint `abc`", "people the model was not trained on (6 people)"):
        assert said in card
    assert f"Accuracy: {metrics['accuracy']['value']:.3f}" in card
    for activity in metrics["per_activity"]:
        assert f"| {activity['activity']} | {activity['precision']:.3f} |" in card
    assert "| worst recognised | 2 |" in card  # six people in five groups
    assert "| best recognised | 1 | 1.000 |" in card
    assert "Kept of the people" not in card
    kept = model_card("walkers", FORMAT, {**result, "kept": {"people": 9, "rows": 1851, "bytes": 3_700_000}})
    assert "1,851 windows and of copies of windows, and their activities, by 9 people (3.7 MB)" in kept
    too_many = model_card("walkers", FORMAT, {**result, "too_many_to_keep": {"rows": 30_000, "most": 12_500}})
    assert "30,000 windows and copies of windows, where at most 12,500 are kept" in too_many
    assert "## Kept of the people" not in too_many
    flattering = model_card("walkers", FORMAT, {**result, "split": {**split, "protocol": "random"}})
    assert "the very people the model was trained on" in flattering
    without = model_card("walkers", FORMAT, {**result, "config": {"overlap": 0.5, "leave_out": ["Ann", "Ben"]}})
    assert "2 people left out, neither trained on nor tested on" in without
    assert "Ann" not in without  # all users read it
