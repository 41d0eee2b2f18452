"""A user's recordings as a list: searched, filtered, sorted, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import selectinload

from app.extensions import db
from app.har.vocabulary import NO_ANSWER, UNFAMILIAR, in_order, node_of, path_of, shared_node
from app.services import paging
from app.services.folding import Folded, holds
from app.services.paging import Newest, Page, page_of
from app.services.personal import corrections, in_lists
from app.tables import Prediction, StoredRecording

ROWS_A_PAGE = 25
LONGEST_SEARCH = 100
SHOWN = func.coalesce(func.nullif(StoredRecording.title, ""), StoredRecording.filename)
BEGINS = func.coalesce(StoredRecording.recorded, StoredRecording.created)
SORTS: Mapping[str, tuple[str, Sequence[Any]]] = {  # by name: what a list calls it, and its columns
    "uploaded": ("Uploaded last", (StoredRecording.id.desc(),)),
    "recorded": ("Recorded last", (BEGINS.desc(), StoredRecording.id.desc())),
    "name": ("Name", (Folded(SHOWN), StoredRecording.id)),
}


@dataclass(frozen=True)
class Wanted:
    """What is looked for; by default everything."""

    search: str = ""  # in names, names of files and notes
    first: date | None = None  # recorded on this day or later; uploaded, where a recording has no date
    last: date | None = None
    model: str = ""  # one of the labels that `models_of` returns
    activity: str = ""  # one of the names that `activities_of` returns
    sort: str = "uploaded"  # one of `SORTS`
    zone: tzinfo = timezone.utc  # in which a day begins

    @classmethod
    def from_parameters(cls, values: Mapping[str, str], zone: tzinfo) -> Wanted:
        """Read what an address asks for; what means nothing is left out."""
        sort = values.get("sort", "")
        return cls(
            search=_text(values.get("search", "")),
            first=_day(values.get("first", "")),
            last=_day(values.get("last", "")),
            model=_text(values.get("model", "")),
            activity=_text(values.get("activity", "")),
            sort=sort if sort in SORTS else cls.sort,
            zone=zone,
        )

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of an address that asks for it."""
        values = {"search": self.search, "first": self.first, "last": self.last, "model": self.model}
        values |= {"activity": self.activity}
        sort = {} if self.sort == Wanted.sort else {"sort": self.sort}
        return {name: str(value) for name, value in values.items() if value} | sort

    @property
    def is_filtered(self) -> bool:
        """Whether it may leave recordings out."""
        return bool(self.search or self.first or self.last or self.model or self.activity)


def _text(text: str) -> str:
    """Return what a database can look for."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode().strip()[:LONGEST_SEARCH]


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1900 <= day.year <= 9000 else None  # near the ends of the calendar a zone leads out of it


def page(user_id: int, wanted: Wanted, number: int = 1) -> Page[StoredRecording]:
    """Return a page of a user's recordings, with their predictions: three queries, however many there are."""
    own = _matching(user_id, wanted)
    total = db.session.scalar(select(func.count()).select_from(own.subquery())) or 0
    rows = own.order_by(*SORTS[wanted.sort][1]).options(selectinload(StoredRecording.predictions))

    def fetch(start: int, stop: int) -> Sequence[StoredRecording]:
        return list(db.session.scalars(rows.offset(start).limit(stop - start)))

    return page_of(total, number, ROWS_A_PAGE, fetch)


def newest(user_id: int, wanted: Wanted, before: int | None, limit: int) -> Newest[StoredRecording]:
    """Return a user's recordings that are wanted, those uploaded last first, or those before the one with a number."""
    own = _matching(user_id, wanted).options(selectinload(StoredRecording.predictions))
    return paging.newest(own, StoredRecording.id, before, limit)


def chosen(user_id: int, wanted: Wanted, ids: Sequence[int] | None, at_most: int) -> list[StoredRecording]:
    """Return those of a user's recordings that have these numbers, or None: all that are wanted; one more than
    ``at_most`` where there are more.
    """
    own = _matching(user_id, wanted) if ids is None else _matching(user_id, Wanted()).where(StoredRecording.id.in_(ids))
    own = own.order_by(*SORTS[wanted.sort][1]).limit(at_most + 1)
    return list(db.session.scalars(own.options(selectinload(StoredRecording.predictions))))


def models_of(user_id: int) -> list[str]:
    """Return the labels of the models that have recognised recordings of a user."""
    query = select(Prediction.model_label).join(StoredRecording).where(StoredRecording.user_id == user_id).distinct()
    return sorted(db.session.scalars(query))


def activities_of(user_id: int) -> list[str]:
    """Return what occurs in recordings of a user, and the groups that it belongs to, in the order of the tree."""
    query = (
        select(
            Prediction.recording_id,
            Prediction.summary["minutes_per_activity"],
            Prediction.summary[(in_lists.OWN, "minutes_per_activity")],
        )
        .join(StoredRecording)
        .where(StoredRecording.user_id == user_id)
        .order_by(Prediction.id)
    )
    newest = {
        recording_id: {*(minutes or ()), *(own or ())} for recording_id, minutes, own in db.session.execute(query)
    }
    said = {row.activity for rows in corrections.of_user(user_id).values() for row in rows}
    return list(in_order(node for name in said.union(*newest.values()) for node in _nodes(name)))


@lru_cache(1024)
def _nodes(name: str) -> tuple[str, ...]:
    """Return what an answer counts as: itself, by the shared name where it has one, and the groups above it."""
    if name in NO_ANSWER:
        return (name,) if name == UNFAMILIAR else ()
    own = () if shared_node(name) else (name,)
    return (*own, *path_of(node_of(name))[:-1])


def _matching(user_id: int, wanted: Wanted) -> Select[Any]:  # SQLAlchemy 2.0 and 2.1 name it differently
    query = select(StoredRecording).where(StoredRecording.user_id == user_id, *_conditions(wanted))
    if not wanted.activity:
        return query
    answers = in_lists.minutes_of_all(user_id)
    holding = [i for i, names in answers.items() if any(wanted.activity in _nodes(name) for name in names)]
    return query.where(StoredRecording.id.in_(holding))


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for word in wanted.search.split():
        columns = (StoredRecording.filename, StoredRecording.title, StoredRecording.notes)
        found.append(or_(*(holds(column, word) for column in columns)))
    if wanted.first:
        found.append(_midnight(wanted.first, wanted.zone) <= BEGINS)
    if wanted.last:
        found.append(_midnight(wanted.last + timedelta(days=1), wanted.zone) > BEGINS)
    if wanted.model:
        found.append(StoredRecording.predictions.any(Prediction.model_label == wanted.model))
    return found


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(timezone.utc)
