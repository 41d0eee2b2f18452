"""``flask stream``: what it sends arrives as if a phone had measured it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from werkzeug.serving import make_server

from app.cli.stream import stream
from app.services.live import devices, sessions
from app.tables import User
from tests.services.conftest import a_user
from tests.trained import recording_csv


@pytest.fixture
def owner(app: Flask) -> User:
    return a_user("ursula")


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_recording_is_sent_second_by_second_and_ended(app: Flask, owner: User, url: str, tmp_path: Path) -> None:
    _, token = devices.make(owner.id, "phone")
    (tmp_path / "walk.csv").write_bytes(recording_csv())
    arguments = ["replay", str(tmp_path / "walk.csv"), "--token", token, "--url", url, "--speed", "1000"]
    done = CliRunner().invoke(stream, arguments)
    assert done.exit_code == 0, done.output
    assert "Sent 1 messages" in done.output
    [row] = sessions.ended(owner.id)
    assert (row.end_reason, row.facts["batches"]["received"]) == ("ended on the device", 1)


def test_people_are_made_up_and_their_messages_get_mixed_up(app: Flask, owner: User, url: str) -> None:
    tokens = [devices.make(owner.id, f"phone {i}")[1] for i in range(2)]
    arguments = ["simulate", "2", "--seconds", "3", "--doubled", "0.5", "--shuffled", "0.3", "--url", url]
    done = CliRunner().invoke(stream, [*arguments, "--token", tokens[0], "--token", tokens[1]])
    assert done.exit_code == 0, done.output
    rows = sessions.ended(owner.id)
    assert len(rows) == 2
    assert all(row.facts["batches"]["received"] - row.facts["batches"]["doubled"] == 3 for row in rows)
    assert all(row.facts["rates"]["acceleration"] == pytest.approx(100, abs=1) for row in rows)


@pytest.mark.parametrize("token", ["wrong", ""])
def test_a_server_that_refuses_is_quoted(app: Flask, url: str, tmp_path: Path, token: str) -> None:
    (tmp_path / "walk.csv").write_bytes(recording_csv())
    done = CliRunner().invoke(stream, ["replay", str(tmp_path / "walk.csv"), "--token", token, "--url", url])
    assert done.exit_code != 0
    assert "401" in done.output


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "walk.csv").write_bytes(recording_csv())
    done = CliRunner().invoke(stream, ["replay", str(tmp_path / "walk.csv"), "--token", "t", "--url", "here"])
    assert done.exit_code != 0
    assert "http://127.0.0.1:5000" in done.output
