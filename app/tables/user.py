"""Accounts. A user is an account; the person recorded is a subject, and they are different tables."""

from __future__ import annotations

from enum import Enum

from flask_login import UserMixin
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.security import check_password_hash, generate_password_hash

from app.extensions import Model
from app.tables._columns import NUMBERED_FOR_GOOD, Created, Id, Moment

# OWASP's Password Storage Cheat Sheet: with N = 2^15, three times; Werkzeug's default is once
PASSWORD_METHOD = "scrypt:32768:8:3"  # noqa: S105  the name of a method

NO_PASSWORD = ""  # in place of a hash: single sign-on alone opens the account


class Role(str, Enum):
    ADMIN = "admin"
    USER = "user"
    CAREGIVER = "caregiver"  # sees those who agreed to it, and nothing else

    @property
    def in_words(self) -> str:
        """Return what people call it, with its article."""
        return {Role.ADMIN: "an administrator", Role.USER: "a user", Role.CAREGIVER: "a caregiver"}[self]

    @property
    def label(self) -> str:
        """Return what stands in a table."""
        return self.in_words.split()[1].capitalize()


def hash_of(password: str) -> str:
    """Hash a password for storing."""
    return generate_password_hash(password, method=PASSWORD_METHOD)


class User(UserMixin, Model):
    __tablename__ = "user"
    __table_args__ = NUMBERED_FOR_GOOD  # the number of who was erased is nobody's

    id: Mapped[Id]
    username: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    contact_number: Mapped[str] = mapped_column(String(32))
    address: Mapped[str] = mapped_column(String(500))
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[Role] = mapped_column(default=Role.USER)
    disabled: Mapped[bool] = mapped_column(default=False)
    created: Mapped[Created]
    last_login: Mapped[Moment | None]
    # None without a second factor; what its secret is derived from, and when its last code was used
    second_factor: Mapped[str | None] = mapped_column(String(32))
    second_factor_step: Mapped[int | None]
    age_group: Mapped[str] = mapped_column(String(20), default="")  # of `har.measures.cut_points.AGES`, if they said it

    @property
    def is_active(self) -> bool:
        """Tell flask-login whether the account may be used."""
        return not self.disabled

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN

    @property
    def is_caregiver(self) -> bool:
        return self.role is Role.CAREGIVER

    # of the session that the request belongs to; not a column (services/identity/sessions.py)
    session_token = ""

    def get_id(self) -> str:
        """Return what flask-login keeps in the cookie: the session, not the account."""
        return self.session_token

    def set_password(self, password: str) -> None:
        self.password_hash = hash_of(password)

    @property
    def has_password(self) -> bool:
        return self.password_hash != NO_PASSWORD

    @property
    def has_old_hash(self) -> bool:
        """Tell whether the hash was made by an earlier build, with less work."""
        return not self.password_hash.startswith(f"{PASSWORD_METHOD}$")

    def check_password(self, password: str) -> bool:
        return self.has_password and check_password_hash(self.password_hash, password)
