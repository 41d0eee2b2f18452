"""That somebody was erased: when, how much, and whether all of it was looked for again. Not who."""

from __future__ import annotations

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.tables._columns import Created, Id, JsonDict, Moment


class Erasure(Model):
    __tablename__ = "erasure"

    id: Mapped[Id]
    token: Mapped[str] = mapped_column(String(32), unique=True)  # of its tombstone, see services/privacy/tombstones.py
    erased: Mapped[Created]
    counts: Mapped[JsonDict]  # rows by what they are
    looked_again: Mapped[Moment | None]
    left: Mapped[list[str]] = mapped_column(JSON, default=list)  # what was found then and goes later, in words
