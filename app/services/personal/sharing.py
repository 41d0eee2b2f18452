"""Corrections as a data set for administrators: the corrected stretches of those who agreed, and nothing else.

A recording is a file in Kinelab's own layout, in a folder with the made-up name of its person: what the model saw in
the corrected stretches, with gaps between them, and what the person said they did. What cannot be in it is listed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.har.texts import whole_characters
from app.har.types import FloatArray
from app.services import audit
from app.services.audit import Action
from app.services.datasets import exports, imports
from app.services.errors import Conflict
from app.services.personal import consents, corrections, taken_back
from app.services.recordings import recordings, stored_signal
from app.tables import Consent, Correction, StoredRecording

if TYPE_CHECKING:
    from app.har.signals.types import SignalSet

FOLDER = "corrections"
GRAVITY, ACCELERATION = ("gravity_x", "gravity_y", "gravity_z"), ("acc_x", "acc_y", "acc_z")


@dataclass(frozen=True)
class Stretch:
    """What a person said of a stretch; ``missing`` says why it is in no file, "" where it is."""

    person: str
    recording: str  # name of the file
    seconds: float
    activity: str
    missing: str = ""


@dataclass(frozen=True)
class Person:
    """What a person shares, in numbers."""

    name: str
    recordings: int
    minutes: dict[str, float]  # by activity


@dataclass(frozen=True)
class _Shared:
    """A corrected recording of somebody who agreed."""

    consent: Consent
    name: str
    recording: StoredRecording
    corrections: Sequence[Correction]


def overview() -> tuple[list[Person], list[Stretch]]:
    """Return what is shared by whom, and which of it cannot be in a data set."""
    stretches = [stretch for shared in _shared() for stretch in _stretches(shared)]
    agreed = [consent.user_id or 0 for consent in consents.holding()]
    audit.record(Action.CORRECTIONS_READ, about=agreed, people=len(agreed), stretches=len(stretches))
    people = []
    for name in dict.fromkeys(stretch.person for stretch in stretches):
        own = [stretch for stretch in stretches if stretch.person == name and not stretch.missing]
        minutes: dict[str, float] = {}
        for stretch in own:
            minutes[stretch.activity] = minutes.get(stretch.activity, 0.0) + stretch.seconds / 60
        people.append(Person(name, len({stretch.recording for stretch in own}), minutes))
    return people, [stretch for stretch in stretches if stretch.missing]


def zipped() -> Iterator[bytes]:
    """Yield all that is shared as a zip archive, as it is made.

    Raises
    ------
    Conflict : nothing is.
    """
    shared = _with_signal()
    audit.record(Action.CORRECTIONS_READ, "a zip archive", about=_people(shared), recordings=len(shared))
    return exports.zipped(_files(shared), FOLDER)


def make_dataset(name: str, added_by_id: int) -> imports.DatasetImport:
    """Begin to make a data set of all that is shared now.

    Raises
    ------
    Conflict : nothing is.
    Invalid : the name.
    """
    shared = _with_signal()
    with tempfile.TemporaryFile() as file:
        file.writelines(exports.zipped(_files(shared), FOLDER))
        job = imports.start_import(name, upload=file, filename="shared corrections.zip", added_by_id=added_by_id)
    consents.note_copy(name, list({one.consent.id for one in shared}))
    taken_back.begin(after=job.done)
    audit.record(Action.CORRECTIONS_READ, name, about=_people(shared), recordings=len(shared))
    return job


def _people(shared: Sequence[_Shared]) -> list[int]:
    return [one.consent.user_id or 0 for one in shared]


def _shared() -> Iterator[_Shared]:
    for consent in consents.holding():
        for number, (recording, said) in enumerate(corrections.of_user(consent.user_id or 0).items(), start=1):
            place = (recording.place or "place unknown").replace(" ", "-")
            yield _Shared(consent, f"recording-{number}-{place}", recording, said)


def _with_signal() -> list[_Shared]:
    found = [shared for shared in _shared() if any(not stretch.missing for stretch in _stretches(shared))]
    if not found:
        raise Conflict("Nobody shares corrections with a signal at this moment.")
    return found


def _stretches(shared: _Shared) -> Iterator[Stretch]:
    """Yield what a person said of a recording, and why it is in no file."""
    there = _parts(recordings.folder_of(shared.recording))
    for i, one in enumerate(shared.corrections):
        missing, seconds = "", one.end_s - one.start_s
        if one.start_s == one.end_s:
            missing = "an instant, which has no signal of its own"
        elif there is None:
            missing = "no signal is stored of this recording"
        elif one.part not in there:
            missing = "the file no longer has this recording"
        elif not _overlaps(there[one.part], one):
            missing = "nothing was recorded in this stretch"
        else:
            seconds = _seconds(there[one.part], one, shared.corrections[i + 1 :])
        if seconds or missing:
            yield Stretch(shared.consent.pseudonym, shared.name, seconds, one.activity, missing)


def _seconds(spans: Sequence[tuple[float, float]], one: Correction, later: Sequence[Correction]) -> float:
    """Return how much signal a stretch has; the last word counts, so that what is said twice counts once."""
    left = [(max(start, one.start_s), min(end, one.end_s)) for start, end in spans]
    for other in (other for other in later if other.part == one.part):
        pieces = [((start, min(end, other.start_s)), (max(start, other.end_s), end)) for start, end in left]
        left = [(start, end) for two in pieces for start, end in two if start < end]
    return sum(end - start for start, end in left if start < end)


def _overlaps(spans: Sequence[tuple[float, float]], one: Correction) -> bool:
    return any(start < one.end_s and one.start_s < end for start, end in spans)


def _parts(folder: Path) -> dict[str, list[tuple[float, float]]] | None:
    """Return from when to when there is a signal, by recording of a file; None where none is stored."""
    if not ((folder / "signal.npy").exists() and (folder / "stretches.npz").exists()):
        return None
    stored = stored_signal.stretches(folder)
    names, rate = [whole_characters(str(name)) for name in stored["recording_ids"]], stored["sampling_rate_hz"]
    ends = stored["start_s"] + stored["length"] / rate
    spans: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for recording, start, end in zip(stored["recording"], stored["start_s"], ends, strict=True):
        spans[names[recording]].append((float(start), float(end)))
    return spans


def _files(shared: Sequence[_Shared]) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield a file for each recording of a person's file that they corrected."""
    from app.har.recordings.formats.kinelab_csv import write_csv

    for one in shared:
        for number, part in enumerate(dict.fromkeys(correction.part for correction in one.corrections)):
            said = [correction for correction in one.corrections if correction.part == part]
            if (signals := _signals(one, said)) is not None:
                name = f"{one.name}-{number + 1}" if number else one.name
                yield f"{one.consent.pseudonym}/{name}.csv", (text.encode() for text in write_csv(signals, part))


def _signals(shared: _Shared, said: Sequence[Correction]) -> SignalSet | None:
    """Return the corrected stretches of one recording with what its owner said; the last word counts."""
    from app.har.signals.types import UNLABELLED, SignalSet

    folder, part = recordings.folder_of(shared.recording), said[0].part
    if part not in (_parts(folder) or {}):
        return None
    table, rows = stored_signal.stretches(folder), stored_signal.Rows(folder / "signal.npy")
    names = [whole_characters(str(name)) for name in table["recording_ids"]]
    rate, activities = float(table["sampling_rate_hz"]), tuple(dict.fromkeys(one.activity for one in said))
    values, labels, starts = [], [], []
    for i in np.flatnonzero(table["recording"] == names.index(part)).tolist():
        time_s = table["start_s"][i] + np.arange(table["length"][i]) / rate
        label = np.full(len(time_s), UNLABELLED, np.int16)
        for one in said:
            label[(time_s >= one.start_s) & (time_s < one.end_s)] = activities.index(one.activity)
        for first, last in _runs(label != UNLABELLED):
            begin = int(table["first"][i])
            span = [(begin + first, begin + last)]
            values.append(np.stack([rows.read(row, span) for row in range(rows.shape[0])], axis=1))
            labels.append(label[first:last])
            starts.append(float(time_s[first]))
    if not values:
        return None
    signal, channels = _with_gravity(np.concatenate(values), tuple(map(str, table["channels"])))
    length = np.array([len(each) for each in labels])
    return SignalSet(
        signal=signal,
        labels=np.concatenate(labels),
        channels=channels,
        sampling_rate_hz=rate,
        gravity="included",
        activities=activities,
        recording_ids=(part,),
        subjects=(shared.consent.pseudonym,),
        first=np.cumsum(length) - length,
        length=length,
        recording=np.zeros(len(length), np.int64),
        start_s=np.array(starts),
    )


def _runs(there: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where runs of true values begin and end."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], there, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _with_gravity(signal: FloatArray, channels: tuple[str, ...]) -> tuple[FloatArray, tuple[str, ...]]:
    """Put back the gravity that a model looks at by itself: other models read acceleration as sensors measure it."""
    if not {*GRAVITY, *ACCELERATION} <= set(channels):
        return signal, channels
    whole = signal.copy()
    for gravity, acceleration in zip(GRAVITY, ACCELERATION, strict=True):
        whole[:, channels.index(acceleration)] += np.nan_to_num(signal[:, channels.index(gravity)])
    kept = [i for i, channel in enumerate(channels) if channel not in GRAVITY]
    return whole[:, kept], tuple(channels[i] for i in kept)
