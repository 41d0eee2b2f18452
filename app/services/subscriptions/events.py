"""What programs are told: that a result is ready or was corrected, that a recording or a whole person was erased.

A message names what it is about and where that can be read, and holds nothing of it: whoever has no token learns no
activity. No order is promised, so that it is what is read afterwards that holds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

from flask import current_app
from sqlalchemy import delete, select

from app.extensions import db
from app.services.alarms.outbox import EVENTS, WAITING, moment
from app.services.interchange import pseudonyms
from app.tables import Notice, NoticeTarget


class EventType(str, Enum):
    """What programs may be told of."""

    READY = "result.ready"
    CORRECTED = "result.corrected"
    RECORDING_ERASED = "recording.erased"
    PERSON_ERASED = "person.erased"

    @property
    def in_words(self) -> str:
        return _IN_WORDS[self]

    @property
    def status(self) -> str:
        """Return what the Observations of a recording, or of a person, are from now on, as FHIR calls it."""
        return _STATUS.get(self, "entered-in-error")


_IN_WORDS = {
    EventType.READY: "a recording was recognised, for the first time or anew",
    EventType.CORRECTED: "you corrected a recording, or took that back",
    EventType.RECORDING_ERASED: "a recording was deleted",
    EventType.PERSON_ERASED: "your account was deleted, with everything",
}
_STATUS = {EventType.READY: "final", EventType.CORRECTED: "corrected"}
TEST = "test"


@dataclass(frozen=True)
class Event:
    """A message for a program; it has the same number however often it is sent."""

    id: str
    type: str
    at: str  # ISO 8601, UTC
    data: dict[str, Any]


def put(event: EventType, user_id: int, recording_id: int) -> None:
    """Within a transaction: tell the programs of a person what becomes of a recording of theirs.

    What still waits to tell the same is enough; of a recording that is erased nothing else is told any more.
    """
    targets = _targets(user_id, event)
    if event is EventType.RECORDING_ERASED:
        _take_back(user_id, recording_id)
    if not targets:
        return
    person = pseudonyms.of_person(user_id)
    recording = str(pseudonyms.of_recording(person, recording_id))
    waits = select(Notice.target_id).where(
        Notice.about == recording, Notice.event == event.value, Notice.state == WAITING
    )
    told = set(db.session.scalars(waits))
    for target in targets:
        if target.id not in told:
            _put(target, event, person, recording=recording, number=recording_id)


def put_farewell(user_id: int) -> None:
    """Within the transaction that erases a person: keep what tells their programs so, although all else goes."""
    for target in _targets(user_id, EventType.PERSON_ERASED):
        db.session.execute(delete(Notice).where(Notice.target_id == target.id))
        target.user_id, target.last_error = None, ""
        _put(target, EventType.PERSON_ERASED, pseudonyms.of_person(user_id))
    db.session.flush()


def of(notice: Notice) -> Event:
    """Return the message of a notice."""
    if not notice.event:
        return Event(f"msg_test{notice.id}", TEST, _utc(notice), {"text": "Nothing has happened."})
    data = {name: value for name, value in notice.facts.items() if name != "id"}
    event = EventType(notice.event)
    data["status"] = event.status
    if event in _STATUS:
        site: str = current_app.config["SITE_URL"]
        data["fhir"] = f"{site}/api/v1/recordings/{data['number']}/answers/fhir"
    return Event(str(notice.facts["id"]), event.value, _utc(notice), data)


def _utc(notice: Notice) -> str:
    return notice.created.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _targets(user_id: int, event: EventType) -> list[NoticeTarget]:
    own = select(NoticeTarget).filter_by(user_id=user_id, channel=EVENTS, switched_on=True).order_by(NoticeTarget.id)
    return [target for target in db.session.scalars(own) if event.value in target.events.split()]


def _put(target: NoticeTarget, event: EventType, person: UUID, **names: Any) -> None:
    now = moment(time.time())
    facts = {"id": f"msg_{uuid4().hex}", "person": str(person), **names}
    notice = Notice(target_id=target.id, event=event.value, facts=facts, due=now, created=now)
    notice.about = str(names.get("recording", ""))
    db.session.add(notice)


def _take_back(user_id: int, recording_id: int) -> None:
    own = select(NoticeTarget.id).filter_by(user_id=user_id, channel=EVENTS)
    if not db.session.scalars(own.limit(1)).first():
        return
    recording = str(pseudonyms.of_recording(pseudonyms.of_person(user_id), recording_id))
    waiting = Notice.about == recording, Notice.state == WAITING, Notice.target_id.in_(own)
    db.session.execute(delete(Notice).where(*waiting), execution_options={"synchronize_session": False})
