"""Alarms of people: who may do what, what is noticed from what is recognised, rules, and what false alarms change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.extensions import db
from app.services import audit_reading
from app.services.alarms import alarms, false_alarms, life, rules, unusual, watching
from app.services.alarms.false_alarms import personal_threshold
from app.services.alarms.watching import Seen
from app.services.audit_reading import AuditQuery
from app.services.errors import Conflict, Invalid, NotFound, ServiceError
from app.services.transaction import transaction
from app.tables import Alarm, AlarmStep, Device, LiveSession, Prediction, Role, StoredRecording, User
from app.web.alarms.words import noticed_of
from tests import homes
from tests.services.alarm_people import T0, add_person, agree, fall, fresh, notices, raised

NOON = T0 + 4 * 3600  # UTC


@dataclass(frozen=True)
class Candidate:
    time_s: float
    peak_g: float = 3.1
    score: float = 0.7
    method: str = "threshold"


@pytest.fixture
def person(app: Flask) -> int:
    person = add_person("ursula")
    rules.change(person, rules.QUIET, False, {"zone": "UTC"})
    return person


@pytest.fixture
def carla(person: int) -> int:
    carla = add_person("carla", Role.CAREGIVER)
    agree(person, carla)
    return carla


def add_session(user_id: int, started: float = T0, device: int | None = None, **facts: object) -> int:
    """Open a session, of a device of its own or of the same as another session."""
    with transaction() as session:
        number = session.scalar(select(func.count()).select_from(LiveSession))
        if device is None:
            own = Device(user_id=user_id, name="phone", token_hash=f"{number}")
            session.add(own)
            session.flush()
        else:
            own = session.get_one(LiveSession, device).device
        at = datetime.fromtimestamp(started, timezone.utc)
        live = LiveSession(
            device_id=own.id, user_id=user_id, key=f"k{number}", folder=f"f{number}", keeps=False, started=at,
            last_heard=at, facts=facts,
        )  # fmt: skip
        session.add(live)
        session.flush()
        return live.id


def live(user_id: int, kind: str) -> Alarm | None:
    db.session.expire_all()
    return next((alarm for alarm in alarms.live_of(user_id) if alarm.kind == kind), None)


def do(user_id: int, session: int, answer: str, seconds: float, since: float, step: float = 1.0, **more: bool) -> float:
    """Do something for a while; return when it ended."""
    now = since
    while now < since + seconds:
        now += step
        watching.on_windows(user_id, session, [Seen(now - max(3, step), now, answer, answer, 0.9, **more)], now)
    return now


def restart(app: Flask) -> None:
    """Forget what only a process knows."""
    for name in [name for name in app.extensions if name.startswith("alarm_")]:
        del app.extensions[name]
    db.session.remove()


# --- who may do what


def test_a_caregiver_sees_an_alarm_once_it_is_raised_and_a_stranger_never(person: int, carla: int) -> None:
    eve = add_person("eve", Role.CAREGIVER)
    boss = add_person("boss", Role.ADMIN)
    alarm = fall(person, T0 - 90)
    heard: list[tuple[int, ...]] = []
    alarms.listen(lambda change: heard.append(change.audience))
    for viewer in (carla, eve, boss):
        with pytest.raises(NotFound):
            alarms.get(viewer, alarm.id)
    assert alarms.live_for(carla) == []
    alarms.tick(T0)
    assert heard == [(person, carla)]
    assert alarms.get(carla, alarm.id).state == "raised"
    assert alarms.live_for(carla) == alarms.history(carla, person) == [alarm]
    for viewer in (eve, boss):
        with pytest.raises(NotFound):
            alarms.acknowledge(viewer, alarm.id)
        with pytest.raises(NotFound):
            alarms.history(viewer, person)


def test_two_clicks_acknowledge_once_and_steps_say_who_when_and_why(person: int, carla: int) -> None:
    alarm = raised(person)
    alarms.acknowledge(carla, alarm.id, T0 + 10)
    with pytest.raises(Conflict, match="acknowledged"):
        alarms.acknowledge(carla, alarm.id, T0 + 11)
    alarms.close(carla, alarm.id, "true", "she was on the floor", T0 + 60)
    with pytest.raises(Conflict, match="closed"):
        alarms.close(carla, alarm.id, "false", now=T0 + 61)
    found = fresh(alarm.id)
    assert found.verdict == "true"
    assert found.due is None
    assert [(step.after, step.who_id, step.at.timestamp() - T0, step.why) for step in found.steps[-2:]] == [
        ("acknowledged", carla, 10, "acknowledged"),
        ("closed", carla, 60, "she was on the floor"),
    ]
    lines = [line["action"] for line in audit_reading.find(AuditQuery())[0].items]
    assert lines.count("alarm acknowledged") == lines.count("alarm closed") == 1


def test_of_many_threads_one_acknowledges(app: Flask, person: int) -> None:
    alarm = raised(person)
    together, won = threading.Barrier(4), []

    def click() -> None:
        with app.app_context():
            together.wait()
            with suppress(Conflict):
                won.append(alarms.acknowledge(person, alarm.id, T0 + 1).id)

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [alarm.id]
    assert [step.after for step in fresh(alarm.id).steps].count("acknowledged") == 1


def test_of_many_threads_that_notice_the_same_there_is_one_alarm(app: Flask, person: int) -> None:
    together = threading.Barrier(4)

    def work() -> None:
        with app.app_context():
            together.wait()
            alarms.notice(person, "fall", {"time_s": T0 - 4}, now=T0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alarm = live(person, "fall")
    assert alarm is not None
    assert alarm.times == 4
    assert db.session.scalar(select(func.count()).select_from(AlarmStep)) == 2


def test_a_fault_mutes_no_fall_and_a_fall_no_fault(person: int) -> None:
    alarms.notice(person, "silent", {"reason": "silent"}, now=T0)
    alarm = raised(person, T0 + 100)
    alarms.gone(person, "silent", "heard again", T0 + 101)
    assert live(person, "silent") is None
    assert fresh(alarm.id).state == "raised"
    alarms.notice(person, "silent", {"reason": "battery"}, now=T0 + 102)
    assert {found.kind for found in alarms.live_of(person)} == {"fall", "silent"}


def test_a_second_fall_while_the_first_is_seen_to_is_told_of_again(person: int, carla: int) -> None:
    alarm = raised(person)
    alarms.acknowledge(carla, alarm.id, T0 + 10)
    assert fall(person, T0 + 1000).id == alarm.id
    assert fresh(alarm.id).state == "noticed again"
    alarms.tick(T0 + 1090)
    assert fresh(alarm.id).state == "raised"
    assert fresh(alarm.id).times == 2


def test_what_is_switched_off_is_not_noticed(person: int) -> None:
    rules.change(person, "fall", False, {})
    assert alarms.notice(person, "fall", {}, now=T0) is None
    assert alarms.live_of(person) == []


@pytest.mark.parametrize("verdict", ["", "maybe"])
def test_an_alarm_is_closed_as_true_or_as_false(person: int, verdict: str) -> None:
    alarm = raised(person)
    with pytest.raises(Invalid, match="'true', 'false'; found"):
        alarms.close(person, alarm.id, verdict)


# --- clocks that jump


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_countdown_takes_as_long_as_it_says_when_the_clock_is_set(person: int, jump: float) -> None:
    alarms.tick(T0, steady=50.0)
    alarm = fall(person, T0)
    alarms.tick(T0 + 30 + jump, steady=80.0)
    assert fresh(alarm.id).state == "pre-alarm"
    alarms.tick(T0 + 89 + jump, steady=139.0)
    assert fresh(alarm.id).state == "pre-alarm"
    alarms.tick(T0 + 91 + jump, steady=141.0)
    assert fresh(alarm.id).state == "raised"


def test_a_clock_that_was_put_back_while_no_server_ran_delays_a_fall_by_no_more_than_its_countdown(person: int) -> None:
    alarm = fall(person, T0)
    alarms.tick(T0 - 86_400)
    alarms.tick(T0 - 86_400 + 90)
    assert fresh(alarm.id).state == "raised"


def test_a_device_whose_clock_is_wrong_delays_no_question(person: int) -> None:
    for wrong in (-1e9, 1e9):
        alarm = alarms.notice(person, "fall", {"time_s": T0 + wrong}, now=T0)
        assert alarm is not None
        alarms.tick(T0 + 3)
        assert fresh(alarm.id).state == "pre-alarm"
        alarms.cancel(person, alarm.id, now=T0 + 4)


@pytest.mark.parametrize("ahead_s", [-7200.0, 0.0, 7200.0])
def test_a_person_is_asked_as_soon_as_a_fall_is_found_however_the_clock_of_the_device_stands(
    person: int, ahead_s: float
) -> None:
    watching.on_fall(person, None, Candidate(T0 + ahead_s), T0 + 4, ago_s=3.4)
    alarm = live(person, "fall")
    assert alarm is not None
    assert alarm.state == "pre-alarm"


# --- falls and steps


def test_regular_steps_after_a_fall_end_it(person: int) -> None:
    watching.on_fall(person, None, Candidate(T0), T0 + 4)
    do(person, 1, "Walking", 15, T0 + 10)
    (alarm,) = db.session.scalars(select(Alarm))
    assert (alarm.state, alarm.verdict) == ("closed", "")
    assert alarm.steps[-1].why == "regular steps"


@pytest.mark.parametrize("answer", ["Lying", "Standing", "Uncertain", "Unfamiliar", "Other movement"])
def test_nothing_but_steps_does(person: int, answer: str) -> None:
    do(person, 1, "Walking", 20, T0 - 17)  # to the moment of the impact
    watching.on_fall(person, None, Candidate(T0), T0 + 4)
    for second in range(10, 90, 20):
        do(person, 1, "Walking", 5, T0 + second)  # for too short
        do(person, 1, answer, 15, T0 + second + 5)
    watching.tick(T0 + 94)
    assert [alarm.state for alarm in alarms.live_of(person)] == ["raised"]
    do(person, 1, "Walking", 60, T0 + 100)
    assert [alarm.state for alarm in alarms.live_of(person)] == ["raised"]  # it is latched


def test_steps_end_a_fall_that_a_server_before_this_one_noticed(app: Flask, person: int) -> None:
    watching.on_fall(person, None, Candidate(T0), T0 + 4)
    restart(app)
    do(person, 1, "On foot", 15, T0 + 10)
    assert live(person, "fall") is None


def test_what_cannot_be_kept_now_is_kept_as_soon_as_it_can(app: Flask, person: int) -> None:
    with homes.writing_elsewhere():
        watching.on_fall(person, None, Candidate(T0), T0 + 4)
        assert alarms.live_of(person) == []
    watching.tick(T0 + 10)
    alarm = live(person, "fall")
    assert alarm is not None
    assert alarm.created.timestamp() == T0 + 4


# --- false alarms

SCORES = st.floats(0.5, 1)
# A machine that has much to do is no fault of what is tested
CALM: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
ANSWERS = st.lists(st.tuples(SCORES, st.sampled_from((life.TRUE, life.FALSE, life.UNSAID))), max_size=30)


@settings(**CALM)
@given(ANSWERS, SCORES)
def test_another_false_alarm_never_lowers_the_threshold_and_another_true_one_never_raises_it(
    answers: list[tuple[float, str]], score: float
) -> None:
    now = personal_threshold(0.5, answers)
    assert personal_threshold(0.5, [*answers, (score, life.FALSE)]) >= now
    assert personal_threshold(0.5, [*answers, (score, life.TRUE)]) <= now


@settings(**CALM)
@given(ANSWERS, st.floats(0, 0.99))
def test_no_threshold_would_miss_a_fall_that_was_true(answers: list[tuple[float, str]], base: float) -> None:
    threshold = personal_threshold(base, answers)
    assert all(score >= threshold for score, verdict in answers if verdict == life.TRUE)
    assert min([base, *(score for score, verdict in answers if verdict == life.TRUE)]) <= threshold
    assert threshold <= base + 0.5 * (1 - base)


@settings(**CALM)
@given(SCORES, st.integers(1, 30))
def test_movements_like_a_false_alarm_stop_unless_they_score_as_high_as_falls(score: float, times: int) -> None:
    threshold = personal_threshold(0.5, [(score, life.FALSE)] * times)
    assert threshold <= max(score, 0.5)
    if times >= 3 and 0.6 < score < 0.7:
        assert score - threshold < (score - 0.5) / 3


def test_answers_count_and_raise_the_threshold_of_this_person_alone(person: int) -> None:
    other = add_person("bob")
    for number in range(6):
        alarm = fall(person, T0 + 1000 * number, score=0.6)
        alarms.cancel(person, alarm.id, "false", now=T0 + 1000 * number + 5)
    answers = false_alarms.of(person, "threshold", 0.5)
    assert (answers.false, answers.true) == (6, 0)
    assert 0.58 < answers.threshold < 0.6
    assert watching.fall_threshold(other, "threshold", 0.5) == watching.fall_threshold(person, "trained", 0.5) == 0.5
    alarm = raised(person, T0 + 50_000)
    alarms.close(person, alarm.id, "true", now=T0 + 50_001)
    assert false_alarms.of(person, "threshold", 0.5).true == 1
    assert not watching.on_fall(person, None, Candidate(T0 + 60_000, score=0.57), T0 + 60_004)
    assert watching.on_fall(person, None, Candidate(T0 + 60_000, score=0.6), T0 + 60_004)
    assert watching.on_fall(other, None, Candidate(T0 + 60_000, score=0.57), T0 + 60_004)


def test_one_false_alarm_of_a_high_score_does_not_make_a_detector_deaf(person: int) -> None:
    watching.fall_threshold(person, "threshold", 0.5)
    alarm = fall(person, T0, score=0.95)
    alarms.cancel(person, alarm.id, "false", now=T0 + 5)
    assert watching.on_fall(person, None, Candidate(T0 + 60, score=0.66), T0 + 64)


def test_what_is_remembered_of_a_deleted_account_goes(person: int) -> None:
    do(person, add_session(person), "Sitting", 100, NOON)
    watching.tick(NOON + 200)
    assert f'"{person}"' in watching._file().read_text()
    with transaction() as session:
        session.delete(session.get_one(User, person))
    watching.tick(NOON + 300)
    assert f'"{person}"' not in watching._file().read_text()


# --- stillness


def minutes(rule: str) -> float:
    return 60 * float(rules.default("inactivity").values[rule])


def test_a_long_stillness_is_noticed_and_movement_ends_it(person: int) -> None:
    session = add_session(person)
    end = do(person, session, "Sitting", minutes("afternoon_min") - 60, NOON, step=5)
    assert live(person, "inactivity") is None
    end = do(person, session, "Sitting or lying", 120, end, step=5)
    alarm = live(person, "inactivity")
    assert alarm is not None
    assert alarm.state == "pre-alarm"
    assert 0 <= alarm.facts["still_s"] - minutes("afternoon_min") < 5
    do(person, session, "Walking", 20, end)
    assert live(person, "inactivity") is None
    assert fresh(alarm.id).steps[-1].why == "the person moves"


@pytest.mark.parametrize(
    ("answer", "since", "more"),
    [
        ("Lying", T0 + 15 * 3600, {}),  # asleep, at 23:00
        ("Not worn", NOON, {}),
        ("Sitting", NOON, {"unworn": True}),
        ("Uncertain", NOON, {}),
        ("Walking", NOON, {}),
    ],
)
def test_sleep_a_device_that_is_not_worn_and_movement_are_no_stillness(
    person: int, answer: str, since: float, more: dict[str, bool]
) -> None:
    do(person, add_session(person), answer, 2 * minutes("evening_min"), since, step=5, **more)
    assert alarms.live_of(person) == []


def test_a_window_of_movement_by_mistake_ends_no_stillness(person: int) -> None:
    session, now = add_session(person), NOON
    for _ in range(25):
        now = do(person, session, "Sitting", 295, now, step=5)
        now = do(person, session, "Walking", 3, now)
    assert live(person, "inactivity") is not None


def test_a_stillness_begins_when_a_walk_ends_however_long_that_was(person: int) -> None:
    session = add_session(person)
    now = do(person, session, "Walking", 3600, NOON, step=5)
    do(person, session, "Sitting", minutes("afternoon_min") + 20, now, step=5)
    assert live(person, "inactivity") is not None


def test_two_devices_do_not_make_a_stillness_twice_as_long_and_either_ends_it(person: int) -> None:
    phone, watch, now = add_session(person), add_session(person), NOON
    while now < NOON + 0.9 * minutes("afternoon_min"):
        now = do(person, phone, "Sitting", 5, now, step=5)
        do(person, watch, "Sitting", 5, now - 5, step=5)
    assert live(person, "inactivity") is None
    now = do(person, watch, "Walking", 15, now)
    do(person, phone, "Sitting", 0.5 * minutes("afternoon_min"), now, step=5)
    assert live(person, "inactivity") is None


def test_a_stillness_goes_on_after_a_restart_and_windows_of_before_do_not_count_again(app: Flask, person: int) -> None:
    session = add_session(person)
    end = do(person, session, "Sitting", minutes("afternoon_min") - 60, NOON, step=5)
    watching.tick(end + watching.SAVED_S)
    restart(app)
    do(person, session, "Sitting", 120, end - 120, step=5)  # the tail of the journal
    assert live(person, "inactivity") is None
    do(person, session, "Sitting", 61, end, step=5)
    assert live(person, "inactivity") is not None


# --- heart rate


@pytest.mark.parametrize(
    ("bpm", "activity", "noticed"),
    [(130, "Sitting", True), (130, "Walking", False), (175, "Walking", True), (175, "Running", False),
     (35, "Lying", True), (195, "Cycling", True), (300, "Sitting", False), (70, "Sitting", False),
     (130, "Uncertain", False)],
)  # fmt: skip
def test_a_heart_rate_is_judged_by_what_the_person_does(person: int, bpm: float, activity: str, noticed: bool) -> None:
    session = add_session(person)
    for second in range(0, 121, 10):
        assert live(person, "heart_rate") is None
        watching.on_heart_rate(person, session, bpm, activity, T0 + second)
    assert (live(person, "heart_rate") is not None) == noticed


def test_a_heart_rate_that_is_back_or_was_not_heard_meanwhile_is_not_held(person: int) -> None:
    session = add_session(person)
    for second, bpm in ((0, 130), (60, 130), (110, 80), (115, 130), (200, 130), (500, 130), (590, 130)):
        watching.on_heart_rate(person, session, bpm, "Sitting", T0 + second)
    assert live(person, "heart_rate") is None
    watching.on_heart_rate(person, session, 130, "Sitting", T0 + 620)
    assert live(person, "heart_rate") is not None
    watching.on_heart_rate(person, session, 80, "Sitting", T0 + 630)
    assert live(person, "heart_rate") is None


def add_heart(user_id: int, days: int, minutes: dict[str, dict[str, float]]) -> None:
    """Give a person a recording a day, up to yesterday, of which is known how fast their heart was in what."""
    with transaction() as session:
        for day in range(1, days + 1):
            at = datetime.fromtimestamp(T0 - 86_400 * day, timezone.utc)
            own = StoredRecording(user_id=user_id, filename="day.csv", folder=f"r{day}", facts={}, recorded=at)
            summary = {"minutes_per_heart_rate": minutes}
            session.add(Prediction(recording=own, model_label="m", summary=summary))


AT_REST = {"Sitting": {"60": 20.0, "65": 20.0, "70": 10.0}, "Walking": {"95": 20.0, "100": 5.0}}


@pytest.mark.parametrize(
    ("days", "bpm", "answer", "usual"),
    [(3, 105, "Sitting", "Sitting"), (2, 105, "Sitting", None), (3, 90, "Sitting", None), (3, 70, "Walking", None),
     (3, 130, "Stairs up", "On foot"), (3, 105, "Lying", "Sitting or lying"), (3, 105, "Uncertain", None)],
)  # fmt: skip
def test_a_heart_rate_is_judged_by_what_is_usual_for_the_person_in_it(
    person: int, days: int, bpm: float, answer: str, usual: str | None
) -> None:
    add_heart(person, days, AT_REST)
    session = add_session(person)
    for second in range(0, 121, 20):
        watching.on_heart_rate(person, session, bpm, answer, T0 + second, answer)
    alarm = live(person, "heart_rate")
    assert (alarm.facts["activity"] if alarm else None) == usual
    if alarm and usual == "Sitting":
        assert (alarm.facts["usual"], alarm.facts["days"]) == ([60.6, 73.8], 3)
        assert noticed_of(alarm) == "105 beats a minute; you usually have 61 to 74 at “Sitting”, by 3 days."


def test_who_has_just_moved_is_not_judged_as_at_rest(person: int) -> None:
    add_heart(person, 3, AT_REST)
    session = add_session(person)
    now = do(person, session, "Walking", 15, T0)
    for since in (0, 280):  # the second begins when movement is nearly five minutes ago
        for second in range(since, since + 121, 20):
            watching.on_heart_rate(person, session, 105, "Sitting", now + second, "Sitting")
        assert live(person, "heart_rate") is None
    watching.on_heart_rate(person, session, 105, "Sitting", now + 421, "Sitting")
    assert live(person, "heart_rate") is not None


def test_a_restart_does_not_forget_that_somebody_has_just_moved(app: Flask, person: int) -> None:
    add_heart(person, 3, AT_REST)
    session = add_session(person)
    now = do(person, session, "Walking", 15, T0)
    watching.tick(now + watching.SAVED_S)
    restart(app)
    for second in range(60, 181, 20):
        watching.on_heart_rate(person, session, 105, "Sitting", now + second, "Sitting")
    assert live(person, "heart_rate") is None


# --- devices


def test_a_device_that_is_silent_is_a_fault_until_it_is_heard(app: Flask, person: int) -> None:
    session = add_session(person)
    watching.tick(T0)
    watching.on_device(person, session, T0, None, T0 + 299)
    assert live(person, "silent") is None
    watching.on_device(person, session, T0, None, T0 + 300)
    alarm = live(person, "silent")
    assert alarm is not None
    assert (alarm.state, alarm.facts["reason"]) == ("raised", "silent")
    watching.on_device(person, session, T0, None, T0 + 305)
    assert fresh(alarm.id).times == 1
    restart(app)
    watching.on_device(person, session, T0, None, T0 + 360)
    watching.on_ended(person, session, T0 + 370)  # the engine ends what is silent for long
    assert fresh(alarm.id).state == "raised"
    again = add_session(person, device=session)
    watching.on_device(person, again, T0 + 400, None, T0 + 401)
    assert fresh(alarm.id).state == "closed"


def test_a_server_that_was_away_and_a_clock_that_is_set_make_no_device_silent(app: Flask, person: int) -> None:
    session = add_session(person)
    watching.tick(T0, 10.0)
    watching.tick(T0 + 3601, 11.0)
    watching.on_device(person, session, T0 + 1, None, T0 + 3602)
    restart(app)
    watching.on_device(person, session, T0 + 1, None, T0 + 9000)
    assert live(person, "silent") is None
    watching.on_device(person, session, T0 + 1, None, T0 + 9300)
    assert live(person, "silent") is not None


def test_of_two_devices_the_one_that_is_heard_ends_no_fault_of_the_other(person: int) -> None:
    phone, watch = add_session(person), add_session(person)
    watching.tick(T0)
    watching.on_device(person, phone, T0, None, T0 + 301)
    watching.on_device(person, watch, T0 + 300, None, T0 + 301)
    watching.on_ended(person, phone, T0 + 900)
    watching.on_device(person, watch, T0 + 900, None, T0 + 901)
    assert live(person, "silent") is not None


def test_a_battery_is_low_until_it_is_charged_and_two_faults_are_one_alarm(person: int) -> None:
    session = add_session(person)
    watching.tick(T0)
    for battery, is_low in ((0.5, False), (0.1, False), (0.09, True), (0.12, True), (0.16, False)):
        watching.on_device(person, session, T0, battery, T0)
        assert (live(person, "silent") is not None) == is_low, battery
    watching.on_device(person, session, T0, 0.05, T0 + 10)
    watching.on_device(person, session, T0, 0.05, T0 + 600)
    alarm = live(person, "silent")
    assert alarm is not None
    assert alarm.times == 2
    watching.on_device(person, session, T0 + 690, 0.05, T0 + 690)
    assert live(person, "silent") is not None  # heard, and still low
    watching.on_ended(person, session, T0 + 700)
    assert live(person, "silent") is None


# --- unusual days


def day(number: int, **hours: float) -> dict[str, float]:
    return {name.replace("_", " "): 3600 * value for name, value in hours.items()}


@pytest.mark.parametrize(
    ("hours", "measure"),
    [({"Sitting": 8, "Walking": 1}, None), ({"Sitting": 9}, "on foot"), ({"Sitting": 4, "Walking": 5}, "on foot"),
     ({"Sitting": 1, "Walking": 2}, None), ({"Sitting": 5, "Cycling": 3, "Walking": 1}, "moving")],
)  # fmt: skip
def test_a_day_is_unusual_by_the_persons_own_days(person: int, hours: dict[str, float], measure: str | None) -> None:
    for number in range(1, 10):
        walking = 2 + 0.3 * (number % 3)
        add_session(person, NOON - 86_400 * number, seconds=day(number, Sitting=8, Walking=walking))
    add_session(person, NOON, seconds=day(0, **hours))
    evening = NOON + 8 * 3600
    assert list(unusual.found(evening - 60)) == []
    found = [facts["measure"] for _, facts in unusual.found(evening)]
    assert found == ([measure] if measure else [])
    assert list(unusual.found(evening + 60)) == []


def test_an_unusual_day_is_noticed_once_also_after_a_restart_and_never_without_history(app: Flask, person: int) -> None:
    evening = NOON + 8 * 3600
    add_session(person, NOON, seconds=day(0, Sitting=9))
    watching.tick(evening)
    watching.tick(evening + 61)
    assert live(person, "unusual") is None
    for number in range(1, 8):
        add_session(person, NOON - 86_400 * number, seconds=day(number, Sitting=6, Walking=3))
    restart(app)
    watching.tick(evening + 120)
    watching.tick(evening + 181)
    alarm = live(person, "unusual")
    assert alarm is not None
    assert (alarm.facts["measure"], alarm.facts["usual"]) == ("on foot", 0.333)
    alarms.cancel(person, alarm.id, "false", now=evening + 200)
    restart(app)
    watching.tick(evening + 300)
    watching.tick(evening + 361)
    assert live(person, "unusual") is None


# --- rules


@pytest.mark.parametrize("kind", rules.FIELDS)
def test_every_default_is_within_its_bounds_and_every_setting_says_why(app: Flask, kind: str) -> None:
    person = add_person("ada")
    assert rules.change(person, kind, True, rules.default(kind).values).values == rules.default(kind).values
    for field in rules.FIELDS[kind]:
        assert field.source
        for wrong in [field.low - 1, field.high + 1, "nan", "x"] if field.is_number else ["x", "25:00"]:
            with pytest.raises(Invalid, match=f"^{field.name} must be .*; found '.*'") as error:
                rules.change(person, kind, True, {field.name: wrong})
            assert error.value.field == field.name


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [("heart_rate", {"rest_low": 120, "rest_high": 100}, "rest_low must be below rest_high"),
     ("inactivity", {"sleep_from": "08:00"}, "sleep_to must be another time"),
     ("fall", {"colour": 1}, "fall has no setting 'colour'; expected settle_s"),
     ("dance", {}, "kind must be one of fall, .*; found 'dance'")],
)  # fmt: skip
def test_rules_that_make_no_sense_are_refused(person: int, kind: str, values: dict[str, object], says: str) -> None:
    with pytest.raises(ServiceError, match=says):
        rules.change(person, kind, True, values)


def test_a_rule_holds_at_once(person: int) -> None:
    assert rules.of(person, "fall").number("countdown_s") == 30
    rules.change(person, "fall", True, {"countdown_s": 10, "observation_s": 0})
    alarm = fall(person, T0)
    alarms.tick(T0 + 10)
    assert fresh(alarm.id).state == "raised"
    assert notices() == []


@pytest.mark.parametrize(
    ("at", "until"),
    [
        (datetime(2027, 1, 15, 21, 30, tzinfo=timezone.utc), datetime(2027, 1, 16, 6, 0, tzinfo=timezone.utc)),
        (datetime(2027, 1, 15, 3, 0, tzinfo=timezone.utc), datetime(2027, 1, 15, 6, 0, tzinfo=timezone.utc)),
        (datetime(2027, 1, 15, 12, 0, tzinfo=timezone.utc), None),
        # summer time begins in this night
        (datetime(2027, 3, 27, 22, 0, tzinfo=timezone.utc), datetime(2027, 3, 28, 5, 0, tzinfo=timezone.utc)),
    ],
)
def test_quiet_hours_end_by_the_persons_own_clock(person: int, at: datetime, until: datetime | None) -> None:
    rules.change(person, rules.QUIET, True, {"zone": "Europe/Berlin", "from": "22:00", "to": "07:00"})
    held = rules.held_until(person, "silent", at.timestamp())
    assert held == (until.timestamp() if until else None)
    for kind in ("fall", "inactivity", "heart_rate"):
        assert rules.held_until(person, kind, at.timestamp()) is None


def test_a_listener_that_fails_keeps_an_alarm_from_nobody(person: int) -> None:
    heard: list[Callable[[], object]] = []

    def fails(change: object) -> None:
        raise RuntimeError

    alarms.listen(fails)
    alarms.listen(lambda change: heard.append(change.data))
    fall(person)
    assert len(heard) == 2
