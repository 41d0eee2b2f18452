"""What becomes of a live session that has ended: a recording, where the person agreed, or nothing.

The journal stays until the recording is there. What could not be made of it, because the disk is full or the server
died, is tried again.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from sqlalchemy import select, update

from app.extensions import db
from app.har.errors import HarError
from app.services import consents, keys, leftovers, sealing
from app.services.errors import Busy, Conflict, NoRoom
from app.services.live import hub, sessions
from app.services.live.streams import ENDING, Stream
from app.services.purposes import Purpose
from app.services.readers import pool
from app.services.recordings import uploads
from app.services.recordings.wall_clock import MONTHS
from app.services.transaction import transaction
from app.tables import LiveSession, Prediction

log = logging.getLogger(__name__)

KEEPER = "live_keeper"  # in `app.extensions`: the lock of the one thread that makes recordings
WRITE = "app.services.live.writing_task:write"
DRAFT = "recording.zip"  # in a session's folder, until it is read


def conclude(stream: Stream, reason: str) -> None:
    """See after a session that has ended: the page is told, and a recording is made in the background, or it goes."""
    _tell(stream.id, stream.user_id, stream.device, stream.place, stream.started, reason, stream.keeps, None)
    with transaction():
        of_it = update(LiveSession).where(LiveSession.id == stream.id)
        db.session.execute(of_it.values(facts=stream.row_facts()))
    if stream.keeps:
        _in_background()
    else:
        _done(stream.id)


def take_up() -> None:
    """At a server's start: go on with what was not done, and set aside folders that no row knows."""
    uploads_folder = Path(current_app.config["UPLOADS"])
    known = set(db.session.scalars(select(LiveSession.folder)))
    for folder in uploads_folder.glob(f"{sessions.PREFIX}*"):
        if folder.name not in known:
            leftovers.set_aside(folder, uploads_folder)
    retry()


def retry() -> None:
    """Try again what could not be concluded."""
    if _unconcluded():
        _in_background()


def _unconcluded() -> list[LiveSession]:
    """Return sessions that have ended, and of which something is left to do."""
    uploads_folder = Path(current_app.config["UPLOADS"])
    left = {path.name for path in uploads_folder.glob(f"{sessions.PREFIX}*")}
    if not left:
        return []
    rows = db.session.scalars(select(LiveSession).where(LiveSession.ended.is_not(None), LiveSession.folder.in_(left)))
    return list(rows)


def _in_background() -> None:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a thread needs the application
    lock: threading.Lock = app.extensions.setdefault(KEEPER, threading.Lock())
    if lock.locked():
        return  # it looks once more before it ends
    threading.Thread(target=_work, args=(app, lock), name="live keeper", daemon=True).start()


def _work(app: Flask, lock: threading.Lock) -> None:
    """Make recordings of all that have ended, one after the other."""
    with lock, app.app_context():
        tried: set[int] = set()
        while rows := [row for row in _unconcluded() if row.id not in tried]:
            tried.add(rows[0].id)
            try:
                conclude_row(rows[0])
            except (Busy, NoRoom, Conflict, OSError) as error:
                log.warning("live session %d becomes a recording later: %s", rows[0].id, error)
            except Exception:
                log.exception("live session %d could not become a recording", rows[0].id)
        db.session.remove()


def conclude_row(row: LiveSession) -> None:
    """Make a recording of a session that has ended, where its person agreed; then its journal goes.

    Raises
    ------
    Busy, NoRoom, Conflict : it is to be tried again.
    """
    folder = Path(current_app.config["UPLOADS"]) / row.folder
    files = sorted(folder.glob(f"*{ENDING}"))
    agreed = consents.holds(Purpose.LIVE, row.user_id) and consents.holds(Purpose.RECOGNITION, row.user_id)
    if row.keeps and row.recording_id is None and files and agreed:
        number, error = _recorded(row, folder, files)
        with transaction():
            row.recording_id = number
            if error:
                row.facts = {**row.facts, "not_kept": error}
    keeps, number = row.keeps, row.recording_id
    _done(row.id)
    if keeps:
        device = row.device
        _tell(row.id, row.user_id, device.name, device.place, row.started.timestamp(), row.end_reason, keeps, number)


def _recorded(row: LiveSession, folder: Path, files: list[Path]) -> tuple[int | None, str]:
    """Make a recording of a journal; return its number, or why there is none."""
    draft = folder / DRAFT
    at = row.started.astimezone()
    title = f"Live {at.day} {MONTHS[at.month - 1]} {at:%H:%M}"
    try:
        limits = pool.Limits(current_app.config["READ_TIMEOUT_S"], current_app.config["READ_MEMORY_MB"])
        draft.unlink(missing_ok=True)  # of a server that died
        job = {"files": [str(path) for path in files], "target": str(draft), "key": keys.of(row.user_id).as_dict()}
        pool.ask(WRITE, job, limits)
        with sealing.opened(draft) as file:
            outcome = uploads.receive(row.user_id, f"{title}{draft.suffix}", file, place=row.device.place or None)
    except HarError as error:  # it is too short, say; the file is kept for a day where refused ones are
        return None, str(error)
    finally:
        draft.unlink(missing_ok=True)
    if not isinstance(outcome, Prediction):
        return None, "Its sensors are not known."
    with transaction():
        outcome.recording.title = title
    return outcome.recording_id, ""


def _done(session_id: int) -> None:
    """Delete the journal of a session of which nothing is left to do."""
    row = db.session.get(LiveSession, session_id)
    if row is not None and (folder := Path(current_app.config["UPLOADS"]) / row.folder).exists():
        leftovers.delete(folder)


def _tell(
    session_id: int,
    user_id: int,
    device: str,
    place: str,
    started_s: float,
    reason: str,
    keeps: bool,
    number: int | None,
) -> None:
    data: dict[str, Any] = {"session": session_id, "device": device, "place": place, "started_s": started_s}
    hub.publish(user_id, "ended", {**data, "reason": reason, "keeps": keeps, "recording": number})
