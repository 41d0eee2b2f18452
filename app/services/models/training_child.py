"""The child process that trains: ``python -m app.services.models.training_child``.

It reads one job (a JSON line) from stdin, writes events as JSON lines to stdout, and ends with one of the exit
statuses below. It ends itself when its parent goes away (stdin closes) or when the run's stop file appears, so that
no trainer outlives the server that asked for it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from app.har.progress import Stage
from app.services import server_log

if TYPE_CHECKING:
    from app.har.classifiers.base import WindowFormat
    from app.har.datasets.pool import Member
    from app.har.signals.types import SignalSet
    from app.har.training.transfer import Base

log = logging.getLogger(__name__)

STOPPED = 3
ORPHANED = 4
FAILED = 1
STOP_FILE = "stop"
OUTPUT, UNFINISHED = "output", "unfinished"  # in a run's folder


def main() -> int:
    """Run one job; return the exit status."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    server_log.configure(logging.WARNING)
    os.dup2(2, 1)  # whatever a library prints goes to the log, not among the events
    if hasattr(os, "nice"):
        os.nice(10)  # the site's pages come first
    job = json.loads(sys.stdin.readline())
    folder = Path(job["folder"])
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    threading.Thread(target=_exit_when_asked, args=(folder / STOP_FILE,), daemon=True).start()

    def emit(event: dict[str, Any]) -> None:
        print(json.dumps(event), file=events, flush=True)

    try:
        _work(job, folder, emit)
    except Exception as error:
        log.exception("the training failed")
        emit({"stage": Stage.FAILED, "reason": _reason(error)})
        return FAILED
    return 0


def _work(job: dict[str, Any], folder: Path, emit: Any) -> None:
    emit({"stage": Stage.STARTING})
    from app.har.classifiers.catalogue import EVERYDAY_MODEL
    from app.har.training.config import validated
    from app.har.training.experiment import run_experiment

    config = validated(job["config"])
    unfinished = folder / UNFINISHED
    unfinished.mkdir()
    members = _members(job["stores"], job["data"])
    wants_everyday = EVERYDAY_MODEL in config.models
    base = _base(job["base"], members) if job["base"] else None
    signals, data = _signals(members, job["data"], wants_everyday, base.model.format_ if base else None)
    everyday = _for_everyday(members) if wants_everyday else None
    more = _without_labels(job["unlabelled"], data, signals) if job["unlabelled"] else None
    run_experiment(
        signals,
        config,
        unfinished,
        data=data,
        on_event=emit,
        plots=job["plots"],
        everyday=everyday,
        base=base,
        unlabelled=more,
    )
    unfinished.rename(folder / OUTPUT)  # so that there is one only when it is whole


def _members(stores: list[str], data: dict[str, Any]) -> list[Member]:
    """Open the data sets."""
    from app.har.datasets.pool import Member
    from app.har.datasets.store import open_store

    return [
        Member(each["dataset"].partition(":")[0], open_store(Path(store)).signals, each["vocabulary"], each["device"])
        for each, store in zip(data.get("datasets", [data]), stores, strict=True)
    ]


def _base(job: dict[str, Any], members: list[Member]) -> Base:
    """Load the stored model to build on; activities of several data sets have their shared names already."""
    from app.har.classifiers.elm_gru_am.persistence import load_model
    from app.har.training.transfer import Base

    own_names = members[0].names if len(members) == 1 else {}
    return Base(load_model(Path(job["folder"])), job["facts"], job["names"], own_names)


def _signals(
    members: list[Member], data: dict[str, Any], shared_names: bool, read_as: WindowFormat | None
) -> tuple[SignalSet, dict[str, Any]]:
    """Return the signals of one data set, or of several as one, and what is to be said of the data.

    ``shared_names`` gives the activities of one data set the names that they have among several; ``read_as`` is how a
    stored model reads signals that is built on.
    """
    from app.har.datasets.as_read import as_read
    from app.har.datasets.pool import of_device, pool, together

    if read_as:
        wanted = read_as.channels, read_as.sampling_rate_hz, read_as.gravity
        members = [
            replace(one, signals=as_read(of_device(one.signals, one.device) if one.device else one.signals, *wanted))
            for one in members
        ]
        return together(members) if shared_names or len(members) > 1 else members[0].signals, data
    if len(members) > 1:
        pooled = pool(members)
        return pooled.signals, {**data, "notes": list(pooled.notes)}
    (one,) = members
    signals = of_device(one.signals, one.device) if one.device else one.signals
    return together([replace(one, signals=signals)]) if shared_names else signals, data


def _without_labels(store: str, data: dict[str, Any], like: SignalSet) -> SignalSet:
    """Return the recordings of another data set as these are read; its people are no one's here."""
    from app.har.datasets.as_read import as_read
    from app.har.datasets.store import open_store

    name = data["without_labels"]["dataset"]
    signals = as_read(open_store(Path(store)).signals, like.channels, like.sampling_rate_hz, like.gravity)
    return replace(
        signals,
        subjects=tuple(f"{name}/{subject}" for subject in signals.subjects),
        recording_ids=tuple(f"{name}/{recording}" for recording in signals.recording_ids),
    )


def _for_everyday(members: list[Member]) -> SignalSet:
    """Return the signals as the everyday model reads them: of several devices the one that is wanted, or the first."""
    from app.har.classifiers.everyday.inputs import movement_and_gravity
    from app.har.datasets.pool import devices_of, together

    devices = [member.device or devices_of(member.signals.channels)[0] for member in members]
    return together(
        [
            replace(member, signals=movement_and_gravity(member.signals, device))
            for member, device in zip(members, devices, strict=True)
        ]
    )


def _reason(error: Exception) -> str:
    from app.har.errors import HarError
    from app.services import room

    if room.is_full(error):
        return "The server's disk is full. Make room on it and train again."
    return str(error) if isinstance(error, HarError) else f"{type(error).__name__}: {error}"


def _exit_with_parent(stream: TextIO = sys.stdin) -> None:
    stream.read()
    os._exit(ORPHANED)


def _exit_when_asked(stop_file: Path) -> None:
    while not stop_file.exists():
        time.sleep(0.2)
    os._exit(STOPPED)


if __name__ == "__main__":
    sys.exit(main())
