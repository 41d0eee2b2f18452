"""Which stored model recognises an upload: the one that a person chose, or else the one that fits its devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from app.har.errors import ModelIntegrityError
from app.har.signals.types import Recording
from app.har.vocabulary import DEFAULT_LIMIT
from app.services.formatting import percent
from app.services.models import model_files
from app.services.recordings.demands import Alternative, StatedDemands, devices_in
from app.services.recordings.recognise import Model, ModelsFor, always
from app.services.recordings.resample import devices_of, first_of
from app.services.recordings.sensor_names import in_words


@dataclass(frozen=True)
class StoredModel:
    """What recognition needs to know of a version: plain values, which go to another process as they are."""

    version_id: int
    label: str
    folder: str
    limit: float | None  # that an administrator set
    accuracy: float  # in its test
    prior: dict[str, float] = field(default_factory=dict)  # see `Model`

    def as_model(self) -> Model:
        """Return it as recognition takes it."""
        load = partial(model_files.load, Path(self.folder), self.label)
        recommended = float(self.provenance.get("answer_limit", DEFAULT_LIMIT))
        limit = recommended if self.limit is None else self.limit
        return Model(self.label, load, limit, self.version_id, prior=self.prior)

    @property
    def provenance(self) -> dict[str, Any]:
        return model_files.provenance(Path(self.folder))

    @property
    def devices(self) -> set[str]:
        return devices_in(self.provenance.get("channels", []))

    @property
    def demands(self) -> StatedDemands | None:
        """What it asks of a recording, None where its manifest is gone, damaged or does not say."""
        try:
            return StatedDemands.from_manifest(model_files.manifest(Path(self.folder)))
        except (ModelIntegrityError, KeyError):
            return None

    @property
    def by_new_people(self) -> bool:
        """Whether it was tested on people whom it was not trained on."""
        return self.provenance.get("split", {}).get("protocol") in ("subject", "dataset")


@dataclass(frozen=True)
class Candidates:
    """The models that may recognise an upload: the usual one, or one of others that fits better."""

    usual: StoredModel
    others: tuple[StoredModel, ...] = ()  # the default one first
    chosen: bool = False  # by a person: none of the others is tried

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Candidates:
        """Read what `dataclasses.asdict` made."""
        others = tuple(StoredModel(**other) for other in values["others"])
        return cls(StoredModel(**values["usual"]), others, values["chosen"])

    @property
    def models(self) -> ModelsFor:
        """Which of them to try for some recordings, in order."""
        return always(self.usual.as_model()) if self.chosen else partial(_fitting, self.usual, self.others)

    def alternatives(self) -> list[Alternative]:
        """Return the others whose manifests are whole, the default one first."""
        found = []
        for own in self.others:
            if own.version_id != self.usual.version_id and (demands := own.demands):
                found.append(Alternative(own.label, demands, own.as_model().load))
        return found


def _fitting(default: StoredModel, versions: Sequence[StoredModel], recordings: Sequence[Recording]) -> Sequence[Model]:
    """Return the default model, before it the best that reads all devices of a file together.

    That one comes first only where its card shows it to be at least as often right, for people whom it did not know.
    """
    usual = default.as_model()
    there = set.intersection(*map(devices_of, recordings)) if recordings else set()
    if len(there) < 2 or len(default.devices) > 1:
        return (usual,)
    found = f"The file holds {in_words(sorted(there))}."
    together = [version for version in versions if len(version.devices) > 1 and version.devices <= there]
    good = [version for version in together if version.by_new_people and version.accuracy >= default.accuracy]
    one = f"{found} {default.label} reads one device, here the {first_of(there)}."
    if not good:
        worse = "None that reads them together was right as often with new people."
        return (replace(usual, chosen_because=f"{one} {worse if together else 'No model here reads them together.'}"),)
    best = max(good, key=lambda version: version.accuracy)
    share = percent(best.accuracy, 0)
    because = f"{found} {best.label} reads them together, and was right in {share} of the windows of new people."
    return replace(best.as_model(), chosen_because=because), replace(usual, chosen_because=one)
