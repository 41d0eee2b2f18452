"""Corrections: what a person says that they did in stretches of their recordings. Nobody else reads them.

The stored result stays as the model answered; corrections are laid over it when it is shown (`view`), and a model
learns from them for the rest (`heads`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import delete, func, select, update

from app.extensions import db
from app.services import activity_names, audit
from app.services.audit import Action
from app.services.errors import Conflict, Invalid, NotFound
from app.services.personal.said import as_called
from app.services.recordings import known_walking, recordings
from app.services.recordings.prediction_result import PredictionResult, Said
from app.services.subscriptions import events
from app.services.subscriptions.events import EventType
from app.services.transaction import rows_changed, transaction
from app.tables import Correction, StoredRecording
from app.tables._columns import now

TIMELINE, CALIBRATION = "timeline", "calibration"
MOST_AT_ONCE, MOST = 200, 2000  # stretches: said at once, and of one person
UNDONE_SHOWN = 5


def add(
    user_id: int,
    recording: StoredRecording,
    result: PredictionResult,
    said: Sequence[Said],
    source: str = TIMELINE,
    seen: int | None = None,
) -> list[Correction]:
    """Keep what a person says of stretches of their recording.

    Parameters
    ----------
    result : of any model, for which recordings the file holds.
    said : see `PredictionResult.said`; an instant begins where it ends. What lies beyond the recording is cut off.
    seen : `last_said` when the person saw the recording; None: they want what they say, whatever was said since.

    Raises
    ------
    Invalid : a stretch is none of this recording, or has no name of an activity; nothing is kept.
    Conflict : something else was said of the same moments since; nothing is kept.
    """
    if result.layout == "windows":
        raise Invalid("Windows without a common clock cannot be corrected.")
    if not said:
        raise Invalid("Choose a stretch first.", field="from")
    if len(said) > MOST_AT_ONCE:
        raise Invalid(f"At most {MOST_AT_ONCE} stretches at once; these are {len(said)}.", field="from")
    batch = uuid4().hex
    known = (*result.activities, *_names(user_id))
    rows = [_correction(user_id, recording, result, stretch, source, batch, known) for stretch in said]
    with transaction() as session:
        if seen is not None:
            _check_unchanged(recording, rows, seen)
        theirs = select(func.count(Correction.id)).filter_by(user_id=user_id, undone_at=None)
        if (session.scalar(theirs) or 0) + len(rows) > MOST:
            raise Invalid(f"You have corrected {MOST:,} stretches, and there is room for no more. Undo some first.")
        session.add_all(rows)
        events.put(EventType.CORRECTED, user_id, recording.id)
    audit.record(Action.CORRECTION, f"recording {recording.id}", stretches=len(rows), source=source)
    return rows


def _names(user_id: int) -> list[str]:
    """Return the names of activities in a person's corrections, the first one first."""
    query = select(Correction.activity).filter_by(user_id=user_id, undone_at=None).order_by(Correction.id)
    return list(dict.fromkeys(db.session.scalars(query)))


def last_said(recording: StoredRecording) -> int:
    """Return the number of the last correction of a recording; 0 before the first."""
    return db.session.scalar(select(func.max(Correction.id)).filter_by(recording_id=recording.id)) or 0


def _check_unchanged(recording: StoredRecording, rows: Sequence[Correction], seen: int) -> None:
    """Within a transaction: let nobody overrule unseen what they said meanwhile, in another window of the browser."""
    for newer in of_recording(recording):
        for row in rows:
            meets = newer.part == row.part and newer.start_s <= row.end_s and row.start_s <= newer.end_s
            if newer.id > seen and meets and newer.activity != row.activity:
                raise Conflict(
                    f"Nothing was saved: you have said {newer.activity} of this part since this page was loaded, in "
                    "another window perhaps. The page shows it now. Save again, if you want to change it."
                )


def _correction(
    user_id: int,
    recording: StoredRecording,
    result: PredictionResult,
    stretch: Said,
    source: str,
    batch: str,
    known: Sequence[str],
) -> Correction:
    part, start_s, end_s, activity = stretch
    if not (math.isfinite(start_s) and math.isfinite(end_s)) or start_s > end_s:
        raise Invalid("A stretch begins before it ends.", field="from")
    if not 0 <= part < len(result.recording_ids) or not len(result.windows_of(stretch)):
        raise Invalid(
            "There is no answer in this stretch that could be corrected: it is outside the recording, or nothing or "
            "too little for an answer was recorded there.",
            field="from",
        )
    here = result.positions(part)  # nothing is known of what lies beyond the recording
    start_s, end_s = max(start_s, float(result.start_s[here].min())), min(end_s, float(result.end_s[here].max()))
    return Correction(
        recording_id=recording.id,
        user_id=user_id,
        part=result.recording_ids[part],
        start_s=start_s,
        end_s=end_s,
        activity=activity_names.checked(activity, "activity", known),
        source=source,
        batch=batch,
    )


def undo(user_id: int, recording_id: int, batch: str) -> int:
    """Undo what was said at once; return how many stretches that were. Walking among it is a measure no longer.

    Raises
    ------
    NotFound : they are undone already, or somebody else's.
    """
    recording = recordings.get(user_id, recording_id)
    of_it = (
        Correction.user_id == user_id,
        Correction.recording_id == recording_id,
        Correction.batch == batch,
        Correction.undone_at.is_(None),
    )
    with transaction():
        stretches = [(c.part, c.start_s, c.end_s) for c in db.session.scalars(select(Correction).where(*of_it))]
        undone = rows_changed(update(Correction).where(*of_it).values(undone_at=now()))
        _forget_earlier(recording_id)
        if undone:
            events.put(EventType.CORRECTED, user_id, recording_id)
    if not undone:
        raise NotFound("These corrections are undone already, in another window perhaps. Nothing was changed.")
    if known_walking.stretch_of(recording) in stretches:
        known_walking.mark(recording, False)
    audit.record(Action.CORRECTION_UNDONE, f"recording {recording_id}", stretches=undone)
    return undone


def _forget_earlier(recording_id: int) -> None:
    """Within a transaction: delete what was undone and is no longer shown."""
    gone = Correction.recording_id == recording_id, Correction.undone_at.is_not(None)
    shown = select(Correction.id).where(*gone).order_by(Correction.undone_at.desc(), Correction.id).limit(UNDONE_SHOWN)
    db.session.execute(delete(Correction).where(*gone, Correction.id.not_in(shown)))


def of_recording(recording: StoredRecording) -> list[Correction]:
    """Return the corrections of a recording that hold, in the order in which they were said."""
    query = select(Correction).filter_by(recording_id=recording.id, undone_at=None).order_by(Correction.id)
    return list(db.session.scalars(query))


def undone_of(recording: StoredRecording) -> list[Correction]:
    """Return those that were undone last."""
    query = select(Correction).filter_by(recording_id=recording.id).where(Correction.undone_at.is_not(None))
    return list(db.session.scalars(query.order_by(Correction.undone_at.desc(), Correction.id).limit(UNDONE_SHOWN)))


def of_user(user_id: int) -> dict[StoredRecording, list[Correction]]:
    """Return all corrections of a person that hold, by recording."""
    query = select(Correction).filter_by(user_id=user_id, undone_at=None).order_by(Correction.id)
    found: dict[StoredRecording, list[Correction]] = {}
    for correction in db.session.scalars(query):
        found.setdefault(correction.recording, []).append(correction)
    return found


def as_said(corrections: Sequence[Correction], result: PredictionResult) -> tuple[Said, ...]:
    """Return corrections as stretches of a result, in its model's words; without those of recordings that it lacks."""
    place, known = {name: i for i, name in enumerate(result.recording_ids)}, result.activities
    there = [correction for correction in corrections if correction.part in place]
    return tuple((place[c.part], c.start_s, c.end_s, as_called(known, c.activity)) for c in there)
