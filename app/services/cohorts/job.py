"""What a cohort is to be recognised by: plain values, which go to other processes and machines as they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from app.har.errors import ModelIntegrityError
from app.har.recordings.reach import Reach
from app.services.errors import Invalid
from app.services.recordings.model_choice import StoredModel

BY_FOLDER, BY_FILE = "folder", "file"
SUBJECT = "subject"  # the word of a pattern that names the person
TABLES_SINCE = 1  # counts up when what is kept of a recording changes: all are recognised anew


@dataclass(frozen=True)
class Job:
    """A folder, the model, and what a person said of the recordings."""

    folder: str
    model: StoredModel
    place: str = ""  # where the device was worn, one of `places.PLACES`
    zone: str = "UTC"  # of local times
    age: str = ""  # a group of `har.measures.cut_points.AGES`; without one there are no intensities
    worn_enough_h: float = 10.0  # of a valid day
    people: str = BY_FOLDER  # or BY_FILE, or a pattern of file names such as {subject}_{trial}
    within: tuple[str, ...] | None = None  # see `Reach`
    outside: tuple[str, ...] = ()
    quotes: bool = True
    mapping: dict[str, Any] | None = None  # what the columns are, of files in no known layout

    @property
    def reach(self) -> Reach:
        """Return which files may be read."""
        within = None if self.within is None else tuple(map(Path, self.within))
        return Reach(within, tuple(map(Path, self.outside)), self.quotes)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Job:
        """Read what `as_dict` made, from JSON as well."""
        own = {"mapping": None, **{field.name: values[field.name] for field in fields(cls) if field.name in values}}
        within = None if own["within"] is None else tuple(own["within"])
        return cls(**{**own, "model": StoredModel(**own["model"]), "within": within, "outside": tuple(own["outside"])})

    def digest(self) -> str:
        """Return what an answer depends on besides the recording: the model's files, its limit, what a person said.

        Raises
        ------
        ModelIntegrityError : the model's files are gone or were changed.
        """
        from app.har.classifiers.model_folder import manifest_of

        try:
            manifest = (Path(self.model.folder) / "manifest.json").read_bytes()
        except OSError as error:
            gone = f"{self.model.label} is no longer here: begin another cohort, with another model."
            raise ModelIntegrityError(gone) from error
        manifest_of(manifest)  # it holds the digests of all files
        said = {"limit": self.model.limit, "prior": self.model.prior, "place": self.place, "zone": self.zone}
        said |= {"age": self.age, "worn_enough_h": self.worn_enough_h}
        said |= {"mapping": self.mapping} if self.mapping else {}
        text = json.dumps([TABLES_SINCE, hashlib.sha256(manifest).hexdigest(), said], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_people(text: str) -> str:
    """Return how people are told apart, where that can be done.

    Raises
    ------
    Invalid : it is no pattern with the word {subject}.
    """
    from app.har.datasets.name_patterns import PatternFault, name_pattern

    if text in (BY_FOLDER, BY_FILE):
        return text
    try:
        words = name_pattern(text).words
    except PatternFault as error:
        raise Invalid(f"People: {error}.", field="people") from error
    if SUBJECT not in words:
        raise Invalid("People: the pattern must have the word {subject}.", field="people")
    return text
