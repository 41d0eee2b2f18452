"""Programs that are told when something becomes of their person's recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.services.api.tokens import Scope
from app.services.subscriptions import subscriptions
from app.web.api.v1 import asked, shapes
from app.web.api.v1.operations import operation
from app.web.bearer import bearer

if TYPE_CHECKING:
    from app.tables import NoticeTarget

SUBSCRIPTIONS = Scope.SUBSCRIPTIONS


@operation("GET", "/subscriptions", SUBSCRIPTIONS, shapes.Subscriptions)
def list_subscriptions() -> shapes.Subscriptions:
    """List subscriptions."""
    return shapes.Subscriptions([_subscription(row) for row in subscriptions.list_of(bearer().id)])


@operation("POST", "/subscriptions", SUBSCRIPTIONS, shapes.MadeSubscription, 201)
def add_subscription(json: asked.NewSubscription) -> tuple[Any, int]:
    """Tell a program of events.

    They are ``result.ready``, ``result.corrected``, ``recording.erased`` and ``person.erased``, by POST to the address.
    The secret that signs the messages, by Standard Webhooks, is in this answer alone.
    """
    row, secret = subscriptions.add(bearer().id, json.url, json.events)
    return shapes.MadeSubscription(_subscription(row), secret), 201


@operation("GET", "/subscriptions/<int:subscription_id>", SUBSCRIPTIONS, shapes.Subscription)
def get_subscription(subscription_id: int) -> shapes.Subscription:
    """Get a subscription, and how its last message went."""
    return _subscription(subscriptions.get(bearer().id, subscription_id))


@operation("POST", "/subscriptions/<int:subscription_id>/test", SUBSCRIPTIONS, status=204)
def test_subscription(subscription_id: int) -> tuple[str, int]:
    """Send a program a message that tells of nothing."""
    subscriptions.test(bearer().id, subscription_id)
    return "", 204


@operation("DELETE", "/subscriptions/<int:subscription_id>", SUBSCRIPTIONS, status=204)
def remove_subscription(subscription_id: int) -> tuple[str, int]:
    """Tell a program nothing any more."""
    subscriptions.remove(bearer().id, subscription_id)
    return "", 204


def _subscription(row: NoticeTarget) -> shapes.Subscription:
    return shapes.Subscription(
        row.id, row.address["url"], row.events.split(), row.switched_on, row.created, row.last_sent, row.last_error
    )
