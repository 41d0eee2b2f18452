"""Corrections as a data set: of those who agreed, only what they corrected, and what cannot be in it is listed."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import replace
from zipfile import ZipFile

import numpy as np
import pytest
from flask import Flask, current_app
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.services.datasets import imports, library
from app.services.errors import Conflict, Invalid
from app.services.identity import deletion
from app.services.personal import consents, corrections, sharing, taken_back
from app.services.transaction import transaction
from app.tables import Consent, Prediction, TrainingRun, User
from app.tables.training_run import RunStatus
from tests.long_recording import a_day, store
from tests.services.conftest import a_user
from tests.services.test_audit import written


@pytest.fixture
def own(app: Flask, user: User) -> Prediction:
    """Return an hour of somebody who corrected two stretches and an instant of it."""
    signals, result = a_day(1.0, rate_hz=20.0)
    prediction = store(app, user.id, signals, result)
    said = [(0, 30.0, 60.0, "Walking"), (0, 300.0, 330.0, "Rowing"), (0, 400.0, 400.0, "Falling")]
    corrections.add(user.id, prediction.recording, result, said)
    return prediction


def shared() -> dict[str, str]:
    with ZipFile(io.BytesIO(b"".join(sharing.zipped()))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_the_archive_is_sent_after_the_request_is_over(
    app: Flask, own: Prediction, log_in: Callable[..., FlaskClient]
) -> None:
    consents.give(own.recording.user_id, consents.VERSION)
    content = log_in("adam", role="admin").get("/datasets/shared-corrections.zip").data
    assert len(ZipFile(io.BytesIO(content)).namelist()) == 1


def test_without_consent_nothing_is_seen_and_after_it_was_taken_back_nothing_either(own: Prediction) -> None:
    for agreed in (False, True, False):
        if agreed:
            consents.give(own.recording.user_id, consents.VERSION)
        else:
            consents.withdraw(own.recording.user_id)
        people, missing = sharing.overview()
        assert (len(people), len(missing)) == ((1, 1) if agreed else (0, 0))
        if not agreed:
            with pytest.raises(Conflict, match="Nobody shares"):
                sharing.zipped()


def test_only_the_corrected_stretches_are_in_it_under_a_made_up_name_and_the_rest_is_listed(
    app: Flask, own: Prediction
) -> None:
    consent = consents.give(own.recording.user_id, consents.VERSION)
    unreadable = store(app, own.recording.user_id, None, a_day(1.0, rate_hz=1.0)[1], "secret name.csv")
    corrections.add(own.recording.user_id, unreadable.recording, a_day(1.0, rate_hz=1.0)[1], [(0, 0.0, 30.0, "Sit")])
    files = shared()
    assert list(files) == [f"corrections/{consent.pseudonym}/recording-1-place-unknown.csv"]
    (text,) = files.values()
    rows = text.splitlines()
    assert rows[0] == "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z,activity"
    times, names = zip(*((float(row.split(",")[0]), row.split(",")[-1]) for row in rows[1:]), strict=True)
    assert len(rows) == 1 + 2 * 30 * 20
    assert all(30 <= time < 60 or 300 <= time < 330 for time in times)
    assert set(names[: 30 * 20]) == {"Walking"}
    assert set(names[30 * 20 :]) == {"Rowing"}
    for text in (*files, *files.values()):
        assert "ursula" not in text
        assert "day.csv" not in text
    (person,), missing = sharing.overview()
    assert (person.name, person.recordings) == (consent.pseudonym, 1)
    assert person.minutes == {"Walking": pytest.approx(0.5), "Rowing": pytest.approx(0.5)}
    assert [(one.activity, one.missing) for one in missing] == [
        ("Falling", "an instant, which has no signal of its own"),
        ("Sit", "no signal is stored of this recording"),
    ]


def test_a_stretch_counts_once_and_only_as_long_as_the_recording_is(own: Prediction) -> None:
    user_id, result = own.recording.user_id, a_day(1.0, rate_hz=20.0)[1]
    consents.give(user_id, consents.VERSION)
    corrections.add(user_id, own.recording, result, [(0, 30.0, 60.0, "Walking"), (0, 315.0, 330.0, "Walking")])
    ((person,), _) = sharing.overview()
    assert person.minutes == {"Rowing": pytest.approx(0.25), "Walking": pytest.approx(0.75)}
    (far,) = corrections.add(user_id, own.recording, result, [(0, 1.0, 9999 * 3600.0, "Running")])
    assert (far.start_s, far.end_s) == (1.0, float(result.end_s.max()))
    ((person,), _) = sharing.overview()
    assert person.minutes == {"Running": pytest.approx((far.end_s - 1.0) / 60)}


def test_an_administrator_makes_a_data_set_that_can_be_trained_on_and_hears_when_consent_is_taken_back(
    own: Prediction,
) -> None:
    user_id, chief = own.recording.user_id, a_user("chief", role="admin")
    consent = consents.give(user_id, consents.VERSION)
    with pytest.raises(Invalid):
        sharing.make_dataset("no name!", chief.id)
    assert consents.current(user_id).copies == {}  # type: ignore[union-attr]
    job = sharing.make_dataset("corrections", chief.id)
    assert job.done.wait(60)
    assert (job.status, job.message) == (imports.ImportStatus.FINISHED, "")
    signals = library.open_dataset(library.get("corrections")).signals
    assert (signals.subjects, set(signals.activities)) == ((consent.pseudonym,), {"Walking", "Rowing"})
    assert np.count_nonzero(signals.labels >= 0) == pytest.approx(2 * 30 * 20, abs=4)
    assert taken_back.copies_of(consent) == [taken_back.Copy("corrections", is_there=True, holds_them=True)]
    assert taken_back.outstanding() == []  # the consent holds
    library.rename("corrections", "walks")
    consents.withdraw(user_id)
    assert taken_back.outstanding() == [("walks", consent.pseudonym)]
    assert taken_back.take_out()
    assert taken_back.copies_of(consent) == [
        taken_back.Copy("walks", is_there=False, holds_them=False)
    ]  # nobody is left


def somebody_else(app: Flask, said: list[tuple[int, float, float, str]]) -> Consent:
    """Return the consent of another person who corrected an hour of theirs."""
    other = a_user("vera")
    signals, result = a_day(1.0, rate_hz=20.0)
    signals = replace(signals, signal=np.asarray(signals.signal) * 1.01)  # or it would be left out as a copy
    corrections.add(other.id, store(app, other.id, signals, result).recording, result, said)
    return consents.give(other.id, consents.VERSION)


def test_who_takes_consent_back_is_taken_out_of_the_data_sets_and_the_others_stay(app: Flask, own: Prediction) -> None:
    chief, mine = a_user("chief", role="admin"), consents.give(own.recording.user_id, consents.VERSION)
    theirs = somebody_else(app, [(0, 30.0, 90.0, "Sitting"), (0, 300.0, 360.0, "Walking")])
    job = sharing.make_dataset("both", chief.id)
    assert job.done.wait(60)
    before = library.open_dataset(library.get("both")).signals
    folder = library.store_folder(library.get("both"))
    assert set(before.subjects) == {mine.pseudonym, theirs.pseudonym}
    with transaction() as session:
        run = TrainingRun(config={"dataset": "both"}, dataset_id=library.get("both").id, status=RunStatus.RUNNING)
        run.result = {"split": {"subjects": {"train": [mine.pseudonym], "test": [theirs.pseudonym]}}}
        session.add(run)
    consents.withdraw(own.recording.user_id)
    assert not taken_back.take_out()  # a training reads it
    assert set(library.open_dataset(library.get("both")).signals.subjects) == {mine.pseudonym, theirs.pseudonym}
    with transaction():
        run.status = RunStatus.FINISHED
    assert taken_back.take_out()
    after = library.open_dataset(library.get("both")).signals
    assert set(after.subjects) == {theirs.pseudonym}
    assert set(after.activities) == {"Sitting", "Walking"}
    kept = np.array([subject == theirs.pseudonym for subject in before.subjects])[before.recording]
    rows = np.concatenate([np.arange(i, i + n) for i, n in zip(before.first[kept], before.length[kept], strict=True)])
    np.testing.assert_allclose(after.signal, before.signal[rows], atol=1e-4)
    assert after.sampling_rate_hz == before.sampling_rate_hz
    assert not folder.exists()
    assert taken_back.copies_of(mine) == [taken_back.Copy("both", is_there=True, holds_them=False)]
    assert taken_back.copies_of(theirs) == [taken_back.Copy("both", is_there=True, holds_them=True)]
    assert taken_back.learnt_from(mine) == [taken_back.Learnt(run.id, ())]
    assert taken_back.outstanding() == []


def test_the_pages_say_what_became_of_what_was_shared(
    app: Flask, own: Prediction, log_in: Callable[..., FlaskClient]
) -> None:
    mine = consents.give(own.recording.user_id, consents.VERSION)
    consents.note_copy(library.EXAMPLE_NAME, [mine.id])
    consents.note_copy("gone", [mine.id])
    library.ensure_embedded_example()
    with transaction() as session:
        session.add(TrainingRun(config={}, result={"people": [mine.pseudonym]}, status=RunStatus.FINISHED))
    consents.withdraw(own.recording.user_id)
    seen = log_in("adam", role="admin").get("/datasets/shared-corrections").text
    for words in (mine.pseudonym, ">Training 1</a> learnt from them", "(taken out)", "gone (removed)"):
        assert words in seen


def test_with_the_account_the_name_goes_from_the_consent_and_data_sets_lose_what_was_shared(own: Prediction) -> None:
    user_id, chief = own.recording.user_id, a_user("chief", role="admin")
    consents.give(user_id, consents.VERSION)
    job = sharing.make_dataset("corrections", chief.id)
    assert job.done.wait(60)
    deletion.delete_other(chief.id, user_id)
    consent = db.session.scalars(select(Consent).filter_by(purpose="training")).one()
    assert (consent.user_id, consent.withdrawn is None) == (None, False)
    assert soon_gone()
    assert consents.holding() == []


def soon_gone() -> bool:
    """Wait for the thread that takes people out; say whether no data set is left."""
    for _ in range(200):
        db.session.expire_all()
        if not library.list_datasets():
            return True
        time.sleep(0.05)
    return False


def test_who_takes_consent_back_while_the_data_set_is_made_is_taken_out_of_it_too(own: Prediction) -> None:
    consents.give(own.recording.user_id, consents.VERSION)
    job = sharing.make_dataset("corrections", a_user("chief", role="admin").id)
    consents.withdraw(own.recording.user_id)
    assert job.done.wait(60)
    assert soon_gone()


def test_who_agreed_to_another_text_is_asked_again(own: Prediction, monkeypatch: pytest.MonkeyPatch) -> None:
    user_id = own.recording.user_id
    first = consents.give(user_id, consents.VERSION)
    assert consents.give(user_id, consents.VERSION) is first
    with pytest.raises(Conflict, match="The text has changed"):
        consents.give(user_id, consents.VERSION + 1)
    monkeypatch.setattr(consents, "VERSION", consents.VERSION + 1)
    monkeypatch.setattr(consents, "HOLDING", frozenset({consents.VERSION}))
    assert consents.current(user_id) is None
    assert sharing.overview() == ([], [])


def test_acceleration_gets_back_the_gravity_that_the_everyday_model_looks_at_by_itself() -> None:
    signal = np.arange(9, dtype=np.float32)[None, :]
    channels = tuple(f"{sensor}_{axis}" for sensor in ("acc", "gyro", "gravity") for axis in "xyz")
    whole, kept = sharing._with_gravity(signal, channels)
    assert kept == channels[:6]
    assert whole.tolist() == [[6.0, 8.0, 10.0, 3.0, 4.0, 5.0]]


def test_the_audit_log_says_who_agreed_and_who_looked_without_a_signal(own: Prediction) -> None:
    consents.give(own.recording.user_id, consents.VERSION)
    sharing.overview()
    text = written(current_app)
    for action in ("recording corrected", "consent given", "shared corrections read"):
        assert f'"action":"{action}"' in text
    assert "Rowing" not in text
