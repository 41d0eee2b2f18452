"""Columns of a table that nothing was read from: told, so that no sensor is lost in silence."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from app.har.errors import quote
from app.har.problems import Problem, ProblemKind
from app.har.recordings.files import shown
from app.har.recordings.sensors import SENSOR_OF_KIND, kind_of_name
from app.har.recordings.tables import Source
from app.har.signals.types import Recording

MAX_LISTED = 12  # columns told by name
# Clocks, counters and what is computed from the axes: a heading with one of these words is missed by nobody
HARMLESS = re.compile(
    r"t|time\w*|\w*stamps?|date\w*|elapsed|epoch|clock|zeit\w*|temps|index|idx|row|nr|no|id|counter|abs\w*|magnitude|"
    r"norm|accuracy|unnamed"
)


def unused_columns(source: Source, used: Collection[int], known: Collection[str] = ()) -> list[Problem]:
    """Tell of the columns that were not read, and which sensor they seem to be of.

    Parameters
    ----------
    used : positions of the columns that were read.
    known : headings in small letters that the format has and nobody misses.
    """
    names, told = source.layout.names, [name.strip().strip('"').strip() for name in source.layout.header or ()]
    read = {names[i]: i + 1 for i in sorted(used, reverse=True)}
    again: list[str] = []
    by_sensor: dict[str, list[str]] = {}
    for place, name in enumerate(names):
        if place in used:
            continue
        if name in read:
            again.append(
                f"{quote(told[place])} in column {place + 1}, because column {read[name]} has the same heading"
            )
        elif name and name not in known and not any(map(HARMLESS.fullmatch, re.split(r"[\W_]+", name))):
            by_sensor.setdefault(SENSOR_OF_KIND.get(kind_of_name(name), ""), []).append(told[place])
    groups = [
        *again,
        *(_listed(own) + (f" ({sensor}, by name)" if sensor else "") for sensor, own in by_sensor.items()),
    ]
    return [Problem(source.name, ProblemKind.COLUMNS_NOT_USED, shown("; ".join(groups)), "left out")] if groups else []


def _listed(names: list[str]) -> str:
    more = len(names) - MAX_LISTED
    return quote(", ".join(names[:MAX_LISTED])) + (f" and {more:,} more" if more > 0 else "")


def seem_unused(recording: Recording, modalities: Iterable[str]) -> bool:
    """Tell whether some of the columns that were not read seem to be of one of these sensors."""
    kinds = [modality.rpartition(".")[2] for modality in modalities]
    details = [problem.detail for problem in recording.problems if problem.kind == ProblemKind.COLUMNS_NOT_USED]
    return any(f"({kind}, by name)" in detail for kind in kinds for detail in details)
