"""From what was recognised to daily measures: by whose clock, where the device was worn, and what its owner said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from app.har.measures.days import Row
from app.har.measures.slots import SLOT_S, Slots
from app.services.measures import measured
from app.services.measures.measured import Asked
from app.services.personal.said import overlaid
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.steps import Steps
from tests.long_recording import DAY_START_UTC_S, a_day

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def night() -> PredictionResult:
    """Return two hours from midnight in Berlin, of which half an hour lacks."""
    return a_day(2.0, 1.0, labelled=False)[1]


def rows(
    result: PredictionResult, slots: Mapping[str, Slots] | None = None, app: str = "", age: str = "adult"
) -> list[Row]:
    counted = Steps([np.zeros(0)], np.zeros(len(result.answer_names), bool))
    parts = measured.parts_of(result, slots or {}, counted, {"day.csv": app}, Asked(age), BERLIN)
    together, others = measured.days_of(parts, BERLIN)
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


def test_a_clock_without_a_zone_is_that_of_the_wall(night: PredictionResult) -> None:
    # Its midnight was read as UTC: two hours later than it was, in Berlin's summer
    wall = replace(night, origin_utc_s=(DAY_START_UTC_S + 7200,))
    slots = of_an_hour(DAY_START_UTC_S + 7200)
    there, read_as_utc = (rows(replace(wall, place="wrist"), slots, app)[0] for app in ("Axivity", "own layout"))
    assert (there["start"], there["lying_min"]) == (rows(night)[0]["start"], rows(night)[0]["lying_min"])
    assert there["vigorous_min"] == read_as_utc["vigorous_min"] == 60
    assert measured.ahead(DAY_START_UTC_S, BERLIN) == 7200


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
