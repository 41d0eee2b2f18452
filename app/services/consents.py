"""What people agreed to, by purpose: versioned texts, given and taken back with time, asked where data are used.

`requires` is the one question. Consents to a caregiver are of one caregiver each and have a table of their own
(`care.consents`); those to training have a made-up name and what was made with them (`personal.consents`). Version 0 is
what people had agreed to by use before there were texts: it holds until they take it back.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from app.extensions import db
from app.services import audit
from app.services.audit import Action
from app.services.errors import Conflict, Forbidden
from app.services.purposes import Purpose
from app.services.transaction import transaction
from app.tables import Consent

BY_USE = 0  # the version of what was agreed to by use
TEXTS: Mapping[Purpose, Mapping[int, tuple[str, ...]]] = {  # a text that people agreed to is never changed
    Purpose.RECOGNITION: {
        1: (
            "Files that I upload, and what devices that I connect send, are read on this server, and models recognise "
            "what I was doing. Recordings and results are stored for me; only I see them.",
            "What I correct teaches a model of my own, which answers for nobody else.",
            "I can take this back at any time. From then on nothing is recognised and no device is listened to. What "
            "is there stays until I delete it, here or with my account.",
        ),
    },
    Purpose.LIVE: {
        1: (
            "What a device sends while it streams becomes a recording that I alone see, if I say so for the device. "
            "Without this, its signal is deleted when the stream ends; how long I did what stays.",
            "I can take this back at any time. From then on no stream of mine is kept, one that runs included. "
            "Recordings that are there stay until I delete them.",
        ),
    },
    Purpose.FEDERATION: {
        1: (
            "Where my corrections are in a data set of this site, sums over the windows of all people in it may be "
            "given to other sites, so that one model learns from several. No recording and no window leaves this site.",
            "I can take this back at any time. From then on sums are made without me. Sums that were given before stay "
            "with those who have them, and so do models that learnt from them.",
        ),
    },
}
WITHOUT = {  # what is said where it is not agreed to
    Purpose.RECOGNITION: "You have not agreed that recordings are recognised. You can, under Your account, Consents.",
    Purpose.LIVE: "The person has not agreed that live streams are kept as recordings.",
    Purpose.TRAINING: "The person has not agreed that models learn from their corrections.",
    Purpose.FEDERATION: "The person has not agreed that sums are shared with other sites.",
    Purpose.CAREGIVER: "The person has not agreed that this caregiver sees them.",
}


class NotAgreed(Forbidden):
    """A person has not agreed to a purpose, or took it back."""

    title = "Not agreed to"

    def __init__(self, purpose: Purpose) -> None:
        super().__init__(WITHOUT[purpose])
        self.purpose = purpose


def requires(purpose: Purpose, user_id: int, caregiver_id: int | None = None) -> None:
    """Refuse a use of somebody's data to which they have not agreed.

    Raises
    ------
    NotAgreed : to this purpose, or of this caregiver.
    """
    if not holds(purpose, user_id, caregiver_id):
        raise NotAgreed(purpose)


def holds(purpose: Purpose, user_id: int, caregiver_id: int | None = None) -> bool:
    """Tell whether a person agrees to a purpose at this moment."""
    if purpose is Purpose.CAREGIVER:
        from app.services.care import consents as care

        return caregiver_id is not None and care.holds(user_id, caregiver_id)
    if purpose is Purpose.TRAINING:
        from app.services.personal import consents as sharing

        return sharing.current(user_id) is not None
    return current(purpose, user_id) is not None


def current(purpose: Purpose, user_id: int) -> Consent | None:
    """Return a person's consent to a purpose that holds, None where there is none."""
    own = select(Consent).filter_by(user_id=user_id, purpose=purpose.value, withdrawn=None)
    return db.session.scalar(own.order_by(Consent.id.desc()).limit(1))


def history(user_id: int) -> list[Consent]:
    """Return all that a person ever agreed to, the newest first; caregivers apart."""
    return list(db.session.scalars(select(Consent).filter_by(user_id=user_id).order_by(Consent.id.desc())))


def version_of(purpose: Purpose) -> int:
    """Return the version of the text that people agree to now."""
    return max(TEXTS[purpose])


def add(purpose: Purpose, user_id: int) -> bool:
    """Within a transaction: keep that a person agrees, with the act by which they say so; not twice."""
    if is_new := current(purpose, user_id) is None:
        db.session.add(Consent(user_id=user_id, purpose=purpose.value, version=version_of(purpose), pseudonym=""))
    return is_new


def give(purpose: Purpose, user_id: int, version: int) -> None:
    """Keep that a person agrees to a version of the text.

    Raises
    ------
    Conflict : it is another text than they were shown.
    """
    if version != version_of(purpose):
        raise Conflict("The text has changed meanwhile. Read it again.")
    with transaction():
        is_new = add(purpose, user_id)
    if is_new:
        audit.record(Action.CONSENT_GIVEN, purpose.value, version=version)
