"""What a stored model tells activities by, and whether its explanations were shown to be true."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.har.classifiers.catalogue import DEPLOYABLE_MODEL, EVERYDAY_MODEL
from app.har.errors import HarError
from app.services import audit
from app.services.audit import Action
from app.services.datasets import library
from app.services.errors import Invalid
from app.services.files import written_whole
from app.services.models import model_files, model_versions
from app.tables import Dataset, ModelVersion


@dataclass(frozen=True)
class Explained:
    """What was measured of a model, and in words."""

    measured: dict[str, Any] | None  # see `har.explanations.about`
    why_not: str  # nothing is explained; "" where it is
    tested: str  # how the test went; "" where there was none
    unexplained: tuple[str, ...]  # answers of which explanations failed the test, where others passed


def can_be(version: ModelVersion) -> bool:
    """Tell whether a model is of a kind whose answers are explained."""
    return model_versions.provenance(version).get("model") in (DEPLOYABLE_MODEL, EVERYDAY_MODEL)


def is_everyday(version: ModelVersion | None) -> bool:
    """Tell whether a model is one of small questions, which are explained by themselves."""
    return version is not None and model_versions.provenance(version).get("model") == EVERYDAY_MODEL


def of(version: ModelVersion, answer: str = "") -> Explained:
    """Return what was measured of a model that can be explained.

    Parameters
    ----------
    answer : the activity that is to be explained; default any.
    """
    from app.har.explanations import about

    folder = model_versions.directory(version)
    measured = about.of_folder(folder) or _measured_since(version) or about.of_folder(_released(folder, version))
    why_not = about.why_not(measured, answer)
    return Explained(measured, why_not, about.in_words(measured), about.unexplained(measured))


def _measured_since(version: ModelVersion) -> dict[str, Any] | None:
    """Return what was measured after the training, of this very model: another may have had its name and number."""
    try:
        kept = json.loads(model_versions.measured_file(version).read_text(encoding="utf-8"))
        this = model_files.manifest(model_versions.directory(version))["manifest_sha256"]
    except (OSError, ValueError, KeyError, HarError):
        return None
    found: dict[str, Any] = kept["explained"]
    return found if kept["manifest_sha256"] == this else None


def _released(folder: Path, version: ModelVersion) -> Path:
    """Return where the same model comes with the program, where it does: it may have been tested since."""
    released = Path(current_app.config["REFERENCE_MODELS"]) / version.name
    try:
        same = (released / "manifest.json").read_bytes() == (folder / "manifest.json").read_bytes()
    except OSError:
        same = False
    return released if same else folder


def why_not_testable(version: ModelVersion) -> str:
    """Say why explanations of a model cannot be tested after its training, "" where they can."""
    known = model_versions.provenance(version)
    if known.get("model") != DEPLOYABLE_MODEL:
        return f"Explanations of {version.label} cannot be tested later: only those of ELM-GRU-AM models can."
    if known.get("split", {}).get("protocol") != "subject":
        return (
            f"{version.label} was not tested on people held out of its training, so there is nobody on whom its "
            "explanations could be tested. Train again, split by subject."
        )
    if _dataset_of(version) is None:
        named = known.get("data", {}).get("dataset", "")
        return (
            f"The data set that {version.label} learnt from is not on this server, so the people held out are not "
            f"here. Import {named or 'it'} again, unchanged, and test then."
        )
    return ""


def _dataset_of(version: ModelVersion) -> Dataset | None:
    data = model_versions.provenance(version).get("data", {})
    return library.of_fingerprint(data.get("fingerprint"), data.get("dataset", ""))


def measure(key: int | str) -> Explained:
    """Test the explanations of a stored model on the people held out of its training; some seconds to a minute.

    What is found is kept beside the models, not among a model's own files: those are never written again.

    Raises
    ------
    Invalid : there is nobody to test them on, see `why_not_testable`, or the model was deleted meanwhile.
    """
    from app.har.datasets.pool import of_device
    from app.har.explanations import about
    from app.har.training import held_out

    version = model_versions.get(key)
    dataset = _dataset_of(version)
    if (why := why_not_testable(version)) or dataset is None:
        raise Invalid(why)
    version_id, label, folder = version.id, version.label, model_versions.directory(version)
    manifest, target = model_files.manifest(folder), model_versions.measured_file(version)
    model: Any = model_files.load(folder, label)
    device = manifest["data"].get("dataset", "").partition(":")[2]
    signals = library.open_dataset(dataset).signals
    parts = held_out.of_model(manifest, of_device(signals, device) if device else signals)
    if parts is None or not len(parts.tested):
        raise Invalid(f"{dataset.name} cannot be read again as {label} was trained on it.")
    document = {"manifest_sha256": manifest["manifest_sha256"], "explained": about.about(model, parts.tested)}
    db.session.rollback()  # to see what others did meanwhile
    if db.session.scalar(select(ModelVersion.id).where(ModelVersion.id == version_id)) is None:
        raise Invalid(f"{label} was deleted meanwhile. Nothing was kept.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(target) as path:
        path.write_text(about.as_text(document), encoding="utf-8")
    audit.record(Action.MODEL_CHANGED, label, change="explanations tested")
    return of(model_versions.get(version_id))
