"""Training on several data sets as one: what is recorded of them, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.har.training.config import TrainConfig
from app.services.datasets import library, shared_names, worn
from app.services.errors import Conflict, Invalid
from app.services.models import model_versions, runs, training, training_data
from app.services.transaction import transaction
from app.tables import Dataset, TrainingRun
from app.tables.training_run import RunStatus
from tests import homes, trained
from tests.bad_inputs import zipped
from tests.synthetic import sp_sw_files

BAYES = TrainConfig(models=("naive-bayes",), protocol="dataset")


def test_each_data_set_is_left_out_and_the_run_outlives_them(two: Flask) -> None:
    shared_names.choose("other", {"Rest": "Sitting"})
    run = training.train("other, small", BAYES)
    assert run.status is RunStatus.FINISHED, run.reason
    assert (run.dataset_id, run.dataset_name) == (None, "other, small")
    assert [(each["dataset"], each["vocabulary"]["Rest"]) for each in run.config["datasets"]] == [
        ("other", "Sitting"), ("small", "Still"),
    ]  # fmt: skip
    library.remove("other")
    db.session.expire_all()
    result = runs.get(run.id).result
    assert result["data"]["datasets"] == run.config["datasets"]
    assert result["data"]["notes"] == ["other: 100 Hz, resampled to 50 Hz", "small: 100 Hz, resampled to 50 Hz"]
    assert [fold["dataset"] for fold in result["models"]["naive-bayes"]["folds"]] == ["other", "small"]
    assert {(one["dataset"], one["activity"], one["reason"]) for one in result["left_out"]} == {
        ("small", "Still", "the label holds others that there are"),
        ("other", "Sitting", "the other data sets lack it"),
    }
    assert "model_version" not in result


@pytest.mark.long
def test_the_model_of_several_is_called_after_them(two: Flask, admin_client: FlaskClient) -> None:
    run = training.train("small,other", TrainConfig(models=("elm-gru-am",), protocol="subject", epochs=1))
    assert run.status is RunStatus.FINISHED, run.reason
    assert run.result["model_version"] == "pool-small-other/1"
    version = model_versions.get("pool-small-other/1")
    manifest = model_versions.info(version)["manifest"]
    assert [each["dataset"] for each in manifest["data"]["datasets"]] == ["small", "other"]
    assert manifest["activities"] == ["Still", "Walking", "Running"]
    card = model_versions.card(version)
    assert card is not None
    assert "Data set other, fingerprint" in card.read_text(encoding="utf-8")
    page = admin_client.get(f"/models/{version.id}").get_data(as_text=True)
    assert library.get("other").fingerprint in page


def test_an_everyday_model_of_several_is_kept_and_can_be_promoted(two: Flask, admin_client: FlaskClient) -> None:
    worn.choose("small", {"": "leg"})
    run = training.train("small,other", TrainConfig(models=("naive-bayes", "everyday"), protocol="dataset"))
    assert run.status is RunStatus.FINISHED, run.reason
    assert run.result["model_versions"] == {"everyday": "pool-small-other-everyday/1"}
    version = model_versions.promote(run.result["model_version"])
    manifest = model_versions.info(version)["manifest"]
    assert [each["place"] for each in manifest["data"]["datasets"]] == ["leg", ""]
    assert manifest["place_of"] == {"small": "leg"}
    assert trained.load(version).name == "everyday"
    assert "of data sets it was not trained on" in model_versions.accuracy_in_words(version)
    for page in (f"/models/{version.id}", f"/training/{run.id}", "/training/"):
        assert admin_client.get(page).status_code == 200


def test_an_everyday_model_of_one_data_set_knows_its_activities_by_their_shared_names(two: Flask) -> None:
    run = training.train("other", TrainConfig(models=("everyday",), protocol="subject"))
    assert run.status is RunStatus.FINISHED, run.reason
    assert run.result["model_version"] == "other-everyday/1"
    assert run.result["activities"] == ["Still", "Walking", "Running"]


@pytest.mark.parametrize(
    ("names", "settings", "field", "message"),
    [
        ("", {}, "dataset", "Choose at least one data set"),
        ("small", {"protocol": "dataset"}, "protocol", "at least two are needed"),
        ("small:watch", {}, "dataset", "small has only one device; found 'watch'"),
        ("small,small", {"protocol": "dataset"}, "dataset", "some are the same data"),
        ("small,other", {"protocol": "dataset", "folds": 3}, "folds", "each data set is a fold"),
        ("small,other", {"protocol": "subject", "folds": 6}, "folds", "small and other has 5"),
        ("small,other", {"low_pass_hz": 25.0}, "low_pass_hz", "has 50 samples per second"),
    ],
)
def test_what_cannot_be_trained_is_refused_at_once(
    two: Flask, names: str, settings: dict[str, object], field: str, message: str
) -> None:
    with pytest.raises(Invalid, match=message) as refused:
        training.start(names, TrainConfig(models=("naive-bayes",), **settings))  # type: ignore[arg-type]
    assert refused.value.field == field
    assert not runs.list_page(1).items


@pytest.mark.parametrize(
    ("names", "settings", "field", "message"),
    [
        ("small", {}, "models", "small would leave 1"),  # of two people, one is tested
        ("other", {"folds": 2}, "models", "other would leave 1"),
        ("nameless", {"protocol": "random"}, "models", "nameless does not say who was recorded"),
        ("nameless,other", {"protocol": "dataset"}, "models", "nameless does not say who was recorded"),
        (homes.EXAMPLE, {}, "models", "has not two of them"),
        ("other", {"window_length_s": 12.0}, "window_length_s", "other has 9.5 s"),
    ],
)
def test_what_the_everyday_model_cannot_learn_from_is_refused_at_once(
    two: Flask, example: Flask, names: str, settings: dict[str, object], field: str, message: str
) -> None:
    nameless = library.get("small")
    with transaction() as session:
        values = {name: getattr(nameless, name) for name in ("source", "vocabulary", "places")}
        summary = {**nameless.summary, "subjects": 0}
        session.add(Dataset(name="nameless", folder="nameless", fingerprint="another", summary=summary, **values))
    shutil.copytree(library.store_folder(nameless), library.store_folder(library.get("nameless")))
    with pytest.raises(Invalid, match=message) as refused:
        training.start(names, TrainConfig(models=("everyday",), **settings))  # type: ignore[arg-type]
    assert refused.value.field == field
    assert not runs.list_page(1).items


def test_one_device_of_a_data_set_can_be_trained_on_alone_or_with_others(two: Flask, tmp_path: Path) -> None:
    (tmp_path / "pairs.zip").write_bytes(zipped(sp_sw_files()))
    library.add("pairs", tmp_path / "pairs.zip")
    texts = [choice.text for choice in training_data.all_choices()]
    assert texts == ["other", "pairs", "pairs:phone", "pairs:watch", "small", *texts[5:]]
    with pytest.raises(Invalid, match="pairs has phone, watch; found 'arm'"):
        training.start("pairs:arm", BAYES)
    alone = training.train("pairs:watch", TrainConfig(models=("naive-bayes",), protocol="random"))
    assert alone.status is RunStatus.FINISHED, alone.reason
    assert alone.result["channels"] == ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"]
    assert (alone.dataset_name, alone.config["device"]) == ("pairs:watch", "watch")
    run = training.train("pairs:watch,small", BAYES)
    assert run.status is RunStatus.FINISHED, run.reason
    assert "pairs: of phone, watch, watch was taken" in run.result["data"]["notes"]
    assert [each["device"] for each in run.config["datasets"]] == ["watch", ""]


def test_the_same_bytes_under_two_names_are_not_two_data_sets(two: Flask, started_home: Path) -> None:
    library.add("again", started_home / "small.zip")
    with pytest.raises(Invalid, match="some are the same data"):
        training.start("small,again", BAYES)


def test_a_data_set_that_is_trained_on_with_others_is_kept(two: Flask) -> None:
    run = TrainingRun(config={"dataset": "small, other", "datasets": [{"dataset": "small"}]}, result={})
    db.session.add(run)
    db.session.commit()
    with pytest.raises(Conflict, match="being used for training"):
        library.remove("small")
    library.remove("other")
    run.config = {"dataset": "another", "unlabelled": "small"}
    db.session.commit()
    for change in (lambda: library.remove("small"), lambda: library.rename("small", "renamed")):
        with pytest.raises(Conflict, match="being used for training"):  # learnt from without its labels
            change()
    run.status = RunStatus.FINISHED
    db.session.commit()
    library.remove("small")
