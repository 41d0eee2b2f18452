"""The child process that exports a model: ``python -m app.services.models.export_child``.

It reads one job (a JSON line) from stdin, writes events as JSON lines to stdout, and last the description of what it
made, or why it was refused. Converters of other libraries have ended the whole process: only this one ends then.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from app.services import room, server_log

if TYPE_CHECKING:
    from app.har.exports.types import HeldOut
    from app.har.windows import WindowSet

log = logging.getLogger(__name__)

ORPHANED = 4


def main() -> int:
    """Run one job; return the exit status."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    server_log.configure(logging.WARNING)
    os.dup2(2, 1)  # whatever a library prints goes to the log, not among the events
    if hasattr(os, "nice"):
        os.nice(10)  # the site's pages come first
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_exit_with_parent, daemon=True).start()

    def emit(event: dict[str, Any]) -> None:
        print(json.dumps(event), file=lines, flush=True)

    from app.har.errors import HarError

    try:
        emit({"document": _work(job, emit)})
    except HarError as error:
        emit({"refused": str(error)})
    except Exception as error:
        if room.is_full(error):
            emit({"refused": "The server's disk is full. Nothing was made."})
            return 0
        log.exception("the export failed")
        return 1
    return 0


def _work(job: dict[str, Any], emit: Any) -> dict[str, Any]:
    emit({"stage": "Reading the model", "fraction": 0.0})
    from app.har.classifiers.model_folder import verify
    from app.har.classifiers.stored_models import load_model
    from app.har.exports.export import export

    model = load_model(Path(job["model"]))
    held_out = learnt_from = None
    if job["store"]:
        emit({"stage": "Reading the people held out", "fraction": 0.05})
        manifest = verify(Path(job["model"]), aside=False)
        held_out, learnt_from = _windows(manifest, Path(job["store"]), job["device"])
    label, format_, weights, limit = (job[key] for key in ("label", "format", "weights", "limit"))
    return export(model, label, format_, weights, limit, Path(job["folder"]), held_out, learnt_from, emit)


def _windows(manifest: dict[str, Any], store: Path, device: str) -> tuple[HeldOut | None, WindowSet | None]:
    """Return the windows that the model was tested on, of people or drawn at random, and those that it learnt from."""
    from app.har.datasets.pool import of_device
    from app.har.datasets.store import open_store
    from app.har.exports.check import held_out_of, whole
    from app.har.training.held_out import of_model

    signals = open_store(store).signals
    if (parts := of_model(manifest, of_device(signals, device) if device else signals)) is None:
        return None, None
    return held_out_of(parts.tested, parts.whose), whole(parts.learnt)


def _exit_with_parent(stream: TextIO = sys.stdin) -> None:
    stream.read()
    os._exit(ORPHANED)


if __name__ == "__main__":
    sys.exit(main())
