"""Training runs, for administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import url_for

from app.har.errors import InvalidSetting
from app.har.training.config import validated
from app.services.api.tokens import Scope
from app.services.errors import Invalid
from app.services.models import run_progress, runs, training
from app.web.api.v1 import asked, shapes
from app.web.api.v1.operations import cursor_of, number_of, operation
from app.web.bearer import bearer

if TYPE_CHECKING:
    from app.tables import TrainingRun

TRAINING = Scope.TRAINING_ADMIN


@operation("GET", "/training-runs", TRAINING, shapes.Runs)
def list_runs(query: asked.PartQuery) -> shapes.Runs:
    """List training runs."""
    found = runs.newest(number_of(query.cursor), query.limit)
    items = [
        shapes.RunInBrief(row.id, row.name, row.status.value, row.created, row.finished, row.dataset_name)
        for row in found.items
    ]
    return shapes.Runs(items, cursor_of(found.before))


@operation("POST", "/training-runs", TRAINING, shapes.Run, 201)
def start_run(json: asked.NewRun) -> tuple[Any, int, dict[str, str]]:
    """Start a training.

    One runs at a time. Settings that are left out are the usual ones.
    """
    try:
        config = validated(json.settings)
    except InvalidSetting as error:
        raise Invalid(str(error), f"settings.{error.setting}") from error
    number = training.begin(",".join(json.datasets), config, started_by_id=bearer().id, name=json.name)
    return _shown(runs.get(number)), 201, {"Location": url_for(".get_run", run_id=number)}


@operation("GET", "/training-runs/<int:run_id>", TRAINING, shapes.Run)
def get_run(run_id: int) -> shapes.Run:
    """Get a run, with its metrics once it is finished."""
    return _shown(runs.get(run_id))


@operation("GET", "/training-runs/<int:run_id>/progress", TRAINING, shapes.Progress)
def get_progress(run_id: int, query: asked.EventsQuery) -> shapes.Progress:
    """Follow a run."""
    return shapes.Progress(**run_progress.progress(run_id, query.after))


@operation("POST", "/training-runs/<int:run_id>/stop", TRAINING, shapes.Run)
def stop_run(run_id: int) -> shapes.Run:
    """Ask a training to end."""
    training.stop(run_id)
    return _shown(runs.get(run_id))


def _shown(row: TrainingRun) -> shapes.Run:
    return shapes.Run(
        id=row.id,
        name=row.name,
        status=row.status.value,
        reason=row.reason,
        created=row.created,
        finished=row.finished,
        datasets=row.dataset_name,
        config=row.config,
        result=row.result,
        models=[version.id for version in runs.versions_of(row.id)],
    )
