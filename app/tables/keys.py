"""Which key this installation has, and the keys of people, wrapped by it. The key itself is never here."""

from __future__ import annotations

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.tables._columns import Created


class InstallationKey(Model):
    """By what the installation's key is known; one row."""

    __tablename__ = "installation_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(16))
    salt: Mapped[bytes | None] = mapped_column(LargeBinary)  # where it is derived from a passphrase
    created: Mapped[Created]


class PersonKey(Model):
    """The key under which the files about a person are sealed; without this row they can never be read again."""

    __tablename__ = "person_key"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)  # as the heads of sealed files have it
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), unique=True)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created: Mapped[Created]
