"""What a person sees of a lab's own files before saying how they make a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from app.har.datasets.described import recording_folder
from app.har.datasets.description import (
    Description,
    FromColumn,
    FromFolder,
    FromName,
    FromTable,
    LabelSource,
    OneForAll,
)
from app.har.datasets.label_table import is_label_table
from app.har.errors import HarError
from app.har.recordings.conversions import sources_in, tables_in
from app.har.recordings.files import Member, is_archive, is_document
from app.har.recordings.importers import importer_of
from app.har.recordings.mappings import mapping
from app.har.recordings.mappings.mapping import ColumnMapping
from app.har.recordings.parts import natural_sort_key
from app.har.recordings.tables import Source

LOOKED_AT = 40


@dataclass(frozen=True)
class Survey:
    """What the files of a data set seem to be."""

    names: tuple[str, ...]  # of all that may be recordings
    folders: tuple[tuple[str, int], ...]  # with how many files
    layouts: tuple[tuple[str, int], ...]  # of the files that were looked at, and how many are in each
    looked_at: int
    tables: tuple[str, ...]  # that tell labels or subjects
    unknown: tuple[tuple[Source, ...], ...]  # tables in no known layout, by layout, most first
    known: bool  # whether there is a recording in a known layout, or an archive of such
    documents: int = 0


def suggest(found: Survey, columns: ColumnMapping | None) -> Description:
    """Return a description to start from, by the folders and names that there are."""
    depth = min((name.count("/") for name in found.names), default=0)
    stem = PurePosixPath(found.names[0]).stem if found.names else ""
    pieces = stem.count("_") + 1
    words = ("{subject}", "{label}", "{trial}", *(f"{{part_{letter}}}" for letter in "abcde"))
    by_name = FromName(pattern="_".join(words[:pieces]) if 1 < pieces <= len(words) else "{subject}_{label}")
    table = FromTable(table=found.tables[0]) if found.tables else None
    label: LabelSource = by_name
    if table or (columns and columns.label):
        label = table or FromColumn()
    elif depth:
        label = FromFolder()
    own_subject = FromColumn() if columns and columns.subject else None
    around = FromFolder(level=2) if depth > 1 else None
    subject = table or own_subject or around or (by_name if pieces > 1 else OneForAll(value="unknown"))
    return Description(label=label, subject=subject, columns=columns)


def survey(members: Sequence[Member]) -> Survey:
    """Look at some of the files, spread over all of them, and at the smallest."""
    candidates = sorted((m for m in members if not is_document(m.name)), key=lambda m: natural_sort_key(m.name))
    step = max(1, -(-len(candidates) // LOOKED_AT))
    small = sorted(candidates, key=lambda m: (m.name.count("/"), m.size))[:10]
    chosen = list({m.name: m for m in [*candidates[::step], *small]}.values())
    layouts: dict[str, int] = {}
    tables: list[str] = []
    unknown: dict[str, list[Source]] = {}
    known = False
    for member in chosen:
        kind = "no table"
        try:
            if tables_in(member) is None and is_archive(member):
                kind, known = "zip archives, read as one recording each", True
                sources = []
            else:
                sources = sources_in(member)
            for source in sources:
                importer = importer_of(source.layout)
                if importer is not None:
                    kind, known = importer.APP, True
                elif is_label_table(source.layout):
                    kind = "table of labels or subjects"
                    tables.append(member.name)
                elif mapping.is_table(source.layout):
                    kind = f"in no known layout: {', '.join(mapping.column_names(source.layout))}"[:160]
                    unknown.setdefault(mapping.fingerprint(source.layout), []).append(source)
        except HarError as error:
            kind = f"unreadable: {error}"[:160]
        layouts[kind] = layouts.get(kind, 0) + 1
    folders: dict[str, int] = {}
    for member in candidates:
        folders[recording_folder(member.name)] = folders.get(recording_folder(member.name), 0) + 1
    return Survey(
        tuple(m.name for m in candidates if m.name not in tables),
        tuple(sorted(folders.items(), key=lambda pair: natural_sort_key(pair[0]))),
        tuple(sorted(layouts.items(), key=lambda pair: -pair[1])),
        len(chosen),
        tuple(tables),
        tuple(map(tuple, sorted(unknown.values(), key=len, reverse=True))),
        known,
        len(members) - len(candidates),
    )
