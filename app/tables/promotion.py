"""Which model was the default, since when, and which before it."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Model
from app.tables._columns import Created, Id
from app.tables.user import User


class Promotion(Model):
    __tablename__ = "promotion"

    id: Mapped[Id]
    # Labels stay when a version is deleted, and are never given again
    label: Mapped[str] = mapped_column(String(100))
    replaced: Mapped[str] = mapped_column(String(100))  # "" for the first
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    created: Mapped[Created]
    made_by: Mapped[User | None] = relationship()
