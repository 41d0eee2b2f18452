"""What readers do with an upload, in a process of their own: `reading` asks for it. Plain values in and out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.har.errors import HarError, UnknownTable
from app.har.progress import OnEvent
from app.services import sealing
from app.services.recordings import lanes, slot_files, stored_signal
from app.services.recordings.cutting import cut_again
from app.services.recordings.model_choice import Candidates
from app.services.recordings.recognise import KnownWalking, Recognised, recognise_upload
from app.services.recordings.recognise import measure_walking as measure
from app.services.recordings.result_files import save_quality, save_result
from app.services.recordings.table_preview import identify_layout, preview_tables
from app.services.recordings.wall_clock import time_zone
from app.services.sealing import Key

if TYPE_CHECKING:
    from app.har.recordings.mappings.mapping import ColumnMapping
    from app.har.recordings.upload import Upload

Arguments = Mapping[str, Any]


def recognise_known(arguments: Arguments, on_event: OnEvent) -> dict[str, Any]:
    """Recognise an upload in a known layout, or by the mapping that it was read with before."""
    with _opened(arguments, on_event) as upload:
        recognised = _recogniser(arguments, on_event)(upload, mapping=_mapping(arguments["mapping"], upload.name))
        return _kept(recognised, arguments)


def recognise_unasked(arguments: Arguments, on_event: OnEvent) -> dict[str, Any]:
    """Recognise an upload in a known layout, or one for which there is a saved mapping (``saved``, by fingerprint)."""
    from app.har.recordings.mappings.mapping import unknown_tables

    recognise, fingerprint, recognised = _recogniser(arguments, on_event), "", None
    with _opened(arguments, on_event) as upload:
        try:
            recognised = recognise(upload)
        except UnknownTable:
            try:
                layout = identify_layout(unknown_tables(upload.tables))
                fingerprint = layout.fingerprint
                document = arguments["saved"].get(fingerprint)
                if document is None or not layout.headed:
                    return {"waits": "", "fingerprint": fingerprint}
                recognised = recognise(upload, mapping=_mapping(document, upload.name))
            except HarError as error:
                return {"waits": str(error), "fingerprint": fingerprint}
    return _kept(recognised, arguments) | {"fingerprint": fingerprint}


def recognise_mapped(arguments: Arguments, on_event: OnEvent) -> dict[str, Any]:
    """Recognise an upload by a mapping; where another ``layout`` was expected, only return its fingerprint."""
    from app.har.recordings.mappings.mapping import unknown_tables

    with _opened(arguments, on_event) as upload:
        fingerprint = identify_layout(unknown_tables(upload.tables)).fingerprint if arguments["fingerprint"] else ""
        if arguments["layout"] not in (None, fingerprint):
            return {"fingerprint": fingerprint}
        recognised = _recogniser(arguments, on_event)(upload, mapping=_mapping(arguments["mapping"], upload.name))
        return _kept(recognised, arguments) | {"fingerprint": fingerprint}


def measure_walking(arguments: Arguments, on_event: OnEvent) -> dict[str, Any] | None:
    """Return what a model measures of a person's own walking; None where it can't."""
    from app.services.models import model_files

    sealing.only(arguments["key"])
    classifier = model_files.load(Path(arguments["folder"]), arguments["label"])
    reference, _ = measure(_walking(arguments["walking"]), classifier)
    if reference is None:
        return None
    return asdict(reference) | {"usual": reference.usual.tolist(), "upright": reference.upright.tolist()}


def windows_again(arguments: Arguments, on_event: OnEvent) -> list[Any] | None:
    """Return some windows of an upload as a model takes them; None where not all of them are there."""
    from app.services.models import model_files

    with _opened(arguments, on_event) as upload:
        classifier = model_files.load(Path(arguments["folder"]), arguments["label"])
        mapping = _mapping(arguments["mapping"], upload.name)
        found = cut_again(upload, mapping, classifier, arguments["recording_id"], arguments["start_s"])
    return None if found is None else found.tolist()


def preview(arguments: Arguments, on_event: OnEvent) -> dict[str, Any]:
    """Return what the tables of an upload in no known layout look like, and a guess at their columns."""
    from app.har.recordings.mappings.mapping import unknown_tables

    with _opened(arguments, on_event) as upload:
        return preview_tables(unknown_tables(upload.tables)).as_dict()


def dry_run(arguments: Arguments, on_event: OnEvent) -> list[dict[str, Any]]:
    """Return what a mapping would make of the first recordings of an upload."""
    from app.har.recordings.mappings import dry_run
    from app.har.recordings.mappings.mapping import ColumnMapping, fitting

    with _opened(arguments, on_event) as upload:
        mapping = ColumnMapping.from_document(arguments["mapping"], upload.name)
        sources, _ = fitting(upload.tables, mapping, upload.name)
        return [asdict(each) for each in dry_run.dry_run(sources, mapping)]


def _opened(arguments: Arguments, on_event: OnEvent) -> AbstractContextManager[Upload]:
    from app.har.recordings.upload import open_upload

    sealing.only(arguments["key"])
    return open_upload(Path(arguments["path"]), arguments["name"], on_event, sealing.opened)


def _mapping(document: Any, name: str) -> ColumnMapping | None:
    from app.har.recordings.mappings.mapping import ColumnMapping

    return ColumnMapping.from_document(document, name) if document else None


def _recogniser(arguments: Arguments, on_event: OnEvent) -> Callable[..., Recognised]:
    """Return `recognise_upload` with models, and with what the owner of an upload said of it."""
    walking = arguments["walking"]
    candidates = Candidates.from_dict(arguments["candidates"])
    return partial(
        recognise_upload,
        models=candidates.models,
        alternatives=candidates.alternatives,
        on_event=on_event,
        place=arguments["place"],
        walking=walking and _walking(walking),
        zone=time_zone(arguments["zone"]),
    )


def _walking(document: Mapping[str, Any]) -> KnownWalking:
    return KnownWalking(
        document["recording_id"],
        Path(document["path"]),
        document["name"],
        _mapping(document["mapping"], document["name"]),
        document["stretch"] and tuple(document["stretch"]),
        document["zone"],
    )


def _kept(recognised: Recognised, arguments: Arguments) -> dict[str, Any]:
    """Write what was recognised and, where the recording is new, its signal and quality; return what the rows hold."""
    result, signals = recognised.result, recognised.signals
    path, key = Path(arguments["result"]), Key.from_dict(arguments["key"])
    if arguments["is_new"]:
        save_quality(path.parent, recognised.quality, key)
        if result.layout == "timeline":
            stored_signal.save(path.parent, signals, key)
            if recognised.lanes:
                lanes.save(path.parent, recognised.lanes, key)
    if result.layout == "timeline":  # of what an earlier build stored, too, when it is recognised again
        slot_files.save(path.parent, recognised.slots, key)
    save_result(path, result, key)
    return {
        "version_id": recognised.model.version_id,
        "facts": {
            "minutes": round(float(signals.length.sum()) / signals.sampling_rate_hz / 60, 3),
            "recordings": len(signals.recording_ids),
            "channels": list(signals.channels),
        },
    }
