"""Files of an hour each, joined: Beiwe writes `accelerometer/2024-01-01 10_00_00+00_00.csv` and so on for a person.

What is joined bears the name of the folder, which is that of the sensor: `accelerometer.csv`. Without a folder, that
of the first hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import PurePosixPath

from app.har.recordings.files import in_memory
from app.har.recordings.importers import importer_of
from app.har.recordings.layout import is_number
from app.har.recordings.tables import Source, open_table

HOUR = re.compile(r"\d{4}-\d\d-\d\d[ T_]\d\d[_:.-]00[_:.-]00([+-]\d\d[_:.]?\d\d|Z)?")  # a full hour
MAX_BYTES = 512 * 2**20  # of a person's files, which are joined in memory; more remain apart


def join_hours(sources: Sequence[Source]) -> list[Source]:
    """Return tables with those of the hours of one folder joined, where they have the same columns."""
    hours: dict[tuple[str, tuple[str, ...], str], list[Source]] = {}
    for source in filter(_is_of_an_hour, sources):
        key = (str(PurePosixPath(source.name).parent), source.layout.names, source.layout.encoding)
        hours.setdefault(key, []).append(source)
    if max(map(len, hours.values()), default=0) < 2:
        return list(sources)
    joined = {id(own[0]): _joined(own) for own in hours.values() if _run_on(own)}
    parts = {id(source) for own in hours.values() for source in own if id(own[0]) in joined}
    return [joined.get(id(source), source) for source in sources if id(source) in joined or id(source) not in parts]


def _is_of_an_hour(source: Source) -> bool:
    named = HOUR.fullmatch(PurePosixPath(source.name).stem) is not None
    return named and source.layout.header is not None and importer_of(source.layout) is None


def _run_on(sources: Sequence[Source]) -> bool:
    """Tell whether the first cells, which are the time, count on from hour to hour, in files that are not too large."""
    begins = [source.layout.rows[0][0].strip() for source in _in_order(sources)]
    times = [float(cell) if is_number(cell) else cell for cell in (cell.replace(",", ".") for cell in begins)]
    alike = len({type(time) for time in times}) == 1
    later = alike and all(one < other for one, other in pairwise(times))  # type: ignore[operator]
    return later and sum(source.member.size for source in sources) <= MAX_BYTES


def _in_order(sources: Iterable[Source]) -> list[Source]:
    return sorted(sources, key=lambda source: PurePosixPath(source.name).name)


def _joined(sources: Iterable[Source]) -> Source:
    """Join tables in the order of their names: the first with its headings, the rows alone of the others."""
    first, *others = _in_order(sources)
    data = [first.member.read(), *(_rows(source) for source in others)]
    path = PurePosixPath(first.name)
    name = f"{path.parent}{path.suffix}" if path.parent.name else first.name
    text = b"".join(part if part.endswith((b"\n", b"\r")) else part + b"\n" for part in data if part)
    return open_table(in_memory(name, text))


def _rows(source: Source) -> bytes:
    """Return a table without its headings and what stands above them."""
    end = b"\r" if source.layout.newline == "\r" else b"\n"
    return source.member.read().split(end, source.layout.first_data_line - 1)[-1]
