"""A person's own walking: said of a recording, found for others of the same placement, of nobody else."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flask import Flask

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.inputs import movement_and_gravity
from app.har.classifiers.types import Recognition, WalkingReference, Wearing
from app.har.errors import UnusableRecording
from app.har.windows import WindowSet, make_windows
from app.services.errors import Invalid
from app.services.recordings import known_walking, pending, recordings, uploads
from app.services.recordings.pending import PendingUpload
from app.services.recordings.recognise import KnownWalking, Model, _by_world_clock, always, recognise
from app.tables import ModelVersion, Prediction, StoredRecording, User
from tests import exports, synthetic
from tests.long_recording import a_day, store
from tests.services.conftest import a_user
from tests.services.test_uploads import guessed
from tests.tables import labelled
from tests.trained import recording_csv

Given = list[tuple[str, int | None]]


def stored(app: Flask, user: User, place: str | None) -> StoredRecording:
    recording = store(app, user.id, None, replace(a_day(2.0, rate_hz=1.0)[1])).recording
    recording.place = place
    return recording


def test_the_newest_walking_with_the_device_in_the_same_place_is_found_and_no_other(app: Flask, user: User) -> None:
    first, second, in_hand, other = (stored(app, user, place) for place in ("leg", "leg", "hand or bag", "leg"))
    foreign = stored(app, a_user("sam"), "leg")
    for recording in (first, second, in_hand, foreign):
        known_walking.mark(recording, walking=True)
    assert known_walking.find(user.id, "leg") is second
    assert known_walking.find(user.id, "leg", of=second) is first
    assert known_walking.find(user.id, "hand or bag") is in_hand
    assert known_walking.find(user.id, "wrist") is known_walking.find(user.id, "") is None
    source = recordings.walking_of(user.id, "leg", other)
    assert source is not None
    assert (source.recording_id, source.path) == (second.id, recordings.uploaded_file(second))
    known_walking.mark(second, walking=False)
    assert known_walking.find(user.id, "leg") is first
    recordings.delete(user.id, first.id)
    assert known_walking.find(user.id, "leg") is recordings.walking_of(user.id, "leg") is None


def test_walking_is_a_measure_for_one_place_so_that_must_be_known(app: Flask, user: User) -> None:
    recording = stored(app, user, None)
    with pytest.raises(Invalid, match="where the device was worn"):
        known_walking.mark(recording, walking=True)
    assert not known_walking.is_walking(recording)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, reads_here: None) -> Given:
    """Return what a model is given beside the windows: the place, and the windows of known walking; 10 s are enough."""
    given: Given = []
    recognise_all = ActivityClassifier.recognise_all

    def measure(self: ActivityClassifier, batches: Iterable[WindowSet]) -> WalkingReference:
        if (n := sum(map(len, batches))) < 3:
            raise UnusableRecording(f"Only {3 * n} s of walking.")
        return WalkingReference(np.zeros(1, np.float32), np.zeros(3, np.float32), n, "recording", 1.5)

    def recognise(
        self: ActivityClassifier,
        batches: Iterable[WindowSet],
        place: str = "",
        walking: WalkingReference | None = None,
    ) -> Recognition:
        given.append((place, walking.n_windows if walking else None))
        return recognise_all(self, batches, place, walking)

    monkeypatch.setattr(ActivityClassifier, "walking_reference", measure)
    monkeypatch.setattr(ActivityClassifier, "recognise_all", recognise)
    return given


def upload(user: User, seconds: float = 12.0, place: str | None = "leg") -> Prediction:
    prediction = uploads.receive(user.id, f"{seconds:g} s.csv", io.BytesIO(recording_csv(seconds)), place=place)
    assert isinstance(prediction, Prediction)
    return prediction


def test_what_is_recorded_in_the_same_place_is_measured_against_known_walking(
    user: User, model: ModelVersion, given: Given
) -> None:
    before, walk = upload(user), upload(user, 15.0)
    known_walking.mark(walk.recording, walking=True)
    after, elsewhere = upload(user), upload(user, place="wrist")
    assert given == [("leg", None), ("leg", None), ("leg", 5), ("wrist", None)]
    found = [recordings.result_of(each).walking_recording for each in (before, walk, after, elsewhere)]
    assert found == [None, None, walk.recording_id, None]
    again = recordings.repredict(user.id, before.recording_id)
    assert again is before
    assert recordings.result_of(again).walking_recording == walk.recording_id
    for same in (walk, before):  # nothing new is known: not of itself, and not of what has been measured so
        recordings.repredict(user.id, same.recording_id)
    assert given[4:] == [("leg", 5)]
    known_walking.mark(walk.recording, walking=False)
    recordings.repredict(user.id, before.recording_id)
    assert given[5:] == [("leg", None)]


def test_walking_that_a_model_cannot_use_is_listed_and_the_recording_recognised_without(
    user: User, model: ModelVersion, given: Given
) -> None:
    walk = upload(user, 6.0)
    known_walking.mark(walk.recording, walking=True)
    result = recordings.result_of(upload(user))
    assert given[-1] == ("leg", None)
    (problem,) = (problem for problem in result.problems if problem.kind == "walking not used")
    assert (problem.source, problem.detail) == ("6 s.csv", "Only 6 s of walking.")


def test_a_person_may_say_that_their_walking_is_no_measure_for_a_recording(
    user: User, model: ModelVersion, given: Given
) -> None:
    walk = upload(user, 15.0)
    known_walking.mark(walk.recording, walking=True)
    file = io.BytesIO(recording_csv(12.0))
    without = uploads.receive(user.id, "without.csv", file, place="leg", use_walking=False)
    assert isinstance(without, Prediction)
    assert given[1:] == [("leg", None)]
    recordings.repredict(user.id, without.recording_id, use_walking=False)
    assert given[2:] == []
    recordings.repredict(user.id, without.recording_id)
    assert given[2:] == [("leg", 5)]
    assert recordings.result_of(without).walking_recording == walk.recording_id


def test_what_waits_for_its_columns_remembers_whether_walking_is_its_measure(
    user: User, model: ModelVersion, given: Given
) -> None:
    known_walking.mark(upload(user, 15.0).recording, walking=True)
    for use_walking, measured in ((False, None), (True, 5)):
        waiting = uploads.receive(
            user.id, "walk.csv", io.BytesIO(labelled().encode()), place="leg", use_walking=use_walking
        )
        assert isinstance(waiting, PendingUpload)
        read = uploads.confirm(pending.get_pending(user.id, waiting.token), guessed(waiting))
        assert given[-1] == ("leg", measured)
    known_walking.mark(read.recording, walking=True)
    again = uploads.reopen(user.id, read.recording_id)
    uploads.confirm(again, guessed(again))  # not measured against itself, misread
    assert given[-1] == ("leg", 5)


def test_recordings_of_walking_are_listed_to_whom_they_belong_as_long_as_their_place_is_known(
    app: Flask, user: User
) -> None:
    first, second = (stored(app, user, place) for place in ("leg", "wrist"))
    foreign = stored(app, a_user("sam"), "leg")
    for recording in (first, second, foreign):
        known_walking.mark(recording, walking=True)
    assert known_walking.list_known(user.id) == [second, first]
    second.place = None
    assert known_walking.list_known(user.id) == [first]


def test_when_a_person_walked_is_told_by_the_clock_of_the_world() -> None:
    reference = WalkingReference(np.zeros(1, np.float32), np.zeros(3, np.float32), 5, "walk", 60.0)
    assert _by_world_clock(reference, 1.7e9).start_s == 1.7e9 + 60
    assert _by_world_clock(replace(reference, start_s=1.7e9), None).start_s == 1.7e9
    assert _by_world_clock(reference, None).start_s is None


@pytest.fixture(scope="module")
def everyday() -> EverydayClassifier:
    """Return an everyday model of four people who rest, walk and run."""
    signals = movement_and_gravity(synthetic.signal_set(4, 30.0, gravity="included"))
    return EverydayClassifier().fit(make_windows(signals, 3.0))


def test_the_everyday_model_measures_one_file_against_walking_in_another_and_says_when_that_was(
    everyday: EverydayClassifier, tmp_path: Path
) -> None:
    def exported(activity: str, seconds: float) -> Path:
        path = tmp_path / f"{activity}-{seconds:g}.zip"
        export = exports.sensor_logger(synthetic.recording(activity, 9, seconds, gravity="included"))
        path.write_bytes(exports.zipped(export))
        return path

    def standing(walk: Path | None) -> tuple[Wearing, float, list[str]]:
        known = KnownWalking(None, walk, walk.name) if walk else None
        path = exported("Rest", 12.0)
        result = recognise(
            path, path.name, always(Model("everyday/1", lambda: everyday)), place="leg", walking=known
        ).result
        column = {name: result.proba[:, result.activities.index(name)].mean() for name in ("Standing", "Sitting")}
        listed = [problem.detail for problem in result.problems if problem.kind == "walking not used"]
        return result.wearings[0], column["Standing"] - column["Sitting"], listed

    wearing, surplus, listed = standing(None)
    assert (wearing.reference, listed) == ("", [])
    assert surplus == pytest.approx(0, abs=1e-3)  # without walking, a posture cannot be told
    wearing, surplus, listed = standing(exported("Walk", 33.0))
    assert (wearing.reference, listed) == ("known walking", [])
    assert wearing.reference_windows >= 10
    assert wearing.reference_start_s == pytest.approx(exports.START_S, abs=3.1)
    assert surplus > 0.3  # gravity comes from the side that it comes from in walking
    wearing, _, listed = standing(exported("Walk", 9.0))
    assert wearing.reference == ""
    assert "expected at least 15 s of walking" in listed[0]


def test_the_everyday_model_says_once_that_a_movement_is_unlike_all_activities(
    everyday: EverydayClassifier, tmp_path: Path
) -> None:
    run = synthetic.recording("Run", 9, 12.0)
    shaken = replace(run, streams=tuple(replace(stream, values=8 * stream.values) for stream in run.streams))
    path = tmp_path / "shaken.zip"
    path.write_bytes(exports.zipped(exports.sensor_logger(shaken)))
    problems = recognise(path, path.name, always(Model("everyday/1", lambda: everyday))).result.problems
    unlike = [problem.action for problem in problems if problem.kind == "unlike the training data"]
    assert unlike == ["called unfamiliar; no activity is named there"]
