"""What the API takes, as plain values: requests are checked against these, and its description is made of them.

What is no field of theirs is refused, so that a name that is written wrongly does not pass for one that was left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, get_args

from annotated_types import Interval, Len

STRICT: dict[str, Any] = {"extra": "forbid"}
Text = Annotated[str, Len(0, 4000)]
Limit = Annotated[int, Interval(ge=1, le=100)]
FewLimit = Annotated[int, Interval(ge=1, le=10)]
RowLimit = Annotated[int, Interval(ge=1, le=1000)]
Number = Annotated[int, Interval(ge=0, le=999_999_999)]
EventName = Literal["result.ready", "result.corrected", "recording.erased", "person.erased"]
Place = Literal["leg", "trunk", "wrist", "hand or bag"]
Seconds = Annotated[float, Interval(ge=-1e10, le=1e10)]


@dataclass(frozen=True)
class PartQuery:
    """Which part of a list is wanted."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    cursor: str = ""
    limit: Limit = 25


@dataclass(frozen=True)
class RecordingsQuery:
    """Which recordings are wanted; days are those of a time zone, by default UTC."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    cursor: str = ""
    limit: Limit = 25
    search: Text = ""
    first: Text = ""
    last: Text = ""
    model: Text = ""
    activity: Text = ""
    tz: Annotated[str, Len(0, 64)] = "UTC"


@dataclass(frozen=True)
class AnswersQuery:
    """Of which model, and whether with what the person said and the model learnt from it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    prediction: Number | None = None
    smooth: bool | None = None
    personal: bool = True


@dataclass(frozen=True)
class ExportQuery(AnswersQuery):
    """The same, and in which time zone moments are written."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    tz: Annotated[str, Len(0, 64)] = "UTC"


@dataclass(frozen=True)
class EverythingQuery:
    """Of which day, and how many recordings at a time."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    cursor: str = ""
    limit: FewLimit = 5
    date: Annotated[str, Len(0, 40)] = ""
    tz: Annotated[str, Len(0, 64)] = "UTC"


@dataclass(frozen=True)
class DaysQuery:
    """Which days, as days or as hours, of which time zone and by which cut-points; by default the newest days."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    first: Annotated[str, Len(0, 40)] = ""
    last: Annotated[str, Len(0, 40)] = ""
    period: Literal["day", "hour"] = "day"
    cut_points: Annotated[str, Len(0, 60)] = ""
    tz: Annotated[str, Len(0, 64)] = "UTC"


@dataclass(frozen=True)
class RowsQuery:
    """Which rows of the answers are wanted."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    cursor: str = ""
    limit: RowLimit = 200
    prediction: Number | None = None
    smooth: bool | None = None
    personal: bool = True


@dataclass(frozen=True)
class EventsQuery:
    """From which event on."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    after: Number = 0


@dataclass(frozen=True)
class Upload:
    """A file, and what is known of it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    file: Any = None  # the view reads it where the server has put it
    model: Number | None = None
    place: Place | None = None
    use_walking: bool = True
    only_new: bool = True
    follow: Annotated[str, Len(0, 32)] = ""
    tz: Annotated[str, Len(0, 64)] = "UTC"


@dataclass(frozen=True)
class Description:
    """What a person calls a recording, and wants to remember of it; what is left out stays."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    title: Annotated[str, Len(0, 120)] | None = None
    notes: Text | None = None


@dataclass(frozen=True)
class Again:
    """By which model a recording is to be recognised, and where the device was worn; by default as before."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    model: Number | None = None
    place: Place | Literal[""] | None = None
    use_walking: bool = True


@dataclass(frozen=True)
class Stretch:
    """What a person did in a stretch, by the recording's own clock."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    start_s: Seconds
    end_s: Seconds
    activity: Annotated[str, Len(1, 200)]
    part: Number = 0


@dataclass(frozen=True)
class NewCorrections:
    """What a person says of some stretches; ``seen`` is the id of the last correction that they knew of."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    stretches: Annotated[list[Stretch], Len(1, 200)] = field(default_factory=list)
    seen: Number | None = None


@dataclass(frozen=True)
class NewDevice:
    """A phone or watch that may stream."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    name: Annotated[str, Len(1, 80)]
    place: Place | Literal[""] = ""
    keeps: bool = False


@dataclass(frozen=True)
class NewSubscription:
    """A program that is to be told of events; by default of all."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    url: Annotated[str, Len(1, 2000)]
    events: Annotated[list[EventName], Len(1, 4)] = field(default_factory=lambda: list(get_args(EventName)))


@dataclass(frozen=True)
class Cancelling:
    """Whether it had happened, where that is said."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    verdict: Literal["true", "false", ""] = ""
    why: Annotated[str, Len(0, 200)] = ""


@dataclass(frozen=True)
class Closing:
    """What it was."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    verdict: Literal["true", "false"]
    why: Annotated[str, Len(0, 200)] = ""


@dataclass(frozen=True)
class NewRun:
    """Data sets, as one where there are several, and settings as `flask train --help` has them."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    datasets: Annotated[list[Annotated[str, Len(1, 200)]], Len(1, 20)]
    name: Annotated[str, Len(0, 80)] = ""
    settings: dict[str, Any] = field(default_factory=dict)
