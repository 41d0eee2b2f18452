"""What heart rate is usual for a person in each activity, and when one is beyond it.

It is added up from the person's recordings of the last weeks whose clock is known, live sessions among them that became
recordings: how many minutes their heart was how fast, by what was recognised. A day's effort stays in the heart for a
while: who sits down after a run is not judged as somebody who sits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.har.measures.heart_rate import Usual, nodes_of, usual_by_node
from app.har.vocabulary import STILL
from app.services.alarms import rules
from app.services.alarms.outbox import moment
from app.tables import Prediction, StoredRecording

HISTORY_DAYS = 60
KEPT_S = 600.0
RECOVERY_S = 300.0  # after movement, in which a heart that is faster than usual at rest says nothing

_Kept = dict[int, tuple[float, dict[str, Usual]]]


@dataclass(frozen=True)
class Bounds:
    """Within what a heart rate is usual, and in which activity."""

    node: str
    low: float
    high: float
    usual: Usual


def of(user_id: int, now: float) -> Mapping[str, Usual]:
    """Return what is usual for a person, by node of the vocabulary; read every ten minutes."""
    kept: _Kept = current_app.extensions.setdefault("alarm_usual_hearts", {})
    read_at, found = kept.get(user_id, (-KEPT_S, {}))
    if time.monotonic() - read_at >= KEPT_S:
        found = _read(user_id, now)
        kept[user_id] = time.monotonic(), found
    return found


def forget(user_id: int) -> None:
    """Read anew what is usual for a person, or nothing of one who is erased."""
    current_app.extensions.get("alarm_usual_hearts", {}).pop(user_id, None)


def _read(user_id: int, now: float) -> dict[str, Usual]:
    stored = (
        select(StoredRecording.id, StoredRecording.recorded, Prediction.summary["minutes_per_heart_rate"])
        .join(Prediction, Prediction.recording_id == StoredRecording.id)
        .where(StoredRecording.user_id == user_id, StoredRecording.recorded >= moment(now - 86_400 * HISTORY_DAYS))
        .order_by(Prediction.id)
    )
    latest = {number: (recorded, minutes) for number, recorded, minutes in db.session.execute(stored)}
    return usual_by_node(
        (rules.local(user_id, recorded.timestamp()).date(), minutes) for recorded, minutes in latest.values() if minutes
    )


def bounds_of(user_id: int, answer: str, rule: rules.Rule, since_moved_s: float, now: float) -> Bounds | None:
    """Return the person's own bounds for what they do, by the deepest node of which enough is known; None without.

    At rest there is a lowest one too: a heart takes its time to follow when movement begins.

    Parameters
    ----------
    since_moved_s : how long the person has not been seen to move.
    """
    nodes = nodes_of(answer)
    at_rest = STILL in nodes
    if at_rest and since_moved_s < RECOVERY_S:
        return None
    known = of(user_id, now)
    for node in nodes:
        if node in known and known[node].days >= rule.number("own_days"):
            beyond = rule.number("beyond")
            return Bounds(node, known[node].low - beyond if at_rest else 0.0, known[node].high + beyond, known[node])
    return None
