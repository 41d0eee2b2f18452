"""How often a password was guessed wrong lately, at an account or from an address."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.tables._columns import Moment


class FailedAttempts(Model):
    __tablename__ = "failed_attempts"

    # Keyed with the signing key: people type passwords into the field of the name
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    last: Mapped[Moment]
