"""What a person's phone asks its wearer: whether they are well, while an alarm counts down.

Each batch is answered with it, so that it is kept in memory and follows the steps of alarms.
"""

from __future__ import annotations

from typing import Any

from flask import current_app

from app.services.alarms import alarms, life
from app.services.alarms.changes import Change

ASKING = "live_asking"  # in `app.extensions`: the open alarms of persons, by their kinds
TOLD = ("id", "kind", "state", "due_s", "loud_s")


def take(change: Change) -> None:
    """Keep a step of an alarm."""
    known = _known().get(change.user_id)
    if known is None:
        return  # it is looked up when somebody asks
    if change.after == life.CLOSED:
        known.pop(change.kind, None)
    else:
        known[change.kind] = change.data()


def of(user_id: int) -> dict[str, Any] | None:
    """Return the alarm that a person is to be asked about: one that counts down, a fall before all others.

    A fall is told until it is closed. None where there is nothing to ask.
    """
    everybody = _known()
    if (known := everybody.get(user_id)) is None:
        known = {alarm.kind: alarms.as_change(alarm).data() for alarm in alarms.live_of(user_id)}
        everybody[user_id] = known
    if (fall := known.get(life.FALL)) is not None:
        return _told(fall)
    return next((_told(each) for each in known.values() if each["state"] in life.COUNTING), None)


def fine(user_id: int) -> bool:
    """Cancel whatever counts down, as a person says on the phone that they are well; return whether there was any."""
    counting = [alarm for alarm in alarms.live_of(user_id) if alarm.state in life.COUNTING]
    for alarm in counting:
        alarms.cancel(user_id, alarm.id, why="“I am fine”, on the phone")
    return bool(counting)


def _known() -> dict[int, dict[str, dict[str, Any]]]:
    known: dict[int, dict[str, dict[str, Any]]] = current_app.extensions.setdefault(ASKING, {})
    return known


def _told(data: dict[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in TOLD}
