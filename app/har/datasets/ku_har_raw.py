"""KU-HAR, raw: `…/<id>.<Activity>/<subject>_<letter>_<trial>.csv`, the whole set or some of its folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from app.har.errors import HarError
from app.har.recordings.files import Member
from app.har.recordings.formats import ku_har_raw
from app.har.recordings.parts import UNKNOWN_SUBJECT, Part, ahead, natural
from app.har.recordings.tables import open_table
from app.har.types import Problem

FORMAT = "ku-har-raw"
TITLE = "KU-HAR, raw time-domain data"
SHOW_RECORDING = True
FILE = re.compile(r"(\d+)_[A-Z]_\d+")

matches = ku_har_raw.matches


def read(members: list[Member]) -> Iterator[Part]:
    """Read one recording a file; the folder names the activity, the file name the subject."""
    members = sorted(members, key=lambda member: natural(member.name))
    total = sum(member.size for member in members) or 1
    done = 0
    for member, part in zip(members, ahead(_read_one, members), strict=True):
        done += member.size
        yield Part(part.content, part.rows, part.problems, done / total)


def _read_one(member: Member) -> Part:
    path = PurePosixPath(member.name)
    name = f"{path.parent.name}/{path.name}" if path.parent.name else path.name
    activity, file = ku_har_raw.activity_of(member.name), FILE.fullmatch(path.stem)
    problems = []
    if not activity:
        problems.append(Problem(name, "no activity", "the folder is not named <id>.<Activity>", "kept without label"))
    if not file:
        problems.append(
            Problem(
                name,
                "no subject",
                "the file is not named <subject>_<letter>_<trial>.csv",
                f"subject {UNKNOWN_SUBJECT!r}",
            )
        )
    try:
        source = open_table(Member(name, member.size, member.opener))
        if not ku_har_raw.matches(source.layout):
            problems.append(
                Problem(
                    name,
                    "other layout",
                    f"{source.layout.describe()}; expected {ku_har_raw.DESCRIPTION}",
                    "file skipped",
                )
            )
            return Part(None, {}, tuple(problems))
        frame = ku_har_raw.read_frame(source)
        recording = ku_har_raw.to_recording(
            source,
            frame,
            name.removesuffix(path.suffix),
            file.group(1) if file else UNKNOWN_SUBJECT,
            activity,
        )
    except HarError as error:
        return Part(None, {}, (*problems, Problem(name, "unreadable file", str(error), "file skipped")))
    return Part(recording, {"rows": frame}, tuple(problems))
