"""Pages for programs that watch the server: whether it works, and metrics."""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST

from app.services import health
from app.web.access import access
from app.web.health import metrics

bp = Blueprint("health", __name__)
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")  # what proxies add
LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}


@bp.get("/healthz")
@access("public")
def ready() -> ResponseReturnValue:
    """Say whether the server works, with status 503 where something does not."""
    wrong = health.problems()
    answer = jsonify(live=True, ready=not wrong, problems=wrong)
    answer.headers["Cache-Control"] = "no-store"
    return answer, 503 if wrong else 200


@bp.get("/healthz/live")
@access("public")
def live() -> ResponseReturnValue:
    """Say that the server answers: restart it only where this does not come."""
    return Response("live\n", mimetype="text/plain", headers={"Cache-Control": "no-store"})


@bp.get("/metrics")
@access("token")
def metrics_text() -> ResponseReturnValue:
    """Give metrics to Prometheus, with a token or from this machine."""
    if not (_has_token() if current_app.config["METRICS_TOKEN"] else _is_local()):
        abort(403, "Metrics are for programs on this machine, or for those that have METRICS_TOKEN.")
    return Response(metrics.text(), content_type=CONTENT_TYPE_LATEST)


def _has_token() -> bool:
    brought = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(brought.encode(), current_app.config["METRICS_TOKEN"].encode())


def _is_local() -> bool:
    """Tell whether a program of this machine asks, and not a proxy on it for somebody else."""
    behind_proxy = current_app.config["SESSION_COOKIE_SECURE"] and not current_app.config["OWN_TLS"]
    if behind_proxy and not current_app.config["PROXIES"]:
        return False  # nobody knows who asks
    if any(name in request.headers for name in FORWARDED) or urlsplit(request.host_url).hostname not in LOCAL_NAMES:
        return False
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
