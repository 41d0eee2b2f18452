"""Webhooks: a message as JSON, signed, to an address that somebody entered.

The header ``X-Kinelab-Signature: t=<Unix seconds>,v1=<hex>`` holds HMAC-SHA256 of ``<t>.<body>`` under the target's
secret. A receiver compares it in constant time, refuses what is older than minutes, and knows by ``notice`` what comes
a second time.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from app.services.alarms import outgoing
from app.services.alarms.messages import Message
from app.services.alarms.outgoing import NotSent
from app.services.alarms.words import HONESTY

GONE = 410


def signature(secret: str, at_s: int, body: bytes) -> str:
    """Return what the header of a body says."""
    signed = hmac.new(secret.encode(), f"{at_s}.".encode() + body, sha256).hexdigest()
    return f"t={at_s},v1={signed}"


def document(message: Message) -> dict[str, Any]:
    """Return what is sent."""
    return {
        "notice": message.notice_id,
        "kind": message.kind,
        "state": message.state,
        "person": message.person,
        "time": message.at_s,
        "title": message.title,
        "text": message.text,
        "link": message.link or message.path,
        "note": HONESTY,
    }


def send(address: Mapping[str, Any], message: Message) -> None:
    """Send a message to a webhook.

    Raises
    ------
    NotSent : it was not taken.
    """
    body = json.dumps(document(message)).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Kinelab",
        "X-Kinelab-Signature": signature(str(address["secret"]), int(time.time()), body),
    }
    check_answer(*outgoing.post(str(address["url"]), body, headers))


def check_answer(status: int, _: str = "") -> None:
    """Take an answer for what it says.

    Raises
    ------
    NotSent : the message was not taken.
    """
    if 300 <= status < 400:
        raise NotSent(f"The webhook answers with a redirect ({status}), which is not followed.")
    if not 200 <= status < 300:
        raise NotSent(f"The webhook answers {status}.", gone=status == GONE)
