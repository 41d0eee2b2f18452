"""What was found in an array, remembered for as long as the array lives."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, TypeVar
from weakref import ref

from numpy.typing import NDArray

R = TypeVar("R")
Array = NDArray[Any]


def remembered(work: Callable[..., R]) -> Callable[..., R]:
    """Let a function of an array, and of other values, look at the same array once.

    A recording is asked the same by importer, units, quality card and models. Nothing here changes
    an array in place; who does asks for a copy first.
    """
    known: dict[int, tuple[ref[Array], dict[tuple[Hashable, ...], R]]] = {}

    @wraps(work)
    def asked(array: Array, *others: Hashable) -> R:
        key = id(array)
        entry = known.get(key)
        if entry is None or entry[0]() is not array:
            entry = known[key] = (ref(array, lambda _: known.pop(key, None)), {})
        found = entry[1]
        if others not in found:
            found[others] = work(array, *others)
        return found[others]

    return asked
