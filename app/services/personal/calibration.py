"""Calibration: a person does one activity after the other while the page counts, and an app records it.

The page notes when each step began and ended by its own clock. Once the recording is there, the steps become
corrections of it, and the walking among them the measure for other recordings with the device in the same place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import select

from app.extensions import db
from app.har.vocabulary import WALKING, shared_node
from app.services import activity_names, audit
from app.services.audit import Action
from app.services.errors import Conflict, Invalid, NotFound
from app.services.personal import corrections
from app.services.recordings import known_walking, recordings
from app.services.recordings.places import PLACES
from app.services.recordings.prediction_result import PredictionResult, Said
from app.services.transaction import transaction
from app.tables import Calibration, Correction, StoredRecording
from app.tables._columns import now

STEPS: Mapping[str, int] = {  # by name: for how many seconds
    "Standing": 20, "Walking": 30, "Sitting": 20, "Lying": 20, "Stairs up": 15, "Stairs down": 15, "Running": 20,
    "Cycling": 30,
}  # fmt: skip
USUAL = ("Standing", "Walking", "Sitting")  # that everybody can do anywhere
READY_S = 8  # between two steps
SHORTEST_S, LONGEST_S = 5.0, 600.0  # of a step
MOST_STEPS = 40
TRIM_S = 2.0  # at both ends: nobody changes at the beep
LEAST_S = 3.0  # that stay
WALK_S = 15.0  # from which a model can take a measure
FARTHEST_S = 86_400.0  # that the clocks may be apart
KEPT = timedelta(days=30)  # a calibration without a recording; of one person, as many as are shown
SHOWN = 5


@dataclass(frozen=True)
class Step:
    """What was done from when to when, by Unix time or by the clock of a recording."""

    activity: str
    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def moved(self, seconds: float) -> Step:
        """Return it earlier or later."""
        return Step(self.activity, self.start + seconds, self.end + seconds)

    def trimmed(self) -> Step:
        """Return it without its ends."""
        cut = max(min(TRIM_S, (self.seconds - LEAST_S) / 2), 0.0)
        return Step(self.activity, self.start + cut, self.end - cut)


def keep(user_id: int, place: str, steps: Sequence[Any]) -> Calibration:
    """Keep when a person did what, by the clock of the page.

    Parameters
    ----------
    place : where the device is worn, one of `places.PLACES`.
    steps : as the page sends them: ``activity``, ``start`` and ``end`` in Unix time.

    Raises
    ------
    Invalid : they are something else.
    """
    if place not in PLACES:
        raise Invalid("Say where the device is worn.", field="place")
    if not 1 <= len(steps) <= MOST_STEPS:
        raise Invalid(f"A calibration has 1 to {MOST_STEPS} steps; this one has {len(steps)}.", field="steps")
    read = [_step(step) for step in steps]
    if any(later.start < earlier.end for earlier, later in pairwise(read)):
        raise Invalid("The steps do not follow each other.", field="steps")
    document = {"steps": [vars(step) for step in read]}
    with transaction() as session:
        waiting = select(Calibration).filter_by(user_id=user_id, recording_id=None).order_by(Calibration.id.desc())
        for number, old in enumerate(session.scalars(waiting).all(), start=1):
            if number >= SHOWN or old.created < now() - KEPT:
                session.delete(old)
        calibration = Calibration(user_id=user_id, place=place, steps=document)
        session.add(calibration)
    audit.record(Action.CALIBRATED, f"calibration {calibration.id}", steps=len(read))
    return calibration


def _step(step: Any) -> Step:
    try:
        activity, start, end = str(step["activity"]), float(step["start"]), float(step["end"])
    except (TypeError, KeyError, ValueError, OverflowError):
        raise Invalid("A step has an activity, a start and an end.", field="steps") from None
    latest = now().timestamp() + FARTHEST_S
    if not (math.isfinite(start) and math.isfinite(end) and 0 < start < latest):
        raise Invalid("A step has no time of day.", field="steps")
    if not SHORTEST_S <= end - start <= LONGEST_S:
        raise Invalid(f"A step takes {SHORTEST_S:.0f} to {LONGEST_S:.0f} seconds.", field="steps")
    return Step(activity_names.checked(activity, "steps"), start, end)


def get(user_id: int, calibration_id: int) -> Calibration:
    """Return a calibration of this user; one of somebody else does not exist for them."""
    calibration = db.session.get(Calibration, calibration_id)
    if calibration is None or calibration.user_id != user_id:
        raise NotFound("You have no such calibration.")
    return calibration


def list_calibrations(user_id: int) -> list[Calibration]:
    """Return a user's last calibrations, the newest first."""
    query = select(Calibration).filter_by(user_id=user_id).order_by(Calibration.id.desc()).limit(SHOWN)
    return list(db.session.scalars(query))


def steps_of(calibration: Calibration) -> list[Step]:
    """Return when what was done, in Unix time."""
    return [Step(**step) for step in calibration.steps["steps"]]


def later_of(calibration: Calibration) -> float:
    """Return by how much the steps were moved in their recording when they were applied; in seconds."""
    return float(calibration.steps.get("later_s", 0.0))


def give_recording(user_id: int, calibration: Calibration, recording_id: int) -> None:
    """Say which recording was made meanwhile; it is recognised again where another place was said of it.

    Raises
    ------
    Conflict : the steps are corrections of another recording already.
    """
    if calibration.batch and calibration.recording_id != recording_id:
        raise Conflict("This calibration is in use already. Do it again for another recording.")
    recording = recordings.get(user_id, recording_id)
    if recording.place != calibration.place:
        version_id = recordings.get_prediction(recording).model_version_id
        recordings.repredict(user_id, recording_id, version_id, calibration.place)
    with transaction():
        calibration.recording_id = recording_id


@dataclass(frozen=True)
class Placed:
    """The steps on the clock of a recording."""

    part: int  # of the file
    steps: Sequence[Step]
    by_clock: bool  # the recording's; otherwise the recording is taken to begin with the first step


def placed(calibration: Calibration, result: PredictionResult) -> Placed:
    """Return where in a recording the steps are: by its clock, or from its start, where it tells no fitting time."""
    steps = steps_of(calibration)
    origins = [float(result.origins[result.positions(part)[0]]) for part in range(len(result.recording_ids))]
    for part, origin in enumerate(origins):
        here = result.positions(part)
        first, last = origin + result.start_s[here].min(), origin + result.end_s[here].max()
        if first < steps[-1].end and steps[0].start < last:  # never of a clock that is not known: NaN
            return Placed(part, [step.moved(-origin) for step in steps], by_clock=True)
    shift = float(result.start_s[result.positions(0)].min()) - steps[0].start
    return Placed(0, [step.moved(shift) for step in steps], by_clock=False)


def apply(user_id: int, calibration: Calibration, later_s: float = 0.0) -> int:
    """Let the steps be corrections of their recording, and its walking a measure; return how many are in it.

    What was said by the same calibration before is undone.

    Parameters
    ----------
    later_s : by how much the steps are later in the recording than `placed` says.

    Raises
    ------
    Conflict : there is no recording yet.
    Invalid : none of the steps is in the recording.
    """
    if calibration.recording is None:
        raise Conflict("Upload the recording first that you made meanwhile.")
    if not abs(later_s) <= FARTHEST_S:
        raise Invalid("The clocks of page and recording are less than a day apart.", field="later")
    recording = calibration.recording
    result = recordings.result_of(recordings.get_prediction(recording))
    where = placed(calibration, result)
    steps = [step.moved(later_s).trimmed() for step in where.steps]
    said: list[Said] = [
        (where.part, step.start, step.end, step.activity)
        for step in steps
        if len(result.windows_of((where.part, step.start, step.end, "")))
    ]
    if not said:
        raise Invalid("None of the steps is in this recording. Move them, or choose another recording.", field="later")
    if calibration.batch:
        with suppress(NotFound):  # the person did, on the recording's page
            corrections.undo(user_id, recording.id, calibration.batch)
    rows = corrections.add(user_id, recording, result, said, corrections.CALIBRATION)
    with transaction():
        calibration.batch = rows[0].batch
        calibration.steps = {**calibration.steps, "later_s": later_s}
    _use_walking(recording, rows)
    return len(rows)


def _use_walking(recording: StoredRecording, rows: Sequence[Correction]) -> None:
    """Keep the longest walk as the person's own walking with the device in this place, if it is long enough."""
    walks = [row for row in rows if shared_node(row.activity) == WALKING and row.end_s - row.start_s >= WALK_S]
    if walks:
        longest = max(walks, key=lambda row: row.end_s - row.start_s)
        known_walking.mark(recording, True, (longest.part, longest.start_s, longest.end_s))
