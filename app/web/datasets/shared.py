"""What users who agreed let administrators see of their corrections, and data sets made of it."""

from __future__ import annotations

from flask import Response, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.services.errors import Conflict, Invalid
from app.services.personal import sharing, taken_back
from app.web.access import access
from app.web.datasets.routes import bp
from app.web.downloads import named
from app.web.errors import status_of


@bp.get("/shared-corrections")
@access("admin")
def shared_corrections() -> ResponseReturnValue:
    """Show who shares how much of which activity, and what cannot be in a data set."""
    return _page()


def _page(message: str = "", status: int = 200) -> ResponseReturnValue:
    people, missing = sharing.overview()
    taken_back.begin()  # what could not be done before
    page = render_template(
        "datasets/shared.html",
        people=people,
        missing=missing,
        withdrawn=[(one, taken_back.copies_of(one), taken_back.learnt_from(one)) for one in taken_back.withdrawn()],
        message=message,
        name=request.form.get("name", "")[:64],
    )
    return page, status


@bp.get("/shared-corrections.zip")
@access("admin")
def shared_corrections_zip() -> ResponseReturnValue:
    """Download all that is shared in Kinelab's own layout."""
    content = stream_with_context(sharing.zipped())  # it reads folders and rows while it is sent
    return named(Response(content, mimetype="application/zip"), "shared-corrections.zip")


@bp.post("/shared-corrections")
@access("admin")
def make_of_shared() -> ResponseReturnValue:
    """Make a data set of all that is shared."""
    try:
        job = sharing.make_dataset(request.form.get("name", "").strip(), current_user.id)
    except (Conflict, Invalid) as error:
        return _page(str(error), status_of(error))
    return redirect(url_for("datasets.adding", token=job.token))
