"""Whose account a person of a provider of single sign-on opens."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.tables._columns import NUMBERED_FOR_GOOD, Created, Id, Moment


class IdentityLink(Model):
    __tablename__ = "identity_link"
    # By e-mail nobody is known: providers give addresses to others, and people change them
    __table_args__ = (
        UniqueConstraint("issuer", "subject", name="uq_identity_link_issuer_subject"),
        UniqueConstraint("user_id", "issuer", name="uq_identity_link_user_id_issuer"),
        NUMBERED_FOR_GOOD,
    )

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    created: Mapped[Created]
    last_used: Mapped[Moment | None]
