"""The administrator's data sets: list, add with progress, look at, download from, remove."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask_login import current_user
from werkzeug.utils import secure_filename
from werkzeug.wrappers import Response as BaseResponse

from app.har.errors import HarError, Unlabelled
from app.services.audit import Action, record
from app.services.datasets import exports, imports, library, recorded_rows, shared_names, worn
from app.services.datasets.imports import ImportStatus
from app.services.datasets.recorded_rows import RowQuery
from app.services.errors import Invalid, ServiceError
from app.services.formatting import duration
from app.services.known_formats import dataset_formats
from app.web.access import access
from app.web.datasets.forms import AddForm, DescribeForm, PlacesForm, SharedNamesForm, answers_of
from app.web.errors import flashed, json_error, show_at_field, status_of, wants_json
from app.web.mappings.forms import reasons_for

if TYPE_CHECKING:
    from app.har.datasets.description import Description
    from app.har.datasets.store import Store
    from app.har.datasets.survey import Survey
    from app.services.datasets.imports import DatasetImport
    from app.services.recordings.table_preview import TablePreview

bp = Blueprint("datasets", __name__)
Page = str | tuple[str | BaseResponse, int] | BaseResponse

FILES_SHOWN = 12  # of a data set that is being described
SMALL_FILE_S = 1.0  # a file that is read, or refused, within this time is answered without a progress page


@bp.get("/")
@access("admin")
def index() -> Page:
    """List the data sets, and those that are being added."""
    return render_template(
        "datasets/index.html",
        datasets=library.list_datasets(),
        running=imports.running(),
        undescribed=imports.list_undescribed(current_user.id),
    )


@bp.route("/add", methods=["GET", "POST"])
@access("admin", files=True)
def add() -> Page:
    """Ask for files or a path, and begin to add a data set."""
    form = AddForm()
    if not form.is_submitted():
        return _add_page(form)
    if not form.validate():
        return _refusal(form, 422)
    upload = form.file.data or None
    try:
        job = imports.start_import(
            form.name.data.strip(),
            path=(form.path.data or "").strip(),
            upload=upload and upload.stream,
            filename=upload.filename if upload else "",
            added_by_id=current_user.id,
            describe=form.describe.data,
        )
    except ServiceError as error:
        return _refusal(form, error.status, "" if show_at_field(error, form) else str(error))
    job.done.wait(SMALL_FILE_S)
    if job.status is ImportStatus.FAILED:
        return _refusal(form, status_of(job.error), job.message)
    url = url_for(".adding", token=job.token)
    return jsonify(url=url) if wants_json() else redirect(url)


def _refusal(form: AddForm, status: int, message: str = "") -> Page:
    record(Action.DATASET_ADDED, outcome="refused", reason=f"status {status}")
    if wants_json():
        return json_error(message or " ".join(chain.from_iterable(form.errors.values())), status)
    return _add_page(form, message), status


def _add_page(form: AddForm, message: str = "", source: str = "") -> str:
    return render_template(
        "datasets/add.html",
        form=form,
        message=message,
        source=source,
        example_path=library.EXAMPLE_PATH,
        formats=dataset_formats(),
        folders=current_app.config["DATA_FOLDERS"],
    )


@bp.get("/add/<token>")
@access("admin")
def adding(token: str) -> Page:
    """Show how far an import is."""
    job = imports.get(token)
    if job.status is ImportStatus.FAILED:
        form = AddForm(formdata=None, name=job.name, path="" if job.is_upload else job.source)
        return _add_page(form, job.message, job.source), status_of(job.error)
    if job.needs_description:
        return redirect(url_for(".describe", token=token))
    if job.status is ImportStatus.FINISHED:
        flash(f"“{job.name}” was added in {job.elapsed_s:.0f} s.", "success")
        return redirect(url_for(".view", name=job.name))
    return render_template("datasets/adding.html", job=job)


@bp.get("/add/<token>/describe")
@access("admin")
def describe(token: str) -> Page:
    """Ask where the label and subject of each recording come from."""
    job = imports.get_undescribed(token, current_user.id)
    found, table = imports.survey(job)
    guessed = table.guess.mapping if table else None
    start = job.description or imports.suggest(found, guessed)
    form = DescribeForm(formdata=None, data=answers_of(start, guessed))
    # Before it was described, the message may only say that the layout is unknown
    tells_more = job.description or isinstance(job.error, Unlabelled)
    return _describe_page(job, found, table, form, job.message if tells_more else "")


@bp.post("/add/<token>/describe")
@access("admin")
def described(token: str) -> Page:
    """Show what a description makes of the files, save it, or add the data set by it."""
    job = imports.get_undescribed(token, current_user.id)
    found, table = imports.survey(job)
    form = DescribeForm()
    if not (form.submit.data or form.yaml.data):
        return _describe_page(job, found, table, form)
    try:
        description = form.description(mapped=table is not None)
        if form.yaml.data:
            return _yaml(description, job.name)
        imports.preview(job, description)  # a fault in a table is shown before any work has begun
        imports.start_described(job, description)
    except (HarError, ServiceError) as error:
        return _describe_page(job, found, table, form, str(error)), status_of(error)
    job.done.wait(SMALL_FILE_S)
    return redirect(url_for(".adding", token=token))


def _describe_page(
    job: DatasetImport, found: Survey, table: TablePreview | None, form: DescribeForm, message: str = ""
) -> str:
    fields = form.columns.form
    fields.offer(table.columns if table else (), table.words if table else ())
    form.table.choices = [(name, name) for name in found.tables] or [("", "– none found –")]
    preview, fault = None, ""
    try:
        preview = imports.preview(job, form.description(mapped=table is not None))
    except HarError as error:
        fault = str(error).removeprefix("The description: ")
    return render_template(
        "datasets/describe.html", job=job, found=found, table=table, form=form, fields=fields, preview=preview,
        fault=fault, message=message, reasons=reasons_for(fields, table.guess) if table else {}, shown=FILES_SHOWN,
    )  # fmt: skip


def _yaml(description: Description, name: str) -> Response:
    response = Response(description.to_yaml(), mimetype="application/yaml")
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}.yaml")
    return response


@bp.post("/add/<token>/cancel")
@access("admin")
def cancel(token: str) -> BaseResponse:
    """Cancel an import that waits for a description."""
    imports.cancel(imports.get_undescribed(token, current_user.id))
    flash("The import was cancelled. Nothing was added.", "success")
    return redirect(url_for(".index"))


@bp.get("/add/<token>/progress")
@access("admin")
def progress(token: str) -> dict[str, Any]:
    """Return how far an import is, for the page's script."""
    job = imports.get(token)
    return job.as_dict() | {"elapsed": duration(job.elapsed_s)}


@bp.get("/<name>")
@access("admin")
def view(name: str) -> Page:
    """Show a data set: what it holds, its rows, its problems."""
    dataset = library.get(name)
    store = library.open_dataset(dataset)
    query = _row_query(request.args)
    if query.recording and query.recording not in store.contents.recording_ids:
        return redirect(url_for(".recordings", name=name, text=query.recording))
    found = recorded_rows.find_rows(store, query)
    page_url, default, shown = url_for(".view", name=name), asdict(RowQuery()), asdict(found.query)

    def rows_url(**changes: Any) -> str:
        wanted = shown | changes
        return f"{page_url}?{urlencode({key: value for key, value in wanted.items() if value != default[key]})}#rows"

    return render_template(
        "datasets/view.html", dataset=dataset, summary=dataset.summary, store=store, found=found, rows_url=rows_url,
        activities=recorded_rows.activities(store.contents), same_data=library.same_data(dataset),
        page_sizes=recorded_rows.PAGE_SIZES, layouts=exports.FORMATS,
    )  # fmt: skip


def _row_query(answers: Mapping[str, str]) -> RowQuery:
    """Take what is sound from an address; what is not (a page "abc") counts as absent."""

    def number(key: str, default: int) -> int:
        text = answers.get(key, "")
        return int(text) if text.isdecimal() and len(text) < 12 else default

    return RowQuery(
        table=answers.get("table", ""),
        recording=answers.get("recording", ""),
        sort=answers.get("sort", ""),
        descending=bool(answers.get("descending")),
        page=number("page", RowQuery.page),
        size=number("size", RowQuery.size),
        first_column=number("first_column", 0),
    )


@bp.get("/<name>/settings")
@access("admin")
def settings(name: str) -> str:
    """Ask what the activities are called among several data sets, and where the devices were worn."""
    dataset = library.get(name)
    names, places = shared_names.table_of(dataset), worn.places(dataset)
    form = SharedNamesForm(formdata=None)
    form.offer(names)
    return render_template(
        "datasets/settings.html", dataset=dataset, names=names, names_form=form,
        devices=list(places), places_form=PlacesForm(formdata=None, places=list(places.values())),
    )  # fmt: skip


@bp.post("/<name>/names")
@access("admin")
def save_names(name: str) -> BaseResponse:
    """Save what the activities are called among several data sets."""
    form = SharedNamesForm()
    activities = list(library.get(name).summary["activities"])
    with flashed(ServiceError):
        if not form.validate() or len(form.names.data) != len(activities):
            raise Invalid("Expected a name for each activity. Nothing was saved.")
        shared_names.choose(name, dict(zip(activities, form.names.data, strict=True)))
        flash("Names saved.", "success")
    return redirect(url_for(".settings", name=name, _anchor="names"))


@bp.post("/<name>/places")
@access("admin")
def save_places(name: str) -> BaseResponse:
    """Save where the devices were worn."""
    form = PlacesForm()
    devices = list(worn.places(library.get(name)))
    with flashed(ServiceError):
        if not form.validate() or len(form.places.data) != len(devices):
            raise Invalid("Expected a place from the list for each device. Nothing was saved.")
        worn.choose(name, dict(zip(devices, form.places.data, strict=True)))
        flash("Places saved.", "success")
    return redirect(url_for(".settings", name=name, _anchor="places"))


@bp.get("/<name>/distribution.<file_format>")
@access("admin")
def distribution(name: str, file_format: str) -> Response:
    """Serve the class distribution plot; its address with ``download`` in the query saves it."""
    path = library.distribution_plot(library.get(name), file_format)
    return send_file(path, as_attachment="download" in request.args, download_name=f"{name}-classes.{file_format}")


def _store(name: str) -> Store:
    return library.open_dataset(library.get(name))


@bp.get("/<name>/preview.json")
@access("admin")
def preview(name: str) -> dict[str, Any]:
    """Return the beginning of a recording, for the plot."""
    return recorded_rows.preview(_store(name), request.args.get("activity", ""))


@bp.get("/<name>/recording.csv")
@access("admin")
def recording(name: str) -> Response:
    """Download a recording in Kinelab's CSV layout."""
    recording_id = request.args.get("recording", "")
    lines = recorded_rows.recording_csv(_store(name), recording_id)
    response = Response(lines, mimetype="text/csv")
    filename = secure_filename(recording_id)[:100] or "recording"
    response.headers.set("Content-Disposition", "attachment", filename=f"{filename.removesuffix('.csv')}.csv")
    return response


@bp.post("/<name>/remove")
@access("admin")
def remove(name: str) -> BaseResponse:
    """Remove a data set; models trained on it stay."""
    library.remove(name)
    flash(f"“{name}” was removed. Models trained on it and their results are kept.", "success")
    return redirect(url_for(".index"))
