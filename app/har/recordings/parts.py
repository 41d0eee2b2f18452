"""What a data set loader is, and what loaders share."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

from app.har.errors import HarError, UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.files import Member, beginning, is_document
from app.har.recordings.layout import Layout
from app.har.recordings.tables import Source, open_table
from app.har.signals.normalisation import infer_dataset_units, normalise_units
from app.har.signals.types import Recording, SignalSet
from app.har.types import FloatArray

if TYPE_CHECKING:
    import polars as pl

UNKNOWN_SUBJECT = "unknown"
LOOKED_AT, LOOKED_AT_BYTES = 20, 32 * 2**20  # files of a data set that decide its units, and the first bytes of each
T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True)
class Matrix:
    """Rows of numbers of one kind, as many columns as there may be."""

    columns: tuple[str, ...]
    values: FloatArray  # (rows, columns)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Part:
    """The next piece of a data set: a recording (or many, already at a uniform rate) and its rows as recorded."""

    content: Recording | SignalSet | None
    rows: Mapping[str, pl.DataFrame | Matrix] = field(default_factory=dict)  # by table name
    problems: tuple[Problem, ...] = ()
    fraction: float = 1.0  # of the data set, after this part

    @property
    def recordings(self) -> list[Recording]:
        """The recording that it holds, none where it holds nothing or many at a uniform rate."""
        return [self.content] if isinstance(self.content, Recording) else []


class Loader(Protocol):
    """One layout of a data set; the modules in `formats`."""

    FORMAT: str
    TITLE: str
    SHOW_RECORDING: bool  # whether the table of rows needs a column that names the recording

    def matches(self, layout: Layout) -> bool:
        """Tell whether files of this layout belong to such a data set."""
        ...

    def read_dataset(self, members: list[Member]) -> Iterator[Part]:
        """Read the data set, a bounded part at a time."""
        ...


class FormatLoader(Loader, Protocol):
    """A loader of files in one format, which can be described in a line."""

    DESCRIPTION: str


def prefetch_map(work: Callable[[S], T], items: Iterable[S], workers: int = 2) -> Iterator[T]:
    """Apply work to items in order, a few items ahead of the consumer.

    Decompression, parsing and hashing release the interpreter lock, so this hides them behind the resampling.
    """
    remaining = iter(items)
    with ThreadPoolExecutor(workers) as pool:

        def submit(item: S) -> Future[T]:
            return pool.submit(copy_context().run, work, item)  # so that messages quote there what they do here

        pending: deque[Future[T]] = deque(map(submit, islice(remaining, 2 * workers)))
        while pending:
            result = pending.popleft().result()
            pending.extend(map(submit, islice(remaining, 1)))
            yield result


def first_minutes(member: Member) -> Member:
    """Return the beginning of a file, as much as is looked at to infer the units of its data set."""
    return beginning(member, LOOKED_AT_BYTES)


def with_consistent_units(
    parts: Iterable[Part], samples: Sequence[S], look: Callable[[S], Iterable[Recording]]
) -> Iterator[Part]:
    """Correct the units of a data set's recordings, those of one layout and sensor alike; see `normalise_units`.

    The rows stay as recorded.

    Parameters
    ----------
    parts : of the data set.
    samples : what its recordings are made of: a file, or several; some, evenly spread, decide on the units.
    look : reads the recordings in the first minutes of one of them.
    """

    def try_to_look(sample: S) -> list[Recording]:
        try:
            return list(look(sample))
        except HarError:  # is listed when it is read
            return []

    looked_at = prefetch_map(try_to_look, samples[:: -(-len(samples) // LOOKED_AT) or 1])
    units = infer_dataset_units(recording for recordings in looked_at for recording in recordings)
    for part in parts:
        content = part.content
        yield replace(part, content=normalise_units(content, units)) if isinstance(content, Recording) else part


def read_each_file(members: Sequence[Member], read_one: Callable[[Member], Part]) -> Iterator[Part]:
    """Read a data set of one recording a file, in the order of their names, all in one unit."""
    members = sorted(members, key=lambda member: natural_sort_key(member.name))
    total = sum(member.size for member in members) or 1

    def parts() -> Iterator[Part]:
        done = 0
        for member, part in zip(members, prefetch_map(read_one, members), strict=True):
            done += member.size
            yield replace(part, fraction=done / total)

    yield from with_consistent_units(parts(), members, lambda member: read_one(first_minutes(member)).recordings)


def read_one_file(
    member: Member,
    matches: Callable[[Layout], bool],
    expected: str,
    read: Callable[[Source], tuple[Recording, pl.DataFrame]],
) -> Part:
    """Read one file of a data set; documents are passed over, files in another layout or at fault listed."""
    if is_document(member.name):
        return Part(None)
    try:
        source = open_table(member)
        if not matches(source.layout):
            return Part(None, {}, (_other_layout(source, expected),))
        recording, frame = read(source)
    except HarError as error:
        return Part(None, {}, (Problem(member.name, ProblemKind.UNREADABLE_FILE, str(error), "file skipped"),))
    return Part(recording, {"rows": frame})


def _other_layout(source: Source, expected: str) -> Problem:
    found = f"{source.layout.describe()}; expected {expected}"
    return Problem(source.name, ProblemKind.OTHER_LAYOUT, found, "file skipped")


def matching_files(
    members: Iterable[Member], matches: Callable[[Layout], bool], expected: str
) -> tuple[list[Source], tuple[Problem, ...]]:
    """Return the files of a layout, and a problem for each other one."""
    sources: list[Source] = []
    problems: list[Problem] = []
    for member in members:
        try:
            source = open_table(member)
        except UnreadableData as error:
            problems.append(Problem(member.name, ProblemKind.UNREADABLE_FILE, str(error), "file skipped"))
            continue
        if matches(source.layout):
            sources.append(source)
        else:
            problems.append(_other_layout(source, expected))
    return sources, tuple(problems)


def natural_sort_key(name: str) -> list[tuple[int, str]]:
    """Return a sort key in which 2 comes before 10."""
    parts = ((part, part.lstrip("0")) for part in re.split(r"([0-9]+)", name))
    return [(len(number), number) if part[:1].isdecimal() else (0, part) for part, number in parts]
