"""The process that runs a cohort: ``python -m app.services.cohorts.child``.

It reads one job (a JSON line) from stdin, hands its recordings to workers, keeps what they answer, and writes events as
JSON lines to stdout. It ends itself, and with it its workers, when its parent goes away (stdin closes); when the stop
file appears it writes the tables of what there is and ends.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from app.services import server_log

if TYPE_CHECKING:
    from app.services.cohorts.kept import Counts

log = logging.getLogger(__name__)

ORPHANED, FAILED = 4, 1
EVENT_EVERY_S = 0.5
LISTING, STARTING, RECOGNISING, WRITING = (
    "looking through the folder",
    "starting the workers",
    "recognising",
    "writing the tables",
)
Emit = Callable[..., None]


def main() -> int:
    """Run one job; return the exit status."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    server_log.configure(logging.WARNING)
    os.dup2(2, 1)  # whatever a library prints goes to the log, not among the events
    if hasattr(os, "nice"):
        os.nice(10)  # the site's pages come first; workers inherit it
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_exit_with_parent, daemon=True).start()

    def emit(**event: Any) -> None:
        print(json.dumps(event), file=lines, flush=True)

    from app.har.errors import HarError

    try:
        emit(ended=_work(job, emit))
    except HarError as error:
        emit(refused=str(error))
    except Exception:
        log.exception("the cohort failed")
        return FAILED
    return 0


def _work(document: dict[str, Any], emit: Emit) -> dict[str, Any]:
    from filelock import FileLock, Timeout

    from app.services.cohorts import tables
    from app.services.cohorts.cluster import ClusterFailed

    out = Path(document["out"])
    lock = FileLock(f"{tables.beside(out, tables.ANSWERS)}.lock")
    try:
        with lock.acquire(timeout=0):
            return _run(document, out, emit)
    except Timeout:
        busy = f"Another run writes {out.name} at this moment. Wait for its end, or name another."
        raise ClusterFailed(busy) from None


def _run(document: dict[str, Any], out: Path, emit: Emit) -> dict[str, Any]:
    from app.har.errors import UnreadableData
    from app.services.cohorts import cluster, folder, tables
    from app.services.cohorts.job import Job
    from app.services.cohorts.kept import Kept
    from app.services.cohorts.recogniser import Limits

    emit(stage=LISTING)
    job, stop = Job.from_dict(document["job"]), Path(document["stop"])
    digest, person = job.digest(), folder.person_namer(job.people)
    items = folder.find(Path(job.folder), job.reach)
    if not items:
        raise UnreadableData(f"{job.folder}: holds no file that could be a recording.")
    kept = Kept(tables.beside(out, tables.ANSWERS))
    kept.prepare()
    kept.begin((item, f"{item.stamp}-{digest}", person(item.name)) for item in items)
    missing = kept.missing(again=document["again"])
    progress = _Progress(emit, kept.counts(again=document["again"]))
    if missing:
        progress.tell(STARTING)
        limits = Limits(document["timeout_s"], document["memory_mib"])
        with (
            tempfile.TemporaryDirectory(prefix="kinelab-cohort-") as scratch,
            cluster.opened(cluster.Where(**document["where"]), limits, Path(scratch)) as workers,
            kept.keeping() as keep,
        ):
            workers.check(job)
            progress.tell(RECOGNISING)
            sizes = {item.name: item.size for item in items}
            for name, answer in workers.answers(job, missing, lambda: not stop.exists()):
                keep(name, answer)
                progress.took(sizes[name], failed="failure" in answer)
    progress.tell(WRITING)
    tables.write(kept, out)
    counts = kept.counts()
    return {
        "files": counts.files, "answered": counts.answered, "failed": counts.failed, "new": progress.new,
        "stopped": counts.done < counts.files, "processor_s": round(time.process_time(), 3),
    }  # fmt: skip


class _Progress:
    """Tells how far it is, but not more often than anybody looks."""

    def __init__(self, emit: Emit, counts: Counts) -> None:
        self._emit, self._counts = emit, counts
        self._size_before, self._began, self._told = counts.done_size, 0.0, 0.0
        self.new = 0

    def tell(self, stage: str) -> None:
        """Tell of another stage."""
        self._began = time.monotonic()
        self._send(stage)

    def took(self, size: int, *, failed: bool) -> None:
        """Count one more recording, of so many bytes."""
        self.new += 1
        before = self._counts
        self._counts = replace(
            before,
            answered=before.answered + (not failed),
            failed=before.failed + failed,
            done_size=before.done_size + size,
        )
        if time.monotonic() - self._told > EVENT_EVERY_S:
            self._send(RECOGNISING)

    def _send(self, stage: str) -> None:
        self._told, counts, remaining_s = time.monotonic(), self._counts, None
        if stage == RECOGNISING and (size := counts.done_size - self._size_before) > 0:
            remaining_s = (self._told - self._began) * (counts.size - counts.done_size) / size
        self._emit(
            stage=stage, files=counts.files, answered=counts.answered, failed=counts.failed, new=self.new,
            fraction=counts.done_size / max(counts.size, 1), remaining_s=remaining_s,
        )  # fmt: skip


def _exit_with_parent(stream: TextIO = sys.stdin) -> None:
    stream.read()
    os._exit(ORPHANED)


if __name__ == "__main__":
    sys.exit(main())
