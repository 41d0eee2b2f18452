"""Adding a data set from the page: a thread of the server converts it while the page shows how far it is.

What is known of an adding lives in memory: when the server goes away in mid-conversion, nothing of it is kept, and
``datasets.sweep_leftovers`` clears the disk at the next start.
"""

from __future__ import annotations

import logging
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from typing import IO, Any
from uuid import uuid4

from flask import Flask, current_app

from app.har.errors import HarError
from app.har.types import Event as ProgressEvent
from app.services import datasets
from app.services.errors import Conflict, Invalid, NotFound, ServiceError

log = logging.getLogger(__name__)

STAGES = {"waiting": "waiting for its turn", "reading": "reading and resampling"}
KEPT = 20  # finished or failed addings whose outcome can still be looked up
MEBIBYTE = 1024 * 1024

_addings: dict[str, Adding] = {}
_lock = Lock()


@dataclass
class Adding:
    """One data set on its way in, and how far it is."""

    name: str
    source: str  # the path, or what the person's file is called
    is_upload: bool
    token: str = field(default_factory=lambda: uuid4().hex)
    status: str = "running"  # then "finished" or "failed"
    stage: str = STAGES["waiting"]
    fraction: float | None = None
    message: str = ""  # why it failed
    http_status: int = 200  # what a page that shows it answers with
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    done: Event = field(default_factory=Event, repr=False)

    @property
    def elapsed_s(self) -> float:
        return (self.ended or time.monotonic()) - self.started

    def on_event(self, event: ProgressEvent) -> None:
        """Take a progress report of the conversion."""
        stage = str(event["stage"])
        self.stage = STAGES.get(stage, stage)
        self.fraction = event.get("fraction")

    def end(self, status: str, http_status: int, message: str = "") -> None:
        """Note the outcome."""
        self.status, self.http_status, self.message, self.ended = status, http_status, message, time.monotonic()
        self.done.set()

    def as_dict(self) -> dict[str, Any]:
        """Return what the progress page polls."""
        return {
            "name": self.name, "status": self.status, "stage": self.stage, "fraction": self.fraction,
            "elapsed_s": round(self.elapsed_s, 1), "message": self.message, "http": self.http_status,
        }  # fmt: skip


def start_adding(
    name: str, *, path: str = "", upload: IO[bytes] | None = None, filename: str = "", added_by_id: int | None = None
) -> Adding:
    """Begin to add what is at ``path`` on this machine, or the file that is uploaded, and return at once."""
    if (upload is None) == (not path):
        raise Invalid("Choose a file to upload or give a path on the server: one of the two.", field="path")
    datasets.check_name(name)
    if any(adding.name == name for adding in running()):
        raise Conflict(f"“{name}” is being added at this moment.")
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    adding = Adding(name, filename if upload else path, is_upload=upload is not None)
    received = _receive(upload, adding.token) if upload else None
    location = received or datasets.path_from_text(path)
    with _lock:
        _addings[adding.token] = adding
        for old in [token for token, each in _addings.items() if each.done.is_set()][:-KEPT]:
            del _addings[old]
    Thread(target=_work, args=(app, adding, location, received, added_by_id), daemon=True).start()
    return adding


def get(token: str) -> Adding:
    """Return the adding behind a progress page's address."""
    try:
        return _addings[token]
    except KeyError:
        raise NotFound(
            "This adding is not known any more: it is long over, or the server was started anew meanwhile. "
            "Nothing half-written was kept. If the data set is not in the list, add it again."
        ) from None


def running() -> list[Adding]:
    """Return what is being added at this moment."""
    return [adding for adding in list(_addings.values()) if not adding.done.is_set()]


def _receive(upload: IO[bytes], token: str) -> Path:
    path = Path(current_app.config["UPLOADS"]) / f"{datasets.UPLOAD_PREFIX}{token}"
    try:
        with path.open("xb") as file:
            shutil.copyfileobj(upload, file, MEBIBYTE)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _work(app: Flask, adding: Adding, path: Path, received: Path | None, added_by_id: int | None) -> None:
    outcome: tuple[str, int, str]
    with app.app_context():
        try:
            source = adding.source if adding.is_upload else None
            datasets.add(adding.name, path, source=source, added_by_id=added_by_id, on_event=adding.on_event)
            outcome = "finished", 200, ""
        except HarError as error:
            outcome = "failed", 422, str(error)
        except ServiceError as error:
            outcome = "failed", error.status, str(error)
        except Exception as error:  # the person must hear of it, whatever it was
            log.exception("adding data set %s failed", adding.name)
            what = error.strerror if isinstance(error, OSError) and error.strerror else "an unexpected error"
            outcome = "failed", 500, f"The data set was not added: {what}. The server's log says more."
        finally:
            if received:
                received.unlink(missing_ok=True)
    adding.end(*outcome)
