"""Train page, run page with its live progress, and the models page."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, current_app, flash, redirect, render_template, request, send_file, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from app.har.classifiers.catalogue import BALANCED, CATALOGUE, DAILY, families
from app.har.colours import PALETTE
from app.har.errors import HarError
from app.har.progress import Stage
from app.har.training.config import TrainConfig
from app.services.errors import Invalid, NotFound, ServiceError
from app.services.formatting import duration, percent
from app.services.models import model_versions, runs, training, training_data
from app.web.access import access
from app.web.errors import show_at_field, status_of
from app.web.training.forms import PROTOCOLS, LimitForm, NotesForm, PriorForm, TrainForm
from app.web.training.verdicts import compared

if TYPE_CHECKING:
    from app.tables import ModelVersion

bp = Blueprint("training", __name__)


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
    titles = {name: info.title for name, info in CATALOGUE.items()}
    return render_template(
        "training/run.html",
        run=run,
        titles=titles,
        comparisons=compared(run.result.get("comparisons", []), titles),
        stages={stage.value: stage.label for stage in Stage},
        palette=PALETTE,
        protocols=PROTOCOLS,
        versions=runs.versions_of(run_id),
        progress=runs.progress(run_id),
    )


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


@bp.get("/models/")
@access("admin")
def models() -> str:
    """List the model versions."""
    versions = model_versions.list_versions(with_metrics=True)
    tested = {version.id: model_versions.provenance(version).get("split", {}).get("protocol") for version in versions}
    return render_template("training/models.html", versions=versions, tested=tested, protocols=PROTOCOLS)


@bp.get("/models/<int:version_id>")
@access("admin")
def model(version_id: int) -> str:
    """Show one version: manifest, metrics, notes."""
    version = model_versions.get(version_id)
    return _model_page(version)


@bp.get("/models/<int:version_id>/card")
@access("admin")
def model_card(version_id: int) -> Response:
    """Send the model card as a file."""
    version = model_versions.get(version_id)
    if (path := model_versions.card(version)) is None:
        raise NotFound(f"{version.label} has no model card: it was trained before model cards existed.")
    return send_file(
        path, mimetype="text/markdown", as_attachment=True, download_name=f"{version.name}-{version.version}.md"
    )


def _model_page(version: ModelVersion, form: NotesForm | None = None, limit_form: LimitForm | None = None) -> str:
    limit = None if version.answer_limit is None else round(100 * version.answer_limit, 6)
    return render_template(
        "training/model.html",
        version=version,
        info=model_versions.info(version),
        form=form or NotesForm(formdata=None, obj=version),
        limit_form=limit_form or LimitForm(formdata=None, answer_limit=limit),
        recommended_limit=model_versions.recommended_limit(version),
        prior_form=_prior_form(version) if model_versions.knows_prior(version) else None,
        protocols=PROTOCOLS,
    )


def _prior_form(version: ModelVersion) -> PriorForm:
    return PriorForm(formdata=None, prior=DAILY if version.prior else BALANCED)


@bp.post("/models/<int:version_id>/prior")
@access("admin")
def prior(version_id: int) -> Response:
    """Say how often a version is to expect activities."""
    form = PriorForm()
    try:
        version = model_versions.set_prior(version_id, form.prior.data or "")
        expected = "as in daily life" if version.prior else "all alike"
        flash(f"{version.label} expects activities {expected} from now on.", "success")
    except Invalid as error:
        flash(str(error), "danger")
    return redirect(url_for(".model", version_id=version_id))


@bp.post("/models/<int:version_id>/notes")
@access("admin")
def notes(version_id: int) -> Response | tuple[str, int]:
    """Save notes."""
    form = NotesForm()
    if not form.validate():
        return _model_page(model_versions.get(version_id), form), 422
    model_versions.set_notes(version_id, form.notes.data or "")
    flash("Notes saved.", "success")
    return redirect(url_for(".model", version_id=version_id))


@bp.post("/models/<int:version_id>/limit")
@access("admin")
def limit(version_id: int) -> Response | tuple[str, int]:
    """Set how sure an answer must be."""
    form = LimitForm()
    try:
        if not form.validate():
            return _model_page(model_versions.get(version_id), limit_form=form), 422
        wanted = None if form.answer_limit.data is None else float(form.answer_limit.data) / 100
        version = model_versions.set_limit(version_id, wanted)
    except Invalid as error:
        show_at_field(error, form)
        return _model_page(model_versions.get(version_id), limit_form=form), status_of(error)
    flash(f"Answers must be at least {percent(model_versions.limit_of(version))} probable from now on.", "success")
    return redirect(url_for(".model", version_id=version_id))


@bp.post("/models/<int:version_id>/promote")
@access("admin")
def promote(version_id: int) -> Response:
    """Make this version the default model."""
    version = model_versions.promote(version_id)
    flash(f"{version.label} is now the default model.", "success")
    return redirect(url_for(".models"))


@bp.post("/models/<int:version_id>/delete")
@access("admin")
def delete(version_id: int) -> Response:
    """Delete a version and its files."""
    label = model_versions.get(version_id).label
    try:
        model_versions.delete(version_id)
        flash(f"Model {label} was deleted.", "success")
    except ServiceError as error:
        flash(str(error), "danger")
    return redirect(url_for(".models"))
