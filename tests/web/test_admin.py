"""The page of the accounts."""

from __future__ import annotations

import pytest
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
    response = admin_client.post(f"/admin/users/{id_of('ursula')}/role", data={"role": "admin"}, follow_redirects=True)
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


@pytest.mark.parametrize(("action", "answers"), [("role", {"role": "user"}), ("state", {"state": "disabled"})])
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
        ("/admin/users/1/state", {"state": "deleted"}, 422),
        ("/admin/users/99/role", {"role": "admin"}, 404),
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
    text = admin_client.get("/admin/users").text
    assert "<b>x" not in text
    assert "&lt;b&gt;x" in text
