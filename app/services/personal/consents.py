"""Whether a person lets administrators see their corrections: asked for, versioned, and taken back at any time."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import select

from app.extensions import db
from app.services import audit
from app.services.audit import Action
from app.services.errors import Conflict
from app.services.purposes import Purpose
from app.services.transaction import transaction
from app.tables import Consent
from app.tables._columns import now

TEXTS: dict[int, tuple[str, ...]] = {  # a text that people agreed to is never changed: another one is another version
    1: (
        "Administrators of this Kinelab may see the parts of my recordings that I corrected or calibrated, with what "
        "I said I did there, and the place where the device was worn. They may copy them into a data set, and train "
        "models on it for everybody.",
        "They do not see the rest of my recordings, their names, my notes or my name: in the data I have a made-up "
        "name. Whoever knows how I move might still recognise me in a signal.",
        "I can take this back at any time. From then on nothing of mine is shown or copied. Data sets that were made "
        "before are marked, so that an administrator removes them; models that were trained on them stay.",
    ),
}
TEXTS[2] = (
    *TEXTS[1][:2],
    "I can take this back at any time. From then on nothing of mine is shown or copied, and my parts are taken out of "
    "the data sets that were made before. Models that were trained on them stay; administrators see which, and can "
    "train them again without me.",
)
VERSION = max(TEXTS)
PURPOSE = Purpose.TRAINING.value
HOLDING = frozenset({1, 2})  # texts that promise no more than what is done: who agreed to one is not asked again


def current(user_id: int) -> Consent | None:
    """Return a person's consent that holds, None where there is none."""
    own = (
        select(Consent).filter_by(user_id=user_id, purpose=PURPOSE, withdrawn=None).where(Consent.version.in_(HOLDING))
    )
    return db.session.scalar(own.order_by(Consent.id.desc()).limit(1))


def history(user_id: int) -> list[Consent]:
    """Return all consents of a person, the newest first."""
    return list(
        db.session.scalars(select(Consent).filter_by(user_id=user_id, purpose=PURPOSE).order_by(Consent.id.desc()))
    )


def holding() -> list[Consent]:
    """Return all consents that hold, of accounts that are there."""
    agreed = Consent.user_id.is_not(None), Consent.version.in_(HOLDING)
    return list(
        db.session.scalars(
            select(Consent).filter_by(purpose=PURPOSE, withdrawn=None).where(*agreed).order_by(Consent.id)
        )
    )


def give(user_id: int, version: int) -> Consent:
    """Keep that a person agrees to a version of the text.

    Raises
    ------
    Conflict : it is another text than they were shown.
    """
    if version != VERSION:
        raise Conflict("The text has changed meanwhile. Read it again.")
    if (already := current(user_id)) is not None:
        return already
    with transaction() as session:
        consent = Consent(user_id=user_id, purpose=PURPOSE, version=version, pseudonym=f"person-{uuid4().hex[:8]}")
        session.add(consent)
    audit.record(Action.CONSENT_GIVEN, f"consent {consent.id}", version=version)
    return consent


def withdraw(user_id: int) -> None:
    """Take back what a person agreed to; nothing happens where they did not."""
    with transaction():
        ended = end(user_id)
    for number in ended:
        audit.record(Action.CONSENT_WITHDRAWN, f"consent {number}")


def end(user_id: int) -> list[int]:
    """Within a transaction: end what a person agreed to; return which consents that were."""
    ended = [consent for consent in history(user_id) if consent.withdrawn is None]
    for consent in ended:
        consent.withdrawn = now()
    return [consent.id for consent in ended]


def note_copy(dataset: str, ids: list[int]) -> None:
    """Keep that a data set was made with some consents."""
    with transaction() as session:
        for consent in session.scalars(select(Consent).where(Consent.id.in_(ids))):
            consent.copies = {"datasets": sorted({*consent.copies.get("datasets", []), dataset})}


def of_copies(dataset: str) -> list[int]:
    """Return the consents, taken back or not, that a data set was made with."""
    return [one.id for one in db.session.scalars(select(Consent)) if dataset in one.copies.get("datasets", [])]


def shared_datasets() -> set[str]:
    """Return the names of the data sets that were made of what people shared."""
    return {name for copies in db.session.scalars(select(Consent.copies)) for name in copies.get("datasets", [])}
