"""Phones and watches that may stream for a person. Each has a token, shown once; the table holds its hash."""

from __future__ import annotations

import secrets

from sqlalchemy import func, select

from app.extensions import db
from app.services import audit, consents
from app.services.audit import Action
from app.services.errors import Conflict, Invalid, NotFound
from app.services.live import sessions, tokens
from app.services.purposes import Purpose
from app.services.recordings.places import PLACES
from app.services.transaction import transaction
from app.tables import Device
from app.tables._columns import now

NAME_LENGTH = 80
EACH = 20  # devices of one person, those not counted that are revoked


def make(user_id: int, name: str, place: str = "", keeps: bool = False) -> tuple[Device, str]:
    """Add a device; return it with its token, which is nowhere else.

    Parameters
    ----------
    place : where it is worn, one of `places.PLACES`; "" where that changes.
    keeps : whether its sessions become recordings.

    Raises
    ------
    Invalid : a name that is empty or too long, or another place.
    Conflict : the person has too many devices.
    """
    name, place = _checked(name, place)
    token = secrets.token_urlsafe(32)
    with transaction() as session:
        mine = select(func.count()).select_from(Device).where(Device.user_id == user_id, Device.revoked.is_(None))
        if (session.scalar(mine) or 0) >= EACH:
            raise Conflict(f"You have {EACH} devices already. Delete one that you no longer use.")
        device = Device(user_id=user_id, name=name, place=place, keeps=keeps, token_hash=tokens.hash_of(token))
        session.add(device)
        if keeps:
            consents.add(Purpose.LIVE, user_id)
    audit.record(Action.DEVICE_ADDED, f"device {device.id}", keeps=keeps)
    return device, token


def renew(user_id: int, device_id: int) -> str:
    """Give a device another token, which is returned and nowhere else; the one before is void at once."""
    device = get(user_id, device_id)
    token = secrets.token_urlsafe(32)
    with transaction():
        device.token_hash, device.revoked = tokens.hash_of(token), None
    tokens.forget(user_id, device_id)
    audit.record(Action.DEVICE_CHANGED, f"device {device_id}", token="renewed")  # noqa: S106  no token
    return token


def revoke(user_id: int, device_id: int) -> None:
    """Take nothing more from a device, at once; its sessions end."""
    device = get(user_id, device_id)
    with transaction():
        device.revoked = device.revoked or now()
    tokens.forget(user_id, device_id)
    sessions.end_all(user_id, "the device was revoked", device_id)
    audit.record(Action.DEVICE_REVOKED, f"device {device_id}")


def revoke_all(user_id: int) -> None:
    """Take nothing more from any device of a person."""
    for device in in_use(user_id):
        revoke(user_id, device.id)


def delete(user_id: int, device_id: int) -> None:
    """Delete a device with what is stored of its sessions; recordings that these became stay."""
    device = get(user_id, device_id)
    tokens.forget(user_id, device_id)
    folders = sessions.drop(user_id, device_id)
    with transaction() as session:
        session.delete(device)
    tokens.forget(user_id, device_id)  # a batch may have looked it up meanwhile
    sessions.delete_folders([*folders, *sessions.drop(user_id, device_id)])
    audit.record(Action.DEVICE_DELETED, f"device {device_id}")


def change(
    user_id: int, device_id: int, name: str | None = None, place: str | None = None, keeps: bool | None = None
) -> Device:
    """Change what is said of a device; None leaves it. Sessions that run go on as they began."""
    device = get(user_id, device_id)
    name, place = _checked(device.name if name is None else name, device.place if place is None else place)
    with transaction():
        device.name, device.place = name, place
        if keeps is not None:
            device.keeps = keeps
            if keeps:
                consents.add(Purpose.LIVE, user_id)
    tokens.forget(user_id, device_id)
    audit.record(Action.DEVICE_CHANGED, f"device {device_id}", keeps=device.keeps)
    return device


def list_devices(user_id: int) -> list[Device]:
    """Return a person's devices, the newest first, and those that are revoked last."""
    own = select(Device).where(Device.user_id == user_id)
    return list(db.session.scalars(own.order_by(Device.revoked.is_not(None), Device.id.desc())))


def in_use(user_id: int) -> list[Device]:
    """Return a person's devices that are not revoked."""
    return [device for device in list_devices(user_id) if device.revoked is None]


def get(user_id: int, device_id: int) -> Device:
    """Return a device of this person; one of somebody else does not exist for them."""
    device = db.session.get(Device, device_id)
    if device is None or device.user_id != user_id:
        raise NotFound("You have no such device.")
    return device


def _checked(name: str, place: str) -> tuple[str, str]:
    name = " ".join(name.split())
    if not 0 < len(name) <= NAME_LENGTH:
        raise Invalid(f"A device needs a name of at most {NAME_LENGTH} letters.", "name")
    if place and place not in PLACES:
        raise Invalid(f"The place is one of {', '.join(PLACES)}; found {place[:40]!r}.", "place")
    return name, place
