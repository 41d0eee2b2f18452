"""Many uploads at once, and ones that take for ever: the others' pages answer, and nobody waits without end."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.services import accounts
from app.services.errors import NotFound
from app.services.identity import deletion
from app.services.readers import pool
from app.services.recordings import uploads
from app.tables import ModelVersion
from tests.conftest import PASSWORD
from tests.trained import Example, recording_csv, register_model

LogIn = Callable[..., FlaskClient]
AS_SCRIPT = {"Accept": "application/json"}


def send(client: FlaskClient, **options: Any) -> TestResponse:
    return client.post("/predictions/", data={"file": (io.BytesIO(recording_csv()), "walk.csv")}, **options)


@contextmanager
def in_the_background(app: Flask, *uploads: Callable[[], TestResponse]) -> Iterator[list[TestResponse]]:
    """Send uploads while the block works; then wait until they are answered."""
    answers: list[TestResponse] = []

    def work(upload: Callable[[], TestResponse]) -> None:
        with app.app_context():
            answers.append(upload())

    threads = [threading.Thread(target=work, args=(upload,)) for upload in uploads]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        for thread in threads:
            thread.join(60)


@pytest.fixture
def model(app: Flask, example_model: Example, tmp_path: Path) -> ModelVersion:
    return register_model(example_model, tmp_path)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Semaphore, threading.Event]:
    """Hold every reading until the event; the semaphore counts those that have begun."""
    begun, go_on, ask = threading.Semaphore(0), threading.Event(), pool.ask

    def waiting(*arguments: Any) -> Any:
        begun.release()
        assert go_on.wait(60)
        return ask(*arguments)

    monkeypatch.setattr(pool, "ask", waiting)
    return begun, go_on


def test_a_second_upload_of_a_person_is_told_to_wait_and_the_first_one_is_read(
    app: Flask, model: ModelVersion, log_in: LogIn, held: tuple[threading.Semaphore, threading.Event]
) -> None:
    begun, go_on = held
    ada, other = log_in("ada"), app.test_client()
    other.post("/login", data={"username": "ada", "password": "correct horse battery"})
    with in_the_background(app, lambda: send(ada)) as answers:
        assert begun.acquire(timeout=30)
        refused, as_page = send(other, headers=AS_SCRIPT), send(other)
        go_on.set()
    assert (refused.status_code, as_page.status_code) == (409, 409)
    assert "Another file of yours is being read" in refused.get_json()["message"]
    assert "Another file of yours is being read" in as_page.text
    assert [answer.status_code for answer in answers] == [302]
    assert send(other).status_code == 302


def test_an_account_of_which_a_file_is_being_read_is_not_deleted(
    app: Flask, model: ModelVersion, log_in: LogIn, held: tuple[threading.Semaphore, threading.Event]
) -> None:
    """The recording would have no owner; or it would be that of the next account, which gets the same number."""
    begun, go_on = held
    ada, other = log_in("ada"), app.test_client()
    other.post("/login", data={"username": "ada", "password": PASSWORD})
    with in_the_background(app, lambda: send(ada)) as answers:
        assert begun.acquire(timeout=30)
        refused = other.post("/account/delete", data={"password": PASSWORD})
        go_on.set()
    assert (refused.status_code, [answer.status_code for answer in answers]) == (409, [302])
    assert "being read at this moment" in refused.text
    assert other.post("/account/delete", data={"password": PASSWORD}).status_code == 302
    assert list(Path(app.config["UPLOADS"]).iterdir()) == []


def test_nothing_is_stored_for_an_account_that_was_deleted_while_its_file_was_on_the_way(
    app: Flask, model: ModelVersion, log_in: LogIn
) -> None:
    log_in("ada")
    ada = accounts.find("ada").id
    deletion.delete_own(ada)
    with pytest.raises(NotFound):
        uploads.receive(ada, "walk.csv", io.BytesIO(recording_csv()))
    assert list(Path(app.config["UPLOADS"]).iterdir()) == []


def test_beyond_those_who_wait_uploads_are_asked_to_come_again(
    app: Flask, model: ModelVersion, log_in: LogIn, held: tuple[threading.Semaphore, threading.Event]
) -> None:
    begun, go_on = held
    app.config.update(READERS=1, READ_QUEUE=0)
    ada, bob = log_in("ada"), log_in("bob")
    with in_the_background(app, lambda: send(ada)):
        assert begun.acquire(timeout=30)
        refused, as_page = send(bob, headers=AS_SCRIPT), send(bob)
        go_on.set()
    assert (refused.status_code, as_page.status_code) == (503, 503)
    assert int(refused.headers["Retry-After"]) == int(as_page.headers["Retry-After"]) > 0
    assert "Try again" in refused.get_json()["message"]
    assert "Try again" in as_page.text
    assert send(bob).status_code == 302


def test_who_waits_sees_it_on_the_page(
    app: Flask, model: ModelVersion, log_in: LogIn, held: tuple[threading.Semaphore, threading.Event]
) -> None:
    begun, go_on = held
    app.config.update(READERS=1, READ_QUEUE=1)
    ada, bob, stage = log_in("ada"), log_in("bob"), None
    uploads = [lambda: send(ada), lambda: send(bob, query_string={"follow": "abc"})]
    with in_the_background(app, uploads[0]) as first:
        assert begun.acquire(timeout=30)
        with in_the_background(app, uploads[1]) as second:
            ends = time.monotonic() + 30
            while stage is None and time.monotonic() < ends:
                stage = bob.get("/predictions/progress/abc").get_json()["stage"]
            go_on.set()
    assert stage == "Waiting for other recordings to be recognised"
    assert [answer.status_code for answer in (*first, *second)] == [302, 302]


def test_pages_answer_while_a_file_holds_its_reader_and_then_it_is_refused_in_words(
    app: Flask, model: ModelVersion, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, begun = pool.ask, threading.Event()

    def hostile(task: str, arguments: Any, limits: pool.Limits, on_event: Any) -> Any:
        begun.set()
        return ask("tests.services.reader_jobs:hold_the_interpreter", arguments, limits, on_event)

    monkeypatch.setattr(pool, "ask", hostile)
    app.config["READ_TIMEOUT_S"] = 3
    ada, bob, seconds = log_in("ada"), log_in("bob"), []
    bob.get("/")
    with in_the_background(app, lambda: send(ada)) as answers:
        assert begun.wait(30)
        while not answers:
            started = time.perf_counter()
            assert bob.get("/").status_code == 200
            seconds.append(time.perf_counter() - started)
    assert len(seconds) > 10
    assert np.quantile(seconds, 0.95) < 0.3
    assert answers[0].status_code == 422
    assert "Reading this file took longer than 3 s, which is the limit here." in answers[0].text
    assert ada.post("/predictions/attempts/dismiss").status_code == 302
    assert list((app.config["UPLOADS"]).iterdir()) == []
