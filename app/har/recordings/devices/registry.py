"""The research devices whose files are read as they are, recognised by their first bytes."""

from __future__ import annotations

from typing import Protocol

from app.har.recordings.devices import (
    actigraph_gt3x,
    apple_health,
    axivity,
    embraceplus,
    garmin_fit,
    geneactiv,
    movesense,
)
from app.har.recordings.files import Member
from app.har.signals.types import Recording

HEAD_BYTES = 4096  # that are looked at


class DeviceReader(Protocol):
    """What reads the files of one device; the modules beside this one."""

    APP: str
    DESCRIPTION: str

    def matches(self, member: Member, head: bytes) -> bool:
        """Tell by its first bytes whether a file is one of these."""
        ...

    def read(self, members: list[Member], upload: str) -> list[Recording]:
        """Read all files of this device in one upload, which the person calls by that name."""
        ...


DEVICES: tuple[DeviceReader, ...] = (
    axivity,
    actigraph_gt3x,
    geneactiv,
    embraceplus,
    garmin_fit,
    movesense,
    apple_health,
)


def reader_of(member: Member) -> DeviceReader | None:
    """Return what reads a file, None where it is no device's."""
    head = member.head(HEAD_BYTES)
    return next((reader for reader in DEVICES if reader.matches(member, head)), None)
