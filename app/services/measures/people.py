"""The days of a person, from all recordings of theirs that tell when they were."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo

from flask import current_app
from sqlalchemy import func, or_, select
from sqlalchemy.orm import selectinload

from app.extensions import db
from app.har.measures.cut_points import AGES, CUT_POINTS
from app.har.measures.days import Days
from app.har.measures.timeline import Measured
from app.services.errors import Invalid, NotFound
from app.services.measures import kept
from app.services.measures.measured import Asked, by_world_clock, days_of
from app.services.recordings import recordings, slot_files
from app.services.recordings.result_files import DAMAGED
from app.services.transaction import transaction
from app.tables import StoredRecording, User

log = logging.getLogger(__name__)

USUAL_DAYS, MOST_DAYS = 14, 62  # that are shown at once
DAY_S = 86_400.0
FIRST_YEAR, LAST_YEAR = 2000, 2100  # between which clocks count


@dataclass(frozen=True)
class Span:
    """Days that are asked for, both included."""

    first: date
    last: date


@dataclass(frozen=True)
class Found:
    """The days of a person, and what is not among them."""

    days: Days
    left_out: Sequence[str]  # names of recordings that cannot be read


def span_of(first: str, last: str, newest: date | None) -> Span:
    """Return which days somebody asks for, as 2026-11-29; what is left open is filled up to USUAL_DAYS.

    Parameters
    ----------
    newest : the last day of which there is anything.

    Raises
    ------
    Invalid : they are no days, or too many.
    """
    begin, end = _day(first, "first"), _day(last, "last")
    if end is None:
        end = begin + timedelta(days=USUAL_DAYS - 1) if begin else newest or datetime.now(timezone.utc).date()
    begin = begin or end - timedelta(days=USUAL_DAYS - 1)
    if not 0 <= (end - begin).days < MOST_DAYS:
        raise Invalid(f"At most {MOST_DAYS} days at once, the first before the last.", "last")
    return Span(begin, end)


def _day(text: str, field: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not FIRST_YEAR <= day.year < LAST_YEAR:
        raise Invalid(f"{field} must be a day such as 2026-11-29; found {text[:40]!r}.", field)
    return day


def newest_day(user_ids: Sequence[int], zone: tzinfo) -> date | None:
    """Return the last day on which a recording of some people ends, of those that are not yet to come if there is one.

    A clock that was set wrong may say any year; the days that people look at are to be found all the same.
    """
    ends = StoredRecording.facts[recordings.ENDS].as_float()
    every = select(func.max(ends)).where(StoredRecording.user_id.in_(user_ids))
    last = db.session.scalar(every.where(ends < time.time() + DAY_S))
    last = db.session.scalar(every) if last is None else last
    return None if last is None else _day_of_end(last, zone)


def _day_of_end(end_s: float, zone: tzinfo) -> date:
    return datetime.fromtimestamp(end_s - 1e-3, zone).date()


def around(user_ids: Sequence[int], span: Span, zone: tzinfo) -> tuple[date | None, date | None]:
    """Return the last day before a span, and the first after it, of which there is a recording of some people."""
    ends, whose = StoredRecording.facts[recordings.ENDS].as_float(), StoredRecording.user_id.in_(user_ids)
    begin, end = _midnight(span.first, zone), _midnight(span.last + timedelta(days=1), zone)
    before = db.session.scalar(select(func.max(ends)).where(whose, ends <= begin.timestamp()))
    after = db.session.scalar(select(func.min(StoredRecording.recorded)).where(whose, StoredRecording.recorded >= end))
    return before and _day_of_end(before, zone), after and after.astimezone(zone).date()


def undated(user_id: int) -> int:
    """Return how many recordings of a person do not tell when they were."""
    query = select(func.count()).select_from(StoredRecording).where(StoredRecording.user_id == user_id)
    return db.session.scalar(query.where(StoredRecording.recorded.is_(None))) or 0


def of_person(user: User, span: Span, zone: tzinfo, cut_points: str = "") -> Found:
    """Return the days of a person, as they see their recordings; the night before the first is looked at, too."""
    asked, left_out = Asked(user.age_group, cut_points), list[str]()
    begin, end = (_midnight(day, zone) for day in (span.first - timedelta(days=1), span.last + timedelta(days=1)))
    ends = StoredRecording.facts[recordings.ENDS].as_float()
    query = (
        select(StoredRecording)
        .where(StoredRecording.user_id == user.id, StoredRecording.recorded < end)
        .where(or_(ends > begin.timestamp(), ends.is_(None)))
        .order_by(StoredRecording.id)
        .options(selectinload(StoredRecording.predictions))
    )

    def parts() -> Iterator[tuple[Measured, bool]]:
        for recording in db.session.scalars(query).all():
            try:
                yield from _parts(recording, asked)
            except (NotFound, *DAMAGED) as error:
                log.warning("recording %s is in no day: %s", recording.id, error)
                left_out.append(recording.shown_title)

    together, _ = days_of(parts(), zone, current_app.config["VALID_DAY_HOURS"])
    return Found(together, left_out)


def _parts(recording: StoredRecording, asked: Asked) -> Iterator[tuple[Measured, bool]]:
    prediction = recordings.get_prediction(recording)
    slots = slot_files.load(recordings.folder_of(recording))
    cards = (recordings.quality_of(recording) or {}).get("cards", [])
    apps = {str(card["recording"]): str(card["app"]) for card in cards}
    place = str(prediction.summary.get("place", ""))
    for part in kept.parts_of_prediction(prediction):
        yield by_world_clock(part, slots.get(part.name), apps.get(part.name, ""), place, asked)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def choose_age(user_id: int, age: str) -> None:
    """Keep the age group of a person, "" for none.

    Raises
    ------
    Invalid : there is no such group.
    """
    if age and age not in AGES:
        raise Invalid("Choose an age group from the list.", "age")
    with transaction() as session:
        session.get_one(User, user_id).age_group = age


def checked_cut_points(name: str) -> str:
    """Return a name of cut-points; "" leaves them to place and age.

    Raises
    ------
    Invalid : there are none of this name.
    """
    if name and name not in {each.name for each in CUT_POINTS}:
        raise Invalid(f"There are no cut-points called {name[:60]!r}.", "cut_points")
    return name
