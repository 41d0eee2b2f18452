"""Mappings of columns that users have saved, for the next file of the same layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from app.extensions import db
from app.services import audit
from app.services.audit import Action
from app.services.errors import Invalid, NotFound
from app.services.transaction import transaction
from app.tables import SavedMapping
from app.tables._columns import now

if TYPE_CHECKING:
    from app.har.recordings.mappings.mapping import ColumnMapping

MAX_NAME = 80


def mapping_of(saved: SavedMapping) -> ColumnMapping:
    """Return a saved mapping as the core takes it."""
    from app.har.recordings.mappings.mapping import ColumnMapping

    return ColumnMapping.from_document(saved.document, saved.name)


def list_saved(user_id: int) -> list[SavedMapping]:
    """Return a user's saved mappings by name."""
    query = select(SavedMapping).filter_by(user_id=user_id).order_by(SavedMapping.name)
    return list(db.session.scalars(query))


def get_saved(user_id: int, mapping_id: int) -> SavedMapping:
    """Return a saved mapping of this user."""
    saved = db.session.get(SavedMapping, mapping_id)
    if saved is None or saved.user_id != user_id:
        if saved is not None:
            audit.record(Action.REFUSAL, f"mapping {mapping_id}", outcome="refused", reason="somebody else's")
        raise NotFound("You have no such mapping.")
    return saved


def rename(user_id: int, mapping_id: int, name: str) -> SavedMapping:
    """Give a saved mapping another name."""
    saved, name = get_saved(user_id, mapping_id), checked_name(name)
    other = named(user_id, name)
    if other is not None and other.id != saved.id:
        raise Invalid(f"You already have a mapping called “{name}”.", field="name")
    with transaction():
        saved.name = name
    audit.record(Action.MAPPING_SAVED, f"mapping {mapping_id}", change="renamed")
    return saved


def delete(user_id: int, mapping_id: int) -> None:
    """Forget a saved mapping; recordings that were read by it stay as they are."""
    saved = get_saved(user_id, mapping_id)
    with transaction() as session:
        session.delete(saved)
    audit.record(Action.MAPPING_DELETED, f"mapping {mapping_id}")


def by_fingerprint(user_id: int) -> dict[str, SavedMapping]:
    """Return the user's latest mapping for the files of each layout."""
    query = select(SavedMapping).filter_by(user_id=user_id).order_by(SavedMapping.created)
    return {saved.fingerprint: saved for saved in db.session.scalars(query)}


def checked_name(name: str) -> str:
    """Return a name for a mapping without what cannot be printed.

    Raises
    ------
    Invalid : it is empty or too long.
    """
    name = "".join(c for c in name if c.isprintable()).strip()
    if not 1 <= len(name) <= MAX_NAME:
        raise Invalid(f"A mapping's name must have 1 to {MAX_NAME} characters.", field="name")
    return name


def name_taken(name: str) -> Invalid:
    """Return the refusal of a name that is taken by a mapping for files of another layout."""
    return Invalid(f"You already have a mapping called “{name}”, for files with other columns.", field="name")


def keep(user_id: int, name: str, fingerprint: str, mapping: ColumnMapping) -> None:
    """Save a mapping under a name, in the transaction of the caller; of one layout the latest is used."""
    saved = named(user_id, name)
    if saved is None:
        saved = SavedMapping(user_id=user_id, name=name, fingerprint=fingerprint)
        db.session.add(saved)
    saved.document, saved.created = mapping.as_dict(), now()


def named(user_id: int, name: str) -> SavedMapping | None:
    """Return the user's mapping of a name, None where there is none."""
    return db.session.scalar(select(SavedMapping).filter_by(user_id=user_id, name=name))
