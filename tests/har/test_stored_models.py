"""Models that were stored by earlier builds load, and answer as they did."""

from __future__ import annotations

import json
import shutil
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.persistence import load_model, save_model
from app.har.classifiers.model_folder import MANIFEST, _digest_of
from app.har.classifiers.types import Recognition
from tests.conftest import ROOT
from tests.har.reference_answers import windows_for

ANSWERS = json.loads((Path(__file__).parent / "reference_answers.json").read_text(encoding="utf-8"))
REFERENCE_MODELS = ROOT / "reference_models"
load_once = lru_cache(load_model)


def answer(model: ActivityClassifier) -> Recognition:
    return model.recognise(windows_for(model.channels, model.n_timesteps, model.sampling_rate_hz, model.gravity))


@pytest.mark.parametrize("name", ANSWERS)
def test_a_model_stored_before_1_0_answers_the_same(name: str) -> None:
    recognition = answer(load_once(REFERENCE_MODELS / name))
    np.testing.assert_allclose(recognition.probabilities, ANSWERS[name]["probabilities"], atol=1e-6)
    novelty = np.array(ANSWERS[name]["novelty"], float)  # None: the sensor is missing
    np.testing.assert_allclose(recognition.novelty, np.where(np.isnan(novelty), np.inf, novelty), rtol=1e-5)


def test_a_model_of_several_devices_and_with_gravity_answers_the_same_when_it_is_stored_again(tmp_path: Path) -> None:
    model = load_once(REFERENCE_MODELS / "reference-phone-watch")
    save_model(model, tmp_path / "again")
    before, again = answer(model), answer(load_model(tmp_path / "again"))
    for name, array in vars(before).items():
        np.testing.assert_array_equal(getattr(again, name), array)
    assert load_model(tmp_path / "again").shortest_bout_s == model.shortest_bout_s == 0.78


def test_a_model_from_before_there_were_combinations_directions_and_preparations_still_loads(tmp_path: Path) -> None:
    folder = shutil.copytree(REFERENCE_MODELS / "reference-ku-har", tmp_path / "old")
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    all_sensors, weights = manifest["combinations"][0]
    for newer in ("manifest_sha256", "combinations", "direction_limits", "preparation", "shortest_bout_s"):
        del manifest[newer]
    manifest["combination"] = weights
    document = {**manifest, "manifest_sha256": _digest_of(manifest)}
    (folder / MANIFEST).write_text(json.dumps(document), encoding="utf-8")
    old = load_model(folder)
    assert old.shortest_bout_s is None
    assert old.combinations_ == {tuple(all_sensors): tuple(weights)}
    windows = windows_for(old.channels, old.n_timesteps, old.sampling_rate_hz, old.gravity)
    novelty = old.recognise(windows).novelty
    complete = (novelty <= 1).all(axis=1) | (np.isfinite(novelty) & (novelty > 1)).all(axis=1)
    expected = np.array(ANSWERS["reference-ku-har"]["probabilities"])
    assert complete.any()
    np.testing.assert_allclose(old.predict_proba(windows)[complete], expected[complete], atol=1e-6)


def test_settings_that_were_renamed_keep_their_values() -> None:
    config = load_once(REFERENCE_MODELS / "reference-ku-har").config
    assert config.rotation_augmentation is True
    assert config.low_rate_augmentation == 0.5
