"""The cohorts that administrators run from the site: one at a time, in a process of its own, followed by a thread.

Each is a folder of ``instance/cohorts/``, by number: what was asked (``cohort.json``), what came of it
(``outcome.json``), the tables, and what is kept between two runs. No row of the database knows it, and no account owns
it: it is of the lab, as data sets are, and only administrators see it.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from flask import Flask, current_app

from app.har.errors import HarError
from app.services import audit, leftovers, room
from app.services.audit import Action
from app.services.cohorts import people, report, tables
from app.services.cohorts.child import LISTING
from app.services.cohorts.cluster import Where
from app.services.cohorts.job import Job
from app.services.cohorts.kept import Counts, Kept, Line
from app.services.cohorts.running import Event, job_for, started
from app.services.datasets import library
from app.services.errors import Conflict, Invalid, NotFound, ServiceError
from app.services.files import written_whole
from app.services.formatting import duration
from app.services.paging import Page, page_of
from app.tables._columns import now

log = logging.getLogger(__name__)

TABLE = "cohort.parquet"
ASKED, OUTCOME, STOP, LOG, LAST = "cohort.json", "outcome.json", "stop", "run.log", "last"
TABLES = {"files": "", "bouts": tables.BOUTS, "days": tables.DAYS, "failures": tables.FAILURES}
LINES_A_PAGE = 50
RUNNING, FINISHED, STOPPED, FAILED, INTERRUPTED = "running", "finished", "stopped", "failed", "interrupted"
MOST_WORKERS = os.cpu_count() or 1


@dataclass
class _Running:
    """The run that goes on in this process."""

    number: int
    event: Event = field(default_factory=lambda: {"stage": LISTING})
    began: datetime = field(default_factory=now)


@dataclass(frozen=True)
class Cohort:
    """What is known of one."""

    number: int
    folder: Path
    job: Job
    workers: int
    created: datetime
    status: str
    reason: str

    @property
    def title(self) -> str:
        """Return what pages call it."""
        return f"Cohort {self.number}: {Path(self.job.folder).name}"

    @property
    def kept(self) -> Kept | None:
        """Return the answers so far, None before the first."""
        path = tables.beside(self.folder / TABLE, tables.ANSWERS)
        return Kept(path) if path.exists() else None


_lock = Lock()
_running: _Running | None = None


def root() -> Path:
    """Return the folder of all cohorts."""
    path = Path(current_app.config["INSTANCE"]) / "cohorts"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def start(folder: str, model: str, workers: int, place: str, age: str, zone: str, people: str) -> int:
    """Begin a cohort, and return its number.

    Raises
    ------
    Invalid : what was entered.
    Conflict : another runs.
    NoRoom : the disk is nearly full.
    """
    job = job_for(library.path_from_text(folder), model, place=place, age=age, zone=zone, people=people, by_page=True)
    if not 1 <= workers <= MOST_WORKERS:
        raise Invalid(f"This machine has {MOST_WORKERS} cores: expected 1 to {MOST_WORKERS}.", field="workers")
    room.require(root())
    with _lock:
        _refuse_second()
        number = _next_number()
        home = root() / str(number)
        home.mkdir(mode=0o700)
        asked = {"job": job.as_dict(), "workers": workers, "created": now().isoformat()}
        _write(home / ASKED, asked)
        _begin(number, again=False)
    return number


def go_on(number: int, *, again: bool = False) -> None:
    """Run a cohort once more: what is missing, what has changed, and with ``again`` what failed.

    Raises
    ------
    Conflict : one runs, or the folder may no longer be read.
    """
    reach = library.page_reach()  # of today: the settings may have changed since the cohort was begun
    with _lock:
        _refuse_second()
        cohort = get(number)
        if not reach.allows(Path(cohort.job.folder)):
            raise Conflict("The folder of this cohort may no longer be read: DATA_FOLDERS does not name it.")
        job = replace(cohort.job, within=tuple(map(str, reach.within or ())), outside=tuple(map(str, reach.outside)))
        asked = {"job": job.as_dict(), "workers": cohort.workers, "created": cohort.created.isoformat()}
        _write(cohort.folder / ASKED, asked)
        _begin(number, again=again)


def _refuse_second() -> None:
    if _running is not None:
        raise Conflict(f"Cohort {_running.number} runs at this moment. Wait for its end, or stop it on its page.")


def _next_number() -> int:
    last = root() / LAST
    number = int(last.read_text(encoding="ascii")) + 1 if last.exists() else 1
    with written_whole(last) as draft:
        draft.write_text(str(number), encoding="ascii")
    return number


def _begin(number: int, *, again: bool) -> None:
    global _running
    cohort = get(number)
    for name in (STOP, OUTCOME):
        (cohort.folder / name).unlink(missing_ok=True)
    _running = _Running(number)
    audit.record(Action.COHORT_STARTED, f"cohort {number}", folder=cohort.job.folder, model=cohort.job.model.label)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    Thread(
        target=_work, args=(app, cohort, _running, again, audit.origin()), name=f"cohort-{number}", daemon=True
    ).start()


def _work(app: Flask, cohort: Cohort, running: _Running, again: bool, begun_by: audit.Origin) -> None:
    global _running
    with app.app_context(), audit.acting(begun_by):
        outcome = {"status": FAILED, "reason": "See the server's log for details."}
        try:
            outcome = _follow(cohort, running, again)
        except (HarError, ServiceError) as error:
            outcome["reason"] = str(error)
        except Exception:  # an administrator must hear of it, whatever it was
            log.exception("cohort %d failed", cohort.number)
        finally:
            try:
                if cohort.folder.exists():
                    _write(cohort.folder / OUTCOME, outcome)
            except OSError as error:
                log.error("the outcome of cohort %d cannot be written: %s", cohort.number, error)
            audit.record(Action.COHORT_ENDED, f"cohort {cohort.number}", status=outcome["status"])
            with _lock:
                _running = None


def _follow(cohort: Cohort, running: _Running, again: bool) -> dict[str, str]:
    def on_event(event: Event) -> None:
        running.event = event

    where, stop, out = Where(cohort.workers), cohort.folder / STOP, cohort.folder / TABLE
    with started(cohort.job, out, where, stop, cohort.folder / LOG, again=again) as process:
        ended = process.follow(on_event)
    reason = "Stopped before its end; what was recognised is kept." if ended.stopped else ""
    return {"status": STOPPED if ended.stopped else FINISHED, "reason": reason}


def stop(number: int) -> None:
    """Ask a cohort that runs to end; what is recognised at that moment is lost, what was is kept."""
    cohort = get(number)
    if cohort.status == RUNNING:
        (cohort.folder / STOP).touch()
        audit.record(Action.COHORT_STOPPED, f"cohort {number}")


def delete(number: int) -> None:
    """Delete a cohort with all that was recognised; the recordings stay where they are.

    Raises
    ------
    Conflict : it runs.
    """
    with _lock:  # so that none begins meanwhile
        cohort = get(number)
        if cohort.status == RUNNING:
            raise Conflict("This cohort runs. Stop it first.")
        leftovers.delete(cohort.folder)
    audit.record(Action.COHORT_DELETED, f"cohort {number}")


def get(number: int) -> Cohort:
    """Return a cohort.

    Raises
    ------
    NotFound : there is none of this number.
    """
    folder = root() / str(number)
    try:
        asked = json.loads((folder / ASKED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise NotFound(f"There is no cohort {number}.") from None
    status, reason = INTERRUPTED, "The server was stopped or restarted meanwhile; what was recognised is kept."
    if _running is not None and _running.number == number:
        status, reason = RUNNING, ""
    elif (folder / OUTCOME).exists():
        outcome = json.loads((folder / OUTCOME).read_text(encoding="utf-8"))
        status, reason = outcome["status"], outcome["reason"]
    job, created = Job.from_dict(asked["job"]), datetime.fromisoformat(asked["created"])
    return Cohort(number, folder, job, asked["workers"], created, status, reason)


def list_cohorts() -> list[Cohort]:
    """Return all cohorts, the newest first."""
    numbers = [int(path.name) for path in root().iterdir() if path.name.isdecimal() and (path / ASKED).exists()]
    return [get(number) for number in sorted(numbers, reverse=True)]


def counts(cohort: Cohort) -> Counts:
    """Return how far it is."""
    return cohort.kept.counts() if cohort.kept else Counts(0, 0, 0, 0, 0)


def progress(number: int) -> dict[str, Any]:
    """Return how far a cohort is, for the page's script."""
    cohort, running = get(number), _running
    if cohort.status != RUNNING or running is None:
        return {"status": cohort.status}
    event = running.event
    stage: str = event["stage"]
    if "files" in event:
        done = event["answered"] + event["failed"]
        stage += f": {done:,} of {event['files']:,} files, {event['failed']:,} failed"
    if event.get("remaining_s") is not None:
        stage += f", about {duration(event['remaining_s'])} remaining"
    elapsed_s = (now() - running.began).total_seconds()
    fraction = event.get("fraction", 0.0)
    return {"status": RUNNING, "stage": stage, "fraction": fraction, "elapsed": duration(elapsed_s)}


def lines(cohort: Cohort, number: int, *, failed: bool) -> Page[Line]:
    """Return a page of the recordings that were recognised, or that failed."""
    kept, counted = cohort.kept, counts(cohort)
    total = counted.failed if failed else counted.answered
    return page_of(total, number, LINES_A_PAGE, lambda start, stop: kept.lines(failed, start, stop) if kept else [])


def table(cohort: Cohort, which: str, kind: str) -> bytes:
    """Return one of the `TABLES` as "parquet" or "csv".

    Raises
    ------
    NotFound : there is none yet.
    """
    if which not in TABLES or kind not in ("parquet", "csv"):
        raise NotFound("There is no such table.")
    out = cohort.folder / TABLE
    path = tables.beside(out, TABLES[which]) if TABLES[which] else out
    if not path.exists():
        raise NotFound("The tables are written when a run ends, or is stopped.")
    return path.read_bytes() if kind == "parquet" else tables.as_csv(path)


def figure(cohort: Cohort) -> bytes:
    """Return how people differ in what they did, as SVG."""
    from app.har.training.plots import picture
    from app.services.cohorts import figures

    if cohort.kept is None or not (found := people.people_of(cohort.kept)).people:
        raise NotFound("Nothing was recognised yet.")
    return picture(figures.shares(found, found.answers).figure, "svg")


def anonymised(cohort: Cohort) -> str:
    """Return the report that may leave the lab."""
    return report.report(tables.beside(cohort.folder / TABLE, tables.ANSWERS))


def _write(path: Path, document: dict[str, Any]) -> None:
    with written_whole(path) as draft:
        draft.write_text(json.dumps(document), encoding="utf-8")
