"""What the server does with a large body before the application has seen the request: over a real connection."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from waitress import buffers, create_server

from app.tables import ModelVersion
from app.web import bodies, connections
from tests.served import serve
from tests.services.test_uploads import kinds
from tests.trained import Example, recording_csv, register_model

MEBIBYTE = 2**20
LIMIT = 30  # of connections
BOUNDARY = "------------------------boundary"


@dataclass
class Served:
    """An application behind waitress, and how many bodies were put on the disk."""

    port: int
    on_disk: list[buffers.TempfileBasedBuffer] = field(default_factory=list)

    def post(
        self, address: str, body: bytes, client: FlaskClient | None = None, accept: str = "text/html", **headers: str
    ) -> tuple[int, str]:
        """Send a body; return status and text of the answer."""
        if client is not None and (cookie := client.get_cookie("kinelab_session")):
            headers["Cookie"] = f"kinelab_session={cookie.value}"
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("POST", address, body, {"Content-Type": kind, "Accept": accept, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


@pytest.fixture
def model(app: Flask, example_model: Example, tmp_path: Path) -> ModelVersion:
    return register_model(example_model, tmp_path)


@pytest.fixture
def served(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Serve the application as ``run.py`` does."""
    served = Served(0)

    class Noted(buffers.TempfileBasedBuffer):
        def __init__(self, *arguments: object) -> None:
            served.on_disk.append(self)
            super().__init__(*arguments)

    monkeypatch.setattr(buffers, "TempfileBasedBuffer", Noted)
    monkeypatch.setattr(bodies, "IN_MEMORY", 2000)
    app.config.update(THREADS=2, MAX_CONNECTIONS=LIMIT)
    with serve(app) as port:
        served.port = port
        yield served
    for buffer in served.on_disk:
        buffer.close()


def form(filename: str, content: bytes, **answers: str) -> bytes:
    """Return a form with a file as a browser sends it."""
    begin = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    parts = [f'{begin}"{key}"\r\n\r\n{answer}\r\n' for key, answer in answers.items()]
    head = f'{begin}"file"; filename="{filename}"\r\n\r\n'
    return "".join([*parts, head]).encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


LARGE = form("a.csv", b"x" * MEBIBYTE)


@pytest.mark.parametrize("address", ["/predictions/", "/datasets/add", "/models/1/notes", "/no/such/page", "/login"])
def test_a_strangers_large_body_is_not_kept(app: Flask, served: Served, address: str) -> None:
    status, text = served.post(address, LARGE, accept="application/json")
    expected = {"/login": 413, "/no/such/page": 404}.get(address, 401)
    assert status == expected, text
    assert json.loads(text)["message"]
    assert served.on_disk == []


def test_a_cookie_that_was_ended_is_a_strangers(served: Served, user_client: FlaskClient) -> None:
    cookie = user_client.get_cookie("kinelab_session")
    assert cookie is not None
    user_client.post("/logout")
    user_client.set_cookie("kinelab_session", cookie.value)
    assert served.post("/predictions/", LARGE, user_client, accept="application/json")[0] == 401
    assert served.on_disk == []


def test_a_users_large_body_is_taken_where_files_are_and_nowhere_else(
    app: Flask, served: Served, user_client: FlaskClient, model: ModelVersion
) -> None:
    body = form("a.csv", recording_csv(), version=str(model.id))
    status, text = served.post("/predictions/", body, user_client, accept="application/json")
    assert (status, list(json.loads(text))) == (200, ["url"])
    assert kinds(app) == ["recording"]
    assert len(served.on_disk) == 1
    assert served.post("/datasets/add", body, user_client)[0] == 403
    assert served.post("/account/sessions/1/end", body, user_client)[0] == 413
    assert len(served.on_disk) == 1


def test_an_administrators_data_set_is_taken(served: Served, admin_client: FlaskClient) -> None:
    status, text = served.post("/datasets/add", form("a.csv", b"x\n" * MEBIBYTE, name="lab"), admin_client)
    assert status in (302, 422), text  # refused for what is in it, at once or on the page that it leads to
    assert len(served.on_disk) == 1


def test_a_body_over_the_limit_and_one_without_room_are_not_kept(
    app: Flask, served: Served, user_client: FlaskClient
) -> None:
    app.config["DISK_RESERVE"] = 2**60
    status, text = served.post("/predictions/", LARGE, user_client, accept="application/json")
    assert (status, "disk is full" in json.loads(text)["message"]) == (507, True)
    app.config["MAX_CONTENT_LENGTH"] = MEBIBYTE
    status, text = served.post("/predictions/", LARGE, user_client, accept="application/json")
    assert (status, "MAX_UPLOAD_MB" in json.loads(text)["message"]) == (413, True)
    assert served.on_disk == []


def test_small_forms_are_taken_from_everybody(served: Served, user_client: FlaskClient) -> None:
    assert served.post("/login", form("a.csv", b"x", username="nobody"))[0] == 422
    assert served.post("/predictions/", form("a.csv", b"no table", version="1"), user_client)[0] != 413
    assert served.on_disk == []


@pytest.mark.parametrize("header", ["Expect: 100-continue", "Transfer-Encoding: chunked"])
def test_a_stranger_that_asks_first_or_says_no_length_is_answered_at_once(served: Served, header: str) -> None:
    length = "" if "chunked" in header else f"Content-Length: {10 * MEBIBYTE}\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        headers = f"Host: localhost\r\n{header}\r\n{length}Accept: application/json\r\n"
        connection.sendall(f"POST /predictions/ HTTP/1.1\r\n{headers}\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))  # until the server closes
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.count(b"HTTP/1.1") == 1


def test_a_huge_body_of_a_stranger_ends_the_connection(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        head = f"POST /predictions/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: {200 * MEBIBYTE}\r\n\r\n"
        connection.sendall(head.encode())
        assert b"".join(iter(lambda: connection.recv(4096), b"")).startswith(b"HTTP/1.1 302 ")  # to the log-in page


def test_nobody_can_say_that_a_body_was_refused(served: Served, user_client: FlaskClient) -> None:
    headers = {"Kinelab-Body": "refused"}
    status, _ = served.post("/predictions/", form("a.csv", b"no table", version="1"), user_client, **headers)
    assert status != 503


@pytest.mark.parametrize("head", [f"POST /login HTTP/1.1\r\nContent-Length: {'9' * 5000}", "GET http://[::1 HTTP/1.1"])
def test_a_request_that_cannot_be_parsed_is_answered(
    served: Served, head: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(f"{head}\r\nHost: localhost\r\n\r\n".encode())
        assert connection.recv(4096).split()[1] == b"400"
    assert "uncaptured" not in caplog.text


def announce(served: Served, client: FlaskClient, n_bytes: int) -> socket.socket:
    """Begin to send a file: its size, and a first piece."""
    cookie = client.get_cookie("kinelab_session")
    assert cookie is not None
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=30)
    lines = f"Host: localhost\r\nCookie: kinelab_session={cookie.value}\r\nContent-Length: {n_bytes}\r\n"
    connection.sendall(f"POST /predictions/ HTTP/1.1\r\n{lines}\r\n".encode() + bytes(20_000))
    return connection


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_one_person_has_few_files_on_the_way_and_others_come_through(
    served: Served, log_in: Callable[..., FlaskClient]
) -> None:
    ada, bob = log_in("ada"), log_in("bob")
    on_the_way = [announce(served, ada, MEBIBYTE) for _ in range(bodies.EACH)]
    wait_until(lambda: len(served.on_disk) == bodies.EACH)
    status, text = served.post("/predictions/", LARGE, ada, accept="application/json")
    assert (status, "Try again" in json.loads(text)["message"]) == (503, True)
    assert len(served.on_disk) == bodies.EACH
    assert served.post("/predictions/", LARGE, bob)[0] != 503
    for connection in on_the_way:
        connection.close()
    wait_until(lambda: served.post("/predictions/", LARGE, ada)[0] != 503)


def test_room_is_kept_for_what_others_have_announced(
    served: Served, log_in: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(bodies.room, "require_upload", lambda folder, n_bytes: asked.append(n_bytes))
    with announce(served, log_in("ada"), 100 * MEBIBYTE):
        wait_until(lambda: len(served.on_disk) == 1)
        with announce(served, log_in("bob"), MEBIBYTE):
            wait_until(lambda: len(served.on_disk) == 2)
    assert asked[0] == 100 * MEBIBYTE
    assert 100 * MEBIBYTE < asked[1] <= 101 * MEBIBYTE


def test_connections_that_say_nothing_keep_nobody_out(app: Flask, served: Served) -> None:
    silent = [socket.create_connection(("127.0.0.1", served.port), timeout=30) for _ in range(LIMIT + 20)]
    try:
        for connection in silent:
            with suppress(OSError):  # some have been closed
                connection.sendall(b"POST /login HTTP/1.1\r\nHost: localhost\r\nX-A: ")
        with closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)) as another:
            another.request("GET", "/login")
            assert another.getresponse().status == 200
    finally:
        for connection in silent:
            connection.close()


def test_the_address_with_most_connections_loses_one_and_no_answer_is_cut_off() -> None:
    def channel(address: str, created: float, *, brings_file: bool = False, requests: int = 0) -> SimpleNamespace:
        return SimpleNamespace(
            addr=(address, 1), creation_time=created, request=SimpleNamespace(brings_file=brings_file),
            requests=[None] * requests, total_outbufs_len=0, will_close=False,
        )  # fmt: skip

    greedy, other = "192.0.2.1", "192.0.2.2"
    answered, upload = channel(greedy, 1, requests=1), channel(greedy, 2, brings_file=True)
    first, second, quiet = channel(greedy, 3), channel(greedy, 4), channel(other, 0)
    channels = [answered, second, upload, quiet, first]
    order: list[SimpleNamespace] = []
    for _ in channels:
        connections.close_one(channels)
        order += [each for each in channels if each.will_close and each not in order]
    assert order == [first, second, quiet, upload]
    assert not answered.will_close


def test_who_reads_a_long_answer_slowly_holds_no_thread() -> None:
    def answer(environ: dict[str, str], start_response: Callable[..., object]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield from [b"short"] if environ["PATH_INFO"] == "/short" else (bytes(MEBIBYTE) for _ in range(40))

    limits = {"outbuf_high_watermark": bodies.ANSWER_WAITS}
    server = create_server(answer, host="127.0.0.1", port=0, threads=1, **limits)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    with socket.create_connection(("127.0.0.1", server.effective_port), timeout=30) as slow:
        slow.sendall(b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n")
        slow.recv(1000)
        with closing(http.client.HTTPConnection("127.0.0.1", server.effective_port, timeout=20)) as another:
            another.request("GET", "/short")
            assert another.getresponse().read() == b"short"
    server.trigger.pull_trigger(server.close)
    thread.join(10)
