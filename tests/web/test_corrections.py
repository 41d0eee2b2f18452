"""The page on which a person corrects a recording, without and with a script; whose corrections are whose."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Executable, delete, select, update

from app.extensions import db
from app.services import sealing
from app.services.datasets import library
from app.services.models import model_versions
from app.services.personal import consents, corrections, heads, in_lists, view
from app.services.recordings import recordings
from app.tables import Consent, Correction, ModelVersion, Prediction, StoredRecording, User
from tests.corrected import NEW, a_result, recorded, without_features
from tests.trained import Example, register_model

JSON = {"Accept": "application/json"}


@pytest.fixture
def model(app: Flask, example_model: Example, tmp_path: object) -> ModelVersion:
    return register_model(example_model, tmp_path)  # type: ignore[arg-type]


@pytest.fixture
def own(app: Flask, user_client: FlaskClient, model: ModelVersion) -> Prediction:
    """Return what was recognised in a recording of the logged-in user."""
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    return recorded(app, user.id, model)


def said() -> list[tuple[float, float, str]]:
    rows = db.session.scalars(select(Correction).filter_by(undone_at=None).order_by(Correction.id))
    return [(row.start_s, row.end_s, row.activity) for row in rows]


def section(page: str) -> str:
    return page.partition('aria-labelledby="corrections-title"')[2].partition('id="activities-title"')[0]


def test_a_person_corrects_two_stretches_at_once_sees_what_came_of_it_and_undoes_it(
    own: Prediction, user_client: FlaskClient
) -> None:
    url = f"/predictions/{own.recording_id}"
    second = recordings.result_of(own).activities[1]
    first_page = section(user_client.get(url).text)
    assert "Correct it" in first_page
    assert second in first_page
    assert "What you said" not in first_page
    form = {"from": ["16:00:00", "16:00:45"], "to": ["16:00:15", "16:01:00"], "activity": second, "other": ""}
    answer = user_client.post(f"{url}/corrections?tz=UTC", data=form, headers=JSON)
    assert (answer.status_code, answer.json) == (200, {"message": f"Saved: 2 stretches of {second}."})
    assert said() == [(0.0, 15.0, second), (45.0, 60.0, second)]
    page = user_client.get(f"{url}?tz=UTC").text
    for words in (
        "What you said",
        "16:00:00 – 16:00:15",
        "What changed",
        f"{second} 10 windows",
        "from 1 recording of",
    ):
        assert words in section(page)
    drawn = user_client.get(f"{url}/timeline.json?tz=UTC").json
    assert drawn is not None
    assert [(row["start_s"], row["end_s"], row["activity"]) for row in drawn["said"]] == said()
    assert drawn["recognised"][0]["activity"] == second
    assert drawn["before"] != drawn["recognised"]
    batch = re.findall(r"/corrections/([0-9a-f]{32})/undo", page)
    assert len(batch) == 1
    undone = user_client.post(f"{url}/corrections/{batch[0]}/undo")
    assert undone.status_code == 302
    page = user_client.get(undone.location).text
    assert "Undone: 2 stretches." in page
    assert "What you said" not in section(page)
    after = user_client.get(f"{url}/timeline.json").json
    assert after is not None
    assert (after["said"], after["before"]) == ([], [])
    again = user_client.post(f"{url}/corrections/{batch[0]}/undo", headers=JSON)
    assert (again.status_code, again.json) == (
        404,
        {"message": "These corrections are undone already, in another window perhaps. Nothing was changed."},
    )


def test_an_instant_and_a_new_activity_can_be_said_and_wrong_answers_are_explained(
    own: Prediction, user_client: FlaskClient
) -> None:
    url = f"/predictions/{own.recording_id}/corrections?tz=UTC"
    instant = user_client.post(url, data={"from": "16:00:31", "to": "", "other": f" {NEW} "}, headers=JSON)
    assert instant.json == {"message": f"Saved: 1 instant of {NEW}."}
    assert said() == [(31.0, 31.0, NEW)]
    page = user_client.get(f"/predictions/{own.recording_id}?tz=UTC").text
    assert f'value="{NEW}"' in section(page)  # offered from now on
    for form, words in (
        ({"from": "", "to": "", "activity": "Walk"}, "Choose a stretch first."),
        (
            {"from": "noon", "to": "", "activity": "Walk"},
            "'noon' is not a time of this recording",
        ),
        ({"from": "16:00:10", "to": "16:00:05", "activity": "Walk"}, "A stretch begins before it ends."),
        ({"from": "16:00:10", "to": "16:00:15", "activity": ""}, "Name the activity in 1 to 64 characters"),
        ({"from": ["16:00:10", "16:00:20"], "to": "16:00:15", "activity": "Walk"}, "a beginning and an end"),
        ({"from": "16:00:10", "to": "", "other": "missing"}, "is no activity"),
        ({"from": "16:00:10", "to": "", "other": "x" * 300}, "fewer words"),
    ):
        answer = user_client.post(url, data=form, headers=JSON)
        assert answer.status_code in {400, 422}
        assert answer.json is not None
        assert words in answer.json["message"]
    assert said() == [(31.0, 31.0, NEW)]


def test_the_models_own_answers_are_one_click_away_and_downloads_say_which_it_was(
    own: Prediction, user_client: FlaskClient
) -> None:
    url = f"/predictions/{own.recording_id}"
    second = recordings.result_of(own).activities[1]
    form = {"from": "16:00:00", "to": "16:00:15", "activity": second}
    user_client.post(f"{url}/corrections?tz=UTC", data=form)
    assert "personal=0" in section(user_client.get(url).text)
    with_it, alone = user_client.get(f"{url}/windows.json").json, user_client.get(f"{url}/windows.json?personal=0").json
    assert with_it is not None
    assert alone is not None
    assert (with_it["personal_windows"], with_it["corrected_windows"]) == (5, 5)
    assert (alone["personal_windows"], alone["corrected_windows"]) == (0, 0)
    assert with_it["windows"][0]["activity"] == second != alone["windows"][0]["activity"]
    switched = user_client.post(f"{url}/personal", data={"on": "0"}, headers=JSON)
    assert switched.json == {"message": "Your personal model is off."}
    off = user_client.get(f"{url}/windows.json").json
    assert off is not None
    assert (off["personal_windows"], off["corrected_windows"]) == (0, 5)
    page = section(user_client.get(url).text)
    assert "Switch your personal model on" in page
    user_client.post(f"{url}/personal", data={"on": "1"})
    assert "Switch your personal model off" in section(user_client.get(url).text)


def test_without_a_script_a_bout_fills_the_fields(own: Prediction, user_client: FlaskClient) -> None:
    url = f"/predictions/{own.recording_id}"
    (link,) = re.findall(
        r'href="([^"]*correct_from=[^"]*)" data-correct="0.0,120.0"', user_client.get(f"{url}?tz=UTC").text
    )
    page = section(user_client.get(link.replace("&amp;", "&")).text)
    assert 'value="16:00:00"' in page
    assert 'value="16:02:00"' in page


def test_a_single_window_is_corrected_from_the_list_of_windows_also_where_windows_overlap(
    app: Flask, own: Prediction, model: ModelVersion, user_client: FlaskClient
) -> None:
    found = a_result(model)
    overlapping = replace(found, start_s=found.start_s / 2, end_s=found.start_s / 2 + 3.0)
    for prediction in (own, recorded(app, own.recording.user_id, model, overlapping)):
        url = f"/predictions/{prediction.recording_id}"
        listed = user_client.get(f"{url}?tz=UTC").text.partition('id="windows-title"')[2]
        links = re.findall(r'href="([^"]*correct_from=[^"]*)"', listed)
        assert len(links) == 15
        page = section(user_client.get(links[4].replace("&amp;", "&")).text)
        (start,), (end,) = (re.findall(rf'name="{name}" value="([^"]+)"', page) for name in ("from", "to"))
        form = {"from": start, "to": end, "activity": found.activities[2]}
        assert user_client.post(f"{url}/corrections?tz=UTC", data=form, headers=JSON).status_code == 200
        (row,) = corrections.of_recording(db.session.get_one(StoredRecording, prediction.recording_id))
        corrected = view.view_of(db.session.get_one(Prediction, prediction.id)).result.corrected
        assert np.flatnonzero(corrected).tolist() == [4], (row.start_s, row.end_s)


def test_what_is_chosen_and_written_must_not_differ(own: Prediction, user_client: FlaskClient) -> None:
    url = f"/predictions/{own.recording_id}/corrections?tz=UTC"
    first = recordings.result_of(own).activities[0]
    both = {"from": "16:00:00", "to": "16:00:15", "activity": first, "other": NEW}
    answer = user_client.post(url, data=both, headers=JSON)
    assert answer.status_code == 422
    assert answer.json is not None
    assert f"You chose {first} and wrote {NEW}: which was it?" in answer.json["message"]
    assert said() == []
    assert user_client.post(url, data={**both, "other": first.upper()}, headers=JSON).status_code == 200
    assert said() == [(0.0, 15.0, first)]


def test_a_second_window_of_the_browser_overrules_nothing_that_it_does_not_show(
    own: Prediction, user_client: FlaskClient
) -> None:
    url = f"/predictions/{own.recording_id}"
    (seen,) = re.findall(r'name="seen" value="(\d+)"', user_client.get(url).text)
    form = {"from": "16:00:00", "to": "16:00:15", "seen": seen}
    assert user_client.post(f"{url}/corrections?tz=UTC", data={**form, "other": NEW}, headers=JSON).status_code == 200
    stale = user_client.post(f"{url}/corrections?tz=UTC", data={**form, "other": "Kneeling"}, headers=JSON)
    assert stale.status_code == 409
    assert stale.json is not None
    assert f"Nothing was saved: you have said {NEW} of this part since" in stale.json["message"]
    assert said() == [(0.0, 15.0, NEW)]
    elsewhere = {**form, "from": "16:01:00", "to": "16:01:15", "other": "Kneeling"}
    assert user_client.post(f"{url}/corrections?tz=UTC", data=elsewhere, headers=JSON).status_code == 200
    (seen,) = re.findall(r'name="seen" value="(\d+)"', user_client.get(url).text)
    again = {**form, "seen": seen, "other": "Kneeling"}
    assert user_client.post(f"{url}/corrections?tz=UTC", data=again, headers=JSON).status_code == 200


def test_nobody_else_corrects_undoes_or_sees_corrections(
    own: Prediction, user_client: FlaskClient, log_in: Callable[..., FlaskClient]
) -> None:
    url = f"/predictions/{own.recording_id}"
    user_client.post(f"{url}/corrections?tz=UTC", data={"from": "16:00:00", "to": "16:00:15", "other": NEW})
    batch = db.session.scalars(select(Correction.batch)).one()
    for role in ("user", "admin"):
        other = log_in(f"other-{role}", role=role)
        assert other.get(url).status_code == 404
        assert (
            other.post(
                f"{url}/corrections?tz=UTC", data={"from": "16:00:20", "to": "", "other": "x"}, headers=JSON
            ).status_code
            == 404
        )
        assert other.post(f"{url}/corrections/{batch}/undo", headers=JSON).status_code == 404
        assert other.post(f"{url}/personal", data={"on": "0"}).status_code == 404
    assert said() == [(0.0, 15.0, NEW)]


def test_a_result_of_an_earlier_build_offers_to_be_analysed_again(
    app: Flask, own: Prediction, model: ModelVersion, user_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = recorded(app, own.recording.user_id, model, without_features(a_result(model)))
    url = f"/predictions/{old.recording_id}"
    assert "Analyse it again" not in user_client.get(url).text
    user_client.post(f"{url}/corrections?tz=UTC", data={"from": "16:00:00", "to": "16:00:15", "other": NEW})
    page = section(user_client.get(url).text)
    assert "Analyse it again" in page
    assert f'name="version" value="{model.id}"' in page
    asked: list[object] = []
    monkeypatch.setattr(recordings, "repredict", lambda *args: asked.append(args) or old)
    form = {"version": model.id, "place": "leg", "use_walking": "y"}
    assert user_client.post(f"{url}/again", data=form).status_code == 302
    assert asked == [(old.recording.user_id, old.recording_id, model.id, "leg", True)]


def test_the_list_says_which_corrected_recordings_a_model_has_not_seen(
    app: Flask, own: Prediction, user_client: FlaskClient, model: ModelVersion
) -> None:
    other = recorded(app, own.recording.user_id, model)
    other.model_version = None
    other.recording.title = "Seen by no model"
    db.session.commit()
    for prediction in (own, other):
        url = f"/predictions/{prediction.recording_id}/corrections?tz=UTC"
        user_client.post(url, data={"from": "16:00:00", "to": "16:00:15", "other": NEW})
    page = section(user_client.get(f"/predictions/{own.recording_id}").text)
    assert "has not seen 1 recording that you corrected" in page
    assert "Seen by no model" in page
    assert db.session.get(StoredRecording, other.recording_id) is not None
    assert model_versions.get(model.id).label in page


def test_who_wants_shares_their_corrections_and_only_then_an_administrator_sees_them(
    own: Prediction, user_client: FlaskClient, log_in: Callable[..., FlaskClient]
) -> None:
    url = f"/predictions/{own.recording_id}"
    user_client.post(f"{url}/corrections?tz=UTC", data={"from": "16:00:00", "to": "16:00:15", "other": NEW})
    admin = log_in("adam", role="admin")
    page = "/datasets/shared-corrections"
    for address in (page, f"{page}.zip"):
        assert user_client.get(address).status_code == 403
    assert "Nobody shares corrections" in admin.get(page).text
    assert admin.get(f"{page}.zip").status_code == 409
    assert "You do not share your corrections" in user_client.get("/account/sharing").text
    user_client.post("/account/sharing", data={"version": "99"})
    assert "You do not share your corrections" in user_client.get("/account/sharing").text
    user_client.post("/account/sharing", data={"version": "2"})
    assert "You share your corrections" in user_client.get("/account/sharing").text
    assert "administrators may see this part" in section(user_client.get(url).text)
    assert "Nobody else sees it" not in section(user_client.get(url).text)
    seen = admin.get(page).text
    assert NEW in seen  # listed: no signal is stored of this recording
    assert "no signal is stored of this recording" in seen
    assert "ursula" not in seen
    refused = admin.post(page, data={"name": "corrections"})
    assert refused.status_code == 409
    assert "Nobody shares corrections with a signal" in refused.text
    user_client.post("/account/sharing/stop")
    assert "Nobody else sees it while you do not share" in section(user_client.get(url).text)
    assert "Nobody shares corrections" in admin.get(page).text
    assert "Taken back" not in admin.get(page).text
    (consent,) = db.session.scalars(select(Consent).filter_by(purpose="training"))
    consents.note_copy(library.EXAMPLE_NAME, [consent.id])
    library.ensure_embedded_example()
    withdrawn = admin.get(page).text.partition('id="withdrawn"')[2]
    assert consent.pseudonym in withdrawn
    assert f">{library.EXAMPLE_NAME}</a> (taken out)" in withdrawn
    assert f"In the data sets {library.EXAMPLE_NAME} (taken out)." in user_client.get("/account/sharing").text
    assert admin.get(url).status_code == 404


def test_steps_of_a_calibration_are_sent_placed_and_learnt(own: Prediction, user_client: FlaskClient) -> None:
    begin = 1_764_000_000.0
    page = user_client.get("/calibration/").text
    for words in ("Start the countdown", "Walking", 'id="count"', "calibration.js"):
        assert words in page
    steps = [{"activity": name, "start": begin + 40 * i, "end": begin + 40 * i + 30} for i, name in enumerate("ab")]
    for sent in ("", "[", "{}", "[1]", "[" * 3000):
        assert user_client.post("/calibration/", data={"place": "leg", "steps": sent}).status_code == 422
    url = user_client.post("/calibration/", data={"place": "leg", "steps": json.dumps(steps)}).location
    assert "Or one that you have uploaded already" in user_client.get(url).text
    assert "Choose the file" in user_client.post(f"{url}/file", data={}, follow_redirects=True).text
    chosen = user_client.post(f"{url}/recording", data={"recording": str(own.recording_id)}, follow_redirects=True)
    assert "Do the steps fit the signal?" in chosen.text
    assert "The recording knows the time of day" in chosen.text
    assert (
        "Write a number, for example 2.5."
        in user_client.post(f"{url}/apply", data={"later": "x"}, follow_redirects=True).text
    )
    assert said() == []
    done = user_client.post(f"{url}/apply", data={"later": "-1,5"})
    assert f"/predictions/{own.recording_id}" in done.location
    assert said() == [(0.5, 26.5, "a"), (40.5, 66.5, "b")]
    assert "2 steps are in your personal model now" in user_client.get(done.location).text
    assert "in use" in user_client.get("/calibration/").text
    again = user_client.get(url).text
    assert 'value="-1.50"' in again  # a second press changes nothing
    assert again[again.index('class="placed-steps"') :] != chosen.text[chosen.text.index('class="placed-steps"') :]


def test_a_file_that_is_there_already_is_used_for_a_calibration_and_not_stored_twice(
    own: Prediction, user_client: FlaskClient
) -> None:
    source = recordings.uploaded_file(own.recording)
    source.write_bytes(b"x,y,z")
    own.recording.fingerprint = sealing.fingerprint(source)
    db.session.commit()
    steps = json.dumps([{"activity": "a", "start": 1_764_000_000.0, "end": 1_764_000_030.0}])
    url = user_client.post("/calibration/", data={"place": "leg", "steps": steps}).location
    sent = {"file": (source.open("rb"), "again.csv")}
    page = user_client.post(f"{url}/file", data=sent, content_type="multipart/form-data", follow_redirects=True).text
    assert "You uploaded this file on" in page
    assert "That recording is used here." in page
    assert "Do the steps fit the signal?" in page
    assert db.session.scalars(select(StoredRecording.id)).all() == [own.recording_id]


def test_nobody_else_opens_or_changes_a_calibration(
    own: Prediction, user_client: FlaskClient, log_in: Callable[..., FlaskClient]
) -> None:
    steps = json.dumps([{"activity": "a", "start": 1_764_000_000.0, "end": 1_764_000_030.0}])
    url = user_client.post("/calibration/", data={"place": "leg", "steps": steps}).location
    other = log_in("adam", role="admin")
    for address in (f"{url}/file", f"{url}/recording", f"{url}/apply"):
        assert other.post(address, data={"later": "0", "recording": "1"}).status_code == 404
    assert other.get(url).status_code == 404
    theirs = other.post("/calibration/", data={"place": "leg", "steps": steps}).location
    assert other.post(f"{theirs}/recording", data={"recording": str(own.recording_id)}).status_code == 404


def first_answers(user_client: FlaskClient, address: str = "") -> list[str]:
    """Return what the home page says of each recording, the last upload first."""
    cells = re.findall(r'data-label="Main activity">([^<]*)<', user_client.get(f"/{address}").text)
    return [cell.partition(",")[0] for cell in cells]


def test_lists_say_what_the_pages_say_after_corrections_and_an_undo(
    app: Flask, own: Prediction, model: ModelVersion, user_client: FlaskClient
) -> None:
    other = recorded(app, own.recording.user_id, model, a_result(model, seed=1))
    result = recordings.result_of(own)
    first = first_answers(user_client)[0]
    assert first_answers(user_client) == [first, first]
    rows = corrections.add(own.recording.user_id, own.recording, result, [(0, 0.0, 90.0, NEW)])
    assert first_answers(user_client) == [first, NEW]
    assert first_answers(user_client, f"?activity={NEW}") == [NEW]
    assert f"<option>{NEW}</option>" in user_client.get("/").text

    def minutes(prediction: Prediction) -> dict[str, float]:
        totals: dict[str, float] = view.view_of(prediction).result.summary()["minutes_per_activity"]
        return totals

    both = [own, other]
    assert in_lists.minutes_of(own.recording.user_id, both) == {one.id: minutes(one) for one in both}
    corrections.undo(own.recording.user_id, own.recording_id, rows[0].batch)
    rows = [
        *corrections.add(own.recording.user_id, own.recording, result, [(0, 0.0, 15.0, result.activities[1])]),
        *corrections.add(own.recording.user_id, own.recording, result, [(0, 15.0, 30.0, NEW)]),
        *corrections.add(own.recording.user_id, own.recording, result, [(0, 30.0, 45.0, result.activities[1])]),
        *corrections.add(own.recording.user_id, own.recording, result, [(0, 45.0, 60.0, NEW)]),
    ]
    of_other = in_lists.minutes_of(own.recording.user_id, both)[other.id]
    assert of_other == minutes(other) != other.summary["minutes_per_activity"]  # by what was learnt alone
    assert in_lists.minutes_of_all(own.recording.user_id)[other.recording_id] == of_other
    heads.switch(own.recording.user_id, model, on=False)
    assert in_lists.minutes_of(own.recording.user_id, both)[other.id] == other.summary["minutes_per_activity"]
    for batch in {row.batch for row in rows}:
        corrections.undo(own.recording.user_id, own.recording_id, batch)
    assert first_answers(user_client) == [first, first]


def test_the_minutes_of_lists_are_counted_once(
    own: Prediction, user_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrections.add(own.recording.user_id, own.recording, recordings.result_of(own), [(0, 0.0, 90.0, NEW)])
    assert first_answers(user_client) == [NEW]

    def refused(*_: object) -> None:
        raise AssertionError("the windows were read again")

    monkeypatch.setattr(in_lists, "as_owner_sees", refused)
    assert first_answers(user_client) == [NEW]


def test_a_damaged_result_does_not_take_the_list_away(own: Prediction, user_client: FlaskClient) -> None:
    before = first_answers(user_client)
    corrections.add(own.recording.user_id, own.recording, recordings.result_of(own), [(0, 0.0, 90.0, NEW)])
    recordings.result_file(own).write_bytes(b"PK damaged")
    assert first_answers(user_client) == before


@pytest.mark.parametrize("change", [delete(StoredRecording), update(Prediction).values(summary={"place": "wrist"})])
def test_a_list_brings_nothing_back_that_was_deleted_or_stored_again_meanwhile(
    own: Prediction, monkeypatch: pytest.MonkeyPatch, change: Executable
) -> None:
    user_id, number, counted = own.recording.user_id, own.id, in_lists._counted
    corrections.add(user_id, own.recording, recordings.result_of(own), [(0, 0.0, 90.0, NEW)])

    def meanwhile(*given: Any) -> Any:
        minutes = counted(*given)
        with db.engine.begin() as another_request:
            another_request.execute(change)
        return minutes

    monkeypatch.setattr(in_lists, "_counted", meanwhile)
    assert NEW in in_lists.minutes_of(user_id, [own])[number]
    db.session.expire_all()
    summaries = list(db.session.scalars(select(Prediction.summary)))
    assert [(summary["place"], in_lists.OWN in summary) for summary in summaries] == [("wrist", False)] * len(summaries)


def test_what_an_earlier_build_kept_beyond_the_recording_is_marked_and_can_be_undone(
    own: Prediction, user_client: FlaskClient
) -> None:
    (good,) = corrections.add(own.recording.user_id, own.recording, recordings.result_of(own), [(0, 0.0, 15.0, NEW)])
    about = {"recording_id": own.recording_id, "user_id": own.recording.user_id, "part": good.part}
    far = Correction(**about, start_s=9000.0, end_s=9030.0, activity=NEW, source="timeline", batch="f" * 32)
    db.session.add(far)
    db.session.commit()
    url = f"/predictions/{own.recording_id}"
    listed = section(user_client.get(url).text).partition('id="said"')[2]
    assert listed.count("not used: nothing was recorded then") == 1
    assert listed.index("not used") < listed.index(f"/corrections/{far.batch}/undo") < listed.index(good.batch)
    user_client.post(f"{url}/corrections/{far.batch}/undo")
    assert "not used" not in section(user_client.get(url).text)
