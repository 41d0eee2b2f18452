"""Countdowns when the clock on the wall is set: they take as long as they say."""

from __future__ import annotations

import logging

from flask import current_app
from sqlalchemy import select, update

from app.extensions import db
from app.services.alarms import life, outbox, rules
from app.services.alarms.life import Wait
from app.services.alarms.outbox import moment
from app.services.transaction import rows_changed, transaction
from app.tables import Alarm, Notice

log = logging.getLogger(__name__)

JUMP_S = 2.0  # by more, a clock was set: it did not drift


def follow(at: float, steady: float, wait_s: float) -> None:
    """Move due times along with a clock that was set."""
    before: tuple[float, float] | None = current_app.extensions.get("alarm_clock")
    if before is not None and abs(jump := (at - before[0]) - (steady - before[1])) > JUMP_S:
        log.warning("the clock was set by %+.0f s: what is due moves along", jump)
        with transaction(wait_s) as session:
            live = select(Alarm).where(Alarm.state != life.CLOSED, Alarm.due.is_not(None))
            for alarm in session.scalars(live.execution_options(populate_existing=True)):
                alarm.due = moment(alarm.due.timestamp() + jump) if alarm.due else None
            waiting = select(Notice).where(Notice.state == outbox.WAITING, Notice.tries > 0)
            for each in session.scalars(waiting.execution_options(populate_existing=True)):
                each.due = moment(each.due.timestamp() + jump) if each.due else None
    current_app.extensions["alarm_clock"] = at, steady


def shorten(at: float, wait_s: float) -> None:
    """Let no countdown take longer than its rule says, if the clock was put back while no server ran."""
    counting = select(Alarm.id, Alarm.user_id, Alarm.kind, Alarm.state, Alarm.due)
    for row in db.session.execute(counting.where(Alarm.state.in_(life.COUNTING), Alarm.due > moment(at))).all():
        wait = Wait.SETTLE if row.state == life.OBSERVED else Wait.COUNTDOWN
        latest = moment(at + rules.of(row.user_id, row.kind).wait_s(wait))
        if row.due > latest:
            with transaction(wait_s):
                rows_changed(
                    update(Alarm)
                    .where(Alarm.id == row.id, Alarm.state == row.state, Alarm.due == row.due)
                    .values(due=latest)
                    .execution_options(synchronize_session=False)
                )
