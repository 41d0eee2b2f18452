"""Addresses that work once: an invitation to make an account, or the reset of an account's password."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Model
from app.tables._columns import Created, Id, Moment
from app.tables.user import User


class OneTimeAddress(Model):
    __tablename__ = "one_time_address"

    id: Mapped[Id]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    # whose password is reset; None for an invitation
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(16), default="")  # of whom is invited
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    created: Mapped[Created]
    until: Mapped[Moment]

    made_by: Mapped[User | None] = relationship(foreign_keys=[made_by_id])
