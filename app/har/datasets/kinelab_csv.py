"""A lab's own recordings in Kinelab's layout: one CSV each, `[…/]<subject>/<name>.csv` or `<subject>_<name>.csv`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from app.har.errors import HarError
from app.har.recordings.files import Member
from app.har.recordings.formats.kinelab_csv import DESCRIPTION, matches, read_frame, to_recording
from app.har.recordings.parts import Part, ahead, in_one_unit, natural
from app.har.recordings.tables import open_table
from app.har.signals.types import Recording
from app.har.types import Problem

FORMAT = "kinelab-csv"
TITLE = "Recordings in Kinelab's CSV layout"
SHOW_RECORDING = True

__all__ = ["FORMAT", "SHOW_RECORDING", "TITLE", "matches", "read"]


def read(members: list[Member]) -> Iterator[Part]:
    """Read one recording a file; the subject is the folder, or what stands before the first underscore."""
    members = sorted(members, key=lambda member: natural(member.name))
    yield from in_one_unit(_parts(members), members, _recordings)


def _parts(members: list[Member]) -> Iterator[Part]:
    total, done = sum(member.size for member in members) or 1, 0
    for member, part in zip(members, ahead(_read_one, members), strict=True):
        done += member.size
        yield Part(part.content, part.rows, part.problems, done / total)


def _recordings(member: Member) -> list[Recording]:
    content = _read_one(member).content
    return [content] if isinstance(content, Recording) else []


def _read_one(member: Member) -> Part:
    path = PurePosixPath(member.name)
    subject = path.stem.partition("_")[0] if len(path.parts) < 2 else path.parent.name
    try:
        source = open_table(member)
        if not matches(source.layout):
            return Part(
                None,
                {},
                (
                    Problem(
                        member.name,
                        "other layout",
                        f"{source.layout.describe()}; expected {DESCRIPTION}",
                        "file skipped",
                    ),
                ),
            )
        frame = read_frame(source)
        return Part(to_recording(source, frame, str(path.with_suffix("")), subject), {"rows": frame})
    except HarError as error:
        return Part(None, {}, (Problem(member.name, "unreadable file", str(error), "file skipped"),))
