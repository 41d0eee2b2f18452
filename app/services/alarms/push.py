"""Web push: a message to a browser, by way of its maker's push service, which cannot read it (RFC 8291).

The installation has a key of its own (VAPID, RFC 8292), with an address at which those who run push services reach its
administrator: without a real one, some services take a subscription and then refuse every message.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from flask import current_app

from app.services.alarms import outgoing
from app.services.alarms.messages import Message
from app.services.alarms.outgoing import NotSent

if TYPE_CHECKING:
    from py_vapid import Vapid02

TTL_S = 12 * 3600  # for how long a push service keeps a message for a browser that is not running
GONE = (404, 410)
REFUSED = (400, 401, 403)
NOT_SET_UP = "Push is not set up: an administrator sets VAPID_CONTACT to a real address, such as mailto:lab@…"


def is_set_up() -> bool:
    """Tell whether the installation can send to browsers."""
    return bool(current_app.config["VAPID_CONTACT"])


def public_key() -> str:
    """Return the key that a browser subscribes with (``applicationServerKey``), in base64url."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from py_vapid.utils import b64urlencode  # with what it needs, a quarter of a second

    point = _key().public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return str(b64urlencode(point))


def _key() -> Vapid02:
    """Return the installation's own key, made when it is first needed and readable by its owner alone."""
    from py_vapid import Vapid02

    path = Path(current_app.config["INSTANCE"]) / "vapid.pem"
    if not path.exists() or not path.stat().st_size:
        key = Vapid02()
        key.generate_keys()
        draft = path.with_name(f"vapid.{uuid4().hex}")
        try:
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(key.private_pem())
            if not path.exists():  # another thread may have been quicker
                draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    return Vapid02.from_file(str(path))


def send(address: Mapping[str, Any], message: Message) -> None:
    """Send a message to a browser.

    Parameters
    ----------
    address : the browser's ``PushSubscription.toJSON()``: ``endpoint``, and ``keys`` with ``p256dh`` and ``auth``.

    Raises
    ------
    NotSent : its push service does not take it.
    """
    if not is_set_up():
        raise NotSent(NOT_SET_UP)
    from py_vapid import VapidException
    from pywebpush import WebPusher, WebPushException

    endpoint = str(address["endpoint"])
    parts = urlsplit(endpoint)
    shown = {"title": message.title, "body": message.text, "url": message.path, "tag": message.tag}
    try:
        body = WebPusher(dict(address)).encode(json.dumps(shown).encode())["body"]
        claims = {"aud": f"{parts.scheme}://{parts.netloc}", "sub": current_app.config["VAPID_CONTACT"]}
        signed = _key().sign(claims)
    except (WebPushException, VapidException, ValueError, KeyError, TypeError) as error:
        raise NotSent(f"The subscription cannot be used ({type(error).__name__}).", for_good=True) from error
    headers = {
        **signed,
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(TTL_S),
        "Urgency": "high",
        "Topic": message.tag[:32],  # a newer message of the same alarm takes the place of one that waits
    }
    status, answer = outgoing.post(endpoint, body, headers)
    if status in GONE:
        raise NotSent(f"The browser has ended this subscription ({status}). Subscribe again.", gone=True)
    if status in REFUSED:
        raise NotSent(f"Subscribed, but the push service refuses messages ({status}): {answer[:80]}")
    if not 200 <= status < 300:
        raise NotSent(f"The push service answers {status}.", for_good=status == 413)
