"""Activities for other systems: which they are and what became of them, as FHIR R4 and as Open mHealth."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import timezone
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import numpy as np
import pytest
from flask import Flask

from app.services.errors import Invalid
from app.services.interchange import fhir, omh
from app.services.interchange.answers import Answers, answers_of
from app.services.personal import corrections, view
from app.services.recordings import recordings, uploads
from app.tables import ModelVersion, Prediction, User
from tests.corrected import a_result, correct, recorded, without_features
from tests.fhir import check, code_of, resources
from tests.live import add_everyday
from tests.services.conftest import a_user

BERLIN = ZoneInfo("Europe/Berlin")
TURN_S = 15.0  # five windows
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}
DATA_POINT = {  # by IEEE 1752.1 (header) and Open mHealth (body), as far as a point here may have it
    "type": "object",
    "required": ["header", "body"],
    "additionalProperties": False,
    "properties": {
        "header": {
            "type": "object",
            "required": ["uuid", "schema_id", "source_creation_date_time"],
            "properties": {
                "uuid": {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
                "schema_id": {"const": {"namespace": "omh", "name": "physical-activity", "version": "1.2"}},
                "source_creation_date_time": MOMENT,
                "modality": {"enum": ["sensed", "self-reported"]},
            },
        },
        "body": {
            "type": "object",
            "required": ["activity_name", "effective_time_frame"],
            "additionalProperties": False,
            "properties": {
                "activity_name": {"type": "string", "minLength": 1},
                "effective_time_frame": {
                    "type": "object",
                    "required": ["time_interval"],
                    "properties": {
                        "time_interval": {
                            "type": "object",
                            "required": ["start_date_time", "duration"],
                            "additionalProperties": False,
                            "properties": {
                                "start_date_time": MOMENT,
                                "duration": {
                                    "type": "object",
                                    "required": ["value", "unit"],
                                    "properties": {
                                        "value": {"type": "number", "exclusiveMinimum": 0},
                                        "unit": {"enum": ["sec", "min", "h"]},
                                    },
                                },
                            },
                        }
                    },
                },
            },
        },
    },
}


@pytest.fixture
def prediction(app: Flask, user: User, model: ModelVersion) -> Prediction:
    """Return two minutes, by turns of 15 s one activity and another."""
    result = without_features(a_result(model))
    proba = np.full_like(result.proba, 0.01)
    proba[np.arange(len(result)), (result.start_s // TURN_S).astype(int) % 2] = 0.9
    return recorded(app, user.id, model, replace(result, proba=proba))


def answers(prediction: Prediction, **options: Any) -> Answers:
    return answers_of(prediction, view.view_of(prediction, False, **options), timezone.utc)


def bundle(found: Answers) -> dict[str, Any]:
    return check(json.dumps(fhir.bundle(found)))


def points(found: Answers) -> list[dict[str, Any]]:
    made = omh.data_points(found)
    jsonschema.validate(made, {"type": "array", "items": DATA_POINT})
    return made


def statuses(found: Answers) -> list[tuple[float, float, str]]:
    first = found.activities[0].start
    return [((one.start - first).total_seconds(), one.minutes * 60, one.status) for one in found.activities]


def test_each_bout_is_an_activity_with_its_moments(prediction: Prediction) -> None:
    found = answers_of(prediction, view.view_of(prediction, False), BERLIN)
    assert statuses(found) == [(i * TURN_S, TURN_S, "final") for i in range(8)]
    made = bundle(found)
    observations = resources(made, "Observation")
    assert len(observations) == 3 * 8
    assert observations[0]["effectivePeriod"] == {
        "start": "2025-11-24T17:00:00.000+01:00", "end": "2025-11-24T17:00:15.000+01:00"
    }  # fmt: skip
    first, second = recordings.result_of(prediction).activities[:2]
    names = [each["valueCodeableConcept"]["text"] for each in observations if "valueCodeableConcept" in each]
    assert names == [first, second] * 4
    assert observations[1]["valueQuantity"]["value"] == 0.25
    assert [each["body"]["activity_name"] for each in points(found)] == names
    interval = points(found)[0]["body"]["effective_time_frame"]["time_interval"]
    expected = {"start_date_time": "2025-11-24T17:00:00.000+01:00", "duration": {"value": 0.25, "unit": "min"}}
    assert interval == expected


def test_the_model_and_how_often_it_was_right_go_along_and_nobodys_name(prediction: Prediction, user: User) -> None:
    prediction.recording.title = "Ursula at home"
    made = bundle(answers(prediction))
    [device] = resources(made, "Device")
    model = prediction.model_version
    assert model is not None
    assert [each["name"] for each in device["deviceName"]] == ["Kinelab", model.name]
    assert device["version"] == [{"value": str(model.version)}]
    shares = [each["valueQuantity"][0]["value"] for each in device["property"]]
    assert shares == [round(model.metrics["accuracy"][key], 4) for key in ("value", "low", "high")]
    [provenance] = resources(made, "Provenance")
    assert provenance["agent"][0]["who"]["display"] == f"Kinelab, model {model.label}"
    assert len(provenance["target"]) == len(resources(made, "Observation"))
    for text in (json.dumps(made), json.dumps(points(answers(prediction)))):
        for secret in (user.username, user.email, "Ursula", prediction.recording.filename):
            assert secret not in text


def test_a_model_that_was_deleted_is_still_named(prediction: Prediction) -> None:
    prediction.model_version = None
    [device] = resources(bundle(answers(prediction)), "Device")
    assert "property" not in device
    assert "deleted" in device["note"][0]["text"]


def test_a_correction_is_corrected_and_what_it_does_away_with_is_in_error(prediction: Prediction) -> None:
    before = answers(prediction)
    first, second = recordings.result_of(prediction).activities[:2]
    correct(prediction, recordings.result_of(prediction), "Rowing", first)  # what was the first, and the second turn
    found = answers(prediction)
    assert statuses(found)[:4] == [
        (0, TURN_S, "corrected"),  # rowing
        (TURN_S, 2 * TURN_S, "corrected"),  # which goes on with the third turn
        (2 * TURN_S, TURN_S, "entered-in-error"),
        (3 * TURN_S, TURN_S, "final"),
    ]
    assert [one.said for one in found.activities[:4]] == [True, False, False, False]
    names = [before.name_of(one, "activity") for one in before.activities]
    assert [found.name_of(one, "activity") for one in found.activities] == names  # a receiver finds what it has
    made = bundle(found)
    [patient] = resources(made, "Patient")
    _, by_person = resources(made, "Provenance")
    assert by_person["agent"][0]["who"] == {"reference": f"urn:uuid:{patient['id']}"}
    theirs = [each for each in resources(made, "Observation") if "performer" in each]
    assert [each["reference"] for each in by_person["target"]] == [f"urn:uuid:{each['id']}" for each in theirs]
    assert [code_of(each["code"])[1] for each in theirs] == ["73985-4", "55411-3", "PAPanel"]
    held = points(found)
    assert [each["header"]["modality"] for each in held] == ["self-reported", *["sensed"] * 6]
    assert [each["body"]["activity_name"] for each in held][:3] == ["Rowing", first, second]
    assert statuses(answers(prediction, personal=False)) == statuses(before)


def test_what_is_undone_is_as_it_was(prediction: Prediction) -> None:
    before = fhir.bundle(answers(prediction))
    [correction] = correct(prediction, recordings.result_of(prediction), "Rowing")
    corrections.undo(correction.user_id, prediction.recording_id, correction.batch)
    assert fhir.bundle(answers(prediction)) == before


def test_what_only_the_personal_model_changed_is_amended(prediction: Prediction) -> None:
    seen = view.view_of(prediction, False)
    proba = seen.result.proba.copy()
    proba[20:25, :2] = proba[20:25, 1::-1]  # the fifth turn is as those around it
    learnt = replace(seen, before=seen.result, result=replace(seen.result, proba=proba, personal_windows=9))
    found = answers_of(prediction, learnt, timezone.utc)
    assert [one for one in statuses(found) if one[-1] != "final"] == [
        (3 * TURN_S, 3 * TURN_S, "amended"),
        (4 * TURN_S, TURN_S, "entered-in-error"),
        (5 * TURN_S, TURN_S, "entered-in-error"),
    ]


def test_the_same_person_has_one_name_in_all_recordings_and_another_person_another(
    app: Flask, prediction: Prediction, model: ModelVersion
) -> None:
    again = recorded(app, prediction.recording.user_id, model)
    other = recorded(app, a_user("vera").id, model)
    assert answers(prediction).person == answers(again).person != answers(other).person
    assert answers(prediction).recording != answers(again).recording


@pytest.mark.parametrize("lacking", ["clock", "layout"])
def test_no_time_is_made_up(app: Flask, user: User, model: ModelVersion, lacking: str) -> None:
    result = replace(a_result(model, 2), origin_utc_s=(None,))
    if lacking == "layout":
        result = replace(result, recording_ids=("a", "b"), recording_index=np.arange(2), origin_utc_s=())
    prediction = recorded(app, user.id, model, result)
    with pytest.raises(Invalid, match="does not tell the time of day"):
        answers(prediction)


@pytest.mark.real_data
def test_a_real_recording_becomes_a_bundle_by_the_guide(
    app: Flask, user: User, data_dir: Path, reads_here: None
) -> None:
    add_everyday(app)
    archive = io.BytesIO()
    with (data_dir / "stress-predict" / "S01" / "ACC.csv").open() as lines, zipfile.ZipFile(archive, "w") as file:
        file.writestr("ACC.csv", "".join(islice(lines, 2 + 32 * 300)))  # five minutes at 32 Hz
    archive.seek(0)
    made = answers(uploads.store_and_recognise(user.id, "S01.zip", archive))
    observations = resources(bundle(made), "Observation")
    assert len(observations) == 3 * len(made.activities) > 0
    assert observations[0]["effectivePeriod"]["start"][:4] in {"2020", "2021", "2022"}
    assert len(points(made)) == len(made.activities)
