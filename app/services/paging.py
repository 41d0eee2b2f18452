"""Long lists, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

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
