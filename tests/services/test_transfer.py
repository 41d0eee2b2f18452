"""A training on top of a stored model: what is refused, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from app.har.training.config import TrainConfig
from app.services.datasets import library
from app.services.errors import Invalid, NotFound
from app.services.models import bases, model_versions, reference_models, training, training_data
from app.services.recordings.recognise import Model, always, recognise
from app.tables import Dataset, ModelVersion
from app.tables.training_run import RunStatus
from tests import trained
from tests.conftest import ROOT

EXAMPLE = "physiotherapy-example"
HEAD_ALONE = TrainConfig(models=("elm-gru-am",))


@pytest.fixture
def quick(example: Flask) -> Flask:
    """Return the application with the embedded example; its trainers draw no plots."""
    example.config["TRAINING_PLOTS"] = False
    return example


@pytest.fixture
def with_references(quick: Flask) -> Flask:
    """Return the same with the models that come with the program."""
    quick.config["REFERENCE_MODELS"] = ROOT / "reference_models"
    reference_models.add_new()
    return quick


@pytest.fixture
def old(quick: Flask, small_base: Path, tmp_path: Path) -> ModelVersion:
    return trained.register_base(small_base, tmp_path)


def test_what_comes_of_a_base_is_a_model_like_any_other_and_outlives_it(
    quick: Flask, old: ModelVersion, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(training, "find_spec", lambda name: None)  # without TensorFlow: nothing is trained in epochs
    run = training.train(EXAMPLE, TrainConfig(models=("elm-gru-am",), base="old", keep_sums=True))
    assert run.status is RunStatus.FINISHED, run.reason
    assert run.config["base"] == "old/1"
    transfer = run.result["transfer"]
    assert transfer["base"] == "old/1"
    assert transfer["new"] == run.result["activities"]
    assert not transfer["fine_tuned"]
    assert [point["windows"] for point in transfer["curve"]][:3] == [1, 2, 5]
    version = model_versions.get(run.result["model_version"])
    card = model_versions.card(version)
    assert card
    for said in ("## Built on", "old/1", transfer["digest"], "have seen old data", "On the base"):
        assert said in card.read_text(encoding="utf-8")
    model_versions.promote(version.id)
    model_versions.delete(old.id)
    path = tmp_path / "recording.csv"
    path.write_bytes(trained.recording_csv())
    recognised = recognise(path, "walk.csv", always(Model(version.label, lambda: trained.load(version))))
    assert recognised.result.activities == tuple(run.result["activities"])
    assert len(recognised.result.proba) == 4
    again = bases.chosen(version.label)  # and can be built on
    assert {one["dataset"] for one in again.seen} == {EXAMPLE, "old data"}


def test_data_that_the_base_or_its_base_has_seen_are_refused(with_references: Flask, old: ModelVersion) -> None:
    with pytest.raises(Invalid, match="people whom it knows") as refused:
        training.start(EXAMPLE, TrainConfig(models=("elm-gru-am",), base="reference-physiotherapy"))
    assert refused.value.field == "base"
    dataset = library.get(EXAMPLE)
    choice = [training_data.Choice(dataset)]
    base = bases.chosen("old")
    assert base.why_not(choice) == ""
    of_it = bases.ChosenBase(base.version, {**base.manifest, "transfer": {"seen": [
        {"dataset": "called otherwise", "fingerprint": dataset.fingerprint}]}})  # fmt: skip
    assert "people whom it knows" in of_it.why_not(choice)
    renamed = bases.ChosenBase(base.version, {**base.manifest, "data": {"dataset": EXAMPLE, "fingerprint": "other"}})
    assert "people whom it knows" in renamed.why_not(choice)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("reference-everyday", "no head that could be solved anew"),
        ("reference-phone-watch", "The model reads phone.acc_x, .* these data have acc_x, .* without phone.acc_x"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_the_reason(with_references: Flask, base: str, message: str) -> None:
    with pytest.raises(Invalid, match=message) as refused:
        training.start(EXAMPLE, TrainConfig(models=("elm-gru-am",), base=base))
    assert refused.value.field == "base"


def test_gravity_that_the_base_needs_and_the_data_lack_is_named(with_references: Flask, small: Dataset) -> None:
    with pytest.raises(Invalid, match="with gravity; these data are without"):
        training.start("small", TrainConfig(models=("elm-gru-am",), base="reference-physiotherapy"))


def test_a_model_that_does_not_say_what_it_has_seen_is_no_base(quick: Flask, small_base: Path, tmp_path: Path) -> None:
    trained.register_base(small_base, tmp_path, fingerprint="")
    with pytest.raises(Invalid, match="does not say which data it has seen"):
        training.start(EXAMPLE, TrainConfig(models=("elm-gru-am",), base="old"))
    assert "old/1" not in [base.version.label for base in bases.available()]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (TrainConfig(models=("random-forest",), base="old"), "models"),
        (TrainConfig(fine_tune=True), "fine_tune"),
        (TrainConfig(models=("elm-gru-am",), base="old", window_length_s=5.0), "window_length_s"),
        (TrainConfig(models=("elm-gru-am",), base="old", low_pass_hz=8.0), "low_pass_hz"),
    ],
)
def test_settings_at_odds_with_a_base_are_refused_by_field(
    quick: Flask, old: ModelVersion, config: TrainConfig, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        training.start(EXAMPLE, config)
    assert refused.value.field == field


def test_an_unknown_base_is_not_found(quick: Flask) -> None:
    with pytest.raises(NotFound, match="There is no model 'nothing'"):
        training.start(EXAMPLE, TrainConfig(models=("elm-gru-am",), base="nothing"))


def test_several_data_sets_are_read_as_the_base_reads_its_own_and_folds_keep_people_apart(
    quick: Flask, small: Dataset, old: ModelVersion
) -> None:
    config = TrainConfig(models=("elm-gru-am",), base="old", folds=2, overlap=0.5)
    run = training.train(f"{EXAMPLE},small", config)
    assert run.status is RunStatus.FINISHED, run.reason
    assert run.result["transfer"]["alike"]["Walking"] == "Walk"  # Stand, Sit, Walk … of the small set by shared names
    assert "curve" not in run.result["transfer"]
    for fold in run.result["folds"]:
        assert not set(fold["subjects"]["train"]) & set(fold["subjects"]["test"])
