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
from app.services.audit import Action, record
from app.services.errors import Invalid
from app.services.recordings import mappings, pending, uploads
from app.services.recordings.pending import PendingUpload
from app.web.access import access
from app.web.errors import flashed, show_at_field, status_of
from app.web.mappings.forms import MappingForm, NameForm, fields_of, reasons_for
from app.web.predictions.forms import AUTOMATIC

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
        waiting=pending.list_pending(current_user.id),
    )


@bp.get("/file/<token>")
@access("user")
def show(token: str) -> ResponseReturnValue:
    """Ask what the columns of an uploaded file are."""
    if (recording := uploads.confirmed(current_user.id, token)) is not None:
        return redirect(url_for("predictions.show", recording_id=recording.id))
    waiting = pending.get_pending(current_user.id, token)
    preview = uploads.preview(waiting)
    start = uploads.mapping_from(waiting) or preview.guess.mapping
    name = PurePath(waiting.filename).stem[:80] if start is preview.guess.mapping else ""
    answers = {"columns": fields_of(start), "name": name, "version": waiting.version_id or AUTOMATIC}
    form = MappingForm(formdata=None, data=answers)
    return _page(waiting, preview, form, _trial(waiting, form), waiting.note)


@bp.post("/file/<token>")
@access("user")
def answer(token: str) -> ResponseReturnValue:
    """Show what the answers would read, or read it."""
    if (recording := uploads.confirmed(current_user.id, token)) is not None:  # pressed twice
        return redirect(url_for("predictions.show", recording_id=recording.id))
    waiting = pending.get_pending(current_user.id, token)
    form = MappingForm()
    message, status = "", 200 if form.check.data else 422
    if form.confirm.data:
        try:
            mapping = form.columns.form.mapping(waiting.filename)
            prediction = uploads.confirm(waiting, mapping, (form.name.data or "").strip(), form.version.data)
            return redirect(url_for("predictions.show", recording_id=prediction.recording_id))
        except (HarError, Invalid) as error:
            message, status = "" if show_at_field(error, form) else str(error), status_of(error)
    trial = _trial(waiting, form)
    if trial.message and message.endswith(trial.message):
        message = ""  # it is shown with the trial
    return _page(waiting, uploads.preview(waiting), form, trial, message, status)


@bp.post("/file/<token>/cancel")
@access("user")
def cancel(token: str) -> ResponseReturnValue:
    """Discard an uploaded file that waits for its columns."""
    pending.cancel(pending.get_pending(current_user.id, token))
    record(Action.UPLOAD_DELETED, "a waiting upload")
    flash("The file was deleted. Nothing was kept.", "success")
    return redirect(url_for("home.index"))


def _trial(waiting: PendingUpload, form: MappingForm) -> Trial:
    """Read as the form says; a guess that lacks something is no mistake of the person's."""
    try:
        mapping = form.columns.form.mapping(waiting.filename)
        return Trial(mapping, tuple(uploads.dry_run(waiting, mapping)))
    except HarError as error:
        return Trial(None, (), str(error).removeprefix(f"{waiting.filename}: "))


def _page(
    waiting: PendingUpload,
    preview: TablePreview,
    form: MappingForm,
    trial: Trial,
    message: str = "",
    status: int = 200,
) -> ResponseReturnValue:
    fields = form.columns.form
    fields.offer(preview.columns, preview.words)
    page = render_template(
        "mappings/file.html",
        pending=waiting,
        seen=preview,
        form=form,
        fields=fields,
        reasons=reasons_for(fields, preview.guess),
        trial=trial,
        message=message,
    )
    return page, status


@bp.post("/recording/<int:recording_id>")
@access("user")
def reopen(recording_id: int) -> ResponseReturnValue:
    """Ask again what the columns of a recording are."""
    waiting = uploads.reopen(current_user.id, recording_id)
    return redirect(url_for(".show", token=waiting.token))


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
    with flashed(Invalid):
        saved = mappings.rename(current_user.id, mapping_id, NameForm(request.form).name.data or "")
        flash(f"Renamed to “{saved.name}”.", "success")
    return redirect(url_for(".index"))


@bp.post("/<int:mapping_id>/delete")
@access("user")
def delete(mapping_id: int) -> ResponseReturnValue:
    """Delete a saved mapping."""
    mappings.delete(current_user.id, mapping_id)
    flash("The mapping was deleted. Recordings that were read with it have not changed.", "success")
    return redirect(url_for(".index"))
