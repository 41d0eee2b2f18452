"""What becomes of shared corrections when somebody takes their consent back: data sets lose them, models are named.

Their recordings are taken out of the data sets that were made with them, in a thread of the server; a data set in which
nothing usable is left is removed. Models that learnt from them stay, and administrators see which.
"""

from __future__ import annotations

import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread

from flask import Flask, current_app
from sqlalchemy import Text, cast, select

from app.extensions import db
from app.har.errors import HarError, InsufficientData, Unlabelled
from app.services.datasets import exports, library
from app.services.errors import ServiceError
from app.services.models import forgetting
from app.tables import Consent, Dataset, ModelVersion, TrainingRun

log = logging.getLogger(__name__)

AGAIN_S = 60.0  # between two attempts: a training may be reading the data set
_at_work = Lock()


@dataclass(frozen=True)
class Copy:
    """A data set that was made with what somebody shared."""

    dataset: str
    is_there: bool
    holds_them: bool  # False: it is removed, or they were taken out of it


@dataclass(frozen=True)
class Learnt:
    """A training that has seen what somebody shared, and the versions that it made."""

    run_id: int
    versions: tuple[tuple[ModelVersion, bool], ...]  # each with whether it can forget them


def copies_of(consent: Consent) -> list[Copy]:
    """Return the data sets that were made with a consent, and what has become of them."""
    names = consent.copies.get("datasets", [])
    there = {dataset.name: dataset for dataset in db.session.scalars(select(Dataset).where(Dataset.name.in_(names)))}
    return [Copy(name, name in there, name in there and _holds(there[name], consent.pseudonym)) for name in names]


def _holds(dataset: Dataset, person: str) -> bool:
    try:
        return person in library.open_dataset(dataset).signals.subjects
    except (HarError, OSError) as error:
        log.warning("%s cannot be read: %s", dataset.name, error)
        return True  # as long as nobody knows


def learnt_from(consent: Consent) -> list[Learnt]:
    """Return the trainings whose results name the person of a consent, the newest first."""
    named = cast(TrainingRun.result, Text).contains(consent.pseudonym, autoescape=True)
    ids = db.session.scalars(select(TrainingRun.id).where(named).order_by(TrainingRun.id.desc())).all()
    query = select(ModelVersion).where(ModelVersion.training_run_id.in_(ids)).order_by(ModelVersion.id)
    versions = [(version, _can_forget(version, consent.pseudonym)) for version in db.session.scalars(query)]
    return [Learnt(i, tuple(each for each in versions if each[0].training_run_id == i)) for i in ids]


def _can_forget(version: ModelVersion, person: str) -> bool:
    try:
        return any(subject.rpartition("/")[2] == person for subject in forgetting.people_of(version))
    except (HarError, OSError) as error:
        log.warning("%s cannot be read: %s", version.label, error)
        return False


def withdrawn() -> list[Consent]:
    """Return the consents that hold no longer and with which data sets were made, the newest first."""
    ended = select(Consent).where(Consent.withdrawn.is_not(None)).order_by(Consent.withdrawn.desc())
    return [consent for consent in db.session.scalars(ended) if consent.copies.get("datasets")]


def begin(after: Event | None = None) -> None:
    """Take people out of data sets, in the background, where that is still to be done; return at once.

    Parameters
    ----------
    after : what to wait for: an import that is going on may hold somebody who takes their consent back meanwhile.
    """
    if after is None and not outstanding():
        return
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    Thread(target=_work, args=(app, after), daemon=True).start()


def _work(app: Flask, after: Event | None) -> None:
    if after is not None:
        after.wait()
    if not _at_work.acquire(blocking=False):
        return  # the other sees to it
    try:
        with app.app_context():
            while not take_out():
                db.session.remove()
                time.sleep(AGAIN_S)
    except Exception:
        log.exception("taking people out of data sets has ended")
    finally:
        _at_work.release()


def outstanding() -> list[tuple[str, str]]:
    """Return the data sets that still hold somebody who took their consent back, each with their made-up name."""
    return [
        (copy.dataset, consent.pseudonym) for consent in withdrawn() for copy in copies_of(consent) if copy.holds_them
    ]


def take_out() -> bool:
    """Take people out of data sets where that is still to be done; return whether it has succeeded everywhere."""
    done = True
    for name, person in outstanding():
        try:
            _take_out(name, person)
        except (ServiceError, HarError, OSError) as error:
            log.warning("%s is not taken out of %s yet: %s", person, name, error)
            done = False
    return done


def _take_out(name: str, person: str) -> None:
    from app.har.datasets.exports import kinelab

    signals = library.open_dataset(library.get(name)).signals
    if set(signals.subjects) == {person}:
        library.remove(name)
        return
    uploads = Path(current_app.config["UPLOADS"])
    with tempfile.NamedTemporaryFile(prefix=library.UPLOAD_PREFIX, suffix=".zip", dir=uploads) as file:
        file.writelines(exports.zipped(kinelab.files(signals, without=person), "corrections"))
        file.flush()
        try:
            library.renew(name, Path(file.name))
        except (InsufficientData, Unlabelled) as error:  # what is left is too little for any activity
            log.info("%s is removed: %s", name, error)
            library.remove(name)
