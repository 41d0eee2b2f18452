"""What a person says of a recording, what a model learns from it, and what becomes of it when something is deleted."""

from __future__ import annotations

import errno
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from flask import Flask
from sqlalchemy import delete, func, select

from app.extensions import db
from app.har.errors import ModelIntegrityError
from app.har.personal.head import PersonalHead as PersonalHeadItself
from app.har.vocabulary import ANYTHING
from app.services import activity_names, audit_reading
from app.services.audit_reading import AuditQuery
from app.services.errors import Invalid, NotFound
from app.services.identity import deletion
from app.services.models import model_files, model_versions
from app.services.personal import corrections, effect, head_files, heads, view
from app.services.personal.said import as_called, moved, overlaid
from app.services.recordings import recordings, result_tables
from app.services.recordings.many_results import Source
from app.services.recordings.one_recording import verdict_of
from app.services.recordings.smoothing import as_chosen
from app.services.recordings.timeline import _one_after_the_other
from app.services.recordings.wall_clock import WallClock, time_zone
from app.tables import Correction, ModelVersion, PersonalHead, Prediction, User
from tests import homes
from tests.corrected import NEW, a_result, correct, recorded, without_features
from tests.long_recording import a_day
from tests.services.conftest import a_user


@pytest.fixture
def own(app: Flask, user: User, model: ModelVersion) -> Prediction:
    return recorded(app, user.id, model)


def count(table: type[Correction] | type[PersonalHead]) -> int:
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def files(user_id: int) -> list[Path]:
    return list(head_files.folder_of(user_id).glob("*"))


def test_what_a_person_says_is_the_answer_there_and_the_stored_result_stays(
    own: Prediction, model: ModelVersion
) -> None:
    before = recordings.result_of(own)
    second = before.activities[1]
    (one,) = correct(own, before, second)
    assert (one.part, one.start_s, one.end_s, one.source) == ("walk.csv", 0.0, 15.0, "timeline")
    seen = view.view_of(own)
    assert seen.before is not None
    names = np.array(seen.result.answer_names)[seen.result.answers]
    assert set(names[:5]) == {second}
    np.testing.assert_array_equal(seen.result.confidence[:5, 0], 1.0)
    assert seen.result.corrected.tolist() == [True] * 5 + [False] * 35
    np.testing.assert_array_equal(recordings.result_of(own).proba, before.proba)
    np.testing.assert_array_equal(view.view_of(own, personal=False).result.proba, as_chosen(before).proba)


def test_a_model_learns_from_it_for_the_rest_and_learns_new_activities_without_losing_the_old(
    own: Prediction,
) -> None:
    stored = recordings.result_of(own)
    correct(own, stored, NEW, stored.activities[1])
    seen = view.view_of(own)
    assert seen.result.activities == (*stored.activities, NEW)
    assert seen.result.personal_windows == 10
    of_new, turn = seen.result.proba[10:, -1], np.arange(10, 40) // 5 % 2
    assert of_new[turn == 0].min() > 2 * of_new[turn == 1].max()  # where they did the same again
    guessed = np.array(stored.activities)[seen.result.proba[10:, :-1].argmax(axis=1)]
    assert set(guessed[turn == 1]) == {stored.activities[1]}
    (learnt,) = view.learnt_by(own).values()
    assert (learnt.place, learnt.report["examples"]) == ("leg", {NEW: 5, stored.activities[1]: 5})
    assert learnt.report["kept"] is True
    (file,) = files(own.recording.user_id)
    assert file.stat().st_size < 40_000
    assert view.learnt_by(own)["leg"].head is learnt.head or len(files(own.recording.user_id)) == 1
    assert files(own.recording.user_id) == [file]  # nothing is learnt twice


def test_it_serves_other_recordings_with_the_device_in_the_same_place_and_nobody_elses(
    app: Flask, own: Prediction, model: ModelVersion
) -> None:
    stored = recordings.result_of(own)
    same = recorded(app, own.recording.user_id, model, a_result(model, seed=1))
    elsewhere = recorded(app, own.recording.user_id, model, a_result(model, place="wrist", seed=2))
    other = recorded(app, a_user("otto").id, model, a_result(model, seed=1))
    before = [as_chosen(recordings.result_of(each)).proba for each in (elsewhere, other)]
    correct(own, stored, stored.activities[1], stored.activities[0])
    assert view.view_of(same).result.personal_windows == 10
    assert view.view_of(same).before is not None
    for each, proba in zip((elsewhere, other), before, strict=True):
        seen = view.view_of(each)
        np.testing.assert_array_equal(seen.result.proba, proba)
        assert (seen.before, seen.result.personal_windows) == (None, 0)
    assert not head_files.folder_of(other.recording.user_id).exists()


def test_what_is_undone_is_as_if_it_had_never_been_said(own: Prediction) -> None:
    stored = recordings.result_of(own)
    rows = correct(own, stored, NEW, stored.activities[1])
    assert view.view_of(own).result.personal_windows == 10
    user_id = own.recording.user_id
    assert corrections.undo(user_id, own.recording_id, rows[0].batch) == 2
    np.testing.assert_array_equal(view.view_of(own).result.proba, as_chosen(stored).proba)
    assert (count(PersonalHead), files(user_id)) == (0, [])
    assert [row.activity for row in corrections.undone_of(own.recording)] == [NEW, stored.activities[1]]
    with pytest.raises(NotFound):
        corrections.undo(user_id, own.recording_id, rows[0].batch)


def test_what_was_undone_long_ago_is_deleted(own: Prediction) -> None:
    stored, user_id = recordings.result_of(own), own.recording.user_id
    kept = correct(own, stored, NEW)
    for number in range(corrections.UNDONE_SHOWN + 3):
        rows = correct(own, stored, f"Row {number}")
        corrections.undo(user_id, own.recording_id, rows[0].batch)
    assert [row.activity for row in corrections.undone_of(own.recording)] == [f"Row {i}" for i in range(7, 2, -1)]
    assert count(Correction) == corrections.UNDONE_SHOWN + 1
    assert corrections.of_recording(own.recording) == kept


def test_a_switched_off_model_stays_off_when_more_is_said_and_what_was_said_holds(own: Prediction) -> None:
    stored = recordings.result_of(own)
    correct(own, stored, NEW, stored.activities[1])
    version = own.model_version
    assert version is not None
    heads.switch(own.recording.user_id, version, on=False)
    (line,) = [
        line for line in audit_reading.find(AuditQuery())[0].items if line["action"] == "personal model switched"
    ]
    assert (line["object"], line["details"]) == (version.label, {"on": False})
    correct(own, stored, NEW)
    seen = view.view_of(own)
    assert (seen.result.personal_windows, int(seen.result.corrected.sum())) == (0, 10)
    np.testing.assert_array_equal(seen.result.proba[10:, :-1], as_chosen(stored).proba[10:])
    heads.switch(own.recording.user_id, version, on=True)
    assert view.view_of(own).result.personal_windows == 10


def test_a_head_that_would_make_the_persons_own_recordings_worse_is_not_kept_and_that_is_said(
    app: Flask, own: Prediction, model: ModelVersion
) -> None:
    stored = recordings.result_of(own)
    first, second = stored.activities[:2]
    correct(own, stored, first, second)
    another = recorded(app, own.recording.user_id, model, a_result(model, seed=1))
    correct(another, stored, second, first)  # the opposite: whoever learns from the one is wrong in the other
    (learnt,) = view.learnt_by(own).values()
    assert learnt.head is None
    assert view.view_of(own).result.personal_windows == 0
    (said,) = effect.effect_of(own, view.view_of(own), 0).learnt
    assert said.verdict.startswith("Not kept, because it would have made your own recordings worse: of 20 windows")


def test_a_head_that_makes_no_more_right_is_said_to() -> None:
    report = {"checked": 3, "kept": False, "right_before": 0.0, "right_after": 0.0, "stretches": {"Walking": 2}}
    said = effect.verdict(report)
    assert said.startswith("Not kept: of 3 windows of yours that it had not learnt from, it made no more right.")
    assert "worse" not in said
    assert "of the same stretches" in effect.verdict({**report, "stretches": {"Walking": 1}})
    said = effect.verdict({**report, "right_after": 1 / 3})
    assert "would have become less probable" in said
    assert "worse" not in said


@pytest.mark.parametrize(
    ("unfamiliar_from", "familiar_from", "stay"),
    [(0, 30, False), (10, 40, True), (0, 40, True)],
    ids=["like unfamiliar examples", "like familiar examples", "the model does not fit"],
)
def test_what_is_unfamiliar_stays_so_but_where_it_is_like_unfamiliar_examples(
    app: Flask, user: User, model: ModelVersion, unfamiliar_from: int, familiar_from: int, stay: bool
) -> None:
    stored, number = a_result(model), np.arange(40)
    stored.unfamiliar[:] = (number >= unfamiliar_from) & (number < familiar_from)
    stored.features[25:30] *= 5  # a movement of its own kind
    own = recorded(app, user.id, model, stored)
    correct(own, stored, NEW, stored.activities[1])
    (learnt,) = view.learnt_by(own).values()
    assert learnt.head is not None
    after = heads.personalised(stored, {"leg": learnt})
    assert after.unfamiliar[10:25].tolist() == [stay] * 15
    assert after.unfamiliar[25:30].all()


def test_deleting_a_recording_or_a_model_or_an_account_deletes_what_was_learnt(
    app: Flask, own: Prediction, model: ModelVersion
) -> None:
    user_id, stored = own.recording.user_id, recordings.result_of(own)
    kept = recorded(app, user_id, model, a_result(model, seed=1))
    correct(own, stored, NEW, stored.activities[1])
    correct(kept, stored, stored.activities[1])
    assert view.view_of(kept).result.personal_windows == 15
    recordings.delete(user_id, own.recording_id)
    assert (count(Correction), count(PersonalHead), files(user_id)) == (1, 0, [])
    seen = view.view_of(kept)
    assert (NEW in seen.result.activities, seen.result.personal_windows) == (False, 5)
    assert len(files(user_id)) == 1
    model.promoted = False
    db.session.commit()
    model_versions.delete(model.id)
    assert (count(PersonalHead), files(user_id)) == (0, [])
    assert view.view_of(kept).result.said  # what was said does not need the model
    deletion.delete_other(a_user("chief", role="admin").id, user_id)
    assert (count(Correction), head_files.folder_of(user_id).exists()) == (0, False)


def test_at_a_start_files_go_that_no_row_or_account_knows(app: Flask, own: Prediction) -> None:
    stored = recordings.result_of(own)
    correct(own, stored, NEW, stored.activities[1])
    view.view_of(own)
    (file,) = files(own.recording.user_id)
    (file.parent / "left.npz").write_bytes(b"of a server that died")
    stranger = head_files.folder_of(4711)
    stranger.mkdir()
    (stranger / "a.npz").write_bytes(b"of an account that is gone")
    head_files.sweep()
    assert files(own.recording.user_id) == [file]
    assert not stranger.exists()


def test_nothing_is_kept_of_a_recording_that_is_deleted_while_a_model_learns_from_it(
    own: Prediction, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, user_id, recording_id, learn = (
        recordings.result_of(own),
        own.recording.user_id,
        own.recording_id,
        heads._learn,
    )
    correct(own, stored, NEW, stored.activities[1])

    def deleted_meanwhile(*given: Any) -> Any:
        learnt = learn(*given)
        recordings.delete(user_id, recording_id)
        return learnt

    monkeypatch.setattr(heads, "_learn", deleted_meanwhile)
    assert heads.current(user_id, model)["leg"].used
    assert (count(PersonalHead), files(user_id)) == (0, [])


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), FileNotFoundError()], ids=["full disk", "folder gone"]
)
def test_a_head_that_cannot_be_stored_is_used_all_the_same(
    own: Prediction, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    stored = recordings.result_of(own)
    correct(own, stored, NEW, stored.activities[1])

    def fails(head: PersonalHeadItself, file: IO[bytes]) -> None:
        file.write(b"begun")
        raise error

    with monkeypatch.context() as full:
        full.setattr(PersonalHeadItself, "save", fails)
        assert view.view_of(own).result.personal_windows == 10
    assert (count(PersonalHead), files(own.recording.user_id)) == (0, [])
    assert view.view_of(own).result.personal_windows == 10
    assert count(PersonalHead) == 1


def test_a_model_that_is_deleted_while_it_learns_leaves_nothing(
    own: Prediction, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, user_id, learn = recordings.result_of(own), own.recording.user_id, heads._learn
    correct(own, stored, NEW, stored.activities[1])

    def deleted_meanwhile(*given: Any) -> Any:
        learnt = learn(*given)
        with db.engine.begin() as another_request:
            another_request.execute(delete(ModelVersion))
        return learnt

    monkeypatch.setattr(heads, "_learn", deleted_meanwhile)
    assert heads.current(user_id, model)["leg"].used
    assert (count(PersonalHead), files(user_id)) == (0, [])


def test_a_page_does_not_wait_long_to_store_what_was_learnt(app: Flask, own: Prediction) -> None:
    stored = recordings.result_of(own)
    correct(own, stored, NEW, stored.activities[1])
    db.session.commit()
    with homes.writing_elsewhere():  # as a backup does
        begun = time.monotonic()
        assert view.view_of(own).result.personal_windows == 10
        assert time.monotonic() - begun < 20
    assert (count(PersonalHead), files(own.recording.user_id)) == (0, [])


def test_a_damaged_head_is_learnt_again(own: Prediction) -> None:
    stored = recordings.result_of(own)
    correct(own, stored, NEW, stored.activities[1])
    before = view.view_of(own).result.proba
    heads._load.cache_clear()
    (file,) = files(own.recording.user_id)
    whole = file.read_bytes()
    file.write_bytes(whole[:200] + bytes(100) + whole[300:])
    np.testing.assert_array_equal(view.view_of(own).result.proba, before)


def test_a_model_that_brings_nothing_to_learn_with_or_is_damaged_says_so_and_what_was_said_holds(
    app: Flask, user: User, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    prediction = recorded(app, user.id, model, without_features(a_result(model)))
    correct(prediction, recordings.result_of(prediction), NEW)

    def damaged(folder: Path, label: str) -> None:
        raise ModelIntegrityError("changed")

    monkeypatch.setattr(model_files, "load", damaged)
    seen = view.view_of(prediction)
    assert int(seen.result.corrected.sum()) == 5
    found = effect.effect_of(prediction, seen, 0)
    assert (found.cannot_learn, found.too_old) == (True, False)


def test_a_result_of_an_earlier_build_keeps_what_was_said_and_nothing_is_learnt_from_it(
    app: Flask, user: User, model: ModelVersion
) -> None:
    old = recorded(app, user.id, model, without_features(a_result(model)))
    stored = recordings.result_of(old)
    correct(old, stored, NEW)
    seen = view.view_of(old)
    assert (seen.result.personal_windows, int(seen.result.corrected.sum())) == (0, 5)
    found = effect.effect_of(old, seen, 0)
    assert (found.too_old, found.cannot_learn, found.learnt) == (True, False, [])


def test_a_group_of_activities_can_be_said_and_is_the_answer_and_is_learnt_from(
    app: Flask, user: User, model: ModelVersion
) -> None:
    result = replace(a_result(model), activities=("Sitting", "Standing", "Walking", "a", "b", "c", "d"))
    prediction = recorded(app, user.id, model, result)
    correct(prediction, result, "still")
    seen = view.view_of(prediction)
    assert {seen.result.answer_names[i] for i in seen.result.answers[:5]} == {"Still"}
    found = effect.effect_of(prediction, seen, 0)
    (learnt,) = found.learnt
    assert learnt.examples == {"Still": 5}
    head = view.learnt_by(prediction)["leg"].head
    assert head is not None
    assert head.activities == result.activities
    assert head.shown.tolist() == [[True, True, False, False, False, False, False]]


def test_a_person_who_contradicts_what_the_model_was_certain_of_is_told_so(
    app: Flask, user: User, model: ModelVersion
) -> None:
    stored = a_result(model)
    first, second = stored.activities[:2]
    sure = np.full_like(stored.proba, 0.001)
    sure[:, 0] = 1 - 0.001 * (sure.shape[1] - 1)
    prediction = recorded(app, user.id, model, replace(stored, proba=sure))
    correct(prediction, stored, second, NEW, first)
    (learnt,) = effect.effect_of(prediction, view.view_of(prediction), 0).learnt
    assert {tuple(each) for each in learnt.contradicted} == {(second, first, 5), (NEW, first, 5)}


def test_one_wrong_correction_of_a_sure_recording_renames_nothing_else_and_the_verdict_says_what_it_changed(
    app: Flask, user: User, model: ModelVersion
) -> None:
    stored = a_result(model, turn=40)  # one movement all through
    walk, *others = stored.activities
    sure = np.full_like(stored.proba, 0.01 / (len(others)))
    sure[:, 0] = 0.99
    stored = replace(stored, proba=sure, limit=0.8, features=3 * stored.features)
    own = recorded(app, user.id, model, stored)
    corrections.add(user.id, own.recording, stored, [(0, 30.0, 39.0, NEW)])
    seen = view.view_of(own)
    elsewhere = ~seen.result.corrected
    assert {seen.result.answer_names[i] for i in seen.result.answers[elsewhere]} == {ANYTHING}
    verdict = verdict_of(seen.result, 0, None, effect.doubts_of(seen, 0))
    assert verdict.level == "hardly"
    assert verdict.against[0].serious
    for words in (
        "After one correction (3 windows), 37 of 37 answers of which you said nothing changed: look at them.",
        f"You said {NEW} in a single stretch, where the model alone was sure of {walk}.",
    ):
        assert words in verdict.against[0].text
    # The same said of another stretch: a slip made twice is not probable
    corrections.add(user.id, own.recording, stored, [(0, 75.0, 84.0, NEW)])
    seen = view.view_of(own)
    assert {seen.result.answer_names[i] for i in seen.result.answers} == {NEW}
    assert effect.doubts_of(seen, 0) == []


def test_stretches_that_follow_each_other_are_one_example(own: Prediction) -> None:
    stored = recordings.result_of(own)
    for start_s, end_s in ((0.0, 6.0), (6.0, 12.0), (60.0, 66.0)):
        corrections.add(own.recording.user_id, own.recording, stored, [(0, start_s, end_s, NEW)])
    assert view.learnt_by(own)["leg"].report["stretches"] == {NEW: 2}


def test_the_last_word_counts_an_instant_is_its_window_and_words_are_the_models(model: ModelVersion) -> None:
    result = a_result(model)
    first, second = result.activities[:2]
    seen = overlaid(result, [(0, 0.0, 15.0, first), (0, 6.0, 12.0, second), (0, 31.0, 31.0, NEW)])
    names = np.array(seen.answer_names)[seen.answers]
    assert names[:5].tolist() == [first, first, second, second, first]
    assert names[10] == NEW
    assert int(seen.corrected.sum()) == 6
    assert as_called(("Walk", "Sit"), "Walking") == "Walk"
    assert as_called(("Walk", "Sit"), "walk") == "Walk"
    assert as_called(("Walk", "Walk backward"), "Walking") == "Walking"  # of two, none
    assert as_called(("Walk", "Sit"), NEW) == NEW


def test_a_name_that_is_there_already_is_kept_as_it_is_written_there(own: Prediction) -> None:
    stored = recordings.result_of(own)
    exercise = stored.activities[0]
    names = (
        NEW,
        NEW.upper(),
        exercise.lower(),
        "WALKING",
        "on foot (walking or stairs)",
        "Stairs (stairs up or Stairs down)",
    )
    for name in names:
        correct(own, stored, name)
    kept = [row.activity for row in corrections.of_recording(own.recording)]
    assert kept == [NEW, NEW, exercise, "Walking", "On foot", "Stairs"]
    for other in ("Rowing (with one arm)", "Stairs (carpeted)"):
        assert activity_names.checked(other, "activity", (NEW,)) == other


def test_smoothing_does_not_take_away_what_a_person_says(own: Prediction) -> None:
    stored = replace(recordings.result_of(own), shortest_bout_s=9.0)
    said = overlaid(as_chosen(stored), [(0, 60.0, 63.0, NEW)])
    assert [said.answer_names[i] for i in said.answers].count(NEW) == 1


def test_by_how_much_other_answers_moved(model: ModelVersion) -> None:
    before = a_result(model)
    proba = before.proba.copy()
    proba[5:10, [0, 1]] = proba[5:10, [1, 0]] + np.array([0.0, 0.2], np.float32)
    after = overlaid(replace(before, proba=proba), [(0, 0.0, 15.0, NEW)])
    found = moved(before, after, 0)
    assert (found.windows, found.changed) == (35, 5)
    ((_, to, minutes),) = found.pairs
    assert (to, minutes) == (before.activities[1], pytest.approx(0.25))


@pytest.mark.parametrize(
    ("stretch", "words"),
    [
        ((0, 9.0, 3.0, "Walking"), "begins before it ends"),
        ((0, 500.0, 600.0, "Walking"), "outside the recording"),
        ((1, 0.0, 3.0, "Walking"), "outside the recording"),
        ((0, float("nan"), 3.0, "Walking"), "begins before it ends"),
        ((0, 0.0, 3.0, "  "), "in 1 to 64 characters"),
        ((0, 0.0, 3.0, "x" * 65), "in 1 to 64 characters"),
        ((0, 0.0, 3.0, "row\x07ing"), "all of them printable"),
        ((0, 0.0, 3.0, "<b>x</b>"), "without “<” and “>”"),
        ((0, 0.0, 3.0, "Uncertain"), "“Uncertain” is no activity: it says that there is no answer"),
        *(((0, 0.0, 3.0, name), "is no activity: it says") for name in ("nan", "NULL", "None", "N/A", "unknown", "?")),
        *(((0, 0.0, 3.0, name), "Say in words what it was") for name in ("3", "-1.5", "²")),
    ],
)
def test_what_is_no_correction_is_refused_and_nothing_is_kept(
    own: Prediction, stretch: tuple[int, float, float, str], words: str
) -> None:
    result = recordings.result_of(own)
    with pytest.raises(Invalid, match=words):
        corrections.add(own.recording.user_id, own.recording, result, [(0, 0.0, 3.0, "Walking"), stretch])
    assert count(Correction) == 0


def test_downloads_say_what_was_learnt_from_and_which_windows_a_person_corrected(app: Flask, own: Prediction) -> None:
    stored = recordings.result_of(own)
    correct(own, stored, NEW, stored.activities[1])
    seen = view.view_of(own).result
    for table in (result_tables.windows, result_tables.bouts, result_tables.days, result_tables.totals):
        assert set(table(seen)["personal_windows"]) == {10}
        assert set(table(seen)["corrected_windows"]) == {10}
        assert set(table(stored)["personal_windows"]) == set(table(stored)["corrected_windows"]) == {0}
    assert result_tables.windows(seen)["corrected"].tolist() == [True] * 10 + [False] * 30
    (source,) = Source.of_all([(own.recording, "a.csv")])
    many = source.table("windows", time_zone("UTC"))
    assert many is not None
    assert set(many["personal_windows"]) == {10}


def test_moments_are_read_as_they_are_written() -> None:
    since = WallClock(3.0, 7203.0, None, time_zone("UTC"))
    assert since.read("0:01:03") == 66.0
    assert since.read(since.write_exactly(1234.567)) == pytest.approx(1234.567)
    assert since.read("1:03,5") == 66.5
    berlin = WallClock(0.0, 172_800.0, 1_747_000_800.0, time_zone("Europe/Berlin"))  # two days from midnight
    for moment in (0.0, 3661.25, 90_000.5):
        assert berlin.read(berlin.write_exactly(moment)) == pytest.approx(moment)
    assert berlin.read("01:00:00") == 3600.0
    assert berlin.read("13 May 01:00:00") == 90_000.0
    ends = WallClock(0.0, 10_800.0, 1_761_433_200.0, time_zone("Europe/Berlin"))  # 26 Oct 2025, 01:00: an hour twice
    assert ends.read("02:30:00") == 5400.0
    for text in ("", "noon", "25:00", "0:00:00:00", "²:00", "13 Foo 01:00:00", "9" * 50, "14:60:00", "25:00"):
        with pytest.raises(Exception, match="is not"):
            berlin.read(text)
    with pytest.raises(Exception, match="is not a time"):
        since.read("12 May 01:00:00")


def test_windows_of_a_stretch_are_those_whose_middle_is_in_it_whatever_their_order() -> None:
    rng = np.random.default_rng(0)
    _, result = a_day(0.13, labelled=False)
    n = len(result)
    start = rng.uniform(0, 60, n)
    result = replace(
        result,
        start_s=start,
        end_s=start + rng.uniform(1, 3, n),
        recording_index=rng.integers(0, 2, n),
        recording_ids=("a.csv", "b.csv"),
        origin_utc_s=(None, None),
    )
    middle = (result.start_s + result.end_s) / 2
    for recording in rng.integers(0, 2, 60).tolist():
        first, length = rng.uniform(-2, 62), rng.uniform(0, 9)
        said = (recording, first, first + length, "Walk")
        inside = (result.recording_index == recording) & (middle >= first) & (middle < first + length)
        if inside.any():
            assert result.windows_of(said).tolist() == np.flatnonzero(inside).tolist()
        else:
            assert len(result.windows_of(said)) <= 1
    assert not len(result.windows_of((2, 0.0, 60.0, "Walk")))


def test_of_stretches_over_one_another_the_last_is_seen_at_each_moment() -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"start_s": float(first), "end_s": float(first + length), "activity": str(number)}
        for number, (first, length) in enumerate(zip(rng.integers(0, 90, 40), rng.integers(1, 30, 40), strict=True))
    ]
    drawn = _one_after_the_other(rows)
    assert [row["start_s"] for row in drawn] == sorted(row["start_s"] for row in drawn)
    for moment in np.arange(0.5, 120):
        said = [row["activity"] for row in rows if row["start_s"] < moment < row["end_s"]]
        assert [row["activity"] for row in drawn if row["start_s"] < moment < row["end_s"]] == said[-1:]
