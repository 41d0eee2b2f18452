"""Messages to programs as Standard Webhooks 1.0 describe them: JSON by POST, signed under a secret of the program's.

``webhook-signature`` is ``v1,`` and the base64 of HMAC-SHA256 over ``<webhook-id>.<webhook-timestamp>.<body>``. A
receiver compares it in constant time, refuses what is older than minutes, and knows by ``webhook-id`` what comes twice.
Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from app.services.alarms import outgoing, webhook
from app.services.subscriptions.events import Event

MARK = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """Return a secret as programs are given it."""
    return MARK + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, at_s: int, body: bytes) -> str:
    """Return what the header of a body says."""
    key = base64.b64decode(secret.removeprefix(MARK))
    signed = hmac.digest(key, f"{message_id}.{at_s}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(signed).decode()}"


def send(address: Mapping[str, Any], event: Event) -> None:
    """Send a message to a program.

    Raises
    ------
    NotSent : it was not taken.
    """
    body = json.dumps({"type": event.type, "timestamp": event.at, "data": event.data}).encode()
    at_s = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Kinelab",
        "webhook-id": event.id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": signature(str(address["secret"]), event.id, at_s, body),
    }
    webhook.check_answer(*outgoing.post(str(address["url"]), body, headers))
