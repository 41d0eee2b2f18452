"""The chapters of ``create_app``."""

from __future__ import annotations

import logging
from hashlib import sha256
from typing import Any

from flask import Flask, Response, current_app, flash, redirect, render_template, request, url_for
from flask.sessions import SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_bootstrap import Bootstrap5
from flask_wtf.csrf import CSRFError
from itsdangerous import Signer
from sqlalchemy import Engine, event
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter

from app.extensions import csrf, db, limiter, login_manager
from app.har.errors import HarError
from app.har.texts import loads
from app.services import database, postgresql
from app.services.errors import Busy, ServiceError
from app.services.folding import folded
from app.services.transaction import passing_reason

log = logging.getLogger(__name__)

POLICY = "Content-Security-Policy"
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Scripts come from our own files only; plotly writes its own style elements.
    POLICY: (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
}
ERROR_TEXTS = {
    403: ("Not allowed", "Your account may not open this page."),
    404: ("Page not found", "There is nothing at this address. It may have been deleted, or the address is mistyped."),
    405: ("Not possible here", "This address does not accept this kind of request. Start again from the home page."),
    413: (
        "The upload is too large",
        "You can upload up to {limit} at once. Upload less, or ask an administrator to raise MAX_UPLOAD_MB.",
    ),
    429: ("Too many attempts", "To protect accounts, please wait a few minutes and try again."),
}


def configure_log() -> None:
    """Log in our format where a command or another server than ours runs the application."""
    from app.services import server_log

    if not logging.getLogger().handlers:
        server_log.configure(logging.WARNING)


def configure_database(app: Flask) -> None:
    """Bind SQLAlchemy to a server of PostgreSQL, or to SQLite.

    That, encrypted or not, gets write-ahead logging, foreign keys and a busy timeout.
    """
    from app import tables  # noqa: F401  the tables must be known before Alembic looks

    options = app.config.get("SQLALCHEMY_ENGINE_OPTIONS", {})
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {**options, "json_deserializer": loads}
    db.init_app(app)
    with app.app_context():
        if (server := app.config.get("DATABASE_SERVER")) is None:
            database.listen(db.engine)
            _set_sqlite_pragmas(db.engine)
        else:
            postgresql.listen(db.engine, server)


def _set_sqlite_pragmas(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten, in the file too
        cursor.execute("PRAGMA busy_timeout=60000")  # where `transaction` does not say otherwise
        cursor.close()
        connection.create_function("lower", 1, folded, deterministic=True)


def configure_proxies(app: Flask) -> None:
    """Believe as many proxies as the installation says there are; without any, what a visitor claims is nothing."""
    if number := app.config["PROXIES"]:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=number, x_proto=number, x_host=number)  # type: ignore[method-assign]


def configure_login(app: Flask) -> None:
    """Load the account of a session (``services/identity/sessions.py``)."""
    from app.services.identity import sessions
    from app.web.errors import json_error, wants_json

    login_manager.init_app(app)
    login_manager.user_loader(sessions.load_user)

    def ask_to_log_in() -> ResponseReturnValue:
        if wants_json():
            return json_error("Log in again: this session has ended.", 401)
        flash("Log in to see this page.", "info")
        # What was to be changed cannot be sent again after logging in; a page can be opened again.
        target = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("auth.login", next=target))

    login_manager.unauthorized_handler(ask_to_log_in)


class _SignedSessions(SecureCookieSessionInterface):
    """Sessions in a cookie that is signed by HMAC-SHA256; by itself, Flask takes HMAC-SHA1."""

    digest_method = staticmethod(sha256)


def configure_security(app: Flask) -> None:
    """CSRF on every form, rate limits, a role on every route, and response headers."""
    from app.web import authority, bodies, event_streams
    from app.web.access import enforce_access
    from app.web.health import metrics

    app.session_interface = _SignedSessions()
    Signer.default_digest_method = staticmethod(sha256)  # of forms, and of what browsers keep between two pages
    metrics.init_app(app)  # first: what is refused is counted
    event_streams.init_app(app)
    bodies.init_app(app)  # before the next: without its body, a form has no token
    csrf.init_app(app)
    limiter.init_app(app)
    app.before_request(authority.insist_on_tls)
    app.before_request(enforce_access)
    app.after_request(_security_headers)


def _security_headers(response: Response) -> Response:
    from app.web.access import access_of

    # What everybody may open and is no page is the program's own: scripts, styles, icons.
    is_private = response.mimetype == "text/html" or access_of(request.endpoint) != "public"
    headers = _headers_of_all(current_app, is_private)
    if own_policy := response.headers.get(POLICY):  # of a script that compiles WebAssembly
        headers[POLICY] = own_policy
    response.headers.update(headers)
    return response


def _headers_of_all(app: Flask, is_private: bool) -> dict[str, str]:
    headers = dict(SECURITY_HEADERS)
    # Of a lab's own certificate, it would lock out all that speaks plain HTTP under the same name, for a year
    if app.config["SESSION_COOKIE_SECURE"] and not app.config["OWN_TLS"]:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    if is_private:  # nothing to see with the back button after logging out, nor in the folders of a browser or a proxy
        headers["Cache-Control"] = "private, no-store"
    return headers


def configure_audit(app: Flask) -> None:
    """Tell the audit log who acts; record every refusal and every file that is downloaded."""
    from app.services import audit
    from app.web import origin

    app.extensions[audit.ORIGIN] = origin.origin
    app.after_request(origin.record_answer)


def configure_live(app: Flask) -> None:
    """Tell pages and phones of every step of an alarm, whoever made it; take phones' messages in."""
    from app.services.alarms import alarms
    from app.services.live import asking, hub
    from app.web.live_messages import LiveMessages

    app.wsgi_app = LiveMessages(app, _headers_of_all(app, is_private=True).items())  # type: ignore[method-assign]
    with app.app_context():
        alarms.listen(hub.tell_alarm)
        alarms.listen(asking.take)


def configure_templates(app: Flask) -> None:
    """Bootstrap from its package, plotly's bundle from its own, and a few filters."""
    from app.web import template_tools

    Bootstrap5(app)
    template_tools.init_app(app)


class RowNumber(IntegerConverter):
    """``<int:…>`` in an address, only as long as a database can hold: beyond it there is no page."""

    regex = r"\d{1,9}"


def register_blueprints(app: Flask) -> None:
    """One blueprint a screen."""
    from app.web import (
        account,
        admin,
        alarms,
        api,
        auth,
        authority,
        calibration,
        care,
        cohorts,
        datasets,
        days,
        health,
        home,
        live,
        mappings,
        predictions,
        sign_on,
        sites,
        training,
    )
    from app.web.bearer import PATH

    app.url_map.converters["int"] = RowNumber
    app.register_blueprint(home.bp)
    app.register_blueprint(authority.bp, url_prefix="/authority")
    app.register_blueprint(auth.bp)
    app.register_blueprint(sign_on.bp)
    app.register_blueprint(account.bp, url_prefix="/account")
    app.register_blueprint(admin.bp, url_prefix="/admin")
    app.register_blueprint(datasets.bp, url_prefix="/datasets")
    app.register_blueprint(training.bp)
    app.register_blueprint(predictions.bp, url_prefix="/predictions")
    app.register_blueprint(mappings.bp, url_prefix="/mappings")
    app.register_blueprint(calibration.bp, url_prefix="/calibration")
    app.register_blueprint(cohorts.bp, url_prefix="/cohorts")
    app.register_blueprint(sites.bp, url_prefix="/sites")
    app.register_blueprint(live.bp, url_prefix="/live")
    app.register_blueprint(api.bp, url_prefix="/api")
    app.register_blueprint(api.v1.bp, url_prefix=PATH)
    for bp in (api.bp, api.v1.bp):
        csrf.exempt(bp)  # devices and programs bring a token; no cookie opens anything there
    app.register_blueprint(health.bp)
    app.register_blueprint(care.bp)
    app.register_blueprint(days.bp)
    app.register_blueprint(alarms.bp)


def register_error_pages(app: Flask) -> None:
    """A page for every error: what happened and what to do, never a traceback. A script gets the same as JSON."""
    from app.services import audit
    from app.services.identity.guessing import TooManyAttempts
    from app.web import bearer, problems
    from app.web.errors import json_error, status_of, wants_json
    from app.web.origin import what_is_asked

    def page(title: str, message: str, status: int, error: Exception | None = None) -> ResponseReturnValue:
        if bearer.is_asked():
            return problems.answer(title, message, status, error)
        if wants_json():
            return json_error(message, status)
        return render_template("error.html", title=title, message=message, status=status), status

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        if error.code is None or error.code < 400:
            return error.get_response()
        title, message = ERROR_TEXTS.get(error.code, (error.name, error.description or ""))
        message = message.replace("{limit}", f"{app.config['MAX_CONTENT_LENGTH'] / 2**20:,.0f} MB")
        if error.code in {403, 404} and error.description != type(error).description:
            message = error.description or message  # a view that refuses says why
        return page(title, message, error.code, error)

    @app.errorhandler(CSRFError)
    def csrf_error(error: CSRFError) -> ResponseReturnValue:
        audit.record(audit.Action.REFUSAL, what_is_asked(), outcome="refused", reason="not a form of this session")
        return page(
            "This page was open for too long",
            "The form no longer belongs to your session: you may have logged in or out since. "
            "Go back, reload the page and try again. Nothing was changed.",
            400,
        )

    @app.after_request
    def when_to_retry(response: Response) -> Response:
        for error in (Busy, TooManyAttempts):
            if response.status_code == error.status:
                response.headers.setdefault("Retry-After", str(error.retry_after_s))
        return response

    @app.errorhandler(ServiceError)
    def service_error(error: ServiceError) -> ResponseReturnValue:
        if error.__cause__ is not None:
            db.session.rollback()  # what a server's database refused ends its transaction, and the page asks it again
        return page(error.title, str(error), status_of(error), error)

    @app.errorhandler(HarError)
    def har_error(error: HarError) -> ResponseReturnValue:
        return page("This data cannot be used", str(error), status_of(error))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> ResponseReturnValue:
        db.session.rollback()  # the page itself asks the database who looks at it
        if reason := passing_reason(error):
            log.warning("refused at %s: %s", request.endpoint, error)
            return page(reason.title, str(reason), reason.status)
        log.exception("unexpected error at %s", request.endpoint)
        return page(
            "Something went wrong here", "The error was written to the server's log. No stored data was lost.", 500
        )
