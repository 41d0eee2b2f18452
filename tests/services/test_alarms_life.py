"""The life of an alarm: its table, and any sequence of events and times."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from app.extensions import db
from app.services.alarms import alarms, life
from app.services.alarms.life import CLOSED, FALL, HEALTH, KINDS, OPEN, SILENT, STATES, TABLE, Event, Party
from app.services.errors import ServiceError
from app.tables import Alarm, AlarmStep, Role
from tests.services.alarm_people import T0, add_person, agree

OFTEN = st.sampled_from((*KINDS, *[FALL] * 6))


def test_of_each_kind_state_and_event_there_is_one_transition() -> None:
    places = Counter((kind, row.before, row.event) for row in TABLE for kind in row.kinds)
    assert {place for place, times in places.items() if times > 1} == set()
    assert {row.after for row in TABLE} | {row.before for row in TABLE} == {"", *STATES}


def test_nothing_but_a_person_closes_what_was_raised() -> None:
    closing = [row for row in TABLE if row.after == CLOSED and row.before in OPEN and row.kinds != {SILENT}]
    assert closing
    assert all(Party.KINELAB not in row.by for row in closing)


def test_time_alone_closes_nothing() -> None:
    assert [row for row in TABLE if row.event is Event.DUE and row.after == CLOSED] == []


def test_every_state_of_every_kind_can_be_reached_and_leads_to_its_end() -> None:
    for kind in KINDS:
        rows = [row for row in TABLE if kind in row.kinds]
        reached, ends = {""}, {CLOSED}
        for _ in STATES:
            reached |= {row.after for row in rows if row.before in reached}
            ends |= {row.before for row in rows if row.after in ends}
        assert reached == {row.before for row in rows} | {row.after for row in rows}, kind
        assert reached <= ends, kind


def test_a_caregiver_cannot_cancel_and_kinelab_cannot_acknowledge() -> None:
    for kind in KINDS:
        for state in STATES:
            assert Event.CANCELLED not in life.events_of(kind, state, Party.CAREGIVER)
            assert Event.ACKNOWLEDGED not in life.events_of(kind, state, Party.KINELAB)


def test_each_countdown_has_a_time_and_can_be_stopped_by_the_person() -> None:
    for row in TABLE:
        if row.after in life.COUNTING:
            assert row.wait
            for kind in row.kinds:
                assert life.transition(kind, row.after, Event.CANCELLED, Party.PERSON)


class Lives(RuleBasedStateMachine):
    """Anything that can happen to the alarms of one person, at any time, clocks that are set included."""

    number = 0

    @initialize()
    def begin(self) -> None:
        Lives.number += 1
        self.now = self.steady = T0
        self.person = add_person(f"person{Lives.number}")
        self.caregiver = add_person(f"caregiver{Lives.number}", Role.CAREGIVER)
        self.stranger = add_person(f"stranger{Lives.number}", Role.CAREGIVER)
        agree(self.person, self.caregiver)
        self.raised: set[int] = set()
        self.by_people: set[int] = set()

    def alarm(self, kind: str) -> Alarm | None:
        found = [alarm for alarm in alarms.live_of(self.person) if alarm.kind == kind]
        assert len(found) <= 1
        return found[0] if found else None

    @rule(kind=OFTEN, score=st.floats(0, 1))
    def notice(self, kind: str, score: float) -> None:
        before = self.alarm(kind)
        times = before.times if before else 0
        alarm = alarms.notice(self.person, kind, {"time_s": self.now - 4, "score": score}, now=self.now)
        assert alarm is not None
        assert alarm.times == times + 1
        assert before is None or before.id == alarm.id

    @rule(
        passed=st.sampled_from((1.0, 30.0, 95.0, 4000.0)), set_by=st.sampled_from((0.0, 0.0, 0.0, 0.0, 3600.0, -3600.0))
    )
    def time_passes(self, passed: float, set_by: float) -> None:
        self.steady += passed
        self.now += passed + set_by
        alarms.tick(self.now, self.steady)

    @rule(kind=OFTEN)
    def send(self, kind: str) -> None:
        if (alarm := self.alarm(kind)) is not None:
            alarms.told(alarm.steps[-1].id, self.now)

    @rule()
    def walk(self) -> None:
        alarms.steps(self.person, self.now)

    @rule(kind=OFTEN)
    def pass_by(self, kind: str) -> None:
        alarms.gone(self.person, kind, "gone", self.now)

    @rule(
        kind=OFTEN,
        who=st.sampled_from(("person", "caregiver", "stranger")),
        what=st.sampled_from(("cancel", "acknowledge", "close")),
        verdict=st.sampled_from(("true", "false")),
    )
    def answer(self, kind: str, who: str, what: str, verdict: str) -> None:
        if (alarm := self.alarm(kind)) is None:
            return
        number, before, who_id = alarm.id, alarm.state, getattr(self, who)
        try:
            if what == "acknowledge":
                after = alarms.acknowledge(who_id, number, self.now)
            else:
                after = getattr(alarms, what)(who_id, number, verdict, now=self.now)
        except ServiceError:
            db.session.expire_all()
            assert db.session.get_one(Alarm, number).state == before
            return
        assert who != "stranger"
        assert what != "cancel" or who == "person"
        assert after.state != before
        if after.state == CLOSED:
            assert after.verdict == verdict
            self.by_people.add(number)

    @precondition(lambda self: hasattr(self, "raised"))
    @invariant()
    def what_was_raised_is_there_until_somebody_closes_it(self) -> None:
        db.session.expire_all()
        for alarm in db.session.scalars(select(Alarm).where(Alarm.user_id == self.person)):
            if alarm.state in OPEN and alarm.kind != SILENT:
                self.raised.add(alarm.id)
            if alarm.id in self.raised and alarm.state == CLOSED:
                assert alarm.id in self.by_people
            if alarm.state in life.COUNTING:
                assert alarm.due is not None
                assert alarm.due.timestamp() <= self.now + 600.001
        assert self.raised <= set(db.session.scalars(select(Alarm.id)))

    @precondition(lambda self: hasattr(self, "raised"))
    @invariant()
    def each_step_is_kept_and_in_the_table(self) -> None:
        for alarm in db.session.scalars(select(Alarm).where(Alarm.user_id == self.person)):
            steps = [(step.before, step.after, step.why) for step in alarm.steps]
            assert steps[0][0] == ""
            assert steps[-1][1] == alarm.state
            assert all(one[1] == other[0] for one, other in pairwise(steps))
            assert all(
                why and any(row.before == before and row.after == after and alarm.kind in row.kinds for row in TABLE)
                for before, after, why in steps
            )
            assert alarm.kind in HEALTH or alarm.state not in life.COUNTING
        assert db.session.scalar(select(AlarmStep.id).where(AlarmStep.before == CLOSED)) is None


def test_whatever_happens_one_alarm_of_a_kind_is_live_and_none_that_was_raised_is_lost(app: Flask) -> None:
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=8,
            phases=(Phase.generate,),
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert {"observed", "raised", "closed"} <= set(db.session.scalars(select(AlarmStep.after)))  # it did happen


def test_a_fall_asks_at_once_and_is_raised_after_the_countdown(app: Flask) -> None:
    person = add_person("ada")
    seen: list[tuple[str, str]] = []
    stop = alarms.listen(lambda change: seen.append((change.before, change.after)))
    alarm = alarms.notice(person, FALL, {"time_s": T0 - 4, "score": 0.8}, now=T0)
    assert alarm is not None
    assert alarm.state == "pre-alarm"
    assert alarms.loud_s(alarm) == T0 + 60
    alarms.tick(T0 + 89)
    assert alarm.state == "pre-alarm"
    alarms.tick(T0 + 90)
    stop()
    assert seen == [("", "observed"), ("observed", "pre-alarm"), ("pre-alarm", "raised")]
