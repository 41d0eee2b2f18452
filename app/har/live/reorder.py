"""Batches in the order of their numbers, though they arrive late, twice or never."""

from __future__ import annotations

from collections import deque

from app.har.live.batches import Batch

WAIT_S = 2.0  # for a batch that is missing, before the next ones go on without it
MOST_WAITING = 16  # batches; with more, too
MOST_REMEMBERED = 1000  # numbers given up, by which one that comes after all is told from a doubled one
FAR = 10_000  # numbers further on: the device counts anew, and nothing is lost


class Reorder:
    """Puts the batches of one session in order, in bounded memory.

    Parameters
    ----------
    after : number of the last batch that was seen before, of a session that goes on; default None, it begins.
    """

    def __init__(self, after: int | None = None) -> None:
        self.received = 0  # each arrival
        self.doubled = 0  # of a batch that was there already
        self.lost = 0  # never arrived, or not yet
        self.late = 0  # arrived after the next ones had gone on: not lost, but of no use to recognition
        self._next = None if after is None else after + 1
        self._waiting: dict[int, tuple[Batch, float]] = {}  # and when it arrived
        self._given_up: set[int] = set()
        self._oldest_given_up: deque[int] = deque()

    def add(self, batch: Batch, now_s: float) -> list[Batch]:
        """Return the batches that are in order now that this one has arrived.

        Parameters
        ----------
        now_s : seconds by a clock that never goes back.
        """
        self.received += 1
        number = batch.message_id
        if number in self._waiting:
            self.doubled += 1
        elif self._next is not None and number < self._next:
            if number in self._given_up:
                self._given_up.remove(number)
                self.lost -= 1
                self.late += 1
            else:
                self.doubled += 1
        else:
            self._waiting[number] = (batch, now_s)
        return self.due(now_s)

    def due(self, now_s: float) -> list[Batch]:
        """Return the batches that are in order, or were waited for long enough."""
        ready = self._in_order()
        while self._waiting and (
            len(self._waiting) > MOST_WAITING or now_s - min(at for _, at in self._waiting.values()) >= WAIT_S
        ):
            ready += self._skip()
        return ready

    def flush(self) -> list[Batch]:
        """Return all that waits, as at the end of a session."""
        ready: list[Batch] = []
        while self._waiting:
            ready += self._skip()
        return ready

    def _in_order(self) -> list[Batch]:
        if self._next is None and 0 in self._waiting:
            self._next = 0
        ready = []
        while self._next is not None and self._next in self._waiting:
            ready.append(self._waiting.pop(self._next)[0])
            self._next += 1
        return ready

    def _skip(self) -> list[Batch]:
        """Give up the numbers before the first that waits."""
        first = min(self._waiting)
        if self._next is not None and first - self._next < FAR:
            missing = range(self._next, first)
            self.lost += len(missing)
            for number in missing[-MOST_REMEMBERED:]:
                self._given_up.add(number)
                self._oldest_given_up.append(number)
            while len(self._oldest_given_up) > MOST_REMEMBERED:
                self._given_up.discard(self._oldest_given_up.popleft())
        self._next = first
        return self._in_order()
