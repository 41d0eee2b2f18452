"""What a data set holds: its recordings, to be searched, who supplies what, and what was wrong in its files."""

from __future__ import annotations

from itertools import islice
from typing import Any

from flask import Response, render_template, request, url_for

from app.services.datasets import exports, library, recorded_rows
from app.services.paging import page_of
from app.web.access import access
from app.web.datasets.routes import bp
from app.web.downloads import named, one_of_few

PAGE_SIZE = 50
PROBLEMS_SHOWN = 100  # of a kind
SUGGESTED = 20  # recordings in the list below a field


@bp.get("/<name>/recordings")
@access("admin")
def recordings(name: str) -> str:
    """List the recordings of an activity, of a person or with a text in what is known of them."""
    dataset = library.get(name)
    contents = library.open_dataset(dataset).contents
    query = {key: request.args.get(key, "")[:200] for key in ("activity", "subject", "text")}
    found = list(contents.recordings(**query))
    number = request.args.get("page", "")
    page = page_of(
        len(found), int(number) if number.isdecimal() and len(number) < 12 else 1, PAGE_SIZE,
        lambda start, stop: found[start:stop],
    )  # fmt: skip
    wanted: dict[str, Any] = {key: value for key, value in query.items() if value}
    return render_template(
        "datasets/recordings.html", dataset=dataset, contents=contents, query=query, page=page,
        colours=recorded_rows.colours(contents),
        url=lambda number: url_for(".recordings", name=name, page=number, **wanted),
    )  # fmt: skip


@bp.get("/<name>/recordings.json")
@access("admin")
def suggestions(name: str) -> list[dict[str, str]]:
    """Return some recordings that a text fits, for the list below a field."""
    contents = library.open_dataset(library.get(name)).contents
    found = islice(contents.recordings(text=request.args.get("text", "")[:200]), SUGGESTED)
    return [{"id": each.id, "about": ", ".join((each.subject, *each.activities))} for each in found]


@bp.get("/<name>/people")
@access("admin")
def people(name: str) -> str:
    """Show who supplies how much of which activity."""
    dataset = library.get(name)
    contents = library.open_dataset(dataset).contents
    in_windows = request.args.get("in") == "windows"
    samples, windows = contents.by_person
    table: Any = windows if in_windows else contents.minutes(samples)
    return render_template(
        "datasets/people.html", dataset=dataset, contents=contents, in_windows=in_windows, table=table.tolist(),
        totals=table.sum(axis=0).tolist(), colours=recorded_rows.colours(contents),
    )  # fmt: skip


@bp.get("/<name>/problems")
@access("admin")
def problems(name: str) -> str:
    """List what was wrong in the files, and what was done about it."""
    dataset = library.get(name)
    found = library.open_dataset(dataset).summary.problems
    return render_template("datasets/problems.html", dataset=dataset, problems=found, problems_shown=PROBLEMS_SHOWN)


@bp.get("/<name>/export.zip")
@access("admin")
def export(name: str) -> Response:
    """Download a data set in Kinelab's own layout or as BIDS-Motion."""
    layout = request.args.get("layout", "")
    content = exports.zipped(exports.files(library.get(name), layout), name)
    return one_of_few(named(Response(content, mimetype="application/zip"), f"{name}-{layout}.zip"))
