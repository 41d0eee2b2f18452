"""The research devices whose files are read as they are, recognised by their first bytes."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Protocol

from app.har.errors import UnreadableDevice
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


# What such files begin with, and their names end with; a text file that ends in .bin may be anything
ENDINGS: dict[str, tuple[DeviceReader, str]] = {
    ".cwa": (axivity, "the letters MD"),
    ".gt3x": (actigraph_gt3x, "a zip archive with info.txt and log.bin or activity.bin"),
    ".bin": (geneactiv, "the line 'Device Identity'"),
    ".avro": (embraceplus, "the letters Obj"),
    ".fit": (garmin_fit, "a header with the letters .FIT"),
}
OF_GENEACTIV = (b"Recorded Data", b"Page Time:", b"Measurement Frequency:")


def by_ending(name: str, head: bytes = b"") -> tuple[DeviceReader, str] | None:
    """Return what writes files of such a name, and what they begin with; None where that may be anything."""
    ending = PurePosixPath(name.lower().removesuffix(".gz")).suffix
    found = ENDINGS.get(ending)
    return None if ending == ".bin" and not any(words in head for words in OF_GENEACTIV) else found


def require_beginning(member: Member) -> None:
    """Refuse a file that is called as a device's, but does not begin as one.

    Raises
    ------
    UnreadableDevice : the message says what was expected and found.
    """
    head = member.head(HEAD_BYTES)
    if found := by_ending(member.name, head):
        reader, beginning = found
        there = f"the bytes {head[:8].hex(' ')}" if head else "nothing"
        raise UnreadableDevice(
            f"{member.name}: expected a file of {reader.APP}, which begins with {beginning}; found {there}. The file "
            "is damaged or was changed: copy it from the device, or download it, again."
        )


def reader_of(member: Member) -> DeviceReader | None:
    """Return what reads a file, None where it is no device's."""
    head = member.head(HEAD_BYTES)
    return next((reader for reader in DEVICES if reader.matches(member, head)), None)
