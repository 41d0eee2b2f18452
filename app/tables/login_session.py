"""Who is logged in, from where. The database keeps the hash of a token; the token itself is in the browser's cookie."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.tables._columns import Created, Id, Moment, now


class LoginSession(Model):
    __tablename__ = "login_session"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    address: Mapped[str] = mapped_column(String(64))  # of the machine that logged in
    browser: Mapped[str] = mapped_column(String(64))  # in words
    created: Mapped[Created]
    last_seen: Mapped[Moment] = mapped_column(default=now)
