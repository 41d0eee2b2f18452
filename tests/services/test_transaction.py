"""A database that another program keeps to itself, or that is on a full disk."""

from __future__ import annotations

import errno
import sqlite3
import threading
import time

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from app.extensions import db
from app.services import transaction as module
from app.services.errors import Busy, NoRoom
from app.services.models import model_versions
from app.services.transaction import passing_reason, transaction
from app.tables import ModelVersion, User
from tests import homes


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "USUAL_WAIT_S", 0.05)
    monkeypatch.setattr(module, "_begin", lambda _, begin=module._begin: begin(0.3))


def test_a_block_is_begun_when_the_database_is_free_and_not_before(app: Flask) -> None:
    began = []
    with homes.writing_elsewhere() as other:
        timer = threading.Timer(1.5, lambda: (began.append("free"), other.rollback()))
        timer.start()
        with transaction():
            began.append("block")
        timer.join()
    assert began == ["free", "block"]


def test_a_block_that_cannot_be_begun_is_refused_after_a_while(app: Flask, impatient: None) -> None:
    with homes.writing_elsewhere():
        started = time.monotonic()
        with pytest.raises(Busy, match="Nothing was changed"), transaction():
            pytest.fail("the block was begun")
        assert 0.3 <= time.monotonic() - started < 2


def test_half_of_the_threads_wait_for_long(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "USUAL_WAIT_S", 0.1)
    assert app.config["THREADS"] == 12
    took: list[float] = []

    def write() -> None:
        started = time.monotonic()
        with app.app_context(), pytest.raises(Busy), transaction(wait_s=2):
            pass
        took.append(time.monotonic() - started)

    with homes.writing_elsewhere():
        threads = [threading.Thread(target=write) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(seconds > 1.5 for seconds in took) == [False] * 6 + [True] * 6


def test_a_transaction_within_another_goes_on_in_it(app: Flask, user: User) -> None:
    with transaction(), transaction():
        user.address = "2 High Street"
    assert user.address == "2 High Street"


def test_a_block_that_raises_changes_nothing(app: Flask, user: User) -> None:
    def fail() -> None:
        with transaction():
            user.address = "2 High Street"
            db.session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert user.address == "1 High Street"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), NoRoom),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), NoRoom),
        (OSError("32768 requested and 1024 written"), NoRoom),  # NumPy
        (OperationalError("COMMIT", {}, sqlite3.OperationalError("database or disk is full")), NoRoom),
        (OperationalError("COMMIT", {}, sqlite3.OperationalError("database is locked")), Busy),
        (OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error")), type(None)),
        (OSError(errno.EACCES, "Permission denied"), type(None)),
        (KeyError("x"), type(None)),
    ],
)
def test_what_passes_by_itself_is_told_from_what_does_not(error: Exception, reason: type) -> None:
    assert type(passing_reason(error)) is reason


def test_while_the_database_is_locked_pages_are_shown_and_changes_refused(
    app: Flask, admin_client: FlaskClient, model: ModelVersion, impatient: None
) -> None:
    address = f"/models/{model.id}"
    with homes.writing_elsewhere():
        assert admin_client.get("/models/").status_code == 200
        answer = admin_client.post(f"{address}/notes", data={"notes": "new"})
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "30"
        assert "keeping the database from being written to" in answer.text
    assert model_versions.get(model.id).notes == ""
    assert admin_client.post(f"{address}/notes", data={"notes": "new"}).status_code == 302
    assert model_versions.get(model.id).notes == "new"
