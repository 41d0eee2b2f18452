"""Tables that are downloaded hold no formula, whatever labels and names say, and can be read back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.har.recordings.upload import read_upload
from app.har.texts import FORMULA, cell
from app.services import audit
from app.services.audit import Action
from app.services.datasets import library
from app.services.recordings import recordings
from app.services.recordings.result_files import load_result, save_result
from tests.bad_inputs import zipped
from tests.synthetic import kinelab_csv
from tests.trained import Example, register_model

EVIL = "=HYPERLINK('http://evil.example')"
SIGNS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)"]


def formulas(text: str) -> list[str]:
    """Return the cells of CSV that a spreadsheet would take for formulas: neither numbers nor marked as text."""
    found = []
    for row in csv.reader(io.StringIO(text)):
        for value in row:
            try:
                float(value)
            except ValueError:
                if FORMULA.match(value) and not value.startswith("'"):
                    found.append(value)
    return found


@pytest.fixture
def evil_recording(app: Flask, user_client: FlaskClient, walking_model: Example, tmp_path: Path) -> str:
    """Return the address of a recording whose name, labels and recognised activities begin as formulas do."""
    register_model(walking_model, tmp_path, "walking")
    text = kinelab_csv("Walk").replace("Walk", EVIL)
    response = user_client.post("/predictions/", data={"file": (io.BytesIO(text.encode()), f"{EVIL}.csv")})
    assert response.status_code == 302
    (path,) = Path(app.config["UPLOADS"]).glob("recording-*/1.npz")
    result = load_result(path)
    names = [SIGNS[i % len(SIGNS)] + str(i) for i in range(len(result.activities))]
    object.__setattr__(result, "activities", tuple(names))
    path.unlink()
    save_result(path, result, None)
    return str(response.location)


@pytest.mark.parametrize("table", ["windows", "bouts", "daily", "metrics"])
def test_no_table_of_a_recording_holds_a_formula(user_client: FlaskClient, evil_recording: str, table: str) -> None:
    text = user_client.get(f"{evil_recording}/{table}.csv").text
    assert formulas(text) == []
    assert any("'" + sign in text for sign in [*SIGNS, EVIL])
    plain = user_client.get(f"{evil_recording}/{table}.json").get_data(as_text=True)
    assert "'=" not in plain
    assert "'+" not in plain


def test_a_recording_of_a_data_set_is_downloaded_without_formulas_and_read_back_as_it_was(
    admin_client: FlaskClient, tmp_path: Path
) -> None:
    labels = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@here", "'=quoted", "plain, with comma", "-5"]
    header, *lines = kinelab_csv("Walk", seconds=14).splitlines()
    chosen = (cell(labels[n * len(labels) // len(lines)]) for n in range(len(lines)))
    rows = [f'{line.removesuffix("Walk")}"{label}"' for line, label in zip(lines, chosen, strict=True)]
    header = header.replace("acc_", "=evil.acc_").replace("gyro_", "@evil.gyro_")
    (tmp_path / "a.zip").write_bytes(zipped({"=p/walk.csv": "\n".join([header, *rows])}))
    library.add("evil", tmp_path / "a.zip")
    (recording_id,) = library.open_dataset(library.get("evil")).signals.recording_ids
    response = admin_client.get("/datasets/evil/recording.csv", query_string={"recording": recording_id})
    assert formulas(response.text) == []
    (tmp_path / "back").write_bytes(response.data)
    (again,) = read_upload(tmp_path / "back", "back.csv")
    assert {stream.modality for stream in again.streams} == {"=evil.accelerometer", "@evil.gyroscope"}
    assert set(again.activities) == set(labels)
    first = next(csv.reader(response.text.splitlines()[1:2]))
    assert all(float(value) is not None for value in first[:-1])


def test_the_audit_log_as_a_table_holds_no_formula(app: Flask, admin_client: FlaskClient) -> None:
    audit.record(Action.REFUSAL, EVIL, reason="+1")
    text = admin_client.get("/admin/audit.csv").text
    assert EVIL in text
    assert formulas(text) == []


def test_json_is_left_as_it_is(user_client: FlaskClient, evil_recording: str) -> None:
    document = json.loads(user_client.get(f"{evil_recording}/windows.json").data)
    assert document["file"] == f"{EVIL}.csv"
    assert recordings.shown_name(f"{EVIL}.csv") == f"{EVIL}.csv"
