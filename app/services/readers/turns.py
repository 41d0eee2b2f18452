"""Turns at the readers: a bounded number of jobs at once, a bounded number that wait, few of one person."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.services.errors import Busy, Conflict

ENOUGH = 1000  # turns of a person, who gets no further one


class Turns:
    """Who reads now, and who waits, in order."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._reading = 0
        self._waiting: deque[object] = deque()
        self._by_person: Counter[int] = Counter()

    @contextmanager
    def without(self, person: int) -> Iterator[None]:
        """Let a person have no turn while the block lasts.

        Raises
        ------
        Conflict : they have one.
        """
        with self._changed:
            if self._by_person[person]:
                raise Conflict("A file of this account is being read at this moment. Wait until that is finished.")
            self._by_person[person] = ENOUGH
        try:
            yield
        finally:
            with self._changed:
                self._by_person[person] -= ENOUGH

    @contextmanager
    def turn(
        self, person: int, *, at_once: int, waiting: int, each: int = 1, on_wait: Callable[[], object] = lambda: None
    ) -> Iterator[None]:
        """Wait for a turn, which the block takes.

        Parameters
        ----------
        person : whose it is.
        at_once, waiting : how many may read, and how many more may wait.
        each : how many of one person may read or wait.

        Raises
        ------
        Conflict : this person has enough turns.
        Busy : enough people wait.
        """
        ticket = object()
        with self._changed:
            if self._by_person[person] >= each:
                raise Conflict(
                    "Another file of yours is being read at this moment. Wait until that is finished, then try this "
                    "one again. Nothing was lost."
                )
            if self._reading + len(self._waiting) >= at_once + waiting:
                raise Busy("Many recordings are being read at this moment. Try again in half a minute.")
            self._by_person[person] += 1
            self._waiting.append(ticket)
        try:
            with self._changed:
                if self._waiting[0] is not ticket or self._reading >= at_once:
                    on_wait()
                self._changed.wait_for(lambda: self._waiting[0] is ticket and self._reading < at_once)
                self._reading += 1
                self._waiting.remove(ticket)
                self._changed.notify_all()
            try:
                yield
            finally:
                with self._changed:
                    self._reading -= 1
        finally:
            with self._changed:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                self._by_person[person] -= 1
                self._changed.notify_all()
