"""What people said of stretches of a data set that nobody had labelled."""

from __future__ import annotations

from sqlalchemy import Double, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.tables._columns import Created, Id, Moment


class BoutLabel(Model):
    """What somebody did in a stretch of a data set, as an administrator saw it in the signal."""

    __tablename__ = "bout_label"

    id: Mapped[Id]
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))  # who said it
    recording: Mapped[str] = mapped_column(Text)  # as the data set calls it
    start_s: Mapped[float] = mapped_column(Double)  # on the recording's own clock
    end_s: Mapped[float] = mapped_column(Double)
    activity: Mapped[str] = mapped_column(Text)  # "" where it was looked at and has no name
    work_s: Mapped[float] = mapped_column(Double)  # for which it was looked at
    created: Mapped[Created]
    undone_at: Mapped[Moment | None]
