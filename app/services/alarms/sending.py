"""The threads that empty the outbox, one a channel: a slow mail server delays neither a browser nor an alarm's life."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Any

from flask import Flask

from app.extensions import db
from app.services.alarms import alarms, mail, messages, outbox, people, push, webhook
from app.services.alarms.outbox import EVENTS, MAIL, PUSH, SENT, UNNEEDED, WEBHOOK, Claim
from app.services.alarms.outgoing import NotSent
from app.services.errors import Busy, NoRoom
from app.services.subscriptions import events, standard_webhooks
from app.services.transaction import BACKGROUND_WAIT_S, transaction
from app.tables import Notice

log = logging.getLogger(__name__)

EACH_S = 1.0  # how often the outbox is looked at
SEND: Mapping[str, Callable[[Mapping[str, Any], Any], None]] = {
    MAIL: mail.send,
    WEBHOOK: webhook.send,
    PUSH: push.send,
    EVENTS: standard_webhooks.send,
}


def start(app: Flask) -> Callable[[], None]:
    """Begin to send, in threads of the server; return what ends that."""
    stopped = Event()
    for channel in SEND:
        Thread(target=_work, args=(app, channel, stopped), name=f"sending {channel}", daemon=True).start()
    return stopped.set


def _work(app: Flask, channel: str, stopped: Event) -> None:
    while not stopped.wait(EACH_S):
        with app.app_context():
            try:
                while not stopped.is_set() and send_next(channel):
                    pass
            except (Busy, NoRoom) as error:
                log.warning("messages wait: %s", error)
            except Exception:
                log.exception("sending by %s failed", channel)


def send_next(channel: str, clock: Callable[[], float] = time.time) -> bool:
    """Send the next message of a channel that is due; return whether there was one."""
    claimed = outbox.claim(channel, clock())
    if claimed is None:
        return False
    notice = outbox.get(claimed)
    if not outbox.wanted(notice):
        with transaction(BACKGROUND_WAIT_S):
            outbox.mark(claimed, UNNEEDED, clock(), "switched off, or no longer agreed to")
        return True
    message = events.of(notice) if channel == EVENTS else messages.of(notice)
    address, step_id = dict(notice.target.address), _notifies(notice)
    db.session.rollback()  # nothing is held open while a slow server is waited for
    try:
        SEND[channel](address, message)
    except Exception as error:
        if not isinstance(error, NotSent):
            log.exception("notice %d cannot be sent", claimed.notice_id)
            error = NotSent(f"unexpected: {type(error).__name__}")
        _failed(claimed, error, clock())
    else:
        with transaction(BACKGROUND_WAIT_S):
            outbox.mark(claimed, SENT, clock())
        if step_id is not None:
            alarms.told(step_id, clock())
    return True


def _failed(claimed: Claim, error: NotSent, at_s: float) -> None:
    log.warning("notice %d was not sent: %s", claimed.notice_id, error)
    with transaction(BACKGROUND_WAIT_S):
        if error.gone:
            outbox.get(claimed).target.switched_on = False
        outbox.mark_failed(claimed, str(error), at_s, error.for_good)


def _notifies(notice: Notice) -> int | None:
    """Return the step that is known to somebody else when this is sent; to the person alone only if nobody else is."""
    if notice.step is None:
        return None
    person = notice.step.alarm.user_id
    return notice.step_id if notice.target.user_id != person or not people.caregivers_of(person) else None
