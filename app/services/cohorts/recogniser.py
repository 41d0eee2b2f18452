"""What a worker does with one recording: read it, recognise it, answer in plain values. No database, no Flask, no Dask.

A worker has no key and no secret: it gets a path and the folder of a model, and answers figures. What it cannot read is
an answer, too. What a damaged file does to its process is limited as in a reader (`services.readers.child`).
"""

from __future__ import annotations

import faulthandler
import gc
import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.har.errors import HarError, UnknownTable
from app.har.recordings.files import open_files, shown
from app.services.cohorts.job import Job
from app.services.readers import child
from app.services.recordings import result_tables
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.recognise import Model, Recognised, always, recognise_upload
from app.services.recordings.smoothing import as_chosen
from app.services.recordings.verdict import decide
from app.services.recordings.wall_clock import time_zone

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

FAULT = "FaultOfTheProgram"
ALREADY = ("pandas", "app.har.measures.dictionary", "app.services.measures.measured", "app.services.recordings.steps")
MINUTES = "minutes_"  # begins the columns of answers
NOT_OF_A_COHORT = ("personal_windows", "corrected_windows")
Answer = dict[str, Any]  # ``row``, ``bouts`` and ``days``, or ``failure``; always ``cost``


@dataclass(frozen=True)
class Limits:
    """How far one recording may go in a worker of ours; the workers of another cluster have limits of their own."""

    timeout_s: float
    memory_mib: int  # besides what the program itself takes


def answer(job: str, name: str, limits: Limits | None = None) -> Answer:
    """Read a recording of a cohort and recognise it.

    Parameters
    ----------
    job : as JSON, see `Job.as_dict`.
    name : of the recording, from the job's folder.
    limits : None where the cluster has its own.
    """
    started, worked = time.perf_counter(), time.process_time()
    found: Answer
    try:
        with _limited(limits):
            found = _answer(job, name)
    except HarError as error:
        found = _failure(type(error).__name__, str(error))
    except MemoryError:
        found = _failure("OutOfMemory", f"{name}: reading it needs more memory than a worker may use.")
    except OSError as error:
        found = _failure("OSError", f"{name}: {error.strerror or type(error).__name__}.")
    except Exception as error:
        log.exception("a recording of a cohort could not be read: a fault of the program")
        found = _failure(FAULT, f"{name}: {type(error).__name__}; the log of the run says where.")
    gc.collect(1)  # what a table leaves in circles, before the next one comes on top of it
    return found | {
        "cost": {
            "seconds": round(time.perf_counter() - started, 4),
            "processor_s": round(time.process_time() - worked, 4),
            "memory_mib": memory_mib(),
        }
    }


def check(job: str) -> str:
    """Say what keeps this process from recognising recordings of a job; "" if nothing does."""
    own = _job(job)
    if not Path(own.folder).is_dir():
        return f"there is no folder {own.folder}"
    try:
        _model(job).load()
    except HarError as error:
        return str(error)
    return ""


def memory_mib() -> int:
    """Return how much memory this process has now; 0 where nobody can say."""
    try:
        import psutil

        return int(psutil.Process().memory_info().rss / 2**20)
    except (ImportError, OSError):
        return 0


def _failure(kind: str, reason: str) -> Answer:
    return {"failure": {"kind": kind, "reason": reason}}


@lru_cache(maxsize=2)
def _job(text: str) -> Job:
    return Job.from_dict(json.loads(text))


@lru_cache(maxsize=1)
def _model(text: str) -> Model:
    """Return the model of a job, which is read once in the life of a worker."""
    model = _job(text).model.as_model()
    loaded = model.load()
    return replace(model, load=lambda: loaded)


@contextmanager
def _limited(limits: Limits | None) -> Iterator[None]:
    """End this process when a recording takes too long; let it have so much more memory than it has now."""
    if limits is None:
        yield
        return
    _limit_memory(limits.memory_mib)
    faulthandler.dump_traceback_later(limits.timeout_s, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@cache
def _limit_memory(memory_mib: int) -> None:
    """Once in a process; what can be imported beforehand is no part of the limit."""
    from importlib import import_module

    for module in (*child.ALREADY, *ALREADY):
        import_module(module)
    child.limit_memory(memory_mib * child.MEBIBYTE)


def _answer(job: str, name: str) -> Answer:
    from app.har.measures.dictionary import columns
    from app.har.recordings.conversions import open_tables
    from app.har.recordings.mappings.mapping import ColumnMapping
    from app.har.recordings.upload import Upload
    from app.services.measures.measured import of_recognised

    own = _job(job)
    with open_files(Path(own.folder) / name, shown(name), own.reach) as members:
        upload, zone = Upload(shown(name), open_tables(members)), time_zone(own.zone)
        try:
            recognised = recognise_upload(upload, always(_model(job)), place=own.place, zone=zone)
        except UnknownTable:
            if own.mapping is None:
                raise
            mapping = ColumnMapping.from_document(own.mapping, upload.name)
            recognised = recognise_upload(upload, always(_model(job)), mapping=mapping, place=own.place, zone=zone)
    result = as_chosen(recognised.result)
    bouts = result_tables.bouts(result, zone).drop(columns=list(NOT_OF_A_COHORT))
    days = of_recognised(replace(recognised, result=result), zone, own.age, worn_enough_h=own.worn_enough_h)
    names = [column.name for column in columns("day")]
    return {
        "row": _row(recognised, result),
        "bouts": _columns(bouts),
        "days": {name: [day.get(name) for day in days] for name in names},
    }


def _row(recognised: Recognised, result: PredictionResult) -> dict[str, Any]:
    """Return one recording, or file of several, in a line."""
    summary, quality = result.summary(), recognised.quality.as_dict()
    cards = quality["cards"]
    first = cards[0]
    rates = [stream["rate_hz"] for stream in first["streams"]]
    places = dict.fromkeys(wearing.place for wearing in result.wearings if wearing.place)
    starts = [card["start_utc"] for card in cards if card["start_utc"]]
    return {
        "recordings": quality["recordings"],
        "app": first["app"],
        "start_utc": min(starts, default=None),
        "duration_s": round(sum(card["duration_s"] for card in cards), 3),  # of the first, where there are many
        "rate_hz": round(max(rates), 3) if rates else None,
        "place": result.place or ", ".join(places),
        "windows": summary["windows"],
        "minutes": summary["minutes"],
        "confidence": summary["mean_confidence"],
        "unfamiliar": summary["unfamiliar"],
        "not_worn": summary["not_worn"],
        "verdict": decide(result, quality).level,
        "quality": first["verdict"],
        "problems": len(result.problems),
        "model": summary["model"],
        "smoothed_s": summary["smoothed_s"],
        **{f"{MINUTES}{answer}": minutes for answer, minutes in summary["minutes_per_activity"].items()},
    }


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Return a table as plain values by column, None where something is not there."""
    from app.services.recordings.table_texts import records

    rows = records(table)
    return {name: [row[name] for row in rows] for name in table.columns}
