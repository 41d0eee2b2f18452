"""Column types that several tables share."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Any

from sqlalchemy import JSON, DateTime
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(timezone.utc)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, aware on every database: SQLite forgets the zone, PostgreSQL answers in its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


# "Recording 12" in the audit log is one recording for ever: SQLite would give the number of a deleted row again
NUMBERED_FOR_GOOD = {"sqlite_autoincrement": True}
Id = Annotated[int, mapped_column(primary_key=True)]
Created = Annotated[datetime, mapped_column(UtcDateTime, default=now)]
Moment = Annotated[datetime, mapped_column(UtcDateTime)]
JsonDict = Annotated[dict[str, Any], mapped_column(JSON, default=dict)]
