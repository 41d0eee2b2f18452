"""Steps of alarms as others hear of them, at once: the person's page, those of caregivers, the engine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import current_app

from app.services.alarms import words
from app.services.formatting import capitalise

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """A step that was made, or that an alarm was noticed once more; for pages, and whoever else listens."""

    alarm_id: int
    user_id: int
    kind: str
    before: str
    after: str
    due_s: float | None
    loud_s: float | None  # when the countdown that is heard begins
    times: int
    session_id: int | None
    facts: Mapping[str, Any]
    verdict: str
    why: str
    who: str  # "" : Kinelab
    at_s: float
    audience: tuple[int, ...]  # the accounts that may see it: caregivers only once it was raised

    def data(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "id": self.alarm_id,
            "user": self.user_id,
            "kind": self.kind,
            "title": capitalise(words.kind_of(self.kind, self.facts)),
            "words": words.STATES[self.after],
            "state": self.after,
            "before": self.before,
            "due_s": self.due_s,
            "loud_s": self.loud_s,
            "times": self.times,
            "session": self.session_id,
            "facts": dict(self.facts),
            "verdict": self.verdict,
            "why": self.why,
            "who": self.who,
            "at_s": self.at_s,
        }


Listener = Callable[[Change], None]


def listen(callback: Listener) -> Callable[[], None]:
    """Call somebody after each step, in the thread that made it; return what ends that."""
    listeners = _listeners()
    listeners.append(callback)
    return lambda: listeners.remove(callback) if callback in listeners else None


def _listeners() -> list[Listener]:
    listeners: list[Listener] = current_app.extensions.setdefault("alarm_listeners", [])
    return listeners


def publish(change: Change) -> None:
    """Tell everybody who listens; who fails keeps it from nobody else."""
    for listener in list(_listeners()):
        try:
            listener(change)
        except Exception:
            log.exception("a listener to alarms failed")
