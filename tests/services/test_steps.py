"""Steps of a recording: where the person was on foot, by its signal, and as corrections have it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timezone

import numpy as np
import pytest
from flask import Flask

from app.extensions import db
from app.har.signals.types import SignalSet
from app.har.types import FloatArray
from app.services.interchange import everything, fhir
from app.services.personal import corrections, view
from app.services.recordings import recordings, result_tables, steps, table_texts
from app.services.recordings.prediction_result import PredictionResult
from app.tables import Prediction, User
from tests.fhir import check, code_of, resources
from tests.har.test_steps import walk
from tests.long_recording import a_day, store

MINUTE, RATE_HZ, CADENCE_HZ = 60.0, 50.0, 1.8
WALK = ("Walk", "Stand", "Run", "Walk")  # minute by minute


def made(layout: str = "as recorded") -> tuple[SignalSet, PredictionResult]:
    """Return four minutes with the same swing in each; of which only what is answered walking is walking."""
    signals, result = a_day(8 / 60, RATE_HZ, labelled=False)  # of which the second half is missing
    n = len(signals.signal)
    signal: FloatArray = signals.signal.copy()
    signal[:, :3] = walk(CADENCE_HZ, n / RATE_HZ + 1, RATE_HZ)[:n]
    channels = signals.channels
    if layout == "gravity apart":
        mean = signal[:, :3].mean(axis=0)
        signal = np.concatenate((signal[:, :3] - mean, np.tile(mean, (n, 1))), axis=1).astype(np.float32)
        channels = (*channels[:3], "gravity_x", "gravity_y", "gravity_z")
    elif layout == "without gravity":
        signal[:, :3] -= signal[:, :3].mean(axis=0)
    minute = (result.start_s // MINUTE).astype(int)
    proba = np.full_like(result.proba, 0.01)
    proba[np.arange(len(result)), [result.activities.index(WALK[i]) for i in minute]] = 0.95
    return replace(signals, signal=signal, channels=channels), replace(result, proba=proba)


def stored(app: Flask, user: User, layout: str = "as recorded") -> Prediction:
    signals, result = made(layout)
    return store(app, user.id, signals, result)


def counted(prediction: Prediction) -> tuple[steps.Steps, PredictionResult]:
    result = view.view_of(prediction).result
    return steps.of(prediction.recording, result), result


@pytest.mark.parametrize("layout", ["as recorded", "gravity apart"])
def test_steps_are_counted_where_somebody_walks_and_nowhere_else(app: Flask, user: User, layout: str) -> None:
    found, result = counted(stored(app, user, layout))
    table = table_texts.records(result_tables.bouts(result, steps=found))
    there = [(row["activity"], row["steps"]) for row in table if row["activity"] != "missing"]
    assert [name for name, _ in there] == [*WALK]
    assert there[0][1] == pytest.approx(MINUTE * CADENCE_HZ, abs=2)
    assert [number for _, number in there[1:3]] == [None, None]
    assert found.total() == sum(number or 0 for _, number in there)


def test_where_they_cannot_be_counted_there_is_no_number(app: Flask, user: User) -> None:
    found, result = counted(stored(app, user, "without gravity"))
    assert found.total() is None
    assert {row["steps"] for row in table_texts.records(result_tables.bouts(result, steps=found))} == {None}
    damaged = stored(app, user)
    (recordings.folder_of(damaged.recording) / "signal.npy").write_bytes(b"damaged")
    assert counted(damaged)[0].total() is None


def test_a_sensor_that_lacks_some_of_a_walk_counts_the_rest_and_one_that_lacks_much_of_it_nothing(
    app: Flask, user: User
) -> None:
    signals, result = made()
    for seconds, expected in ((4, 2 * MINUTE * CADENCE_HZ - 4 * CADENCE_HZ), (40, None)):
        signals.signal[500 : 500 + int(seconds * RATE_HZ), 0] = np.nan
        found, _ = counted(store(app, user.id, signals, result))
        assert found.total() == (expected and pytest.approx(expected, abs=5))


def test_a_correction_changes_the_steps(app: Flask, user: User) -> None:
    prediction = stored(app, user)
    before = counted(prediction)[0].total()
    corrections.add(user.id, prediction.recording, recordings.result_of(prediction), [(0, 60.0, 119.0, "Walking")])
    after = counted(prediction)[0].total()
    assert before is not None
    assert after == pytest.approx(before + MINUTE * CADENCE_HZ, abs=6)


def test_a_long_walk_is_counted_in_parts_that_lose_and_double_none(
    app: Flask, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    prediction = stored(app, user)
    whole, _ = counted(prediction)
    monkeypatch.setattr(steps, "AT_ONCE_S", 7.0)
    parts, _ = counted(prediction)
    assert parts.total() == pytest.approx(whole.total(), abs=2)


def test_the_steps_of_a_day_go_to_other_systems_with_how_much_of_it_was_recorded(app: Flask, user: User) -> None:
    prediction = stored(app, user)
    prediction.recording.recorded = recordings.result_of(prediction).begins
    db.session.commit()
    part = everything.part(user.id, date(2025, 5, 11), timezone.utc, None, 5)
    bundle = check(json.dumps(fhir.search_set(part.person, part.found, part.left_out, {"self": "https://a.example/"})))
    [steps_of_day] = [each for each in resources(bundle, "Observation") if code_of(each["code"])[1] == "41950-7"]
    assert steps_of_day["valueQuantity"]["value"] == counted(prediction)[0].total()
    assert steps_of_day["component"][0]["valueQuantity"]["value"] == pytest.approx(100 * 4 / 1440, abs=0.1)
    assert everything.part(user.id, date(2025, 5, 12), timezone.utc, None, 5).found == []
