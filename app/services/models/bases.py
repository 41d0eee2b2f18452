"""The stored model that a training builds on: which there are, whether one fits, and what it brings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.har.classifiers.catalogue import CATALOGUE, DEPLOYABLE_MODEL, EVERYDAY_MODEL
from app.har.errors import HarError
from app.har.training.config import TrainConfig
from app.services.errors import Invalid
from app.services.models import model_files, model_versions
from app.services.models.training_data import Choice
from app.services.recordings.sensor_names import in_words, sensors_of
from app.tables import ModelVersion

FIELD = "base"
READS = ("window_length_s", "low_pass_hz", "separate_gravity", "gap_s")  # settings that come from the base


@dataclass(frozen=True)
class ChosenBase:
    """A stored model to build on."""

    version: ModelVersion
    manifest: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        return model_versions.directory(self.version)

    @property
    def in_words(self) -> str:
        """Return what people know it by: its label, what it recognises, and with which sensors."""
        activities, sensors = self.manifest["activities"], sensors_of(self.manifest["channels"])
        return f"{self.version.label}: {len(activities)} activities, {in_words(sensors)}"

    @property
    def seen(self) -> list[dict[str, str]]:
        """Return name and fingerprint of every data set that the model, or one that it was built on, has seen."""
        data = self.manifest.get("data", {})
        own = [{key: one.get(key, "") for key in ("dataset", "fingerprint")} for one in data.get("datasets", [data])]
        unlabelled = self.manifest.get("unlabelled")
        if unlabelled and not unlabelled["own"]:
            own.append({key: unlabelled[key] for key in ("dataset", "fingerprint")})
        return own + list(self.manifest.get("transfer", {}).get("seen", []))

    @property
    def reads(self) -> dict[str, Any]:
        """Return the settings of how it reads signals, by their names in `TrainConfig`."""
        preparation = self.manifest.get("preparation") or {}
        found = {"window_length_s": self.manifest["window_length_s"], **preparation}
        return {name: found.get(name, getattr(TrainConfig, name)) for name in READS}

    def as_job(self) -> dict[str, Any]:
        """Return what the trainer has to know."""
        return {
            "folder": str(self.folder),
            "names": self.manifest["data"].get("vocabulary", {}),
            "facts": {
                "base": self.version.label,
                "title": self.manifest["data"]["dataset"],
                "digest": self.manifest["manifest_sha256"],
                "seen": self.seen,
            },
        }

    def why_not(self, choices: Iterable[Choice]) -> str:
        """Say why this model cannot be built on for some data, "" if it can."""
        for choice in choices:
            dataset, label = choice.dataset, self.version.label
            if any(dataset.name == name or dataset.fingerprint == mark for name, mark in self._known()):
                return (
                    f"{label} was trained on {dataset.name}, so a test would be on people whom it knows. Choose data "
                    "that it never saw, another model, or start from scratch."
                )
            if reason := _misfit(choice, self.manifest):
                return f"{label} does not fit {choice.text}: {reason}"
        return ""

    def _known(self) -> list[tuple[str, str]]:
        return [(one["dataset"].partition(":")[0], one["fingerprint"]) for one in self.seen]


def chosen(key: str) -> ChosenBase:
    """Return the model that a person names: by its label, or the newest of a name.

    Raises
    ------
    NotFound : there is none.
    Invalid : it is of a kind that nothing can be built on, or does not say which data it has seen.
    ModelIntegrityError : its manifest is damaged.
    """
    base = _of(model_versions.get(key))
    if reason := _unusable(base):
        raise Invalid(reason, FIELD)
    return base


def available() -> list[ChosenBase]:
    """Return the stored models that can be built on, the newest first."""
    found = []
    for version in model_versions.list_versions():
        try:
            base = _of(version)
        except HarError:
            continue
        if not _unusable(base):
            found.append(base)
    return found


def settings_on(base: ChosenBase, config: TrainConfig, choices: Sequence[Choice]) -> TrainConfig:
    """Return the settings of a training on a base, which reads signals in its own way.

    Raises
    ------
    Invalid : the base does not fit the data, or a setting is another than that of the base.
    """
    if reason := base.why_not(choices):
        raise Invalid(reason, FIELD)
    for name, own in base.reads.items():
        if (asked := getattr(config, name)) not in (own, getattr(TrainConfig, name)):
            raise Invalid(
                f"{name}: {base.version.label} was trained with {own}; found {asked}. Leave it out to train on top of "
                "that model, which reads signals in its own way.",
                name,
            )
    return replace(config, base=base.version.label, **base.reads)


def _of(version: ModelVersion) -> ChosenBase:
    return ChosenBase(version, model_files.manifest(model_versions.directory(version)))


def _unusable(base: ChosenBase) -> str:
    label, manifest = base.version.label, base.manifest
    title = CATALOGUE[DEPLOYABLE_MODEL].title
    if manifest.get("model") == EVERYDAY_MODEL:
        return (
            f"{label} is an everyday model: it answers by trees, which have no head that could be solved anew for "
            f"other activities. Choose an {title} model to build on, or make {label} yours by corrections."
        )
    if manifest.get("model") != DEPLOYABLE_MODEL:
        return f"Only an {title} model can be built on; {label} is none."
    if not all(one["fingerprint"] for one in base.seen):
        return (
            f"{label} does not say which data it has seen, so nobody could tell whether it knows the people of a test. "
            "Choose the model that it was made from."
        )
    return ""


def _misfit(choice: Choice, manifest: Mapping[str, Any]) -> str:
    from app.har.datasets.as_read import check_readable

    summary, channels = choice.dataset.summary, choice.dataset.summary["channels"]
    if choice.device:
        prefix = f"{choice.device}."
        channels = [channel.removeprefix(prefix) for channel in channels if channel.startswith(prefix)]
    wanted = manifest["channels"], manifest["gravity"], manifest["sampling_rate_hz"]
    try:
        check_readable(channels, summary["gravity"], summary["sampling_rate_hz"], *wanted)
    except HarError as error:
        return str(error)
    return ""
