"""What models learn from a person's corrections: a head for each model version and place where the device was worn.

A head is learnt when it is first asked for, and anew when the corrections have changed, or the results that they are
of. So whatever is deleted or undone is in no head that is used.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.har.errors import HarError
from app.har.types import FloatArray
from app.har.vocabulary import DEFAULT_LIMIT
from app.services import audit, keys, sealing
from app.services.audit import Action
from app.services.errors import ServiceError
from app.services.files import written_whole
from app.services.models import model_files, model_versions
from app.services.personal import corrections, head_files
from app.services.personal.said import names_of, with_activities
from app.services.recordings import recordings
from app.services.recordings.places import PLACES
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.result_files import DAMAGED, load_result
from app.services.recordings.unlike_training import fits
from app.services.transaction import USUAL_WAIT_S, transaction
from app.tables import Correction, ModelVersion, PersonalHead, Prediction, StoredRecording

if TYPE_CHECKING:
    from app.har.personal import head as core
    from app.har.personal.prior import Prior

log = logging.getLogger(__name__)

CERTAIN = DEFAULT_LIMIT  # probability of what the model says: it would usually have been the answer

_prepared: set[str] = set()  # labels of versions: they are loaded, or were


@dataclass(frozen=True)
class Learnt:
    """What a model version learnt from a person for one place."""

    place: str
    head: core.PersonalHead | None  # None where the guard did not keep it
    report: Mapping[str, Any]  # see `_report`
    switched_on: bool = True

    @property
    def used(self) -> bool:
        return self.head is not None and self.switched_on


@dataclass(frozen=True)
class _Source:
    """A corrected recording and what a model version recognised in it."""

    recording: StoredRecording
    corrections: Sequence[Correction]
    prediction: Prediction

    def key(self) -> list[Any]:
        """Return what changes whenever something else is to be learnt from it."""
        path = recordings.result_file(self.prediction)
        said = [[c.id, c.part, c.start_s, c.end_s, c.activity] for c in self.corrections]
        return [self.recording.id, self.prediction.id, path.stat().st_mtime_ns, sealing.size(path), said]


@dataclass(frozen=True)
class _Windows:
    """Of one recording, the windows of which its owner says what they were."""

    features: NDArray[np.float16]
    proba: FloatArray
    activities: NDArray[np.object_]  # (n,) names
    place: NDArray[np.object_]  # (n,)
    unfamiliar: NDArray[np.bool_]  # (n,)
    stretch: NDArray[np.int64]  # (n,) the same of windows that follow each other

    def where(self, rows: NDArray[np.bool_]) -> _Windows:
        """Return some of them."""
        return _Windows(*(column[rows] for column in vars(self).values()))


def current(user_id: int, version: ModelVersion) -> dict[str, Learnt]:
    """Return what a model version knows of a person, by place; learnt now, where something has changed."""
    sources, _ = _sources(user_id, version)
    rows = {row.place: row for row in _rows(user_id, version)}
    key = _key(sources)
    if any(row.made_from != key for row in rows.values()) or (sources and not rows):
        return _learnt_anew(user_id, version, sources, key, rows)
    folder = head_files.folder_of(user_id)
    try:
        heads = {place: _load(folder / row.file) if row.file else None for place, row in rows.items()}
    except (HarError, *DAMAGED) as error:  # a file that is damaged, or gone, is learnt again
        log.warning("a personal head of user %s cannot be read: %s", user_id, error)
        return _learnt_anew(user_id, version, sources, key, rows)
    return {
        place: Learnt(place, heads[place], row.report, row.switched_on) for place, row in rows.items() if row.report
    }


def forget_loaded() -> None:
    """Forget in memory what was read for anybody; it is read again where it is needed."""
    _load.cache_clear()
    _windows_said.cache_clear()


def _key(sources: Sequence[_Source]) -> str:
    """Return what tells heads that are learnt from these from all others."""
    from app.har.personal.head import FORMAT

    return hashlib.sha256(json.dumps([FORMAT, *(source.key() for source in sources)]).encode()).hexdigest()


def _rows(user_id: int, version: ModelVersion) -> list[PersonalHead]:
    query = select(PersonalHead).filter_by(user_id=user_id, model_version_id=version.id)
    return list(db.session.scalars(query.order_by(PersonalHead.place)))


@lru_cache(maxsize=64)
def _load(path: Path) -> core.PersonalHead:
    """Read a head; each has a file of its own, which is never written again."""
    from app.har.personal.head import PersonalHead as Head

    with sealing.opened(path) as file:
        return Head.load(file)


def _sources(user_id: int, version: ModelVersion) -> tuple[list[_Source], list[StoredRecording]]:
    """Return the corrected recordings that a version has recognised, and those that it has not."""
    found, without = [], []
    for recording, said in corrections.of_user(user_id).items():
        prediction = next((p for p in recording.predictions if p.model_version_id == version.id), None)
        if prediction is None or not recordings.result_file(prediction).exists():
            without.append(recording)
        else:
            found.append(_Source(recording, said, prediction))
    return found, without


def not_recognised(user_id: int, version: ModelVersion) -> list[StoredRecording]:
    """Return the corrected recordings that a version has not recognised, so that it cannot learn from them."""
    return _sources(user_id, version)[1]


def _learnt_anew(
    user_id: int, version: ModelVersion, sources: Sequence[_Source], key: str, rows: Mapping[str, PersonalHead]
) -> dict[str, Learnt]:
    activities, found = _examples(sources)
    learnt = {}
    for place in sorted({name for windows in found.values() for name in windows.place}):
        head, report = _learn(version, activities, found, place)
        learnt[place] = Learnt(place, head, report, rows[place].switched_on if place in rows else True)
    try:
        _store(user_id, version, learnt, key)
    except (ServiceError, OSError, IntegrityError) as error:
        # The disk is full, or the model was deleted meanwhile, say; it can be learnt again any time
        log.warning("the personal heads of user %s are not stored: %s", user_id, error)
    return learnt


def _examples(sources: Sequence[_Source]) -> tuple[tuple[str, ...], dict[int, _Windows]]:
    """Return the activities of the model, and by recording the windows of which their owner says what they were.

    A result that is damaged is left out: it must not take what was learnt from the others away.
    """
    activities: tuple[str, ...] = ()
    found = {}
    for source in sources:
        path = recordings.result_file(source.prediction)
        said = tuple((c.part, c.start_s, c.end_s, c.activity) for c in source.corrections)
        try:
            activities, windows = _windows_said(path, path.stat().st_mtime_ns, said)
        except DAMAGED as error:
            log.warning("nothing is learnt from %s, which cannot be read: %s", path, error)
            continue
        found[source.recording.id] = windows
    return activities, found


@lru_cache(maxsize=256)
def _windows_said(
    path: Path, changed: int, said: tuple[tuple[str, float, float, str], ...]
) -> tuple[tuple[str, ...], _Windows]:
    """Return the activities of a stored result, and its windows of which somebody says what they were.

    Kept: of many recordings, one was corrected now.
    """
    result = load_result(path)
    number = {name: i for i, name in enumerate(result.recording_ids)}
    names = names_of(result, [(number[part], *rest) for part, *rest in said if part in number])  # type: ignore[misc]
    there = np.flatnonzero(names != None)  # noqa: E711  of each window
    return result.activities, _Windows(
        result.features[there],
        result.proba[there],
        names[there],
        places_of(result)[there],
        result.unfamiliar[there],
        np.cumsum(np.diff(there, prepend=there[:1]) > 1),
    )


def places_of(result: PredictionResult) -> NDArray[np.object_]:
    """Return where the device was worn in each window, one of `places.PLACES`; "" where that is not known; (n,)."""
    places = np.full(len(result), result.place, object)
    middle = (result.start_s + result.end_s) / 2
    number = {name: i for i, name in enumerate(result.recording_ids)}
    for wearing in result.wearings:
        if wearing.place in PLACES and wearing.recording in number:
            of_it = result.recording_index == number[wearing.recording]
            places[of_it & (middle >= wearing.start_s) & (middle < wearing.end_s)] = wearing.place
    return places


def _learn(
    version: ModelVersion, activities: tuple[str, ...], found: Mapping[int, _Windows], place: str
) -> tuple[core.PersonalHead | None, dict[str, Any]]:
    """Let a model version learn for one place; return also the report, plain values for the row.

    ``examples`` are windows by activity, ``stretches`` how many bouts these are of, ``recordings`` those that they are
    from, ``without`` those whose result was stored before it held what is learnt from, ``unfamiliar`` the activities
    that the model took for unfamiliar, ``contradicted`` what the model was sure of instead, see `_contradicted`; the
    rest is the guard's.
    """
    from app.har.personal.guard import guarded
    from app.har.personal.head import Examples, all_names, meant

    prior = _prior(version)
    n_features = prior.n_features if prior else None
    here = {number: windows.where(windows.place == place) for number, windows in found.items()}
    used = {number: one for number, one in here.items() if one.features.shape[1] == n_features and len(one.place)}
    report: dict[str, Any] = {
        "recordings": list(used),
        "without": [number for number, windows in here.items() if len(windows.place) and number not in used],
    }
    if prior is None or not used:
        return None, report | {"examples": {}, "stretches": {}, "unfamiliar": [], "contradicted": []}
    names = np.concatenate([windows.activities for windows in used.values()]).astype(np.str_)
    unfamiliar = np.concatenate([windows.unfamiliar for windows in used.values()])
    examples = Examples(
        np.concatenate([windows.features for windows in used.values()]),
        np.concatenate([windows.proba for windows in used.values()]),
        names,
        np.concatenate([np.full(len(windows.place), number) for number, windows in used.items()]),
        np.concatenate([windows.stretch for windows in used.values()]),
    )
    head, check = guarded(prior, activities, examples)
    strange = np.array([name for name in np.unique(names).tolist() if unfamiliar[names == name].mean() > 0.5], np.str_)
    all_of_them = all_names(activities, examples)
    return head, report | {
        "examples": dict(Counter(names.tolist()).most_common()),
        "stretches": examples.stretches(),
        "unfamiliar": np.array(all_of_them)[meant(activities, all_of_them, strange).any(axis=0)].tolist(),
        "contradicted": _contradicted(activities, examples),
        "kept": check.kept,
        "checked": check.checked,
        "right_before": check.right_before if check.checked else None,
        "right_after": check.right_after if check.checked else None,
    }


def _contradicted(activities: tuple[str, ...], examples: core.Examples) -> list[tuple[str, str, int]]:
    """Return what a person says most of whose windows the model was sure to be something else, what, and how many.

    No guard can tell who is right where all examples agree with each other; the person can. Of an activity that is new
    to the model, it is sure of another by necessity, and may still be right.
    """
    from app.har.personal.head import meant

    true = meant(activities, activities, examples.activity)
    likeliest = examples.probabilities.argmax(axis=1)
    rows = np.arange(len(examples))
    against = (examples.probabilities[rows, likeliest] >= CERTAIN) & ~true[rows, likeliest]
    found = []
    for name in np.unique(examples.activity).tolist():
        said = examples.activity == name
        if against[said].mean() > 0.5:
            number, windows = Counter(likeliest[said & against].tolist()).most_common(1)[0]
            found.append((name, activities[number], windows))
    return found


def _prior(version: ModelVersion) -> Prior | None:
    """Return what a model version brings for learning from a person; None where it brings nothing, or is damaged."""
    try:
        return model_files.load(model_versions.directory(version), version.label).prior
    # A file that is damaged, or gone, is learnt again
    except (HarError, *DAMAGED) as error:
        log.warning("%s cannot learn from a person: %s", version.label, error)
        return None


def prepare(version: ModelVersion) -> None:
    """Begin to load a model version that may soon learn: the first correction would wait most of a second for it."""
    folder, label = model_versions.directory(version), version.label
    if label not in _prepared:
        _prepared.add(label)
        Thread(target=_load_model, args=(folder, label), daemon=True).start()


def _load_model(folder: Path, label: str) -> None:
    try:
        model_files.load(folder, label)
    except (HarError, OSError) as error:  # whoever needs it will hear of it
        log.info("%s is not loaded in advance: %s", label, error)


def learns(version: ModelVersion) -> bool:
    """Say whether a model version can learn from a person."""
    return _prior(version) is not None


def _store(user_id: int, version: ModelVersion, learnt: Mapping[str, Learnt], key: str) -> None:
    """Write heads to files of their own, and rows; then delete the files that no row names any more.

    Nothing is stored where something was undone, or deleted, while this was learnt from it.
    """
    folder = head_files.folder_of(user_id)
    folder.mkdir(mode=0o700, exist_ok=True)
    files = {place: f"{uuid4().hex}.npz" if one.head else "" for place, one in learnt.items()}
    own = keys.of(user_id)
    try:
        for place, one in learnt.items():
            if one.head is not None:
                with written_whole(folder / files[place]) as draft, sealing.created(draft, own) as file:
                    one.head.save(file)
        with transaction(USUAL_WAIT_S):
            if _key(_sources(user_id, version)[0]) == key:
                _write_rows(user_id, version, learnt, key, files)
    finally:
        head_files.sweep(user_id)


def _write_rows(
    user_id: int, version: ModelVersion, learnt: Mapping[str, Learnt], key: str, files: Mapping[str, str]
) -> None:
    """Within a transaction: let the rows say what was learnt, and the file of each place."""
    rows = {row.place: row for row in _rows(user_id, version)}
    for place in rows.keys() - learnt.keys():
        if rows[place].switched_on:
            db.session.delete(rows[place])
        else:  # stays off, whatever is said later
            rows[place].file, rows[place].made_from, rows[place].report = "", key, {}
    for place, one in learnt.items():
        if place not in rows:
            rows[place] = PersonalHead(user_id=user_id, model_version_id=version.id, place=place, file="")
            db.session.add(rows[place])
        rows[place].file, rows[place].made_from, rows[place].report = files[place], key, dict(one.report)


def switch(user_id: int, version: ModelVersion, on: bool) -> None:
    """Use what a model version learnt from a person, or stop using it; nothing is deleted."""
    current(user_id, version)
    with transaction():
        for row in _rows(user_id, version):
            row.switched_on = on
    audit.record(Action.PERSONAL_MODEL, version.label, on=on)


def in_use(result: PredictionResult, learnt: Mapping[str, Learnt]) -> list[tuple[Learnt, core.PersonalHead]]:
    """Return what is used of that which a model learnt: of places where the device was worn in this result."""
    places, n_features = places_of(result), result.features.shape[1]
    return [
        (one, one.head)
        for place, one in learnt.items()
        if one.switched_on and one.head and one.head.n_features == n_features and (places == place).any()
    ]


def personalised(result: PredictionResult, learnt: Mapping[str, Learnt]) -> PredictionResult:
    """Return a result as a model answers that has learnt from the person, window by window.

    What the model took for unfamiliar stays so, but where it is like examples that were unfamiliar, too, and likeliest
    their activity. All of it stays so where the model does not fit the recording: it tells nothing apart there.
    """
    used, places = in_use(result, learnt), places_of(result)
    if not used:
        return result
    whole = with_activities(result, [name for _, head in used for name in head.activities])
    proba, position = whole.proba.copy(), {name: i for i, name in enumerate(whole.activities)}
    unfamiliar = result.unfamiliar.copy()
    for one, head in used:
        rows = np.flatnonzero(places == one.place)
        adjusted = head.adjust(result.proba[rows], result.features[rows])
        proba[rows] = 0.0
        proba[np.ix_(rows, np.array([position[name] for name in head.activities]))] = adjusted
        if fits(result.unfamiliar):
            likeliest = adjusted.argmax(axis=1)
            taught = np.isin(np.array(head.activities)[likeliest], one.report["unfamiliar"])
            unfamiliar[rows] &= ~(taught & head.alike(result.features[rows])[np.arange(len(rows)), likeliest])
    n = sum(sum(one.report["examples"].values()) for one, _ in used)
    return replace(whole, proba=proba, unfamiliar=unfamiliar, personal_windows=n)
