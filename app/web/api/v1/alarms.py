"""Alarms: one's own, and those of people who agreed to be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.services.alarms import alarms
from app.services.api.tokens import Scope
from app.web.api.v1 import asked, shapes
from app.web.api.v1.operations import cursor_of, number_of, operation
from app.web.bearer import bearer

if TYPE_CHECKING:
    from app.tables import Alarm

ALARMS = Scope.ALARMS


@operation("GET", "/alarms", ALARMS, shapes.Alarms)
def list_alarms(query: asked.PartQuery) -> shapes.Alarms:
    """List alarms, one's own and those of people who agreed."""
    found = alarms.newest_for(bearer().id, number_of(query.cursor), query.limit)
    return shapes.Alarms([_shown(row) for row in found.items], cursor_of(found.before))


@operation("GET", "/alarms/<int:alarm_id>", ALARMS, shapes.Alarm)
def get_alarm(alarm_id: int) -> shapes.Alarm:
    """Get an alarm with its life."""
    return _shown(alarms.get(bearer().id, alarm_id))


@operation("POST", "/alarms/<int:alarm_id>/cancel", ALARMS, shapes.Alarm)
def cancel_alarm(alarm_id: int, json: asked.Cancelling) -> shapes.Alarm:
    """Say that one is well."""
    return _shown(alarms.cancel(bearer().id, alarm_id, json.verdict, json.why.strip()))


@operation("POST", "/alarms/<int:alarm_id>/acknowledge", ALARMS, shapes.Alarm)
def acknowledge_alarm(alarm_id: int) -> shapes.Alarm:
    """Say that one sees to it."""
    return _shown(alarms.acknowledge(bearer().id, alarm_id))


@operation("POST", "/alarms/<int:alarm_id>/close", ALARMS, shapes.Alarm)
def close_alarm(alarm_id: int, json: asked.Closing) -> shapes.Alarm:
    """Say what it was."""
    return _shown(alarms.close(bearer().id, alarm_id, json.verdict, json.why.strip()))


def _shown(alarm: Alarm) -> shapes.Alarm:
    return shapes.Alarm(
        id=alarm.id,
        person=alarm.user_id,
        kind=alarm.kind,
        state=alarm.state,
        created=alarm.created,
        due=alarm.due,
        times=alarm.times,
        verdict=alarm.verdict,
        session=alarm.session_id,
        facts=alarm.facts,
        steps=[
            shapes.Step(step.at, step.before, step.after, step.who.username if step.who else "", step.why)
            for step in alarm.steps
        ],
    )
