"""A model that is made to forget somebody from the page: in a thread of the server, one at a time."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from uuid import uuid4

from flask import Flask, current_app

from app.services import audit
from app.services.errors import Conflict, NotFound, ServiceError
from app.services.models import forgetting

log = logging.getLogger(__name__)

SOON_S = 1.0  # within which most are done, so that no page of progress is needed


@dataclass
class Job:
    """One person who is being forgotten."""

    version_id: int
    subject: str
    token: str = field(default_factory=lambda: uuid4().hex)
    started: float = field(default_factory=time.monotonic)
    done: Event = field(default_factory=Event, repr=False)
    made_id: int | None = None  # the new version
    message: str = ""  # what came of it

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started


_lock = Lock()
_last: Job | None = None


def start(version_id: int, subject: str) -> Job:
    """Begin to make a version that has forgotten a person; return at once, or after a second if it is done by then.

    Raises
    ------
    Conflict : another is being made.
    Invalid : the model cannot forget this subject.
    """
    global _last
    forgetting.check(version_id, subject)
    with _lock:
        if _last is not None and not _last.done.is_set():
            raise Conflict("A model is forgetting somebody at this moment. Try again when it is done.")
        _last = job = Job(version_id, subject)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    Thread(target=_work, args=(app, job, audit.origin()), daemon=True).start()
    job.done.wait(SOON_S)
    return job


def get(token: str) -> Job:
    """Return the last job; earlier ones are over and forgotten."""
    if _last is None or _last.token != token:
        raise NotFound("This is over. The list of models shows what came of it.")
    return _last


def _work(app: Flask, job: Job, begun_by: audit.Origin) -> None:
    try:
        with app.app_context(), audit.acting(begun_by):
            made, certificate = forgetting.forget(job.version_id, job.subject)
            job.made_id, job.message = made.id, f"{made.label} is {certificate['model']} without subject {job.subject}."
    except ServiceError as error:
        job.message = str(error)
    except Exception:  # the person must hear of it, whatever it was
        log.exception("forgetting failed")
        job.message = "No version was made, because of an unexpected error. See the server's log for details."
    finally:
        job.done.set()
