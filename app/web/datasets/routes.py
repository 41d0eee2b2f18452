"""The administrator's data sets: list, add with progress, look at, download from, remove."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, send_file, url_for
from flask_login import current_user
from werkzeug.utils import secure_filename
from werkzeug.wrappers import Response as BaseResponse

from app.services import dataset_adding, dataset_view, datasets
from app.services.dataset_view import RowQuery
from app.services.errors import Invalid, ServiceError
from app.web.access import access
from app.web.datasets.forms import AddForm

if TYPE_CHECKING:
    from app.har.store import Store

bp = Blueprint("datasets", __name__)
Page = str | tuple[str | BaseResponse, int] | BaseResponse

PROBLEMS_SHOWN = 100  # of a kind
SMALL_FILE_S = 1.0  # a file that is read, or refused, within this time is answered without a progress page


@bp.get("/")
@access("admin")
def index() -> Page:
    return render_template("datasets/index.html", datasets=datasets.list_datasets(), running=dataset_adding.running())


@bp.route("/add", methods=["GET", "POST"])
@access("admin")
def add() -> Page:
    form = AddForm()
    if not form.is_submitted():
        return _add_page(form)
    if not form.validate():
        return _refusal(form, 422)
    upload = form.file.data or None
    try:
        adding = dataset_adding.start_adding(
            form.name.data.strip(),
            path=(form.path.data or "").strip(),
            upload=upload and upload.stream,
            filename=upload.filename if upload else "",
            added_by_id=current_user.id,
        )
    except ServiceError as error:
        if isinstance(error, Invalid) and error.field in form:
            form[error.field].errors = [str(error)]
            return _refusal(form, error.status)
        return _refusal(form, error.status, str(error))
    adding.done.wait(SMALL_FILE_S)
    if adding.status == "failed":
        return _refusal(form, adding.http_status, adding.message)
    url = url_for(".adding", token=adding.token)
    return jsonify(url=url) if _asks_for_json() else redirect(url)


def _asks_for_json() -> bool:
    """Tell whether the page's own script sends the form, to show how much of a large file has arrived."""
    return request.accept_mimetypes.best == "application/json"


def _refusal(form: AddForm, status: int, message: str = "") -> Page:
    if _asks_for_json():
        return jsonify(message=message or " ".join(chain.from_iterable(form.errors.values()))), status
    return _add_page(form, message), status


def _add_page(form: AddForm, message: str = "", source: str = "") -> str:
    return render_template(
        "datasets/add.html", form=form, message=message, source=source, example_path=datasets.EXAMPLE_PATH
    )


@bp.get("/add/<token>")
@access("admin")
def adding(token: str) -> Page:
    adding = dataset_adding.get(token)
    if adding.status == "failed":
        form = AddForm(formdata=None, name=adding.name, path="" if adding.is_upload else adding.source)
        return _add_page(form, adding.message, adding.source), adding.http_status
    if adding.status == "finished":
        flash(f"“{adding.name}” was added in {adding.elapsed_s:.0f} s.", "success")
        return redirect(url_for(".view", name=adding.name))
    return render_template("datasets/adding.html", adding=adding)


@bp.get("/add/<token>/progress")
@access("admin")
def progress(token: str) -> dict[str, Any]:
    return dataset_adding.get(token).as_dict()


@bp.get("/<name>")
@access("admin")
def view(name: str) -> Page:
    dataset = datasets.get(name)
    store = datasets.open_dataset(dataset)
    found = dataset_view.find_rows(store, _row_query(request.args))

    def rows_url(**changes: Any) -> str:
        query = {key: value for key, value in asdict(replace(found.query, **changes)).items() if value}
        return url_for(".view", name=name, **query, _anchor="rows")

    return render_template(
        "datasets/view.html", dataset=dataset, summary=dataset.summary, store=store, found=found, rows_url=rows_url,
        activities=dataset_view.activities(store), same_data=datasets.same_data(dataset),
        page_sizes=dataset_view.PAGE_SIZES, problems_shown=PROBLEMS_SHOWN,
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


@bp.get("/<name>/distribution.<file_format>")
@access("admin")
def distribution(name: str, file_format: str) -> Response:
    """Serve the class distribution plot; its address with ``download`` in the query saves it."""
    path = datasets.distribution_plot(datasets.get(name), file_format)
    return send_file(
        path, as_attachment="download" in request.args, download_name=f"{name}-classes.{file_format}", max_age=3600
    )


def _store(name: str) -> Store:
    return datasets.open_dataset(datasets.get(name))


@bp.get("/<name>/preview.json")
@access("admin")
def preview(name: str) -> dict[str, Any]:
    return dataset_view.preview(_store(name), request.args.get("activity", ""))


@bp.get("/<name>/recording.csv")
@access("admin")
def recording(name: str) -> Response:
    recording_id = request.args.get("recording", "")
    lines = dataset_view.recording_csv(_store(name), recording_id)
    response = Response(lines, mimetype="text/csv")
    filename = secure_filename(recording_id)[:100] or "recording"
    response.headers.set("Content-Disposition", "attachment", filename=f"{filename.removesuffix('.csv')}.csv")
    return response


@bp.post("/<name>/remove")
@access("admin")
def remove(name: str) -> BaseResponse:
    datasets.remove(name)
    flash(f"“{name}” was removed. Models and results that were made from it stay.", "success")
    return redirect(url_for(".index"))
