"""A reader: ``python -m app.services.readers.child <memory in MiB>``.

It takes jobs (JSON lines) from stdin and answers on stdout, also in JSON lines: events, then one result or error. It
ends itself when its parent goes away (stdin closes), and when a job takes far longer than it may. What can be imported
beforehand is: a file is not kept waiting for that.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from app.services import server_log

log = logging.getLogger(__name__)

MEBIBYTE = 2**20
ORPHANED, OUT_OF_MEMORY = 4, 5
GRACE_S = 10.0  # after the time limit, which the parent keeps; then the child gives up by itself
EVENT_EVERY_S = 0.1
ALREADY = ("app.services.recordings.reading_tasks", "app.har.recordings.upload", "app.har.signals.filters", "polars")


def main() -> int:
    """Answer jobs until there are no more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    server_log.configure(logging.WARNING)
    os.dup2(2, 1)  # whatever a library prints goes to the log, not among the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to hear
    if hasattr(os, "nice"):
        os.nice(5)  # after the site's pages, and before a training
    jobs: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, jobs), daemon=True).start()
    for module in ALREADY:
        import_module(module)
    limit_memory(int(sys.argv[1]) * MEBIBYTE)

    def answer(**message: Any) -> None:
        print(json.dumps(message), file=answers, flush=True)

    answer(ready=True)
    while True:
        job = json.loads(jobs.get())
        faulthandler.dump_traceback_later(job["timeout_s"] + GRACE_S, exit=True)  # by a thread without the interpreter
        try:
            result = _work(job, answer)
            faulthandler.cancel_dump_traceback_later()
            answer(result=result)
        except MemoryError:
            return OUT_OF_MEMORY
        except Exception as error:
            faulthandler.cancel_dump_traceback_later()
            answer(error=_plain(error))


def _work(job: dict[str, Any], answer: Any) -> Any:
    module, _, name = job["task"].partition(":")
    sent: dict[str, float] = {}  # by stage

    def on_event(event: dict[str, Any]) -> None:
        stage, now = str(event["stage"]), time.monotonic()
        if now - sent.get(stage, -EVENT_EVERY_S) >= EVENT_EVERY_S or event.get("fraction") == 1.0:
            sent[stage] = now
            answer(event=event)

    return getattr(import_module(module), name)(job["arguments"], on_event)


def _plain(error: Exception) -> dict[str, Any]:
    """Return what the parent raises in the place of an error."""
    from app.har import errors

    if isinstance(error, errors.HarError):
        return {"kind": type(error).__name__, "message": str(error), "held": getattr(error, "held", None)}
    if isinstance(error, OSError):
        return {"errno": error.errno, "message": error.strerror or str(error)}
    log.error("a file could not be read: a fault of the program", exc_info=error)
    return {"message": type(error).__name__}


def _listen(stream: TextIO, jobs: SimpleQueue[str]) -> None:
    for line in stream:
        jobs.put(line)
    os._exit(ORPHANED)


def limit_memory(size: int) -> None:
    """Allow so many bytes more than there are now: those of the program itself differ from machine to machine.

    Windows knows no limit for a process that it sets itself: there the time limit is all.
    """
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")  # before the server, if it comes to that
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + size
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    else:  # macOS takes the limit and does not keep it
        threading.Thread(target=_watch_memory, args=(size,), daemon=True).start()


def _watch_memory(size: int) -> None:
    import resource

    def most() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = most()
    while most() - before < size:  # in bytes on macOS
        time.sleep(0.1)
    os._exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    sys.exit(main())
