"""A server that is killed at any state of an alarm's life loses none, and tells of none twice."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise

import pytest
from flask import Flask

from app.extensions import db
from app.services.alarms import alarms, sending
from app.tables import Alarm
from tests.conftest import ROOT
from tests.services.alarm_people import add_person, add_target, fresh, notices
from tests.services.killed_alarms import EVENTS, T0, do


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_an_alarm_survives_a_kill_at_every_state_of_its_life(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    lives = [list(EVENTS)[:number] for number in range(1, len(EVENTS) + 1)]
    scenarios = {
        (add_person(f"p{len(events)}{when}"), when): events for events in lives for when in ("before", "after")
    }
    for user_id, _ in scenarios:
        add_target(user_id)
    db.session.remove()
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.services.killed_alarms",
            *(f"{user_id}:{','.join(events)}:{when}" for (user_id, when), events in scenarios.items()),
        ],
        env={**os.environ, "HAR_HOME": str(app.config["HAR_HOME"])},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    sent: list[int] = []
    monkeypatch.setattr(sending, "SEND", {"mail": lambda _, message: sent.append(message.notice_id)})
    for (user_id, when), events in scenarios.items():
        check(user_id, events[: -1 if when == "before" else None], events[-1])
    for now in (T0 + 250, T0 + 350):  # what was only observed asks first
        alarms.tick(now)
    while sending.send_next("mail", lambda: T0 + 350):
        pass
    assert len(sent) == len(set(sent)) == len(notices("sent")) == len(notices())
    for (user_id, _), events in scenarios.items():
        (alarm,) = db.session.query(Alarm).filter_by(user_id=user_id)
        raised = [step for step in alarm.steps if step.after == "raised" and step.before != "raised"]
        assert len(raised) == 1 + ("again" in events)
        assert alarm.state in ("notified", "acknowledged", "closed")


def check(user_id: int, kept: list[str], last: str) -> None:
    """Look at what a killed server left: all that it had done, and nothing of what it had not; then go on."""
    db.session.expire_all()
    found = list(db.session.query(Alarm).filter_by(user_id=user_id))
    assert len(found) == bool(kept)
    if not kept:
        do(last, user_id)  # it is noticed again in the stream's journal
        return
    (alarm,) = found
    # A fall that just began has been kept as observed; the next tick asks
    states = {"notice": {"observed", "pre-alarm"}, "due": {"raised"}, "told": {"notified"},
              "acknowledge": {"acknowledged"}, "again": {"noticed again"}, "due again": {"raised"},
              "close": {"closed"}}  # fmt: skip
    assert alarm.state in states[kept[-1]]
    assert [after for _, after in steps(alarm)][-1] == alarm.state
    assert all(one[1] == other[0] for one, other in pairwise(steps(alarm)))
    if kept[-1] != last:
        do(last, user_id)  # what the killed one was at
        assert fresh(alarm.id).state in states[last]


def steps(alarm: Alarm) -> list[tuple[str, str]]:
    return [(step.before, step.after) for step in alarm.steps]
