"""How long a training still takes, by what was measured: of this run, and of earlier ones in this installation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from app.extensions import db
from app.har.classifiers.catalogue import CATALOGUE, DEPLOYABLE_MODEL
from app.har.progress import Event, Stage
from app.tables import TrainingRun
from app.tables.training_run import RunStatus

COMPARABLE = 3.0  # times as much data, or as little: of more or less, an earlier training says nothing
LOOKED_AT = 30  # finished runs, the newest


@dataclass(frozen=True)
class Fit:
    """One fit of a model in an earlier run, and its test."""

    size_s: float  # length of all windows that it was trained on
    seconds: float


def earlier_fits(config: Mapping[str, Any]) -> dict[str, list[Fit]]:
    """Return what earlier runs measured of the models of a run; of networks, those with as many epochs."""
    finished = select(TrainingRun).where(TrainingRun.status == RunStatus.FINISHED).order_by(TrainingRun.id.desc())
    fits: dict[str, list[Fit]] = {name: [] for name in config["models"]}
    for run in db.session.scalars(finished.limit(LOOKED_AT)):
        same_epochs = run.config.get("epochs") == config.get("epochs")
        same_start = _start(run.config) == _start(config)
        for name, metrics in run.result.get("models", {}).items():
            if name in fits and (same_epochs or not _in_epochs(name)) and (same_start or name != DEPLOYABLE_MODEL):
                with suppress(KeyError, ZeroDivisionError):  # a result of an early build
                    fits[name].append(_fit(run, metrics))
    return fits


def _start(config: Mapping[str, Any]) -> tuple[bool, bool]:
    """Return whether ELM-GRU-AM is built on a stored model, and whether its network is trained then."""
    return bool(config.get("base")), bool(config.get("fine_tune"))


def _in_epochs(name: str) -> bool:
    return name in CATALOGUE and CATALOGUE[name].needs_tensorflow


def _fit(run: TrainingRun, metrics: Mapping[str, Any]) -> Fit:
    split, n_folds = run.result["split"], max(len(run.result["folds"]), 1)
    test_s = split["test_windows"] / n_folds / metrics["predict_windows_per_second"]
    return Fit(split["train_windows"] * run.config["window_length_s"], metrics["fit_seconds"] + test_s)


class RemainingTime:
    """What is left of a run, where all of it was measured before; None where some of it was not.

    Parameters
    ----------
    models : of the run, in their order.
    earlier : by model, see `earlier_fits`.
    window_length_s : of the run.
    """

    def __init__(self, models: Sequence[str], earlier: Mapping[str, Sequence[Fit]], window_length_s: float) -> None:
        self._models, self._earlier, self._length_s = models, earlier, window_length_s
        self._size_s = 0.0  # known when the windows are split
        self._folds = 1
        self._fit: tuple[int, int] | None = None  # index of the model and number of the fold that is being fitted
        self._began_s = self._now_s = 0.0
        self._measured: list[float] = []  # seconds of the folds of this model that are done
        self._first_epoch: tuple[int, float] | None = None
        self._epoch: tuple[int, int, float] | None = None
        self._done: str | None = None  # the stage that ended the fit, where nothing has begun after it

    def take(self, event: Event, at_s: float) -> None:
        """Go on by one event, so long after the start."""
        self._now_s = at_s
        if event["stage"] == Stage.SPLIT:
            self._size_s, self._folds = event["train_windows"] * self._length_s, event.get("folds", 1)
        if "model_index" not in event:
            return
        fit = event["model_index"], event.get("fold", self._folds if event["stage"] == Stage.SCORED else 1)
        if fit != self._fit:
            if self._fit is None or fit[0] != self._fit[0]:
                self._measured = []
            self._fit, self._began_s, self._first_epoch, self._epoch = fit, at_s, None, None
        self._done = event["stage"] if event["stage"] in (Stage.SCORED, Stage.FOLD_SCORED) else None
        if self._done == Stage.FOLD_SCORED:
            self._measured.append(at_s - self._began_s)
        if "epoch" in event:
            self._first_epoch = self._first_epoch or (event["epoch"], at_s)
            self._epoch = event["epoch"], event["epochs"], at_s

    def unknown(self) -> list[str]:
        """Return the models that are still to come and were never measured here on data of about this size."""
        index = -1 if self._fit is None else self._fit[0]
        return [name for name in self._models[index + 1 :] if self._usual_s(name) is None]

    def seconds(self) -> float | None:
        """Return how long it takes from the last event on; None where that is not known."""
        if not self._size_s or self.unknown():
            return None
        index, fold = self._fit or (-1, self._folds)
        coming_s = self._folds * sum(self._usual_s(name) or 0.0 for name in self._models[index + 1 :])
        if index < 0 or self._done == Stage.SCORED:
            return coming_s
        current = self._current_s()
        if current is None:
            return None
        whole_s, left_s = current
        return coming_s + left_s + (self._folds - fold) * whole_s

    def _current_s(self) -> tuple[float, float] | None:
        """Return how long the fit that goes on takes as a whole, and how long still."""
        spent_s = self._now_s - self._began_s
        usual_s = self._usual_s(self._models[self._fit[0]]) if self._fit else None
        if self._measured:
            usual_s = sum(self._measured) / len(self._measured)
        by_epochs_s = self._epochs_left_s()
        if usual_s is None:
            return None if by_epochs_s is None else (spent_s + by_epochs_s, by_epochs_s)
        return usual_s, 0.0 if self._done else max(usual_s - spent_s, by_epochs_s or 0.0)

    def _epochs_left_s(self) -> float | None:
        if self._epoch is None or self._first_epoch is None or self._epoch[0] == self._first_epoch[0]:
            return None
        epoch, epochs, at_s = self._epoch
        each_s = (at_s - self._first_epoch[1]) / (epoch - self._first_epoch[0])
        return max((epochs - epoch) * each_s - (self._now_s - at_s), 0.0)

    def _usual_s(self, name: str) -> float | None:
        """Return how long one fit of a model takes, by the earlier one whose data was most like this in size."""
        if not self._size_s or not (fits := self._earlier.get(name)):
            return None
        times_as_much, nearest = min(
            ((max(fit.size_s / self._size_s, self._size_s / fit.size_s), fit) for fit in fits), key=lambda pair: pair[0]
        )
        return nearest.seconds * self._size_s / nearest.size_s if times_as_much <= COMPARABLE else None
