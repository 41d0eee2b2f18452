"""What this site gives of a data set, for a stored model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.har.classifiers.catalogue import DEPLOYABLE_MODEL
from app.services import audit, consents
from app.services.audit import Action
from app.services.datasets import library
from app.services.datasets.shared_names import names_of
from app.services.errors import Invalid
from app.services.federation import exchange
from app.services.models import model_files, model_versions
from app.services.purposes import Purpose
from app.tables import Consent

if TYPE_CHECKING:
    from app.har.federation.minimums import Minimum
    from app.har.federation.site_sums import Counts, SharedMap
    from app.har.windows import WindowSet
    from app.tables import ModelVersion


@dataclass(frozen=True)
class Given:
    """What was written for others."""

    counts: Counts
    activities: tuple[str, ...]
    left_out: Mapping[str, int]  # windows of activities that too few people did


def minimum() -> Minimum:
    """Return of how much sums are given away, as this site is set up."""
    from app.har.federation.minimums import Minimum

    config = current_app.config
    return Minimum(config["FEDERATION_MIN_WINDOWS"], config["FEDERATION_MIN_PEOPLE"])


def shared_map(version: ModelVersion) -> SharedMap:
    """Return the feature map of a stored model.

    Raises
    ------
    Invalid : it is of a kind that has none.
    ModelIntegrityError : its files are missing or were changed.
    """
    from app.har.classifiers.elm_gru_am.persistence import load_model
    from app.har.federation.site_sums import SharedMap

    folder = model_versions.directory(version)
    manifest = model_files.manifest(folder)
    if manifest.get("model") != DEPLOYABLE_MODEL:
        raise Invalid(f"{version.label} has no head that sites could learn together; choose a model of ELM-GRU-AM.")
    return SharedMap.of(load_model(folder), manifest)  # afresh: the sums set its weights


def windows_of(shared: SharedMap, dataset_name: str) -> WindowSet:
    """Return the windows of a data set as a model takes them, without users who have not agreed to share sums."""
    from app.har.federation.windows import windows_for

    dataset = library.get(dataset_name)
    windows = windows_for(shared.model, library.open_dataset(dataset).signals, names_of(dataset))
    left_out = np.isin([name.rpartition("/")[2] for name in windows.subjects.tolist()], _not_agreed())
    return windows.take(~left_out) if left_out.any() else windows


def _not_agreed() -> list[str]:
    """Return the made-up names of users whose corrections are in data sets, but not in what other sites are given."""
    sharing = select(Consent.pseudonym, Consent.user_id).where(Consent.pseudonym != "")
    return [
        name
        for name, user_id in db.session.execute(sharing)
        if user_id is None or not consents.holds(Purpose.FEDERATION, user_id)
    ]


def described(shared: SharedMap, version: ModelVersion, counts: Counts) -> dict[str, Any]:
    """Return what a file says of the map and of how many windows and people there are."""
    return {
        "made": exchange.today(),
        "map": shared.digest,
        "model": version.label,
        "activities": list(shared.model.activities),
        "nodes": shared.n_nodes,
        "windows": counts.windows.tolist(),
        "people": counts.people.tolist(),
        "n_people": counts.n_people,
    }


def export_sums(model: str, dataset_name: str, path: Path, noise_for: tuple[float, float, int] | None = None) -> Given:
    """Write a data set's sums over the feature map of a model into a signed file.

    Parameters
    ----------
    noise_for : ε, δ and the most windows of a person, to add noise for; default None, the exact sums.

    Raises
    ------
    InsufficientData : of too few windows or people.
    NotFound, Invalid, Conflict, HarError : there is no such model or data set, or they do not fit together.
    """
    from app.har.federation import noise
    from app.har.federation.site_sums import Contribution

    privacy = None if noise_for is None else noise.Privacy(*noise_for)
    version = model_versions.get(model)
    shared = shared_map(version)
    least = minimum()
    windows, left_out = least.shareable(windows_of(shared, dataset_name))
    if privacy is None:
        contribution, added = Contribution.of(shared, windows), None
    else:
        contribution, added = noise.noisy(shared, windows, privacy)
    least.check(contribution.counts, f"The data set {dataset_name}")
    document = {"kind": "sums", **described(shared, version, contribution.counts), "noise": added}
    exchange.write(path, document, contribution.packed().astype("<f8").tobytes())
    audit.record(Action.SUMS_SHARED, f"{dataset_name} for {version.label}", windows=contribution.counts.n_windows)
    return Given(contribution.counts, shared.model.activities, left_out)
