"""Days with daily measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.services import accounts
from app.services.api.tokens import Scope
from app.services.errors import Invalid, ServiceError
from app.services.measures import people, tables
from app.services.recordings.wall_clock import time_zone
from app.web.api.v1 import asked
from app.web.api.v1.operations import operation
from app.web.bearer import bearer
from app.web.problems import NotAsDescribed


@dataclass(frozen=True)
class DayColumn:
    """What a column of days or hours is."""

    column: str
    unit: str
    definition: str
    source: str


@dataclass(frozen=True)
class Days:
    """Days or hours of a person, a row each by the names of the columns, and recordings that could not be read."""

    period: str
    time_zone: str
    age: str | None
    rows: list[dict[str, Any]]
    columns: list[DayColumn]
    left_out: list[str]


@operation("GET", "/days", Scope.RECORDINGS_READ, Days)
def list_days(query: asked.DaysQuery) -> Days:
    """List days, or their hours, with daily measures.

    ``first`` and ``last`` are days (2026-11-29) of the time zone, 62 at most; without them, the newest 14 days. What
    each column is comes along. The age group is that of the account.
    """
    user = accounts.get(bearer().id)
    try:
        zone = time_zone(query.tz)
    except ServiceError as error:
        raise NotAsDescribed([{"field": "tz", "message": str(error)}]) from error
    try:
        span = people.span_of(query.first, query.last, people.newest_day([user.id], zone))
        cut_points = people.checked_cut_points(query.cut_points)
    except Invalid as error:
        raise NotAsDescribed([{"field": error.field or "", "message": str(error)}]) from error
    found = people.of_person(user, span, zone, cut_points)
    columns = [DayColumn(**each) for each in tables.dictionary(query.period)]
    rows = found.days.rows(query.period, span.first, span.last)
    return Days(query.period, query.tz, user.age_group or None, rows, columns, list(found.left_out))
