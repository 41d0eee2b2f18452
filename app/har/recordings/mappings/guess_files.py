"""A guess at the tables of an upload: all alike, or a file for each sensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from app.har.recordings.mappings.guess import Guess, guess
from app.har.recordings.mappings.mapping import ColumnMapping, SensorColumns
from app.har.recordings.sensors import word_of_kind
from app.har.recordings.tables import Source
from app.har.signals.types import MODALITY_CHANNELS, Gravity


def guess_files(groups: Sequence[Sequence[Source]]) -> tuple[list[Source], Guess]:
    """Guess a mapping for tables, grouped by layout: for those of the first layout, or for files of one sensor each.

    A file of one sensor holds a time and three axes, and its name says which sensor it is.

    Returns
    -------
    The files that it is for, and the guess.
    """
    sources, merged = files_to_map(groups)
    return sources, merged or guess(sources[0])


def files_to_map(groups: Sequence[Sequence[Source]]) -> tuple[list[Source], Guess | None]:
    """Choose the files that one mapping is for, among tables grouped by layout: see `guess_files`.

    Files of sensors are each of a time and the three axes of one sensor, and their names say which.

    Returns
    -------
    The files, and the guess that decided it where each sensor has a file of its own.
    """
    alike = list(groups[0])
    by_word: dict[str, list[Source]] = {}
    for source in (source for group in groups for source in group):
        if word := word_of_kind(PurePosixPath(source.name).stem):
            by_word.setdefault(word, []).append(source)
    apart = [source for sources in by_word.values() for source in sources]
    if len(by_word) > 1 and len(apart) >= len(alike):
        merged = _merged({word: guess(sources[0]) for word, sources in by_word.items()})
        if merged is not None:
            return apart, merged
    return alike, None


def _merged(guesses: Mapping[str, Guess]) -> Guess | None:
    """Merge the guesses for files of one sensor, by the word in their names; None where they don't agree."""
    first = next(iter(guesses.values()))
    sensors: dict[str, SensorColumns] = {}
    reasons = {"time": first.reasons.get("time", "")}
    gravity: Gravity | None = None
    for word, found in sorted(guesses.items(), key=lambda item: item[1].mapping.gravity == "removed"):
        mapping = found.mapping
        alike = (mapping.time, mapping.time_unit) == (first.mapping.time, first.mapping.time_unit)
        if not (mapping.time and alike) or mapping.label or mapping.subject or len(mapping.sensors) != 1:
            return None
        (sensor,) = mapping.sensors
        modality = sensor.modality
        if modality == "accelerometer" and gravity == "included" and mapping.gravity == "removed":
            modality = "linear_accelerometer"
        if modality in sensors:
            return None
        gravity = gravity or (mapping.gravity if modality == "accelerometer" else None)
        sensors[modality] = sensor.model_copy(update={"modality": modality, "file": word})
        reasons[modality] = f"{found.reasons[sensor.modality]}; in the file called {word}"
    order = [modality for modality in MODALITY_CHANNELS if modality in sensors]
    time, unit = first.mapping.time, first.mapping.time_unit
    mapping = ColumnMapping.draft([sensors[m] for m in order], time, unit, gravity=gravity)
    return Guess(mapping, reasons)
