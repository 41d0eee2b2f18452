"""Uploads as readers see them: this process never opens one. See `services.readers.pool`, and `reading_tasks`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from flask import current_app

from app.har.progress import OnEvent, Stage, ignore_event
from app.services import consents, keys
from app.services.files import DRAFT
from app.services.models import model_versions
from app.services.purposes import Purpose
from app.services.readers import pool
from app.services.readers.turns import Turns
from app.services.recordings.model_choice import Candidates, StoredModel
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.recognise import KnownWalking
from app.services.recordings.result_files import load_result
from app.services.recordings.table_preview import TablePreview
from app.services.sealing import Key
from app.tables import ModelVersion

if TYPE_CHECKING:
    from app.har.classifiers.types import WalkingReference
    from app.har.recordings.mappings.dry_run import RecordingSummary
    from app.har.recordings.mappings.mapping import ColumnMapping

TASKS = "app.services.recordings.reading_tasks"
LOOKS_EACH = 2  # at tables, of one person at a time
_recognitions = Turns()
_looks = Turns()  # of their own: they take a second, and nobody wants to wait behind a day's recording for that


@dataclass(frozen=True)
class File:
    """An upload, or a stored one, and what is known of it."""

    path: Path
    name: str
    key: Key  # under which it is sealed, and what is made of it
    place: str = ""
    walking: KnownWalking | None = None  # the person's own, to measure it against
    zone: str = "UTC"  # in which a device was set to local time, where the file does not say it


@dataclass(frozen=True)
class Read:
    """What a reader made of a file."""

    path: Path  # of the result, until it has its own name
    version: ModelVersion
    facts: dict[str, Any]  # for the row of a new recording
    fingerprint: str  # of the layout of a file that was read by a mapping, where it was asked for
    result: PredictionResult


@dataclass(frozen=True)
class Waits:
    """A file in no known layout that is not read by a saved mapping."""

    fingerprint: str  # "" where it has no table that a person could map
    reason: str  # why it could not be read by the saved mapping


def candidates_for(key: int | str | None) -> Candidates:
    """Return which models may recognise an upload.

    Parameters
    ----------
    key : the model that a person chose, see `model_versions.get`; None leaves it to the file.

    Raises
    ------
    NotFound, Conflict : there is no such model, or no default one.
    """
    usual = model_versions.get_or_default(None) if key is None else model_versions.get(key)
    others = sorted(model_versions.list_versions(with_metrics=True), key=lambda version: not version.promoted)
    return Candidates(_stored(usual), tuple(map(_stored, others)), chosen=key is not None)


def _stored(version: ModelVersion) -> StoredModel:
    accuracy = float(version.metrics.get("accuracy", {}).get("value", 0.0))
    folder = str(model_versions.directory(version))
    return StoredModel(version.id, version.label, folder, version.answer_limit, accuracy, version.prior)


@contextmanager
def turn(user_id: int, on_event: OnEvent = ignore_event) -> Iterator[None]:
    """Wait for a turn to recognise, which the block takes; see `Turns.turn` for whom it refuses.

    Raises
    ------
    NotAgreed : the person has not agreed that anything of theirs is recognised.
    """
    consents.requires(Purpose.RECOGNITION, user_id)
    at_once, waiting = current_app.config["READERS"], current_app.config["READ_QUEUE"]

    def on_wait() -> None:
        on_event({"stage": Stage.QUEUED})

    with _recognitions.turn(user_id, at_once=at_once, waiting=waiting, on_wait=on_wait):
        yield


def nothing_read(user_id: int) -> AbstractContextManager[None]:
    """Let nothing of a person be recognised while a block lasts; `Conflict` where something is."""
    return _recognitions.without(user_id)


def recognise(
    file: File,
    folder: Path,
    candidates: Candidates,
    mapping: ColumnMapping | None = None,
    *,
    is_new: bool = True,
    on_event: OnEvent = ignore_event,
) -> Read:
    """Let a reader recognise a file in a known layout, or by the mapping that it was read with before.

    The result lies in the folder until `Read.path` is renamed; the signal and quality of a new recording, too.

    Raises
    ------
    HarError : it cannot be read or used.
    """
    document = mapping and mapping.as_dict()
    return _read(_ask("recognise_known", file, folder, candidates, is_new, on_event, mapping=document))


def recognise_unasked(
    file: File, folder: Path, candidates: Candidates, saved: Mapping[str, Any], on_event: OnEvent
) -> Read | Waits:
    """Let a reader recognise a file in a known layout, or by the saved mapping for its layout, if there is one.

    Parameters
    ----------
    saved : documents of mappings, by the fingerprint of the layouts that they are for.
    """
    answer = _ask("recognise_unasked", file, folder, candidates, True, on_event, saved=saved)
    return Waits(answer["fingerprint"], answer["waits"]) if "waits" in answer else _read(answer)


def recognise_mapped(
    file: File, folder: Path, candidates: Candidates, mapping: ColumnMapping, *, identify: bool, layout: str | None
) -> Read | str:
    """Let a reader recognise a file by a mapping.

    Parameters
    ----------
    identify : whether the fingerprint of its layout is wanted.
    layout : the fingerprint that it must have; None: any.

    Returns
    -------
    What was read; only the fingerprint, where it is not the one that it must be.
    """
    extra = {"mapping": mapping.as_dict(), "fingerprint": identify, "layout": layout}
    answer = _ask("recognise_mapped", file, folder, candidates, True, ignore_event, **extra)
    return _read(answer) if "facts" in answer else str(answer["fingerprint"])


def preview(user_id: int, file: File) -> TablePreview:
    """Let a reader look at a file in no known layout.

    Raises
    ------
    HarError : there is no table of numbers.
    """
    return TablePreview.from_dict(_look(user_id, "preview", file))


def dry_run(user_id: int, file: File, mapping: ColumnMapping) -> list[RecordingSummary]:
    """Let a reader try a mapping on the beginning of a file.

    Raises
    ------
    HarError : it does not fit the file.
    """
    from pydantic import TypeAdapter

    from app.har.recordings.mappings.dry_run import RecordingSummary

    facts = _look(user_id, "dry_run", file, mapping=mapping.as_dict())
    return TypeAdapter(list[RecordingSummary]).validate_python(facts)


def _look(user_id: int, task: str, file: File, **extra: Any) -> Any:
    at_once, waiting = current_app.config["READERS"], current_app.config["READ_QUEUE"]
    arguments = {"path": str(file.path), "name": file.name, "key": file.key.as_dict(), **extra}
    with _looks.turn(user_id, at_once=at_once, waiting=waiting, each=LOOKS_EACH):
        return pool.ask(f"{TASKS}:{task}", arguments, _limits())


def _limits() -> pool.Limits:
    return pool.Limits(current_app.config["READ_TIMEOUT_S"], current_app.config["READ_MEMORY_MB"])


def _ask(
    task: str, file: File, folder: Path, candidates: Candidates, is_new: bool, on_event: OnEvent, **extra: Any
) -> dict[str, Any]:
    walking = file.walking
    arguments = {
        "path": str(file.path),
        "name": file.name,
        "key": file.key.as_dict(),
        "place": file.place,
        "zone": file.zone,
        "walking": walking and _as_dict(walking),
        "candidates": asdict(candidates),
        "result": str(folder / f"{DRAFT}{uuid4().hex}.npz"),
        "is_new": is_new,
        **extra,
    }
    answer: dict[str, Any] = pool.ask(f"{TASKS}:{task}", arguments, _limits(), on_event)
    return answer | {"result": arguments["result"]}


def measure_walking(user_id: int, walking: KnownWalking, version: ModelVersion) -> WalkingReference | None:
    """Let a reader measure a person's own walking for a model; None where it can't be measured.

    Raises
    ------
    HarError : the reader ended.
    """
    import numpy as np

    from app.har.classifiers.types import WalkingReference

    arguments = {
        "walking": _as_dict(walking),
        "key": keys.of(user_id).as_dict(),
        "folder": str(model_versions.directory(version)),
        "label": version.label,
    }
    with turn(user_id):
        found = pool.ask(f"{TASKS}:measure_walking", arguments, _limits())
    if found is None:
        return None
    arrays = {name: np.array(found[name], np.float32) for name in ("usual", "upright")}
    return WalkingReference(**{**found, **arrays})


def windows_again(
    user_id: int,
    file: File,
    mapping: ColumnMapping | None,
    version: ModelVersion,
    recording_id: str,
    start_s: list[float],
) -> list[Any] | None:
    """Let a reader cut some windows of a stored file as a model takes them, (n, n_timesteps, n_channels).

    None where one of them does not begin at such a moment.

    Raises
    ------
    HarError : the file can no longer be read, or used by the model.
    """
    arguments = {
        "path": str(file.path),
        "name": file.name,
        "key": file.key.as_dict(),
        "mapping": mapping and mapping.as_dict(),
        "folder": str(model_versions.directory(version)),
        "label": version.label,
        "recording_id": recording_id,
        "start_s": start_s,
    }
    with turn(user_id):
        found: list[Any] | None = pool.ask(f"{TASKS}:windows_again", arguments, _limits())
    return found


def _as_dict(walking: KnownWalking) -> dict[str, Any]:
    return {
        "recording_id": walking.recording_id,
        "path": str(walking.path),
        "name": walking.name,
        "mapping": walking.mapping and walking.mapping.as_dict(),
        "stretch": walking.stretch,
        "zone": walking.zone,
    }


def _read(answer: dict[str, Any]) -> Read:
    path = Path(answer["result"])
    version = model_versions.get(answer["version_id"])
    return Read(path, version, answer["facts"], answer.get("fingerprint", ""), load_result(path))
