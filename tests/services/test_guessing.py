"""Guessing: what is counted, who waits for it, and who does not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event, Semaphore

import pytest
from flask import Flask

from app.extensions import db
from app.services import accounts
from app.services.audit import Action
from app.services.errors import Invalid
from app.services.identity import guessing
from app.services.identity.rules import canonical_username
from app.tables import FailedAttempts
from tests.conftest import PASSWORD


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Wait no time; return how long each attempt would have waited."""
    waited: list[float] = []
    monkeypatch.setattr(guessing, "sleep", waited.append)
    return waited


def guess(name: str, address: str = "192.0.2.1", device: str = "", times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Invalid):
            accounts.authenticate(name, "wrong password", address, device)


def register(name: str) -> None:
    accounts.register(name, PASSWORD, "", f"{name}@example.org", "")


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_a_known_and_an_unknown_name_wait_the_same(app: Flask, waits: list[float], name: str) -> None:
    register("ada")
    guess(name, times=12)
    assert waits == [0.5, 1, 2, 4, 8, 15, 15]


def test_an_account_is_counted_whatever_the_address_and_the_letters(app: Flask, waits: list[float]) -> None:
    for n in range(6):
        guess(" Ada " if n % 2 else "ADA", f"192.0.2.{n}")
    assert waits == [0.5]


def test_wrong_passwords_of_people_who_are_logged_in_make_nobody_else_wait(app: Flask, waits: list[float]) -> None:
    for n in range(8):
        register(f"user{n}")
        for _ in range(5):
            with pytest.raises(Invalid):
                accounts.check_own_password(accounts.find(f"user{n}").id, "wrong password", Action.ACCOUNT_DELETED)
    assert waits == [], "40 of them, no more than five of one person"
    with pytest.raises(Invalid):
        accounts.check_own_password(accounts.find("user0").id, "wrong password", Action.ACCOUNT_DELETED)
    assert waits == [0.5]


def test_an_address_is_counted_whatever_the_account(app: Flask, waits: list[float]) -> None:
    for n in range(32):
        guess(f"user{n}")
    assert waits == [0.5, 1]
    guess("another", "192.0.2.2")
    assert len(waits) == 2


def test_an_ipv6_address_is_counted_by_the_half_that_a_machine_cannot_choose(app: Flask, waits: list[float]) -> None:
    for n in range(31):
        guess(f"user{n}", f"2001:db8:0:1::{n:x}")
    guess("another", "2001:db8:0:2::1")
    assert waits == [0.5]


def test_the_right_password_gets_in_after_its_wait_and_forgives_nobody_else(app: Flask, waits: list[float]) -> None:
    register("ada")
    guess("ada", times=20)
    assert accounts.authenticate("ada", PASSWORD, "192.0.2.1").username == "ada"
    waits.clear()
    guess("ada")
    assert waits == [15], "who guesses cannot reset the count by waiting for the owner"


def test_failures_are_forgotten_after_an_hour(app: Flask, waits: list[float]) -> None:
    guess("ada", times=5)
    for row in db.session.scalars(db.select(FailedAttempts)):
        row.last -= timedelta(minutes=61)
    db.session.commit()
    guess("ada")
    assert waits == []
    assert {row.failures for row in db.session.scalars(db.select(FailedAttempts))} == {1}


def test_a_known_browser_waits_for_its_own_mistakes_only(app: Flask, waits: list[float]) -> None:
    register("ada")
    device = guessing.mark("", "ada")
    guess("ada", times=5)
    accounts.authenticate("ada", PASSWORD, "192.0.2.1", device)
    guess("ada", device=device, times=5)
    assert waits == []
    guess("ada", device=device)
    assert waits == [0.5], "then it waits like any other"


def test_a_known_browser_forgets_its_mistakes_when_its_owner_gets_in(app: Flask, waits: list[float]) -> None:
    register("ada")
    device = guessing.mark("", "ada")
    for _ in range(4):
        guess("ada", device=device, times=4)
        accounts.authenticate("ada", PASSWORD, "192.0.2.1", device)
    assert waits == []


def test_the_mark_of_a_browser_is_for_its_accounts_and_cannot_be_forged(app: Flask) -> None:
    device = guessing.mark(guessing.mark("", "ada"), "bob")
    assert [guessing.knows(device, name) for name in ("ada", "bob", "eve")] == [True, True, False]
    for forged in ("", "x", device.swapcase(), "é"):
        assert not guessing.knows(forged, "ada")
    assert "ada" not in device


def test_no_name_is_stored_as_it_was_entered(app: Flask) -> None:
    guess("my secret password")
    rows = db.session.execute(db.text("SELECT key FROM failed_attempts")).scalars().all()
    assert len(rows) == 2
    assert all(len(key) == 64 for key in rows)


def test_only_so_many_wait_at_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    guess("ada", times=5)
    waiting, go_on = Semaphore(0), Event()

    def wait(seconds: float) -> None:
        waiting.release()
        assert go_on.wait(10)

    monkeypatch.setattr(guessing, "sleep", wait)

    def attempt(address: str) -> str:
        with app.app_context():
            try:
                accounts.authenticate("ada", "wrong password", address)
            except guessing.TooManyAttempts:
                return "come again"
            except Invalid:
                return "wrong"
            return "right"

    with ThreadPoolExecutor(4) as pool:
        first = [pool.submit(attempt, f"192.0.2.{1 + n // 2}") for n in range(4)]
        for _ in first:
            assert waiting.acquire(timeout=10)
        assert attempt("192.0.2.3") == "come again", "four wait already"
        go_on.set()
        assert [future.result() for future in first] == ["wrong"] * 4
    assert attempt("192.0.2.3") == "wrong", "there is room again"


def test_the_own_password_is_guessed_slowly_too_and_strangers_do_not_slow_it_down(
    app: Flask, waits: list[float]
) -> None:
    register("ada")
    user = accounts.authenticate("ada", PASSWORD)
    guess("ada", times=20)
    waits.clear()
    for _ in range(7):
        with pytest.raises(Invalid):
            accounts.change_password(user.id, "wrong", "another good password")
    assert waits == [0.5, 1]


def test_names_are_compared_in_one_form() -> None:
    assert canonical_username(" \uff21da ") == "ada"
