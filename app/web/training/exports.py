"""A model that leaves the server: what was exported of a version, made and taken along from its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import flash, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from app.har.exports.formats import EXACT, FORMATS, SMALL
from app.services.errors import Conflict, Invalid, NoRoom
from app.services.formatting import duration
from app.services.models import export_jobs, exports, model_versions
from app.services.models.exports import TITLES
from app.web.access import access
from app.web.errors import flashed
from app.web.training.blueprint import bp

if TYPE_CHECKING:
    from app.tables import ModelVersion

NOTES = {EXACT: " (exact)", SMALL: " (another model, which this one teaches, in 64 KB)"}


def in_words(version: ModelVersion) -> dict[str, Any]:
    """Return what the page of a version shows of its exports."""
    why_not = exports.why_not(version)
    lacking = exports.lacking()
    return {
        "why_not": why_not,
        "made": (made := exports.made(version)),
        "whose": sorted({one["check"]["whose"] for one in made} - {""}),
        "lost": f1_lost,
        "choices": [] if why_not else [_choices(name) for name in FORMATS if name not in lacking],
        "lacking": list(dict.fromkeys(lacking.values())),
        "titles": {name: TITLES.get(name, (name, ""))[0] for name in FORMATS},
    }


def _choices(name: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a format in words, and what can be asked for of it, each with its own words."""
    title, purpose = TITLES.get(name, (name, ""))
    kinds = [(f"{name} {kind}", f"{title}, {kind}{NOTES.get(kind, '')}") for kind in FORMATS[name]]
    return f"{title}: {purpose}", kinds


def f1_lost(check: Mapping[str, Any]) -> float:
    """Return how many points of F1 an artefact lost on the people held out."""
    return 100 * float(check["scores_of_model"]["f1"] - check["scores"]["f1"])


@bp.post("/models/<int:version_id>/exports")
@access("admin")
def export(version_id: int) -> Response:
    """Begin to export a version, and go to how far it is, or to what was made."""
    format_, _, weights = request.form.get("kind", "").partition(" ")
    with flashed(Invalid, Conflict, NoRoom):
        job = export_jobs.start(version_id, format_, weights)
        return redirect(url_for(".exporting", token=job.token))
    return _to_exports(version_id)


@bp.get("/models/exporting/<token>")
@access("admin")
def exporting(token: str) -> str | Response:
    """Show how far an export is; then go to what was made."""
    job = export_jobs.get(token)
    if not job.done.is_set():
        return render_template("training/exporting.html", job=job)
    flash(job.message, "success" if job.made_id else "danger")
    return _to_exports(job.version_id)


@bp.get("/models/exporting/<token>/progress")
@access("admin")
def exporting_progress(token: str) -> dict[str, Any]:
    """Return how far it is, for the page's script."""
    job = export_jobs.get(token)
    status = "ended" if job.done.is_set() else "running"
    return {"status": status, "stage": job.stage, "fraction": job.fraction, "elapsed": duration(job.elapsed_s)}


@bp.get("/models/<int:version_id>/exports/<format_>/<weights>")
@access("admin")
def exported(version_id: int, format_: str, weights: str) -> Response:
    """Send an archive with an artefact and its description."""
    version = model_versions.get(version_id)
    path = exports.artefact(version, format_, weights)
    name = f"{version.name}-{version.version}-{format_}-{weights}.zip"
    return send_file(path, mimetype="application/zip", as_attachment=True, download_name=name)


@bp.post("/models/<int:version_id>/exports/<format_>/<weights>/delete")
@access("admin")
def delete_export(version_id: int, format_: str, weights: str) -> Response:
    """Delete what was exported."""
    version = model_versions.get(version_id)
    exports.remove(version, format_, weights)
    title, _ = TITLES[format_]
    flash(f"{version.label} as {title}, {weights}, was deleted. It can be made again.", "success")
    return _to_exports(version_id)


def _to_exports(version_id: int) -> Response:
    return redirect(url_for(".model", version_id=version_id, _anchor="exports-title"))
