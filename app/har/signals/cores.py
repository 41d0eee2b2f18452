"""Work on all cores at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

T = TypeVar("T")
R = TypeVar("R")
CORES = os.cpu_count() or 1  # to ask for it takes as long as a dozen of products


def on_every_core(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return what work that lets go of the interpreter, as numpy's does, makes of each item."""
    with one_core_each():
        if len(items) == 1:
            return [work(items[0])]
        with ThreadPoolExecutor(CORES) as pool:
            return list(pool.map(work, items))


def one_core_each() -> AbstractContextManager[object]:
    """Let linear algebra use no threads of its own meanwhile: they and ours would wait for each other.

    A single piece of work is done sooner so, too: its products are so small that a second core waits most of the time.
    """
    limited: AbstractContextManager[object] = _linear_algebra().limit(limits=1, user_api="blas")
    return limited


@lru_cache(maxsize=1)
def _linear_algebra() -> ThreadpoolController:
    return ThreadpoolController()  # looks through all loaded libraries, which takes 5 ms
