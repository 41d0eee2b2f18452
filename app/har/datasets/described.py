"""A lab's own recordings as a data set, read as uploads are, with labels and subjects from outside the files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.datasets.description import AnnotationSource, Clock, Description, LabelSource
from app.har.datasets.label_table import Row, read_label_table
from app.har.datasets.name_patterns import NamePattern, name_pattern
from app.har.errors import HarError, UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import printable
from app.har.recordings.conversions import open_source, open_tables, tables_in
from app.har.recordings.devices.registry import reader_of
from app.har.recordings.files import Member, is_archive, is_document, open_archive
from app.har.recordings.formats import (
    actigraph,
    capture24,
    kinelab_csv,
    ku_har_raw,
    ku_har_windows,
    motion_sense,
    oxford_walk,
    pamap2,
    physics_toolbox,
    sisfall,
    stm_har,
)
from app.har.recordings.importers import importer_of
from app.har.recordings.layout import Layout
from app.har.recordings.mappings import mapped, mapping
from app.har.recordings.mappings.units import TIME_UNITS
from app.har.recordings.parts import (
    LOOKED_AT,
    UNKNOWN_SUBJECT,
    Part,
    first_minutes,
    natural_sort_key,
    prefetch_map,
    with_consistent_units,
)
from app.har.recordings.tables import Source
from app.har.recordings.upload import read_members
from app.har.signals.clocks import first_s
from app.har.signals.types import UNLABELLED, Recording, Stream

if TYPE_CHECKING:
    import polars as pl

# Importers of a recording a file; those of the others are given all their files of a folder at once
ONE_FILE = (
    actigraph, capture24, kinelab_csv, ku_har_raw, ku_har_windows, motion_sense, oxford_walk, pamap2, physics_toolbox,
    sisfall, stm_har,
)  # fmt: skip
META = "meta"  # a folder of some apps' exports that belongs to the one around it


@dataclass(frozen=True)
class FileLabels:
    """What is known of one file before it is opened."""

    label: str | None = None  # None: the file itself says, or nothing does
    subject: str | None = None
    rows: tuple[Row, ...] = ()  # of the table, for its stretches
    missing: str = ""  # why it is left out, "" if it is not


class LabelAssignment:
    """Labels and subjects of the files of a data set, by a description.

    Raises
    ------
    UnreadableData : a table of labels is missing or at fault.
    """

    def __init__(self, description: Description, members: Sequence[Member]) -> None:
        self.description = description
        self.members = sorted(
            members, key=lambda member: (natural_sort_key(recording_folder(member.name)), natural_sort_key(member.name))
        )
        tables = {source.table for source in self._sources.values() if source.kind == "table"}
        by_name = {name: member for member in members for name in (member.name, PurePosixPath(member.name).name)}
        for name in tables - set(by_name):
            raise UnreadableData(
                f"{name}: expected a table of labels among the files of the data set, found none of this name."
            )
        held = {by_name[name].name for name in tables}
        self.candidates = [m for m in self.members if m.name not in held and not is_document(m.name)]
        names = [member.name for member in self.candidates]
        self._rows = {name: read_label_table(by_name[name], names) for name in tables}

    @cached_property
    def _sources(self) -> Mapping[str, AnnotationSource | LabelSource]:
        return {"label": self.description.label, "subject": self.description.subject}

    @cached_property
    def _patterns(self) -> Mapping[str, NamePattern]:
        return {part: name_pattern(source.pattern) for part, source in self._sources.items() if source.kind == "name"}

    def for_file(self, name: str) -> FileLabels:
        """Return what is known of a file by its name."""
        for pattern in self._patterns.values():
            if pattern.match(name) is None:
                return FileLabels(missing=f"its name is not like {pattern.text}")
        label = self.description.label
        rows = self._rows[label.table].get(name, []) if label.kind == "table" else []
        timed = tuple(row for row in rows if row.start is not None)
        return FileLabels(self._text("label", name), self._text("subject", name), timed)

    def _text(self, part: str, name: str) -> str | None:
        """Return the label or the subject of a file, None where nothing outside the file says it."""
        source = self._sources[part]
        if source.kind == "name":
            return (self._patterns[part].match(name) or {}).get(part)
        if source.kind == "folder":
            folders = [folder for folder in PurePosixPath(recording_folder(name)).parts if folder != "."]
            return folders[-source.level] if len(folders) >= source.level else None
        if source.kind == "table":
            rows = self._rows[source.table].get(name, [])
            labels = [row.label for row in rows if row.start is None]
            return next(filter(None, [row.subject for row in rows] if part == "subject" else labels), None)
        return source.value if source.kind == "one" else None

    def problems(self, name: str, assigned: FileLabels) -> list[Problem]:
        """List what a file's name, folder or table does not say."""
        if assigned.missing:
            return [Problem(name, ProblemKind.NAME_MISMATCH, assigned.missing, "file skipped")]
        found = []
        for part, text, kind in (
            ("label", assigned.label, ProblemKind.NO_LABEL),
            ("subject", assigned.subject, ProblemKind.NO_SUBJECT),
        ):
            source = self._sources[part]
            if text or source.kind in ("column", "later") or (part == "label" and assigned.rows):
                continue
            where = f"no line of {source.table}" if source.kind == "table" else f"no {source.kind}"
            action = "kept without label" if part == "label" else f"subject {UNKNOWN_SUBJECT!r}"
            found.append(Problem(name, kind, f"{where} says it", action))
        return found


def recording_folder(name: str) -> str:
    """Return the folder of the recording that a file is of, "." for none."""
    folder = PurePosixPath(name).parent
    return str(folder.parent if folder.name.lower() == META else folder)


@dataclass(frozen=True)
class _Opened:
    """A file, its importer, and what it held: recordings, or a part of one that other files belong to."""

    member: Member
    assigned: FileLabels
    recordings: tuple[Recording, ...] = ()
    source: Source | None = None
    problems: tuple[Problem, ...] = ()


@dataclass
class DescribedDataset:
    """The loader of a described data set."""

    description: Description
    FORMAT: str = field(default="own", init=False)
    TITLE: str = field(default="Own recordings", init=False)
    SHOW_RECORDING: bool = field(default=True, init=False)

    @property
    def labelled_later(self) -> bool:
        """Whether there may be no label at all."""
        return self.description.label.kind == "later"

    def matches(self, layout: Layout) -> bool:
        """Return False: it is described, not recognised."""
        return False

    def read_dataset(self, members: list[Member]) -> Iterator[Part]:
        """Read one recording after another.

        Raises
        ------
        UnreadableData : a table of labels is missing or at fault.
        """
        assignment = LabelAssignment(self.description, members)
        yield from with_consistent_units(
            self._all(assignment),
            assignment.candidates,
            partial(self._look, assignment, set()),
        )

    def _look(self, assignment: LabelAssignment, looked_at: set[str], member: Member) -> Sequence[Recording]:
        """Read the first minutes of a file, together with those beside it if it is one of several of a recording."""
        opened = self._open(assignment, first_minutes(member))
        folder = recording_folder(member.name)
        if opened.source is None or folder in looked_at:
            return opened.recordings
        looked_at.add(folder)
        beside = [other for other in assignment.candidates if recording_folder(other.name) == folder][:LOOKED_AT]
        files = [self._open(assignment, first_minutes(other)) for other in beside]
        parts = self._together([file for file in files if file.source], 1.0, {})
        return [recording for part in parts for recording in part.recordings]

    def _all(self, assignment: LabelAssignment) -> Iterator[Part]:
        total, done = sum(member.size for member in assignment.candidates) or 1, 0
        taken: dict[str, int] = {}
        waiting: list[_Opened] = []
        for opened in prefetch_map(partial(self._open, assignment), assignment.candidates):
            if waiting and recording_folder(waiting[0].member.name) != recording_folder(opened.member.name):
                yield from self._together(waiting, done / total, taken)
                waiting = []
            done += opened.member.size
            if opened.source is not None:
                waiting.append(opened)
                continue
            yield Part(None, {}, opened.problems, done / total)
            name = str(PurePosixPath(opened.member.name).with_suffix(""))
            yield from self._parts(opened.recordings, name, opened.assigned, done / total, taken)
        yield from self._together(waiting, 1.0, taken)

    def _open(self, assignment: LabelAssignment, member: Member) -> _Opened:
        """Read a file, unless it is one of several of a recording."""
        assigned = assignment.for_file(member.name)
        problems = assignment.problems(member.name, assigned)
        opened = _Opened(member, assigned, problems=tuple(problems))
        if assigned.missing:
            return opened
        try:
            if reader := reader_of(member):
                return replace(opened, recordings=tuple(reader.read([member], member.name)))
            if tables_in(member) is not None:
                return replace(opened, recordings=tuple(read_members([member], member.name, self.description.columns)))
            if is_archive(member):
                with open_archive(member) as inner:
                    return replace(opened, recordings=tuple(read_members(inner, member.name, self.description.columns)))
            source = open_source(member)
            importer = importer_of(source.layout)
            if importer in ONE_FILE:
                return replace(opened, recordings=tuple(importer.read([source], member.name)))
            if importer is not None:
                return replace(opened, source=source)
            if self.description.columns is not None:
                if self.description.columns.files:
                    mapping.fitting(open_tables([member]), self.description.columns, member.name)
                    return replace(opened, source=source)
                return replace(opened, recordings=tuple(mapped.read([source], self.description.columns)))
            detail = f"{source.layout.describe()}; expected a known layout, or a mapping of its columns"
            problem = Problem(member.name, ProblemKind.OTHER_LAYOUT, detail, "file skipped")
        except HarError as error:
            problem = Problem(member.name, ProblemKind.UNREADABLE_FILE, str(error), "file skipped")
        return replace(opened, problems=(problem,))

    def _together(self, opened: Sequence[_Opened], fraction: float, taken: dict[str, int]) -> Iterator[Part]:
        """Read the files of one folder that make recordings together, those of one label and subject at a time."""
        groups: dict[Any, list[_Opened]] = {}
        for one in self._with_labels_of_their_folder(opened):
            importer = importer_of(one.source.layout) if one.source else None
            groups.setdefault((importer, one.assigned), []).append(one)
            yield Part(None, {}, one.problems, fraction)
        for (importer, assigned), own in groups.items():
            first, folder = own[0].member.name, recording_folder(own[0].member.name)
            around = str(PurePosixPath(first).with_suffix("")) if folder == "." else folder
            try:
                sources = [one.source for one in own if one.source]
                if importer is not None:
                    recordings = importer.read(sources, around)
                elif self.description.columns is not None:
                    recordings = mapped.read(sources, self.description.columns)
            except HarError as error:
                yield Part(
                    None, {}, (Problem(first, ProblemKind.UNREADABLE_FILE, str(error), "file skipped"),), fraction
                )
                continue
            for recording in recordings:
                name = recording.recording_id
                name = name if folder == "." or name.startswith(folder) else f"{folder}/{name}"
                yield from self._parts([recording], name, assigned, fraction, taken)

    def _with_labels_of_their_folder(self, opened: Sequence[_Opened]) -> list[_Opened]:
        """Give the files of a folder that no line of a table names what the lines say of the others, if all agree."""
        tables = [part for part in ("label", "subject") if getattr(self.description, part).kind == "table"]
        listed = {
            one.assigned for one in opened if one.assigned.rows or any(getattr(one.assigned, part) for part in tables)
        }
        if not tables or len(listed) != 1:
            return list(opened)
        (shared,) = listed
        return [one if one.assigned == shared else replace(one, assigned=shared, problems=()) for one in opened]

    def _parts(
        self, recordings: Sequence[Recording], name: str, assigned: FileLabels, fraction: float, taken: dict[str, int]
    ) -> Iterator[Part]:
        for recording in recordings:
            taken[name] = taken.get(name, 0) + 1
            unique = name if taken[name] == 1 else f"{name} ({taken[name]})"
            finished = self._annotated(recording, printable(unique), assigned)
            yield Part(finished, _rows(finished), fraction=fraction)

    def _annotated(self, recording: Recording, name: str, assigned: FileLabels) -> Recording:
        """Give a recording its label and subject."""
        subject = assigned.subject or UNKNOWN_SUBJECT
        problems = recording.problems
        if self.description.subject.kind == "column":
            subject = recording.subject
            if subject in (
                recording.recording_id,
                PurePosixPath(recording.recording_id).stem,
            ):  # it has none
                subject = UNKNOWN_SUBJECT
                detail = "the file does not say it"
                problems += (Problem(name, ProblemKind.NO_SUBJECT, detail, f"subject {UNKNOWN_SUBJECT!r}"),)
        recording = replace(recording, recording_id=name, subject=printable(subject), problems=problems)
        label = self.description.label
        if label.kind in ("column", "later"):
            return recording
        activity = printable(assigned.label) if assigned.label else None
        streams = tuple(replace(stream, labels=None) for stream in recording.streams)
        recording = replace(recording, streams=streams, activity=activity, activities=())
        if label.kind == "table" and assigned.rows and activity is None:
            return self._labelled(recording, assigned.rows, label.table)
        return recording

    def _labelled(self, recording: Recording, rows: Sequence[Row], table: str) -> Recording:
        """Label the stretches of a recording by the lines of a table."""
        start = first_s(recording.streams)
        end = max(float(stream.time_s[-1]) for stream in recording.streams)
        columns = self.description.columns
        clock = self.description.clock
        unit = TIME_UNITS.get(columns.time_unit, 1.0) if columns and clock == "file" else 1.0
        spans = [(_on_clock(row, unit, start, recording.origin_utc_s, clock), row) for row in rows]
        names = tuple(dict.fromkeys(printable(row.label) for row in rows))
        streams = tuple(_stream_labels(stream, spans, names) for stream in recording.streams)
        outside = [row for (first, last), row in spans if last <= start or first >= end]
        problems = recording.problems
        if outside:
            where = f"the first in line {outside[0].line} of {table}"
            detail = f"{len(outside)} of {len(rows)} intervals lie outside of it, {where}"
            problems += (Problem(recording.recording_id, ProblemKind.LABELS_BEYOND_END, detail, "left out"),)
        return replace(recording, streams=streams, activities=names, problems=problems)


def _on_clock(row: Row, unit: float, start: float, origin: float | None, clock: Clock) -> tuple[float, float]:
    """Bring an interval to the recording's clock, in seconds."""
    scale = 1.0 if row.dated else unit
    first, last = scale * (row.start or 0.0), scale * (row.end or 0.0)
    if clock == "start":
        return first + start, last + start
    since_1970 = origin is not None and first > 0.5 * origin
    return (first - origin, last - origin) if since_1970 and origin is not None else (first, last)


def _stream_labels(stream: Stream, spans: Iterable[tuple[tuple[float, float], Row]], names: Sequence[str]) -> Stream:
    labels = np.full(len(stream.time_s), UNLABELLED, np.int64)
    for (first, last), row in spans:
        labels[slice(*np.searchsorted(stream.time_s, (first, last)))] = names.index(printable(row.label))
    return replace(stream, labels=labels)


def _rows(recording: Recording) -> dict[str, pl.DataFrame]:
    """Return the readings as they were read, a table a sensor."""
    import polars as pl

    tables = {}
    names = np.array([*recording.activities, recording.activity or ""], dtype=object)
    for stream in recording.streams:
        frame = pl.DataFrame({"time_s": stream.time_s}).hstack(
            pl.DataFrame(stream.values, schema=list(stream.channels))
        )
        codes = np.full(len(frame), UNLABELLED) if stream.labels is None else stream.labels
        tables[stream.modality] = frame.with_columns(pl.Series("activity", names[codes].tolist(), pl.String))
    return tables
