"""Addresses that work once: until when, and of two who open one at the same moment only for one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from flask import Flask

from app.extensions import db
from app.services import accounts
from app.services.errors import NotFound
from app.services.identity import deletion, one_time
from app.tables import OneTimeAddress, User
from tests.conftest import PASSWORD


def register(username: str, role: str = "user") -> User:
    return accounts.register(username, PASSWORD, "", f"{username}@example.org", "", role)


def let_pass(time: timedelta) -> None:
    for address in db.session.scalars(db.select(OneTimeAddress)):
        address.until -= time
    db.session.commit()


def test_a_reset_ends_after_a_day_and_an_invitation_after_a_week(app: Flask) -> None:
    adam = register("adam", "admin")
    reset, invitation = one_time.open_reset(adam.id), one_time.invite(adam.id, "user")
    let_pass(timedelta(hours=23.9))
    assert one_time.get_reset(reset) is adam
    let_pass(timedelta(hours=0.2))
    with pytest.raises(NotFound):
        one_time.reset_password(reset, "another good password")
    assert one_time.get_invitation(invitation).role == "user"
    let_pass(timedelta(days=6))
    assert one_time.open_invitations() == []
    with pytest.raises(NotFound):
        one_time.get_invitation(invitation)


def test_one_kind_of_address_does_not_work_as_the_other_and_a_guess_as_none(app: Flask) -> None:
    adam = register("adam", "admin")
    reset, invitation = one_time.open_reset(adam.id), one_time.invite(adam.id, "admin")
    for guess in (reset, "", "x", "é", "a" * 5000):
        with pytest.raises(NotFound):
            one_time.get_invitation(guess)
    for guess in (invitation, "", "x", "é", "a" * 5000):
        with pytest.raises(NotFound):
            one_time.get_reset(guess)


def test_only_hashes_are_stored(app: Flask) -> None:
    adam = register("adam", "admin")
    tokens = one_time.open_reset(adam.id), one_time.invite(adam.id, "user")
    stored = str(db.session.execute(db.text("SELECT * FROM one_time_address")).all())
    assert [token in stored for token in tokens] == [False, False]


def test_of_two_who_accept_at_once_one_gets_an_account(app: Flask) -> None:
    token, together = one_time.invite(register("adam", "admin").id, "user"), Barrier(2)

    def accept(name: str) -> bool:
        with app.app_context():
            together.wait()
            try:
                return bool(one_time.accept(token, name, PASSWORD, "", f"{name}@example.org", ""))
            except NotFound:
                return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(accept, ("ada", "eve"))) == [False, True]
    db.session.expire_all()
    assert len(accounts.all_users()) == 2


def test_a_deleted_administrators_invitations_go_along(app: Flask) -> None:
    adam, eve = register("adam", "admin"), register("eve", "admin")
    token = one_time.invite(adam.id, "admin")
    deletion.delete_other(eve.id, adam.id)
    with pytest.raises(NotFound):
        one_time.get_invitation(token)
