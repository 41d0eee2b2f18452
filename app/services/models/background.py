"""Work of seconds to minutes that a page begins: in a thread of the server, one of its kind at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from uuid import uuid4

from flask import Flask, current_app

from app.har.errors import HarError
from app.services import audit
from app.services.errors import Conflict, NotFound, ServiceError

log = logging.getLogger(__name__)

SOON_S = 1.0  # within which some work is done, so that no page of progress is needed


@dataclass
class Job:
    """One piece of work on a version of a model."""

    version_id: int
    what: str  # a subject, or what is made
    stage: str
    fraction: float = 0.0  # of the work, where that is known
    token: str = field(default_factory=lambda: uuid4().hex)
    started: float = field(default_factory=time.monotonic)
    done: Event = field(default_factory=Event, repr=False)
    made_id: int | None = None  # the version that shows what was made; None where nothing was
    message: str = ""  # what came of it

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started


class OneAtATime:
    """The work of one kind: whoever comes while another job goes on is told to wait; the last one is remembered.

    Parameters
    ----------
    busy : said to whoever comes in between.
    failed : said where an error was unexpected.
    """

    def __init__(self, busy: str, failed: str) -> None:
        self._busy, self._failed = busy, failed
        self._lock = Lock()
        self._last: Job | None = None

    def start(self, job: Job, work: Callable[[Job], None], soon_s: float) -> Job:
        """Begin a job; return at once, or within ``soon_s`` if it is done by then.

        Raises
        ------
        Conflict : another goes on.
        """
        with self._lock:
            if self._last is not None and not self._last.done.is_set():
                raise Conflict(self._busy)
            self._last = job
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        Thread(target=self._run, args=(app, job, work, audit.origin()), daemon=True).start()
        job.done.wait(soon_s)
        return job

    def get(self, token: str) -> Job:
        """Return the last job; earlier ones are over and forgotten."""
        if self._last is None or self._last.token != token:
            raise NotFound("This is over. The list of models shows what came of it.")
        return self._last

    def _run(self, app: Flask, job: Job, work: Callable[[Job], None], begun_by: audit.Origin) -> None:
        try:
            with app.app_context(), audit.acting(begun_by):
                work(job)
        except (HarError, ServiceError) as error:
            job.message = str(error)
        except Exception:  # the person must hear of it, whatever it was
            log.exception("a job on a model failed")
            job.message = self._failed
        finally:
            job.done.set()
