"""What a data set loader is, and what loaders share."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

from app.har.errors import HarError, UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.files import Member, beginning
from app.har.recordings.layout import Layout
from app.har.recordings.tables import Source, open_table
from app.har.signals.normalisation import infer_dataset_units, normalise_units
from app.har.signals.types import Recording, SignalSet
from app.har.types import FloatArray

if TYPE_CHECKING:
    import polars as pl

UNKNOWN_SUBJECT = "unknown"
LOOKED_AT, LOOKED_AT_BYTES = 20, 32 * 2**20  # files of a data set that decide its units, and of each its first minutes
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
        pending: deque[Future[T]] = deque(pool.submit(work, item) for item in islice(remaining, 2 * workers))
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(work, item) for item in islice(remaining, 1))
            yield result


def with_consistent_units(
    parts: Iterable[Part], members: Sequence[Member], read: Callable[[Member], Iterable[Recording]]
) -> Iterator[Part]:
    """Settle the units of recordings that a lab made, those of one layout and sensor alike; see `normalisation.decide`.

    What decides are the beginnings of some of the files, evenly spread. The rows stay as recorded.
    """

    def look(member: Member) -> list[Recording]:
        try:
            return list(read(beginning(member, LOOKED_AT_BYTES)))
        except HarError:  # told when it is read
            return []

    looked_at = prefetch_map(look, members[:: -(-len(members) // LOOKED_AT) or 1])
    decisions = infer_dataset_units(recording for recordings in looked_at for recording in recordings)
    for part in parts:
        content = part.content
        yield replace(part, content=normalise_units(content, decisions)) if isinstance(content, Recording) else part


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
            found = f"{source.layout.describe()}; expected {expected}"
            problems.append(Problem(member.name, ProblemKind.OTHER_LAYOUT, found, "file skipped"))
    return sources, tuple(problems)


def natural_sort_key(name: str) -> list[tuple[int, str]]:
    """Return a sort key in which 2 comes before 10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]
