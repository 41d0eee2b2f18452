"""Cohorts: start one from a folder, follow it, look at what came of it, take it along."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.har.errors import HarError
from app.services.cohorts import cohorts
from app.services.errors import ServiceError
from app.services.models import model_versions
from app.web.access import access
from app.web.cohorts.forms import CohortForm
from app.web.downloads import attachment, reader_zone
from app.web.errors import flashed, show_at_field, status_of

bp = Blueprint("cohorts", __name__)
MIMETYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


@bp.get("/")
@access("admin")
def index() -> str:
    """Show the form and the cohorts so far."""
    form = _form()
    form.zone.data = str(reader_zone())
    return _index(form)


def _form() -> CohortForm:
    form = CohortForm()
    versions = model_versions.list_versions()
    form.model.choices = [(one.label, one.label) for one in sorted(versions, key=lambda one: not one.promoted)]
    return form


def _index(form: CohortForm) -> str:
    found = cohorts.list_cohorts()
    return render_template(
        "cohorts/index.html",
        form=form,
        folders=current_app.config["DATA_FOLDERS"],
        cohorts=[(cohort, cohorts.counts(cohort)) for cohort in found],
    )


@bp.post("/")
@access("admin")
def start() -> ResponseReturnValue:
    """Begin a cohort and go to its page."""
    form = _form()
    if not form.validate():
        return _index(form), 422
    try:
        number = cohorts.start(
            form.folder.data or "", form.model.data, form.workers.data or 0, form.place.data, form.age.data,
            form.zone.data or "", form.people.data or "",
        )  # fmt: skip
    except (ServiceError, HarError) as error:
        if not show_at_field(error, form):
            flash(str(error), "danger")
        return _index(form), status_of(error)
    return redirect(url_for(".show", number=number))


@bp.get("/<int:number>")
@access("admin")
def show(number: int) -> str:
    """Show how far a cohort is, or what came of it."""
    cohort = cohorts.get(number)
    return render_template(
        "cohorts/cohort.html",
        cohort=cohort,
        counts=cohorts.counts(cohort),
        progress=cohorts.progress(number),
        files=cohorts.lines(cohort, request.args.get("page", 1, type=int), failed=False),
        failures=cohorts.lines(cohort, request.args.get("failures", 1, type=int), failed=True),
        files_url=lambda page: url_for(".show", number=number, page=page) + "#files-title",
        failures_url=lambda page: url_for(".show", number=number, failures=page) + "#failures-title",
        tables=cohorts.TABLES,
    )


@bp.get("/<int:number>/progress")
@access("admin")
def progress(number: int) -> dict[str, object]:
    """Return how far a cohort is, for the page's script."""
    return cohorts.progress(number)


@bp.post("/<int:number>/stop")
@access("admin")
def stop(number: int) -> ResponseReturnValue:
    """Ask a cohort to end."""
    cohorts.stop(number)
    return redirect(url_for(".show", number=number))


@bp.post("/<int:number>/go-on")
@access("admin")
def go_on(number: int) -> ResponseReturnValue:
    """Run a cohort again: what is missing or has changed; with ``again`` what failed as well."""
    with flashed(ServiceError):
        cohorts.go_on(number, again="again" in request.form)
    return redirect(url_for(".show", number=number))


@bp.post("/<int:number>/delete")
@access("admin")
def delete(number: int) -> ResponseReturnValue:
    """Delete a cohort; the recordings stay where they are."""
    with flashed(ServiceError):
        cohorts.delete(number)
        flash(f"Cohort {number} was deleted. The recordings are where they were.", "success")
        return redirect(url_for(".index"))
    return redirect(url_for(".show", number=number))


@bp.get("/<int:number>/people.svg")
@access("admin")
def figure(number: int) -> Response:
    """Draw how people differ in what they did."""
    return Response(cohorts.figure(cohorts.get(number)), mimetype="image/svg+xml")


@bp.get("/<int:number>/<which>.<kind>")
@access("admin")
def table(number: int, which: str, kind: str) -> Response:
    """Download a table: files, bouts, days or failures."""
    body = cohorts.table(cohorts.get(number), which, kind)
    return attachment(body, f"cohort-{number}-{which}.{kind}", MIMETYPES[kind])


@bp.get("/<int:number>/report.html")
@access("admin")
def report(number: int) -> Response:
    """Download the anonymised report."""
    return attachment(cohorts.anonymised(cohorts.get(number)), f"cohort-{number}-report.html", "text/html")
