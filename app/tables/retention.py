"""For how many days what is kept, where an administrator has said so."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model


class Retention(Model):
    __tablename__ = "retention"

    kind: Mapped[str] = mapped_column(String(32), primary_key=True)  # see services/privacy/retention.py
    days: Mapped[int]
