"""This site's key, and the other sites that are known here."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from flask import current_app
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.services import audit
from app.services.audit import Action
from app.services.errors import Conflict, Invalid, NotFound
from app.services.names import NAME_RULE, is_name
from app.services.transaction import LARGEST_ID, rows_changed, transaction
from app.tables import Site

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HERE = "this-site"  # how this site is called among those that are known
KEY_DIGITS = 64


def folder() -> Path:
    """Return where the key, the secrets of rounds and received files are."""
    path = Path(current_app.config["INSTANCE"]) / "federation"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def own_key() -> Ed25519PrivateKey:
    """Return the key that this site signs with; it is made when it is first needed, readable by its owner alone."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = folder() / "site_key"
    if not path.exists():
        draft = path.with_name(f"site_key.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(Ed25519PrivateKey.generate().private_bytes_raw())
            os.link(draft, path)  # of two that make one at the same moment, the first stays
        except FileExistsError:
            pass
        finally:
            draft.unlink(missing_ok=True)
    return Ed25519PrivateKey.from_private_bytes(path.read_bytes())


def own_public_key() -> str:
    """Return what the other sites must know of this one."""
    from app.har.federation.envelope import public_key

    return public_key(own_key())


def list_sites() -> list[Site]:
    """Return the other sites by name."""
    return list(db.session.scalars(select(Site).order_by(Site.name)))


def add(name: str, public_key: str) -> Site:
    """Make a site known by its public key.

    Raises
    ------
    Invalid, Conflict : the name or the key cannot be, or is taken.
    """
    from app.har.federation.envelope import is_weak

    if not is_name(name) or name == HERE:
        raise Invalid(f"A site's name must have {NAME_RULE}, and not be “{HERE}”.", field="name")
    key = "".join(public_key.split()).lower()
    if len(key) != KEY_DIGITS or set(key) - set("0123456789abcdef"):
        raise Invalid(
            f"A public key has {KEY_DIGITS} of the digits 0 to 9 and a to f; the other site prints it with "
            "flask federation key.",
            field="public_key",
        )
    if is_weak(key):
        raise Invalid("With this key anybody can sign; it is of no site. Ask for the right one.", field="public_key")
    if key == own_public_key():
        raise Invalid("This is the key of this site; its files are known here anyway.", field="public_key")
    site = Site(name=name, public_key=key, added_by_id=audit.origin().actor_id)
    try:
        with transaction() as session:
            session.add(site)
    except IntegrityError as error:
        raise Conflict("A site with this name or this key is known already.") from error
    audit.record(Action.SITE_ADDED, name, key=key[:16])
    return site


def remove(key: int | str) -> str:
    """Forget a site, by its number or name: its files are no longer taken; return its name."""
    chosen = Site.name == key if isinstance(key, str) else Site.id == (key if abs(key) <= LARGEST_ID else None)
    site = db.session.scalar(select(Site).where(chosen))
    if site is None:
        raise NotFound("There is no such site.")
    name, number = site.name, site.id
    with transaction():
        rows_changed(delete(Site).where(Site.id == number))
    audit.record(Action.SITE_REMOVED, name)
    return name


def name_of(public_key: str) -> str:
    """Return the name of the site that signs with a key.

    Raises
    ------
    Invalid : nobody here knows it.
    """
    if public_key == own_public_key():
        return HERE
    site = db.session.scalar(select(Site).where(Site.public_key == public_key))
    if site is None:
        raise Invalid(
            f"The file is signed with the key {public_key[:16]}…, which is of no site that is known here. If it is the "
            "key of a partner, an administrator can add it on the page Sites, or with flask federation add."
        )
    return site.name


def fingerprint(public_key: str) -> str:
    """Return a key in groups of digits, as two people read it to each other."""
    return " ".join(public_key[i : i + 8] for i in range(0, KEY_DIGITS, 8))
