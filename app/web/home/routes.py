"""The first page, and plotly's bundle from its package."""

from __future__ import annotations

from functools import cache
from importlib.metadata import distribution, version
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.services import accounts, database, keys
from app.services.known_formats import recording_formats
from app.services.models import model_versions
from app.services.overview import overview
from app.services.personal import in_lists
from app.services.recordings import attempts, example, known_walking, listing, pending
from app.services.recordings.many_results import TABLES
from app.services.recordings.places import PLACES
from app.web.access import access
from app.web.downloads import reader_zone
from app.web.predictions.forms import UploadForm

bp = Blueprint("home", __name__)


@bp.get("/")
@access("public")
def index() -> ResponseReturnValue:
    """Say what this is, or show people their recordings, caregivers the people, administrators the state of things."""
    if not current_user.is_authenticated:
        return render_template("home/landing.html", setup_needed=accounts.setup_needed())
    if current_user.is_caregiver:
        return redirect(url_for("care.people"))
    wanted = listing.Wanted.from_parameters(request.args, reader_zone())
    pending.sweep()
    page = listing.page(current_user.id, wanted, request.args.get("page", 1, type=int))
    newest = [recording.predictions[0] for recording in page.items if recording.predictions]
    return render_template(
        "home/index.html",
        recordings=page,
        minutes=in_lists.minutes_of(current_user.id, newest),
        wanted=wanted,
        sorts=listing.SORTS,
        models=listing.models_of(current_user.id),
        activities=listing.activities_of(current_user.id),
        tables=TABLES,
        attempts=attempts.list_attempts(current_user.id),
        waiting=pending.list_pending(current_user.id),
        upload_form=UploadForm(),
        formats=recording_formats(),
        promoted=model_versions.promoted(),
        example_model=example.model_of_example(),
        known_walking=known_walking.list_known(current_user.id),
        places=PLACES,
        overview=overview() if current_user.is_admin else None,
        key_source=keys.source() if current_user.is_admin else None,
        key_beside_data=keys.is_beside_data(keys.source()),
        database_kind=database.kind(),
    )


@bp.get("/plotly.min.js")
@access("public")
def plotly_js() -> Response:
    """Serve plotly's bundle as it was installed; a browser fetches it once a version."""
    bundle = distribution("plotly").locate_file("plotly/package_data/plotly.min.js")
    return send_file(str(bundle), max_age=31_536_000)


@bp.app_url_defaults
def add_plotly_version(endpoint: str, values: dict[str, Any]) -> None:
    """Give another version of plotly another address, so that no browser keeps an old one."""
    if endpoint == "home.plotly_js":
        values["version"] = _plotly_version()


@cache  # the package's metadata is a file, and every page with a plot names it
def _plotly_version() -> str:
    return version("plotly")
