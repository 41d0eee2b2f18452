"""How a page or its script hears that something was refused: at a form's field, by a status, as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response, flash, jsonify, request
from flask_wtf import FlaskForm

from app.har.errors import HarError
from app.services.errors import Invalid, ServiceError

UNUSABLE_DATA = 422  # status of a HarError: the core knows nothing of HTTP


def wants_json() -> bool:
    """Tell whether a page's own script asks: it sends a form itself to show how much of a large file has arrived."""
    return request.accept_mimetypes.best == "application/json"


def json_error(message: str, status: int) -> tuple[Response, int]:
    """Return an error in the one shape that scripts know."""
    return jsonify(message=message), status


def status_of(error: Exception | None) -> int:
    """Return the HTTP status of a failure: 500 where it is neither a ServiceError nor a HarError."""
    if isinstance(error, ServiceError):
        return error.status
    return UNUSABLE_DATA if isinstance(error, HarError) else 500


@contextmanager
def flashed(*kinds: type[Exception]) -> Iterator[None]:
    """Let an error of one of these kinds, which ends the block, be read on the page that comes next."""
    try:
        yield
    except kinds as error:
        flash(str(error), "danger")


def show_at_field(error: Exception, form: FlaskForm) -> bool:
    """Put an error at the field of the form that it is about; return False where it is about none of them."""
    name = error.field if isinstance(error, Invalid) else None
    if name is None or name not in form:
        return False
    form[name].errors = [*form[name].errors, str(error)]
    return True


def show_in_form(error: ServiceError, form: FlaskForm) -> int:
    """Put an error at its field, or above the form where it is about none of them; return its HTTP status."""
    if not show_at_field(error, form):
        form.form_errors.append(str(error))
    return error.status
