"""The files that a person brings: a folder, a zip archive or a single file, packed by gzip or not, behind one face.

Nothing is ever extracted to disk: members of an archive are read in memory, after the archive's own table of contents
was checked for names that leave the folder, links, encryption, member count and expansion.
"""

from __future__ import annotations

import gzip
import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, TypeAlias, cast

from app.har.errors import UnreadableData, quote, quoting
from app.har.recordings.reach import ANYWHERE, Reach

MAX_MEMBERS = 20_000
MAX_EXPANDED_BYTES = 16 * 2**30
MAX_RATIO = 100  # sensor CSVs shrink 4 to 30 times
RATIO_FREE_BYTES = 64 * 2**20  # a small archive of constant columns may shrink more
HEAD_BYTES = 2**20
LOCAL_HEADER_BYTES = 30  # before the content of each member, and its name
ARCHIVE = (b"PK\x03\x04", b"PK\x05\x06")
GZIP = b"\x1f\x8b"
WORKBOOK = "xl/workbook.xml"
GT3X = ({"info.txt", "log.bin"}, {"info.txt", "activity.bin"})  # what an ActiGraph's recording is an archive of
# What the standard library raises on an archive with bytes changed
DAMAGED = (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, struct.error, ValueError, OverflowError, RuntimeError)
# What comes with recordings without being one
DOCUMENT = re.compile(r"(readme|licen[cs]e|citation|requirements|info)(\.\w+)?|.+\.(md|pdf|py|ipynb)", re.I)


Opener: TypeAlias = Callable[[Path], IO[bytes]]  # for reading from any place; raises OSError


def open_plain(path: Path) -> IO[bytes]:
    """Open a file as it is."""
    return path.open("rb")


@dataclass(frozen=True)
class Member:
    """One file: its name as the person knows it, its size in bytes, and how to open it."""

    name: str
    size: int
    opener: Callable[[], IO[bytes]]
    on_read: Callable[[int], None] = lambda _: None  # told how many bytes of the content were read

    def head(self, size: int = HEAD_BYTES) -> bytes:
        """Return the first bytes, by default a mebibyte."""
        with reading(self.name), self.opener() as file:
            return file.read(size)

    def read(self) -> bytes:
        """Return the whole content; an archive member that holds more than it declares is refused."""
        return b"".join(self.parts(self.size + 1))

    def parts(self, size: int) -> Iterator[bytes]:
        """Yield the content, so many bytes at a time."""
        found = 0
        with reading(self.name), self.opener() as file:
            while found <= self.size and (data := file.read(size)):
                found += len(data)
                self.on_read(len(data))
                yield data
        if found != self.size:
            raise UnreadableData(
                f"{self.name}: {self.size:,} bytes were declared, another number was found; "
                "the file is damaged or still being written."
            )


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what the standard library raises on damaged files into a message that names the file."""
    try:
        yield
    except NotImplementedError as error:
        raise UnreadableData(
            f"{name}: packed by a method that cannot be read here ({error}). Expected a plain zip archive."
        ) from error
    except OSError as error:
        raise UnreadableData(f"{name}: cannot be read ({error.strerror or error}).") from error
    except DAMAGED as error:
        damage = f"the compressed data are damaged or incomplete ({quote(str(error))})"
        raise UnreadableData(f"{name}: {damage}. Copy or download the archive again.") from error


@contextmanager
def open_files(
    path: Path, name: str | None = None, reach: Reach = ANYWHERE, opener: Opener = open_plain
) -> Iterator[list[Member]]:
    """List the files at a path: a folder's, a zip archive's, or the one file itself.

    Parameters
    ----------
    path : where the bytes are; whether they are an archive is decided by content.
    name : what the person calls it, for messages; default the name of the path.
    reach : where files may be read, and whether messages may quote them, as long as they are open.
    opener : opens a file, where it does not lie there as the person brought it.

    Raises
    ------
    UnreadableData : nothing there, out of reach, or an archive that is damaged or hostile.
    """
    with quoting(reach.quotes), _listed(path, shown(name or path.name), reach, opener) as members:
        yield members


@contextmanager
def _listed(path: Path, name: str, reach: Reach, opener: Opener) -> Iterator[list[Member]]:
    reach.check(path, name)
    if is_there(path, Path.is_dir):
        yield [
            _on_disk(file, shown(file.relative_to(path).as_posix()), reach, opener)
            for file in files_in(path, reach)
            if wanted(file.relative_to(path).as_posix())
        ]
        return
    if not is_there(path, Path.is_file):
        raise UnreadableData(f"{name}: there is no such file or folder.")
    with reading(name), opener(path) as file:
        magic = file.read(4)
    if magic not in ARCHIVE:
        yield [_unpacked(path, name, opener) if magic.startswith(GZIP) else _on_disk(path, name, reach, opener)]
        return
    with ExitStack() as stack:
        with reading(name):
            archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(opener(path))))
        members = _checked_members(archive, name)
        names = set(archive.namelist())
        is_file = WORKBOOK in names or any(names >= own for own in GT3X)
        yield [_on_disk(path, name, reach, opener)] if is_file else members


@contextmanager
def open_archive(member: Member) -> Iterator[list[Member]]:
    """List the files of a zip archive that lies among others, as phones make one a recording.

    Raises
    ------
    UnreadableData : damaged or hostile.
    """
    with ExitStack() as stack:
        with reading(member.name):
            archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(member.opener())))
        yield _checked_members(archive, member.name)


def is_archive(member: Member) -> bool:
    """Tell by its first bytes whether a file is a zip archive."""
    with reading(member.name), member.opener() as file:
        return file.read(4) in ARCHIVE


def is_there(path: Path, kind: Callable[[Path], bool]) -> bool:
    """Tell whether there is a file, or a folder, at a path; one that the system cannot even look for is not there."""
    try:
        return kind(path)
    except (OSError, ValueError):  # too long a name, links in a circle, a NUL
        return False


def files_in(folder: Path, reach: Reach = ANYWHERE) -> list[Path]:
    """Return the files in a folder and those below it, without links, as far as they may be read."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink() and reach.allows(p))


def _on_disk(path: Path, name: str, reach: Reach, opener: Opener) -> Member:
    def opened() -> IO[bytes]:
        reach.check(path, name)  # again: since it was listed, a link may have taken its place
        return opener(path)

    if opener is open_plain:
        return Member(name, path.stat().st_size, opened)
    with reading(name), opener(path) as file:
        return Member(name, file.seek(0, io.SEEK_END), opened)


def _unpacked(path: Path, name: str, opener: Opener) -> Member:
    """Return the file that gzip packed; its last four bytes declare the size, and no more than that is ever read."""
    with reading(name), opener(path) as file:
        packed = file.seek(0, io.SEEK_END)
        file.seek(max(packed - 4, 0))
        size = int.from_bytes(file.read(4), "little")
    _check_expansion(name, packed, size)
    return Member(re.sub(r"\.gz$", "", name, flags=re.I), size, lambda: cast(IO[bytes], _Gunzipped(opener(path))))


class _Gunzipped(gzip.GzipFile):
    """Closes the packed file, too, as one that opened it itself does."""

    def __init__(self, packed: IO[bytes]) -> None:
        super().__init__(fileobj=packed)
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()


def shown(name: str) -> str:
    """Return a file's name without control characters, which break what it is written into."""
    return "".join(c for c in name if c.isprintable())


def wanted(name: str) -> bool:
    """Tell whether a name is a person's file, not the litter of an operating system."""
    return not any(part.startswith(".") or part in ("__MACOSX", "Thumbs.db") for part in PurePosixPath(name).parts)


def is_document(name: str) -> bool:
    """Tell by its name whether a file is documentation or a program, which nobody expects to be read."""
    return bool(DOCUMENT.fullmatch(PurePosixPath(name).name))


def _checked_members(archive: zipfile.ZipFile, name: str) -> list[Member]:
    members = [info for info in archive.infolist() if not info.filename.endswith("/")]
    if len(members) > MAX_MEMBERS:
        raise UnreadableData(f"{name}: holds {len(members):,} files; at most {MAX_MEMBERS:,} are read.")
    names = {info.filename for info in members}
    if "[Content_Types].xml" in names and WORKBOOK not in names:
        raise UnreadableData(
            f"{name}: is an Office document without a spreadsheet, expected CSV text. Open it and save it as CSV."
        )
    _check_expansion(name, sum(info.compress_size for info in members), sum(info.file_size for info in members))
    for info in members:
        _check_member(info, name)
    _check_apart(members, name)
    return [
        Member(shown(info.filename.replace("\\", "/")), info.file_size, _opener(archive, info))  # as Windows packs
        for info in members
        if wanted(info.filename)
    ]


def _check_expansion(name: str, packed: int, expanded: int) -> None:
    if expanded > MAX_EXPANDED_BYTES or (expanded > RATIO_FREE_BYTES and expanded > MAX_RATIO * max(packed, 1)):
        raise UnreadableData(
            f"{name}: would expand from {packed:,} to {expanded:,} bytes; "
            f"more than {MAX_RATIO} times or {MAX_EXPANDED_BYTES:,} bytes is refused."
        )


def _check_apart(members: list[zipfile.ZipInfo], name: str) -> None:
    """Refuse an archive whose members lie over one another: all would be expanded from the same few bytes."""
    end, before = 0, ""
    for info in sorted(members, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise UnreadableData(
                f"{name}: the members {before[:100]!r} and {info.filename[:100]!r} lie over one another; such an "
                "archive is refused."
            )
        end, before = info.header_offset + LOCAL_HEADER_BYTES + info.compress_size, info.filename


def _check_member(info: zipfile.ZipInfo, name: str) -> None:
    path = PurePosixPath(info.filename.replace("\\", "/"))
    member = info.filename[:100]
    if not path.name:
        raise UnreadableData(f"{name}: holds a file without a name; such an archive is refused.")
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise UnreadableData(f"{name}: the member {member!r} points outside the archive; such an archive is refused.")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise UnreadableData(f"{name}: the member {member!r} is a link; such an archive is refused.")
    if info.flag_bits & 0x1:
        raise UnreadableData(f"{name}: the member {member!r} is encrypted; expected an archive without a password.")
    if path.suffix.lower() == ".zip":
        raise UnreadableData(f"{name}: holds another archive, {member!r}; unpack it first.")


def _opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(info)


def beginning(member: Member, size: int) -> Member:
    """Return the first lines of a text, at most so many bytes of them; a smaller file, or an archive, as it is."""
    if member.size <= size or is_archive(member):
        return member
    data = member.head(size)
    end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
    return in_memory(member.name, data[:end] or data)


def in_memory(name: str, data: bytes) -> Member:
    """Wrap bytes that are already here."""
    return Member(name, len(data), lambda: io.BytesIO(data))
