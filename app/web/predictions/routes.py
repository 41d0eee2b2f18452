from __future__ import annotations

from flask import Blueprint

bp = Blueprint("predictions", __name__)
