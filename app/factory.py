"""The chapters of ``create_app``."""

from __future__ import annotations

import logging
from typing import Any

import flask_login
from flask import Flask, Response, render_template, request
from flask_bootstrap import Bootstrap5
from sqlalchemy import Engine, event
from werkzeug.exceptions import HTTPException

from app.extensions import csrf, db, limiter, login_manager, migrate
from app.har.errors import HarError
from app.services.errors import ServiceError

log = logging.getLogger(__name__)


def configure_database(app: Flask) -> None:
    """Bind SQLAlchemy and Alembic; SQLite gets write-ahead logging, foreign keys and a busy timeout."""
    from app import models  # noqa: F401  the tables must be known before Alembic looks

    app_uri = app.config["SQLALCHEMY_DATABASE_URI"]
    db.init_app(app)
    migrate.init_app(app, db, directory=str(app.config["MIGRATIONS"]))
    if app_uri.startswith("sqlite"):
        with app.app_context():
            _set_sqlite_pragmas(db.engine)


def _set_sqlite_pragmas(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA busy_timeout=10000")
        cursor.close()


def configure_login(app: Flask) -> None:
    """Load the account of a session; see ``User.get_id`` for what a session is bound to."""
    from app.services import accounts

    login_manager.init_app(app)
    login_manager.login_view = "auth.login"
    login_manager.login_message = "Log in to see this page."
    login_manager.login_message_category = "info"
    login_manager.user_loader(accounts.load_session_user)


def configure_security(app: Flask) -> None:
    """CSRF on every form, rate limits, a role on every route, and response headers."""
    from app.web.access import enforce_access

    csrf.init_app(app)
    limiter.init_app(app)
    app.before_request(enforce_access)
    app.after_request(_security_headers)


def _security_headers(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault(
        "Content-Security-Policy",
        # plotly writes its own style elements; scripts come from our own files only
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
    )
    if flask_login.current_user.is_authenticated and request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def configure_templates(app: Flask) -> None:
    """Bootstrap from its package, plotly's bundle from its own, and a few filters."""
    from app.web import template_tools

    Bootstrap5(app)
    template_tools.init_app(app)


def register_blueprints(app: Flask) -> None:
    """One blueprint a screen."""
    from app.web import admin, auth, datasets, home, predictions, training

    app.register_blueprint(home.bp)
    app.register_blueprint(auth.bp)
    app.register_blueprint(admin.bp, url_prefix="/admin")
    app.register_blueprint(datasets.bp, url_prefix="/datasets")
    app.register_blueprint(training.bp)
    app.register_blueprint(predictions.bp, url_prefix="/predictions")


def register_error_pages(app: Flask) -> None:
    """A page for every error: what happened and what to do, never a traceback."""

    def page(title: str, message: str, status: int) -> tuple[str, int]:
        return render_template("error.html", title=title, message=message, status=status), status

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> tuple[str, int] | HTTPException:
        if error.code is None or error.code < 400:
            return error
        return page(error.name, error.description or "", error.code)

    @app.errorhandler(ServiceError)
    def service_error(error: ServiceError) -> tuple[str, int]:
        return page(error.title, str(error), error.status)

    @app.errorhandler(HarError)
    def har_error(error: HarError) -> tuple[str, int]:
        return page("This data cannot be used", str(error), 422)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> tuple[str, int]:
        log.exception("unexpected error at %s", request.endpoint)
        return page("Something went wrong here", "The error is in the server's log. Nothing you stored is lost.", 500)


def register_commands(app: Flask) -> None:
    """``flask datasets|train|evaluate|models|predict|users``."""
    from app import cli

    cli.register(app)


