"""From an uploaded file or archive to its recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.har.errors import (
    HarError,
    InvalidDescription,
    UnknownTable,
    UnreadableData,
    UnreadableDevice,
    UnrecognisedData,
)
from app.har.problems import Problem, ProblemKind
from app.har.progress import OnEvent, Stage, ignore_event
from app.har.recordings.conversions import Tables, open_tables
from app.har.recordings.devices.registry import DEVICES, DeviceReader, by_ending
from app.har.recordings.files import Member, Opener, open_files, open_plain, shown
from app.har.recordings.importers import IMPORTERS, importer_of
from app.har.recordings.mappings import mapped
from app.har.recordings.mappings.mapping import ColumnMapping, fitting, is_table
from app.har.recordings.tables import Source, layout_problems
from app.har.signals.calibration import calibrate
from app.har.signals.types import Recording

MAX_LISTED = 20  # files of an upload that could not be read, told one by one


@dataclass
class _SortedTables:
    """The tables of an upload, sorted by importer."""

    groups: dict[int, list[Source]] = field(default_factory=dict)
    devices: dict[DeviceReader, list[Member]] = field(default_factory=dict)
    strangers: list[Source] = field(default_factory=list)  # tables in no layout
    errors: list[tuple[str, HarError]] = field(default_factory=list)  # by file


@dataclass(frozen=True)
class Upload:
    """The open files of an upload; each is looked at once, whatever is then made of it."""

    name: str  # what the person calls it, for messages and recording ids
    tables: Tables
    on_event: OnEvent = ignore_event

    def read(self, mapping: ColumnMapping | None = None) -> list[Recording]:
        """Read the recordings: one, windows, or those of an archive of many files.

        Parameters
        ----------
        mapping : what the columns are, of files in no layout known here; their own layout is not looked at then.

        Raises
        ------
        UnknownTable : in no known layout, but a person can say what its columns are.
        UnrecognisedData : in no known layout; the message says what was found.
        InvalidDescription : no file has the columns that the mapping names.
        UnreadableData : empty, binary, damaged, hostile.
        """
        recordings = _read_by(mapping, self) if mapping else _read_known(self)
        self.on_event({"stage": Stage.READING, "fraction": 1.0})
        return recordings


@contextmanager
def open_upload(
    path: Path, name: str, on_event: OnEvent = ignore_event, opener: Opener = open_plain
) -> Iterator[Upload]:
    """Open the file that a person uploaded: one recording, windows, or a zip archive of such files.

    Parameters
    ----------
    path : where the server put it.
    name : what the person called it.
    on_event : receives progress events of the reading.
    opener : opens the file, where it is not as the person brought it.

    Raises
    ------
    UnreadableData : nothing there, or an archive that is damaged or hostile.
    """
    on_event({"stage": Stage.READING, "fraction": 0.0})
    try:
        with open_files(path, shown(name), opener=opener) as members:
            yield Upload(shown(name), open_tables(_watched(members, on_event)), on_event)
    except UnreadableData as error:  # of an archive, too, that a device's file is
        if by_ending(name) and not isinstance(error, UnreadableDevice):
            raise UnreadableDevice(str(error)) from error
        raise


def read_upload(
    path: Path, name: str, on_event: OnEvent = ignore_event, mapping: ColumnMapping | None = None
) -> list[Recording]:
    """Read the file that a person uploaded; see `open_upload` and `Upload.read`."""
    with open_upload(path, name, on_event) as upload:
        return upload.read(mapping)


def read_members(members: Sequence[Member], name: str, mapping: ColumnMapping | None = None) -> list[Recording]:
    """Read files that belong together, which the person calls by that name; see `Upload.read`."""
    return Upload(name, open_tables(members)).read(mapping)


def _read_by(mapping: ColumnMapping, upload: Upload) -> list[Recording]:
    sources, others = fitting(upload.tables, mapping, upload.name)
    return _with_problems(mapped.read(sources, mapping), _left_out(upload, _SortedTables(errors=others)))


def _read_known(upload: Upload) -> list[Recording]:
    tables = _sorted_by_importer(upload.tables)
    recordings = []
    for number, sources in tables.groups.items():
        try:
            recordings.extend(IMPORTERS[number].read(sources, upload.name))
        except HarError as error:
            tables.errors.append((sources[0].name, error))
    for reader, members in tables.devices.items():
        try:
            recordings.extend(map(calibrate, reader.read(members, upload.name)))
        except HarError as error:
            tables.errors.append((members[0].name, error))
    if not recordings:
        raise _refusal(upload, tables)
    lead = [problem for sources in tables.groups.values() for source in sources for problem in layout_problems(source)]
    return _with_problems(recordings, [*lead, *_left_out(upload, tables)])


def _with_problems(recordings: list[Recording], problems: Sequence[Problem]) -> list[Recording]:
    """List what was wrong with an upload with the first of its recordings."""
    first, *others = recordings
    return [replace(first, problems=(*first.problems, *problems)), *others]


def _watched(members: Sequence[Member], on_event: OnEvent) -> list[Member]:
    """Report how much of the files was read; what an importer reads twice counts once."""
    total = sum(member.size for member in members) or 1
    done = 0

    def on_read(size: int) -> None:
        nonlocal done
        done = min(done + size, total)
        on_event({"stage": Stage.READING, "fraction": done / total})

    return [replace(member, on_read=on_read) for member in members]


def _sorted_by_importer(tables: Tables) -> _SortedTables:
    found = _SortedTables(errors=list(tables.unread))
    for source in tables.sources:
        importer = importer_of(source.layout)
        if importer is None:
            found.strangers.append(source)
        else:
            found.groups.setdefault(IMPORTERS.index(importer), []).append(source)
    for reader, member in tables.devices:
        found.devices.setdefault(reader, []).append(member)
    return found


def _refusal(upload: Upload, tables: _SortedTables) -> HarError:
    """Return why nothing of an upload could be read: what a known file lacks, rather than what a strange one is."""
    known = [error for _, error in tables.errors]
    if tables.devices and not tables.groups and not tables.strangers:
        return UnreadableDevice(str(known[-1]))
    if tables.groups or tables.devices or (known and not tables.strangers and len(known) == 1):
        return known[-1]
    found = [f"{source.name}: {source.layout.describe()}" for source in tables.strangers] or [str(e) for e in known]
    kind = UnknownTable if any(is_table(source.layout) for source in tables.strangers) else UnrecognisedData
    return kind(
        f"{upload.name}: in none of the layouts known here (tables as text, workbook, MATLAB, HDF5 or JSON: "
        f"{', '.join(i.APP for i in IMPORTERS)}; files of devices: {', '.join(d.APP for d in DEVICES)}). "
        f"Found {found[0] if found else 'no file'}."
    )


def _left_out(upload: Upload, tables: _SortedTables) -> list[Problem]:
    """List the files that were not read beside those that were."""
    problems = [
        Problem(
            name,
            ProblemKind.FILE_NOT_USED if isinstance(error, InvalidDescription) else ProblemKind.UNREADABLE_FILE,
            str(error),
            "left out",
        )
        for name, error in tables.errors[:MAX_LISTED]
    ]
    if (more := len(tables.errors) - MAX_LISTED) > 0:
        problems.append(Problem(upload.name, ProblemKind.UNREADABLE_FILE, f"and {more:,} more files", "left out"))
    if tables.strangers:
        names = ", ".join(source.name for source in tables.strangers[:MAX_LISTED])
        more = len(tables.strangers) - MAX_LISTED
        detail = f"no sensor that is read here: {names}" + (f" and {more:,} more" if more > 0 else "")
        problems.append(Problem(upload.name, ProblemKind.FILE_NOT_USED, detail, "left out"))
    return problems
