"""The activities of a recording as other systems want them: each with its moments, and with what became of it since.

A recording that does not tell the time of day has none: nothing in it says when, and no time is made up. Of a file with
several, those that tell it have theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Literal
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray

from app.har.types import FloatArray
from app.services.errors import Invalid
from app.services.interchange import pseudonyms
from app.services.models import model_versions
from app.services.personal.view import View
from app.services.recordings.prediction_result import SAME_MOMENT_S, PredictionResult
from app.tables import Prediction

Status = Literal["final", "corrected", "amended", "entered-in-error"]


@dataclass(frozen=True)
class Activity:
    """A bout with an answer.

    It is *final* as the model answers anybody; *corrected* where a person's correction changed it, or what is beside
    it; *amended* where only what the model learnt from the person did. What no longer begins when it did, by the model
    alone, is there as it was, and *entered-in-error*.
    """

    part: str  # which recording of the file
    start: datetime  # both in the time zone that was asked for
    end: datetime
    name: str
    status: Status
    said: bool  # by the person, all of it
    confidence: float  # mean probability over the windows

    @property
    def minutes(self) -> float:
        return round((self.end - self.start).total_seconds() / 60, 4)


@dataclass(frozen=True)
class StepsOfDay:
    """How many steps were counted in a day of a recording, and in how much of the day it was recorded at all."""

    part: str
    start: datetime  # midnights
    end: datetime
    count: int
    recorded_percent: float
    status: Status


@dataclass(frozen=True)
class Answers:
    """The activities of a recording, whose they are without saying who that is, and what recognised them."""

    person: UUID  # the same in all exports of a person; only this installation can tell whose it is
    recording: UUID
    model: str
    way: str  # the model, and whether its windows are smoothed: bouts of another way are others
    made: datetime
    said: datetime | None  # when the person corrected something last; None: all is as the model answers
    truth: str  # how often the model was right, and on whom that was measured
    accuracy: Mapping[str, float]  # the same in numbers, shares of windows: value, low, high; empty: not known
    activities: Sequence[Activity]
    steps: Sequence[StepsOfDay] = ()  # where a day was asked for

    def name_of(self, activity: Activity | StepsOfDay, kind: str) -> UUID:
        """Return a name of an activity or a day that stays the same in every export, whatever it is corrected to."""
        return uuid5(self.recording, f"{self.way}\0{activity.part}\0{activity.start.timestamp():.3f}\0{kind}")


def answers_of(prediction: Prediction, seen: View, zone: tzinfo) -> Answers:
    """Return what was recognised, as its owner sees it.

    Raises
    ------
    Invalid : the recording does not tell when it was.
    """
    version, person = prediction.model_version, pseudonyms.of_person(prediction.recording.user_id)
    gone = f"{prediction.model_label} was deleted: how often it was right is not known any more."
    found = version.metrics.get("accuracy") if version else None
    return Answers(
        person=person,
        recording=pseudonyms.of_recording(person, prediction.recording_id),
        model=prediction.model_label,
        way=prediction.model_label
        + (", with height by air pressure" if seen.result.height_used else "")
        + (", smoothed" if seen.result.smoothed_s else ""),
        made=prediction.created,
        said=max((one.created for one in seen.said), default=None) if seen.before else None,
        truth=model_versions.accuracy_in_words(version) if version else gone,
        accuracy={key: round(float(found[key]), 4) for key in ("value", "low", "high")} if found else {},
        activities=activities_of(seen.result, seen.before, zone),
    )


def activities_of(result: PredictionResult, before: PredictionResult | None, zone: tzinfo) -> list[Activity]:
    """Return the bouts with an answer in the order of time, and those that are no longer so.

    Parameters
    ----------
    before : as the model answers anybody; None where that is ``result``.

    Raises
    ------
    Invalid : the recording does not tell when it was.
    """
    origins = _origins(result)
    now, then = _bouts(result, origins, zone), _bouts(before or result, origins, zone)
    same = {_moments(one): one for one in then}
    found = [_with_status(one, same.get(_moments(one)), result, origins) for one in now] if before else now
    still = {_begin(one) for one in now}
    withdrawn = [replace(one, status="entered-in-error") for one in then if _begin(one) not in still]
    return sorted((*found, *withdrawn), key=_begin)


def _origins(result: PredictionResult) -> FloatArray:
    """Return the Unix time at 0 s of the clock of each recording in the file, NaN where unknown; (n_recordings,)."""
    unknown = np.isnan(result.origins)
    if result.layout == "windows" or (len(unknown) and unknown.all()):
        raise Invalid(
            "This recording does not tell the time of day. Other systems must know when an activity was, and no time "
            "is made up: take the bouts as CSV or JSON, which count from the start of the recording."
        )
    origins = np.full(len(result.recording_ids), np.nan)
    origins[result.recording_index] = result.origins
    origins[result.recording_index[unknown]] = np.nan
    return origins


def _bouts(result: PredictionResult, origins: FloatArray, zone: tzinfo) -> list[Activity]:
    bouts = result.bout_columns()
    origin = origins[bouts.recording]
    known = bouts.activity < len(result.tree.nodes) - 1  # the last is the root, of which nothing is known
    answered = known & ~np.isnan(origin)
    columns = (bouts.recording, origin + bouts.start_s, origin + bouts.end_s, bouts.activity, bouts.confidence)
    return [
        Activity(
            result.recording_ids[recording],
            datetime.fromtimestamp(round(start, 3), zone),
            datetime.fromtimestamp(round(end, 3), zone),
            result.answer_names[answer],
            "final",
            False,
            round(confidence, 4),
        )
        for recording, start, end, answer, confidence in zip(
            *(column[answered].tolist() for column in columns), strict=True
        )
    ]


def _begin(one: Activity) -> tuple[str, datetime]:
    return one.part, one.start


def _moments(one: Activity) -> tuple[str, datetime, datetime, str]:
    return one.part, one.start, one.end, one.name


def _with_status(one: Activity, same: Activity | None, result: PredictionResult, origins: FloatArray) -> Activity:
    """Say what became of a bout; ``same`` is the same one as the model answers anybody, if it answers that."""
    recording = result.recording_ids.index(one.part)
    start_s, end_s = one.start.timestamp() - origins[recording], one.end.timestamp() - origins[recording]
    here = result.recording_index == recording
    spare_s = 2 * SAME_MOMENT_S
    inside = here & (result.start_s >= start_s - spare_s) & (result.end_s <= end_s + spare_s)
    near: NDArray[np.bool_] = here & (result.start_s <= end_s + spare_s) & (result.end_s >= start_s - spare_s)
    changed: Status = "corrected" if result.corrected[near].any() else "amended"
    return replace(one, status="final" if same else changed, said=bool(result.corrected[inside].all()))
