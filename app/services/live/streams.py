"""A live session as the server has it in memory: what came in and waits to be recognised, and how its device is.

What comes in is first written to the session's journal, so that a server that is killed loses nothing that it has
taken. The journal is cut into files of some minutes; of a session that is not kept the last few stay.
"""

from __future__ import annotations

import errno
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from app.har.live import journal
from app.har.live.batches import Batch
from app.har.live.reorder import Reorder
from app.services import room, sealing
from app.services.sealing import Key

log = logging.getLogger(__name__)

SEGMENT_S = 300.0
KEPT_SEGMENTS = 3
TAIL_S = 600.0  # of the journal, from which recognition goes on after a restart
MOST_QUEUED = 120  # batches that wait to be recognised
ENDING = ".journal"
SHARED_S = 10.0  # two sessions of one device that are heard within so long
RATE_SHARE = 0.3  # of the newest batch in the rate that is shown
JUMP_S = 60.0  # by which a device's clock stands otherwise than before: it was set
FULL = "The server's disk is full: what you do is recognised, but nothing of it is kept."


@dataclass
class Health:
    """How a device and its connection are."""

    received: int = 0
    lost: int = 0
    doubled: int = 0
    late: int = 0
    jumps: int = 0  # of the device's clock
    battery: float | None = None
    rates: dict[str, float] = field(default_factory=dict)  # Hz of each sensor
    delay_s: float | None = None  # between the last sample of a batch, by the device's clock, and its arrival

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for a page."""
        return {
            "rate_hz": {name: round(rate, 1) for name, rate in self.rates.items()},
            "received": self.received,
            "lost": self.lost,
            "doubled": self.doubled,
            "late": self.late,
            "battery": self.battery,
            "delay_s": None if self.delay_s is None else round(self.delay_s, 2),
        }


class Journal:
    """The files of a session's batches."""

    def __init__(self, folder: Path, keeps: bool, key: Key) -> None:
        self.folder, self.keeps = folder, keeps
        self._seal = partial(sealing.sealed_bytes, key=key)
        self._since = -np.inf
        self._path = folder / f"000000{ENDING}"

    def append(self, batch: Batch) -> None:
        """Write a batch behind the others."""
        at = time.monotonic()
        if at - self._since > SEGMENT_S:
            files = self.files()
            number = int(files[-1].stem) + 1 if files else 0
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._since, self._path = at, self.folder / f"{number:06}{ENDING}"
            if not self.keeps:
                for old in files[: 1 - KEPT_SEGMENTS]:
                    old.unlink(missing_ok=True)
        journal.append(self._path, batch, self._seal)

    def files(self) -> list[Path]:
        """Return the files in the order of their numbers."""
        return sorted(self.folder.glob(f"*{ENDING}"))

    def tail(self) -> list[Batch]:
        """Return the batches of the last minutes, as they came."""
        batches = [
            batch for path in self.files()[-KEPT_SEGMENTS:] for batch in journal.read(path, sealing.opened_bytes)
        ]
        newest = max((batch.end_s for batch in batches), default=-np.inf)
        return [batch for batch in batches if batch.end_s >= newest - TAIL_S or not np.isfinite(batch.end_s)]


@dataclass(eq=False)
class Stream:
    """A session that runs."""

    id: int
    user_id: int
    device_id: int
    device: str  # its name
    place: str
    key: str  # what the device calls it
    keeps: bool
    folder: Path
    started: float  # Unix seconds
    last_heard: float  # Unix seconds, by the server's clock
    facts: dict[str, Any]  # of the row, as they were written last
    person_key: Key  # under which its journal is sealed
    lock: Lock = field(default_factory=Lock)
    queue: deque[Batch] = field(default_factory=deque)
    health: Health = field(default_factory=Health)
    windows: dict[float, dict[str, Any]] = field(
        default_factory=dict
    )  # of the last minutes, as pages are told, by start
    seconds: dict[str, float] = field(default_factory=dict)  # of each answer
    counted_s: float = -np.inf  # end of the last window that is in `seconds`
    counted: dict[float, tuple[str, float]] = field(default_factory=dict)  # of each window: as what, and its seconds
    answer: str | None = None  # the newest
    activity: str | None = None  # the likeliest in the same window
    heard: float = field(default_factory=time.monotonic)
    arrived: float = 0.0  # when the newest batch came, Unix seconds
    waits_since: float = 0.0  # when the first of those came that wait to be recognised
    taken_since: float = 0.0  # the same, of those that are being recognised
    restored_s: float = -np.inf  # what lies before was recognised once, by a server that is gone
    begun: bool = False  # something of it was taken to be recognised, by this server
    ended: bool = False
    faulty: str = ""  # why it is not recognised at the moment
    unkept: str = ""  # why its batches are not kept at the moment
    shared: bool = False  # its token is used by another session at the same time
    _reorder: Reorder | None = None
    _end_s: float | None = None
    _before: Health = field(default_factory=Health)  # counts before this server

    def __post_init__(self) -> None:
        self.journal = Journal(self.folder, self.keeps, self.person_key)
        counts = self.facts.get("batches", {})
        received, lost, doubled, late, jumps = (
            int(counts.get(name, 0)) for name in ("received", "lost", "doubled", "late", "jumps")
        )
        self._before = Health(received, lost, doubled, late)
        self.health = Health(received, lost, doubled, late, jumps, self.facts.get("battery"))
        self.seconds = dict(self.facts.get("seconds", {}))
        self.counted_s = float(self.facts.get("counted_s", -np.inf))

    def take(self, batch: Batch, now: float, full: bool = False) -> bool:
        """Take a batch in, within the lock; return whether it is new. On a disk that is full it is not kept."""
        reorder = self._begun()
        doubled = reorder.doubled
        ready = reorder.add(batch, time.monotonic())
        self.last_heard, self.heard = now, time.monotonic()
        if is_new := reorder.doubled == doubled:
            self.arrived = now
            self._keep(batch, full)
            self._measure(batch, now)
        self._go_on(ready)
        return is_new

    def due(self) -> None:
        """Let batches go on that others were waited for, long enough."""
        if self._reorder is not None:
            self._go_on(self._reorder.due(time.monotonic()))

    def flush(self) -> None:
        """Let all go on, at the end."""
        if self._reorder is not None:
            self._go_on(self._reorder.flush())

    def taken(self) -> list[Batch]:
        """Return what is to be recognised, which waits no longer."""
        with self.lock:
            self.due()
            batches = list(self.queue)
            self.queue.clear()
            self.taken_since = self.waits_since
        return batches

    def in_order(self) -> list[Batch]:
        """Return the tail of the journal in order, to begin recognition anew."""
        tail = self.journal.tail()
        numbers = [batch.message_id for batch in tail]
        reorder = Reorder(after=min(numbers) - 1 if numbers else None)
        return [ready for batch in tail for ready in reorder.add(batch, 0.0)] + reorder.flush()

    def message(self) -> str:
        """Return what the person should know of the device or the connection; "" for nothing."""
        shared = (
            "Two devices send with this token at the same time. Give each a token of its own." if self.shared else ""
        )
        return " ".join(part for part in (self.faulty, self.unkept, shared) if part)

    def row_facts(self) -> dict[str, Any]:
        """Return what is kept of it in its row."""
        counts = {name: getattr(self.health, name) for name in ("received", "lost", "doubled", "late", "jumps")}
        last = {} if not np.isfinite(self.counted_s) else {"counted_s": self.counted_s}
        return {
            **self.facts,
            "batches": counts,
            "rates": {name: round(rate, 1) for name, rate in self.health.rates.items()},
            "battery": self.health.battery,
            "seconds": {name: round(value, 1) for name, value in self.seconds.items()},
            **last,
        }

    def _begun(self) -> Reorder:
        if self._reorder is None:
            tail = self.journal.tail()  # of a server that is gone
            if tail:
                self._reorder = Reorder(after=min(batch.message_id for batch in tail) - 1)
                for batch in tail:
                    self._go_on(self._reorder.add(batch, time.monotonic()))
                self.restored_s = max(batch.end_s for batch in tail)
                self._before.received -= self._reorder.received - self._unwritten(tail)
                self._before.lost -= self._reorder.lost
            else:
                self._reorder = Reorder()
        return self._reorder

    def _unwritten(self, tail: list[Batch]) -> int:
        """Return how many batches came after the row was written."""
        last = self.facts.get("last_id", -1)
        return sum(batch.message_id > last for batch in tail)

    def _go_on(self, ready: list[Batch]) -> None:
        if ready and not self.queue:
            self.waits_since = time.time()
        self.queue.extend(ready)
        if self._reorder is not None:
            for name in ("received", "lost", "doubled", "late"):
                count = getattr(self._before, name) + getattr(self._reorder, name)
                setattr(self.health, name, max(count, 0))

    def _keep(self, batch: Batch, full: bool) -> None:
        if self.unkept and self.unkept != FULL:
            return
        try:
            if full:
                raise OSError(errno.ENOSPC, "the reserve begins")
            self.journal.append(batch)
            self.unkept = ""
        except OSError as error:
            if not self.unkept:
                log.warning("a batch of live session %d is not kept: %s", self.id, error)
            self.unkept = FULL if room.is_full(error) else "What you do is recognised, but it cannot be kept."

    def _measure(self, batch: Batch, now: float) -> None:
        health = self.health
        if batch.battery is not None:
            health.battery = batch.battery
        self.facts["last_id"] = max(batch.message_id, self.facts.get("last_id", -1))
        for name, samples in batch.sensors.items():
            span = samples.end_s - samples.start_s
            if len(samples.time_s) > 1 and span > 0:
                rate = (len(samples.time_s) - 1) / span
                before = health.rates.get(name, rate)
                health.rates[name] = before + RATE_SHARE * (rate - before)
        end_s = batch.end_s
        if np.isfinite(end_s):
            delay_s = now - end_s
            if self._end_s is not None and health.delay_s is not None and abs(delay_s - health.delay_s) > JUMP_S:
                health.jumps += 1
            health.delay_s, self._end_s = delay_s, end_s
