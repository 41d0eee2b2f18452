"""Windows alone or smoothed, as a person chooses, on results as they are stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flask import Flask

from app.har.classifiers.types import Wearing
from app.services.recordings import recordings, result_tables
from app.services.recordings.activity_times import clock_of
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.smoothing import as_chosen, shortest_s
from app.services.recordings.wall_clock import time_zone
from app.tables import User
from tests.long_recording import a_day, make_old, store
from tests.recognised import bouts

DAY_BOUTS = 90  # of 2 h, half an hour of which is missing: activities change each minute


@pytest.fixture(scope="module")
def day() -> PredictionResult:
    """Two hours in which a tenth of the windows is taken for another activity."""
    return replace(a_day(2.0, rate_hz=1.0)[1], shortest_bout_s=9.0)


def test_a_model_that_brings_how_long_bouts_are_is_smoothed_unless_one_wants_windows_alone(
    day: PredictionResult,
) -> None:
    smoothed, alone = as_chosen(day), as_chosen(day, False)
    assert alone is day
    assert (smoothed.smoothed_s, alone.smoothed_s) == (9.0, 0.0)
    assert len(bouts(alone)) > 3 * DAY_BOUTS
    assert len(bouts(smoothed)) < 1.2 * DAY_BOUTS
    assert (smoothed.guesses == day.labels)[day.labels >= 0].mean() > 0.99 > 0.93
    assert (day.guesses == day.labels)[day.labels >= 0].mean() < 0.95


def test_totals_days_and_downloads_follow_the_choice_and_name_it(day: PredictionResult) -> None:
    smoothed = as_chosen(day)
    zone = time_zone("UTC")
    for table in (result_tables.windows, result_tables.bouts, result_tables.days):
        assert set(table(smoothed, zone)["smoothed_s"]) == {9.0}
        assert set(table(day, zone)["smoothed_s"]) == {0.0}
    assert (
        set(result_tables.totals(smoothed)["smoothed_s"]) == set(result_tables.metrics(smoothed)["smoothed_s"]) == {9}
    )
    assert result_tables.document(smoothed)["summary"]["smoothed_s"] == 9.0
    minutes = [result_tables.totals(result).set_index("activity")["minutes"] for result in (day, smoothed)]
    assert minutes[0].sum() == pytest.approx(minutes[1].sum(), abs=0.01)
    assert minutes[0].to_dict() != minutes[1].to_dict()
    answered = result_tables.days(smoothed).query("period == 'day'").groupby("activity")["minutes"].sum()
    assert answered["Walk"] == pytest.approx(minutes[1]["Walk"], abs=0.01)
    assert clock_of(smoothed, 0, zone) == clock_of(day, 0, zone)


def test_a_result_of_an_earlier_build_stays_as_it_was_and_can_be_smoothed_by_single_windows(
    app: Flask, user: User, day: PredictionResult
) -> None:
    prediction = store(app, user.id, None, day)
    assert recordings.result_of(prediction).shortest_bout_s == 9.0
    make_old(app, prediction)
    old = recordings.result_of(prediction)
    assert old.shortest_bout_s is None
    assert as_chosen(old) is old
    asked = as_chosen(old, True)
    assert asked.smoothed_s == shortest_s(old) == 6.0  # two windows
    assert len(bouts(asked)) < len(bouts(old)) / 2


def test_what_lists_say_of_a_recording_is_what_its_page_shows_first(
    app: Flask, user: User, day: PredictionResult
) -> None:
    prediction = store(app, user.id, None, day)
    assert prediction.summary == as_chosen(day).summary()
    np.testing.assert_array_equal(recordings.result_of(prediction).proba, day.proba)  # stored as they are


def test_bouts_as_short_as_windows_leave_nothing_to_smooth(day: PredictionResult) -> None:
    turns = replace(day, shortest_bout_s=0.78)
    assert shortest_s(turns) == 0
    assert as_chosen(turns, True) is turns


def test_rows_of_single_windows_do_not_follow_each_other(day: PredictionResult) -> None:
    n = 20
    first = {name: getattr(day, name)[:n] for name in ("proba", "labels", "sensor_attention", "unfamiliar")}
    rows = replace(
        day,
        recording_index=np.arange(n),
        recording_ids=tuple(f"row {i}" for i in range(n)),
        start_s=np.zeros(n),
        end_s=np.full(n, 3.0),
        origin_utc_s=(),
        **first,
    )
    assert rows.layout == "windows"
    assert as_chosen(rows, True) is rows


def test_what_was_worn_before_plays_no_part_in_what_was_worn_after(day: PredictionResult) -> None:
    middle = float(day.start_s[310])
    wearings = (Wearing("day.csv", 0.0, middle, "leg"), Wearing("day.csv", middle, 7200.0, "wrist"))
    worn_twice = replace(day, wearings=wearings)
    proba = worn_twice.proba.copy()
    proba[:310] = 0.9 * proba[:310] + 0.1 / 6
    changed = as_chosen(replace(worn_twice, proba=proba))
    np.testing.assert_array_equal(changed.proba[310:], as_chosen(worn_twice).proba[310:])
    one = as_chosen(replace(day, proba=proba))
    assert (one.proba[310:] != as_chosen(day).proba[310:]).any()
