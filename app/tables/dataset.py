"""Data sets that an administrator loaded."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.tables._columns import Created, Id, JsonDict


class Dataset(Model):
    __tablename__ = "dataset"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(64), unique=True)
    folder: Mapped[str] = mapped_column(String(64), unique=True)  # under instance/datasets/
    source: Mapped[str] = mapped_column(String(500))  # where it came from, as the administrator named it
    fingerprint: Mapped[str] = mapped_column(String(64))
    summary: Mapped[JsonDict]  # har.store.Summary.as_dict()
    # Shared names of activities by their own, where somebody chose another than the usual; "" leaves one out
    vocabulary: Mapped[JsonDict] = mapped_column(server_default="{}")
    places: Mapped[JsonDict] = mapped_column(server_default="{}")  # where each device was worn, where that is known
    added_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    created: Mapped[Created]
