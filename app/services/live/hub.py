"""What pages are told of a person's live sessions and alarms; they may leave, come back, and miss nothing.

The last minutes of each person's events are kept. Whoever last saw an older one, or one of a server before this one,
gets the present state instead. Numbers of events grow for ever: those of a new server begin above all of the old one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from flask import current_app

if TYPE_CHECKING:
    from app.services.alarms.alarms import Change

KEPT_S = 180.0
MOST_KEPT = 2000  # of one person
HUB = "live_hub"  # in `app.extensions`


@dataclass(frozen=True)
class Event:
    """Something that a person's pages are told."""

    id: int
    kind: str  # "state", "window", "device", "alarm", "ended"
    data: dict[str, Any]  # plain values


OnEvent = Callable[[Event], None]


@dataclass
class _Channel:
    """What one person is told."""

    forgotten: int  # id of the newest event that is not kept
    kept: deque[tuple[float, Event]] = field(default_factory=deque)
    told: list[OnEvent] = field(default_factory=list)


class Hub:
    """Events of all persons. Those who are told must not wait for anything: they are called one after the other."""

    def __init__(self) -> None:
        self._lock = Lock()
        # In ms, and a second ahead: the one before it may have had more events than milliseconds
        self._newest = time.time_ns() // 1_000_000 + 1000
        self._channels: dict[int, _Channel] = {}

    def publish(self, user_id: int, kind: str, data: dict[str, Any]) -> Event:
        """Tell a person's pages something."""
        with self._lock:
            self._newest = max(self._newest + 1, time.time_ns() // 1_000_000)
            event = Event(self._newest, kind, data)
            channel = self._channel(user_id)
            channel.kept.append((time.monotonic(), event))
            self._forget_old(channel)
            for on_event in list(channel.told):
                on_event(event)
        return event

    def subscribe(self, user_id: int, on_event: OnEvent) -> Callable[[], None]:
        """Tell somebody from now on; return what ends that."""
        with self._lock:
            self._channel(user_id).told.append(on_event)

        def unsubscribe() -> None:
            with self._lock:
                channel = self._channels.get(user_id)
                if channel is not None and on_event in channel.told:
                    channel.told.remove(on_event)

        return unsubscribe

    def since(self, user_id: int, last_id: int | None, state: Callable[[], dict[str, Any]]) -> list[Event]:
        """Return what happened after an event.

        Parameters
        ----------
        last_id : the number of the last one that was seen; None: none was.
        state : returns what is told instead where not all is known that happened since.
        """
        with self._lock:
            channel, newest = self._channel(user_id), self._newest
            self._forget_old(channel)
            if last_id is not None and channel.forgotten <= last_id <= newest:
                return [event for _, event in channel.kept if event.id > last_id]
        return [Event(newest, "state", state())]  # what happens meanwhile is told once more

    def drop(self, user_id: int) -> None:
        """Forget what a person was told; they are erased."""
        with self._lock:
            if (channel := self._channels.get(user_id)) is not None:
                channel.kept.clear()
                channel.forgotten = self._newest

    def drop_unused(self) -> None:
        """Forget persons to whom nothing happened for long, and to whom nobody listens."""
        with self._lock:
            for user_id, channel in list(self._channels.items()):
                self._forget_old(channel)
                if not channel.kept and not channel.told:
                    del self._channels[user_id]

    def _channel(self, user_id: int) -> _Channel:
        if (channel := self._channels.get(user_id)) is None:
            channel = self._channels[user_id] = _Channel(self._newest)
        return channel

    @staticmethod
    def _forget_old(channel: _Channel) -> None:
        oldest = time.monotonic() - KEPT_S
        while channel.kept and (channel.kept[0][0] < oldest or len(channel.kept) > MOST_KEPT):
            channel.forgotten = channel.kept.popleft()[1].id


def current() -> Hub:
    """Return the application's hub."""
    hub: Hub = current_app.extensions.setdefault(HUB, Hub())
    return hub


def publish(user_id: int, kind: str, data: dict[str, Any]) -> Event:
    """Tell a person's pages something; see `Hub.publish`."""
    return current().publish(user_id, kind, data)


def subscribe(user_id: int, on_event: OnEvent) -> Callable[[], None]:
    """Tell somebody from now on; see `Hub.subscribe`."""
    return current().subscribe(user_id, on_event)


def since(user_id: int, last_id: int | None, state: Callable[[], dict[str, Any]]) -> list[Event]:
    """Return what happened after an event; see `Hub.since`."""
    return current().since(user_id, last_id, state)


def tell_alarm(change: Change) -> None:
    """Tell all who may see an alarm of a step of it."""
    for user_id in change.audience:
        publish(user_id, "alarm", change.data())
