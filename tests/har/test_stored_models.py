"""Models that were stored by earlier builds load, and answer as they did."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.har.classifiers.elm_gru_am.persistence import load_model, save_model
from tests.conftest import ROOT
from tests.har.reference_answers import windows_for

ANSWERS = json.loads((Path(__file__).parent / "reference_answers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ANSWERS)
def test_a_model_stored_before_1_0_answers_the_same_also_when_stored_again(name: str, tmp_path: Path) -> None:
    model = load_model(ROOT / "reference_models" / name)
    windows = windows_for(model.channels, model.n_timesteps, model.sampling_rate_hz, model.gravity)
    recognition = model.recognise(windows)
    np.testing.assert_allclose(recognition.probabilities, ANSWERS[name]["probabilities"], atol=1e-6)
    novelty = np.array(ANSWERS[name]["novelty"], float)  # None: the sensor is missing
    np.testing.assert_allclose(recognition.novelty, np.where(np.isnan(novelty), np.inf, novelty), rtol=1e-5)
    save_model(model, tmp_path / "again")
    again = load_model(tmp_path / "again").recognise(windows)
    np.testing.assert_array_equal(again.probabilities, recognition.probabilities)


def test_settings_that_were_renamed_keep_their_values() -> None:
    config = load_model(ROOT / "reference_models" / "reference-ku-har").config
    assert config.rotation_augmentation is True
    assert config.low_rate_augmentation == 0.5
