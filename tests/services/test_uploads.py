"""Uploads in no known layout: copied and looked at once, confirmed once, whatever fails on the way."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError

from app.extensions import Model, db
from app.har.recordings import tables
from app.har.recordings.mappings.mapping import ColumnMapping
from app.services.errors import Conflict, NotFound
from app.services.models import model_files
from app.services.personal import calibration, corrections
from app.services.recordings import known_walking, pending, recordings, uploads
from app.services.recordings.pending import PendingUpload
from app.tables import Correction, ModelVersion, Prediction, SavedMapping, StoredRecording, User
from tests.sealed import text_of
from tests.tables import labelled
from tests.trained import Example, recording_csv, register_model


def receive(user: User, name: str = "walk.csv", seconds: float = 12.0) -> PendingUpload:
    waiting = uploads.receive(user.id, name, io.BytesIO(labelled(seconds=seconds).encode()))
    assert isinstance(waiting, PendingUpload)
    return waiting


def guessed(waiting: PendingUpload) -> ColumnMapping:
    return uploads.preview(waiting).guess.mapping


def count(table: type[Model]) -> int:
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def kinds(app: Flask) -> list[str]:
    return sorted(folder.name.partition("-")[0] for folder in Path(app.config["UPLOADS"]).iterdir())


@contextmanager
def failing_commit() -> Iterator[None]:
    """Let the database fail at the very end of a transaction, as a full disk does."""

    def fail(session: object) -> None:
        raise OperationalError("COMMIT", None, Exception("database or disk is full"))

    event.listen(db.session, "before_commit", fail)
    try:
        with pytest.raises(OperationalError, match="full"):
            yield
    finally:
        event.remove(db.session, "before_commit", fail)


def test_a_confirmation_that_fails_leaves_the_upload_waiting_and_succeeds_later(
    app: Flask, user: User, model: ModelVersion
) -> None:
    waiting = receive(user)
    mapping = guessed(waiting)
    with failing_commit():
        uploads.confirm(waiting, mapping, "our watch")
    assert kinds(app) == ["pending"]
    assert text_of(waiting.source) == labelled()
    assert count(StoredRecording) == count(Prediction) == count(SavedMapping) == 0
    prediction = uploads.confirm(waiting, mapping, "our watch")
    assert kinds(app) == ["recording"]
    assert text_of(recordings.uploaded_file(prediction.recording)) == labelled()
    assert count(StoredRecording) == count(Prediction) == count(SavedMapping) == 1


def test_where_a_device_was_worn_is_kept_while_an_upload_waits_and_when_it_is_read_again(
    app: Flask, user: User, model: ModelVersion
) -> None:
    waiting = uploads.receive(user.id, "walk.csv", io.BytesIO(labelled().encode()), place="wrist")
    assert isinstance(waiting, PendingUpload)
    waiting = pending.get_pending(user.id, waiting.token)
    recording = uploads.confirm(waiting, guessed(waiting)).recording
    assert recording.place == "wrist"
    assert recordings.result_of(recording.predictions[0]).place == "wrist"
    assert uploads.reopen(user.id, recording.id).place == "wrist"
    known = uploads.receive(user.id, "arm.csv", io.BytesIO(recording_csv()), place="leg")
    assert isinstance(known, Prediction)
    assert known.recording.place == "leg"
    assert uploads.store_and_recognise(user.id, "a.csv", io.BytesIO(recording_csv())).recording.place is None


def test_the_recording_that_is_read_again_stays_when_its_confirmation_fails(
    app: Flask, user: User, model: ModelVersion
) -> None:
    waiting = receive(user)
    mapping = guessed(waiting)
    first = uploads.confirm(waiting, mapping).recording
    again = uploads.reopen(user.id, first.id)
    with failing_commit():
        uploads.confirm(again, mapping)
    assert recordings.get(user.id, first.id).filename == "walk.csv"
    assert kinds(app) == ["pending", "recording"]
    second = uploads.confirm(again, mapping).recording
    assert [recording.id for recording in recordings.list_recordings(user.id)] == [second.id]
    assert kinds(app) == ["recording"]


@pytest.mark.parametrize("same_length", [True, False])
def test_what_its_owner_said_of_a_recording_stays_when_it_is_read_again(
    app: Flask, user: User, model: ModelVersion, same_length: bool
) -> None:
    waiting = receive(user)
    mapping = guessed(waiting)
    first = uploads.confirm(waiting, mapping).recording
    recordings.describe(user.id, first.id, "Morning", "knee")
    result = recordings.result_of(first.predictions[0])
    corrections.add(user.id, first, result, [(0, 0.0, 6.0, "Walking")])
    kept = calibration.keep(user.id, "leg", [{"activity": "Walking", "start": 1e9, "end": 1e9 + 20}])
    calibration.give_recording(user.id, kept, first.id)
    known_walking.mark(first, True, (result.recording_ids[0], 0.0, 6.0))
    if not same_length:  # as with another unit of time
        first.facts = first.facts | {"minutes": 1000 * first.facts["minutes"]}
        db.session.commit()
    second = uploads.confirm(uploads.reopen(user.id, first.id), mapping).recording
    assert (second.title, second.notes) == ("Morning", "knee")
    assert [correction.activity for correction in corrections.of_recording(second)] == ["Walking"] * same_length
    assert [one.recording_id for one in calibration.list_calibrations(user.id)] == [second.id] * same_length
    assert known_walking.is_walking(second) is same_length
    assert count(Correction) == same_length


def test_a_recording_that_was_deleted_meanwhile_needs_no_replacing(app: Flask, user: User, model: ModelVersion) -> None:
    waiting = receive(user)
    mapping = guessed(waiting)
    again = uploads.reopen(user.id, uploads.confirm(waiting, mapping).recording_id)
    assert again.replaces is not None
    recordings.delete(user.id, again.replaces)
    uploads.confirm(again, mapping)
    assert count(StoredRecording) == 1


def test_of_two_presses_at_once_one_makes_the_recording(app: Flask, user: User, model: ModelVersion) -> None:
    waiting = receive(user)
    mapping = guessed(waiting)

    def press(_: int) -> str:
        with app.app_context():
            try:
                uploads.confirm(waiting, mapping, "our watch")
            except (Conflict, NotFound) as error:
                return str(error)
            return "stored"

    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(press, range(2)))
    assert outcomes.count("stored") == 1
    assert count(StoredRecording) == count(SavedMapping) == 1
    assert kinds(app) == ["recording"]


def test_a_second_press_finds_the_recording_of_the_first(app: Flask, user: User, model: ModelVersion) -> None:
    waiting = receive(user)
    assert uploads.confirmed(user.id, waiting.token) is None
    mapping = guessed(waiting)
    prediction = uploads.confirm(waiting, mapping)
    with pytest.raises(Conflict, match="being read already"):
        uploads.confirm(waiting, mapping)
    assert uploads.confirmed(user.id, waiting.token) is prediction.recording
    assert uploads.confirmed(user.id + 1, waiting.token) is None


def test_a_confirmation_is_one_transaction(app: Flask, user: User, model: ModelVersion) -> None:
    waiting = receive(user)
    mapping = guessed(waiting)
    again = uploads.reopen(user.id, uploads.confirm(waiting, mapping, "our watch").recording_id)
    commits: list[object] = []
    note = commits.append
    event.listen(db.session, "after_commit", note)
    uploads.confirm(again, mapping, "our watch")
    event.remove(db.session, "after_commit", note)
    assert len(commits) == 1
    assert count(StoredRecording) == count(Prediction) == count(SavedMapping) == 1


def test_an_upload_that_is_cancelled_while_it_is_recognised_leaves_nothing(
    app: Flask, user: User, model: ModelVersion, reads_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = receive(user)
    mapping, load = guessed(waiting), model_files.load

    def load_while_the_owner_cancels(folder: Path, label: str) -> object:
        pending.cancel(waiting)
        return load(folder, label)

    monkeypatch.setattr(model_files, "load", load_while_the_owner_cancels)
    with pytest.raises(NotFound, match="no longer waiting"):
        uploads.confirm(waiting, mapping)
    assert kinds(app) == []
    assert count(StoredRecording) == 0


def test_the_file_is_moved_and_never_copied_again(app: Flask, user: User, model: ModelVersion) -> None:
    waiting = receive(user)
    number = waiting.source.stat().st_ino
    prediction = uploads.confirm(waiting, guessed(waiting), "our watch")
    assert recordings.uploaded_file(prediction.recording).stat().st_ino == number


def test_a_file_with_a_saved_mapping_is_saved_and_looked_at_once(
    app: Flask, user: User, model: ModelVersion, reads_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = receive(user)
    uploads.confirm(waiting, guessed(waiting), "our watch")
    sniffed, sniff = [], tables.sniff

    def counted(head: bytes, name: str, **options: bool) -> object:
        sniffed.append(name)
        return sniff(head, name, **options)

    class Stream(io.BytesIO):
        total = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.total += len(data)
            return data

    monkeypatch.setattr(tables, "sniff", counted)
    stream = Stream(labelled().encode())
    prediction = uploads.receive(user.id, "second.csv", stream)
    assert isinstance(prediction, Prediction)
    assert prediction.recording.facts["mapping"]["name"] == "our watch"
    assert stream.total == len(stream.getvalue())
    assert sniffed == []  # its heading is that of the file before
    assert kinds(app) == ["recording", "recording"]


def test_an_upload_that_waits_since_an_earlier_version_can_be_confirmed(
    app: Flask, user: User, model: ModelVersion
) -> None:
    waiting = receive(user)
    note = json.loads(text_of(waiting.folder / pending.NOTE))
    note["version"] = note.pop("version_id")
    (waiting.folder / pending.NOTE).write_text(json.dumps(note))
    assert pending.get_pending(user.id, waiting.token) == waiting


def test_another_models_answer_that_cannot_be_stored_leaves_no_file(
    app: Flask, user: User, model: ModelVersion, example_model: Example, tmp_path: Path
) -> None:
    prediction = uploads.store_and_recognise(user.id, "a.csv", io.BytesIO(recording_csv()))
    other = register_model(example_model, tmp_path / "other", "clinic", promote=False)
    folder = recordings.folder_of(prediction.recording)
    before = sorted(folder.iterdir())
    with failing_commit():
        recordings.repredict(user.id, prediction.recording_id, other.id)
    assert sorted(folder.iterdir()) == before
    assert count(Prediction) == 1
    assert recordings.repredict(user.id, prediction.recording_id, other.id).model_label == "clinic/1"


def test_a_local_clock_is_read_in_the_zone_of_its_owner_for_whatever_shows_it(
    app: Flask, user: User, model: ModelVersion
) -> None:
    begins = datetime(2024, 6, 6, 12)
    wall = "".join(
        f"{begins + timedelta(seconds=i / 50):%Y-%m-%d %H:%M:%S.%f},{own}\n"
        for i, own in enumerate(line.partition(",")[2] for line in labelled().splitlines()[1:])
    )
    heading = labelled().partition("\n")[0].partition(",")[2]
    written = io.BytesIO(f"time,{heading}\n{wall}".encode())
    waiting = uploads.receive(user.id, "walk.csv", written, zone="Europe/Berlin")
    assert isinstance(waiting, PendingUpload)
    waiting = pending.get_pending(user.id, waiting.token)
    prediction = uploads.confirm(waiting, guessed(waiting))
    recording, noon = prediction.recording, datetime(2024, 6, 6, 10, tzinfo=timezone.utc)
    [card] = (recordings.quality_of(recording) or {})["cards"]
    assert (card["clock_zone"], card["start_utc"][:19]) == ("Europe/Berlin", "2024-06-06T10:00:00")
    assert recording.recorded == recordings.result_of(prediction).begins == noon
    again = uploads.reopen(user.id, recording.id)
    assert again.zone == "Europe/Berlin"
    assert recordings.result_of(uploads.confirm(again, guessed(again))).begins == noon
