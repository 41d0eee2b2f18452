"""Training runs of the past: named, cloned, deleted, listed with their best scores, and compared."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.services.datasets import library
from app.services.errors import Conflict, Invalid
from app.services.models import model_versions, runs
from app.services.transaction import transaction
from app.tables import TrainingRun
from app.tables.training_run import RunStatus
from app.web.training.side_by_side import settings_of
from tests import homes

Another = Callable[..., TrainingRun]


@pytest.fixture
def another(finished_run: int) -> Another:
    """Return a maker of runs like the finished one, with some settings changed."""

    def make(status: RunStatus = RunStatus.FINISHED, f1: float | None = None, **config: object) -> TrainingRun:
        like = runs.get(finished_run)
        result = copy.deepcopy(like.result) if status is RunStatus.FINISHED else {}
        if f1 is not None:
            result["models"]["svm"] = copy.deepcopy(result["models"]["random-forest"])
            result["models"]["svm"]["f1"]["value"] = f1
        with transaction() as session:
            run = TrainingRun(dataset_id=like.dataset_id, status=status, config=like.config | config, result=result)
            session.add(run)
        return run

    return make


def test_a_run_gets_a_name_and_notes_that_its_page_and_the_list_show(
    finished_run: int, admin_client: FlaskClient
) -> None:
    answers = {"name": "  longer \n windows ", "notes": "<b>For</b> the report\n"}
    page = admin_client.post(f"/training/{finished_run}/details", data=answers, follow_redirects=True).text
    assert "<h1>Training run 1: longer windows</h1>" in page
    assert "&lt;b&gt;For&lt;/b&gt; the report" in page
    assert "longer windows" in admin_client.get("/training/").text
    refused = admin_client.post(f"/training/{finished_run}/details", data={"name": "x" * 81, "notes": "kept"})
    assert refused.status_code == 422
    assert "at most 80 characters" in refused.text
    assert "kept" in refused.text
    assert runs.get(finished_run).name == "longer windows"
    with pytest.raises(Invalid, match="at most 4,000 characters"):
        runs.describe(finished_run, "", "x" * 4001)


def test_a_clone_is_the_form_with_the_settings_of_the_run(another: Another, admin_client: FlaskClient) -> None:
    run = another(
        models=["naive-bayes", "svm", "no-longer"], protocol="random", epochs=7, window_length_s=2.5, seed=3, folds=3,
        low_pass_hz=8.0, rotation_augmentation=True,
    )  # fmt: skip
    page = admin_client.get(f"/training/?like={run.id}").text
    boxes = re.findall(r"<input[^>]*>", page)
    checked = {re.search('value="([^"]*)"', box)[1] for box in boxes if "checked" in box}  # type: ignore[index]
    assert checked == {homes.EXAMPLE, "naive-bayes", "svm", "random", "y"}
    values = {"epochs": "7", "window_length_s": "2.5", "seed": "3", "low_pass_hz": "8.0", "gap_s": "0.5"}
    for name, value in values.items():
        (box,) = (box for box in boxes if f'name="{name}"' in box)
        assert f'value="{value}"' in box
    assert re.search('<option selected value="5">', page)
    for words in ("Some of its models do not exist any longer.", "3 folds can only be asked for on the command line"):
        assert words in page


def test_a_clone_knows_a_renamed_data_set_and_says_which_is_gone(another: Another, admin_client: FlaskClient) -> None:
    library.rename(homes.EXAMPLE, "renamed")
    run = another()
    page = admin_client.get(f"/training/?like={run.id}").text
    assert re.search('<input[^>]*checked[^>]*value="renamed"', page)
    pooled = another(datasets=[{"dataset": "renamed", "device": ""}, {"dataset": "lost", "device": "watch"}])
    page = admin_client.get(f"/training/?like={pooled.id}").text
    assert re.search('<input[^>]*checked[^>]*value="renamed"', page)
    assert "The data set lost:watch is not here any longer." in page


def test_a_deleted_run_takes_its_files_along_and_leaves_its_model(deployed: Flask, admin_client: FlaskClient) -> None:
    folder, (version,) = runs.folder(1), runs.versions_of(1)
    assert f"The model versions that it made stay: {version.label}." in admin_client.get("/training/1").text
    page = admin_client.post("/training/1/delete", follow_redirects=True).text
    assert "Training run 1 was deleted." in page
    assert not folder.exists()
    assert not runs.list_page(1).items
    version = model_versions.get(version.label)
    assert version.training_run_id is None
    assert model_versions.card(version)
    assert admin_client.get(f"/models/{version.id}").status_code == 200


def test_a_run_that_goes_on_cannot_be_deleted(another: Another, admin_client: FlaskClient) -> None:
    run = another(RunStatus.RUNNING)
    with pytest.raises(Conflict, match="still running"):
        runs.delete(run.id)
    admin_client.post(f"/training/{run.id}/delete")
    assert runs.get(run.id).status is RunStatus.RUNNING


def test_the_list_has_the_best_score_and_those_of_folds_a_page_of_runs_at_a_time(
    another: Another, admin_client: FlaskClient
) -> None:
    run = another(f1=0.9876, folds=2)
    with transaction():
        folds = [{"f1": 0.81}, {"f1": 0.99}]
        models = run.result["models"] | {"svm": run.result["models"]["svm"] | {"folds": folds}}
        run.result = run.result | {"models": models, "folds": [{}, {}]}
    row = re.search(rf"Run {run.id}</a>.*?</tr>", admin_client.get("/training/").text, re.DOTALL)
    assert row is not None
    assert "SVM" in row[0]
    assert "98.8 %" in row[0]
    assert "folds 81.0 % to 99.0 %" in row[0]
    for _ in range(runs.PAGE_SIZE):
        another(RunStatus.FAILED)
    assert f"Run {run.id}</a>" not in admin_client.get("/training/").text
    assert f"Run {run.id}</a>" in admin_client.get("/training/?page=2").text


def test_epochs_are_shown_of_models_that_have_some(another: Another, admin_client: FlaskClient) -> None:
    forest = another(epochs=1)
    forest.result = {**forest.result, "models": {"random-forest": forest.result["models"]["random-forest"]}}
    db.session.commit()
    assert ">Epochs<" not in admin_client.get(f"/training/{forest.id}").text
    assert settings_of(forest)["Epochs"] == "–"
    forest.result["models"] = {"lstm": next(iter(forest.result["models"].values()))}
    assert settings_of(forest)["Epochs"] == "1"


def test_runs_side_by_side_mark_what_differs_and_say_whether_they_were_tested_alike(
    another: Another, finished_run: int, admin_client: FlaskClient
) -> None:
    longer, better = another(window_length_s=4.0), another(f1=0.999)
    page = admin_client.get(f"/training/compare?run={finished_run}&run={better.id}").text
    assert "tested on the very same windows" in page
    differing = re.findall(r"<th[^>]*>([A-Za-z ]+) <span[^>]*>differs</span>", page)
    assert differing == ["Models"]
    assert page.count('<table class="matrix">') == 2
    assert f"Run {better.id}: SVM" in page
    page = admin_client.get(f"/training/compare?run={finished_run}&run={longer.id}&model=svm").text
    assert "were not tested on the same windows" in page
    assert "<td>3 s, overlap 0</td><td>4 s, overlap 0</td>" in page
    assert page.count('<table class="matrix">') == 2, "a model that no run has is no choice"
    page = admin_client.get(f"/training/compare?run={finished_run}&run={better.id}&model=svm").text
    assert page.count('<table class="matrix">') == 1
    assert "This run did not train it." in page


@pytest.mark.parametrize("numbers", [[], [1], [1, 1], [1, 2], [1, 3, 4, 5, 6], [1, 99]])
def test_only_two_to_four_finished_runs_are_compared(
    another: Another, admin_client: FlaskClient, numbers: list[int]
) -> None:
    another(RunStatus.FAILED)
    for _ in range(4):
        another()
    answer = admin_client.get("/training/compare", query_string={"run": numbers}, follow_redirects=True)
    assert ("Choose 2 to 4 finished runs" in answer.text) or (99 in numbers and answer.status_code == 404)


@pytest.mark.parametrize("address", ["/training/?like={}", "/training/compare?run={}&run=1"])
@pytest.mark.parametrize("number", [10**30, 2**63, 99])
def test_a_run_that_never_was_is_not_found(
    finished_run: int, admin_client: FlaskClient, address: str, number: int
) -> None:
    answer = admin_client.get(address.format(number))
    assert answer.status_code == 404
    assert "There is no training run" in answer.text
