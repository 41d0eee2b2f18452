"""Sessions: what ends them, and what a copy of a cookie is worth then."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from app.extensions import db
from app.services import accounts
from app.services.errors import Conflict, NotFound
from app.services.identity import roles, sessions
from app.tables import LoginSession, User
from app.tables._columns import now
from tests import homes
from tests.conftest import PASSWORD

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def register(username: str, role: str = "user") -> User:
    return accounts.register(username, PASSWORD, "", f"{username}@example.org", "", role)


def log_in(user: User) -> str:
    """Begin a session; return the token that its cookie holds."""
    sessions.begin(user, "192.0.2.1", FIREFOX)
    return user.session_token


def make_older(**ages: timedelta) -> None:
    """Set the only session's moments back."""
    session = db.session.scalars(db.select(LoginSession)).one()
    for name, age in ages.items():
        setattr(session, name, now() - age)
    db.session.commit()


def test_a_session_belongs_to_its_account_and_only_a_hash_of_its_token_is_stored(app: Flask) -> None:
    user = register("ada")
    token = log_in(user)
    assert sessions.load_user(token) is user
    assert user.last_login is not None
    [session] = sessions.list_sessions(user.id)
    assert (session.address, session.browser) == ("192.0.2.1", "Firefox on Linux")
    stored = db.session.execute(db.text("SELECT * FROM login_session")).one()
    assert token not in map(str, stored)


@pytest.mark.parametrize("token", ["", ":", "1", "1:abc", "é", "x" * 5000])
def test_a_forged_session_belongs_to_nobody(app: Flask, token: str) -> None:
    log_in(register("ada"))
    assert sessions.load_user(token) is None


ENDINGS: dict[str, Callable[[User, User, str], object]] = {
    "log-out": lambda ada, adam, token: sessions.end(token),
    "disabling": lambda ada, adam, token: accounts.set_disabled(adam.id, ada.id, True),
    "another role": lambda ada, adam, token: roles.set_role(adam.id, ada.id, "admin"),
    "another password": lambda ada, adam, token: accounts.change_password(ada.id, PASSWORD, "another good password"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_copy_of_a_cookie_ends(app: Flask, ending: str) -> None:
    ada, adam = register("ada"), register("adam", "admin")
    token, others = log_in(ada), log_in(adam)
    ENDINGS[ending](ada, adam, token)
    assert sessions.load_user(token) is None
    assert sessions.load_user(others) is adam


def test_enabling_an_account_revives_no_session(app: Flask) -> None:
    ada, adam = register("ada"), register("adam", "admin")
    token = log_in(ada)
    accounts.set_disabled(adam.id, ada.id, True)
    accounts.set_disabled(adam.id, ada.id, False)
    assert sessions.load_user(token) is None
    assert sessions.load_user(log_in(ada)) is ada


@pytest.mark.parametrize(
    ("ages", "alive"),
    [
        ({"created": timedelta(hours=11, minutes=59)}, True),
        ({"created": timedelta(hours=12, seconds=1)}, False),
        ({"last_seen": timedelta(minutes=29)}, True),
        ({"last_seen": timedelta(minutes=30, seconds=1)}, False),
    ],
)
def test_a_session_ends_by_itself(app: Flask, ages: dict[str, timedelta], alive: bool) -> None:
    user = register("ada")
    token = log_in(user)
    make_older(**ages)
    assert (sessions.load_user(token) is not None) is alive
    assert len(sessions.list_sessions(user.id)) == alive
    log_in(user)
    assert len(db.session.scalars(db.select(LoginSession)).all()) == 1 + alive, "what has ended is deleted"


def test_the_limits_are_settings(app: Flask) -> None:
    app.config["SESSION_HOURS"], app.config["SESSION_IDLE_MINUTES"] = 1.0, 5.0
    token = log_in(register("ada"))
    make_older(last_seen=timedelta(minutes=6))
    assert sessions.load_user(token) is None
    make_older(last_seen=timedelta(0), created=timedelta(minutes=61))
    assert sessions.load_user(token) is None


def test_a_sign_of_life_is_written_once_a_minute(app: Flask) -> None:
    token = log_in(register("ada"))
    seen = []
    for age in (timedelta(seconds=30), timedelta(seconds=61)):
        make_older(last_seen=age)
        before = db.session.scalars(db.select(LoginSession.last_seen)).one()
        sessions.load_user(token)
        db.session.rollback()
        seen.append(db.session.scalars(db.select(LoginSession.last_seen)).one() > before)
    assert seen == [False, True]


def test_a_sign_of_life_neither_waits_for_a_locked_database_nor_fails(app: Flask) -> None:
    user = register("ada")
    token = log_in(user)
    make_older(last_seen=timedelta(minutes=5))
    with homes.writing_elsewhere():
        began = time.monotonic()
        assert sessions.load_user(token) is user
        assert time.monotonic() - began < 1
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() >= 10_000, "others wait as before"


def test_a_password_checked_before_it_was_changed_opens_no_session(app: Flask) -> None:
    user = accounts.authenticate("ada", PASSWORD) if register("ada") else None
    assert user is not None
    with db.engine.begin() as elsewhere:
        elsewhere.execute(update(User).values(password_hash="other"))
    with pytest.raises(Conflict):
        log_in(user)
    assert sessions.list_sessions(user.id) == []


def test_one_session_or_all_others_are_ended(app: Flask) -> None:
    ada, eve = register("ada"), register("eve")
    here, there, elsewhere, eves = log_in(ada), log_in(ada), log_in(ada), log_in(eve)
    [there_id] = [session.id for session in sessions.list_sessions(ada.id) if sessions.is_of(session, there)]

    with pytest.raises(NotFound):
        sessions.end_one(eve.id, there_id)
    sessions.end_one(ada.id, there_id)
    assert [bool(sessions.load_user(token)) for token in (here, there, elsewhere, eves)] == [True, False, True, True]

    sessions.end_others(ada.id, here)
    assert [bool(sessions.load_user(token)) for token in (here, elsewhere, eves)] == [True, False, True]


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
            "Safari/537.36 Edg/126.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.5 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile "
            "Safari/537.36",
            "Chrome on Android",
        ),
        ("curl/8.5.0", "another program"),
        ("", "another program"),
    ],
)
def test_a_browser_is_called_by_its_name(agent: str, words: str) -> None:
    assert sessions.browser_in_words(agent) == words
