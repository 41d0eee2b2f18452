"""Long lists, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from app.extensions import db

T = TypeVar("T")
NEARBY = 2  # pages offered to either side of the one shown


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list, and where it stands in it."""

    items: Sequence[T]
    number: int  # from 1
    size: int
    total: int  # items on all pages

    @property
    def pages(self) -> int:
        """How many pages there are; an empty list has one."""
        return _pages(self.total, self.size)

    @property
    def first(self) -> int:
        """Position in the list of the first item of this page."""
        return (self.number - 1) * self.size

    def numbers(self) -> Iterator[int | None]:
        """Yield the pages to offer: the first, the last and those nearby; None where some are left out."""
        before = 0
        for number in range(1, self.pages + 1):
            if number in (1, self.pages) or abs(number - self.number) <= NEARBY:
                if number - before > 1:
                    yield None
                yield number
                before = number


@dataclass(frozen=True)
class Newest(Generic[T]):
    """The newest rows of a table, or those before a row; rows that come or go meanwhile move no others."""

    items: Sequence[T]
    before: int | None  # to ask for those that follow; None where these are the last


def newest(query: Select[Any], number: InstrumentedAttribute[int], before: int | None, limit: int) -> Newest[Any]:
    """Return the rows of a query with the highest numbers, or with those below one, the highest first."""
    wanted = query if before is None else query.where(number < before)
    rows = db.session.scalars(wanted.order_by(number.desc()).limit(limit + 1)).all()
    return Newest(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)


def page_of(total: int, number: int, size: int, fetch: Callable[[int, int], Sequence[T]]) -> Page[T]:
    """Return a page of a list; one that is not there gives way to the nearest.

    Parameters
    ----------
    fetch : returns the items from one position up to, but without, another.
    """
    number = min(max(number, 1), _pages(total, size))
    start = (number - 1) * size
    return Page(fetch(start, min(start + size, total)), number, size, total)


def _pages(total: int, size: int) -> int:
    return max(1, -(-total // size))
