"""What people say of their recordings: corrections, calibrations, what is learnt from them, and who may see them."""

from __future__ import annotations

from sqlalchemy import Double, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Model
from app.tables._columns import Created, Id, JsonDict, Moment
from app.tables.model_version import ModelVersion
from app.tables.recording import StoredRecording


class Correction(Model):
    """What somebody did in a stretch of their recording, as they say; an instant begins where it ends."""

    __tablename__ = "correction"

    id: Mapped[Id]
    recording_id: Mapped[int] = mapped_column(ForeignKey("recording.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)  # who said it
    part: Mapped[str] = mapped_column(Text)  # which recording of the file
    start_s: Mapped[float] = mapped_column(Double)  # on the recording's own clock
    end_s: Mapped[float] = mapped_column(Double)
    activity: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(16))  # "timeline" or "calibration"
    batch: Mapped[str] = mapped_column(String(32))  # of those that were said, and are undone, at once
    created: Mapped[Created]
    undone_at: Mapped[Moment | None]
    recording: Mapped[StoredRecording] = relationship()


class Calibration(Model):
    """Activities that somebody did one after the other, by the clock of the page, with the device in one place."""

    __tablename__ = "calibration"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    # None until its recording is uploaded
    recording_id: Mapped[int | None] = mapped_column(ForeignKey("recording.id", ondelete="CASCADE"), index=True)
    place: Mapped[str] = mapped_column(String(20))
    # {"steps": [{"activity", "start", "end"}, …]} in Unix time; "later_s": by how much they were moved, once applied
    steps: Mapped[JsonDict]
    batch: Mapped[str] = mapped_column(String(32), default="")  # of the corrections that it became; "" until then
    created: Mapped[Created]
    recording: Mapped[StoredRecording | None] = relationship()


class PersonalHead(Model):
    """What a model version learnt from a person, for a device worn in one place; the file is in their folder."""

    __tablename__ = "personal_head"
    __table_args__ = (
        UniqueConstraint(
            "user_id", "model_version_id", "place", name="uq_personal_head_user_id_model_version_id_place"
        ),
    )

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id", ondelete="CASCADE"), index=True)
    place: Mapped[str] = mapped_column(String(20))  # "" where it is not known
    file: Mapped[str] = mapped_column(String(64))  # "" where it was not kept
    made_from: Mapped[str] = mapped_column(String(64))  # hash of the corrections and results that it was learnt from
    report: Mapped[JsonDict]  # what it was learnt from, and how it did on what it was not
    switched_on: Mapped[bool] = mapped_column(default=True)
    created: Mapped[Created]
    model_version: Mapped[ModelVersion] = relationship()


class Consent(Model):
    """That a person agreed to a purpose, from when to when; who it was goes with the account."""

    __tablename__ = "consent"

    id: Mapped[Id]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"), index=True)
    purpose: Mapped[str] = mapped_column(String(20), default="training", server_default="training")
    version: Mapped[int]  # of the text that they agreed to; 0: by use, before there was one
    # The subject's name in what administrators see of shared corrections; "" for other purposes
    pseudonym: Mapped[str] = mapped_column(String(32))
    given: Mapped[Created]
    withdrawn: Mapped[Moment | None]
    copies: Mapped[JsonDict]  # {"datasets": [names]}: that were made with it
