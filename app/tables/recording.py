"""Recordings that users uploaded, and what was recognised in them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Model
from app.tables._columns import NUMBERED_FOR_GOOD, Created, Id, JsonDict, UtcDateTime
from app.tables.model_version import ModelVersion
from app.tables.user import User


class StoredRecording(Model):
    """An uploaded file; ``uploads/<folder>/`` holds it and all that was made from it."""

    __tablename__ = "recording"
    __table_args__ = NUMBERED_FOR_GOOD

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    filename: Mapped[str] = mapped_column(String(255))  # as the person named it: shown, never used as a path
    folder: Mapped[str] = mapped_column(String(64), unique=True)  # server-made, under uploads/
    facts: Mapped[JsonDict]  # duration, rate, sensors, problems
    place: Mapped[str | None] = mapped_column(String(20))  # where the device was worn, if the person said so
    title: Mapped[str] = mapped_column(String(120), default="")  # a name that the person gave it
    notes: Mapped[str] = mapped_column(Text, default="")
    recorded: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when its signal begins, if its clock tells that
    fingerprint: Mapped[str | None] = mapped_column(String(64))  # SHA-256 of the file; None of an earlier build
    created: Mapped[Created]
    user: Mapped[User] = relationship()
    predictions: Mapped[list[Prediction]] = relationship(
        back_populates="recording", cascade="all, delete-orphan", order_by="Prediction.id.desc()"
    )

    @property
    def shown_title(self) -> str:
        """What lists and pages call it."""
        return self.title or self.filename


class Prediction(Model):
    """What one model recognised in one recording; the windows themselves are in a file of the recording's folder."""

    __tablename__ = "prediction"
    __table_args__ = NUMBERED_FOR_GOOD

    id: Mapped[Id]
    recording_id: Mapped[int] = mapped_column(ForeignKey("recording.id", ondelete="CASCADE"), index=True)
    model_version_id: Mapped[int | None] = mapped_column(ForeignKey("model_version.id", ondelete="SET NULL"))
    model_label: Mapped[str] = mapped_column(String(100))  # stays when the model is deleted
    summary: Mapped[JsonDict]  # windows, minutes per activity, mean confidence, accuracy where labels exist
    created: Mapped[Created]
    recording: Mapped[StoredRecording] = relationship(back_populates="predictions")
    model_version: Mapped[ModelVersion | None] = relationship()


class UploadAttempt(Model):
    """An upload that is being read, or that could not be: it goes when the recording is there, or is dismissed."""

    __tablename__ = "upload_attempt"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    filename: Mapped[str] = mapped_column(String(255))
    token: Mapped[str] = mapped_column(String(32))  # of its progress, see `upload_progress`
    reason: Mapped[str | None] = mapped_column(Text)  # why it could not be read; None while it is read
    file_token: Mapped[str | None] = mapped_column(String(32))  # of the file that is kept for a day, see `pending`
    created: Mapped[Created]
