"""What users said of the columns of their files, kept for the next file of the same layout."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.tables._columns import Created, Id, JsonDict


class SavedMapping(Model):
    __tablename__ = "saved_mapping"
    __table_args__ = (
        UniqueConstraint("user_id", "name", name="uq_saved_mapping_user_id_name"),
        Index("ix_saved_mapping_user_id_fingerprint", "user_id", "fingerprint"),
    )

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(80))
    fingerprint: Mapped[str] = mapped_column(String(64))  # of the layout, see har.recordings.mapping
    document: Mapped[JsonDict]  # ColumnMapping.as_dict()
    created: Mapped[Created]
