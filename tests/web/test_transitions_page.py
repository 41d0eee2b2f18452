"""From a data set with transitions to a page that names them: training, upload, timeline, picture and tables."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.har.training.config import TrainConfig
from app.services.datasets import library
from app.services.models import model_versions, training
from app.tables.training_run import RunStatus
from tests import trained
from tests.bad_inputs import zipped
from tests.synthetic import hapt_files

PEOPLE, SECONDS = 16, 5.0  # ten of them teach: the fewest that do


def test_who_was_taught_to_sit_down_is_found_to_by_the_page(
    app: Flask, user_client: FlaskClient, small_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.config["TRAINING_PLOTS"] = False
    monkeypatch.setattr(training, "find_spec", lambda name: None)  # the head alone is solved, without TensorFlow
    files = hapt_files(PEOPLE + 1, SECONDS)
    new = {name: text for name, text in files.items() if f"_user{PEOPLE + 1:02d}" in name}
    known = {name: text for name, text in files.items() if name not in new}
    labels = "HAPT Data Set/RawData/labels.txt"
    known[labels] = "".join(re.findall(rf"^(?!{PEOPLE + 1} ).*\n", known[labels], re.M))
    (tmp_path / "hapt.zip").write_bytes(zipped(known))
    library.add("moves", tmp_path / "hapt.zip")
    trained.register_base(small_base, tmp_path)
    run = training.train("moves", TrainConfig(models=("elm-gru-am",), base="old"))
    assert run.status is RunStatus.FINISHED, run.reason
    model_versions.promote(run.result["model_version"])
    upload = {"file": (io.BytesIO(zipped(new)), "new.zip")}
    page = user_client.post("/predictions/", data=upload, follow_redirects=True)
    text = " ".join(re.sub(r"<[^>]+>", " ", page.text).split())
    assert "▼ Stand to sit 1 " in text
    drawn = user_client.get(f"{page.request.path}/timeline.json").get_json()
    (move,) = drawn["between"]
    assert (move["sign"], move["name"]) == ("▼", "Stand to sit")
    assert move["start_s"] == pytest.approx(SECONDS, abs=1)
    assert move["end_s"] == pytest.approx(2 * SECONDS, abs=1)
    assert move["text"][1].partition(" (")[0] in text  # when it was, for whoever cannot see the plot
    far = {"from": 3 * SECONDS, "to": 4 * SECONDS}
    assert user_client.get(f"{page.request.path}/timeline.json", query_string=far).get_json()["between"] == []
    picture = user_client.get(f"{page.request.path}/timeline.svg").text
    assert "Stand to sit" in picture
