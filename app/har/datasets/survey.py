"""What a person sees of a lab's own files before describing how they make a data set."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from app.har.datasets.described import recording_folder
from app.har.datasets.description import (
    Description,
    FromColumn,
    FromFolder,
    FromName,
    FromTable,
    LabelledLater,
    LabelSource,
    OneForAll,
)
from app.har.datasets.label_table import is_label_table
from app.har.errors import HarError, quote
from app.har.recordings.conversions import sources_in, tables_in
from app.har.recordings.devices.registry import reader_of
from app.har.recordings.files import Member, is_archive, is_document
from app.har.recordings.importers import importer_of
from app.har.recordings.mappings import mapping
from app.har.recordings.mappings.mapping import ColumnMapping
from app.har.recordings.parts import natural_sort_key
from app.har.recordings.tables import Source

LOOKED_AT = 40
PERSON = re.compile(r"(?:p|s|id|subj(?:ect)?|person|participant|patient|user|proband)?[ _-]?\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Survey:
    """What the files of a data set seem to be."""

    names: tuple[str, ...]  # of all that may be recordings
    folders: tuple[tuple[str, int], ...]  # with how many files
    layouts: tuple[tuple[str, int], ...]  # of the files that were looked at, and how many are in each
    looked_at: int
    tables: tuple[str, ...]  # of labels or subjects
    unknown: tuple[tuple[Source, ...], ...]  # tables in no known layout, by layout, most first
    known: bool  # whether there is a recording in a known layout, or an archive of them
    documents: int = 0


def suggest(found: Survey, columns: ColumnMapping | None) -> Description:
    """Return a description to start from, by the folders and names that there are."""
    depth = min((name.count("/") for name in found.names), default=0)
    stem = PurePosixPath(found.names[0]).stem if found.names else ""
    pieces = stem.count("_") + 1
    words = ("{subject}", "{label}", "{trial}", *(f"{{part_{letter}}}" for letter in "abcde"))
    by_name = FromName(pattern="_".join(words[:pieces]) if 1 < pieces <= len(words) else "{subject}_{label}")
    table = FromTable(table=found.tables[0]) if found.tables else None
    people = next((level for level in range(1, depth + 1) if _names_people(found.names, level)), None)
    label: LabelSource = by_name
    if table or (columns and columns.label):
        label = table or FromColumn()
    elif people == 1:  # what is recorded of a person lies in a folder with nothing more
        label = FromFolder(level=2) if _are_in_several(found.names) else _by_file_name(found.names)
    elif depth:
        label = FromFolder()
    own_subject = FromColumn() if columns and columns.subject else None
    level = people or (2 if depth > 1 else None)
    around = FromFolder(level=level) if level else None
    subject = table or own_subject or around or (by_name if pieces > 1 else OneForAll(value="unknown"))
    return Description(label=label, subject=subject, columns=columns)


def _names_people(names: Sequence[str], level: int) -> bool:
    """Tell whether all folders of a level are called as people are: by a number."""
    return all(PERSON.fullmatch(PurePosixPath(name).parts[-1 - level]) for name in names)


def _are_in_several(names: Sequence[str]) -> bool:
    """Tell whether people's folders lie in folders of what they did: that of somebody is in several, then."""
    around = {PurePosixPath(name).parts[-3:-1] for name in names}
    people = Counter(person for *activity, person in around if activity)
    return max(people.values(), default=0) > 1


def _by_file_name(names: Sequence[str]) -> LabelSource:
    """Return where files of one person have their labels from: from words in their names, if there are any but one."""
    stems = {PurePosixPath(name).stem for name in names}
    words = {stem.partition("_")[0] for stem in stems if stem[:1].isalpha()}
    if len(words) < 2:
        return LabelledLater()
    return FromName(pattern="{label}_{trial+}" if all("_" in stem for stem in stems) else "{label+}")


@dataclass(frozen=True)
class _Content:
    """What one file seems to hold."""

    kind: str = "no table"
    known: bool = False  # a recording in a known layout, or an archive of them
    labels: bool = False  # a table of labels or subjects
    unknown: tuple[Source, ...] = ()


def survey(members: Sequence[Member]) -> Survey:
    """Look at some of the files, spread over all of them, and at the smallest."""
    candidates = sorted((m for m in members if not is_document(m.name)), key=lambda m: natural_sort_key(m.name))
    step = max(1, -(-len(candidates) // LOOKED_AT))
    small = sorted(candidates, key=lambda m: (m.name.count("/"), m.size))[:10]
    chosen = {member.name: member for member in [*candidates[::step], *small]}
    contents = {name: _look_into(member) for name, member in chosen.items()}
    tables = tuple(name for name, content in contents.items() if content.labels)
    folders = Counter(recording_folder(member.name) for member in candidates)
    unknown: dict[str, list[Source]] = {}
    for source in (source for content in contents.values() for source in content.unknown):
        unknown.setdefault(mapping.fingerprint(source.layout), []).append(source)
    return Survey(
        names=tuple(member.name for member in candidates if member.name not in tables),
        folders=tuple(sorted(folders.items(), key=lambda pair: natural_sort_key(pair[0]))),
        layouts=tuple(Counter(content.kind for content in contents.values()).most_common()),
        looked_at=len(chosen),
        tables=tables,
        unknown=tuple(map(tuple, sorted(unknown.values(), key=len, reverse=True))),
        known=any(content.known for content in contents.values()),
        documents=len(members) - len(candidates),
    )


def _look_into(member: Member) -> _Content:
    found = _Content()
    try:
        if reader := reader_of(member):
            return _Content(reader.APP, known=True)
        if tables_in(member) is None and is_archive(member):
            return _Content("zip archives, read as one recording each", known=True)
        for source in sources_in(member):
            importer = importer_of(source.layout)
            if importer is not None:
                found = replace(found, kind=importer.APP, known=True)
            elif is_label_table(source.layout):
                found = replace(found, kind="table of labels or subjects", labels=True)
            elif mapping.is_table(source.layout):
                kind = f"in no known layout: {quote(', '.join(mapping.column_names(source.layout)))}"[:160]
                found = replace(found, kind=kind, unknown=(*found.unknown, source))
    except HarError as error:
        return _Content(f"unreadable: {error}"[:160])
    return found
