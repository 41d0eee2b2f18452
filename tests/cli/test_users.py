"""``flask users``."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from app.services import accounts
from tests.conftest import PASSWORD

CREATE = ["users", "create", "--username", "Ada", "--email", "ada@example.org"]


def test_the_first_administrator_is_made_with_a_password_asked_twice(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=[*CREATE, "--role", "admin"], input=f"{PASSWORD}\n{PASSWORD}\n")

    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    assert accounts.authenticate("ada", PASSWORD).is_admin
    assert not accounts.setup_needed()


def test_a_password_may_come_from_standard_input(app: Flask) -> None:
    args = [*CREATE, "--contact-number", "+44 20 7946 0000", "--address", "1 High Street", "--password-stdin"]
    result = app.test_cli_runner().invoke(args=args, input=f"{PASSWORD}\n")

    assert result.exit_code == 0, result.output
    user = accounts.authenticate("ada", PASSWORD)
    assert (user.is_admin, user.contact_number, user.address) == (False, "+44 20 7946 0000", "1 High Street")


def test_a_caregiver_is_made_from_the_shell(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=[*CREATE, "--role", "caregiver", "--password-stdin"], input=PASSWORD)
    assert result.stdout == "ada may log in now, as a caregiver.\n"
    assert accounts.find("ada").is_caregiver


@pytest.mark.parametrize(
    ("more", "typed", "says"),
    [
        ([], "short\n", "at least 10"),
        ([], "", "at least 10"),
        (["--email", "nobody"], f"{PASSWORD}\n", "e-mail address"),
        (["--username", "a b"], f"{PASSWORD}\n", "3 to 64 letters"),
        (["--contact-number", "x"], f"{PASSWORD}\n", "at least 5 digits"),
    ],
)
def test_a_refused_account_is_one_line_on_stderr_and_status_1(
    app: Flask, more: list[str], typed: str, says: str
) -> None:
    result = app.test_cli_runner().invoke(args=[*CREATE, "--password-stdin", *more], input=typed)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert accounts.all_users() == []


def test_an_unknown_role_is_a_usage_error(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=[*CREATE, "--role", "owner", "--password-stdin"], input=PASSWORD)
    assert result.exit_code == 2


def test_the_list_is_one_json_document_without_secrets(app: Flask) -> None:
    user = accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    result = app.test_cli_runner().invoke(args=["users", "list", "--json"])

    [entry] = json.loads(result.stdout)
    assert entry["username"] == "ada"
    assert entry["role"] == "user"
    assert entry["disabled"] is False
    assert user.password_hash not in result.stdout


def test_the_list_reads_as_text_too(app: Flask) -> None:
    accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    assert "ada@example.org" in app.test_cli_runner().invoke(args=["users", "list"]).stdout


def test_a_new_set_up_address_is_made_until_there_is_an_administrator(app: Flask) -> None:
    old = accounts.setup_token()
    result = app.test_cli_runner().invoke(args=["users", "setup-address"])
    assert result.exit_code == 0, result.output
    address = result.stdout.strip()
    client = app.test_client()
    assert client.get(address.removeprefix("http://127.0.0.1:5000")).status_code == 200
    assert client.get(f"/setup/{old}").status_code == 404

    accounts.register("ada", PASSWORD, "", "ada@example.org", "", "admin")
    result = app.test_cli_runner().invoke(args=["users", "setup-address"])
    assert (result.exit_code, result.stderr) == (1, "Error: There is an administrator already.\n")


def test_a_forgotten_password_is_reset_from_the_shell(app: Flask) -> None:
    accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    result = app.test_cli_runner().invoke(args=["users", "reset", "ADA"])
    assert result.exit_code == 0, result.output
    address = result.stdout.strip().removeprefix("http://127.0.0.1:5000")
    new = {"password": "another good password", "password_again": "another good password"}
    assert app.test_client().post(address, data=new).status_code == 302
    assert accounts.authenticate("ada", new["password"])

    result = app.test_cli_runner().invoke(args=["users", "reset", "eve"])
    assert (result.exit_code, result.stderr) == (1, "Error: There is no such account.\n")
