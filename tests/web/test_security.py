"""CSRF, rate limits, cookies, headers, and the pages of errors."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator

import pytest
from flask import Flask, abort, request
from flask.testing import FlaskClient

from app import create_app
from app.extensions import db, limiter
from app.services import accounts
from app.services.identity import guessing
from app.tables import Dataset
from app.web.access import access
from config import Config
from tests.conftest import PASSWORD, ServerLikeClient


def close(app: Flask) -> None:
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def guarded(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """Return the application as it is served behind TLS: with CSRF and rate limits. It shares the home of ``app``."""
    monkeypatch.setenv("HTTPS", "1")
    config = Config()
    config.RATELIMIT_ENABLED = True  # type: ignore[attr-defined]
    config.MAX_CONTENT_LENGTH = 3 * 2**20
    guarded = create_app(config)
    guarded.test_client_class = ServerLikeClient

    @guarded.get("/broken")
    @access("public")
    def broken() -> str:
        raise RuntimeError("secret detail")

    @guarded.get("/teapot")
    @access("public")
    def teapot() -> str:
        abort(418, "no {coffee} here")

    with guarded.app_context():
        yield guarded
        limiter.reset()
        db.session.remove()
        db.engine.dispose()


def csrf_token(client: FlaskClient) -> str:
    page = client.get("/login", base_url="https://localhost").text
    return re.search(r'name="csrf_token" type="hidden" value="([^"]+)"', page)[1]


def log_in(client: FlaskClient, **answers: str) -> int:
    response = client.post(
        "/login",
        base_url="https://localhost",
        headers={"Referer": "https://localhost/login"},
        data={"username": "ada", "password": PASSWORD, "csrf_token": csrf_token(client)} | answers,
    )
    return response.status_code


@pytest.mark.parametrize("token", [None, "", "forged"])
def test_a_form_without_its_token_changes_nothing_and_says_reload(guarded: Flask, token: str | None) -> None:
    client = guarded.test_client()
    csrf_token(client)
    answers = {"username": "eve", "password": PASSWORD} | ({} if token is None else {"csrf_token": token})
    response = client.post(
        "/login", data=answers, base_url="https://localhost", headers={"Referer": "https://localhost/login"}
    )
    assert response.status_code == 400
    assert "This page was open for too long" in response.text
    assert "reload" in response.text


def test_another_sites_form_is_refused(guarded: Flask) -> None:
    client = guarded.test_client()
    response = client.post(
        "/login",
        base_url="https://localhost",
        headers={"Referer": "https://evil.example/"},
        data={"username": "ada", "password": PASSWORD, "csrf_token": csrf_token(client)},
    )
    assert response.status_code == 400


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Wait no time; return how long each attempt would have waited."""
    waited: list[float] = []
    monkeypatch.setattr(guessing, "sleep", waited.append)
    return waited


def test_guessing_at_one_account_is_slowed_down_and_the_right_password_gets_in(
    guarded: Flask, waits: list[float]
) -> None:
    for name in ("ada", "bob"):
        accounts.register(name, PASSWORD, "", f"{name}@example.org", "")
    client = guarded.test_client()

    assert {log_in(client, password=f"guess number {n}") for n in range(30)} == {422}
    assert waits == [0.5, 1, 2, 4, 8] + [15] * 20
    assert log_in(guarded.test_client(), username=" ADA ") == 302, "in any letters, and after the wait"
    assert waits.pop() == 15


def test_a_browser_that_knows_the_account_does_not_wait_for_what_others_do(guarded: Flask, waits: list[float]) -> None:
    accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    own, stranger = guarded.test_client(), guarded.test_client()
    assert log_in(own) == 302
    own.delete_cookie("__Host-kinelab_session", domain="localhost")
    for n in range(12):
        log_in(stranger, password=f"guess number {n}")
    waits.clear()
    assert log_in(own) == 302
    assert waits == []

    stranger.delete_cookie("__Host-kinelab_session", domain="localhost")
    assert log_in(stranger, username="eve", password="x") == 422
    assert waits == [], "another account is not under attack"


def test_what_was_guessed_outlives_a_restart(guarded: Flask, waits: list[float]) -> None:
    client = guarded.test_client()
    for n in range(6):
        log_in(client, username="nobody", password=f"guess number {n}")
    restarted = create_app(Config())
    restarted.test_client_class = ServerLikeClient
    log_in(restarted.test_client(), username="nobody")
    close(restarted)
    assert waits == [0.5, 1]


def test_who_cannot_wait_is_asked_to_come_again(guarded: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guessing, "PLACES", 0)
    client = guarded.test_client()
    for n in range(5):
        log_in(client, password=f"guess {n}")
    response = client.post(
        "/login",
        base_url="https://localhost",
        headers={"Referer": "https://localhost/login"},
        data={"username": "ada", "password": PASSWORD, "csrf_token": csrf_token(client)},
    )
    assert response.status_code == 429
    assert "Wait 15 seconds" in response.text
    assert response.headers["Retry-After"] == "15"


def test_logging_in_rightly_is_never_slowed_down(guarded: Flask) -> None:
    accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    assert {log_in(guarded.test_client()) for _ in range(12)} == {302}


def test_the_session_cookie_is_out_of_reach_of_scripts_other_sites_and_plain_http(guarded: Flask) -> None:
    accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    client = guarded.test_client()
    response = client.post(
        "/login",
        base_url="https://localhost",
        headers={"Referer": "https://localhost/login"},
        data={"username": "ada", "password": PASSWORD, "csrf_token": csrf_token(client)},
    )
    [cookie] = [c for c in response.headers.getlist("Set-Cookie") if "kinelab_session" in c]
    assert all(c.startswith("__Host-") for c in response.headers.getlist("Set-Cookie"))
    assert cookie.startswith("__Host-kinelab_session=")
    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie, "or no browser takes a cookie of this name"
    assert response.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def addresses_of_visitors(proxies: str, monkeypatch: pytest.MonkeyPatch) -> str | None:
    monkeypatch.setenv("PROXIES", proxies)
    app = create_app(Config())
    app.add_url_rule("/who", view_func=access("public")(lambda: f"{request.remote_addr} {request.scheme}"))
    forwarded = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto": "https"}
    address = app.test_client().get("/who", headers=forwarded).text
    close(app)
    return address


def test_cookies_and_forms_are_signed_by_hmac_sha256(guarded: Flask) -> None:
    answer = guarded.test_client().get("/login")
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', answer.text)
    cookie = re.search(r"kinelab_session=([^;]+)", answer.headers["Set-Cookie"])
    assert token is not None
    assert cookie is not None
    for signed in (token[1], cookie[1]):
        assert len(urlsafe_b64decode(signed.rpartition(".")[2] + "=")) == 32


def test_a_visitors_address_is_what_the_last_trusted_proxy_says(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert addresses_of_visitors("0", monkeypatch) == "127.0.0.1 http"
    assert addresses_of_visitors("1", monkeypatch) == "198.51.100.7 https"


def test_every_answer_carries_the_protective_headers(client: FlaskClient) -> None:
    for address in ("/", "/login", "/nothing", "/static/css/kinelab.css", "/plotly.min.js"):
        headers = client.get(address).headers
        assert "script-src" not in headers["Content-Security-Policy"]  # so default-src holds: no inline script
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]
        assert "Strict-Transport-Security" not in headers  # served in plain http


@pytest.mark.parametrize(
    "address", ["/", "/nothing", "/static/css/kinelab.css", "/static/js/kinelab.js", "/static/favicon.svg"]
)
def test_text_says_its_encoding(client: FlaskClient, address: str) -> None:
    response = client.get(address)
    assert response.content_type.endswith("; charset=utf-8")
    response.close()


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
def test_odd_methods_are_refused(client: FlaskClient, method: str) -> None:
    assert client.open("/login", method=method).status_code == 405


def test_no_folder_is_listed(client: FlaskClient) -> None:
    for address in ("/static/", "/static/css/", "/.git/config", "/instance/", "/uploads/"):
        assert client.get(address).status_code == 404


def test_pages_have_no_inline_script_and_ask_no_other_host(admin_client: FlaskClient) -> None:
    for address in ("/", "/password", "/admin/users", "/datasets/", "/training/", "/models/", "/mappings/"):
        text = admin_client.get(address).text
        assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text) == []
        assert re.findall(r"\son[a-z]+=", text) == []
        assert re.findall(r"(?:src|href|action)=[\"'](?:https?:)?//", text) == []


def test_what_is_somebodys_is_kept_nowhere(app: Flask, log_in: Callable[..., FlaskClient], small: Dataset) -> None:
    client = log_in("adam", role="admin")
    for address in ("/", "/datasets/small/distribution.svg", "/datasets/small/preview.json", "/nothing"):
        for headers in ({}, {"Accept": "application/json"}):
            response = client.get(address, headers=headers)
            assert response.headers["Cache-Control"] == "private, no-store", address


def test_the_programs_own_files_are_kept(user_client: FlaskClient) -> None:
    for address in ("/static/css/kinelab.css", "/plotly.min.js"):
        assert "no-store" not in user_client.get(address).headers["Cache-Control"]


def test_logging_out_lets_the_browser_forget(user_client: FlaskClient) -> None:
    response = user_client.post("/logout")
    assert response.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "You have logged out." in user_client.get(response.location).text


def test_an_upload_over_the_limit_is_refused_with_the_limit(guarded: Flask) -> None:
    client = guarded.test_client()
    response = client.post("/login", data={"username": "a", "file": (b"x" * (3 * 2**20 + 1)).decode()})
    assert response.status_code == 413
    assert "up to 3 MB" in response.text


def test_an_unexpected_error_shows_a_page_and_no_detail(guarded: Flask, caplog: pytest.LogCaptureFixture) -> None:
    response = guarded.test_client().get("/broken")
    assert response.status_code == 500
    assert "Something went wrong here" in response.text
    assert "secret detail" not in response.text
    assert "secret detail" in caplog.text


def test_a_script_gets_an_error_as_json(guarded: Flask) -> None:
    response = guarded.test_client().get("/nothing", headers={"Accept": "application/json"})
    assert (response.status_code, list(response.json)) == (404, ["message"])


def test_an_error_of_another_kind_shows_its_own_words(guarded: Flask) -> None:
    response = guarded.test_client().get("/teapot")
    assert response.status_code == 418
    assert "no {coffee} here" in response.text


@pytest.mark.parametrize(
    ("address", "status", "says"),
    [("/nothing", 404, "nothing at this address"), ("/logout", 405, "does not accept this kind of request")],
)
def test_an_error_page_says_what_happened(client: FlaskClient, address: str, status: int, says: str) -> None:
    response = client.get(address)
    assert response.status_code == status
    assert says in response.text
    assert f"Error {status}" in response.text


def test_a_user_on_a_page_for_administrators_is_told_so(user_client: FlaskClient) -> None:
    response = user_client.get("/admin/users")
    assert response.status_code == 403
    assert "This page is for administrators." in response.text


def test_the_signing_key_is_made_once_and_for_its_owner_alone(app: Flask) -> None:
    path = app.config["INSTANCE"] / "secret_key"
    assert path.stat().st_mode & 0o077 == 0
    assert Config().SECRET_KEY == app.config["SECRET_KEY"] == path.read_text(encoding="ascii")
    assert app.config["SECRET_KEY"] not in repr(Config())


def test_a_signing_key_that_a_full_disk_left_empty_is_made_anew(app: Flask) -> None:
    path = app.config["INSTANCE"] / "secret_key"
    path.write_text("")
    assert len(Config().SECRET_KEY) == 64
    assert path.read_text(encoding="ascii") == Config().SECRET_KEY
    assert path.stat().st_mode & 0o077 == 0
    assert [each.name for each in path.parent.glob("secret_key*")] == ["secret_key"]
