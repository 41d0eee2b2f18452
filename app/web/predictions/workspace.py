"""What one does with the list of recordings: name them, take notes, download the results of many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.services.errors import Invalid
from app.services.recordings import listing, many_results, recordings
from app.web.access import access
from app.web.downloads import download_name, named, reader_zone
from app.web.errors import show_in_form
from app.web.predictions.blueprint import bp
from app.web.predictions.forms import DescribeForm


@bp.route("/<int:recording_id>/describe", methods=["GET", "POST"])
@access("user")
def describe(recording_id: int) -> ResponseReturnValue:
    """Give a recording a name and notes."""
    recording = recordings.get(current_user.id, recording_id)
    form = DescribeForm(obj=recording)
    status = 200
    if form.validate_on_submit():
        title, notes = (form.title.data or "").strip(), (form.notes.data or "").strip()
        try:
            recordings.describe(current_user.id, recording_id, title, notes)
        except Invalid as error:
            status = show_in_form(error, form)
        else:
            flash("The name and the notes were saved.", "success")
            return redirect(url_for("home.index", _anchor=f"recording-{recording_id}"))
    elif form.errors:
        status = 422
    return render_template("predictions/describe.html", form=form, recording=recording), status


@bp.get("/download")
@access("user")
def download_many() -> ResponseReturnValue:
    """Download a table of many recordings, those with the numbers ``id`` or all that a list has found."""
    wanted = listing.Wanted.from_parameters(request.args, reader_zone())
    ids = None if request.args.get("all") else request.args.getlist("id", type=_number)
    found = listing.chosen(current_user.id, wanted, ids, many_results.MOST)
    table = request.args.get("table", "bouts")
    if table not in many_results.TABLES:
        raise Invalid(f"A table is one of {', '.join(many_results.TABLES)}; found {table[:40]!r}.")
    message = "Tick the recordings to download first, in the first column of the list." if not found else ""
    if len(found) > many_results.MOST:
        message = f"One download holds at most {many_results.MOST} recordings. Choose fewer, for example by date."
    if message:
        flash(message, "warning")
        return redirect(url_for("home.index", _anchor="recordings", **dict[str, Any](wanted.parameters)))
    sources = many_results.Source.of_all(
        (recording, f"{recording.id}-{download_name(recording.filename, table, 'csv')}") for recording in found
    )
    zone = reader_zone()
    if request.args.get("form") == "csv":
        body: Iterator[str] | Iterator[bytes] = many_results.as_csv(sources, table, zone)
        extension, mimetype = "csv", "text/csv"
    else:
        body, extension, mimetype = many_results.as_zip(sources, table, zone), "zip", "application/zip"
    return named(Response(body, mimetype=mimetype), f"recordings-{table}.{extension}")


def _number(text: str) -> int:
    """Read the number of a recording; others than a database can hold are none."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError(text)
    return int(text)
