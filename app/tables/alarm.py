"""Alarms, their life, and what is sent because of them."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Model
from app.tables._columns import NUMBERED_FOR_GOOD, Created, Id, JsonDict, Moment
from app.tables.user import User


class AlarmRule(Model):
    """How one kind of alarm is to behave for a person; without a row, as `services.alarms.rules` has it."""

    __tablename__ = "alarm_rule"
    __table_args__ = (UniqueConstraint("user_id", "kind", name="uq_alarm_rule_user_id_kind"),)

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    switched_on: Mapped[bool] = mapped_column(default=True)
    settings: Mapped[JsonDict]


class Alarm(Model):
    """Something that a person's devices noticed; of one kind at most one is not closed yet."""

    __tablename__ = "alarm"
    __table_args__ = (
        Index(
            "uq_alarm_live",
            "user_id",
            "kind",
            unique=True,
            sqlite_where=text("state != 'closed'"),
            postgresql_where=text("state != 'closed'"),
        ),
        NUMBERED_FOR_GOOD,
    )

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    session_id: Mapped[int | None] = mapped_column(ForeignKey("live_session.id", ondelete="SET NULL"))
    created: Mapped[Created]
    due: Mapped[Moment | None] = mapped_column(index=True)  # when it moves on by itself
    times: Mapped[int] = mapped_column(default=1)  # how often it was noticed while it was live
    facts: Mapped[JsonDict]  # when, how strong, by which method; never a signal
    verdict: Mapped[str] = mapped_column(String(10), default="")  # once it is closed: "true", "false" or ""
    user: Mapped[User] = relationship()
    steps: Mapped[list[AlarmStep]] = relationship(
        back_populates="alarm", cascade="all, delete-orphan", order_by="AlarmStep.id"
    )


class AlarmStep(Model):
    """One transition of an alarm: who, when, why. Rows are only ever added."""

    __tablename__ = "alarm_step"

    id: Mapped[Id]
    alarm_id: Mapped[int] = mapped_column(ForeignKey("alarm.id", ondelete="CASCADE"), index=True)
    before: Mapped[str] = mapped_column(String(20))  # "" of the first
    after: Mapped[str] = mapped_column(String(20))
    who_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))  # None: Kinelab itself
    why: Mapped[str] = mapped_column(String(200))
    at: Mapped[Created]
    alarm: Mapped[Alarm] = relationship(back_populates="steps")
    who: Mapped[User | None] = relationship()


class NoticeTarget(Model):
    """Where somebody wants to be told of alarms (e-mail, a webhook, a browser's push service), or a program of events.

    That of somebody who was erased is nobody's, until the program was told or is given up.
    """

    __tablename__ = "notice_target"

    id: Mapped[Id]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    channel: Mapped[str] = mapped_column(String(10))
    events: Mapped[str] = mapped_column(String(200), default="")  # with spaces between; "" of one for alarms
    address: Mapped[JsonDict]  # what the channel needs; secrets among it
    switched_on: Mapped[bool] = mapped_column(default=True)
    created: Mapped[Created]
    last_sent: Mapped[Moment | None]
    last_error: Mapped[str] = mapped_column(String(200), default="")
    user: Mapped[User] = relationship()


class Notice(Model):
    """A message in the outbox: of one step of an alarm or of an event, to one target. It is claimed once."""

    __tablename__ = "notice"
    __table_args__ = (UniqueConstraint("step_id", "target_id", name="uq_notice_step_id_target_id"),)

    id: Mapped[Id]
    target_id: Mapped[int] = mapped_column(ForeignKey("notice_target.id", ondelete="CASCADE"), index=True)
    step_id: Mapped[int | None] = mapped_column(ForeignKey("alarm_step.id", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(String(20), default="")  # which; "" and no step: a test
    facts: Mapped[JsonDict]  # of an event: names and numbers, never a signal
    state: Mapped[str] = mapped_column(String(10), default="waiting")  # waiting, claimed, sent, dead
    tries: Mapped[int] = mapped_column(default=0)
    due: Mapped[Moment | None] = mapped_column(index=True)
    claimed: Mapped[Moment | None]
    error: Mapped[str] = mapped_column(String(200), default="")
    about: Mapped[str] = mapped_column(String(64), default="")  # of a test: whose alarms; of an event: which recording
    created: Mapped[Created]
    target: Mapped[NoticeTarget] = relationship()
    step: Mapped[AlarmStep | None] = relationship()


class CareConsent(Model):
    """That a person lets a caregiver see their state and alarms, from when to when."""

    __tablename__ = "care_consent"
    __table_args__ = (
        Index(
            "uq_care_consent_live",
            "user_id",
            "caregiver_id",
            unique=True,
            sqlite_where=text("withdrawn IS NULL"),
            postgresql_where=text("withdrawn IS NULL"),
        ),
    )

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    caregiver_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    version: Mapped[int]  # of the text that they agreed to
    given: Mapped[Created]
    withdrawn: Mapped[Moment | None]
    user: Mapped[User] = relationship(foreign_keys=[user_id])
    caregiver: Mapped[User] = relationship(foreign_keys=[caregiver_id])
