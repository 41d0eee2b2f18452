"""Devices that stream, and the sessions in which they do."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Model
from app.tables._columns import NUMBERED_FOR_GOOD, Created, Id, JsonDict, Moment
from app.tables.user import User


class Device(Model):
    """A phone or watch that may stream for a person; its token is shown once and kept as a hash."""

    __tablename__ = "device"
    __table_args__ = NUMBERED_FOR_GOOD

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    place: Mapped[str] = mapped_column(String(20), default="")  # where it is worn, if the person said so
    keeps: Mapped[bool] = mapped_column(default=False)  # the person agreed that sessions become recordings
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256
    created: Mapped[Created]
    last_heard: Mapped[Moment | None]
    revoked: Mapped[Moment | None]
    user: Mapped[User] = relationship()


class LiveSession(Model):
    """One stream of a device, from its first batch to its end; ``uploads/<folder>/`` holds its journal."""

    __tablename__ = "live_session"
    __table_args__ = (UniqueConstraint("device_id", "key", name="uq_live_session_device_id_key"), NUMBERED_FOR_GOOD)

    id: Mapped[Id]
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    key: Mapped[str] = mapped_column(String(64))  # what the device calls it
    folder: Mapped[str] = mapped_column(String(64), unique=True)
    keeps: Mapped[bool]  # as the device's, when it began
    started: Mapped[Created]
    last_heard: Mapped[Moment | None]
    ended: Mapped[Moment | None]
    end_reason: Mapped[str] = mapped_column(String(80), default="")
    facts: Mapped[JsonDict]  # batches received, lost, doubled, late; rates; battery; seconds of each answer
    recording_id: Mapped[int | None] = mapped_column(ForeignKey("recording.id", ondelete="SET NULL"))
    device: Mapped[Device] = relationship()
