"""Accounts: the rules, and what the service refuses."""

from __future__ import annotations

import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from flask import Flask
from werkzeug.security import generate_password_hash

from app.extensions import db
from app.services import accounts
from app.services.errors import Conflict, Forbidden, Invalid, NotFound
from app.services.identity import roles
from app.services.transaction import transaction
from app.tables import Role, User
from tests.conftest import PASSWORD

ANSWERS = {
    "username": "ada",
    "password": PASSWORD,
    "contact_number": "+44 20 7946 0000",
    "email": "ada@example.org",
    "address": "1 High Street",
}


def register(username: str, role: str = "user", **answers: str) -> User:
    own = {"username": username, "email": f"{username}@example.org", "role": role}
    return accounts.register(**(ANSWERS | own | answers))


def test_a_registered_account_logs_in_whatever_the_letters_of_its_name(app: Flask) -> None:
    user = register("Ada.L")

    assert (user.username, user.role, user.disabled) == ("ada.l", Role.USER, False)
    assert PASSWORD not in user.password_hash
    assert accounts.authenticate(" ADA.l ", PASSWORD) is user


def test_a_password_is_the_same_however_a_keyboard_composes_its_letters(app: Flask) -> None:
    register("ada", password="motorra\u0308der fahren")
    assert accounts.authenticate("ada", "motorr\u00e4der fahren").username == "ada"


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("username", "ab", "3 to 64"),
        ("username", "a" * 65, "3 to 64"),
        ("username", "ada lovelace", "3 to 64"),
        ("username", "<b>ada</b>", "3 to 64"),
        ("username", "", "3 to 64"),
        ("username", "\u0430dam", "mixes alphabets"),
        ("username", "ada\u0661", "mixes alphabets"),
        ("email", "ada", "@"),
        ("email", "ada@", "@"),
        ("email", "ada@ward", "no dot"),
        ("email", "a" * 300 + "@example.org", "too long"),
        ("contact_number", "call me", "at least 5 digits"),
        ("contact_number", "1234", "at least 5 digits"),
        ("contact_number", "1" * 40, "at least 5 digits"),
        ("address", "x" * 501, "at most 500"),
        ("password", "short", "at least 10"),
        ("password", "long " * 26, "at most 128"),
        ("password", "aaaaaaaaaaaa", "too easy to guess"),
        ("password", "Password1234", "too easy to guess"),
        ("password", "qwertyuiop12", "too easy to guess"),
        ("password", "ada.lovelace1", "too easy to guess"),
        ("password", "Lovelace2026", "too easy to guess"),
        ("password", "kinelab12345", "too easy to guess"),
        ("password", "ADA.LOVELACE", "username"),
        ("password", "ada.lovelace@example.org", "username"),
    ],
)
def test_an_answer_that_breaks_its_rule_is_refused(app: Flask, field: str, value: str, says: str) -> None:
    answers = ANSWERS | {"username": "ada.lovelace", "email": "ada.lovelace@example.org", field: value}
    with pytest.raises(Invalid, match=says) as refusal:
        accounts.register(**answers)
    assert refusal.value.field == field
    assert accounts.all_users() == []


@pytest.mark.parametrize(
    "name", ["zo\u00eb", "\u0430\u0434\u0430\u043c-1", "\u592a\u90ce\u3055\u3093", "m.\u00f8rsted_2"]
)
def test_a_name_in_one_alphabet_of_any_language_can_be_used(app: Flask, name: str) -> None:
    assert register(name, email="x@example.org").username == name


def test_a_name_of_two_alphabets_from_an_earlier_build_still_logs_in(app: Flask) -> None:
    register("adam").username = "\u0430dam"
    db.session.commit()
    assert accounts.authenticate("\u0410DAM", PASSWORD)


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "x7#kQ!p2Lz",
        "\u043c\u043e\u043a\u0440\u044b\u0439 \u0437\u0430\u0431\u043e\u0440 \u0433\u0443\u0434\u0438\u0442",
        "no rule of any kind, but long" * 4,
    ],
)
def test_a_password_needs_no_composition_but_length(app: Flask, password: str) -> None:
    assert register("ada", password=password)
    assert accounts.authenticate("ada", password)


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ({"username": "ADA", "email": "other@example.org"}, "username"),
        ({"username": "bob", "email": "Ada@Example.ORG"}, "email"),
    ],
)
def test_a_name_or_address_is_taken_in_any_letters(app: Flask, answers: dict[str, str], field: str) -> None:
    register("ada")
    with pytest.raises(Invalid) as refusal:
        accounts.register(**(ANSWERS | answers))
    assert refusal.value.field == field
    assert len(accounts.all_users()) == 1


def test_an_unknown_name_a_wrong_password_and_a_disabled_account_get_the_same_answer(app: Flask) -> None:
    ada, admin = register("ada"), register("adam", "admin")
    accounts.set_disabled(admin.id, ada.id, True)

    refusals = set()
    for username, password in (("nobody", PASSWORD), ("adam", "wrong password"), ("ada", PASSWORD), ("", "")):
        with pytest.raises(Invalid) as refusal:
            accounts.authenticate(username, password)
        refusals.add((str(refusal.value), refusal.value.field))
    assert len(refusals) == 1


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [("wrong", "another good password", "current"), (PASSWORD, PASSWORD, "password"), (PASSWORD, "short", "password")],
)
def test_a_password_change_that_breaks_a_rule_changes_nothing(app: Flask, current: str, new: str, field: str) -> None:
    user = register("ada")
    with pytest.raises(Invalid) as refusal:
        accounts.change_password(user.id, current, new)
    assert refusal.value.field == field
    assert accounts.authenticate("ada", PASSWORD) is user


def test_administrators_change_each_other_but_not_themselves(app: Flask) -> None:
    adam, eve = register("adam", "admin"), register("eve")
    roles.set_role(adam.id, eve.id, "admin")
    with pytest.raises(Forbidden):
        roles.set_role(eve.id, eve.id, "user")
    with pytest.raises(Forbidden):
        accounts.set_disabled(eve.id, eve.id, True)
    assert roles.set_role(eve.id, adam.id, "user").role is Role.USER


def test_the_last_active_administrator_stays(app: Flask) -> None:
    adam, eve = register("adam", "admin"), register("eve", "admin")
    accounts.set_disabled(adam.id, eve.id, True)
    # asked by someone who was an administrator when the page was opened
    with pytest.raises(Conflict, match="last active administrator"):
        roles.set_role(eve.id, adam.id, "user")
    with pytest.raises(Conflict, match="last active administrator"):
        accounts.set_disabled(eve.id, adam.id, True)
    assert (adam.role, adam.disabled) == (Role.ADMIN, False)


def test_two_administrators_cannot_demote_each_other_at_once(app: Flask) -> None:
    adam, eve = register("adam", "admin").id, register("eve", "admin").id
    together = Barrier(2)

    def demote(actor: int, other: int) -> str:
        with app.app_context():
            together.wait()
            try:
                return roles.set_role(actor, other, "user").role.value
            except Conflict:
                return "refused"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(demote, (adam, eve), (eve, adam)))

    assert outcomes == ["refused", "user"]
    db.session.expire_all()
    assert sorted(user.role.value for user in accounts.all_users()) == ["admin", "user"]


def test_one_of_two_who_open_the_set_up_address_at_once_becomes_administrator(app: Flask) -> None:
    token, together = accounts.setup_token(), Barrier(2)

    def set_up(name: str) -> str:
        with app.app_context():
            together.wait()
            try:
                return accounts.set_up(token, **(ANSWERS | {"username": name, "email": f"{name}@example.org"})).username
            except NotFound:
                return "refused"

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(set_up, ("ada", "eve")))

    assert outcomes.count("refused") == 1
    assert [user.username for user in accounts.all_users()] == [name for name in outcomes if name != "refused"]


def test_an_account_that_is_not_there_is_not_found(app: Flask) -> None:
    adam = register("adam", "admin")
    with pytest.raises(NotFound):
        roles.set_role(adam.id, 99, "admin")


def test_users_come_in_pages_by_name(app: Flask) -> None:
    for name in ("cleo", "adam", "bea"):
        register(name)
    assert [user.username for user in accounts.list_users(1, per_page=2).items] == ["adam", "bea"]
    assert [user.username for user in accounts.list_users(2, per_page=2).items] == ["cleo"]
    assert accounts.list_users(9, per_page=2).number == 2  # the nearest page that is there


def test_the_set_up_address_makes_one_administrator_once(app: Flask) -> None:
    assert accounts.setup_needed()
    token = accounts.setup_token()

    user = accounts.set_up(token, **ANSWERS)

    assert user.role is Role.ADMIN
    assert not accounts.setup_needed()
    with pytest.raises(NotFound):
        accounts.set_up(token, **(ANSWERS | {"username": "eve", "email": "eve@example.org"}))
    assert len(accounts.all_users()) == 1


def test_only_the_hash_of_the_set_up_token_is_stored_and_only_for_its_owner(app: Flask) -> None:
    token = accounts.setup_token()
    path = Path(app.instance_path) / "setup_token"
    assert token not in path.read_text(encoding="ascii")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_wrong_answer_does_not_use_the_set_up_address_up(app: Flask) -> None:
    token = accounts.setup_token()
    with pytest.raises(Invalid):
        accounts.set_up(token, **(ANSWERS | {"password": "short"}))
    assert accounts.set_up(token, **ANSWERS).is_admin


def test_the_set_up_address_ends_after_a_day(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    token, made = accounts.setup_token(), time.time()
    monkeypatch.setattr(accounts.time, "time", lambda: made + 23.9 * 3600)
    accounts.check_setup_token(token)
    monkeypatch.setattr(accounts.time, "time", lambda: made + 24.1 * 3600)
    with pytest.raises(NotFound, match="flask users setup-address"):
        accounts.set_up(token, **ANSWERS)
    accounts.check_setup_token(accounts.setup_token())


def test_a_new_set_up_token_ends_the_one_before(app: Flask) -> None:
    old, new = accounts.setup_token(), accounts.setup_token()
    with pytest.raises(NotFound):
        accounts.check_setup_token(old)
    accounts.check_setup_token(new)


@pytest.mark.parametrize("token", ["", "x", "é", "a" * 5000])
def test_a_guessed_set_up_token_is_not_found_with_or_without_a_real_one(app: Flask, token: str) -> None:
    with pytest.raises(NotFound):
        accounts.check_setup_token(token)
    accounts.setup_token()
    with pytest.raises(NotFound):
        accounts.check_setup_token(token)


def test_an_administrator_made_in_the_shell_ends_the_set_up_address(app: Flask) -> None:
    token = accounts.setup_token()
    register("adam", "admin")
    with pytest.raises(NotFound):
        accounts.set_up(token, **ANSWERS)


def test_a_password_that_an_earlier_build_stored_is_hashed_anew_when_it_is_used(app: Flask) -> None:
    user = accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    with transaction():
        user.password_hash = old = generate_password_hash(PASSWORD, method="scrypt:512:8:1")
    with pytest.raises(Invalid):
        accounts.authenticate("ada", "another horse battery")
    assert accounts.get(user.id).password_hash == old
    for _ in range(2):
        assert accounts.authenticate("ada", PASSWORD) is user
    assert not user.has_old_hash
