"""The first page, and plotly's bundle from its package."""

from __future__ import annotations

from importlib.resources import files

from flask import Blueprint, Response, render_template, send_file

from app.web.access import access

bp = Blueprint("home", __name__)


@bp.get("/")
@access("public")
def index() -> str:
    return render_template("home/landing.html")


@bp.get("/plotly.min.js")
@access("public")
def plotly_js() -> Response:
    """Serve plotly's bundle as installed: no network is needed, and it is fetched once a version."""
    return send_file(str(files("plotly") / "package_data" / "plotly.min.js"), max_age=31_536_000)
