"""The programs of a person that are told of events: where they are, of what they are told, and how that goes."""

from __future__ import annotations

from collections.abc import Sequence

from app.services.alarms import outgoing, targets
from app.services.alarms.outbox import EVENTS
from app.services.errors import Invalid, NotFound
from app.services.subscriptions import standard_webhooks
from app.services.subscriptions.events import EventType
from app.tables import NoticeTarget


def list_of(user_id: int) -> list[NoticeTarget]:
    """Return the subscriptions of a person."""
    return targets.list_of(user_id, [EVENTS])


def get(user_id: int, subscription_id: int) -> NoticeTarget:
    """Return a subscription of a person."""
    for found in list_of(user_id):
        if found.id == subscription_id:
            return found
    raise NotFound("You have no such subscription.")


def add(user_id: int, url: str, events: Sequence[str]) -> tuple[NoticeTarget, str]:
    """Tell a program of events; return with it the secret that signs what it is told, which is shown once.

    Raises
    ------
    Invalid : the address is none that messages may be sent to, or an event does not exist.
    """
    outgoing.check_url(url)
    known = [event.value for event in EventType]
    if not events or not set(events) <= set(known):
        raise Invalid(f"Choose at least one of {', '.join(known)}.", "events")
    secret = standard_webhooks.new_secret()
    wanted = [event for event in known if event in events]
    return targets.add(user_id, EVENTS, {"url": url.strip(), "secret": secret}, "url", wanted), secret


def remove(user_id: int, subscription_id: int) -> None:
    """Tell a program nothing any more, nor what waits for it."""
    targets.remove(user_id, get(user_id, subscription_id).id)


def switch(user_id: int, subscription_id: int, on: bool) -> None:
    """Tell a program of what happens from now on, or not."""
    targets.switch(user_id, get(user_id, subscription_id).id, on)


def test(user_id: int, subscription_id: int) -> None:
    """Send a program a message that tells of nothing."""
    targets.test(user_id, get(user_id, subscription_id).id)
