"""From what was recognised to daily measures: by whose clock, where the device was worn, and what its owner said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from flask import Flask

from app.har.measures.days import Row
from app.har.measures.slots import SLOT_S, Slots
from app.services.measures import kept, measured, people
from app.services.measures.measured import Asked
from app.services.personal import corrections
from app.services.personal.said import overlaid
from app.services.recordings import recordings
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.steps import Steps
from app.services.recordings.steps import of as steps_of
from app.tables import User
from tests.days import BERLIN, FIRST, a_result, store_day
from tests.long_recording import DAY_START_UTC_S, a_day


@pytest.fixture(scope="module")
def night() -> PredictionResult:
    """Return two hours from midnight in Berlin, of which half an hour lacks."""
    return a_day(2.0, 1.0, labelled=False)[1]


def rows(
    result: PredictionResult, slots: Mapping[str, Slots] | None = None, app: str = "", age: str = "adult"
) -> list[Row]:
    counted = Steps([np.zeros(0)], np.zeros(len(result.answer_names), bool))
    [part] = measured.parts_of(result, counted)
    own = (slots or {}).get("day.csv")
    together, others = measured.days_of([measured.by_world_clock(part, own, app, result.place, Asked(age))], BERLIN)
    return [row for days in (together, *others) for row in days.rows()]


def of_an_hour(origin_s: float, device: str = "") -> dict[str, Slots]:
    number = round(origin_s / SLOT_S) + np.arange(720)
    values = np.full(720, 500.0, np.float32)
    return {"day.csv": Slots(number, values, values, values, device)}


def test_minutes_are_those_of_the_answers(night: PredictionResult) -> None:
    [row] = rows(night)
    minutes = night.summary()["minutes_per_activity"]
    assert row["lying_min"] == pytest.approx(minutes["Lie"], abs=0.01)
    assert row["walking_min"] == pytest.approx(minutes["Walk"], abs=0.01)
    assert (row["date"], row["signal_h"], row["no_signal_h"]) == ("2025-05-12", 1.5, 22.5)


def test_what_a_person_says_counts(night: PredictionResult) -> None:
    said = overlaid(night, [(0, 0.0, 3600.0, "Run")])
    assert rows(said)[0]["running_min"] >= 60


def test_intensity_asks_for_a_place_an_age_and_acceleration(night: PredictionResult) -> None:
    slots = of_an_hour(DAY_START_UTC_S)
    assert rows(night)[0]["cut_points"] == f"none: {measured.NO_SLOTS}"
    assert rows(night, slots)[0]["cut_points"] == f"none: {measured.NO_PLACE}"
    assert rows(replace(night, place="wrist"), slots, age="")[0]["cut_points"] == f"none: {measured.NO_AGE}"
    assert "no publication" in rows(replace(night, place="leg"), slots)[0]["cut_points"]
    for known in (
        rows(replace(night, place="leg"), of_an_hour(DAY_START_UTC_S, "watch")),
        rows(night, slots, "Empatica E4"),
    ):
        assert known[0]["vigorous_min"] == 60


def test_without_the_time_of_day_days_are_numbered(night: PredictionResult) -> None:
    [row] = rows(replace(night, origin_utc_s=(None,)))
    assert (row["date"], row["start"], row["rest_start"]) == ("day 1", None, None)


# --- of a person


def test_what_days_need_of_a_recording_is_kept_until_its_owner_sees_other_answers(
    app: Flask, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    prediction = store_day(app, user.id, a_result())
    counted: list[int] = []
    monkeypatch.setattr(kept.steps, "of", lambda recording, result: counted.append(1) or steps_of(recording, result))
    span = people.Span(FIRST.date(), FIRST.date())

    def row() -> Row:
        [found] = people.of_person(user, span, BERLIN).days.rows()
        return found

    before = row()
    assert row() == before
    assert len(counted) == 1
    corrections.add(user.id, prediction.recording, recordings.result_of(prediction), [(0, 0.0, 3600.0, "Cycling")])
    assert row()["cycling_min"] == before["cycling_min"] + 60
    path = recordings.folder_of(prediction.recording) / kept.FILE
    assert not path.read_bytes().startswith(b"PK")  # sealed
    path.write_bytes(b"damaged")
    assert row()["cycling_min"] == before["cycling_min"] + 60
    assert len(counted) == 3


def test_recordings_that_cannot_be_read_or_have_no_date_are_named(app: Flask, user: User) -> None:
    lost = store_day(app, user.id, a_result())
    store_day(app, user.id, replace(a_result(), origin_utc_s=(None,)), moved=False)
    recordings.result_file(lost).write_bytes(b"damaged")
    found = people.of_person(user, people.Span(FIRST.date(), FIRST.date()), BERLIN)
    assert (found.days.rows(), found.left_out, people.undated(user.id)) == ([], ["day.csv"], 1)


def test_the_night_before_counts_for_the_rest_window(app: Flask, user: User) -> None:
    for start in (FIRST, FIRST + timedelta(days=1)):
        store_day(app, user.id, a_result(start=start))
    second = (FIRST + timedelta(days=1)).date()
    [row] = people.of_person(user, people.Span(second, second), BERLIN).days.rows("day", second, second)
    assert row["rest_by"] == "angle of the wrist"
    assert row["rest_h"] == pytest.approx(8.25, abs=0.1)


def test_what_is_left_open_of_a_span_is_filled_up() -> None:
    newest = FIRST.date()
    assert people.span_of("", "", newest) == people.Span(newest - timedelta(days=13), newest)
    assert people.span_of("2026-11-01", "", newest).last.isoformat() == "2026-11-14"
    assert people.span_of("", "2026-11-14", newest).first.isoformat() == "2026-11-01"
