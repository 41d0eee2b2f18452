"""Why a model answered so in a recording: of the very answer that is stored, by who may see it, or refused in words."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.har.explanations import about
from app.services.datasets import library
from app.services.models import model_versions
from app.services.recordings import explained_bouts, explaining, explaining_everyday, recordings, uploads
from app.tables import ModelVersion, Prediction, User
from tests import everyday, homes, trained
from tests.live import add_everyday
from tests.trained import Example

TESTED = {"passed": True, "windows": 90, "people": 4, "deletion": [0.3, 0.2, 0.4], "insertion": [0.2, 0.1, 0.3]}


def say_tested(version: ModelVersion, **changes: Any) -> None:
    """Put beside a model what a test of its explanations gave."""
    document = {"test": {**TESTED, "answers": {}, **changes}, "told_by": {}, "confused": []}
    (model_versions.directory(version) / about.FILE).write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture
def recognised(
    example: Flask, user_client: FlaskClient, model: ModelVersion, example_model: Example, reads_here: None
) -> Prediction:
    """Return what the model of the example recognised in one of its recordings, of the user who is logged in."""
    say_tested(model)
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    return uploads.store_and_recognise(user.id, "walk.csv", io.BytesIO(example_model.csv()))


def address(prediction: Prediction, name: str = "why", begin: float | None = None, end: float | None = None) -> str:
    result = recordings.result_of(prediction)
    begin, end = result.start_s[0] if begin is None else begin, result.end_s[3] if end is None else end
    return f"/predictions/{prediction.recording_id}/{name}.json?from={begin}&to={end}"


def test_a_bout_is_explained_with_its_signal_and_examples_of_others_only_to_its_owner(
    recognised: Prediction, user_client: FlaskClient, log_in: Any, model: ModelVersion
) -> None:
    found = user_client.get(address(recognised)).get_json()
    result = recordings.result_of(recognised)
    assert found["answer"] == result.activities[int(result.proba[:4].mean(axis=0).argmax())]
    assert (found["windows"], found["in_all"], found["model"]) == (3, 4, model.label)
    axes = found["signal"][0]["axes"]
    assert len(axes) == 3
    assert np.ptp(axes) > 0
    alike = user_client.get(address(recognised, "alike")).get_json()
    assert alike["missing"] == ""
    assert len(alike["windows"]) == 3
    assert "subject" not in json.dumps(alike)
    learnt_from = set(model_versions.provenance(model)["split"]["subjects"]["train"])
    assert set(explaining._examples_of(model, trained.load(model)).windows.subjects) <= learnt_from
    page = user_client.get(f"/predictions/{recognised.recording_id}").text
    assert page.count("data-why=") >= 2
    assert "No reasons are given" not in page
    lines = user_client.get(f"/predictions/{recognised.recording_id}/reasons.json").get_json()
    assert lines
    assert all(page.count(f'data-reason="{stretch}"') == page.count(f'data-why="{stretch}"') for stretch in lines)
    for stretch, line in list(lines.items())[:2]:  # the very words of who asks about that bout alone
        begin, _, end = stretch.partition(",")
        assert line.endswith(
            user_client.get(address(recognised, begin=float(begin), end=float(end))).get_json()["in_short"]
        )
        assert "m/s²" in line
    assert user_client.get(address(recognised, begin=1e6, end=1e6 + 9)).status_code == 404
    assert user_client.get(address(recognised, end=-5)).status_code == 400
    other = log_in("oscar")
    assert other.get(f"/predictions/{recognised.recording_id}/reasons.json").status_code == 404
    assert other.get(address(recognised)).status_code == other.get(address(recognised, "alike")).status_code == 404


def test_lines_that_are_remembered_may_go_while_they_are_asked_for(
    recognised: Prediction, user_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons, explain = f"/predictions/{recognised.recording_id}/reasons.json", explaining.explain
    before = user_client.get(reasons).get_json()

    def another_takes_their_room(*asked: Any) -> Any:
        explained_bouts._remembered.clear()
        return explain(*asked)

    monkeypatch.setattr(explaining, "explain", another_takes_their_room)
    assert before
    assert user_client.get(reasons).get_json() == before


def test_windows_that_the_stored_signal_no_longer_gives_are_read_from_the_file(
    recognised: Prediction, user_client: FlaskClient
) -> None:
    before = user_client.get(address(recognised)).get_json()
    (recordings.folder_of(recognised.recording) / "signal.npy").unlink()
    assert user_client.get(address(recognised)).get_json() == before


def test_nothing_is_explained_where_it_was_not_shown_to_be_true(
    recognised: Prediction, user_client: FlaskClient, model: ModelVersion
) -> None:
    answer = user_client.get(address(recognised)).get_json()["answer"]
    page, reasons = f"/predictions/{recognised.recording_id}", f"/predictions/{recognised.recording_id}/reasons.json"
    offered, lines = user_client.get(page).text.count("data-why="), len(user_client.get(reasons).get_json())
    say_tested(model, answers={answer: [0.1, 0.1]})
    assert user_client.get(page).text.count("data-why=") < offered
    assert user_client.get(page).text.count(f"No reasons are given for “{answer}”") == 1
    assert len(user_client.get(reasons).get_json()) < lines
    assert f"“{answer}”" in user_client.get(address(recognised)).get_json()["refused"]
    say_tested(model, passed=False)
    assert "data-why=" not in user_client.get(page).text
    assert user_client.get(page).text.count("were tested and were not clearly better than chance") == 1
    assert user_client.get(reasons).get_json() == {}
    assert "not clearly better than chance" in user_client.get(address(recognised)).get_json()["refused"]
    (model_versions.directory(model) / about.FILE).unlink()
    assert "not tested" in user_client.get(address(recognised)).get_json()["refused"]
    assert user_client.get(address(recognised, "alike")).get_json()["windows"] == []


def test_the_page_of_a_model_says_what_it_tells_activities_by(model: ModelVersion, admin_client: FlaskClient) -> None:
    document = {"test": {**TESTED, "answers": {}}, "told_by": {"Walk": ["rhythm of the rotation"]}, "confused": []}
    path = model_versions.directory(model) / about.FILE
    path.write_text(json.dumps(document), encoding="utf-8")
    page = admin_client.get(f"/models/{model.id}").text
    assert "rhythm of the rotation" in page
    assert "by 0.30 of the area" in page
    path.unlink()
    assert "It was not tested" in admin_client.get(f"/models/{model.id}").text


def test_what_is_remembered_of_a_recording_and_of_a_data_set_goes_with_them(
    recognised: Prediction, user_client: FlaskClient
) -> None:
    folder, number = str(recordings.folder_of(recognised.recording)), recognised.recording_id
    assert user_client.get(f"/predictions/{number}/reasons.json").get_json()
    assert user_client.get(address(recognised, "alike")).get_json()["windows"]
    explaining_everyday._kept[folder + "/1.npz", 0, 0.0] = explaining_everyday.Again(None, np.arange(1))  # type: ignore[arg-type]
    assert any(key[0].startswith(folder) for key in explained_bouts._remembered)
    recordings.delete(recognised.recording.user_id, number)
    assert not any(key[0].startswith(folder) for key in (*explained_bouts._remembered, *explaining_everyday._kept))
    assert explaining._examples.cache_info().currsize
    library.remove(homes.EXAMPLE)
    assert not explaining._examples.cache_info().currsize


def test_a_deleted_model_explains_nothing(recognised: Prediction) -> None:
    recognised.model_version = None
    assert explaining.refusal(recognised) == explaining.NO_MODEL


def test_an_answer_of_the_everyday_model_is_explained_by_its_questions(
    example: Flask, user_client: FlaskClient, reads_here: None
) -> None:
    add_everyday(example)
    parts = [everyday.signal(what, 5, n, seed=i) for i, (what, n) in enumerate([("Walking", 12), ("Standing", 6)])]
    values = np.concatenate(parts).reshape(-1, 9)
    table = np.column_stack([np.arange(len(values)) / everyday.RATE_HZ, values[:, :3] + values[:, 6:], values[:, 3:6]])
    head = "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"
    file = io.BytesIO()
    np.savetxt(file, table, delimiter=",", header=head, comments="", fmt="%.5f")
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    version = model_versions.get("reference-everyday")
    prediction = uploads.store_and_recognise(user.id, "walk.csv", io.BytesIO(file.getvalue()), version.id)
    say_tested(version)
    found = user_client.get(address(prediction, begin=40.0, end=54.0)).get_json()
    assert found["answer"] in ("Still", "Standing")
    assert found["questions"][0]["title"] == "Still, on foot or running?"
    assert "m/s²" in json.dumps(found["questions"][0]["told_by"], ensure_ascii=False)
    assert user_client.get(address(prediction, "alike")).get_json()["windows"] == []
    lines = user_client.get(f"/predictions/{prediction.recording_id}/reasons.json").get_json()
    assert any(line.startswith("Still, on foot or running? ") and "told most by" in line for line in lines.values())
    say_tested(version, passed=False)
    assert "by another model" in user_client.get(address(prediction)).get_json()["refused"]
