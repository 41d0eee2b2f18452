"""What is done with training runs of the past: named, deleted, compared, and looked into."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.services.datasets import library
from app.services.errors import Invalid, ServiceError
from app.services.models import runs, tested_windows
from app.web.access import access
from app.web.errors import show_at_field
from app.web.training import side_by_side
from app.web.training.blueprint import bp
from app.web.training.forms import RunForm
from app.web.training.routes import run_page

FEWEST_RUNS, MOST_RUNS = 2, 4


@bp.post("/training/<int:run_id>/details")
@access("admin")
def details(run_id: int) -> Response | tuple[str, int]:
    """Save name and notes of a run."""
    form, run = RunForm(), runs.get(run_id)
    try:
        if not form.validate():
            return run_page(run, form), 422
        runs.describe(run_id, form.name.data or "", form.notes.data or "")
    except Invalid as error:
        show_at_field(error, form)
        return run_page(run, form), error.status
    flash("Name and notes saved.", "success")
    return redirect(url_for(".run", run_id=run_id))


@bp.post("/training/<int:run_id>/delete")
@access("admin")
def delete_run(run_id: int) -> Response:
    """Delete a run; the model versions that it made stay."""
    try:
        runs.delete(run_id)
    except ServiceError as error:
        flash(str(error), "danger")
        return redirect(url_for(".run", run_id=run_id))
    flash(f"Training run {run_id} was deleted.", "success")
    return redirect(url_for(".index"))


@bp.get("/training/compare")
@access("admin")
def compare() -> Response | str:
    """Show two to four finished runs side by side: settings, scores, and a confusion matrix of each."""
    numbers = list(dict.fromkeys(request.args.getlist("run", type=int)))
    chosen = [runs.get(number) for number in numbers[:MOST_RUNS]]
    finished = [run for run in chosen if run.result.get("models")]
    if not FEWEST_RUNS <= len(numbers) <= MOST_RUNS or len(finished) < len(numbers):
        flash(f"Choose {FEWEST_RUNS} to {MOST_RUNS} finished runs to compare.", "danger")
        return redirect(url_for(".index"))
    settings = [side_by_side.settings_of(run) for run in finished]
    models = list(dict.fromkeys(name for run in finished for name in run.result["models"]))
    wanted = request.args.get("model", "")
    best = {run.id: side_by_side.best_of(run) for run in finished}
    return render_template(
        "training/compare.html",
        runs=finished,
        settings={name: [of_run[name] for of_run in settings] for name in settings[0]},
        models=models,
        titles=side_by_side.titles(),
        best=best,
        wanted=wanted if wanted in models else "",
        same_test=side_by_side.same_test(finished),
        linked={run.id: tested_windows.are_kept(run.id) for run in finished},
        page_url=lambda model: url_for(".compare", run=[run.id for run in finished], model=model) + "#matrices-title",
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
        title=side_by_side.titles().get(model, model),
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
