"""Who lets which caregiver see their state and their alarms: asked for, versioned, and taken back at any time.

What ends here is over at once: notices that wait for the caregiver are deleted in the same transaction, and pages of
theirs that are open are told by the hub: an event "people" with who it was, and whether they are seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, or_, select
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.services import audit
from app.services.audit import Action
from app.services.care import codes
from app.services.errors import Conflict, Forbidden, NotFound
from app.services.live import hub
from app.services.transaction import transaction
from app.tables import Alarm, AlarmStep, CareConsent, Notice, NoticeTarget, Role, User
from app.tables._columns import now

TEXTS: dict[int, tuple[str, ...]] = {  # a text that people agreed to is never changed: another one is another version
    1: (
        "This caregiver may see, while it happens, what Kinelab takes me to be doing (walking or lying, for example), "
        "since when, and whether a device of mine is connected. They see my alarms with their course, are told of "
        "them, and can say that they look after one and whether it was true or false.",
        "They see nothing else: no recording, no signal, no earlier day, no correction, and of my account only my "
        "user name.",
        "Nobody promises that an alarm is raised, arrives, or is looked at. Kinelab is research software and no "
        "medical device, and does not replace an emergency call.",
        "I can take this back at any time. From that moment the caregiver sees nothing of me, earlier alarms "
        "included, and is told nothing.",
    ),
    2: (
        "This caregiver may see, while it happens, what Kinelab takes me to be doing (walking or lying, for example), "
        "since when, and whether a device of mine is connected. They see my alarms with their course, are told of "
        "them, and can say that they look after one and whether it was true or false.",
        "They also see my days, as far back as there are recordings of mine: for each day how long I did what, how "
        "long a device was worn, how many steps I made, how long and in which bouts I sat, how hard I moved, and when "
        "I lay still at night; and averages of them, beside those of others who agreed.",
        "They see nothing else: no recording, no signal, no hour of a day, no correction, and of my account only my "
        "user name.",
        "Nobody promises that an alarm is raised, arrives, or is looked at. Kinelab is research software and no "
        "medical device, and does not replace an emergency call.",
        "I can take this back at any time, all of it or my days alone. From that moment the caregiver sees nothing of "
        "it, earlier alarms and days included, and is told nothing.",
    ),
}
VERSION, WITH_DAYS = 1, 2  # of state and alarms; of days besides


@dataclass(frozen=True)
class Ended:
    """A consent that no longer holds; its row may go with an account."""

    consent_id: int
    user_id: int
    caregiver_id: int
    caregiver: str


def holds(user_id: int, caregiver_id: int) -> bool:
    """Tell whether a caregiver may see a person at this moment."""
    return db.session.scalar(_holding().filter_by(user_id=user_id, caregiver_id=caregiver_id)) is not None


def people_of(caregiver_id: int) -> Sequence[User]:
    """Return whom a caregiver may see, by name."""
    seen = _holding().where(CareConsent.caregiver_id == caregiver_id).with_only_columns(CareConsent.user_id)
    return db.session.scalars(select(User).where(User.id.in_(seen)).order_by(User.username)).all()


def people_with_days(caregiver_id: int) -> Sequence[User]:
    """Return whose days a caregiver may see, by name."""
    seen = _holding().where(CareConsent.caregiver_id == caregiver_id, CareConsent.version == WITH_DAYS)
    query = select(User).where(User.id.in_(seen.with_only_columns(CareConsent.user_id)))
    return db.session.scalars(query.order_by(User.username)).all()


def caregivers_of(user_id: int) -> Sequence[User]:
    """Return who may see a person, by name."""
    seeing = _holding().where(CareConsent.user_id == user_id).with_only_columns(CareConsent.caregiver_id)
    return db.session.scalars(select(User).where(User.id.in_(seeing)).order_by(User.username)).all()


def history(user_id: int) -> Sequence[CareConsent]:
    """Return all that a person ever agreed to, the newest first."""
    return db.session.scalars(select(CareConsent).filter_by(user_id=user_id).order_by(CareConsent.id.desc())).all()


def give(user_id: int, code: str, version: int) -> User:
    """Keep that a person agrees to be seen by the caregiver whose code they entered; return the caregiver.

    Raises
    ------
    NotFound : it is nobody's code.
    Conflict : they were shown another text.
    """
    caregiver = codes.caregiver_of(code)
    if version not in (VERSION, WITH_DAYS):
        raise Conflict("The text has changed meanwhile. Read it again.")
    if caregiver.id == user_id or holds(user_id, caregiver.id):
        return caregiver
    consent = CareConsent(user_id=user_id, caregiver_id=caregiver.id, version=version)
    try:
        with transaction() as session:
            session.refresh(caregiver)
            if caregiver.role is not Role.CAREGIVER or session.get_one(User, user_id).role is Role.CAREGIVER:
                raise Forbidden("Only a caregiver sees others, and nobody sees a caregiver.")
            session.add(consent)
    except IntegrityError:  # the same person, in another window
        return caregiver
    audit.record(Action.CARE_AGREED, f"consent {consent.id}", caregiver=caregiver.username, version=version)
    hub.publish(caregiver.id, "people", {"id": user_id, "sees": True})
    return caregiver


def change(user_id: int, consent_id: int, version: int) -> CareConsent:
    """Keep that a person agrees to another text for a caregiver: with their days, or without them.

    Raises
    ------
    NotFound : the caregiver sees nothing of them any more.
    Conflict : they were shown another text.
    """
    if version not in (VERSION, WITH_DAYS):
        raise Conflict("The text has changed meanwhile. Read it again.")
    with transaction() as session:
        own = _holding().where(CareConsent.id == consent_id, CareConsent.user_id == user_id)
        before: CareConsent | None = session.scalar(own)
        if before is None:
            raise NotFound("This caregiver no longer sees anything of you.")
        if before.version == version:
            return before
        before.withdrawn = now()
        session.flush()  # only one holds at a time
        after = CareConsent(user_id=user_id, caregiver_id=before.caregiver_id, version=version)
        session.add(after)
    audit.record(Action.CARE_AGREED, f"consent {after.id}", caregiver=after.caregiver.username, version=version)
    return after


def withdraw(user_id: int, consent_id: int) -> Ended:
    """Take back what a person agreed to."""
    with transaction():
        ended = _end(CareConsent.id == consent_id, CareConsent.user_id == user_id)
    if not ended:
        raise NotFound("This caregiver no longer sees anything of you.")
    record_end(ended)
    return ended[0]


def end_all(user_id: int) -> list[Ended]:
    """Within a transaction: end what an account agreed to, and what others agreed to for it."""
    return _end(or_(CareConsent.user_id == user_id, CareConsent.caregiver_id == user_id))


def record_end(ended: Sequence[Ended]) -> None:
    """After the transaction: write down what has ended, and tell the pages that show it."""
    for consent in ended:
        audit.record(Action.CARE_ENDED, f"consent {consent.consent_id}", caregiver=consent.caregiver)
        hub.publish(consent.caregiver_id, "people", {"id": consent.user_id, "sees": False})


def _end(*conditions: ColumnElement[bool]) -> list[Ended]:
    ending = db.session.scalars(select(CareConsent).filter_by(withdrawn=None).where(*conditions)).all()
    for consent in ending:
        consent.withdrawn = now()
        targets = select(NoticeTarget.id).where(NoticeTarget.user_id == consent.caregiver_id)
        steps = select(AlarmStep.id).join(Alarm).where(Alarm.user_id == consent.user_id)
        unsent = Notice.state != "sent", Notice.target_id.in_(targets), Notice.step_id.in_(steps)
        db.session.execute(delete(Notice).where(*unsent))
    return [Ended(each.id, each.user_id, each.caregiver_id, each.caregiver.username) for each in ending]


def _holding() -> Select[Any]:
    active = select(User.id).where(User.disabled.is_(False))
    caregivers = active.where(User.role == Role.CAREGIVER)
    of_active = CareConsent.user_id.in_(active), CareConsent.caregiver_id.in_(caregivers)
    return select(CareConsent).where(CareConsent.withdrawn.is_(None), *of_active)
