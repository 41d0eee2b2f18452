"""What kinds and states of alarms are called, on pages and in messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.services.alarms import life

HONESTY = "Kinelab is research software, not a medical device. Nobody promises that an alarm is right or arrives."
KINDS: Mapping[str, str] = {
    life.FALL: "possible fall",
    life.INACTIVITY: "long stillness",
    life.UNUSUAL: "unusual day",
    life.HEART_RATE: "unusual heart rate",
    life.SILENT: "device silent or low on battery",
}
STATES: Mapping[str, str] = {
    life.OBSERVED: "noticed",
    life.PRE_ALARM: "counting down",
    life.RAISED: "raised",
    life.NOTIFIED: "raised, a message was sent",
    life.ACKNOWLEDGED: "acknowledged",
    life.AGAIN: "noticed again, counting down",
    life.CLOSED: "closed",
}
VERDICTS: Mapping[str, str] = {life.TRUE: "it was true", life.FALSE: "a false alarm", life.UNSAID: "nobody said"}


def kind_of(kind: str, facts: Mapping[str, Any]) -> str:
    """Name what was noticed, a fault by its reason."""
    if kind == life.SILENT:
        reasons = {"silent": "device silent", "battery": "battery low"}
        return reasons.get(str(facts.get("reason")), KINDS[kind])
    return KINDS.get(kind, kind)
