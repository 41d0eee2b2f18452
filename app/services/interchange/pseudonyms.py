"""What people and their recordings are called outside: numbers that only this installation can lead back to them."""

from __future__ import annotations

import hmac
from uuid import UUID, uuid5

from app.services import keys


def of_person(user_id: int) -> UUID:
    """Return a person's name in exports. It is made of their key: when that goes, so does what leads back to them."""
    return UUID(bytes=hmac.digest(keys.of(user_id).secret, b"person in exports", "sha256")[:16], version=4)


def of_recording(person: UUID, recording_id: int) -> UUID:
    """Return the name in exports of a recording of somebody who has one."""
    return uuid5(person, f"recording {recording_id}")
