"""Which stored model recognises an upload: the one that a person chose, or else the one that fits its devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from app.har.signals.types import Recording
from app.services.formatting import percent
from app.services.models import model_versions
from app.services.recordings.recognise import Model, ModelsFor, always
from app.services.recordings.resample import devices_of, first_of
from app.services.recordings.sensor_names import in_words
from app.tables import ModelVersion


def models_for(key: int | str | None) -> ModelsFor:
    """Return which models may recognise an upload.

    Parameters
    ----------
    key : the model that a person chose, see `model_versions.get`; None leaves it to the file.

    Raises
    ------
    NotFound, Conflict : there is no such model, or no default one.
    """
    if key is not None:
        return always(model_of(model_versions.get(key)))
    return partial(_fitting, model_versions.get_or_default(None))


def model_of(version: ModelVersion) -> Model:
    """Return a version as recognition takes it."""
    load, limit = partial(model_versions.load, version), model_versions.limit_of(version)
    return Model(version.label, load, limit, version.id)


def _fitting(default: ModelVersion, recordings: Sequence[Recording]) -> Sequence[Model]:
    """Return the default model, before it the best that reads all devices of a file together.

    That one comes first only where its card shows it to be at least as often right, for people whom it did not know.
    """
    usual = model_of(default)
    there = set.intersection(*map(devices_of, recordings)) if recordings else set()
    if len(there) < 2 or len(_devices(default)) > 1:
        return (usual,)
    found = f"The file holds {in_words(sorted(there))}."
    versions = model_versions.list_versions()
    together = [version for version in versions if len(_devices(version)) > 1 and _devices(version) <= there]
    good = [version for version in together if _by_new_people(version) and _accuracy(version) >= _accuracy(default)]
    one = f"{found} {default.label} reads one device, here the {first_of(there)}."
    if not good:
        why = "is as often right for new people by its card" if together else "is here"
        return (replace(usual, chosen_because=f"{one} No model that reads them together {why}."),)
    best = max(good, key=_accuracy)
    share = percent(_accuracy(best), 0)
    because = f"{found} {best.label} reads them together, and was right in {share} of the windows of new people."
    return replace(model_of(best), chosen_because=because), replace(usual, chosen_because=one)


def _devices(version: ModelVersion) -> set[str]:
    return {channel.rpartition(".")[0] for channel in model_versions.provenance(version).get("channels", [])}


def _by_new_people(version: ModelVersion) -> bool:
    """Say whether a version was tested on people whom it was not trained on."""
    return model_versions.provenance(version).get("split", {}).get("protocol") in ("subject", "dataset")


def _accuracy(version: ModelVersion) -> float:
    return float(version.metrics.get("accuracy", {}).get("value", 0.0))
