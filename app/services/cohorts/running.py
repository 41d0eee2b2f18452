"""Starting the process that runs a cohort, and following it: for a command as for the site."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import current_app

from app.har.errors import HarError
from app.har.measures.cut_points import AGES
from app.services.cohorts.cluster import Where
from app.services.cohorts.job import Job, check_people
from app.services.datasets import library
from app.services.environment import without_secrets
from app.services.errors import Conflict, Invalid
from app.services.recordings import reading
from app.services.recordings.places import PLACES
from app.services.recordings.wall_clock import time_zone

if TYPE_CHECKING:
    from app.har.recordings.mappings.mapping import ColumnMapping

ROOT = Path(__file__).resolve().parents[3]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
LOG = "run.log"
Event = dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """What came of a run."""

    files: int
    answered: int
    failed: int
    new: int  # of them, in this run
    stopped: bool  # before all were done
    processor_s: float  # of the process that handed them out, without the workers


def job_for(
    folder: Path,
    model: str | None,
    *,
    place: str = "",
    age: str = "",
    zone: str = "UTC",
    people: str = "folder",
    by_page: bool = False,
    mapping: ColumnMapping | None = None,
) -> Job:
    """Return a job of what a person asked for.

    Parameters
    ----------
    model : name/version, or a name for its newest version; None is the default one.
    by_page : only what administrators may read by path.
    mapping : what the columns are, of files in no known layout.

    Raises
    ------
    NotFound, Conflict : there is no such model, or no default one.
    Invalid : a place, time zone or pattern is none, or the folder may not be read.
    """
    reach = library.page_reach() if by_page else library.machine_reach()
    time_zone(zone)
    if age and age not in AGES:
        raise Invalid("This is no age group.", field="age")
    if place and place not in PLACES:
        raise Invalid("This is no place where devices are worn.", field="place")
    if not reach.allows(folder) or not folder.is_dir():
        raise Invalid("There is no such folder, or it may not be read.", field="folder")
    stored = reading.candidates_for(model or None).usual
    within = None if reach.within is None else tuple(map(str, reach.within))
    return Job(
        folder=str(folder.resolve()),
        model=stored,
        place=place,
        zone=zone,
        age=age,
        worn_enough_h=current_app.config["VALID_DAY_HOURS"],
        people=check_people(people),
        within=within,
        outside=tuple(map(str, reach.outside)),
        quotes=reach.quotes,
        mapping=mapping.as_dict() if mapping else None,
    )


@contextmanager
def started(job: Job, out: Path, where: Where, stop: Path, log: Path, *, again: bool = False) -> Iterator[Run]:
    """Start the process; it ends with the block at the latest.

    Parameters
    ----------
    out : the table, beside which the others and what is kept lie.
    stop : a file whose appearance ends the run.
    log : what goes wrong is written there.
    again : try those again that failed.
    """
    config = current_app.config
    document = {
        "job": job.as_dict(), "out": str(out), "where": asdict(where), "stop": str(stop),
        "again": again, "timeout_s": config["READ_TIMEOUT_S"], "memory_mib": config["READ_MEMORY_MB"],
    }  # fmt: skip
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.services.cohorts.child"],
            cwd=ROOT,
            env=without_secrets(**ONE_THREAD),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl+C is the parent's to hear
        )
    try:
        assert process.stdin is not None  # noqa: S101  a pipe was asked for
        process.stdin.write(json.dumps(document) + "\n")
        process.stdin.flush()  # and stays open: its end tells the child that we are gone
        yield Run(process, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(BrokenPipeError, AttributeError):
                pipe.close()  # type: ignore[union-attr]


@dataclass(frozen=True)
class Run:
    """A process that runs a cohort."""

    process: subprocess.Popen[str]
    log: Path

    def follow(self, on_event: Callable[[Event], None]) -> Ended:
        """Hand on what it tells until it ends.

        Raises
        ------
        HarError : it cannot be done; the message says why.
        Conflict : the process ended before its work.
        """
        assert self.process.stdout is not None  # noqa: S101  a pipe was asked for
        for line in self.process.stdout:
            event: Event = json.loads(line)
            if "ended" in event:
                return Ended(**event["ended"])
            if "refused" in event:
                raise HarError(event["refused"])
            on_event(event)
        raise Conflict(
            "The process that runs the cohort ended before its work was done. What was recognised is kept: start it "
            f"again to go on. Its log: {self.log}"
        )
