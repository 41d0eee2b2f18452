"""From an uploaded file or archive to its recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.har.errors import HarError, InvalidDescription, UnknownTable, UnrecognisedData
from app.har.problems import Problem, ProblemKind
from app.har.progress import OnEvent, Stage, ignore_event
from app.har.recordings.conversions import sources_in
from app.har.recordings.files import Member, is_document, open_files, shown
from app.har.recordings.importers import IMPORTERS, importer_of
from app.har.recordings.mappings import mapped, mapping
from app.har.recordings.mappings.mapping import ColumnMapping
from app.har.recordings.tables import Source, layout_problems
from app.har.signals.types import Recording

MAX_LISTED = 20  # files of an upload that could not be read, told one by one


@dataclass
class _UploadedFiles:
    """The files of an upload, sorted by importer."""

    name: str
    groups: dict[int, list[Source]] = field(default_factory=dict)
    strangers: list[Source] = field(default_factory=list)  # tables in no layout
    errors: list[tuple[str, HarError]] = field(default_factory=list)  # by file


def read_upload(
    path: Path, name: str, on_event: OnEvent = ignore_event, columns: ColumnMapping | None = None
) -> list[Recording]:
    """Read the file that a person uploaded: one recording, windows, or a zip archive of such files.

    Parameters
    ----------
    path : where the server put it.
    name : what the person called it, for messages and recording ids.
    columns : what the columns are, of files in no layout known here; their own layout is not looked at then.

    Raises
    ------
    UnknownTable : in no known layout, but a person can say what its columns are.
    UnrecognisedData : in no known layout; the message says what was found.
    UnreadableData : empty, binary, damaged, hostile.
    """
    name = shown(name)
    on_event({"stage": Stage.READING, "fraction": 0.0})
    with open_files(path, name) as members:
        recordings = read_members(_watched(members, on_event), name, columns)
    on_event({"stage": Stage.READING, "fraction": 1.0})
    return recordings


def read_members(members: Sequence[Member], name: str, columns: ColumnMapping | None = None) -> list[Recording]:
    """Read the files of one upload, which the person calls by that name; see `read_upload`."""
    if columns is not None:
        fitting, others = mapping.fitting(members, columns, name)
        recordings = mapped.read(fitting, columns)
        problems = _left_out(_UploadedFiles(name, errors=others))
        return [replace(recordings[0], problems=(*recordings[0].problems, *problems)), *recordings[1:]]
    upload = _group_by_importer(members, name)
    recordings = []
    for number, sources in upload.groups.items():
        try:
            recordings.extend(IMPORTERS[number].read(sources, name))
        except HarError as error:
            upload.errors.append((sources[0].name, error))
    if not recordings:
        raise _refusal(upload)
    lead = [problem for sources in upload.groups.values() for source in sources for problem in layout_problems(source)]
    return [replace(recordings[0], problems=(*recordings[0].problems, *lead, *_left_out(upload))), *recordings[1:]]


def _watched(members: Sequence[Member], on_event: OnEvent) -> list[Member]:
    """Report how much of the files was read; what an importer reads twice counts once."""
    total = sum(member.size for member in members) or 1
    done = 0

    def on_read(size: int) -> None:
        nonlocal done
        done = min(done + size, total)
        on_event({"stage": Stage.READING, "fraction": done / total})

    return [replace(member, on_read=on_read) for member in members]


def _group_by_importer(members: Sequence[Member], name: str) -> _UploadedFiles:
    upload = _UploadedFiles(name)
    for member in members:
        if len(members) > 1 and is_document(member.name):
            continue
        try:
            sources = sources_in(member)
        except HarError as error:
            upload.errors.append((member.name, error))
            continue
        for source in sources:
            importer = importer_of(source.layout)
            if importer is None:
                upload.strangers.append(source)
            else:
                upload.groups.setdefault(IMPORTERS.index(importer), []).append(source)
    return upload


def _refusal(upload: _UploadedFiles) -> HarError:
    """Return why nothing of an upload could be read: what a known file lacks, rather than what a strange one is."""
    known = [error for _, error in upload.errors]
    if upload.groups or (known and not upload.strangers and len(known) == 1):
        return known[-1]
    found = [f"{source.name}: {source.layout.describe()}" for source in upload.strangers] or [str(e) for e in known]
    kind = UnknownTable if any(mapping.is_table(source.layout) for source in upload.strangers) else UnrecognisedData
    return kind(
        f"{upload.name}: in none of the layouts known here ({', '.join(i.APP for i in IMPORTERS)}). "
        f"Found {found[0] if found else 'no file'}."
    )


def _left_out(upload: _UploadedFiles) -> list[Problem]:
    """List the files that were not read beside those that were."""
    problems = [
        Problem(
            name,
            ProblemKind.FILE_NOT_USED if isinstance(error, InvalidDescription) else ProblemKind.UNREADABLE_FILE,
            str(error),
            "left out",
        )
        for name, error in upload.errors[:MAX_LISTED]
    ]
    if (more := len(upload.errors) - MAX_LISTED) > 0:
        problems.append(Problem(upload.name, ProblemKind.UNREADABLE_FILE, f"and {more:,} more files", "left out"))
    if upload.strangers:
        names = ", ".join(source.name for source in upload.strangers[:MAX_LISTED])
        more = len(upload.strangers) - MAX_LISTED
        detail = f"no sensor that is read here: {names}" + (f" and {more:,} more" if more > 0 else "")
        problems.append(Problem(upload.name, ProblemKind.FILE_NOT_USED, detail, "left out"))
    return problems
