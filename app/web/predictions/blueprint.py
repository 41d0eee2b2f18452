"""The blueprint of the pages of recordings, which several modules add to."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("predictions", __name__)
