"""Steps by the clock of the page become corrections of the recording that was made meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.har.windows import WindowSet
from app.services.errors import Conflict, Invalid, NotFound
from app.services.personal import calibration, corrections, view
from app.services.recordings import known_walking, recordings
from app.services.recordings.recognise import KnownWalking
from app.tables import Calibration, ModelVersion, Prediction, User
from tests.corrected import a_result, recorded
from tests.everyday import windows_of
from tests.services.conftest import a_user

ORIGIN = 1_764_000_000.0  # of the recordings of `a_result`


def steps(begin: float = ORIGIN, names: tuple[str, ...] = ("Walking", "Standing")) -> list[dict[str, Any]]:
    return [{"activity": name, "start": begin + 40 * i, "end": begin + 40 * i + 30} for i, name in enumerate(names)]


@pytest.fixture
def own(app: Flask, user: User, model: ModelVersion) -> Prediction:
    return recorded(app, user.id, model)


def said(prediction: Prediction) -> list[tuple[float, float, str, str]]:
    return [(c.start_s, c.end_s, c.activity, c.source) for c in corrections.of_recording(prediction.recording)]


def test_steps_are_where_the_two_clocks_say_without_their_ends_and_walking_becomes_the_measure(own: Prediction) -> None:
    user_id = own.recording.user_id
    kept = calibration.keep(user_id, "leg", steps(ORIGIN + 10))
    with pytest.raises(Conflict, match="Upload the recording first"):
        calibration.apply(user_id, kept)
    calibration.give_recording(user_id, kept, own.recording_id)
    where = calibration.placed(kept, recordings.result_of(own))
    assert (where.part, where.by_clock) == (0, True)
    assert calibration.later_of(kept) == 0
    assert calibration.apply(user_id, kept) == 2
    assert said(own) == [(12.0, 38.0, "Walking", "calibration"), (52.0, 78.0, "Standing", "calibration")]
    assert view.view_of(own).result.personal_windows > 10
    assert known_walking.stretch_of(own.recording) == ("walk.csv", 12.0, 38.0)
    walking = recordings.walking_of(user_id, "leg")
    assert walking is not None
    assert (walking.recording_id, walking.stretch) == (own.recording_id, ("walk.csv", 12.0, 38.0))
    calibration.apply(user_id, kept, 3.0)  # moved: what was said before is undone
    assert said(own) == [(15.0, 41.0, "Walking", "calibration"), (55.0, 81.0, "Standing", "calibration")]
    assert calibration.later_of(calibration.get(user_id, kept.id)) == 3.0
    assert len(calibration.steps_of(kept)) == 2
    known_walking.mark(own.recording, walking=False)
    assert known_walking.stretch_of(own.recording) is None


def test_without_a_fitting_clock_the_recording_is_taken_to_begin_with_the_first_step(
    app: Flask, user: User, model: ModelVersion
) -> None:
    result = a_result(model)
    for other in (replace(result, origin_utc_s=(None,)), replace(result, origin_utc_s=(ORIGIN - 1e6,))):
        prediction = recorded(app, user.id, model, other)
        kept = calibration.keep(user.id, "leg", steps())
        calibration.give_recording(user.id, kept, prediction.recording_id)
        where = calibration.placed(kept, recordings.result_of(prediction))
        assert where.by_clock is False
        assert [step.start for step in where.steps] == [0.0, 40.0]


def test_steps_outside_the_recording_are_left_out_and_none_is_refused(own: Prediction) -> None:
    user_id = own.recording.user_id
    kept = calibration.keep(user_id, "leg", steps(ORIGIN + 80))
    calibration.give_recording(user_id, kept, own.recording_id)
    assert calibration.apply(user_id, kept) == 1
    with pytest.raises(Invalid, match="None of the steps is in this recording"):
        calibration.apply(user_id, kept, 500.0)
    assert len(said(own)) == 1


def test_walking_that_is_undone_or_mostly_beyond_the_recording_is_no_measure(own: Prediction) -> None:
    user_id = own.recording.user_id
    kept = calibration.keep(user_id, "leg", steps(ORIGIN + 10))
    calibration.give_recording(user_id, kept, own.recording_id)
    calibration.apply(user_id, kept)
    assert known_walking.is_walking(own.recording)
    calibration.apply(user_id, kept, -30.0)  # six seconds of the walk are in the recording
    assert said(own)[0] == (0.0, 8.0, "Walking", "calibration")
    assert not known_walking.is_walking(own.recording)
    calibration.apply(user_id, kept)
    assert known_walking.stretch_of(own.recording) == ("walk.csv", 12.0, 38.0)
    corrections.undo(user_id, own.recording_id, kept.batch)
    assert recordings.walking_of(user_id, "leg") is None
    known_walking.mark(own.recording, True)  # all through it, as they say on its page
    rows = corrections.add(user_id, own.recording, recordings.result_of(own), [(0, 0.0, 30.0, "Walking")])
    corrections.undo(user_id, own.recording_id, rows[0].batch)
    assert known_walking.is_walking(own.recording)


def test_single_windows_have_no_clock_for_steps(app: Flask, user: User, model: ModelVersion) -> None:
    whole = a_result(model, 12)
    single = replace(
        whole,
        end_s=whole.start_s + 6.0,
        recording_index=np.arange(12),
        recording_ids=tuple(f"window-{i}" for i in range(12)),
        origin_utc_s=(None,) * 12,
    )
    own = recorded(app, user.id, model, single)
    kept = calibration.keep(user.id, "leg", steps())
    calibration.give_recording(user.id, kept, own.recording_id)
    with pytest.raises(Invalid, match="without a common clock"):
        calibration.apply(user.id, kept)


def test_a_recording_of_another_place_is_recognised_again(own: Prediction, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(recordings, "repredict", lambda *args: asked.append(args))
    user_id = own.recording.user_id
    kept = calibration.keep(user_id, "wrist", steps())
    calibration.give_recording(user_id, kept, own.recording_id)
    assert asked == [(user_id, own.recording_id, own.model_version_id, "wrist")]


def test_of_calibrations_that_wait_for_a_recording_only_the_last_are_kept(own: Prediction) -> None:
    user_id = own.recording.user_id
    first = calibration.keep(user_id, "leg", steps())
    calibration.give_recording(user_id, first, own.recording_id)
    kept = [calibration.keep(user_id, "leg", steps()).id for _ in range(calibration.SHOWN + 2)]
    there = db.session.scalars(select(Calibration.id).order_by(Calibration.id)).all()
    assert there == [first.id, *kept[-calibration.SHOWN :]]


def test_nobody_elses_calibration_or_recording_can_be_used(own: Prediction) -> None:
    other = a_user("otto")
    kept = calibration.keep(own.recording.user_id, "leg", steps())
    with pytest.raises(NotFound):
        calibration.get(other.id, kept.id)
    theirs = calibration.keep(other.id, "leg", steps())
    with pytest.raises(NotFound):
        calibration.give_recording(other.id, theirs, own.recording_id)


@pytest.mark.parametrize(
    ("place", "sent", "words"),
    [
        ("", steps(), "where the device is worn"),
        ("leg", [], "1 to 40 steps"),
        ("leg", steps() * 30, "1 to 40 steps"),
        ("leg", ["Walking"], "an activity, a start and an end"),
        ("leg", [{"activity": "Walking", "start": "soon", "end": 5}], "an activity, a start and an end"),
        ("leg", [{"activity": "Walking", "start": float("nan"), "end": 5}], "no time of day"),
        ("leg", [{"activity": "Walking", "start": 1e12, "end": 1e12 + 30}], "no time of day"),
        ("leg", [{"activity": "Walking", "start": ORIGIN, "end": ORIGIN + 2}], "takes 5 to 600 seconds"),
        ("leg", [{"activity": "", "start": ORIGIN, "end": ORIGIN + 20}], "in 1 to 64 characters"),
        ("leg", [{"activity": "nan", "start": ORIGIN, "end": ORIGIN + 20}], "is no activity"),
        ("leg", [{"activity": 7, "start": ORIGIN, "end": ORIGIN + 20}], "Say in words"),
        ("leg", [*steps(), *steps()], "do not follow each other"),
    ],
)
def test_what_is_no_calibration_is_refused(user: User, place: str, sent: list[Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        calibration.keep(user.id, place, sent)


def test_a_model_measures_only_the_stretch_in_which_the_person_walks() -> None:
    windows = windows_of([("Sitting", 4), ("Walking", 6), ("Sitting", 4)], recording="walk.csv")
    walking = KnownWalking(1, None, "walk.csv", None, ("walk.csv", 12.0, 30.0))  # type: ignore[arg-type]
    cut = walking.cut(windows)
    assert isinstance(cut, WindowSet)
    assert cut.start_s.tolist() == [12.0, 15.0, 18.0, 21.0, 24.0, 27.0]
    assert len(replace(walking, stretch=("other.csv", 12.0, 30.0)).cut(windows)) == 0
    assert len(replace(walking, stretch=None).cut(windows)) == len(windows)
