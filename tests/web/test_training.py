"""The train page, a run's page and the models page, through the browser's requests."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape

from app.extensions import db
from app.har.classifiers.catalogue import CATALOGUE
from app.har.training.config import TrainConfig
from app.services.datasets import library
from app.services.models import model_versions, reference_models, runs
from app.tables import Dataset
from app.web.training.verdicts import what_a_base_is_worth
from tests.bad_inputs import zipped
from tests.synthetic import sp_sw_csv
from tests.trained import Example, register_base, register_model

ANSWERS = {
    "dataset": "physiotherapy-example",
    "protocol": "subject",
    "models": ["naive-bayes"],
    "seed": "0",
    "window_length_s": "3",
    "overlap": "0",
}


def finish(client: FlaskClient, address: str) -> dict[str, object]:
    """Poll a run's page until its training has ended."""
    for _ in range(1200):
        state = client.get(address + "/progress").get_json()
        if state["status"] != "running":
            return state
        time.sleep(0.2)
    raise AssertionError("the training did not end")


def test_the_train_page_says_what_to_do_when_there_is_no_data_set(admin_client: FlaskClient) -> None:
    page = admin_client.get("/training/").get_data(as_text=True)
    assert "Add a data set" in page
    assert "Start training" not in page


def test_every_model_can_be_chosen_and_four_are_at_first(example: Flask, admin_client: FlaskClient) -> None:
    page = admin_client.get("/training/").get_data(as_text=True)
    boxes = re.findall(r'<input[^>]*name="models"[^>]*>', page)
    values = {re.search('value="([^"]*)"', box)[1]: "checked" in box for box in boxes}  # type: ignore[index]
    assert list(values) == list(CATALOGUE)
    assert tuple(name for name, checked in values.items() if checked) == TrainConfig().models
    assert all(escape(info.title) in page and escape(info.about) in page for info in CATALOGUE.values())


def test_windows_are_preset_to_the_length_of_the_data_sets_pieces(
    example: Flask, admin_client: FlaskClient, tmp_path: Path
) -> None:
    short = {f"DATA/s0{n}/s0{n}_01_sp.csv": sp_sw_csv(subject=n, seconds=1.7) for n in (1, 2)}
    (tmp_path / "short.zip").write_bytes(zipped(short))
    library.add("short", tmp_path / "short.zip")

    def preset(address: str) -> str:
        field = re.search(r'<input[^>]*name="window_length_s"[^>]*>', admin_client.get(address).text)
        assert field
        return field[0].partition('value="')[2].partition('"')[0]

    assert preset("/training/?dataset=physiotherapy-example") == "3.0"
    assert preset("/training/?dataset=short") == "1.5"
    assert preset("/training/?dataset=short,physiotherapy-example") == "1.5"
    lengths = dict(re.findall(r'data-window-s="([\d.]+)"[^>]*value="([^"]+)"', admin_client.get("/training/").text))
    assert lengths == {"1.5": "short", "3.0": "physiotherapy-example"}


def test_a_training_started_from_the_page_shows_progress_then_table(example: Flask, admin_client: FlaskClient) -> None:
    example.config["TRAINING_PLOTS"] = False
    response = admin_client.post("/training/", data=ANSWERS | {"rotation_augmentation": "y", "name": "any way round"})
    assert response.status_code == 302
    assert runs.get(1).config["rotation_augmentation"] is True
    assert runs.get(1).name == "any way round"
    address = response.location
    page = admin_client.get(address).get_data(as_text=True)
    assert 'id="progress"' in page or 'id="comparison"' in page
    state = finish(admin_client, address)
    assert state["status"] == "finished", state["reason"]
    page = admin_client.get(address).get_data(as_text=True)
    accuracy = runs.get(1).result["models"]["naive-bayes"]["accuracy"]["value"]
    assert f"{100 * accuracy:.1f}" in page
    assert "Run 1" in admin_client.get("/training/").get_data(as_text=True)


def test_several_data_sets_are_trained_on_as_one_and_each_is_named(two: Flask, admin_client: FlaskClient) -> None:
    page = admin_client.get("/training/").get_data(as_text=True)
    boxes = re.findall(r'<input[^>]*name="dataset"[^>]*>', page)
    assert len(boxes) == 2
    assert not any("checked" in box for box in boxes)
    answers = ANSWERS | {
        "dataset": ["small", "other"],
        "protocol": "dataset",
        "models": ["naive-bayes", "decision-tree"],
    }
    address = admin_client.post("/training/", data=answers).location
    state = finish(admin_client, address)
    assert state["status"] == "finished", state["reason"]
    page = admin_client.get(address).get_data(as_text=True)
    figures = runs.get(1).result["models"]
    table = page[page.index('id="by-data-set"') :]
    for number, name in enumerate(("other", "small")):
        row = re.search(rf'<th scope="row"[^>]*>{name}</th>(.*?)</tr>', table, re.DOTALL)
        assert row is not None
        assert all(f"{100 * figures[model]['folds'][number]['f1']:.1f} %" in row[1] for model in answers["models"])
    for words in ("By data set", "small, other", "each when its data set was left out"):
        assert words in page
    again = admin_client.get("/training/?dataset=small,%20other").get_data(as_text=True)
    assert all("checked" in box for box in re.findall(r'<input[^>]*name="dataset"[^>]*>', again))
    assert re.search(r'<input[^>]*checked[^>]*value="dataset"', again)


def test_the_only_data_set_is_chosen(small: Dataset, admin_client: FlaskClient) -> None:
    page = admin_client.get("/training/").get_data(as_text=True)
    (box,) = re.findall(r'<input[^>]*name="dataset"[^>]*>', page)
    assert "checked" in box
    assert re.search(r'<input[^>]*checked[^>]*value="subject"', page)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("metrics.csv", "text/csv"),
        ("metrics.json", "application/json"),
        ("plots/comparison.png", "image/png"),
        ("plots/confusion-random-forest-rows.svg", "image/svg+xml"),
    ],
)
def test_what_a_finished_training_made_can_be_downloaded(
    finished_run: int, admin_client: FlaskClient, name: str, kind: str
) -> None:
    address = f"/training/{finished_run}"
    response = admin_client.get(f"{address}/files/{name}?download=1")
    assert response.status_code == 200
    assert response.content_type.startswith(kind)
    assert "attachment" in response.headers["Content-Disposition"]
    assert admin_client.get(f"{address}/files/../events.jsonl").status_code == 404


def test_what_recordings_without_labels_were_worth_is_one_figure_an_activity_over_all_folds(
    finished_run: int, admin_client: FlaskClient
) -> None:
    run = runs.get(finished_run)
    part = {"used": True, "given": 7, "unlabelled": 9, "judged": 1.0, "f1_without": 0.8, "f1_with": 0.9}
    parts = [part | {"by_activity": {"Walk": 3, "Run": 4}}, part | {"by_activity": {"Walk": 6, "Run": 1}}]
    parts.append(part | {"used": False, "f1_with": 0.1, "by_activity": {"Walk": 50}})
    run.result = {**run.result, "unlabelled": {"dataset": "more", "own": True, "parts": parts}}
    db.session.commit()
    page = admin_client.get(f"/training/{finished_run}").text
    section = page.partition('id="unlabelled-title"')[2].partition("</section>")[0]
    assert "learnt from 14 of 18 windows without labels of more, used in 2 of 3 trainings" in section
    assert "may be chance" not in section  # that part was not learnt from
    assert re.findall(r"<li[^>]*>(.*?)</li>", section) == ["Walk: 9 windows", "Run: 5 windows"]


def test_an_evaluation_by_folds_shows_differences_folds_and_subjects_and_keeps_no_model(
    example: Flask, admin_client: FlaskClient
) -> None:
    answers = {**ANSWERS, "folds": "5", "models": ["naive-bayes", "decision-tree"]}
    address = admin_client.post("/training/", data=answers).location
    state = finish(admin_client, address)
    assert state["status"] == "finished", state["reason"]
    page = admin_client.get(address).get_data(as_text=True)
    for words in (
        "By subject, 5 folds",
        'id="differences"',
        "Decision tree − Naive Bayes",
        "Per fold",
        "The worst, ",
        *[
            f'<th scope="row">{row["subject"]}</th>'
            for row in runs.get(1).result["models"]["naive-bayes"]["per_subject"]
        ],
    ):
        assert words in page
    assert admin_client.get(f"{address}/files/plots/reliability-naive-bayes.png").status_code == 200
    assert model_versions.list_versions() == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"models": []}, "at least one model"),
        ({"models": ["svm2000"]}, "is not in the list. Choose from it."),
        ({"dataset": "elsewhere"}, "is not in the list. Choose from it."),
        ({"epochs": "0"}, "from 1 to 1000"),
        ({"epochs": "many"}, "Write a whole number"),
        ({"window_length_s": "0.1"}, "from 0.5 to 60"),
        ({"protocol": "random", "overlap": "0.5"}, "share samples"),
        ({"seed": "-1"}, "from 0 to"),
        ({"dataset": []}, "Choose at least one data set"),
        ({"protocol": "dataset"}, "at least two are needed"),
        ({"low_pass_hz": "30"}, "and so nothing above 25 Hz"),
        ({"low_pass_hz": "0"}, "from 0.1 to 500"),
        ({"gap_s": "3"}, "from 0.1 to 1.0"),
        ({"epochs": "2001"}, "from 1 to 1000"),
        ({"models": ["everyday"]}, "has not two of them"),
        ({"window_length_s": "59"}, "No window of 59 s fits"),
        (
            {"leave_out": "01, 1, ghost"},
            "There is no subject 1 or ghost in the data to leave out. Subjects: 10, 01, 02,",
        ),
        ({"leave_out": ",".join(f"{i:02d}" for i in range(1, 10))}, "has only 1 of its people left"),
    ],
)
def test_a_wrong_answer_is_named_beside_its_field_and_nothing_starts(
    example: Flask, admin_client: FlaskClient, answer: dict[str, object], message: str
) -> None:
    response = admin_client.post("/training/", data=ANSWERS | answer)
    assert response.status_code == 422
    assert message in response.get_data(as_text=True)
    assert not runs.list_page(1).items


def test_a_second_training_is_told_that_one_runs(example: Flask, admin_client: FlaskClient) -> None:
    first = admin_client.post("/training/", data=ANSWERS | {"models": ["lstm"], "epochs": "900"})
    second = admin_client.post("/training/", data=ANSWERS)
    assert second.status_code == 409
    assert "Another training is running" in second.get_data(as_text=True)
    assert admin_client.post(first.location + "/stop").status_code == 302
    assert finish(admin_client, first.location)["status"] == "stopped"
    assert "Stopped by a person" in admin_client.get(first.location).get_data(as_text=True)


def test_the_limit_of_a_models_answers_is_set_on_its_page_and_a_wrong_one_refused_there(
    admin_client: FlaskClient, user_client: FlaskClient, example_model: Example, tmp_path: Path
) -> None:
    version = register_model(example_model, tmp_path)
    model_versions.set_notes(version.id, "kept")
    assert "80.0 %, the usual limit" in admin_client.get("/models/1").text
    done = admin_client.post("/models/1/limit", data={"answer_limit": "85"}, follow_redirects=True)
    assert "Answers must be at least 85.0 % probable from now on." in done.text
    assert 'value="85.0"' in done.text
    for wrong, words in (("8", "from 50 % to 99 %; found 8.0 %"), ("high", "Write a number, for example 2.5.")):
        refused = admin_client.post("/models/1/limit", data={"answer_limit": wrong})
        assert refused.status_code == 422
        assert words in refused.text
        assert "kept" in refused.text
    assert user_client.post("/models/1/limit", data={"answer_limit": "60"}).status_code == 403
    assert model_versions.limit_of(version) == 0.85
    admin_client.post("/models/1/limit", data={"answer_limit": ""})
    assert version.answer_limit is None


def test_models_are_listed_promoted_annotated_and_deleted(
    admin_client: FlaskClient, example_model: Example, tmp_path: Path
) -> None:
    assert 'class="empty-state"' in admin_client.get("/models/").text
    label = register_model(example_model, tmp_path, promote=False).label
    assert label in admin_client.get("/models/").get_data(as_text=True)
    admin_client.post("/models/1/notes", data={"notes": "<b>first</b> try"})
    page = admin_client.get("/models/1").get_data(as_text=True)
    assert "&lt;b&gt;first" in page
    assert "acc_x" in page
    admin_client.post("/models/1/promote")
    promoted = model_versions.promoted()
    assert promoted is not None
    assert promoted.label == label
    admin_client.post("/models/1/delete")
    assert model_versions.list_versions(), "the promoted model cannot be deleted"
    assert admin_client.get("/models/7").status_code == 404


def test_the_page_of_the_everyday_model_names_each_figure_by_data_set_and_shows_none_for_what_was_not_tested(
    app: Flask, admin_client: FlaskClient
) -> None:
    reference_models.add_new()
    version = model_versions.promoted()
    assert version is not None
    page = admin_client.get(f"/models/{version.id}").text
    cell = '<td class="text-end text-nowrap">'
    assert re.search(rf"Not worn</th>({cell}–</td>\s*){{3}}{cell}0</td>", page)
    left_out = page.partition("By data set left out")[2]
    assert left_out.count('data-label="True answers"') == left_out.count('<th scope="row">') > 0
    listed = admin_client.get("/models/").text
    assert "Four models come with Kinelab" in listed


def test_a_training_on_a_stored_model_is_started_from_the_page_which_shows_what_that_is_worth(
    example: Flask, small_base: Path, admin_client: FlaskClient, tmp_path: Path
) -> None:
    version = register_base(small_base, tmp_path)
    page = admin_client.get("/training/").text
    option = re.search(r'<option[^>]*value="old/1"[^>]*>([^<]*)</option>', page)
    assert option
    assert 'data-fits="physiotherapy-example"' in option[0]
    assert option[1] == "old/1: 3 activities, accelerometer and gyroscope"
    answers = ANSWERS | {"models": ["elm-gru-am"], "base": "old/1"}
    refused = admin_client.post("/training/", data=answers | {"window_length_s": "2"})
    assert refused.status_code == 422
    assert "window_length_s: old/1 was trained with 3.0; found 2.0. Leave it out" in refused.text
    del answers["window_length_s"]  # as the page sends it, where a base is chosen
    response = admin_client.post("/training/", data=answers)
    assert response.status_code == 302, response.text
    address = response.headers["Location"]
    assert finish(admin_client, address)["status"] == "finished"
    page = admin_client.get(address).text
    for shown in (
        "What the base is worth",
        "ELM-GRU-AM was built on old/1.",
        "plots/transfer.png",
        "From scratch",
        "New to it",
    ):
        assert shown in page
    assert admin_client.get(f"{address}/files/plots/transfer.svg").status_code == 200
    (made,) = runs.versions_of(int(address.rpartition("/")[2]))
    assert "Built on" in admin_client.get(f"/models/{made.id}").text
    assert "Macro F1 of the head alone" in admin_client.get(f"/models/{made.id}/card").text
    again = admin_client.get(f"/training/?like={address.rpartition('/')[2]}").text
    assert re.search(r'<option[^>]*selected[^>]*value="old/1"', again)
    model_versions.delete(version.id)
    again = admin_client.get(f"/training/?like={address.rpartition('/')[2]}").text
    assert "it starts from scratch" in again


def test_a_base_that_does_not_fit_is_refused_at_its_field(
    small: Dataset, admin_client: FlaskClient, example_model: Example, tmp_path: Path
) -> None:
    register_model(example_model, tmp_path)
    answers = ANSWERS | {"dataset": "small", "models": ["elm-gru-am"], "base": "physiotherapy-example/1"}
    response = admin_client.post("/training/", data=answers)
    assert response.status_code == 422
    assert "does not fit small: The model reads acceleration with gravity; these data are without." in response.text
    assert admin_client.post("/training/", data=answers | {"base": "no/1"}).status_code == 422
    alone = admin_client.post("/training/", data=answers | {"base": "", "fine_tune": "y"})
    assert alone.status_code == 422
    assert "To fine-tune a network, choose the stored model that it comes from." in alone.text


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([(0.5, 0.3), (0.9, 0.9)], "It helps, above all with few windows"),
        ([(0.5, 0.3), (0.8, 0.9)], "It helps with few windows; with more, training from scratch is better"),
        ([(0.5, 0.3), (0.6, 0.7), (0.9, 0.9)], "with more, training from scratch is better"),
        ([(0.2, 0.3), (0.9, 0.8)], "with more, the base helps"),
        ([(0.2, 0.3), (0.9, 0.9)], "Here it is no help"),
    ],
)
def test_what_a_base_is_worth_is_said_as_the_curve_shows_it(points: list[tuple[float, float]], said: str) -> None:
    curve = [{"windows": n, "base": on, "scratch": off} for n, (on, off) in zip((1, 2, None), points, strict=False)]
    text = what_a_base_is_worth({"base": "old/1", "curve": curve})
    assert said in text
    assert f"With 1 window of each activity, macro F1 is {100 * points[0][0]:.1f} % on old/1" in text
    assert what_a_base_is_worth({}) == ""
