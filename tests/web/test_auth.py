"""Registering, logging in and out, changing the password, setting up."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.services import accounts
from app.services.live import devices
from tests.conftest import PASSWORD

ANSWERS = {
    "username": "ada",
    "password": PASSWORD,
    "password_again": PASSWORD,
    "contact_number": "+44 20 7946 0000",
    "email": "ada@example.org",
    "address": "1 High Street",
}
LogIn = Callable[..., FlaskClient]


def is_logged_in(client: FlaskClient) -> bool:
    return client.get("/password").status_code == 200


def test_registering_opens_the_account_as_a_plain_user(client: FlaskClient) -> None:
    response = client.post("/register", data=ANSWERS | {"role": "admin"}, follow_redirects=True)

    assert response.status_code == 200
    assert "Welcome, ada" in response.text
    assert [(user.username, user.role.value) for user in accounts.all_users()] == [("ada", "user")]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("username", "", "Choose a username: 3 to 64"),
        ("username", "a b", "3 to 64 letters"),
        ("password_again", "another one", "The two passwords are different."),
        ("contact_number", "none", "at least 5 digits"),
        ("email", "ada", "not valid"),
        ("address", "x" * 501, "at most 500"),
    ],
)
def test_a_wrong_answer_is_named_and_the_others_are_kept(
    client: FlaskClient, field: str, value: str, says: str
) -> None:
    response = client.post("/register", data=ANSWERS | {field: value})

    assert response.status_code == 422
    assert says in response.text
    assert "1 High Street" in response.text or field == "address"
    assert PASSWORD not in response.text
    assert accounts.all_users() == []


def test_contact_and_address_may_be_left_out(client: FlaskClient) -> None:
    assert client.post("/register", data=ANSWERS | {"contact_number": "", "address": ""}).status_code == 302
    assert [(user.contact_number, user.address) for user in accounts.all_users()] == [("", "")]


def test_every_wrong_answer_is_named_at_once(client: FlaskClient) -> None:
    text = client.post("/register", data={}).text
    assert text.count("invalid-feedback") == 4


@pytest.mark.parametrize(
    ("password", "says"),
    [("short", "at least 10"), ("password1234", "too easy to guess"), ("ada@example.org", "username")],
)
def test_a_weak_password_is_refused_with_its_reason(client: FlaskClient, password: str, says: str) -> None:
    response = client.post("/register", data=ANSWERS | {"password": password, "password_again": password})
    assert response.status_code == 422
    assert says in response.text


def test_a_taken_username_is_named_at_its_field(client: FlaskClient, log_in: LogIn) -> None:
    log_in("ada")
    response = client.post("/register", data=ANSWERS | {"username": "ADA", "email": "other@example.org"})
    assert response.status_code == 422
    assert "This username is taken." in response.text


def test_what_people_enter_is_shown_escaped(client: FlaskClient) -> None:
    text = client.post("/register", data=ANSWERS | {"address": "<script>x</script>", "username": "<b>"}).text
    assert "<script>x" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;x" in text


@pytest.mark.parametrize(
    ("username", "password"), [("nobody", PASSWORD), ("ada", "wrong password"), ("disabled", PASSWORD)]
)
def test_every_failed_log_in_reads_the_same(client: FlaskClient, username: str, password: str) -> None:
    accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    disabled = accounts.register("disabled", PASSWORD, "", "disabled@example.org", "")
    admin = accounts.register("adam", PASSWORD, "", "adam@example.org", "", "admin")
    accounts.set_disabled(admin.id, disabled.id, True)

    response = client.post("/login", data={"username": username, "password": password})

    assert response.status_code == 422
    assert "The username or password is wrong, or the account is disabled." in response.text
    assert not is_logged_in(client)


@pytest.mark.parametrize(
    ("asked_for", "goes_to"),
    [
        ("/password", "/password"),
        ("/predictions/?page=2&sort=a%20b", "/predictions/?page=2&sort=a%20b"),
        ("", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("///evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("/%09/evil.example/", "/%09/evil.example/"),
        ("/\t/evil.example/", "/"),
        ("\t//evil.example/", "/"),
        ("/\n/evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example", "/"),
    ],
)
def test_logging_in_goes_on_to_a_page_of_this_site_only(
    client: FlaskClient, log_in: LogIn, asked_for: str, goes_to: str
) -> None:
    log_in("ada")
    response = client.post("/login", query_string={"next": asked_for}, data={"username": "ada", "password": PASSWORD})
    assert response.status_code == 302
    assert response.location == goes_to


def test_a_page_that_needs_an_account_comes_after_logging_in(client: FlaskClient, log_in: LogIn) -> None:
    log_in("ada")
    response = client.get("/password?x=1")
    assert response.location == "/login?next=/password?x%3D1"
    response = client.post(response.location, data={"username": "ada", "password": PASSWORD})
    assert response.location == "/password?x=1"


def test_a_change_that_needs_an_account_is_not_repeated_after_logging_in(client: FlaskClient) -> None:
    assert client.post("/logout").location == "/login"


def test_a_script_learns_that_the_session_has_ended(client: FlaskClient) -> None:
    response = client.get("/password", headers={"Accept": "application/json"})
    assert response.status_code == 401
    assert "Log in again" in response.json["message"]


def test_logging_out_takes_a_post_and_ends_the_session(user_client: FlaskClient) -> None:
    assert user_client.get("/logout").status_code == 405
    assert is_logged_in(user_client)
    user_client.post("/logout")
    assert not is_logged_in(user_client)


def test_two_browsers_have_two_sessions(log_in: LogIn) -> None:
    ada, bob = log_in("ada"), log_in("bob")
    assert "Welcome, ada" in ada.get("/").text
    assert "Welcome, bob" in bob.get("/").text


def test_changing_the_password_keeps_this_session_and_ends_the_others(app: Flask, log_in: LogIn) -> None:
    here, elsewhere = log_in("ada"), app.test_client()
    elsewhere.post("/login", data={"username": "ada", "password": PASSWORD})
    assert is_logged_in(elsewhere)

    new = "another good password"
    response = here.post("/password", data={"current": PASSWORD, "password": new, "password_again": new})

    assert response.location == "/"
    assert is_logged_in(here)
    assert not is_logged_in(elsewhere)
    assert elsewhere.post("/login", data={"username": "ada", "password": PASSWORD}).status_code == 422
    assert elsewhere.post("/login", data={"username": "ada", "password": new}).status_code == 302


def test_a_new_password_stops_streaming_devices_where_that_is_wanted(user_client: FlaskClient) -> None:
    user = accounts.authenticate("ursula", PASSWORD)
    assert user is not None
    number, wanted = user.id, "Also stop my streaming devices"
    assert wanted not in user_client.get("/password").text
    devices.make(number, "phone")
    assert wanted in user_client.get("/password").text
    one, two = "another good password", "still another good password"
    user_client.post("/password", data={"current": PASSWORD, "password": one, "password_again": one})
    assert devices.in_use(number)
    stopping = {"current": one, "password": two, "password_again": two, "devices": "y"}
    refused = user_client.post("/password", data=stopping | {"current": "wrong"})
    assert (refused.status_code, len(devices.in_use(number))) == (422, 1)
    assert user_client.post("/password", data=stopping).location == "/"
    assert devices.in_use(number) == []
    assert is_logged_in(user_client)


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"current": "wrong"}, "This is not your current password."),
        ({"password_again": "something else"}, "The two passwords are different."),
        ({"password": PASSWORD, "password_again": PASSWORD}, "same as the current one"),
        ({"password": "ursula", "password_again": "ursula"}, "at least 10"),
    ],
)
def test_a_refused_password_change_says_why(user_client: FlaskClient, answers: dict[str, str], says: str) -> None:
    new = "another good password"
    response = user_client.post(
        "/password", data={"current": PASSWORD, "password": new, "password_again": new} | answers
    )
    assert response.status_code == 422
    assert says in response.text
    assert accounts.authenticate("ursula", PASSWORD)


def test_the_set_up_address_makes_the_first_administrator_and_then_ends(client: FlaskClient) -> None:
    address = f"/setup/{accounts.setup_token()}"
    assert "Create the first administrator" in client.get(address).text
    assert client.post(address, data=ANSWERS | {"password_again": "x"}).status_code == 422

    response = client.post(address, data=ANSWERS, follow_redirects=True)

    assert "you are its administrator" in response.text
    assert client.get("/admin/users").status_code == 200
    assert client.get(address).status_code == 404
    assert client.post(address, data=ANSWERS | {"username": "eve", "email": "eve@example.org"}).status_code == 404
    assert len(accounts.all_users()) == 1


def test_a_guessed_set_up_address_is_not_found(client: FlaskClient) -> None:
    accounts.setup_token()
    response = client.post("/setup/guess", data=ANSWERS)
    assert response.status_code == 404
    assert "set-up address is not valid" in response.text
    assert accounts.all_users() == []


def test_who_is_logged_in_needs_no_log_in_form(user_client: FlaskClient) -> None:
    assert user_client.get("/login").location == "/"
    assert user_client.get("/register").location == "/"
