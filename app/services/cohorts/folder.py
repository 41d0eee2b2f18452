"""The recordings in a folder: files, and folders whose files make one recording together, as some apps export them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from app.har.errors import HarError, UnreadableData
from app.har.recordings.files import Member, is_document, open_files, shown, wanted
from app.har.recordings.reach import Reach
from app.services.cohorts.job import BY_FILE, BY_FOLDER, SUBJECT

LOOKED_AT = 6  # files of a folder, to see whether they belong together


@dataclass(frozen=True)
class Item:
    """One recording, or one file of several, as the folder has it now."""

    name: str  # the path from the folder, with slashes
    size: int  # bytes
    stamp: str  # changes with the content: size, time of change, number of files


def find(folder: Path, reach: Reach) -> list[Item]:
    """Return what a folder holds, in the order of names; what nobody would take for a recording is left out.

    Raises
    ------
    UnreadableData : there is no such folder, or it may not be read.
    """
    reach.check(folder, folder.name)
    if not folder.is_dir():
        raise UnreadableData(f"{folder}: there is no such folder.")
    try:
        return sorted(_within(folder, "", reach), key=lambda item: item.name)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise UnreadableData(f"{folder}: cannot be looked through: {error.strerror}{where}") from error


def _within(folder: Path, prefix: str, reach: Reach) -> Iterator[Item]:
    files, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not wanted(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.is_file(follow_symlinks=False) and not is_document(entry.name):
                files.append(entry)
    if prefix and len(files) > 1 and _belong_together(folder, sorted(entry.name for entry in files), reach):
        yield _item(prefix.rstrip("/"), [path.stat() for path in sorted(folder.rglob("*")) if path.is_file()])
        return
    for entry in files:
        if reach.within is None or reach.allows(Path(entry.path)):
            yield _item(f"{prefix}{entry.name}", [entry.stat(follow_symlinks=False)])
    for name in folders:
        yield from _within(folder / name, f"{prefix}{name}/", reach)


def _item(name: str, files: list[os.stat_result]) -> Item:
    size, changed = sum(file.st_size for file in files), max(file.st_mtime_ns for file in files)
    return Item(name, size, f"{size}-{changed}-{len(files)}")


def _belong_together(folder: Path, names: list[str], reach: Reach) -> bool:
    """Look at the first files of a folder: whether an app writes a recording as several such files.

    The first file of a layout that is a recording by itself decides: beside an export of several there is none.
    """
    from app.har.datasets.described import ONE_FILE
    from app.har.recordings.conversions import open_source, tables_in
    from app.har.recordings.devices.registry import reader_of
    from app.har.recordings.files import is_archive
    from app.har.recordings.importers import importer_of

    def of_several(member: Member) -> bool | None:
        """Tell whether it is one of several, None where it does not say."""
        if reader_of(member) or is_archive(member) or tables_in(member) is not None:
            return None
        importer = importer_of(open_source(member).layout)
        return None if importer is None else importer not in ONE_FILE

    for name in names[:LOOKED_AT]:
        try:
            with open_files(folder / name, name, reach) as members:
                if len(members) == 1 and (decided := of_several(members[0])) is not None:
                    return decided
        except HarError:  # whoever reads it will say so
            continue
    return False


def person_namer(people: str) -> Callable[[str], str]:
    """Return what tells whose a recording is by its name; where a pattern does not fit, each is of another person.

    Parameters
    ----------
    people : BY_FOLDER: the uppermost folder, of a file in none its own name; BY_FILE: the name; or a pattern.
    """
    from app.har.datasets.name_patterns import name_pattern

    pattern = None if people in (BY_FOLDER, BY_FILE) else name_pattern(people)

    def person(name: str) -> str:
        path = PurePosixPath(name)
        own = shown(str(path.with_suffix("")))
        if pattern is not None:
            return (pattern.match(name) or {}).get(SUBJECT) or own
        return shown(path.parts[0]) if people == BY_FOLDER and len(path.parts) > 1 else own

    return person
