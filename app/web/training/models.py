"""The models page, a page for each version, and its card."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import flash, jsonify, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from app.har.classifiers.catalogue import BALANCED, DAILY
from app.har.errors import HarError
from app.services.errors import Conflict, Invalid, NotFound, ServiceError
from app.services.formatting import duration, percent
from app.services.models import explained, explained_jobs, forgetting, forgetting_jobs, model_versions, reference_models
from app.services.recordings import transitions
from app.web.access import access
from app.web.errors import flashed, show_at_field, status_of
from app.web.training import exports
from app.web.training.blueprint import bp
from app.web.training.cards import title_and_text
from app.web.training.forms import PROTOCOLS, ForgetForm, LimitForm, NotesForm, PriorForm

if TYPE_CHECKING:
    from app.services.models.background import Job
    from app.tables import ModelVersion


@bp.get("/models/")
@access("admin")
def models() -> str:
    """List the model versions."""
    versions = model_versions.list_versions(with_metrics=True)
    tested = {version.id: model_versions.provenance(version).get("split", {}).get("protocol") for version in versions}
    return render_template(
        "training/models.html",
        versions=versions,
        by_label={version.label: version for version in versions},
        default=model_versions.promoted(),
        promotions=model_versions.promotions(),
        deleted=reference_models.deleted(),
        tested=tested,
        protocols=PROTOCOLS,
    )


@bp.get("/models/<int:version_id>")
@access("admin")
def model(version_id: int) -> str:
    """Show one version: manifest, metrics, notes."""
    version = model_versions.get(version_id)
    return _model_page(version)


@bp.get("/models/<int:version_id>/card")
@access("user")
def model_card(version_id: int) -> Response | str:
    """Show the model card; with ``?download``, send it as a file."""
    version = model_versions.get(version_id)
    if (path := model_versions.card(version)) is None:
        raise NotFound(f"{version.label} has no model card: it was trained before model cards existed.")
    if "download" in request.args:
        name = f"{version.name}-{version.version}.md"
        return send_file(path, mimetype="text/markdown", as_attachment=True, download_name=name)
    title, text = title_and_text(path.read_text(encoding="utf-8"))
    return render_template("training/card.html", version=version, title=title, text=text)


def _model_page(version: ModelVersion, form: NotesForm | None = None, limit_form: LimitForm | None = None) -> str:
    limit = None if version.answer_limit is None else round(100 * version.answer_limit, 6)
    return render_template(
        "training/model.html",
        version=version,
        info=(info := model_versions.info(version)),
        transitions=transitions.looked_for(info["manifest"]),
        form=form or NotesForm(formdata=None, obj=version),
        limit_form=limit_form or LimitForm(formdata=None, answer_limit=limit),
        recommended_limit=model_versions.recommended_limit(version),
        prior_form=_prior_form(version) if model_versions.knows_prior(version) else None,
        protocols=PROTOCOLS,
        default=model_versions.promoted(),
        people=(people := forgetting.people_of(version)),
        forget_form=_forget_form(people) if len(people) > 1 else None,
        kept_bytes=forgetting.size_of(version),
        certificates=forgetting.certificates_of(version),
        still_knowing=forgetting.still_knowing(version),
        exports=exports.in_words(version),
        explained=(told := explained.of(version) if explained.can_be(version) else None),
        why_not_testable=explained.why_not_testable(version) if told and told.measured is None else "",
    )


def _forget_form(people: Iterable[str]) -> ForgetForm:
    form = ForgetForm()
    form.subject.choices = [("", "Choose …"), *((subject, subject) for subject in people)]
    return form


def _prior_form(version: ModelVersion) -> PriorForm:
    return PriorForm(formdata=None, prior=DAILY if version.prior else BALANCED)


@bp.post("/models/<int:version_id>/prior")
@access("admin")
def prior(version_id: int) -> Response:
    """Say how often a version is to expect activities."""
    form = PriorForm()
    with flashed(Invalid):
        version = model_versions.set_prior(version_id, form.prior.data or "")
        expected = "as in daily life" if version.prior else "all alike"
        flash(f"{version.label} expects activities {expected} from now on.", "success")
    return redirect(url_for(".model", version_id=version_id))


@bp.post("/models/<int:version_id>/forget")
@access("admin")
def forget(version_id: int) -> Response:
    """Begin to make a new version without a person, and go to its page, or to how far it is."""
    with flashed(Invalid, Conflict):
        job = forgetting_jobs.start(version_id, request.form.get("subject", ""))
        return redirect(url_for(".forgetting_now", token=job.token))
    return redirect(url_for(".model", version_id=version_id, _anchor="forget-title"))


@bp.get("/models/forgetting/<token>")
@access("admin")
def forgetting_now(token: str) -> str | Response:
    """Show that a person is being forgotten; then go to the page of the new version."""
    job = forgetting_jobs.get(token)
    if not job.done.is_set():
        return render_template(
            "training/working.html",
            job=job,
            title=f"Forgetting {job.what[:40]}",
            then=f"The new version of {model_versions.get(job.version_id).name} will be in the list of models.",
            progress_url=url_for(".forgetting_progress", token=token),
        )
    flash(job.message, "success" if job.made_id else "danger")
    if job.made_id:
        return redirect(url_for(".model", version_id=job.made_id, _anchor="forgotten-title"))
    return redirect(url_for(".model", version_id=job.version_id, _anchor="forget-title"))


@bp.get("/models/forgetting/<token>/progress")
@access("admin")
def forgetting_progress(token: str) -> dict[str, str]:
    """Return whether it goes on and for how long, for the page's script."""
    return _progress(forgetting_jobs.get(token))


def _progress(job: Job) -> dict[str, str]:
    status = "ended" if job.done.is_set() else "running"
    return {"status": status, "stage": job.stage, "elapsed": duration(job.elapsed_s)}


@bp.post("/models/<int:version_id>/explain")
@access("admin")
def explain(version_id: int) -> Response:
    """Begin to test whether explanations of a version are true, and go to its page, or to how far it is."""
    with flashed(Invalid, Conflict):
        job = explained_jobs.start(version_id)
        return redirect(url_for(".explaining_now", token=job.token))
    return redirect(url_for(".model", version_id=version_id, _anchor="explained-title"))


@bp.get("/models/explaining/<token>")
@access("admin")
def explaining_now(token: str) -> str | Response:
    """Show that explanations are being tested; then go to what was found."""
    job = explained_jobs.get(token)
    if not job.done.is_set():
        return render_template(
            "training/working.html",
            job=job,
            title=f"Testing explanations of {job.what}",
            then="The page of the model will show what was found.",
            progress_url=url_for(".explaining_progress", token=token),
        )
    flash(job.message, "success" if job.made_id else "danger")
    return redirect(url_for(".model", version_id=job.version_id, _anchor="explained-title"))


@bp.get("/models/explaining/<token>/progress")
@access("admin")
def explaining_progress(token: str) -> dict[str, str]:
    """Return whether it goes on and for how long, for the page's script."""
    return _progress(explained_jobs.get(token))


@bp.get("/models/<int:version_id>/forgotten")
@access("admin")
def certificates(version_id: int) -> Response:
    """Send the certificates of all who were forgotten, as JSON."""
    version = model_versions.get(version_id)
    response = jsonify(forgetting.certificates_of(version))
    name = f"{version.name}-{version.version}-forgotten.json"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


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
    with flashed(ServiceError):
        model_versions.delete(version_id)
        flash(f"Model {label} was deleted.", "success")
    return redirect(url_for(".models"))


@bp.post("/models/reference/<name>/restore")
@access("admin")
def restore(name: str) -> Response:
    """Bring back a reference model that was deleted."""
    with flashed(ServiceError, HarError):
        flash(f"{reference_models.restore(name).label} is here again.", "success")
    return redirect(url_for(".models"))
