"""Say what the columns of an uploaded file are; the mappings kept from that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.utils import secure_filename

from app.har.errors import HarError
from app.services.errors import Invalid, ServiceError
from app.services.recordings import mappings, uploads
from app.web.access import access
from app.web.errors import show_at_field, status_of
from app.web.mappings.forms import MappingForm, NameForm, fields_of, reasons_for

if TYPE_CHECKING:
    from app.har.recordings.mappings.dry_run import RecordingSummary
    from app.har.recordings.mappings.mapping import ColumnMapping
    from app.services.recordings.table_preview import TablePreview

bp = Blueprint("mappings", __name__)


@dataclass(frozen=True)
class Trial:
    """What the answers in the form would read, or why they cannot be read so."""

    mapping: ColumnMapping | None = None
    facts: tuple[RecordingSummary, ...] = ()
    message: str = ""


@bp.get("/")
@access("user")
def index() -> ResponseReturnValue:
    """List the saved mappings of a user."""
    return render_template(
        "mappings/index.html",
        saved=[(saved, mappings.mapping_of(saved)) for saved in mappings.list_saved(current_user.id)],
        waiting=uploads.list_pending(current_user.id),
    )


@bp.get("/file/<token>")
@access("user")
def show(token: str) -> ResponseReturnValue:
    """Ask what the columns of an uploaded file are."""
    pending = uploads.get_pending(current_user.id, token)
    seen = uploads.preview(pending)
    start = uploads.mapping_from(pending) or seen.guess.mapping
    name = PurePath(pending.filename).stem[:80] if start is seen.guess.mapping else ""
    form = MappingForm(
        formdata=None, data={"columns": fields_of(start), "name": name, "version": uploads.model_of(pending)}
    )
    return _page(pending, seen, form, _trial(pending, form), pending.note)


@bp.post("/file/<token>")
@access("user")
def answer(token: str) -> ResponseReturnValue:
    """Show what the answers would read, or read it."""
    pending = uploads.get_pending(current_user.id, token)
    form = MappingForm()
    seen = uploads.preview(pending)
    trial = _trial(pending, form)
    if not form.confirm.data or trial.mapping is None:
        return _page(pending, seen, form, trial, status=200 if form.check.data else 422)
    try:
        prediction = uploads.confirm(pending, trial.mapping, (form.name.data or "").strip(), form.version.data)
    except (HarError, ServiceError) as error:
        message = "" if show_at_field(error, form) else str(error)
        return _page(pending, seen, form, trial, message, status_of(error))
    return redirect(url_for("predictions.show", recording_id=prediction.recording_id))


@bp.post("/file/<token>/cancel")
@access("user")
def cancel(token: str) -> ResponseReturnValue:
    """Discard an uploaded file that waits for its columns."""
    uploads.cancel(uploads.get_pending(current_user.id, token))
    flash("The file was deleted. Nothing was kept.", "success")
    return redirect(url_for("home.index"))


def _trial(pending: uploads.PendingUpload, form: MappingForm) -> Trial:
    """Read as the form says; a guess that lacks something is no mistake of the person's."""
    mapping = None
    try:
        mapping = form.columns.form.mapping(pending.filename)
        return Trial(mapping, tuple(uploads.dry_run(pending, mapping)))
    except HarError as error:
        return Trial(None, (), str(error).removeprefix(f"{pending.filename}: "))


def _page(
    pending: uploads.PendingUpload,
    seen: TablePreview,
    form: MappingForm,
    trial: Trial,
    message: str = "",
    status: int = 200,
) -> ResponseReturnValue:
    fields = form.columns.form
    fields.offer(seen.columns, seen.words)
    page = render_template(
        "mappings/file.html",
        pending=pending,
        seen=seen,
        form=form,
        fields=fields,
        reasons=reasons_for(fields, seen.guess),
        trial=trial,
        message=message,
    )
    return page, status


@bp.post("/recording/<int:recording_id>")
@access("user")
def reopen(recording_id: int) -> ResponseReturnValue:
    """Ask again what the columns of a recording are."""
    pending = uploads.reopen(current_user.id, recording_id)
    return redirect(url_for(".show", token=pending.token))


@bp.get("/<int:mapping_id>.yaml")
@access("user")
def download(mapping_id: int) -> ResponseReturnValue:
    """Download a saved mapping as YAML."""
    saved = mappings.get_saved(current_user.id, mapping_id)
    response = Response(mappings.mapping_of(saved).to_yaml(), mimetype="application/yaml")
    name = secure_filename(saved.name)[:80] or "mapping"
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}.yaml")
    return response


@bp.post("/<int:mapping_id>/rename")
@access("user")
def rename(mapping_id: int) -> ResponseReturnValue:
    """Rename a saved mapping."""
    try:
        saved = mappings.rename(current_user.id, mapping_id, NameForm(request.form).name.data or "")
        flash(f"Renamed to “{saved.name}”.", "success")
    except Invalid as error:
        flash(str(error), "danger")
    return redirect(url_for(".index"))


@bp.post("/<int:mapping_id>/delete")
@access("user")
def delete(mapping_id: int) -> ResponseReturnValue:
    """Delete a saved mapping."""
    mappings.delete(current_user.id, mapping_id)
    flash("The mapping was deleted. Recordings that were read with it have not changed.", "success")
    return redirect(url_for(".index"))
