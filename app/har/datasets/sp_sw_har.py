"""SP-SW-HAR: `…/<subject>_<execution>_{sp,sw}.csv`, a phone in the pocket and a watch, worn together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from app.har.errors import HarError, UnreadableData
from app.har.recordings.files import Member, is_document
from app.har.recordings.formats.sp_sw_har import (
    DESCRIPTION,
    DEVICES,
    Table,
    matches,
    name_parts,
    read_table,
    to_recording,
)
from app.har.recordings.parts import Part, ahead, natural
from app.har.recordings.tables import open_table
from app.har.types import Problem

FORMAT = "sp-sw-har"
TITLE = "SP-SW-HAR, phone and watch worn together"
SHOW_RECORDING = True
ABOUT_THE_SET = {"subject_id", "execution_id"}  # first headings of the tables that come with the recordings

__all__ = ["FORMAT", "SHOW_RECORDING", "TITLE", "matches", "read"]

Execution = tuple[str, dict[str, Member]]


def read(members: list[Member]) -> Iterator[Part]:
    """Read one recording an execution, with both devices; file names pair them and tell the subject."""
    executions: dict[str, dict[str, Member]] = {}
    others: list[Member] = []
    for member in sorted(members, key=lambda member: natural(member.name)):
        execution, device = name_parts(member.name)
        if device:
            executions.setdefault(execution, {})[device] = member
        else:
            others.append(member)
    yield Part(None, {}, tuple(problem for member in others for problem in _not_a_recording(member)), 0.0)
    total = sum(member.size for own in executions.values() for member in own.values()) or 1
    done = 0
    for (_, own), part in zip(executions.items(), ahead(_read_one, executions.items()), strict=True):
        done += sum(member.size for member in own.values())
        yield Part(part.content, part.rows, part.problems, done / total)


def _not_a_recording(member: Member) -> Iterator[Problem]:
    if is_document(member.name):
        return
    expected = "expected <subject>_<execution>_sp.csv or …_sw.csv"
    try:
        layout = open_table(member).layout
    except UnreadableData as error:
        yield Problem(member.name, "unreadable file", str(error), "file skipped")
        return
    if matches(layout):
        yield Problem(member.name, "no device", f"the name tells neither phone nor watch; {expected}", "file skipped")
    elif not ABOUT_THE_SET & set(layout.header or ()):
        yield Problem(member.name, "other layout", f"{layout.describe()}; {expected}", "file skipped")


def _read_one(execution: Execution) -> Part:
    path, own = execution
    name = PurePosixPath(path).name
    tables: dict[str, Table] = {}
    problems: list[Problem] = []
    for device in DEVICES.values():
        if device not in own:
            detail = f"no file of the {device}; expected one of each device"
            problems.append(Problem(name, "missing device", detail, f"read without {device}"))
            continue
        try:
            source = open_table(own[device])
            if matches(source.layout):
                tables[device] = read_table(source)
            else:
                detail = f"{source.layout.describe()}; expected {DESCRIPTION}"
                problems.append(Problem(source.name, "other layout", detail, "file skipped"))
        except HarError as error:
            problems.append(Problem(own[device].name, "unreadable file", str(error), "file skipped"))
    if not tables:
        return Part(None, {}, tuple(problems))
    try:
        recording = to_recording(name, name.partition("_")[0], tables)
    except HarError as error:
        return Part(None, {}, (*problems, Problem(name, "unreadable file", str(error), "left out")))
    return Part(recording, {device: table.frame for device, table in tables.items()}, tuple(problems))
