"""All activities of a person, or those of a day, for other systems: a part of the recordings, or one, at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select

from app.extensions import db
from app.services import paging
from app.services.errors import Invalid, NotFound
from app.services.interchange import exported, fhir, pseudonyms
from app.services.interchange.answers import Answers
from app.services.recordings import recordings
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
    found, left_out = [], []
    for recording in rows.items:
        try:
            found.append(_of_day(_answers(recording, zone), day, zone))
        except (Invalid, NotFound, *DAMAGED) as error:
            why = "it cannot be read" if isinstance(error, DAMAGED) else str(error)
            left_out.append(f"Recording {recording.id} is left out: {why}")
    return Part(pseudonyms.of_person(user_id), [one for one in found if one.activities], left_out, rows.before)


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


def _answers(recording: StoredRecording, zone: tzinfo) -> Answers:
    found = exported.answers(recordings.get_prediction(recording), None, True, zone)
    db.session.expunge(recording)  # there may be thousands
    return found


def _of_day(answers: Answers, day: date | None, zone: tzinfo) -> Answers:
    if day is None:
        return answers
    begin, end = _midnights(day, zone)
    return replace(answers, activities=[one for one in answers.activities if one.start < end and one.end > begin])
