"""Activities for other systems: which they are and what became of them, as FHIR R4 and as Open mHealth."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import date, timezone
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import numpy as np
import pytest
from flask import Flask

from app.extensions import db
from app.services import sealing
from app.services.errors import Invalid
from app.services.interchange import everything, exported, fhir, omh
from app.services.interchange.answers import Answers, answers_of
from app.services.personal import corrections, view
from app.services.recordings import recordings, uploads
from app.services.recordings.prediction_result import PredictionResult
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
    return recorded(app, user.id, model, sure(model))


def sure(model: ModelVersion) -> PredictionResult:
    """Return two minutes, by turns of 15 s one activity and another."""
    result = without_features(a_result(model))
    proba = np.full_like(result.proba, 0.01)
    proba[np.arange(len(result)), (result.start_s // TURN_S).astype(int) % 2] = 0.9
    return replace(result, proba=proba)


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


def test_of_a_file_of_which_a_part_has_no_clock_the_others_are_given(
    app: Flask, user: User, model: ModelVersion
) -> None:
    result = sure(model)
    n = len(result)
    parts = replace(
        result,
        recording_ids=("a", "b"),
        recording_index=(np.arange(n) >= n // 2).astype(np.int64),
        origin_utc_s=(None, 1_764_000_000.0),
    )
    found = answers(recorded(app, user.id, model, parts))
    assert {one.part for one in found.activities} == {"b"}
    bundle(found)


def test_the_same_bout_smoothed_is_another(prediction: Prediction) -> None:
    alone, smoothed = (answers_of(prediction, view.view_of(prediction, each), timezone.utc) for each in (False, True))
    assert (alone.activities[0].start, alone.way) == (smoothed.activities[0].start, prediction.model_label)
    names = [one.name_of(one.activities[0], "activity") for one in (alone, smoothed)]
    assert names[0] != names[1]
    ids = [{each["resource"]["id"] for each in fhir.bundle(one)["entry"]} for one in (alone, smoothed)]
    assert len(ids[0] & ids[1]) == 2  # the person and the device


def given(prediction: Prediction, *, personal: bool = True) -> Answers:
    found = exported.answers(prediction, view.view_of(prediction, False, personal), personal, timezone.utc)
    bundle(found)
    return found


def test_what_was_given_and_no_longer_holds_is_in_error_the_next_time(prediction: Prediction) -> None:
    result, first = recordings.result_of(prediction), given(prediction)
    user_id, recording = prediction.recording.user_id, prediction.recording
    [said] = corrections.add(user_id, recording, result, [(0, 6.0, 12.0, "Rowing")])
    corrected = given(prediction)
    assert [each for each in statuses(corrected) if each[0] < TURN_S] == [
        (0, 6, "corrected"),
        (6, 6, "corrected"),
        (12, 3, "corrected"),
    ]
    corrections.undo(user_id, recording.id, said.batch)
    undone = given(prediction)
    assert [each for each in statuses(undone) if each[0] < TURN_S] == [
        (0, TURN_S, "final"),
        (6, 6, "entered-in-error"),
        (12, 3, "entered-in-error"),
    ]
    names = [one.name_of(one.activities[1], "activity") for one in (corrected, undone)]
    assert names[0] == names[1]
    assert undone.activities[1].name == "Rowing"
    assert statuses(given(prediction, personal=False)) == statuses(first)
    corrections.add(user_id, recording, result, [(0, 6.0, 12.0, "Rowing")])
    assert statuses(given(prediction)) == statuses(corrected)


def test_what_was_given_is_sealed_and_goes_without_harm(
    prediction: Prediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = given(prediction)
    path = recordings.folder_of(prediction.recording) / exported.FILE
    assert sealing.is_sealed(path)
    path.write_bytes(b"damaged")
    assert given(prediction) == first
    path.unlink()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(exported.sealing, "created", full)
        assert given(prediction) == first
    assert not path.exists()


def day(part: everything.Part) -> list[str]:
    return [one.start.isoformat()[11:19] for answers in part.found for one in answers.activities]


def test_a_day_has_what_is_partly_in_it_by_the_clock_of_the_zone(app: Flask, user: User, model: ModelVersion) -> None:
    midnight = 1_764_028_800.0  # UTC
    result = replace(sure(model), origin_utc_s=(midnight - 60 + 5,))
    night = recorded(app, user.id, model, result)
    for ends in (None, midnight + 65):  # as earlier builds left it, and as this one does
        night.recording.recorded = result.begins
        night.recording.facts = night.recording.facts | ({recordings.ENDS: ends} if ends else {})
        db.session.commit()
        before, after = (everything.part(user.id, date(2025, 11, i), timezone.utc, None, 9) for i in (24, 25))
        assert day(before)[:4] == ["23:59:05", "23:59:20", "23:59:35", "23:59:50"]
        assert day(after)[:2] == ["23:59:50", "00:00:05"]
        assert day(everything.part(user.id, date(2025, 11, 26), timezone.utc, None, 9)) == []
        tokyo = everything.part(user.id, date(2025, 11, 25), ZoneInfo("Asia/Tokyo"), None, 9)
        assert (len(day(tokyo)), day(tokyo)[0]) == (8, "08:59:05")


def test_everything_is_given_a_part_at_a_time_and_says_what_is_left_out(
    app: Flask, user: User, prediction: Prediction, model: ModelVersion
) -> None:
    untimed = recorded(app, user.id, model, replace(sure(model), origin_utc_s=(None,)))
    recorded(app, a_user("vera").id, model, sure(model))
    recorded(app, user.id, model, sure(model))
    first = everything.part(user.id, None, timezone.utc, None, 2)
    assert [len(one.activities) > 0 for one in first.found] == [True]
    assert [f"Recording {untimed.recording_id} is left out" in each for each in first.left_out] == [True]
    rest = everything.part(user.id, None, timezone.utc, first.before, 2)
    assert rest.before is None
    made = check(json.dumps(fhir.search_set(first.person, first.found, first.left_out, {"self": "https://a.example/"})))
    assert resources(made, "OperationOutcome")[0]["issue"][0]["diagnostics"] == first.left_out[0]
    whole = check("".join(everything.as_json(user.id, None, timezone.utc)))
    assert len(resources(whole, "Device")) == 2
    expected = [one for part in (first, rest) for answers in part.found for one in answers.activities]
    assert len(resources(whole, "Observation")) == 3 * len(expected)


def test_who_has_nothing_has_a_bundle_of_it(user: User) -> None:
    made = check("".join(everything.as_json(user.id, None, timezone.utc)))
    assert [each["resource"]["resourceType"] for each in made["entry"]] == ["Patient"]


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
