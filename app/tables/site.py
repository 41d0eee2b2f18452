"""Other sites whose sums are merged here, by the keys that they sign with."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.tables._columns import Created, Id


class Site(Model):
    __tablename__ = "site"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(64), unique=True)
    public_key: Mapped[str] = mapped_column(String(64), unique=True)  # Ed25519, in hexadecimal digits
    added_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    created: Mapped[Created]
