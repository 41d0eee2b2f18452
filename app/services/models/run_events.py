"""What a training reports: kept as JSON lines as it comes, each with how much of the run is done, and read by pages."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from app.har.classifiers.catalogue import CATALOGUE
from app.har.progress import Event, Stage
from app.services.models.run_times import RemainingTime

PREPARING = 0.3  # of a model's time: features, selection, head
LONGEST_EVENT = 4096  # bytes


class ProgressEstimate:
    """How much of a run is done, each model weighted by what it usually costs."""

    def __init__(self, models: Sequence[str]) -> None:
        self._costs = [CATALOGUE[name].relative_cost if name in CATALOGUE else 1.0 for name in models]
        self._fit = (0, 1)  # index of the model and number of the fold that is being fitted
        self._trained: float | None = None  # share of its epochs
        self.fraction = 0.0

    def take(self, event: Event) -> None:
        """Go on by one event."""
        if "model_index" not in event:
            return
        fold, folds = event.get("fold", 1), event.get("folds", 1)
        if self._fit != (event["model_index"], fold):
            self._fit, self._trained = (event["model_index"], fold), None
        if "epoch" in event:
            self._trained = event["epoch"] / event["epochs"]
        if event["stage"] in (Stage.SCORED, Stage.FOLD_SCORED):
            within = 1.0
        elif self._trained is not None:
            within = PREPARING + (0.95 - PREPARING) * self._trained
        else:
            within = PREPARING * event.get("fraction", 0.0)
        index = self._fit[0]
        self.fraction = (sum(self._costs[:index]) + self._costs[index] * (fold - 1 + within) / folds) / sum(self._costs)


def record_events(lines: Iterable[str], path: Path, models: Sequence[str], remaining: RemainingTime) -> Iterator[Event]:
    """Append a trainer's events to a file, line by line, and pass each on; with each, what is done and what is left."""
    estimate, started = ProgressEstimate(models), time.time()
    with path.open("a", encoding="utf-8") as file:
        for line in lines:
            event: Event = json.loads(line)
            estimate.take(event)
            event |= {"at_s": round(time.time() - started, 2), "run_fraction": round(estimate.fraction, 4)}
            remaining.take(event, event["at_s"])
            event |= {"run_remaining_s": remaining.seconds(), "run_unknown": remaining.unknown()}
            print(json.dumps(event), file=file, flush=True)
            yield event


def read_events(path: Path, after: int = 0) -> tuple[list[Event], Event, int]:
    """Read events from a position in the file on, so that a page that asks each second does not read all again.

    Returns
    -------
    The events after the position; the latest of all, empty before the first; the position to go on from.
    """
    try:
        with path.open("rb") as file:
            after = min(max(after, 0), file.seek(0, os.SEEK_END))
            start = max(0, after - LONGEST_EVENT)
            file.seek(start)
            content = file.read()
    except OSError:  # not there yet, or unreadable: the run itself says why it failed
        return [], {}, 0
    earlier, new = content[: after - start], content[after - start :]
    new = new[: new.rfind(b"\n") + 1]  # without a line that is being written
    events = list(_parsed(new.splitlines()))
    latest = events or list(_parsed(earlier.splitlines()[-1:]))
    return events, latest[-1] if latest else {}, after + len(new)


def _parsed(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with contextlib.suppress(ValueError):  # a position that nobody was given is in the middle of a line
            yield json.loads(line)
