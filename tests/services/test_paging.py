"""Long lists a page at a time."""

from __future__ import annotations

import pytest

from app.services.paging import Page, page_of

LETTERS = "abcdefghij"


def page(number: int, size: int = 4, letters: str = LETTERS) -> Page[str]:
    return page_of(len(letters), number, size, lambda start, stop: letters[start:stop])


@pytest.mark.parametrize(
    ("number", "shown", "items"), [(1, 1, "abcd"), (3, 3, "ij"), (0, 1, "abcd"), (-7, 1, "abcd"), (10**20, 3, "ij")]
)
def test_a_page_that_is_not_there_gives_way_to_the_nearest(number: int, shown: int, items: str) -> None:
    found = page(number)
    assert (found.number, found.items, found.pages, found.total) == (shown, items, 3, 10)
    assert LETTERS[found.first] == items[0]


def test_an_empty_list_has_one_empty_page() -> None:
    empty = page(1, letters="")
    assert (empty.items, empty.number, empty.pages, list(empty.numbers())) == ("", 1, 1, [1])


@pytest.mark.parametrize(
    ("number", "numbers"),
    [
        (1, [1, 2, 3, None, 10]),
        (4, [1, 2, 3, 4, 5, 6, None, 10]),
        (6, [1, None, 4, 5, 6, 7, 8, None, 10]),
        (10, [1, None, 8, 9, 10]),
    ],
)
def test_the_first_the_last_and_the_nearby_pages_are_offered(number: int, numbers: list[int | None]) -> None:
    assert list(page(number, size=1).numbers()) == numbers
