"""Train page, and run page with its live progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import flash, redirect, render_template, request, send_file, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from app.har.classifiers.catalogue import CATALOGUE, families
from app.har.colours import PALETTE
from app.har.errors import HarError
from app.har.evaluation.types import FEWEST_PEOPLE
from app.har.training.config import TrainConfig
from app.services.errors import ServiceError
from app.services.models import (
    bases,
    forgetting,
    model_versions,
    run_progress,
    runs,
    tested_windows,
    training,
    training_data,
)
from app.services.models.unlabelled_gain import given_by_activity, what_unlabelled_was_worth
from app.web.access import access
from app.web.errors import show_at_field, status_of
from app.web.training import side_by_side
from app.web.training.blueprint import bp
from app.web.training.forms import PROTOCOLS, RunForm, TrainForm, answers_of
from app.web.training.verdicts import compared, what_a_base_is_worth, what_it_cannot_say

if TYPE_CHECKING:
    from app.tables import TrainingRun


@bp.get("/training/")
@access("admin")
def index() -> str:
    """Show the form and the runs so far."""
    if (number := request.args.get("like", type=int)) is not None:
        return _train_page(_form_like(runs.get(number), request.args.get("without", "")), again=True)
    return _train_page(_form(training_data.names_in(request.args.get("dataset", ""))))


@bp.post("/training/")
@access("admin")
def start() -> Response | tuple[str, int]:
    """Start a training and go to its page."""
    form = _form()
    if not form.validate():
        return _train_page(form), 422
    try:
        run_id = training.begin(
            ",".join(form.dataset.data or []), form.config(), started_by_id=current_user.id, name=form.name.data or ""
        )
    except (ServiceError, HarError) as error:
        if not show_at_field(error, form):
            flash(str(error), "danger")
        return _train_page(form), status_of(error)
    return redirect(url_for(".run", run_id=run_id))


def _form(chosen: list[str] | None = None) -> TrainForm:
    choices = _choices()
    chosen = chosen or (list(choices) if len(choices) == 1 else [])
    windows = _windows()
    return _with_choices(
        TrainForm(
            dataset=chosen,
            protocol="dataset" if len(chosen) > 1 else TrainConfig.protocol,
            window_length_s=min(windows.get(name, TrainConfig.window_length_s) for name in (*chosen, "")),
        )
    )


def _form_like(run: TrainingRun, without: str = "") -> TrainForm:
    answers, lost = answers_of(run, _choices(), [base.version.label for base in bases.available()])
    answers["leave_out"] = ", ".join(filter(None, (answers["leave_out"], without)))
    for message in lost:
        flash(message, "warning")
    return _with_choices(TrainForm(formdata=None, **answers))


def _with_choices(form: TrainForm) -> TrainForm:
    form.dataset.choices = list(_choices().items())
    form.unlabelled.choices = [("", "No"), *((name, name) for name in _choices() if ":" not in name)]
    form.base.choices = [("", "Scratch: everything is learnt from these data"), *_bases()]
    return form


def _bases() -> list[tuple[str, str, dict[str, str]]]:
    """Return the models that can be built on, each with the data that it fits for the page's script."""
    choices = training_data.all_choices()
    return [
        (
            base.version.label,
            base.in_words,
            {"data-fits": ",".join(one.text for one in choices if not base.why_not([one]))},
        )
        for base in bases.available()
    ]


def _choices() -> dict[str, str]:
    """Return what can be trained on, by what is sent, as it is shown."""
    return {
        one.text: (f"{one.dataset.name}, only its {one.device}" if one.device else one.dataset.name)
        + ("" if one.dataset.summary["activities"] else " (nothing is labelled yet)")
        for one in training_data.all_choices()
    }


def _windows() -> dict[str, float]:
    """Return how long windows are at first for each of them."""
    return {one.text: training_data.usual_window_s(one.dataset) for one in training_data.all_choices()}


def _train_page(form: TrainForm, again: bool = False) -> str:
    return render_template(
        "training/index.html",
        form=form,
        again=again,
        windows=_windows(),
        protocols=PROTOCOLS,
        read_by_base=bases.READS,
        runs=(page := runs.list_page(request.args.get("page", 1, type=int))),
        best={run.id: side_by_side.best_of(run) for run in page.items},
        page_url=lambda number: url_for(".index", page=number) + "#runs-title",
        running=runs.running(),
        families=families(),
        lacking=training.what_is_lacking(CATALOGUE),
    )


@bp.get("/training/<int:run_id>")
@access("admin")
def run(run_id: int) -> str:
    """Show a run: its progress while it goes on, then its results."""
    return run_page(runs.get(run_id))


def run_page(run: TrainingRun, form: RunForm | None = None) -> str:
    """Return a run's page, with the answers in a form of its name and notes that were not right."""
    titles, split = side_by_side.titles(), run.result.get("split")
    versions = runs.versions_of(run.id)
    return render_template(
        "training/run.html",
        run=run,
        form=form or RunForm(formdata=None, obj=run),
        titles=titles,
        comparisons=compared(run.result.get("comparisons", []), titles, split) if split else [],
        cannot_say=what_it_cannot_say(split) if split else "",
        unlabelled_worth=what_unlabelled_was_worth(run.result.get("unlabelled") or {"parts": []}),
        unlabelled_given=given_by_activity(run.result.get("unlabelled") or {"parts": []}),
        worth=what_a_base_is_worth(run.result.get("transfer") or {}),
        fewest_people=FEWEST_PEOPLE,
        linked=tested_windows.are_kept(run.id),
        has_epochs=bool(split) and side_by_side.has_epochs(run.result),
        not_kept=tested_windows.NOT_KEPT,
        palette=PALETTE,
        protocols=PROTOCOLS,
        versions=versions,
        forgot={version.id: len(forgetting.certificates_of(version)) for version in versions},
        default=model_versions.promoted(),
        progress=run_progress.progress(run.id),
    )


@bp.get("/training/<int:run_id>/progress")
@access("admin")
def progress(run_id: int) -> dict[str, Any]:
    """Return the events from the position `after` on, for the page's script."""
    return run_progress.progress(run_id, request.args.get("after", 0, type=int))


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
