"""Versions of trained models: one row each, and one directory each under model_store/."""

from __future__ import annotations

import reprlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from flask import current_app
from sqlalchemy import delete as sql_delete
from sqlalchemy import func, select, update
from sqlalchemy.orm import joinedload, undefer

from app.extensions import db
from app.har.classifiers.catalogue import BALANCED, DAILY, EVERYDAY_MODEL, PRIORS
from app.har.evaluation.types import FEWEST_PEOPLE
from app.har.renamed import with_current_names
from app.har.vocabulary import DEFAULT_LIMIT, LIMITS
from app.services import audit, leftovers
from app.services.audit import Action
from app.services.errors import Conflict, Invalid, NotFound
from app.services.files import DRAFT, link_or_copy, written_whole
from app.services.formatting import percent
from app.services.models import model_files
from app.services.names import NAME_RULE, is_name
from app.services.personal import head_files
from app.services.transaction import LARGEST_ID, rows_changed, transaction
from app.tables import ModelVersion, Promotion

LAST = ".last"  # beside the versions of a name: the last number that was given
MAX_NOTES = 4000


def directory(version: ModelVersion) -> Path:
    """Return where the files of a version are."""
    return Path(current_app.config["MODEL_STORE"]) / version.name / str(version.version)


def exports_folder(version: ModelVersion) -> Path:
    """Return where what was made of a version for other devices is; see `exports`."""
    return Path(current_app.config["INSTANCE"]) / "exports" / version.name / str(version.version)


def measured_file(version: ModelVersion) -> Path:
    """Return where what was measured of a version after its training is kept; see `explained`."""
    return Path(current_app.config["INSTANCE"]) / "explained" / version.name / f"{version.version}.json"


def list_versions(*, with_metrics: bool = False) -> list[ModelVersion]:
    """Return every version, the newest first; with their metrics in the same query where all are shown."""
    query = select(ModelVersion).order_by(ModelVersion.id.desc())
    return list(db.session.scalars(query.options(undefer(ModelVersion.metrics)) if with_metrics else query))


def promoted() -> ModelVersion | None:
    """Return the default model, None before an administrator promoted one."""
    return db.session.scalar(select(ModelVersion).where(ModelVersion.promoted))


def get(key: int | str) -> ModelVersion:
    """Return a version by its id, its label (``ku-har/3``), or a name alone (then the newest of that name)."""
    query = select(ModelVersion)
    if isinstance(key, int):
        query = query.where(ModelVersion.id == (key if abs(key) <= LARGEST_ID else None))
    else:
        name, _, number = key.partition("/")
        query = query.where(ModelVersion.name == name).order_by(ModelVersion.version.desc()).limit(1)
        if number:
            known_number = number.isdecimal() and len(number) <= len(str(LARGEST_ID))
            query = query.where(ModelVersion.version == (int(number) if known_number else None))
    if (version := db.session.scalar(query)) is None:
        known = ", ".join(v.label for v in list_versions()) or "none yet"
        raise NotFound(f"There is no model {reprlib.repr(key)}. Models here: {known}.")
    return version


def get_or_default(key: int | str | None) -> ModelVersion:
    """Return a version as `get` does; None is the default model.

    Raises
    ------
    Conflict : there is no default model yet.
    """
    if key is not None:
        return get(key)
    if (default := promoted()) is None:
        raise Conflict(
            "There is no default model yet. An administrator must train a model and make it the default first."
        )
    return default


def promote(key: int | str) -> ModelVersion:
    """Make a version the default model, in place of the one before; the history says which that was, and who did it."""
    version = get(key)
    label = version.label
    with transaction() as session:
        before = promoted()
        replaced = before.label if before else ""
        if replaced != label:
            session.add(Promotion(label=label, replaced=replaced, made_by_id=audit.origin().actor_id))
        rows_changed(update(ModelVersion).values(promoted=False))
        if rows_changed(update(ModelVersion).where(ModelVersion.id == version.id).values(promoted=True)) == 0:
            raise NotFound(f"{label} was deleted at this moment; the default model stays the same.")
    audit.record(Action.MODEL_PROMOTED, label)
    return version


def promotions(limit: int = 50) -> list[Promotion]:
    """Return which models became the default, the newest first."""
    newest = select(Promotion).order_by(Promotion.id.desc()).limit(limit).options(joinedload(Promotion.made_by))
    return list(db.session.scalars(newest))


def set_notes(key: int | str, notes: str) -> ModelVersion:
    """Keep what people want to remember about a version."""
    if len(notes := notes.strip()) > MAX_NOTES:
        raise Invalid(f"Notes may have at most {MAX_NOTES:,} characters; these have {len(notes):,}.", field="notes")
    version = get(key)
    with transaction():
        version.notes = notes
    audit.record(Action.MODEL_CHANGED, version.label, change="notes")
    return version


def limit_of(version: ModelVersion) -> float:
    """Return how probable an answer of a version must be: as an administrator set it, else as the model recommends."""
    return recommended_limit(version) if version.answer_limit is None else version.answer_limit


def recommended_limit(version: ModelVersion) -> float:
    """Return the limit that the model itself brings, else the usual one."""
    return float(provenance(version).get("answer_limit", DEFAULT_LIMIT))


def set_limit(key: int | str, limit: float | None) -> ModelVersion:
    """Set how probable an answer of a version must be from now on; None is the model's own limit."""
    low, high = LIMITS
    if limit is not None and not low <= limit <= high:
        found = f"from {percent(low, 0)} to {percent(high, 0)}; found {percent(limit)}"
        raise Invalid(f"The limit of an answer is {found}.", field="answer_limit")
    version = get(key)
    with transaction():
        version.answer_limit = limit
    audit.record(Action.MODEL_CHANGED, version.label, change="limit", limit=limit)
    return version


def knows_prior(version: ModelVersion) -> bool:
    """Tell whether a version takes activities to be met alike, so that another prior can be put in place of that."""
    return provenance(version).get("model") == EVERYDAY_MODEL


def set_prior(key: int | str, name: str) -> ModelVersion:
    """Say how often a version is to expect activities from now on: "balanced", all alike, or as in "daily life".

    Raises
    ------
    Invalid : another name, or a model whose probabilities are not balanced.
    """
    from app.har.classifiers.everyday.prior import DAILY_LIFE

    if name not in PRIORS:
        raise Invalid(f"A prior is one of {', '.join(PRIORS)}; found {name[:40]!r}.", field="prior")
    version = get(key)
    if name != BALANCED and not knows_prior(version):
        raise Invalid(f"{version.label} is no everyday model: what it expects comes from its training.", "prior")
    with transaction():
        version.prior = dict(DAILY_LIFE) if name == DAILY else {}
    audit.record(Action.MODEL_CHANGED, version.label, change="prior", prior=name)
    return version


def delete(key: int | str) -> None:
    """Remove a version and its files; predictions made with it stay and keep its label."""
    version = get(key)
    label, folder, exports, measured = (
        version.label,
        directory(version),
        exports_folder(version),
        measured_file(version),
    )
    with transaction():
        if rows_changed(sql_delete(ModelVersion).where(ModelVersion.id == version.id, ~ModelVersion.promoted)) == 0:
            raise Conflict(f"{label} is the default model. Make another model the default first, then delete this one.")
    audit.record(Action.MODEL_DELETED, label)
    leftovers.delete(folder)
    shutil.rmtree(exports, ignore_errors=True)
    measured.unlink(missing_ok=True)
    head_files.sweep()


def set_aside_unknown() -> None:
    """Set aside the folders of models that have no row; while nothing else may be about to write one."""
    store = Path(current_app.config["MODEL_STORE"])
    known = set(map(directory, list_versions()))
    for folder in [path for path in store.glob("*/*") if path.name.isdecimal() and path.is_dir() and path not in known]:
        leftovers.set_aside(folder, store)


@contextmanager
def registered(
    name: str, folder: Path, metrics: dict[str, Any], training_run_id: int | None = None
) -> Iterator[ModelVersion]:
    """Move a saved model into the store as the next version of its name, in one transaction with what the block writes.

    ``metrics`` is ``Metrics.as_dict()``. When anything fails, in the block too, neither a row nor a directory remains.
    ``folder`` stays until the row is written: when the server dies meanwhile, it can be registered again.

    Raises
    ------
    Busy, NoRoom : see `transaction`.
    """
    if not is_name(name):
        raise Invalid(f"A model's name is {NAME_RULE}; found {name!r}.", field="name")
    made = None
    try:
        with transaction() as session:
            version = ModelVersion(
                name=name, version=_next_number(name), metrics=metrics, training_run_id=training_run_id
            )
            session.add(version)
            session.flush()
            target = directory(version)
            draft = target.with_name(f"{DRAFT}{uuid4().hex}")
            try:
                shutil.copytree(folder, draft, copy_function=link_or_copy)
                made = draft.rename(target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
            with written_whole(target.parent / LAST) as path:
                path.write_text(str(version.version), encoding="ascii")
            yield version
    except BaseException:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def register(name: str, folder: Path, metrics: dict[str, Any], training_run_id: int | None = None) -> ModelVersion:
    """Move a saved model into the store, in a transaction of its own; see `registered`."""
    with registered(name, folder, metrics, training_run_id) as version:
        return version


def _next_number(name: str) -> int:
    """Return the next version number; that of a deleted version is never given again, results still name it."""
    parent = Path(current_app.config["MODEL_STORE"]) / name
    parent.mkdir(parents=True, exist_ok=True)
    last = parent / LAST
    used = [int(p.name) for p in parent.iterdir() if p.name.isdecimal()]
    used += [int(last.read_text(encoding="ascii"))] if last.exists() else []
    newest = db.session.scalar(select(func.max(ModelVersion.version)).where(ModelVersion.name == name))
    return 1 + max(newest or 0, *used, 0)


def card(version: ModelVersion) -> Path | None:
    """Return the model card, if there is one."""
    from app.har.training.model_card import CARD

    path = directory(version) / CARD
    return path if path.is_file() else None


def info(version: ModelVersion) -> dict[str, Any]:
    """Return all that is known of a version: its row, manifest and metrics."""
    manifest = model_files.manifest(directory(version))
    settings = {key: with_current_names(manifest[key]) for key in ("config", "model_config") if key in manifest}
    return {
        **as_dict(version),
        "manifest": manifest | settings,
        "metrics": version.metrics,
    }


def as_dict(version: ModelVersion) -> dict[str, Any]:
    """Return a version's row as plain values."""
    return {
        "label": version.label,
        "name": version.name,
        "version": version.version,
        "promoted": version.promoted,
        "created": version.created.isoformat(timespec="seconds"),
        "training_run": version.training_run_id,
        "answer_limit": limit_of(version),
        "prior": version.prior,
        "notes": version.notes,
    }


def provenance(version: ModelVersion) -> dict[str, Any]:
    """Return what a version was trained and tested on, by its manifest; see `model_files.provenance`."""
    return model_files.provenance(directory(version))


def accuracy_in_words(version: ModelVersion) -> str:
    """Say in one sentence how often a model was right, and on whom that was measured."""
    split, accuracy = provenance(version).get("split"), version.metrics.get("accuracy")
    if not split or not accuracy:
        return f"{version.label} has no record of how it was tested."
    value, low, high = (percent(accuracy[key]) for key in ("value", "low", "high"))
    measured = f"recognised {value} of the windows correctly (95 % interval {low} to {high})"
    if split["protocol"] == "subject":
        people = split["test_subjects"]
        few = "; so few people say little about how people differ" if people < FEWEST_PEOPLE else ""
        return (
            f"{version.label} {measured} for {people} people it was not trained on{few}. "
            "They wore the device of its data set; expect less for another device or placement."
        )
    if split["protocol"] == "dataset":
        return (
            f"The deepest guess of {version.label} was right in {value} of the windows (95 % interval {low} to {high}) "
            f"for {split['test_subjects']} people of data sets it was not trained on. Of its answers, which may name "
            "a group, more are true."
        )
    return f"{version.label} {measured} for the people it was trained on; expect less for anyone else."
