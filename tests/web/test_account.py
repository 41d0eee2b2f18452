"""One's own account: its details, where it is logged in, and its end."""

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

    shown = {"password": PASSWORD}
    assert bob.post(ends[0], data=shown).status_code == 404, "another's session is none of theirs"
    for address in (ends[0], "/account/sessions/end-others"):
        assert here.post(address).status_code == 422
        wrong = here.post(address, data={"password": "wrong horse"}, follow_redirects=True)
        assert "This is not your current password." in wrong.text
    assert all(is_logged_in(client) for client in (here, there, elsewhere))
    assert "The session has ended." in here.post(ends[0], data=shown, follow_redirects=True).text
    assert [is_logged_in(client) for client in (here, there, elsewhere)].count(True) == 2
    here.post("/account/sessions/end-others", data=shown)
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
    user_client.post("/account/sessions/end-others", data={"password": PASSWORD})
    user_client.post("/logout")
    client = app.test_client()
    client.set_cookie("kinelab_remember", remembered)
    assert not is_logged_in(client)


def test_the_details_are_seen_and_corrected(log_in: LogIn) -> None:
    ada = log_in("ada")
    log_in("bob")
    text = ada.get("/account/").text
    assert "ada@example.org" in text
    assert "1 High Street" in text
    answers = {"email": "ada@example.net", "contact_number": "", "address": " 2 Low Street "}
    assert "Your details are saved." in ada.post("/account/", data=answers, follow_redirects=True).text
    user = accounts.find("ada")
    assert (user.email, user.contact_number, user.address) == ("ada@example.net", "", "2 Low Street")

    taken = ada.post("/account/", data=answers | {"email": "BOB@example.org"})
    assert taken.status_code == 422
    assert "already an account with this e-mail address" in taken.text
    assert ada.post("/account/", data=answers | {"contact_number": "none"}).status_code == 422


def test_deleting_the_own_account_asks_says_what_goes_and_takes_the_files_along(
    deployed: Flask, log_in: LogIn, admin_client: FlaskClient
) -> None:
    ada, bob = log_in("ada"), log_in("bob")
    for client in (ada, bob):
        assert client.post("/predictions/example").status_code == 302
    uploads = deployed.config["UPLOADS"]
    assert len(list(uploads.iterdir())) == 2
    goes = ada.get("/account/delete").text
    assert "1 recording and what was recognised in it" in goes
    assert "0 corrected stretches, all calibrations, and the personal models that learnt from them" in goes
    assert "What data sets hold of shared corrections is taken out" in goes

    assert ada.post("/account/delete", data={"password": "wrong"}).status_code == 422
    assert is_logged_in(ada)
    response = ada.post("/account/delete", data={"password": PASSWORD}, follow_redirects=True)
    assert "have been deleted" in response.text
    assert not is_logged_in(ada)
    assert len(list(uploads.iterdir())) == 1
    assert is_logged_in(bob)
    assert [user.username for user in accounts.all_users()] == ["adam", "bob"]


def test_the_last_active_administrator_cannot_be_deleted(admin_client: FlaskClient, user_client: FlaskClient) -> None:
    response = admin_client.post("/account/delete", data={"password": PASSWORD})
    assert response.status_code == 409
    assert "last active administrator" in response.text
    assert is_logged_in(admin_client)
    accounts.register("eve", PASSWORD, "", "eve@example.org", "", "admin")
    assert admin_client.post("/account/delete", data={"password": PASSWORD}).status_code == 302


def test_a_program_is_added_with_a_secret_that_is_shown_once_and_is_its_owners_alone(
    user_client: FlaskClient, log_in: Callable[..., FlaskClient]
) -> None:
    form = {"url": "https://example.org/hook", "events": ["result.corrected", "recording.erased"]}
    secret = re.search(r"whsec_[\w+/=]{44}", user_client.post("/account/subscriptions", data=form).text)
    assert secret
    page = user_client.get("/account/subscriptions").text
    assert "whsec_" not in page
    assert "https://example.org/hook" in page
    assert "Told of result.corrected, recording.erased." in page
    for wrong in ({"url": "ftp://example.org"}, {"events": []}, {"url": ""}, {}):  # the last is there already
        assert user_client.post("/account/subscriptions", data=form | wrong).status_code == 422
    number = int(re.search(r"subscriptions/(\d+)/test", page)[1])  # type: ignore[index]
    other = log_in("otto")
    for action in ("test", "off", "remove"):
        assert other.post(f"/account/subscriptions/{number}/{action}").status_code == 404
    for action, says in (("test", "on the way"), ("off", "Switch on"), ("on", "Switch off"), ("remove", "nothing any")):
        page = user_client.post(f"/account/subscriptions/{number}/{action}", follow_redirects=True).text
        assert says in page
    assert "example.org/hook" not in page
    assert log_in("carla", role="caregiver").get("/account/subscriptions").status_code == 403
