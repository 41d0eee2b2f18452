"""What a training is asked to train on: a data set, several as one, or one device of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from app.har.classifiers.catalogue import EVERYDAY_MODEL
from app.har.errors import HarError, InvalidSetting
from app.har.recordings.parts import UNKNOWN_SUBJECT
from app.har.signals.types import SignalSet
from app.har.training.config import TrainConfig
from app.har.training.left_out import resolved
from app.har.vocabulary import ON_FOOT, RUNNING, STILL, node_of, path_of
from app.services.datasets import library
from app.services.datasets.shared_names import names_of
from app.services.datasets.worn import place_of
from app.services.errors import Invalid
from app.tables import Dataset

WINDOW_STEPS_S = (TrainConfig.window_length_s, 2.5, 2.0, 1.5, 1.0, 0.5)
LONG_ENOUGH = 0.25  # share of the pieces of an activity
RARE = 0.02  # share of the labelled time: transitions between postures do not shorten all windows


@dataclass(frozen=True)
class Choice:
    """A data set to train on, or one device of it: ``sp-sw-har:watch``."""

    dataset: Dataset
    device: str = ""

    @property
    def text(self) -> str:
        """Return what a person writes to choose it."""
        return f"{self.dataset.name}:{self.device}" if self.device else self.dataset.name


def names_in(text: str) -> list[str]:
    """Return the names of data sets in a text, commas between them."""
    return list(filter(None, map(str.strip, text.split(","))))


def all_choices() -> list[Choice]:
    """Return all that can be trained on: the data sets, and each device of those that have several."""
    return [Choice(dataset, device) for dataset in library.list_datasets() for device in ("", *_devices(dataset))]


def _devices(dataset: Dataset) -> tuple[str, ...]:
    """Return the devices of a data set, none where it has only one."""
    from app.har.datasets.pool import devices_of

    devices = devices_of(dataset.summary["channels"])
    return devices if len(devices) > 1 else ()


def chosen(text: str) -> Choice:
    """Return what a text chooses: a data set by its name, after a colon one device of it."""
    name, _, device = text.partition(":")
    dataset = library.get(name)
    if device and device not in _devices(dataset):
        known = f"has {', '.join(_devices(dataset))}" if _devices(dataset) else "has only one device"
        raise Invalid(f"{name} {known}; found {device[:64]!r}.", "dataset")
    return Choice(dataset, device)


def provenance(choices: Sequence[Choice]) -> dict[str, Any]:
    """Return names and fingerprints of what is trained on: a result outlives its data sets."""
    each = [
        {
            "dataset": one.dataset.name,
            "fingerprint": one.dataset.fingerprint,
            "device": one.device,
            "vocabulary": names_of(one.dataset),
            "place": place_of(one.dataset, one.device),
        }
        for one in choices
    ]
    if len(choices) == 1:
        return {**each[0], "dataset": choices[0].text}
    return {"dataset": ", ".join(one.text for one in choices), "fingerprint": "", "datasets": each}


def people_left_out(datasets: Sequence[Dataset], config: TrainConfig) -> tuple[str, ...]:
    """Return the people to leave out as the data call them: of several data sets, with the name of theirs before it.

    Raises
    ------
    Invalid : one of them is not in the data; the message names those who are.
    """
    if not config.leave_out:
        return ()
    several, wanted = len(datasets) > 1, config.leave_out
    people = [
        f"{dataset.name}/{subject}" if several else subject
        for dataset in datasets
        for subject in set(library.open_dataset(dataset).signals.subjects)
    ]
    if not several:
        wanted = tuple(name if name in people else name.removeprefix(f"{datasets[0].name}/") for name in wanted)
    try:
        return resolved(wanted, people)
    except InvalidSetting as error:
        raise Invalid(str(error), error.setting) from error


@dataclass(frozen=True)
class WithoutLabels:
    """A data set to learn from without its labels."""

    dataset: Dataset
    own: bool  # it is trained on, so what has no label in it is meant

    @property
    def facts(self) -> dict[str, Any]:
        """Return what result and manifest say of it."""
        return {"dataset": self.dataset.name, "fingerprint": self.dataset.fingerprint, "own": self.own}


def without_labels(name: str, choices: Sequence[Choice]) -> WithoutLabels:
    """Return the data set of this name, to learn from without labels beside those that are trained on.

    Raises
    ------
    NotFound : there is none.
    Invalid : it is trained on and has labels throughout, or it lacks what is read of the one that is trained on.
    """
    from app.har.datasets.as_read import check_readable
    from app.har.datasets.pool import of_device
    from app.har.signals.types import UNLABELLED

    dataset = library.get(name)
    signals = library.open_dataset(dataset).signals
    if any(one.dataset.fingerprint == dataset.fingerprint for one in choices):
        if not (np.asarray(signals.labels) == UNLABELLED).any():
            raise Invalid(
                f"All of {name} has labels. Choose another data set to learn from without labels.", "unlabelled"
            )
        return WithoutLabels(dataset, own=True)
    if len(choices) == 1:
        (one,) = choices
        like = library.open_dataset(one.dataset).signals
        wanted = of_device(like, one.device) if one.device else like
        try:
            check_readable(
                signals.channels,
                signals.gravity,
                signals.sampling_rate_hz,
                wanted.channels,
                wanted.gravity,
                wanted.sampling_rate_hz,
            )
        except HarError as error:
            raise Invalid(f"{name} cannot be read as {one.text}: {error}", "unlabelled") from error
    return WithoutLabels(dataset, own=False)


def check_usable(datasets: Sequence[Dataset], config: TrainConfig) -> None:
    """Refuse at once what the trainer would find out after seconds."""
    from app.har.datasets.pool import rate_together

    if not datasets:
        raise Invalid("Choose at least one data set.", "dataset")
    several, whole = len(datasets) > 1, " and ".join(dataset.name for dataset in datasets)
    for dataset in datasets:
        if not dataset.summary["activities"]:
            raise Invalid(
                f"Nothing in {dataset.name} has a label. Label it on its page, and train on the data set that is made "
                "of the labels.",
                "dataset",
            )
    if len({dataset.fingerprint for dataset in datasets}) < len(datasets):
        raise Invalid(f"Of {whole}, some are the same data: a copy would be trained on and tested.", "dataset")
    if config.protocol == "dataset" and not several:
        raise Invalid(
            "To leave data sets out, at least two are needed. Choose several, or split by subject.", "protocol"
        )
    # Of several, those who are not named are one more
    subjects = sum(max(dataset.summary["subjects"], int(several)) for dataset in datasets)
    subjects -= sum(name.rpartition("/")[2] != UNKNOWN_SUBJECT for name in config.leave_out)
    if config.protocol == "subject" and config.folds and 2 <= subjects < config.folds:
        raise Invalid(
            f"{config.folds} folds by subject need at least as many subjects; {whole} has {subjects}.", "folds"
        )
    if config.protocol == "subject" and subjects < 2:
        known = "has only one subject" if subjects else "does not say who was recorded"
        if config.leave_out:
            known = f"has only {subjects} of its people left"
        raise Invalid(f"The data set {whole} {known}, so it cannot be split by subject. Choose random.", "protocol")
    rates = [dataset.summary["sampling_rate_hz"] for dataset in datasets]
    rate = rate_together(rates) if several else rates[0]
    if config.low_pass_hz is not None and config.low_pass_hz >= rate / 2:
        raise Invalid(
            f"The data set {whole} has {rate:g} samples per second and so nothing above {rate / 2:g} Hz; "
            f"found a low-pass filter at {config.low_pass_hz:g} Hz. Choose a lower frequency, or no filter.",
            "low_pass_hz",
        )
    _check_windows(datasets, config, whole)
    if EVERYDAY_MODEL in config.models:
        _check_everyday(datasets, config, whole)


def _check_windows(datasets: Sequence[Dataset], config: TrainConfig, whole: str) -> None:
    """Refuse windows that are longer than any piece of one activity."""
    longest_s = max(_longest_s(library.open_dataset(dataset).signals) for dataset in datasets)
    if config.window_length_s > longest_s:
        raise Invalid(
            f"No window of {config.window_length_s:g} s fits: the longest piece of one activity without a gap in "
            f"{whole} has {longest_s:.1f} s. Choose shorter windows.",
            "window_length_s",
        )


def _longest_s(signals: SignalSet) -> float:
    from app.har.windows import label_segments

    pieces = label_segments(signals)
    labelled = pieces.length[pieces.label >= 0]
    return float(labelled.max() / signals.sampling_rate_hz) if len(labelled) else 0.0


def usual_window_s(dataset: Dataset) -> float:
    """Return how long windows are at first: as usual, or shorter where an activity mostly lasts less.

    A quarter of the pieces of each activity that is not rare is as long at least, or hardly a window of it was left.
    """
    return _usual_window_s(library.store_folder(dataset))


@lru_cache(maxsize=64)
def _usual_window_s(folder: Path) -> float:
    from app.har.datasets.store import open_store
    from app.har.windows import label_segments

    try:
        signals = open_store(folder).signals
    except (HarError, OSError):  # the training will say what is wrong
        return TrainConfig.window_length_s
    pieces = label_segments(signals)
    lengths = [pieces.length[pieces.label == activity] for activity in range(len(signals.activities))]
    often = RARE * sum(own.sum() for own in lengths)
    longer = [float(np.quantile(own, 1 - LONG_ENOUGH)) for own in lengths if own.sum() > often]
    fitting = (s for s in WINDOW_STEPS_S if all(round(s * signals.sampling_rate_hz) <= length for length in longer))
    return next(fitting, WINDOW_STEPS_S[-1])


def _check_everyday(datasets: Sequence[Dataset], config: TrainConfig, whole: str) -> None:
    """Refuse data from which the everyday model cannot learn, or on which it cannot be calibrated.

    It is calibrated on data sets left out of its training, and where there is only one, on people.
    """
    known = {
        node for dataset in datasets for name in names_of(dataset).values() if name for node in path_of(node_of(name))
    }
    if len(known & {STILL, ON_FOOT, RUNNING}) < 2:
        raise Invalid(
            f"The everyday model learns to tell still, on foot and running apart, and {whole} has not two of them. "
            "Leave it out, or choose other data.",
            "models",
        )
    left_out = config.protocol == "dataset"
    if len(datasets) - left_out > 1:
        return
    for dataset in datasets:
        people = max(dataset.summary["subjects"], 1)
        tested = 0
        if config.protocol == "subject":
            tested = -(-people // config.folds) if config.folds else max(round(config.test_fraction * people), 1)
        if people - tested < 2:
            found = f"would leave {people - tested}" if dataset.summary["subjects"] else "does not say who was recorded"
            raise Invalid(
                "The everyday model is calibrated on people who were left out of its training, so it must learn from "
                f"at least 2 people; {dataset.name} {found}. Leave the everyday model out, or choose more data.",
                "models",
            )
