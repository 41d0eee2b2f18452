"""What was found in an array, remembered for as long as the array lives."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, TypeVar
from weakref import ref

import numpy as np
from numpy.typing import NDArray

R = TypeVar("R")
Array = NDArray[Any]


class _Same:
    """An array by its identity, for as long as it lives; another that gets its place later is not the same."""

    def __init__(self, array: Array) -> None:
        self._number, self._array = id(array), ref(array)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._array() is other._array() is not None


def remembered(work: Callable[..., R]) -> Callable[..., R]:
    """Let a function of an array, and of other values or arrays, look at the same array once.

    A recording is asked the same by importer, units, quality card and models. Nothing here changes
    an array in place; who does asks for a copy first.
    """
    known: dict[int, tuple[ref[Array], dict[tuple[Hashable, ...], R]]] = {}

    @wraps(work)
    def asked(array: Array, *others: Hashable | Array) -> R:
        key = id(array)
        entry = known.get(key)
        if entry is None or entry[0]() is not array:
            entry = known[key] = (ref(array, lambda _: known.pop(key, None)), {})
        found = entry[1]
        asked_of = tuple(_Same(other) if isinstance(other, np.ndarray) else other for other in others)
        if asked_of not in found:
            found[asked_of] = work(array, *others)
        return found[asked_of]

    return asked
