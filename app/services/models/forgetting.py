"""A person is forgotten by a model: a new version, whose head was solved without them, with a certificate."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask import current_app

from app.har.errors import HarError
from app.services import audit, room
from app.services.audit import Action
from app.services.errors import Invalid
from app.services.files import DRAFT
from app.services.models import model_files, model_versions
from app.tables import ModelVersion

NAMED = 20  # people in a message


def people_of(version: ModelVersion) -> dict[str, int]:
    """Return the subjects that a version can forget, and from how many rows its head knows each."""
    from app.har.classifiers.elm_gru_am.head_sums import KEPT

    kept = model_files.manifest(model_versions.directory(version)).get(KEPT, [])
    return {one["subject"]: one["rows"] for one in kept if one["subject"]}  # the data may not say who was recorded


def size_of(version: ModelVersion) -> int:
    """Return how many bytes are kept so that a version can forget."""
    from app.har.classifiers.elm_gru_am.head_sums import ROWS_FILE

    path = model_versions.directory(version) / ROWS_FILE
    return path.stat().st_size if path.is_file() else 0


def still_knowing(version: ModelVersion) -> list[ModelVersion]:
    """Return the versions that are still here whom this one, by its certificates, was made from: they forgot nobody."""
    labels = {certificate["model"] for certificate in certificates_of(version)}
    return [other for other in model_versions.list_versions() if other.label in labels]


def certificates_of(version: ModelVersion) -> list[dict[str, Any]]:
    """Return what a version has forgotten, the oldest first."""
    from app.har.classifiers.elm_gru_am import forgetting

    return forgetting.of(model_versions.directory(version))


def check(key: int | str, subject: str) -> ModelVersion:
    """Return a version that can forget a subject.

    Raises
    ------
    Invalid : the model cannot forget this subject.
    """
    version = model_versions.get(key)
    if subject not in (people := people_of(version)):
        raise Invalid(_why_not(version.label, subject, list(people)), field="subject")
    return version


def forget(key: int | str, subject: str) -> tuple[ModelVersion, dict[str, Any]]:
    """Make a new version of a model that has forgotten a subject; the version before stays as it is.

    Raises
    ------
    Invalid : the model cannot forget this subject.
    NoRoom : the disk is nearly full.
    """
    from app.har.classifiers.elm_gru_am import forgetting

    version = check(key, subject)
    label, folder = version.label, model_versions.directory(version)
    room.require(Path(current_app.config["MODEL_STORE"]))
    with tempfile.TemporaryDirectory(prefix=DRAFT, dir=folder.parent) as draft:
        target = Path(draft) / "model"
        try:
            certificate = forgetting.forget(folder, subject, target, label)
        except HarError as error:
            raise Invalid(str(error).replace(str(folder), label), field="subject") from error
        with model_versions.registered(version.name, target, version.metrics, version.training_run_id) as made:
            made.answer_limit = version.answer_limit
    audit.record(Action.MODEL_FORGOT, made.label, model=label, subject=subject, rows=certificate["rows"])
    return made, certificate


def left_out(key: int | str) -> dict[str, tuple[int, int]]:
    """Return of each person how many windows a version keeps, and how many its head gets right without them.

    Raises
    ------
    Invalid : the model kept nobody.
    """
    from app.har.classifiers.elm_gru_am import forgetting

    version = model_versions.get(key)
    if not people_of(version):
        raise Invalid(_why_not(version.label, "", []))
    return forgetting.left_out(model_versions.directory(version))


def _why_not(label: str, subject: str, people: Sequence[str]) -> str:
    if not people:
        return (
            f"{label} can forget nobody: it did not keep what its head was solved from. Train it again with “keep "
            "features by person” (flask train --keep-sums), or without that person (--leave-out)."
        )
    more = f" and {len(people) - NAMED} more" if len(people) > NAMED else ""
    return f"{label} cannot forget a subject {subject[:64]!r}. It can forget {', '.join(people[:NAMED])}{more}."
