"""What was found in an array is remembered for as long as the array lives, and no longer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.signals.remembered import remembered


def test_an_array_is_looked_at_once_for_each_question_and_another_in_its_place_again() -> None:
    asked: list[tuple[float, int]] = []

    @remembered
    def total(array: NDArray[Any], times: int = 1) -> float:
        asked.append((float(array[0]), times))
        return float(array.sum()) * times

    for number in range(50):  # new arrays get the place, and so the number, of those before
        array = np.full(1000, float(number))
        assert [total(array), total(array, 2), total(array), total(array, 2)] == [1000 * number, 2000 * number] * 2
        assert asked == [(number, 1), (number, 2)]
        asked.clear()
        del array


def test_a_copy_is_asked_again() -> None:
    found = remembered(lambda array: float(array.max()))
    array = np.arange(10.0)
    assert found(array) == 9
    changed = array.copy()
    changed[0] = 99
    assert (found(changed), found(array)) == (99, 9)


def test_another_array_is_known_by_itself_and_not_by_its_place() -> None:
    found = remembered(lambda array, other: float(array.sum() + other.sum()))
    array = np.ones(3)
    for number in range(50):
        other = np.full(1000, float(number))
        assert found(array, other) == found(array, other) == 3 + 1000 * number
        del other
