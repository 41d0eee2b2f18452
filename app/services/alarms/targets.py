"""Where people want to be told of alarms: their e-mail addresses, webhooks and browsers; of events, their programs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select

from app.extensions import db
from app.services import audit
from app.services.alarms import mail, outbox, outgoing, push
from app.services.alarms.outbox import CHANNELS, EVENTS, MAIL, PUSH, WEBHOOK, moment
from app.services.alarms.people import caregivers_of
from app.services.audit import Action
from app.services.errors import Conflict, Invalid, NotFound
from app.services.identity.rules import clean_email
from app.services.transaction import rows_changed, transaction
from app.tables import Notice, NoticeTarget, User

MOST = 10  # of one person
TESTS_AN_HOUR = 6  # of one target: a test must not become a way to bother others


def list_of(user_id: int, channels: Sequence[str] = CHANNELS) -> list[NoticeTarget]:
    """Return the targets of a person, by default those for alarms."""
    own = select(NoticeTarget).where(NoticeTarget.user_id == user_id, NoticeTarget.channel.in_(channels))
    return list(db.session.scalars(own.order_by(NoticeTarget.id)))


def get(user_id: int, target_id: int) -> NoticeTarget:
    """Return a target of a person."""
    found = db.session.scalar(select(NoticeTarget).filter_by(user_id=user_id, id=target_id))
    if found is None:
        raise NotFound("There is no such target.")
    return found


def add_mail(user_id: int, to: str) -> NoticeTarget:
    """Send a person's notices to an e-mail address."""
    if not mail.is_set_up():
        raise Conflict(mail.NOT_SET_UP)
    return add(user_id, MAIL, {"to": clean_email(to)}, "to")


def add_webhook(user_id: int, url: str) -> tuple[NoticeTarget, str]:
    """Send a person's notices to a webhook; return with it the secret that signs them, which is shown once."""
    outgoing.check_url(url)
    secret = secrets.token_urlsafe(32)
    return add(user_id, WEBHOOK, {"url": url.strip(), "secret": secret}, "url"), secret


def add_push(user_id: int, subscription: Mapping[str, Any]) -> NoticeTarget:
    """Send a person's notices to a browser; one that is there is renewed.

    Parameters
    ----------
    subscription : its ``PushSubscription.toJSON()``, the keys also beside the endpoint, as a form sends them; and
        ``browser``, what a person knows it by.
    """
    if not push.is_set_up():
        raise Conflict(push.NOT_SET_UP)
    keys = subscription.get("keys", subscription)
    if not isinstance(keys, Mapping) or not isinstance(subscription.get("endpoint"), str):
        raise Invalid("subscription must hold endpoint and keys; found neither or one of them.", "subscription")
    kept = {name: keys.get(name) for name in ("p256dh", "auth")}
    for name, value in kept.items():
        if not isinstance(value, str) or not 16 <= len(value) <= 200:
            raise Invalid(f"{name} must be a key in base64url; found {str(value)[:40]!r}.", "subscription")
    outgoing.check_url(subscription["endpoint"])
    address = {"endpoint": subscription["endpoint"], "keys": kept, "browser": str(subscription.get("browser", ""))[:80]}
    return add(user_id, PUSH, address, "endpoint")


def add(user_id: int, channel: str, address: dict[str, Any], name: str, events: Sequence[str] = ()) -> NoticeTarget:
    """Add a target that is known by a part of its address; a browser that is there is renewed.

    Raises
    ------
    Invalid : it is there already.
    Conflict : there are too many.
    """
    with transaction() as session:
        own = list_of(user_id, [EVENTS] if channel == EVENTS else CHANNELS)
        same = [each for each in own if each.channel == channel and each.address.get(name) == address[name]]
        if same and channel != PUSH:
            raise Invalid("This address is there already.", name)
        if len(own) >= MOST and not same:
            raise Conflict(f"At most {MOST} targets are kept. Remove one first.")
        target = same[0] if same else NoticeTarget(user_id=user_id, channel=channel)
        target.address, target.events = address, " ".join(events)
        target.switched_on, target.last_error = True, ""
        session.add(target)
        session.flush()
    audit.record(Action.TARGET_ADDED, f"target {target.id}", channel=channel)
    return target


def switch(user_id: int, target_id: int, on: bool) -> NoticeTarget:
    """Switch a target on or off; what waits for one that is off is not sent."""
    with transaction():
        target = get(user_id, target_id)
        target.switched_on = on
        target.last_error = "" if on else target.last_error
    audit.record(Action.TARGET_CHANGED, f"target {target_id}", switched_on=on)
    return target


def remove(user_id: int, target_id: int) -> None:
    """Delete a target, with what waits for it."""
    with transaction():
        own = NoticeTarget.id == target_id, NoticeTarget.user_id == user_id
        if not rows_changed(delete(NoticeTarget).where(*own)):
            raise NotFound("There is no such target.")
    audit.record(Action.TARGET_REMOVED, f"target {target_id}")


def test(user_id: int, target_id: int, now: float | None = None) -> Notice:  # noqa: PT028  it is no test of ours
    """Put a test message for a target into the outbox.

    Raises
    ------
    Conflict : there were many within an hour.
    """
    at = time.time() if now is None else now
    with transaction():
        target = get(user_id, target_id)
        if _tests(target, at) >= TESTS_AN_HOUR:
            raise Conflict(f"A target is tested at most {TESTS_AN_HOUR} times an hour.")
        return outbox.put_test(target, at, target.user.username)


def test_all(user_id: int, now: float | None = None) -> int:  # noqa: PT028
    """Put a test message for everybody who would be told of a person's alarm into the outbox; return for how many."""
    at = time.time() if now is None else now
    told = [user_id, *caregivers_of(user_id)]
    with transaction() as session:
        query = select(NoticeTarget).where(NoticeTarget.user_id.in_(told), NoticeTarget.switched_on.is_(True))
        targets = [
            each for each in session.scalars(query) if each.channel in CHANNELS and _tests(each, at) < TESTS_AN_HOUR
        ]
        person = session.get_one(User, user_id)
        for target in targets:
            outbox.put_test(target, at, person.username)
    return len(targets)


def _tests(target: NoticeTarget, at: float) -> int:
    of_it = Notice.target_id == target.id, Notice.step_id.is_(None), Notice.event == ""
    recent = Notice.created >= moment(at) - timedelta(hours=1)
    return db.session.scalar(select(func.count()).select_from(Notice).where(*of_it, recent)) or 0
