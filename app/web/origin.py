"""Who sends a request, from where and for what: what the audit log says of the site's visitors."""

from __future__ import annotations

import re

from flask import Response, has_request_context, request
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from app.services.audit import NOBODY, Action, Origin, record
from app.services.errors import ServiceError
from app.web.access import access_of

REFUSED = {  # by status
    403: "not allowed",
    413: "too large",
    429: "too many attempts",
    503: "too busy",
    507: "no room",
}


def origin() -> Origin | None:
    """Return the visitor of the present request, None outside one."""
    if not has_request_context():
        return None
    address = request.remote_addr or ""
    try:
        if current_user.is_authenticated:
            return Origin(current_user.username, current_user.id, address)
    except (SQLAlchemyError, ServiceError):  # a database that does not answer is no reason to record nothing
        return Origin("(unknown)", None, address)
    return Origin(NOBODY, None, address)


def what_is_asked() -> str:
    """Return method and address of the request, without the query and any token: who reads the log gets no key."""
    if request.url_rule is None:
        return f"{request.method}, an address without a page"
    answers = {**(request.view_args or {}), "token": "<token>"}
    address = re.sub(r"<(?:[^<>]*:)?(\w+)>", lambda found: str(answers[found[1]]), request.url_rule.rule)
    return f"{request.method} {address}"


def record_answer(response: Response) -> Response:
    """Record what was refused to a visitor, and what was sent as a file."""
    if request.endpoint == "health.ready":
        return response  # 503 is no refusal there
    reason = REFUSED.get(response.status_code)
    if response.status_code == 401 and access_of(request.endpoint) in ("api", "token"):
        reason = "no valid token"
    if reason is not None:
        record(Action.REFUSAL, what_is_asked(), outcome="refused", reason=reason)
    elif response.status_code == 200 and response.headers.get("Content-Disposition", "").startswith("attachment"):
        record(Action.DOWNLOAD, what_is_asked())
    return response
