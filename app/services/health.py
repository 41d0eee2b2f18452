"""Whether a server does its work, and how much it has to do: of nobody in particular."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db
from app.services import database, installation, postgresql, room
from app.services.alarms import outbox
from app.services.backups import moment
from app.services.errors import NoRoom, ServiceError
from app.services.live import engine, sessions
from app.tables import Notice, TrainingRun
from app.tables.training_run import RunStatus


def problems() -> dict[str, str]:
    """Return of each thing that must work what is wrong with it; nothing, where all is well."""
    return {name: why for name, look in CHECKS.items() if (why := look())}


def _database() -> str:
    try:
        at = installation.revision()
    except (SQLAlchemyError, ServiceError):
        db.session.rollback()
        return "the database does not answer"
    return "" if at == installation.latest_revision() else "the database is of another version"


def _disk() -> str:
    try:
        for folder in moment.roots().values():
            room.require(folder)
    except NoRoom:
        return "less than the reserve is free"
    return ""


def _engine() -> str:
    stuck = (beat := engine_beat_s()) is not None and beat > engine.STUCK_S
    return "live sessions are not recognised" if stuck else ""


CHECKS: dict[str, Callable[[], str]] = {"database": _database, "disk": _disk, "engine": _engine}


def engine_beat_s() -> float | None:
    """Return how long ago the live engine was done with what there was; None where it does not run."""
    found: engine.Engine | None = current_app.extensions.get(engine.ENGINE)
    return None if found is None else time.monotonic() - found.beat


def live_waits_s() -> list[float]:
    """Return for each live session how long what came in has waited to be recognised (s)."""
    at, live = time.time(), current_app.extensions.get(sessions.LIVE)  # nobody has begun one: nothing to look up
    running = live.running() if live is not None else []
    return [max(at - stream.waits_since, 0.0) if stream.queue else 0.0 for stream in running]


def messages() -> dict[str, int]:
    """Return how many messages of alarms and events there are, by their state."""
    rows = db.session.execute(select(Notice.state, func.count()).group_by(Notice.state))
    counted = {row[0]: row[1] for row in rows}
    states = (outbox.WAITING, outbox.CLAIMED, outbox.SENT, outbox.DEAD)
    return {state: counted.get(state, 0) for state in states}


def oldest_message_s() -> float:
    """Return for how long the oldest message that nobody has sent yet is there (s)."""
    oldest = db.session.scalar(
        select(func.min(Notice.created)).where(Notice.state.in_((outbox.WAITING, outbox.CLAIMED)))
    )
    return max(time.time() - oldest.timestamp(), 0.0) if oldest else 0.0


def trainings() -> dict[str, int]:
    """Return how many trainings there are, by their state."""
    rows = db.session.execute(select(TrainingRun.status, func.count()).group_by(TrainingRun.status))
    counted = {row[0]: row[1] for row in rows}
    return {status.value: counted.get(status, 0) for status in RunStatus}


def free_bytes() -> dict[str, int]:
    """Return what is free where each of the home's folders is."""
    return {name: shutil.disk_usage(folder).free for name, folder in moment.roots().items()}


def database_bytes() -> int:
    """Return the size of the database with what is in the file beside it; 0 of a server that does not answer."""
    if postgresql.is_used():
        try:
            return postgresql.size()
        except (SQLAlchemyError, ServiceError):
            db.session.rollback()
            return 0
    file = database.home_file()
    return sum(path.stat().st_size for path in (file, file.with_name(f"{file.name}-wal")) if path.exists())


def last_backup() -> float:
    """Return when the newest backup was written (Unix seconds), 0 without one."""
    file = moment.last_file()
    return file.stat().st_mtime if file.exists() else 0.0
