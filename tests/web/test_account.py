"""One's own account: where it is logged in."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient

from app.services import accounts
from tests.conftest import PASSWORD

LogIn = Callable[..., FlaskClient]


def another_browser(app: Flask, username: str) -> FlaskClient:
    client = app.test_client()
    assert client.post("/login", data={"username": username, "password": PASSWORD}).status_code == 302
    return client


def copy_of(client: FlaskClient, app: Flask) -> FlaskClient:
    """Return a client with a stolen copy of another's cookie."""
    thief = app.test_client()
    cookie = client.get_cookie("kinelab_session")
    assert cookie is not None
    thief.set_cookie(cookie.key, cookie.value)
    return thief


def is_logged_in(client: FlaskClient) -> bool:
    return client.get("/account/sessions").status_code == 200


def test_a_copy_of_a_cookie_is_worth_nothing_after_logging_out(app: Flask, user_client: FlaskClient) -> None:
    thief = copy_of(user_client, app)
    assert is_logged_in(thief)
    user_client.post("/logout")
    assert not is_logged_in(thief)


def test_the_page_lists_ones_own_sessions_and_ends_them(app: Flask, log_in: LogIn) -> None:
    here, bob = log_in("ada"), log_in("bob")
    there = another_browser(app, "ada")
    elsewhere = another_browser(app, "ada")
    text = here.get("/account/sessions").text
    assert text.count("127.0.0.1") == 3
    assert text.count("This session") == 1
    ends = re.findall(r'action="(/account/sessions/\d+/end)"', text)
    assert len(ends) == 2

    assert bob.post(ends[0]).status_code == 404, "another's session is none of theirs"
    assert "The session has ended." in here.post(ends[0], follow_redirects=True).text
    assert [is_logged_in(client) for client in (here, there, elsewhere)].count(True) == 2
    here.post("/account/sessions/end-others")
    assert [is_logged_in(client) for client in (here, there, elsewhere, bob)] == [True, False, False, True]


def test_a_cookie_from_before_sessions_were_kept_belongs_to_nobody(app: Flask, client: FlaskClient) -> None:
    user = accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    with client.session_transaction() as session:
        session["_user_id"] = f"{user.id}:{user.password_hash[-16:]}"
    assert not is_logged_in(client)


def test_a_cookie_that_remembers_ends_with_its_session(app: Flask, user_client: FlaskClient) -> None:
    from flask_login.utils import encode_cookie

    with user_client.session_transaction() as session:
        remembered = encode_cookie(session["_user_id"])
    client = app.test_client()
    client.set_cookie("kinelab_remember", remembered)
    assert is_logged_in(client)
    user_client.post("/account/sessions/end-others")
    user_client.post("/logout")
    client = app.test_client()
    client.set_cookie("kinelab_remember", remembered)
    assert not is_logged_in(client)
