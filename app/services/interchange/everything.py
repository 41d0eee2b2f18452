"""All activities of a person, or those of a day, for other systems: a part of the recordings, or one, at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Select, or_, select

from app.extensions import db
from app.services import paging
from app.services.errors import Invalid, NotFound
from app.services.interchange import exported, fhir, pseudonyms
from app.services.interchange.answers import Answers, StepsOfDay
from app.services.personal import view
from app.services.personal.view import View
from app.services.recordings import recordings, steps
from app.services.recordings.result_files import DAMAGED
from app.tables import StoredRecording


@dataclass(frozen=True)
class Part:
    """The activities of some recordings."""

    person: UUID
    found: Sequence[Answers]
    left_out: Sequence[str]  # which recordings are not among them and why, in words
    before: int | None  # to ask for those that follow; None: these are the last


def day_of(text: str) -> date:
    """Return the day that somebody asks for, as 2026-11-29.

    Raises
    ------
    Invalid : it is none, or beyond any recording.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not 2000 <= day.year < 2100:  # between which clocks count
        raise Invalid(f"date must be a day such as 2026-11-29; found {text[:40]!r}.", "date")
    return day


def part(user_id: int, day: date | None, zone: tzinfo, before: int | None, limit: int) -> Part:
    """Return the activities of some of a person's recordings, those uploaded last first.

    Parameters
    ----------
    day : of the zone; what begins before it and ends in it, or in it and ends after, belongs to it whole.
    """
    rows = paging.newest(_matching(user_id, day, zone), StoredRecording.id, before, limit)
    found: list[Answers] = []
    left_out = []
    for recording in rows.items:
        try:
            found.append(_answers(recording, day, zone))
        except (Invalid, NotFound, *DAMAGED) as error:
            why = "it cannot be read" if isinstance(error, DAMAGED) else str(error)
            left_out.append(f"Recording {recording.id} is left out: {why}")
    found = [one for one in found if one.activities or one.steps]
    return Part(pseudonyms.of_person(user_id), found, left_out, rows.before)


def as_json(user_id: int, day: date | None, zone: tzinfo) -> Iterator[str]:
    """Yield one bundle of all of it, as it is made: one recording is in memory at a time."""
    yield '{"resourceType": "Bundle", "type": "collection", "entry": ['
    yield _text(fhir.patient(pseudonyms.of_person(user_id)))
    before: int | None = None
    while True:
        one = part(user_id, day, zone, before, 1)
        for answers in one.found:
            yield "".join(f",\n{_text(each)}" for each in fhir.resources(answers))
        if one.before is None:
            break
        before = one.before
    yield "]}\n"


def _text(resource: dict[str, Any]) -> str:
    return json.dumps(fhir.entry(resource), ensure_ascii=False)


def _matching(user_id: int, day: date | None, zone: tzinfo) -> Select[Any]:
    own = select(StoredRecording).where(StoredRecording.user_id == user_id)
    if day is None:
        return own
    begin, end = _midnights(day, zone)
    ends = StoredRecording.facts[recordings.ENDS].as_float()  # of recordings of earlier builds it is not known
    return own.where(StoredRecording.recorded < end, or_(ends > begin.timestamp(), ends.is_(None)))


def _midnights(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    begin, end = (datetime(each.year, each.month, each.day, tzinfo=zone) for each in (day, day + timedelta(days=1)))
    return begin, end


def _answers(recording: StoredRecording, day: date | None, zone: tzinfo) -> Answers:
    prediction = recordings.get_prediction(recording)
    seen = view.view_of(prediction)
    found = exported.answers(prediction, seen, True, zone)
    if day is not None:
        begin, end = _midnights(day, zone)
        of_day = [one for one in found.activities if one.start < end and one.end > begin]
        found = replace(found, activities=of_day, steps=list(_steps(recording, seen, begin, end)))
    db.session.expunge(recording)  # there may be thousands
    return found


def _steps(recording: StoredRecording, seen: View, begin: datetime, end: datetime) -> Iterator[StepsOfDay]:
    """Yield the steps of a day of each recording of a file that is partly in it, where they are counted."""
    result, counted = seen.result, steps.of(recording, seen.result)
    for i, part in enumerate(result.recording_ids):
        own = result.positions(i)
        if not len(own) or np.isnan(result.origins[own]).any():
            continue
        first, last = (moment.timestamp() - float(result.origins[own[0]]) for moment in (begin, end))
        bouts = result.bout_columns(i)
        recorded_s = float((np.minimum(bouts.end_s, last) - np.maximum(bouts.start_s, first)).clip(0).sum())
        count = counted.between(i, first, last)
        if count is not None and recorded_s:
            said = result.corrected[own][(result.start_s[own] < last) & (result.end_s[own] > first)].any()
            share = 100 * recorded_s / (end - begin).total_seconds()
            yield StepsOfDay(part, begin, end, count, round(share, 1), "corrected" if said else "final")
