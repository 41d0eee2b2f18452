"""The page of the accounts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.services import accounts
from app.services.transaction import transaction
from app.tables import User
from tests.conftest import PASSWORD


def id_of(username: str) -> int:
    return next(user.id for user in accounts.all_users() if user.username == username)


def add_rows(*emails: str) -> None:
    """Write accounts that nobody logs in to straight into the table."""
    with transaction() as session:
        session.add_all(
            User(username=email.partition("@")[0], email=email, contact_number="", address="", password_hash="-")
            for email in emails
        )


def test_the_page_lists_every_account_with_its_role(admin_client: FlaskClient, user_client: FlaskClient) -> None:
    text = admin_client.get("/admin/users").text
    for shown in ("adam@example.org", "ursula@example.org", "Administrator", "User", "+44 20 7946 0000"):
        assert shown in text


def test_many_accounts_come_in_pages(admin_client: FlaskClient) -> None:
    add_rows(*(f"user{number:02d}@example.org" for number in range(25)))
    first, second = admin_client.get("/admin/users").text, admin_client.get("/admin/users?page=2").text
    assert ("user23" in first, "user24" in first) == (True, False)
    assert ("user23" in second, "user24" in second) == (False, True)
    assert 'href="/admin/users?page=2"' in first


@pytest.mark.parametrize("page", ["0", "-1", "99", "x", "9" * 30])
def test_a_page_that_is_not_there_is_no_error(admin_client: FlaskClient, page: str) -> None:
    assert admin_client.get("/admin/users", query_string={"page": page}).status_code == 200


def test_a_new_administrator_logs_in_again_and_may_open_the_page(
    admin_client: FlaskClient, user_client: FlaskClient
) -> None:
    assert user_client.get("/admin/users").status_code == 403
    response = admin_client.post(
        f"/admin/users/{id_of('ursula')}/role", data={"role": "admin", "password": PASSWORD}, follow_redirects=True
    )
    assert "ursula is now an administrator." in response.text
    assert user_client.get("/admin/users").status_code == 302, "what was logged in as a user is not an administrator's"
    user_client.post("/login", data={"username": "ursula", "password": PASSWORD})
    assert user_client.get("/admin/users").status_code == 200


def test_a_disabled_account_is_logged_out_at_once_and_logs_in_again_when_enabled(
    admin_client: FlaskClient, user_client: FlaskClient
) -> None:
    address = f"/admin/users/{id_of('ursula')}/state"
    response = admin_client.post(address, data={"state": "disabled"}, follow_redirects=True)
    assert "The account of ursula is now disabled." in response.text
    assert user_client.get("/password").status_code == 302

    admin_client.post(address, data={"state": "enabled"})
    assert user_client.get("/password").status_code == 302, "no copy of an old cookie comes back to life"
    assert user_client.post("/login", data={"username": "ursula", "password": PASSWORD}).status_code == 302
    assert user_client.get("/password").status_code == 200


@pytest.mark.parametrize(
    ("action", "answers"),
    [("role", {"role": "user", "password": PASSWORD}), ("state", {"state": "disabled"})],
)
def test_an_administrator_cannot_lock_themselves_out(
    admin_client: FlaskClient, action: str, answers: dict[str, str]
) -> None:
    response = admin_client.post(f"/admin/users/{id_of('adam')}/{action}", data=answers)
    assert response.status_code == 403
    assert "cannot change your own role" in response.text
    adam = accounts.get(id_of("adam"))
    assert (adam.is_admin, adam.disabled) == (True, False)


@pytest.mark.parametrize(
    ("address", "answers", "status"),
    [
        ("/admin/users/1/role", {"role": "owner"}, 422),
        ("/admin/users/1/role", {}, 422),
        ("/admin/users/1/role", {"role": "admin"}, 422),
        ("/admin/users/1/state", {"state": "deleted"}, 422),
        ("/admin/users/1/delete", {}, 422),
        ("/admin/users/1/delete", {"password": PASSWORD}, 403),
        ("/admin/users/99/delete", {"password": PASSWORD}, 404),
        ("/admin/users/99/reset", {"password": PASSWORD}, 404),
        ("/admin/invitations", {"role": "owner", "password": PASSWORD}, 422),
        ("/admin/invitations", {"role": "user", "password": "wrong"}, 422),
        ("/admin/invitations/99/withdraw", {}, 404),
        ("/admin/users/99/role", {"role": "admin", "password": PASSWORD}, 404),
        ("/admin/users/99/state", {"state": "disabled"}, 404),
        ("/admin/users/x/role", {"role": "admin"}, 404),
        (f"/admin/users/{'9' * 20}/role", {"role": "admin"}, 404),
        (f"/admin/users/{'9' * 5000}/role", {"role": "admin"}, 404),
    ],
)
def test_what_cannot_be_is_refused(
    admin_client: FlaskClient, address: str, answers: dict[str, str], status: int
) -> None:
    assert admin_client.post(address, data=answers).status_code == status


def test_hostile_names_are_shown_escaped(admin_client: FlaskClient) -> None:
    add_rows("<b>x</b>@example.org")
    for address in ("/admin/users", f"/admin/users/{id_of('<b>x</b>')}"):
        text = admin_client.get(address).text
        assert "<b>x" not in text
        assert "&lt;b&gt;x" in text


@pytest.mark.parametrize(
    ("action", "answers"), [("role", {"role": "admin"}), ("reset", {}), ("delete", {})], ids=lambda v: str(v)
)
def test_what_gives_power_or_takes_everything_asks_for_the_own_password(
    admin_client: FlaskClient, user_client: FlaskClient, action: str, answers: dict[str, str]
) -> None:
    response = admin_client.post(f"/admin/users/{id_of('ursula')}/{action}", data=answers | {"password": "wrong"})
    assert response.status_code == 422
    assert "This is not your current password." in response.text
    assert "/reset/" not in re.sub(r'action="[^"]*"', "", response.text)
    assert not accounts.get(id_of("ursula")).is_admin
    assert user_client.get("/password").status_code == 200, "nothing has changed"


def test_an_administrator_logs_somebody_out_everywhere(admin_client: FlaskClient, user_client: FlaskClient) -> None:
    response = admin_client.post(f"/admin/users/{id_of('ursula')}/log-out", follow_redirects=True)
    assert "ursula is logged out everywhere." in response.text
    assert user_client.get("/password").status_code == 302
    assert admin_client.get("/password").status_code == 200
    assert admin_client.post("/admin/users/99/log-out").status_code == 404


def address_on(page: str) -> str:
    return re.search(r"<textarea[^>]*>http://localhost(/[^<]+)</textarea>", page)[1]


def test_a_reset_address_is_shown_once_and_works_once(
    app: Flask, admin_client: FlaskClient, user_client: FlaskClient
) -> None:
    number = id_of("ursula")
    reset = f"/admin/users/{number}/reset"
    first = address_on(admin_client.post(reset, data={"password": PASSWORD}).text)
    address = address_on(admin_client.post(reset, data={"password": PASSWORD}).text)
    visitor = app.test_client()
    assert visitor.get(first).status_code == 404, "a new one ends the one before"
    assert user_client.get("/password").status_code == 200, "the old password stays until it is used"
    assert "ursula" in visitor.get(address).text

    weak = {"password": "ursula12345", "password_again": "ursula12345"}
    assert visitor.post(address, data=weak).status_code == 422
    new = {"password": "another good password", "password_again": "another good password"}
    assert visitor.post(address, data=new).location == "/login"
    assert visitor.post(address, data=new).status_code == 404
    assert user_client.get("/password").status_code == 302, "every session has ended"
    for password, status in ((PASSWORD, 422), (new["password"], 302)):
        response = visitor.post("/login", data={"username": "ursula", "password": password})
        assert response.status_code == status


def test_an_invitation_makes_one_account_with_its_role(app: Flask, admin_client: FlaskClient) -> None:
    response = admin_client.post("/admin/invitations", data={"role": "admin", "password": PASSWORD})
    address = address_on(response.text)
    assert "adam" in admin_client.get("/admin/invitations").text
    answers = {"username": "eve", "password": PASSWORD, "password_again": PASSWORD, "email": "eve@example.org"}
    eve = app.test_client()
    assert "You are invited" in eve.get(address).text
    assert eve.post(address, data=answers).status_code == 302
    assert eve.get("/admin/users").status_code == 200
    assert eve.post(address, data=answers | {"username": "eva", "email": "eva@example.org"}).status_code == 404
    assert [user.username for user in accounts.all_users()] == ["adam", "eve"]


def test_a_withdrawn_invitation_makes_no_account(app: Flask, admin_client: FlaskClient) -> None:
    address = address_on(admin_client.post("/admin/invitations", data={"role": "user", "password": PASSWORD}).text)
    withdraw = re.search(r'action="(/admin/invitations/\d+/withdraw)"', admin_client.get("/admin/invitations").text)[1]
    assert "withdrawn" in admin_client.post(withdraw, follow_redirects=True).text
    assert app.test_client().get(address).status_code == 404


def test_an_account_is_deleted_after_it_was_said_what_goes_with_it(
    app: Flask, log_in: Callable[..., FlaskClient], admin_client: FlaskClient
) -> None:
    ursula, number = log_in("ursula"), id_of("ursula")
    assert "0 recordings" in admin_client.get(f"/admin/users/{number}").text
    response = admin_client.post(f"/admin/users/{number}/delete", data={"password": PASSWORD}, follow_redirects=True)
    assert "The account of ursula and everything in it have been deleted." in response.text
    assert ursula.get("/password").status_code == 302
    assert [user.username for user in accounts.all_users()] == ["adam"]
