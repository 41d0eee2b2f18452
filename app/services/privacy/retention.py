"""For how long what is kept: days by kind, set by an administrator, shown before anything goes, applied by itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import delete, func, select

from app.extensions import db
from app.services import audit
from app.services.audit import Action
from app.services.errors import Invalid, NotFound, ServiceError
from app.services.live import sessions
from app.services.recordings import recordings
from app.services.transaction import BACKGROUND_WAIT_S, rows_changed, transaction
from app.tables import Alarm, LiveSession, Notice, Retention, StoredRecording, UploadAttempt
from app.tables._columns import now

log = logging.getLogger(__name__)

EACH_S = 3600.0  # how often what is too old is looked for
LONGEST = 36_500  # days
DIGITS = 20  # of a number that is looked at
AT_ONCE = 500  # rows of one kind, each time


@dataclass(frozen=True)
class Kind:
    """What is kept for a time."""

    title: str
    since: str  # from when it counts
    old: Callable[[int], Any]  # its rows that are older than so many days: number, whose


@dataclass(frozen=True)
class Preview:
    """What a rule would delete now."""

    kind: str
    title: str
    since: str
    days: int | None  # None: it is kept until somebody deletes it
    rows: int
    people: int


def _before(days: int) -> datetime:
    return now() - timedelta(days=days)


def _recordings(days: int) -> Any:  # a statement; SQLAlchemy 2.0 and 2.1 name its type differently
    own = select(StoredRecording.id, StoredRecording.user_id)
    return own.where(StoredRecording.created < _before(days))


def _live(days: int) -> Any:  # a statement; SQLAlchemy 2.0 and 2.1 name its type differently
    return select(LiveSession.id, LiveSession.user_id).where(LiveSession.ended < _before(days))


def _alarms(days: int) -> Any:  # a statement; SQLAlchemy 2.0 and 2.1 name its type differently
    return select(Alarm.id, Alarm.user_id).where(Alarm.state == "closed", Alarm.created < _before(days))


def _notices(days: int) -> Any:  # a statement; SQLAlchemy 2.0 and 2.1 name its type differently
    done = select(Notice.id, Notice.target_id).where(Notice.state.not_in(("waiting", "claimed")))
    return done.where(Notice.created < _before(days))


def _attempts(days: int) -> Any:  # a statement; SQLAlchemy 2.0 and 2.1 name its type differently
    failed = select(UploadAttempt.id, UploadAttempt.user_id).where(UploadAttempt.reason.is_not(None))
    return failed.where(UploadAttempt.created < _before(days))


KINDS: Mapping[str, Kind] = {
    "recordings": Kind("Recordings, with results and corrections", "since they were uploaded", _recordings),
    "live": Kind("Live sessions that have ended", "since their end", _live),
    "alarms": Kind("Alarms that are closed, with their steps", "since they began", _alarms),
    "messages": Kind("Messages of alarms and events that were sent or given up", "since they were written", _notices),
    "attempts": Kind("Uploads that could not be read", "since they were tried", _attempts),
}


def rules() -> dict[str, int]:
    """Return the days of each kind that has some."""
    return {row.kind: row.days for row in db.session.scalars(select(Retention))}


def preview(changed: Mapping[str, int | None] | None = None) -> list[Preview]:
    """Return what each rule would delete now, with other days where some are given."""
    days = {**rules(), **(changed or {})}
    return [_preview(name, kind, days.get(name)) for name, kind in KINDS.items()]


def _preview(name: str, kind: Kind, days: int | None) -> Preview:
    rows = people = 0
    if days is not None:
        old = kind.old(days).subquery()
        counted = select(func.count(), func.count(func.distinct(old.c[1]))).select_from(old)
        rows, people = db.session.execute(counted).one()
    return Preview(name, kind.title, kind.since, days, rows, people)


def checked(days: Mapping[str, str]) -> dict[str, int | None]:
    """Return days as somebody wrote them; nothing means until it is deleted.

    Raises
    ------
    Invalid : of a kind, it is no whole number of days.
    """
    found: dict[str, int | None] = {}
    for name, text in days.items():
        text = text.strip()
        if text and not (text.isascii() and text.isdigit() and len(text) <= DIGITS and 0 < int(text) <= LONGEST):
            raise Invalid(f"Days are a whole number from 1 to {LONGEST:,}; found {text[:20]!r}.", name)
        if name in KINDS:
            found[name] = int(text) if text else None
    return found


def change(days: Mapping[str, int | None]) -> None:
    """Keep for how long what is kept; it is applied within the hour."""
    before = rules()
    with transaction() as session:
        for name, number in days.items():
            session.execute(delete(Retention).where(Retention.kind == name))
            if number is not None:
                session.add(Retention(kind=name, days=number))
    changed = {name: number for name, number in days.items() if before.get(name) != number}
    if changed:
        details: dict[str, Any] = {name: number or "until deleted" for name, number in changed.items()}
        audit.record(Action.RETENTION_CHANGED, **details)


def apply() -> dict[str, int]:
    """Delete what is too old; return how many of each kind."""
    done: dict[str, Any] = {}
    for name, days in rules().items():
        if name in KINDS and (number := _apply(name, days)):
            done[name] = number
    if done:
        audit.record(Action.RETENTION_APPLIED, **done)
    return done


def _apply(name: str, days: int) -> int:
    rows = db.session.execute(KINDS[name].old(days).limit(AT_ONCE)).all()
    numbers = [number for number, _ in rows]
    if name == "recordings":
        for number, user_id in rows:
            with suppress(NotFound):  # its owner has deleted it meanwhile
                recordings.delete(user_id, number)
    elif name == "live":
        folders = db.session.scalars(select(LiveSession.folder).where(LiveSession.id.in_(numbers))).all()
        with transaction(BACKGROUND_WAIT_S):
            db.session.execute(delete(LiveSession).where(LiveSession.id.in_(numbers)))
        sessions.delete_folders(sessions.folder_named(folder) for folder in folders)
    else:
        table: Any = {"alarms": Alarm, "messages": Notice, "attempts": UploadAttempt}[name]
        with transaction(BACKGROUND_WAIT_S):
            return rows_changed(delete(table).where(table.id.in_(numbers)))
    return len(rows)


def start(app: Flask) -> Callable[[], None]:
    """Begin to delete what is too old, in a thread of the server; return what ends that."""
    stopped = threading.Event()
    threading.Thread(target=_work, args=(app, stopped), name="retention", daemon=True).start()
    return stopped.set


def _work(app: Flask, stopped: threading.Event) -> None:
    while not stopped.wait(EACH_S):
        with app.app_context():
            try:
                while apply() and not stopped.is_set():
                    pass
            except ServiceError as error:
                log.warning("what is kept too long waits: %s", error)
            except Exception:
                log.exception("deleting what is kept too long failed")
