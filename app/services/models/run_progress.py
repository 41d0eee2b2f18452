"""Where a run stands: its steps with those to come, and how long it still takes, as far as that is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.har.classifiers.catalogue import CATALOGUE
from app.har.progress import Event, Stage
from app.services.formatting import duration
from app.services.models import runs
from app.services.models.run_events import read_events
from app.tables import TrainingRun
from app.tables._columns import now
from app.tables.training_run import RunStatus

AT_THE_END = (Stage.CURVE, Stage.WRITING)  # after the last model
DONE, NOW, COMING = "done", "now", "to come"


def progress(run_id: int, after: int = 0) -> dict[str, Any]:
    """Return where a run stands, its events from a position on, and as ``next`` the position to ask from next time."""
    run = runs.get(run_id)
    events, latest, position = read_events(runs.folder(run_id) / runs.EVENTS, after)
    elapsed_s = ((run.finished or now()) - run.created).total_seconds()
    return {
        "status": run.status.value,
        "reason": run.reason,
        "fraction": 1.0 if run.status is RunStatus.FINISHED else latest.get("run_fraction", 0.0),
        "elapsed": duration(elapsed_s),
        "remaining": _remaining(latest, elapsed_s) if run.status is RunStatus.RUNNING else "",
        "steps": [{"title": title, "state": state, "detail": detail} for title, state, detail in _steps(run, latest)],
        "events": events,
        "next": position,
    }


def _remaining(latest: Event, elapsed_s: float) -> str:
    """Say how long a run still takes; where a part of it was never measured, say that it is not known."""
    if latest.get("stage") in AT_THE_END:
        return "Nearly done"
    if (seconds := latest.get("run_remaining_s")) is None:
        titles = [_title(name) for name in latest.get("run_unknown", [])]
        were = "was" if len(titles) == 1 else "were"
        listed = " and ".join(filter(None, (", ".join(titles[:-1]), *titles[-1:])))
        why = f": {listed} {were} not trained here before on about as much data" if titles else ""
        return f"Remaining time unknown yet{why}"
    left_s = seconds - max(elapsed_s - latest["at_s"], 0.0)
    return f"About {duration(left_s)} remaining" if left_s >= 1 else "It takes longer than earlier trainings did"


def _steps(run: TrainingRun, latest: Event) -> Iterator[tuple[str, str, str]]:
    """Yield the steps of a run: what each is, its state, and for the present one what is done at the moment."""
    models, stage = run.config["models"], latest.get("stage")
    writing = stage in AT_THE_END
    at = len(models) if writing else latest.get("model_index", -1)
    yield "Read the data and cut windows", NOW if at < 0 else DONE, _detail(latest) if at < 0 else ""
    for number, name in enumerate(models):
        scored = number == at and stage == Stage.SCORED
        state = DONE if number < at or scored else NOW if number == at else COMING
        yield _title(name), state, _detail(latest) if state == NOW else ""
    detail = Stage.CURVE.label if stage == Stage.CURVE else ""
    yield "Draw the plots and write the results", NOW if writing else COMING, detail


def _detail(event: Event) -> str:
    """Say what an event reports: training the network, epoch 3 of 40."""
    if not event:
        return Stage.STARTING.label
    parts = [Stage(event["stage"]).label]
    if "folds" in event and "fold" in event:
        which = f"without {event['dataset']}" if event.get("dataset") else "fold"
        parts.insert(0, f"{which} {event['fold']} of {event['folds']}")
    if "epoch" in event:
        parts.append(f"epoch {event['epoch']} of {event['epochs']}")
    return ", ".join(parts)


def _title(name: str) -> str:
    return CATALOGUE[name].title if name in CATALOGUE else name
