"""What programs use the API with, and what they were told of requests that they may send again."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Model
from app.tables._columns import NUMBERED_FOR_GOOD, Created, Id, Moment, now
from app.tables.user import User


class ApiToken(Model):
    """A key that a person made for a program of theirs; it is shown once and kept as a hash."""

    __tablename__ = "api_token"
    __table_args__ = NUMBERED_FOR_GOOD

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    scopes: Mapped[str] = mapped_column(String(400))  # with spaces between
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256
    created: Mapped[Created]
    expires: Mapped[Moment]
    last_used: Mapped[Moment | None]
    user: Mapped[User] = relationship()

    @property
    def is_over(self) -> bool:
        """Whether it has expired."""
        return self.expires <= now()


class KeptAnswer(Model):
    """What was answered to a request with an Idempotency-Key, for a day."""

    __tablename__ = "kept_answer"
    __table_args__ = (UniqueConstraint("user_id", "key", name="uq_kept_answer_user_id_key"),)

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    key: Mapped[str] = mapped_column(String(64))
    asked: Mapped[str] = mapped_column(String(64))  # SHA-256 of what was sent
    status: Mapped[int]
    location: Mapped[str] = mapped_column(String(400))
    body: Mapped[str] = mapped_column(Text)  # sealed under the person's key
    created: Mapped[Created]
