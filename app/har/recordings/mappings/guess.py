"""A guess at a mapping for an unknown table, from the names of its columns and the size of their values."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from app.har.errors import quote
from app.har.recordings.mappings.guess_columns import (
    LABEL_WORDS,
    NO_ACTIVITY,
    OF_DEVICES,
    SUBJECT_WORDS,
    TableSample,
    is_any,
    sample_table,
    words_of,
)
from app.har.recordings.mappings.guess_sensors import find_sensors
from app.har.recordings.mappings.guess_time import find_time
from app.har.recordings.mappings.mapping import MAX_COLUMNS, ColumnMapping
from app.har.recordings.mappings.published import is_raw_of_any_phone, published_table
from app.har.recordings.sensors import SENSOR_OF_KIND, kind_of_name
from app.har.recordings.tables import Source
from app.har.vocabulary import normalised, shared_node

MAX_DISTINCT = 50  # different values in a column of labels or subjects
MAX_UNNAMED_LABELS = 20  # in one whose name does not say that it holds labels


@dataclass(frozen=True)
class Guess:
    """A mapping to start from, and why, in a line for each part: "time", "gravity", "label", "subject", each sensor."""

    mapping: ColumnMapping
    reasons: Mapping[str, str]

    def to_yaml(self) -> str:
        """Write the mapping with the reasons as comments."""
        comments = "".join(f"# {part}: {reason}\n" for part, reason in self.reasons.items())
        return comments + self.mapping.to_yaml()


def guess(source: Source) -> Guess:
    """Guess a mapping; it may lack sensors or a rate, where nothing shows any."""
    if source.layout.n_columns > MAX_COLUMNS:
        return Guess(ColumnMapping.draft(), {})
    if known := published_table(source.layout):
        why = f"as {known.title} describes its columns: {known.described}"
        return Guess(known.mapping(source.layout), {"time": f"{known.rate_hz:g} rows per second, {why}"})
    table = sample_table(source)
    about = (*source.layout.lead, PurePosixPath(source.name).stem)
    time = find_time(table, about)
    label = _find_category(table, LABEL_WORDS, {time.column})
    subject = _find_category(table, SUBJECT_WORDS, {time.column, label})
    label = label or _find_unnamed_label(table, {time.column, subject, *time.clocks})
    others = {time.column, label, subject, *time.clocks}
    numeric = {name: values for name, values in table.numbers.items() if name not in others}
    by_file = SENSOR_OF_KIND.get(kind_of_name(PurePosixPath(source.name).stem), "")
    found = find_sensors(numeric, time.rate_hz, by_file, is_raw_of_any_phone(source.layout), about)
    categories = {part: _examples(table, column) for part, column in (("label", label), ("subject", subject)) if column}
    mapping = ColumnMapping.draft(
        found.sensors,
        time.column,
        time.unit,
        time.rate_hz if time.stated else None,
        gravity=found.gravity,
        label=label,
        subject=subject,
    )
    return Guess(mapping, {"time": time.reason, **found.reasons, **categories})


def _find_category(table: TableSample, words: re.Pattern[str], others: Collection[str | None]) -> str | None:
    """Return the first column of such a name that holds a few texts or whole numbers."""
    for column in (*table.texts, *table.numbers):
        own = words_of(column)
        if column in others or not is_any(words, own) or (words is SUBJECT_WORDS and is_any(OF_DEVICES, own)):
            continue
        numbers = table.numbers.get(column, np.zeros(1))
        whole = bool(np.all(numbers[np.isfinite(numbers)] % 1 == 0))
        values = table.distinct(column)
        if whole and 1 <= len(values) <= MAX_DISTINCT and not (words is LABEL_WORDS and _are_other(values)):
            return column
    return None


def _find_unnamed_label(table: TableSample, others: Collection[str | None]) -> str | None:
    """Return the first column of a few words half of which at least are activities, and that nothing else explains."""
    for column in table.texts:
        values = table.distinct(column) if column not in others else []
        activities = sum(shared_node(value) is not None for value in values)
        if 2 <= len(values) <= MAX_UNNAMED_LABELS and 2 * activities >= len(values):
            return column
    return None


def _are_other(values: Sequence[str]) -> bool:
    """Tell whether texts are orientations, marks or the names of sensors, not activities."""
    names = [(value, normalised(value)) for value in values]
    other = [NO_ACTIVITY.fullmatch(name) or kind_of_name(value) for value, name in names if not shared_node(value)]
    return len(other) == len(values) and all(other)


def _examples(table: TableSample, column: str) -> str:
    values = sorted(table.distinct(column))
    return f"it begins with {quote(', '.join(values[:4]))}{' …' if len(values) > 4 else ''}"[:120]
