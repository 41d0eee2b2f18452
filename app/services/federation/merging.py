"""The joint model of several sites, from the files that they sent."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from flask import current_app

from app.har.classifiers.catalogue import DEPLOYABLE_MODEL
from app.services import audit
from app.services.audit import Action
from app.services.datasets import library
from app.services.errors import Conflict, Invalid, NotFound
from app.services.federation import exchange, masked, sharing, sites
from app.services.files import DRAFT
from app.services.models import model_files, model_versions
from app.services.names import NAME_RULE, is_name

if TYPE_CHECKING:
    from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
    from app.har.federation.site_sums import Contribution, SharedMap
    from app.har.windows import WindowSet
    from app.tables import ModelVersion


_merging = Lock()  # one at a time: it takes some seconds and half a gigabyte


def bases() -> list[ModelVersion]:
    """Return the models whose head sites can learn together, the newest first."""
    return [
        one for one in model_versions.list_versions() if model_versions.provenance(one).get("model") == DEPLOYABLE_MODEL
    ]


def merge(paths: Sequence[Path], model: str, name: str, test: str = "") -> ModelVersion:
    """Solve the head of the sums of all sites, and store it as a new model version.

    Parameters
    ----------
    paths : files with sums; or of one round of masked sums the round, all that sites have masked, and their answers.
    model : the base, whose feature map the sums are over.
    name : of the new model.
    test : a data set of this site to test the new model on, of people whose windows are in no sums; default none.

    Raises
    ------
    Invalid, Conflict, NotFound, HarError : a file is not to be trusted, or does not fit to the others or to the model.
    """
    if not is_name(name):
        raise Invalid(f"A model's name is {NAME_RULE}; found {name[:80]!r}.", field="name")
    if not _merging.acquire(blocking=False):
        raise Conflict("Sums are being merged already. Try again in a minute.")
    try:
        version = model_versions.get(model)
        shared = sharing.shared_map(version)
        of_round = any(exchange.kind_of(path) == "round" for path in paths)
        windows = sharing.windows_of(shared, test) if test else None  # before the sums: it may not fit
        if windows is not None and library.get(test).fingerprint in _learnt_from(version):
            raise Invalid(
                f"{version.label} was trained on {test}, and the joint model has its network and scaling: it would be "
                "tested on windows that it has seen. Choose a data set of other people.",
                field="test",
            )
        if windows is not None and not of_round:
            _check_is_new(windows, paths, test)
        merged = masked.merged(paths, shared) if of_round else _plain(paths, shared)
        return _stored(shared, merged, version, name, (test, windows) if windows is not None else None)
    finally:
        _merging.release()


def _plain(paths: Iterable[Path], shared: SharedMap) -> exchange.Merged:
    """Add up sums that all may see."""
    import numpy as np

    from app.har.errors import UnreadableData
    from app.har.federation.documents import SumsDocument, parsed
    from app.har.federation.site_sums import Contribution, packed_length

    total: Contribution | None = None
    found: dict[str, str] = {}
    noise = []
    for path in paths:
        sealed = exchange.opened(path)
        document = parsed(SumsDocument, sealed.document, path.name)
        site = sites.name_of(sealed.signer)
        file = f"The file of {site}"  # what it is called here may be a number
        exchange.check_map(document, shared, file)
        if site in found:
            raise Invalid(f"There are two files of {site}; its people would count twice. Choose one of them.")
        found[site] = document.made
        vector = np.frombuffer(sealed.payload, "<f8") if len(sealed.payload) % 8 == 0 else np.zeros(0)
        if len(vector) != packed_length(document.nodes, len(document.activities)) or not np.isfinite(vector).all():
            raise UnreadableData(f"{file} does not hold the numbers that it says.")
        one = Contribution.unpacked(vector, document.nodes, len(document.activities))
        total = one if total is None else total + one
        if document.noise:
            noise.append({"site": site, **document.noise.model_dump()})
    if total is None or len(found) < 2:
        raise Invalid(f"Files of at least two sites are merged; found {len(found)}.")
    return exchange.Merged(
        total, [{"name": site, "made": made} for site, made in found.items()], [], noise, masked=False
    )


def _learnt_from(version: ModelVersion) -> set[str]:
    """Return the fingerprints of the data sets that a model, or the base of a joint one, was trained on."""
    manifest = model_files.manifest(model_versions.directory(version))
    data = manifest.get("data", {})
    found = {one.get("fingerprint", "") for one in data.get("datasets", [data])} - {""}
    if "federation" in manifest:
        with suppress(NotFound):  # deleted: nobody knows
            found |= _learnt_from(model_versions.get(manifest["federation"]["base"]))
    return found


def _check_is_new(windows: WindowSet, paths: Iterable[Path], test: str) -> None:
    """Refuse to test on the data set that this site has given: the head would have learnt from the very windows.

    Raises
    ------
    Invalid : this site's file has as many windows and people of each activity.
    """
    from app.har.federation.documents import SumsDocument, parsed
    from app.har.federation.envelope import document_of
    from app.har.federation.site_sums import counts_of

    counts = counts_of(sharing.minimum().shareable(windows)[0])
    for path in paths:
        document = parsed(SumsDocument, document_of(path), path.name)
        same = (document.windows, document.people) == (counts.windows.tolist(), counts.people.tolist())
        if same and document.signer == sites.own_public_key():
            raise Invalid(
                f"The sums of this site are of {test}, as many windows and people say. A test needs people whose "
                "windows are in no sums; keep some apart as a data set of their own.",
                field="test",
            )


def _tested(joint: ActivityClassifier, windows: WindowSet, test: str) -> tuple[dict[str, Any], list[str]]:
    """Return what the manifest keeps of a test, and paragraphs of the card; neither has names of people."""
    from app.har.evaluation.scores import evaluate
    from app.har.training.model_card import figures

    started = time.perf_counter()
    proba = joint.predict_proba(windows)
    seconds = time.perf_counter() - started
    metrics = evaluate(windows, proba, fit_seconds=0.0, predict_seconds=seconds).as_dict()
    for number, one in enumerate(metrics["per_subject"], start=1):
        one["subject"] = f"person {number}"
    people = len(metrics["per_subject"])
    split = {"protocol": "subject", "test_windows": len(windows), "test_subjects": people, "dataset": test}
    said = (
        f"Measured once, when it was made, on {len(windows):,} windows of {people} people of the data set {test} at "
        "the site that merged. That none of them is in the sums of a site cannot be seen from sums."
    )
    return {"metrics": metrics, "split": split}, [said, *figures(metrics)]


def _stored(
    shared: SharedMap,
    merged: exchange.Merged,
    base: ModelVersion,
    name: str,
    test: tuple[str, WindowSet] | None,
) -> ModelVersion:
    from app.har.classifiers.elm_gru_am.persistence import save_model
    from app.har.federation.joint import UNTESTED, joint_card, joint_model
    from app.har.federation.noise import ridge_for
    from app.har.training.model_card import CARD

    joint = joint_model(shared, merged.total.sums, ridge_for(shared, merged.noise))
    facts = {
        "base": base.label,
        "map": shared.digest,
        "weights": shared.weights.tolist(),
        "sites": merged.sites,
        "missing": merged.missing,
        "noise": merged.noise,
        "masked": merged.masked,
        "windows": merged.total.windows.tolist(),
        "people": merged.total.people.tolist(),
        "n_people": merged.total.n_people,
    }
    figures, card = _tested(joint, test[1], test[0]) if test else ({}, [UNTESTED])
    extra = {"data": {"dataset": name}, "federation": facts, **figures}
    with tempfile.TemporaryDirectory(dir=current_app.config["MODEL_STORE"], prefix=DRAFT) as draft:
        folder = Path(draft) / "model"
        save_model(joint, folder, extra=extra, texts={CARD: joint_card(name, joint, facts, card)})
        version = model_versions.register(name, folder, figures.get("metrics", {}))
    audit.record(Action.SITES_MERGED, version.label, sites=len(merged.sites), base=base.label)
    return version
