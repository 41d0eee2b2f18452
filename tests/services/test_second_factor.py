"""The second factor: what lets somebody in, once, and what a copy of the database is worth."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from threading import Barrier

import pytest
from flask import Flask
from pyotp import TOTP

from app.extensions import db
from app.services import accounts
from app.services.errors import Conflict, Invalid
from app.services.identity import guessing, second_factor, sessions
from app.tables import FailedAttempts, RecoveryCode, User
from tests import homes
from tests.conftest import PASSWORD

SALT = "00" * 16
MOMENT = datetime(2026, 11, 28, 12, 0, 10, tzinfo=timezone.utc)


@pytest.fixture
def user(app: Flask, monkeypatch: pytest.MonkeyPatch) -> User:
    """Return an account whose second factor is on since a minute; its clock stands still."""
    user = accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    at(MOMENT - timedelta(minutes=1), monkeypatch)
    second_factor.switch_on(user.id, SALT, digits(user, MOMENT - timedelta(minutes=1)), "")
    at(MOMENT, monkeypatch)
    return user


def at(moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_factor, "now", lambda: moment)


def digits(user: User, moment: datetime = MOMENT) -> str:
    """Return what an authenticator app shows."""
    return TOTP(second_factor.secret_of(user, SALT)).at(moment)


def test_the_digits_of_the_moment_let_in_and_so_do_those_of_a_clock_that_is_half_a_minute_wrong(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minutes, seconds in ((0, -30), (2, 0), (4, 30)):
        moment = MOMENT + timedelta(minutes=minutes)
        at(moment, monkeypatch)
        code = digits(user, moment + timedelta(seconds=seconds))
        assert second_factor.check(user, f" {code[:3]} {code[3:]}") is user
    for seconds in (-60, 60):
        with pytest.raises(Invalid):
            second_factor.check(user, digits(user, moment + timedelta(seconds=seconds)))


def test_no_code_works_twice_nor_one_before_it(user: User) -> None:
    code, earlier = digits(user), digits(user, MOMENT - timedelta(seconds=30))
    second_factor.check(user, code)
    for used in (code, earlier):
        with pytest.raises(Invalid, match="has been used"):
            second_factor.check(user, used)


def test_of_two_who_show_a_code_at_once_one_gets_in(app: Flask, user: User) -> None:
    code, user_id, together = digits(user), user.id, Barrier(2)

    def show(_: int) -> bool:
        with app.app_context():
            own = accounts.get(user_id)
            together.wait()
            try:
                return bool(second_factor.check(own, code))
            except Invalid:
                return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(show, range(2))) == [False, True]


def test_each_recovery_code_works_once_however_it_is_written(user: User) -> None:
    codes = second_factor.renew_codes(user.id)
    assert len(set(codes)) == 10
    assert second_factor.check(user, codes[0].upper().replace("-", " ")) is user
    with pytest.raises(Invalid):
        second_factor.check(user, codes[0])
    assert second_factor.codes_left(user.id) == 9
    renewed = second_factor.renew_codes(user.id)
    with pytest.raises(Invalid):
        second_factor.check(user, codes[1])
    assert second_factor.check(user, renewed[1]) is user


@pytest.mark.parametrize("code", ["", "000000", "12345", "é" * 6, "x" * 16, "\ud800", "1" * 40])
def test_a_guess_is_wrong(user: User, code: str) -> None:
    if code == digits(user):
        pytest.skip("a lucky guess")
    with pytest.raises(Invalid):
        second_factor.check(user, code)


def test_after_ten_wrong_codes_only_a_recovery_code_lets_in_for_an_hour(user: User) -> None:
    [code, *_] = second_factor.renew_codes(user.id)
    for _ in range(10):
        with pytest.raises(Invalid, match="wrong"):
            second_factor.check(user, "12345x")
    with pytest.raises(Invalid, match="too many wrong codes"):
        second_factor.check(user, digits(user))
    assert second_factor.check(user, code) is user
    for row in db.session.scalars(db.select(FailedAttempts)):
        row.last -= guessing.FORGOTTEN_AFTER
    db.session.commit()
    assert second_factor.check(user, digits(user)) is user


def test_a_copy_of_the_database_yields_no_code(app: Flask, user: User) -> None:
    secret = second_factor.secret_of(user, SALT)
    with db.engine.connect() as connection:
        assert secret not in homes.everything_in(connection)
    app.config["SECRET_KEY"] = "another installation's"
    assert second_factor.secret_of(user, SALT) != secret
    assert {len(row.code_hash) for row in db.session.scalars(db.select(RecoveryCode))} == {64}


def test_two_accounts_never_have_the_same_secret(user: User) -> None:
    other = accounts.register("eve", PASSWORD, "", "eve@example.org", "")
    assert second_factor.secret_of(other, SALT) != second_factor.secret_of(user, SALT)


def test_switching_on_takes_a_right_code_and_ends_the_other_sessions(app: Flask) -> None:
    user = accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    tokens = []
    for _ in range(2):
        sessions.begin(user, "", "")
        tokens.append(user.session_token)
    with pytest.raises(Invalid):
        second_factor.switch_on(user.id, SALT, "12345x", tokens[1])
    assert not user.second_factor
    now = datetime.now(timezone.utc)
    second_factor.switch_on(user.id, SALT, digits(user, now), tokens[1])
    assert [sessions.load_user(token) is not None for token in tokens] == [False, True]
    with pytest.raises(Conflict):
        second_factor.switch_on(user.id, "11" * 16, "000000", tokens[1])


def test_what_was_shown_with_the_password_ends_with_it(app: Flask, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = second_factor.ticket(user)
    assert second_factor.user_of(ticket) is user
    assert second_factor.user_of(ticket.swapcase()) is None
    assert second_factor.user_of("") is None
    monkeypatch.setattr(second_factor, "TICKET_S", -1)
    assert second_factor.user_of(ticket) is None
    monkeypatch.undo()
    accounts.change_password(user.id, PASSWORD, "another good password")
    assert second_factor.user_of(ticket) is None
