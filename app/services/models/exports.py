"""A version of a model for a small device: made in a child process, tried there, and kept until it is made again.

Files are in ``instance/exports/<name>/<version>/<format>-<weights>/``. They can always be made again, so that nothing
but the model itself needs a backup.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.har.classifiers.catalogue import DEPLOYABLE_MODEL
from app.har.colours import activity_colours
from app.har.exports import needs
from app.har.exports.browser import MODEL
from app.har.exports.formats import ARTEFACT, BROWSER, DESCRIPTION, EXACT, FORMATS, WHY_NOT
from app.har.progress import OnEvent, ignore_event
from app.har.vocabulary import UNFAMILIAR
from app.services import audit, room
from app.services.audit import Action
from app.services.datasets import library
from app.services.environment import without_secrets
from app.services.errors import Invalid, NotFound
from app.services.files import DRAFT
from app.services.models import model_files, model_versions
from app.tables import ModelVersion

TITLES = {  # by format: its name, and what it is for
    "c": ("C", "one header and one source file, for microcontrollers"),
    "onnx": ("ONNX", "one file for ONNX Runtime, for phones and other programs"),
    "browser": ("Browser", "recognition on a phone by itself, without the server"),
    "litert": ("LiteRT", "one file for LiteRT, for Android and small boards"),
}
CHILD = ["-m", "app.services.models.export_child"]
MOST_BYTES = 64 * 2**20  # of an archive, with what is written on the way
MOST_S = 1800.0  # after which an export has gone wrong
DIED = (
    "The export ended in the middle of its work ({how}): the library that converts models may have failed, or memory "
    "ran out. Nothing was made. The server's log may say more."
)


def made(version: ModelVersion) -> list[dict[str, Any]]:
    """Return the descriptions of what was exported of a version, in the order of `FORMATS`.

    An artefact of another limit than the version has now, or of an earlier build, says so in ``outdated``.
    """
    found = []
    for name, kinds in FORMATS.items():
        for weights in kinds:
            path = model_versions.exports_folder(version) / f"{name}-{weights}" / DESCRIPTION
            with suppress(FileNotFoundError):  # not made, or deleted at this moment with its model
                document = json.loads(path.read_text(encoding="utf-8"))
                document["outdated"] = document["output"]["limit"] != model_versions.limit_of(version)
                found.append(document)
    return found


def artefact(version: ModelVersion, format_: str, weights: str) -> Path:
    """Return the archive with an artefact and its description.

    Raises
    ------
    NotFound : it was not exported.
    """
    check(format_, weights)
    path = model_versions.exports_folder(version) / f"{format_}-{weights}" / ARTEFACT
    if not path.is_file():
        raise NotFound(f"{version.label} was not exported as {format_} with {weights} weights.")
    return path


def for_browsers() -> list[dict[str, Any]]:
    """Return what browsers can recognise with, the default model first: of each version its smallest export.

    Each with the version and ``weights``, the description, and the colour of each answer.
    """
    found = []
    for version in sorted(model_versions.list_versions(), key=lambda version: not version.promoted):
        own = [document for document in made(version) if document["format"] == BROWSER]
        if not own:
            continue
        document = min(own, key=lambda one: one["cost"]["bytes"])
        output = {**document["output"], "limit": model_versions.limit_of(version)}  # which the artefact does not hold
        inner = [node["name"] for node in output["tree"] if node["name"] not in output["activities"]]
        found.append(
            {
                "version": version,
                "weights": document["weights"],
                "sha256": document["files"][MODEL]["sha256"],
                "description": {"input": document["input"], "output": output},
                "colours": activity_colours(output["activities"], (*inner, UNFAMILIAR)),
            }
        )
    return found


def browsers_model(version: ModelVersion, weights: str) -> bytes:
    """Return the model itself of an archive for browsers.

    Raises
    ------
    NotFound : it was not exported.
    """
    with zipfile.ZipFile(artefact(version, BROWSER, weights)) as archive:
        return archive.read(MODEL)


def check(format_: str, weights: str) -> None:
    """Refuse what is no format.

    Raises
    ------
    Invalid : the message names those that there are.
    """
    if format_ not in FORMATS:
        raise Invalid(f"A format is one of {', '.join(FORMATS)}; found {format_[:40]!r}.", field="format")
    if weights not in FORMATS[format_]:
        kinds = ", ".join(FORMATS[format_])
        raise Invalid(f"Weights of {format_} are one of {kinds}; found {weights[:40]!r}.", field="weights")


def check_exportable(version: ModelVersion) -> None:
    """Refuse a version of a kind that can't be exported.

    Raises
    ------
    Invalid : the message says why, and what can be.
    """
    if why := why_not(version):
        raise Invalid(why)


def why_not(version: ModelVersion) -> str:
    """Say why a version can't be exported; "" if it can, as far as its kind shows."""
    kind = model_versions.provenance(version).get("model", DEPLOYABLE_MODEL)
    return "" if kind == DEPLOYABLE_MODEL else WHY_NOT.format(kind=kind)


def lacking() -> dict[str, str]:
    """Return the formats that can't be made on this machine, each with what lacks and what to do about it."""
    return {name: message for name in FORMATS if (message := needs.lacking(name))}


def remove(version: ModelVersion, format_: str, weights: str) -> None:
    """Delete what was exported of a version; its archive can be made again.

    Raises
    ------
    NotFound : it was not exported.
    """
    shutil.rmtree(artefact(version, format_, weights).parent)
    audit.record(Action.MODEL_CHANGED, version.label, change="export deleted", format=format_, weights=weights)


def make(key: int | str, format_: str, weights: str = EXACT, on_event: OnEvent = ignore_event) -> dict[str, Any]:
    """Export a version and return the description; what was exported of the same kind before is replaced.

    Raises
    ------
    Invalid : another format, or the model cannot be exported, or the artefact does not answer as the model does.
    NoRoom : the disk is nearly full.
    """
    check(format_, weights)
    version = model_versions.get(key)
    version_id, label = version.id, version.label
    target = model_versions.exports_folder(version) / f"{format_}-{weights}"
    target.parent.mkdir(parents=True, exist_ok=True)
    room.require(target.parent, MOST_BYTES)
    draft = target.with_name(f"{DRAFT}{uuid4().hex}")
    draft.mkdir(mode=0o700)
    try:
        document = _in_child(_job(version, format_, weights, draft), on_event)
        db.session.rollback()  # to see what others did meanwhile
        if db.session.scalar(select(ModelVersion.id).where(ModelVersion.id == version_id)) is None:
            shutil.rmtree(target.parent, ignore_errors=True)  # or a later model of this name would offer it as its own
            raise Invalid(f"{label} was deleted meanwhile. Nothing was made.")
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    audit.record(Action.MODEL_EXPORTED, label, format=format_, weights=weights)
    return document


def _job(version: ModelVersion, format_: str, weights: str, draft: Path) -> dict[str, Any]:
    directory = model_versions.directory(version)
    data = model_files.manifest(directory).get("data", {})
    found = library.of_fingerprint(data.get("fingerprint"), data.get("dataset", ""))
    return {
        "model": str(directory),
        "label": version.label,
        "format": format_,
        "weights": weights,
        "limit": model_versions.limit_of(version),
        "folder": str(draft),
        "store": str(library.store_folder(found)) if found else None,
        "device": data.get("dataset", "").partition(":")[2],
    }


def _in_child(job: dict[str, Any], on_event: OnEvent) -> dict[str, Any]:
    """Run a job in a process of its own; what ends that process is told as an error."""
    with subprocess.Popen(
        [sys.executable, *CHILD],
        env=without_secrets(),
        cwd=Path(current_app.root_path).parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as child:
        too_long = threading.Timer(MOST_S, child.kill)
        too_long.start()
        try:
            assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018  pipes were asked for
            child.stdin.write(json.dumps(job) + "\n")
            child.stdin.flush()  # and stays open: its end tells the child that we are gone
            last: dict[str, Any] = {}
            for line in child.stdout:
                last = json.loads(line)
                if "stage" in last:
                    on_event(last)
            status = child.wait()
        except BaseException:
            child.kill()
            raise
        finally:
            too_long.cancel()
    if "refused" in last:
        raise Invalid(last["refused"])
    if status or "document" not in last:
        raise Invalid(DIED.format(how=f"signal {-status}" if status < 0 else f"status {status}"))
    return dict(last["document"])
