"""Labels for a data set's stretches that have none: one bout at a time, the one most worth it first.

What people say is kept at once, as a row of `BoutLabel`; which bout is next and what it probably is follows from the
rows each time (`har.labelling`), so nothing is lost by a restart and several people may label. The map of the bouts is
made once by a reader, into the data set's folder.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

import numpy as np
from flask import Flask, current_app
from sqlalchemy import select

from app.extensions import db
from app.har.errors import HarError, UnreadableData
from app.har.progress import Event as ProgressEvent
from app.har.progress import Stage
from app.har.vocabulary import PARENT, normalised, shared_node
from app.services import activity_names, audit
from app.services.audit import Action
from app.services.datasets import exports, imports, library, reading_tasks
from app.services.errors import Conflict, NotFound
from app.services.readers import pool
from app.services.transaction import transaction
from app.tables import BoutLabel, Dataset
from app.tables._columns import now

if TYPE_CHECKING:
    from app.har.datasets.store import Store
    from app.har.labelling import Bouts, Choice, Guess
    from app.har.signals.types import SignalSet

log = logging.getLogger(__name__)

MOSTLY = 0.6  # of a bout: labelled in the files already
AWAY_S = 60.0  # who looks at a bout for longer is not at work
SHOWN_S = 180.0  # for which a bout that somebody looks at is nobody else's
RECENT = 5
FOLDER = "labelled"
MAX_ID = 2**31 - 1  # of a row

_making: dict[str, Making] = {}  # by the data set's folder
_shown: dict[tuple[int, int], tuple[int, float]] = {}  # data set and person: the bout before them, since when
_lock = Lock()


@dataclass
class Making:
    """The map of a data set that is being made."""

    stage: str = Stage.STARTING.label
    fraction: float | None = None
    started: float = field(default_factory=time.monotonic)
    error: str = ""
    done: Event = field(default_factory=Event)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    def on_event(self, event: ProgressEvent) -> None:
        """Take a progress report."""
        self.stage, self.fraction = "describing the recordings", event.get("fraction")


@dataclass(frozen=True)
class Desk:
    """A data set ready to be labelled: its bouts, and those that its files label already."""

    store: Store
    choice: Choice
    known: dict[int, str]

    @property
    def n_bouts(self) -> int:
        return len(self.choice.map.bouts)

    def bouts_of(self, label: BoutLabel) -> list[int]:
        """Return the bouts that lie in a labelled stretch: those whose middle does."""
        bouts, own = self.choice.map.bouts, self.store.contents.number_of.get(label.recording)
        if own is None:
            return []
        first, last = np.searchsorted(bouts.recording, [own, own + 1])
        middle = (bouts.start_s[first:last] + bouts.end_s[first:last]) / 2
        inside = (middle >= label.start_s) & (middle < label.end_s)
        return [int(first) + i for i in np.flatnonzero(inside).tolist()]


@dataclass(frozen=True)
class Shown:
    """One bout before a person: what its signal is, whose, and what it probably is."""

    number: int
    recording: str
    subject: str
    start_s: float
    end_s: float
    guess: Guess | None


@dataclass(frozen=True)
class Progress:
    """How much was labelled, in how much time."""

    bouts: int  # looked at
    all_bouts: int  # that have no label in the files
    signal_s: float  # that have a name now
    work_s: float
    seconds: dict[str, float]  # of signal by activity, in the order in which they were named
    recent: list[BoutLabel]  # of this person, the last first

    @property
    def each_s(self) -> float:
        return self.work_s / self.bouts if self.bouts else 0.0


def desk_of(dataset: Dataset) -> Desk | None:
    """Return what is needed to label a data set; None while it is being made, which begins where it has not.

    Raises
    ------
    Conflict : it could not be made; the message says why.
    """
    folder = library.store_folder(dataset)
    if (folder / reading_tasks.BOUTS).exists():
        try:
            return _desk(folder)
        except UnreadableData as error:
            log.warning("%s; it is made again", error)
            (folder / reading_tasks.BOUTS).unlink(missing_ok=True)
    with _lock:
        making = _making.get(dataset.folder)
        if making is None:
            making = _making[dataset.folder] = Making()
            app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
            Thread(target=_make, args=(app, folder, making), daemon=True).start()
    if making.error:
        _making.pop(dataset.folder, None)  # the next look tries again; two may look at once
        raise Conflict(making.error)
    return None


def making_of(dataset: Dataset) -> Making | None:
    """Return how far the map of a data set is, None where it is not being made."""
    making = _making.get(dataset.folder)
    return making if making and not making.done.is_set() else None


def _make(app: Flask, folder: Path, making: Making) -> None:
    with app.app_context():
        limits = pool.Limits(current_app.config["ADD_TIMEOUT_S"], current_app.config["READ_MEMORY_MB"], "ADD_TIMEOUT_S")
        try:
            pool.ask(f"{reading_tasks.__name__}:map_bouts", {"folder": str(folder)}, limits, making.on_event)
            with _lock:
                _making.pop(folder.name, None)
        except (HarError, OSError) as error:
            making.error = f"The recordings could not be prepared for labelling. {error}"
        except Exception:
            log.exception("the bouts of %s could not be found", folder.name)
            making.error = "The recordings could not be prepared for labelling. See the server's log for details."
        making.done.set()


@lru_cache(maxsize=4)
def _desk(folder: Path) -> Desk:
    from app.har.datasets.store import open_store
    from app.har.labelling import Choice, LabellingMap

    store, map_ = open_store(folder), LabellingMap.load(folder / reading_tasks.BOUTS)
    known: dict[int, str] = {}
    signals, bouts = store.signals, map_.bouts
    if signals.activities and (signals.labels >= 0).any():
        for i in range(len(bouts)):
            label, counts = np.unique(signals.labels[_samples(signals, bouts, i)], return_counts=True)
            if label[counts.argmax()] >= 0 and counts.max() >= MOSTLY * counts.sum():
                known[i] = signals.activities[int(label[counts.argmax()])]
    return Desk(store, Choice(map_), known)


library.KEPT_OPEN.append(_desk.cache_clear)


def _samples(signals: SignalSet, bouts: Bouts, i: int) -> slice:
    """Return where the samples of a bout are."""
    from app.har.labelling.stretches import span

    return span(signals, int(bouts.recording[i]), float(bouts.start_s[i]), float(bouts.end_s[i]))


def labels_of(dataset: Dataset) -> list[BoutLabel]:
    """Return what was said of a data set and holds, in the order in which it was said."""
    query = select(BoutLabel).filter_by(dataset_id=dataset.id, undone_at=None).order_by(BoutLabel.id)
    return list(db.session.scalars(query))


def _named(desk: Desk, said: Sequence[BoutLabel]) -> dict[int, str]:
    """Return the activity of each bout that has one, "" of those without a name; the last word counts."""
    return desk.known | {bout: label.activity for label in said for bout in desk.bouts_of(label)}


def activities(dataset: Dataset, said: Sequence[BoutLabel]) -> tuple[list[str], list[str]]:
    """Return what a person may say with one key: what is named here, first of all; then the rest of the vocabulary."""
    named: dict[str, str] = {}
    for name in (*dataset.summary["activities"], *(label.activity for label in said if label.activity)):
        named.setdefault(shared_node(name) or normalised(name) or name, name)
    return list(named.values()), [node for node in PARENT if node not in named]


def next_bout(dataset: Dataset, desk: Desk, said: Sequence[BoutLabel], user_id: int) -> Shown | None:
    """Return the bout that this person should label now: the one before them, or the one most worth it; None: all are.

    What others look at now is not among them.
    """
    named = _named(desk, said)
    moment = time.monotonic()
    with _lock:
        mine = _shown.get((dataset.id, user_id))
        others = frozenset(
            bout
            for (of, whose), (bout, since) in _shown.items()
            if of == dataset.id and whose != user_id and moment - since < SHOWN_S
        )
        if mine and mine[0] not in named and mine[0] not in others and mine[0] < desk.n_bouts:
            number: int | None = mine[0]
        else:
            number = desk.choice.next(named, others)
        if number is None:
            return None
        _shown[dataset.id, user_id] = (number, moment)
    bouts, signals = desk.choice.map.bouts, desk.store.signals
    recording = int(bouts.recording[number])
    return Shown(
        number,
        signals.recording_ids[recording],
        signals.subjects[recording],
        float(bouts.start_s[number]),
        float(bouts.end_s[number]),
        desk.choice.guess(named, number),
    )


def say(name: str, user_id: int, bout: int, activity: str, work_s: float) -> BoutLabel:
    """Keep what a bout is; "" says that it was looked at and has no name.

    Raises
    ------
    NotFound : no such data set or bout.
    Invalid : no name of an activity.
    """
    dataset = library.get(name)
    desk = desk_of(dataset)
    if desk is None or not 0 <= bout < desk.n_bouts:
        raise NotFound("There is no such stretch. Nothing was saved.")
    named, others = activities(dataset, labels_of(dataset))
    if activity.strip() and activity not in (known := [*named, *others]):
        activity = activity_names.checked(activity, "other", known)
    bouts = desk.choice.map.bouts
    row = BoutLabel(
        dataset_id=dataset.id,
        user_id=user_id,
        recording=desk.store.signals.recording_ids[int(bouts.recording[bout])],
        start_s=float(bouts.start_s[bout]),
        end_s=float(bouts.end_s[bout]),
        activity=activity.strip(),
        work_s=min(max(work_s, 0.0), AWAY_S),
    )
    with transaction() as session:
        session.add(row)
    audit.record(Action.DATASET_LABELLED, name, stretches=1)
    return row


def undo(name: str, user_id: int, label_id: int) -> None:
    """Take back what this person said of a bout; it is before them again.

    Raises
    ------
    NotFound : it is undone already, or somebody else's.
    """
    dataset = library.get(name)
    if not 0 < label_id <= MAX_ID:
        raise NotFound("There is no such label. Nothing was changed.")
    with transaction() as session:
        query = select(BoutLabel).filter_by(id=label_id, dataset_id=dataset.id, user_id=user_id, undone_at=None)
        row = session.scalar(query)
        if row is None:
            raise NotFound("This label is undone already, in another window perhaps. Nothing was changed.")
        row.undone_at = now()
    audit.record(Action.DATASET_LABELLED, name, stretches=1, change="undone")
    desk = desk_of(dataset)
    if desk and (found := desk.bouts_of(row)):
        with _lock:
            _shown[dataset.id, user_id] = (found[0], time.monotonic())


def progress(desk: Desk, said: Sequence[BoutLabel], user_id: int) -> Progress:
    """Return how much was labelled, in how much time."""
    bouts = desk.choice.map.bouts
    named = {bout: name for bout, name in _named(desk, said).items() if bout not in desk.known}
    seconds: dict[str, float] = {}
    for bout, name in named.items():
        if name:
            seconds[name] = seconds.get(name, 0.0) + float(bouts.end_s[bout] - bouts.start_s[bout])
    return Progress(
        len(named),
        desk.n_bouts - len(desk.known),
        sum(seconds.values()),
        sum(label.work_s for label in said),
        seconds,
        [label for label in reversed(said) if label.user_id == user_id][:RECENT],
    )


def make_dataset(name: str, new_name: str, added_by_id: int) -> imports.DatasetImport:
    """Begin to make a data set of all that is labelled in another, in its files and here.

    Raises
    ------
    Conflict : nothing is labelled here.
    Invalid : the name.
    InsufficientData : what is labelled is in the data set no more.
    """
    from app.har.datasets.exports import kinelab
    from app.har.labelling.stretches import labelled_signals
    from app.services.personal import consents, taken_back

    dataset = library.get(name)
    said = [label for label in labels_of(dataset) if label.activity]
    if not said:
        raise Conflict("Nothing is labelled yet.")
    signals = labelled_signals(library.open_dataset(dataset).signals, labels_of(dataset))
    with tempfile.TemporaryFile() as file:
        file.writelines(exports.zipped(kinelab.files(signals), FOLDER))
        job = imports.start_import(
            new_name, upload=file, filename=f"what is labelled in {name}", added_by_id=added_by_id
        )
    if people := consents.of_copies(name):  # theirs is taken out of this one, too, when they take their consent back
        consents.note_copy(new_name, people)
        taken_back.begin(after=job.done)
    audit.record(Action.DATASET_EXPORTED, name, stretches=len(said))
    return job
