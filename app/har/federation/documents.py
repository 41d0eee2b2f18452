"""What is in the documents of the files that sites exchange, by the kind of file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from typing_extensions import Self

from app.har.errors import UnreadableData
from app.har.federation.site_sums import Counts

D = TypeVar("D", bound="FileDocument")
MOST_NODES, MOST_ACTIVITIES, MOST_SITES = 20_000, 500, 1000
LARGEST_COUNT = 10**12
MOST_ROUNDS, MOST_EPOCHS = 1000, 50  # of training the network

Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # a public key, or a SHA-256
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
Number = Annotated[int, Field(ge=1, le=MOST_SITES)]  # of a site in a round
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Share = Annotated[str, Field(pattern=r"^[0-9a-f]{132}$")]


class FileDocument(BaseModel):
    """What all of them have."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    signer: Key
    payload_bytes: Count
    made: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]


class WantedNoise(BaseModel):
    """What noise in the sums of a round is to keep, and what it is added for."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    epsilon: Annotated[float, Field(gt=0)]
    delta: Annotated[float, Field(gt=0, lt=1)]
    windows_of_a_person: Annotated[int, Field(ge=1)]
    row_norm: Annotated[float, Field(gt=0)]


class Noise(WantedNoise):
    """How much noise is in some sums, and what it was chosen for."""

    gram_deviation: Annotated[float, Field(gt=0)]
    moment_deviation: Annotated[float, Field(gt=0)]


class OfMap(FileDocument):
    """What says how many windows and people there are, of which map."""

    map: Key
    model: Text
    activities: Annotated[list[Text], Field(min_length=1, max_length=MOST_ACTIVITIES)]
    nodes: Annotated[int, Field(ge=1, le=MOST_NODES)]
    windows: list[Count]
    people: list[Count]
    n_people: Count

    @model_validator(mode="after")
    def _one_count_each(self) -> Self:
        if not len(self.windows) == len(self.people) == len(self.activities):
            raise ValueError("a count for each activity is expected")
        return self

    @property
    def counts(self) -> Counts:
        return Counts(np.array(self.windows, np.int64), np.array(self.people, np.int64), self.n_people)


class SumsDocument(OfMap):
    """Sums of one site that all may see."""

    kind: Literal["sums"]
    noise: Noise | None


class KeysDocument(OfMap):
    """What a site makes to take part in a round: two public keys."""

    kind: Literal["keys"]
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    share_key: Key
    mask_key: Key


class RoundDocument(FileDocument):
    """Who takes part in a round: the files of their keys, in base64."""

    kind: Literal["round"]
    threshold: Number
    members: Annotated[list[str], Field(min_length=1, max_length=MOST_SITES)]
    noise: WantedNoise | None = None


class OfRound(FileDocument):
    """What belongs to a round."""

    round: Key


class SharesDocument(OfRound):
    """A site's seeds in shares, each for one other site to read."""

    kind: Literal["shares"]
    shares: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]+$", max_length=1000)]]  # by the number of its reader


class MaskedDocument(OfRound):
    """A site's masked sums."""

    kind: Literal["masked"]
    masked_with: list[Number]  # itself among them


class AskDocument(OfRound):
    """Which sites have given their masked sums, so that their masks can be taken off."""

    kind: Literal["ask"]
    stayed: list[Number]


class AnswerDocument(OfRound):
    """What a site tells then: shares of the own seed of those that stayed, of the mask key of those that dropped."""

    kind: Literal["answer"]
    own_seeds: dict[str, Share]
    mask_keys: dict[str, Share]


class TaskDocument(FileDocument):
    """What a site is asked to do in one round of training the network; the weights follow as float32."""

    kind: Literal["task"]
    network: Key  # what windows become before they reach it: the same at all sites
    round: Annotated[int, Field(ge=1, le=MOST_ROUNDS)]
    rounds: Annotated[int, Field(ge=1, le=MOST_ROUNDS)]
    epochs: Annotated[int, Field(ge=1, le=MOST_EPOCHS)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]


class TrainedDocument(FileDocument):
    """What a site gives back: the weights as it has trained them, float32, and how many windows they saw."""

    kind: Literal["trained"]
    task: Key  # the digest of what it was asked
    windows: Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
    people: Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
    loss: float


def parsed(kind: type[D], document: Mapping[str, Any], name: str) -> D:
    """Return the document of a file of this kind.

    Raises
    ------
    UnreadableData : the message names the first thing that is not as it should be.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "document"
        wanted = kind.model_fields["kind"].annotation.__args__[0]  # type: ignore[union-attr]
        found = repr(document.get("kind"))[:40]
        what = f"found a file of kind {found}" if document.get("kind") != wanted else f"{where}: {first['msg'].lower()}"
        raise UnreadableData(f"{name} is no file of kind {wanted!r} as this version writes it: {what}.") from error
