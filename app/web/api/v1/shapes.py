"""What the API gives, as plain values: its description is made of these.

The names are those of the design; times are in UTC unless a name says otherwise. New fields may come, none goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Minutes = dict[str, float]


@dataclass(frozen=True)
class Token:
    """The token that was sent."""

    name: str
    scopes: list[str]
    expires: datetime


@dataclass(frozen=True)
class Me:
    """Whose token it is."""

    id: int
    username: str
    role: str
    token: Token


@dataclass(frozen=True)
class Recording:
    """A recording; its minutes are those of the newest prediction, as its owner sees them."""

    id: int
    filename: str
    title: str
    notes: str
    place: str | None
    created: datetime
    recorded: datetime | None
    bytes: int | None
    minutes: float | None
    minutes_per_activity: Minutes
    predictions: list[Prediction]


@dataclass(frozen=True)
class Prediction:
    """What one model recognised; the newest one comes first."""

    id: int
    model: str
    created: datetime
    windows: int


@dataclass(frozen=True)
class Recordings:
    """Some recordings, those uploaded last first."""

    items: list[Recording]
    next: str | None


@dataclass(frozen=True)
class Waiting:
    """A file in no known layout: for a day, its owner can say on a page what its columns are."""

    waits: bool
    why: str
    page: str


@dataclass(frozen=True)
class Reading:
    """An upload that is being read, or could not be."""

    id: int
    filename: str
    follow: str
    created: datetime
    status: Literal["reading", "failed"]
    stage: str | None
    fraction: float | None
    reason: str | None


@dataclass(frozen=True)
class Readings:
    """The uploads that are being read or could not be."""

    items: list[Reading]


@dataclass(frozen=True)
class Answers:
    """What was recognised, as a whole; ``verdict`` is what the page says first."""

    prediction: int
    model: str
    parts: list[str]
    layout: str
    verdict: dict[str, Any]
    summary: dict[str, Any]


@dataclass(frozen=True)
class Bundle:
    """A FHIR R4 bundle; its entries are as HL7 describes them."""

    resourceType: Literal["Bundle"]  # noqa: N815  as FHIR calls it
    type: Literal["collection"]
    entry: list[dict[str, Any]]


@dataclass(frozen=True)
class Everything:
    """A part of all activities of a person, as a FHIR R4 bundle; its entries are as HL7 describes them."""

    resourceType: Literal["Bundle"]  # noqa: N815  as FHIR calls it
    type: Literal["searchset"]
    link: list[dict[str, str]]
    entry: list[dict[str, Any]]


@dataclass(frozen=True)
class DataPoint:
    """An activity by Open mHealth: the header of IEEE 1752.1, the body of omh:physical-activity:1.2."""

    header: dict[str, Any]
    body: dict[str, Any]


@dataclass(frozen=True)
class DataPoints:
    """All activities of a recording, in the order of time."""

    items: list[DataPoint]


@dataclass(frozen=True)
class Window:
    """One window or a pause (activity "missing"), on the recording's own clock and, where it tells that, in UTC."""

    part: str | None
    start_s: float
    end_s: float
    start_utc: str | None
    activity: str
    confidence: float | None
    deepest_activity: str | None
    deepest_confidence: float | None
    unfamiliar: bool | None
    corrected: bool | None
    probabilities: dict[str, float | None]


@dataclass(frozen=True)
class Windows:
    """Some windows in the order of time."""

    model: str
    items: list[Window]
    next: str | None


@dataclass(frozen=True)
class Bout:
    """A stretch of one activity, or a pause (activity "missing"); steps are counted where somebody was on foot."""

    part: str | None
    start_s: float
    end_s: float
    start_utc: str | None
    end_utc: str | None
    activity: str
    windows: int
    confidence: float | None
    deepest_activity: str | None
    deepest_confidence: float | None
    steps: int | None


@dataclass(frozen=True)
class Bouts:
    """Some bouts in the order of time."""

    model: str
    items: list[Bout]
    next: str | None


@dataclass(frozen=True)
class Quality:
    """How good the recording itself is, a card for each part."""

    file: str
    cards: list[dict[str, Any]]


@dataclass(frozen=True)
class Correction:
    """What was said of one stretch; those of one batch are undone together."""

    id: int
    part: str
    start_s: float
    end_s: float
    activity: str
    source: str
    batch: str
    created: datetime


@dataclass(frozen=True)
class Corrections:
    """The corrections of a recording that hold."""

    items: list[Correction]


@dataclass(frozen=True)
class Device:
    """A device; its sessions become recordings if it ``keeps``."""

    id: int
    name: str
    place: str
    keeps: bool
    created: datetime
    last_heard: datetime | None
    revoked: datetime | None


@dataclass(frozen=True)
class MadeDevice:
    """A new device with its token, which is nowhere else: it streams with it to ``address``."""

    device: Device
    token: str
    address: str


@dataclass(frozen=True)
class Devices:
    """Devices, the newest first, revoked ones last."""

    items: list[Device]


@dataclass(frozen=True)
class LiveSession:
    """A stream of a device; while it runs, ``health`` and the windows of the last minutes."""

    id: int
    device: int
    started: datetime
    last_heard: datetime | None
    ended: datetime | None
    end_reason: str
    recording: int | None
    keeps: bool
    health: dict[str, Any] | None = None
    windows: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class LiveSessions:
    """Some sessions, the newest first."""

    items: list[LiveSession]
    next: str | None


@dataclass(frozen=True)
class Subscription:
    """A program that is told of events; ``last_error`` is empty where its last message was taken."""

    id: int
    url: str
    events: list[str]
    switched_on: bool
    created: datetime
    last_sent: datetime | None
    last_error: str


@dataclass(frozen=True)
class MadeSubscription:
    """A new subscription with the secret that signs its messages, which is nowhere else."""

    subscription: Subscription
    secret: str


@dataclass(frozen=True)
class Subscriptions:
    """The programs that are told of events."""

    items: list[Subscription]


@dataclass(frozen=True)
class Step:
    """One step in the life of an alarm; ``who`` is empty where Kinelab made it."""

    at: datetime
    before: str
    after: str
    who: str
    why: str


@dataclass(frozen=True)
class Alarm:
    """Something that a person's devices noticed."""

    id: int
    person: int
    kind: str
    state: str
    created: datetime
    due: datetime | None
    times: int
    verdict: str
    session: int | None
    facts: dict[str, Any]
    steps: list[Step]


@dataclass(frozen=True)
class Alarms:
    """Some alarms, the newest first."""

    items: list[Alarm]
    next: str | None


@dataclass(frozen=True)
class Model:
    """A version of a model; one of them is the default."""

    id: int
    label: str
    name: str
    version: int
    default: bool
    created: datetime
    training_run: int | None
    answer_limit: float
    accuracy: str
    notes: str


@dataclass(frozen=True)
class Models:
    """All models, the newest first."""

    items: list[Model]


@dataclass(frozen=True)
class Dataset:
    """A data set."""

    name: str
    source: str
    fingerprint: str
    created: datetime
    summary: dict[str, Any]


@dataclass(frozen=True)
class Datasets:
    """All data sets, by name."""

    items: list[Dataset]


@dataclass(frozen=True)
class Run:
    """A training run; ``result`` holds its metrics once it is finished."""

    id: int
    name: str
    status: str
    reason: str
    created: datetime
    finished: datetime | None
    datasets: str
    config: dict[str, Any]
    result: dict[str, Any]
    models: list[int]


@dataclass(frozen=True)
class RunInBrief:
    """A training run without what is long."""

    id: int
    name: str
    status: str
    created: datetime
    finished: datetime | None
    datasets: str


@dataclass(frozen=True)
class Runs:
    """Some runs, the newest first."""

    items: list[RunInBrief]
    next: str | None


@dataclass(frozen=True)
class Progress:
    """Where a run stands; ask again ``after`` what ``next`` says."""

    status: str
    reason: str
    fraction: float
    elapsed: str
    remaining: str
    steps: list[dict[str, str]]
    events: list[dict[str, Any]]
    next: int
