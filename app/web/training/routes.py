"""Train page, and run page with its live progress."""

from __future__ import annotations

import threading
from typing import Any

from flask import Flask, current_app, flash, redirect, render_template, request, send_file, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from app.har.classifiers.catalogue import CATALOGUE, families
from app.har.colours import PALETTE
from app.har.errors import HarError
from app.har.evaluation.types import FEWEST_PEOPLE
from app.har.progress import Stage
from app.har.training.config import TrainConfig
from app.services.datasets import library
from app.services.errors import ServiceError
from app.services.formatting import duration
from app.services.models import model_versions, runs, tested_windows, training, training_data
from app.web.access import access
from app.web.errors import show_at_field, status_of
from app.web.training.blueprint import bp
from app.web.training.forms import PROTOCOLS, TrainForm
from app.web.training.verdicts import compared, what_it_cannot_say


@bp.get("/training/")
@access("admin")
def index() -> str:
    """Show the form and the runs so far."""
    return _train_page(_form(training_data.names_in(request.args.get("dataset", ""))))


@bp.post("/training/")
@access("admin")
def start() -> Response | tuple[str, int]:
    """Start a training and go to its page."""
    form = _form()
    if not form.validate():
        return _train_page(form), 422
    try:
        trainer = training.start(",".join(form.dataset.data or []), form.config(), started_by_id=current_user.id)
    except (ServiceError, HarError) as error:
        if not show_at_field(error, form):
            flash(str(error), "danger")
        return _train_page(form), status_of(error)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    threading.Thread(target=_follow, args=(app, trainer), name=f"training-{trainer.run_id}", daemon=True).start()
    return redirect(url_for(".run", run_id=trainer.run_id))


def _follow(app: Flask, trainer: training.TrainingProcess) -> None:
    with app.app_context():
        training.follow(trainer)


def _form(chosen: list[str] | None = None) -> TrainForm:
    choices = training_data.all_choices()
    chosen = chosen or ([choice.text for choice in choices] if len(choices) == 1 else [])
    form = TrainForm(dataset=chosen, protocol="dataset" if len(chosen) > 1 else TrainConfig.protocol)
    form.dataset.choices = [
        (one.text, f"{one.dataset.name}, only its {one.device}" if one.device else one.dataset.name) for one in choices
    ]
    return form


def _train_page(form: TrainForm) -> str:
    return render_template(
        "training/index.html",
        form=form,
        protocols=PROTOCOLS,
        runs=runs.list_runs(),
        running=runs.running(),
        families=families(),
        lacking=training.what_is_lacking(CATALOGUE),
    )


@bp.get("/training/<int:run_id>")
@access("admin")
def run(run_id: int) -> str:
    """Show a run: its progress while it goes on, then its results."""
    run = runs.get(run_id)
    titles, split = _titles(), run.result.get("split")
    return render_template(
        "training/run.html",
        run=run,
        titles=titles,
        comparisons=compared(run.result.get("comparisons", []), titles, split) if split else [],
        cannot_say=what_it_cannot_say(split) if split else "",
        fewest_people=FEWEST_PEOPLE,
        linked=tested_windows.are_kept(run_id),
        not_kept=tested_windows.NOT_KEPT,
        stages={stage.value: stage.label for stage in Stage},
        palette=PALETTE,
        protocols=PROTOCOLS,
        versions=runs.versions_of(run_id),
        default=model_versions.promoted(),
        progress=runs.progress(run_id),
    )


@bp.get("/training/<int:run_id>/windows")
@access("admin")
def windows(run_id: int) -> str:
    """Show the windows of one true activity that a model recognised as one activity: a cell of its confusion matrix."""
    run, model = runs.get(run_id), request.args.get("model", "")
    true, recognised = request.args.get("true", ""), request.args.get("recognised", "")
    cell = tested_windows.behind_cell(run, model, true, recognised, request.args.get("page", 1, type=int))
    return render_template(
        "training/windows.html",
        run=run,
        title=_titles().get(model, model),
        actual=true,
        recognised=recognised,
        cell=cell,
        several="datasets" in run.result["data"],
        only=run.dataset.name if run.dataset else "",
        datasets={dataset.name for dataset in library.list_datasets()},
        length_s=run.result["config"]["window_length_s"],
        page_url=lambda page: url_for(
            ".windows", run_id=run_id, model=model, true=true, recognised=recognised, page=page
        ),
    )


def _titles() -> dict[str, str]:
    return {name: info.title for name, info in CATALOGUE.items()}


@bp.get("/training/<int:run_id>/progress")
@access("admin")
def progress(run_id: int) -> dict[str, Any]:
    """Return the events from the position `after` on, for the page's script."""
    state = runs.progress(run_id, request.args.get("after", 0, type=int))
    remaining_s = state["remaining_s"]
    remaining = None if remaining_s is None else duration(remaining_s)
    return state | {"elapsed": duration(state["elapsed_s"]), "remaining": remaining}


@bp.post("/training/<int:run_id>/stop")
@access("admin")
def stop(run_id: int) -> Response:
    """Ask a training to end."""
    training.stop(run_id)
    return redirect(url_for(".run", run_id=run_id))


@bp.get("/training/<int:run_id>/files/<path:name>")
@access("admin")
def artefact(run_id: int, name: str) -> Response:
    """Serve a plot or a table of a run; ``?download`` offers it as a file."""
    path = runs.artefact(run_id, name)
    download_name = f"kinelab-run-{run_id}-{path.name}"
    return send_file(path, as_attachment="download" in request.args, download_name=download_name)
