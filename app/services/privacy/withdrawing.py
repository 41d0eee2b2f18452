"""A consent is taken back: what it was for ends at once."""

from __future__ import annotations

from sqlalchemy import update

from app.services import audit
from app.services.audit import Action
from app.services.live import sessions, tokens
from app.services.purposes import Purpose
from app.services.transaction import rows_changed, transaction
from app.tables import Consent, Device, LiveSession
from app.tables._columns import now


def withdraw(purpose: Purpose, user_id: int) -> None:
    """Take back what a person agreed to; what it was for ends at once."""
    with transaction() as session:
        own = update(Consent).filter_by(user_id=user_id, purpose=purpose.value, withdrawn=None)
        ended = rows_changed(own.values(withdrawn=now()))
        if purpose is Purpose.LIVE:
            session.execute(update(Device).filter_by(user_id=user_id).values(keeps=False))
            session.execute(update(LiveSession).filter_by(user_id=user_id, recording_id=None).values(keeps=False))
    if purpose is Purpose.LIVE:
        sessions.keep_none(user_id)
        tokens.forget(user_id)
    if purpose is Purpose.RECOGNITION:
        sessions.end_all(user_id, "consent taken back")
    if ended:
        audit.record(Action.CONSENT_WITHDRAWN, purpose.value)
