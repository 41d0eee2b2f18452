"""What an installation says of its provider of single sign-on; `config.py` reads it from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

OTHERS = "*"  # in the mapping of roles: whoever has none of the values that it names
ROLES = ("user", "caregiver", "admin")  # the least power first
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class ProviderSettings:
    """A provider of OpenID Connect, and what its word counts for here."""

    issuer: str
    client_id: str
    name: str  # what pages call it
    client_secret: str = field(default="", repr=False)  # "": this site is known there as a public client
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    new_accounts: bool = True
    role_claim: tuple[str, ...] = ()  # the way to the claim, one name a step; () where roles are given here alone
    roles: Mapping[str, str] = field(default_factory=dict)  # value of the claim, or OTHERS: role
    second_factors: frozenset[str] = frozenset()  # values of `amr` for which no code is asked here
    ca_file: Path | None = None

    @property
    def plain_http(self) -> bool:
        """Tell whether the provider is on this machine and may be asked without TLS."""
        return self.issuer.startswith("http://")


def checked_issuer(text: str) -> str:
    """Return the address of a provider.

    Raises
    ------
    ValueError : it is none.
    """
    parts = urlsplit(text)
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    odd = parts.query or parts.fragment or parts.username or not parts.hostname or not re.fullmatch(r"[!-~]+", text)
    if not secure or odd:
        raise ValueError(text)
    return text


def read_roles(text: str) -> dict[str, str]:
    """Return what a mapping such as ``lab-admins=admin,*=user`` says.

    Raises
    ------
    ValueError : it says something else.
    """
    found = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        value, sign, role = (each.strip() for each in part.rpartition("="))
        if not sign or not value or role not in ROLES or value in found:
            raise ValueError(part)
        found[value] = role
    return found
