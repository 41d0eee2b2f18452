"""Messages that wait to be sent: rows that come with the step of an alarm, or with the event, that causes them.

They are claimed once: a claim is a conditional UPDATE, so of two threads or processes one sends. Whoever dies between
sending and marking leaves a claim that is taken again after `STALE_S`: that message may then come twice, under the same
number, by which mail programs, webhooks and browsers know it. None is lost: what fails waits longer each time, and
after `MAX_TRIES` it is a dead letter, which an administrator sees and can send again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache

from sqlalchemy import Executable, and_, bindparam, delete, or_, select, update
from sqlalchemy.orm import aliased

from app.extensions import db
from app.services.alarms import rules
from app.services.alarms.life import CLOSED, Told
from app.services.alarms.people import caregivers_of
from app.services.errors import NotFound
from app.services.transaction import rows_changed, transaction
from app.tables import Alarm, AlarmStep, Notice, NoticeTarget

WAITING, CLAIMED, SENT, DEAD = "waiting", "claimed", "sent", "dead"
UNNEEDED = "unneeded"  # the alarm was closed before quiet hours ended, or nobody may or wants to be told any more
MAIL, WEBHOOK, PUSH = "mail", "webhook", "push"
CHANNELS = (MAIL, WEBHOOK, PUSH)  # of alarms
EVENTS = "events"  # to programs, of recordings: see services/subscriptions
WAITS_S = (5, 10, 30, 60, 120, 300)  # after each try; then always the last: an outage is over within minutes for all
MAX_TRIES = 100  # about eight hours
STALE_S = 180.0  # a claim of somebody who died; sending ends long before, by the channels' time limits
LONGEST_ERROR = 200


@dataclass(frozen=True)
class Claim:
    """That this thread sends a notice now."""

    notice_id: int
    at: datetime


def moment(at_s: float) -> datetime:
    """Return Unix seconds as tables keep them."""
    return datetime.fromtimestamp(at_s, timezone.utc)


def put(alarm: Alarm, step: AlarmStep, told: Told, at_s: float) -> int:
    """Within the transaction of a step: keep a message of it for each target; return for how many."""
    if told is Told.NOBODY:
        return 0
    wanted = select(NoticeTarget).where(NoticeTarget.switched_on.is_(True), NoticeTarget.channel != EVENTS)
    may = [alarm.user_id, *caregivers_of(alarm.user_id)]
    if told is Told.PERSON:
        wanted = wanted.where(NoticeTarget.user_id == alarm.user_id, NoticeTarget.channel == PUSH)
    else:
        wanted = wanted.where(NoticeTarget.user_id.in_(may))
    if told is Told.BEFORE:
        if step.after == CLOSED:
            _take_back_held(alarm, at_s)
        before = select(Notice.target_id).join(AlarmStep, Notice.step_id == AlarmStep.id)
        wanted = wanted.where(
            NoticeTarget.id.in_(before.where(AlarmStep.alarm_id == alarm.id, Notice.state != UNNEEDED))
        )
    targets = db.session.scalars(wanted.order_by(NoticeTarget.id)).all()
    for target in targets:
        held = rules.held_until(target.user.id, alarm.kind, at_s)
        due = moment(at_s if held is None else held)
        db.session.add(Notice(target_id=target.id, step_id=step.id, due=due, created=moment(at_s)))
    db.session.flush()
    return len(targets)


def _take_back_held(alarm: Alarm, at_s: float) -> None:
    """Drop what quiet hours still hold back of an alarm that is over."""
    steps = select(AlarmStep.id).where(AlarmStep.alarm_id == alarm.id)
    held = Notice.step_id.in_(steps), Notice.state == WAITING, Notice.tries == 0, Notice.due > moment(at_s)
    db.session.execute(
        update(Notice).where(*held).values(state=UNNEEDED, due=None, error="closed in quiet hours"),
        execution_options={"synchronize_session": False},
    )


def put_test(target: NoticeTarget, at_s: float, about: str) -> Notice:
    """Within a transaction: keep a test message for a target; it says whose alarms are tested."""
    db.session.add(notice := Notice(target_id=target.id, due=moment(at_s), created=moment(at_s), about=about))
    db.session.flush()
    return notice


def claim(channel: str, at_s: float) -> Claim | None:
    """Take the next message of a channel that is due, so that nobody else sends it; None where there is none.

    Of one alarm, a target gets messages in their order: as long as an older one waits, a newer one does.
    """
    for number, state, due in _due(channel, at_s):
        change = update(Notice).where(Notice.id == number, Notice.state == state, Notice.due == due)
        with transaction():
            won = rows_changed(
                change.values(
                    state=CLAIMED, claimed=moment(at_s), due=moment(at_s + STALE_S), tries=Notice.tries + 1
                ).execution_options(synchronize_session=False)
            )
        if won:
            return Claim(number, moment(at_s))
    return None


def _due(channel: str, at_s: float) -> list[tuple[int, str, datetime | None]]:
    """Return number, state and due time of messages that may be sent; a claim is due when its owner must have died."""
    now, longest = moment(at_s), timedelta(seconds=2 * WAITS_S[-1])
    found = db.session.execute(_ripe(), {"channel": channel, "now": now, "put_back": now + longest})
    return [(row.id, row.state, row.due) for row in found]


@cache
def _ripe() -> Executable:
    """Return the query of `_due`, made once: that takes longer than to ask it, which happens each second."""
    put_back = and_(Notice.tries > 0, Notice.due > bindparam("put_back"))  # the clock was
    ripe = and_(Notice.state.in_((WAITING, CLAIMED)), or_(Notice.due <= bindparam("now"), put_back))
    step, older, older_step = aliased(AlarmStep), aliased(Notice), aliased(AlarmStep)
    blocked = (
        select(older.id)
        .join(older_step, older.step_id == older_step.id)
        .where(
            older.target_id == Notice.target_id,
            older.id < Notice.id,
            older_step.alarm_id == step.alarm_id,
            older.state.in_((WAITING, CLAIMED)),
        )
        .exists()
    )
    return (
        select(Notice.id, Notice.state, Notice.due)
        .join(NoticeTarget, Notice.target_id == NoticeTarget.id)
        .outerjoin(step, Notice.step_id == step.id)
        .where(NoticeTarget.channel == bindparam("channel"), ripe, ~blocked)
        .order_by(Notice.due, Notice.id)
        .limit(20)
    )


def get(claimed: Claim) -> Notice:
    """Return a notice that was claimed."""
    return db.session.scalars(
        select(Notice).where(Notice.id == claimed.notice_id).execution_options(populate_existing=True)
    ).one()


def wanted(notice: Notice) -> bool:
    """Tell whether a notice may still be sent: its target is switched on, and the person agrees to whom it goes."""
    if not notice.target.switched_on and (notice.step is not None or notice.event):
        return False
    if notice.step is None:
        return True
    person = notice.step.alarm.user_id
    return notice.target.user_id == person or notice.target.user_id in caregivers_of(person)


def mark(claimed: Claim, state: str, at_s: float, error: str = "") -> bool:
    """Within a transaction: end a claim; return whether it still was this one."""
    held = Notice.id == claimed.notice_id, Notice.state == CLAIMED, Notice.claimed == claimed.at
    change = update(Notice).where(*held).values(state=state, due=None, error=error[:LONGEST_ERROR])
    if not rows_changed(change.execution_options(synchronize_session=False)):
        return False
    if state == SENT:
        _note(claimed, last_sent=moment(at_s), last_error="")
    _forget_erased(claimed)
    return True


def mark_failed(claimed: Claim, error: str, at_s: float, for_good: bool = False) -> bool:
    """Within a transaction: let a message wait for another try, or be a dead letter."""
    tries = get(claimed).tries
    _note(claimed, last_error=error[:LONGEST_ERROR])
    if for_good or tries >= MAX_TRIES:
        return mark(claimed, DEAD, at_s, error)
    due = moment(at_s + WAITS_S[min(tries, len(WAITS_S)) - 1])
    held = Notice.id == claimed.notice_id, Notice.state == CLAIMED, Notice.claimed == claimed.at
    change = update(Notice).where(*held).values(state=WAITING, due=due, error=error[:LONGEST_ERROR])
    return bool(rows_changed(change.execution_options(synchronize_session=False)))


def _note(claimed: Claim, **values: object) -> None:
    target = select(Notice.target_id).where(Notice.id == claimed.notice_id).scalar_subquery()
    db.session.execute(
        update(NoticeTarget).where(NoticeTarget.id == target).values(**values),
        execution_options={"synchronize_session": False},
    )


def _forget_erased(claimed: Claim) -> None:
    """Delete the target of somebody who was erased, with the message that told so."""
    own = select(Notice.target_id).where(Notice.id == claimed.notice_id).scalar_subquery()
    nobodys = NoticeTarget.id == own, NoticeTarget.user_id.is_(None)
    db.session.execute(delete(NoticeTarget).where(*nobodys), execution_options={"synchronize_session": False})


def dead(limit: int = 200) -> list[Notice]:
    """Return the dead letters, the newest first."""
    return list(db.session.scalars(select(Notice).filter_by(state=DEAD).order_by(Notice.id.desc()).limit(limit)))


def again(notice_id: int, at_s: float) -> None:
    """Send a dead letter once more, as if it were new."""
    change = update(Notice).where(Notice.id == notice_id, Notice.state == DEAD)
    with transaction():
        changed = rows_changed(change.values(state=WAITING, tries=0, claimed=None, due=moment(at_s), error=""))
    if not changed:
        raise NotFound("There is no such dead letter.")


def forget(notice_id: int) -> None:
    """Delete a dead letter."""
    with transaction():
        changed = rows_changed(delete(Notice).where(Notice.id == notice_id, Notice.state == DEAD))
    if not changed:
        raise NotFound("There is no such dead letter.")
