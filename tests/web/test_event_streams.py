"""Event streams behind the real server: they hold no thread, wait for nobody, and end when they must."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue

from app.web import event_streams
from app.web.access import access
from app.web.event_streams import Stream, event_stream
from tests.served import serve

CONNECTIONS = 80  # besides open pages


@dataclass(frozen=True)
class Told:
    id: int
    kind: str
    data: dict[str, Any]


@dataclass
class Hub:
    """Publishes to all pages."""

    takers: list[Callable[[Told], None]] = field(default_factory=list)
    past: list[Told] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def publish(self, **data: object) -> None:
        with self.lock:
            told = Told(len(self.past) + 1, "window", data)
            self.past.append(told)
            for taker in self.takers:
                taker(told)

    def subscribe(self, taker: Callable[[Told], None]) -> Callable[[], None]:
        with self.lock:
            self.takers.append(taker)

        def unsubscribe() -> None:
            with self.lock:
                self.takers.remove(taker)

        return unsubscribe

    def since(self, last: int | None) -> list[Told]:
        with self.lock:
            return [Told(len(self.past), "state", {})] if last is None else self.past[last:]


class Page:
    """A page that follows: one connection, read as a browser reads it."""

    def __init__(self, port: int, client: FlaskClient, last: int | None = None, receive: int | None = None) -> None:
        cookie = client.get_cookie("kinelab_session")
        assert cookie is not None
        self.socket = socket.socket()
        if receive is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))
        seen = "" if last is None else f"Last-Event-ID: {last}\r\n"
        head = f"GET /events HTTP/1.1\r\nHost: localhost\r\nCookie: kinelab_session={cookie.value}\r\n{seen}\r\n"
        self.socket.sendall(head.encode())
        self.file = self.socket.makefile("rb")

    def head(self) -> str:
        lines = list(iter(self.file.readline, b"\r\n"))
        return b"".join(lines).decode()

    def events(self) -> Iterator[tuple[int | None, str, Any]]:
        """Yield id, kind and data of each event; end when the server closes."""
        fields: dict[str, str] = {}
        for line in self.file:
            text = line.decode().rstrip("\n")
            if text:
                name, _, value = text.partition(":")
                fields[name] = value.strip()
            elif "data" in fields:
                yield int(fields["id"]) if "id" in fields else None, fields["event"], json.loads(fields["data"])
                fields = {}
            else:
                fields = {}

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def port(app: Flask, hub: Hub) -> Iterator[int]:
    """Serve the application as ``run.py`` does, with two threads and a page of events."""

    @access("user")
    def events() -> ResponseReturnValue:
        return event_stream(hub.subscribe, hub.since)

    app.add_url_rule("/events", "test_events", events)
    app.config.update(THREADS=2, MAX_CONNECTIONS=CONNECTIONS)
    app.extensions[event_streams.STREAMS].beat_s = 0.3
    with serve(app) as port:
        yield port


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_many_open_pages_hold_no_thread_and_all_are_told(
    port: int, hub: Hub, log_in: Callable[..., FlaskClient]
) -> None:
    people = [log_in(f"person{n}") for n in range(10)]
    pages = [Page(port, person) for person in people for _ in range(event_streams.EACH)]
    heads = [page.head() for page in pages]
    assert all("200 OK" in head and "text/event-stream" in head and "chunked" not in head for head in heads)
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as another:
        begun = time.monotonic()
        another.request("GET", "/login")
        assert another.getresponse().status == 200
        assert time.monotonic() - begun < 5
    streams = [page.events() for page in pages]
    assert {next(stream)[1] for stream in streams} == {"state"}
    for number in range(3):
        hub.publish(n=number)
    for stream in streams:
        assert [next(stream)[2]["n"] for _ in range(3)] == [0, 1, 2]
    for page in pages:
        page.close()
    until(lambda: not hub.takers)


def test_who_comes_back_gets_what_was_missed_once(port: int, hub: Hub, user_client: FlaskClient) -> None:
    for number in range(5):
        hub.publish(n=number)
    page = Page(port, user_client, last=3)
    page.head()
    stream = page.events()
    assert [next(stream)[0] for _ in range(2)] == [4, 5]
    publisher = threading.Thread(target=lambda: [hub.publish(n=number) for number in range(200)])
    publisher.start()
    seen = [next(stream)[0] for _ in range(200)]
    publisher.join()
    assert seen == list(range(6, 206))
    page.close()


def test_a_page_that_reads_nothing_keeps_nobody_waiting_and_is_closed(
    port: int, hub: Hub, user_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "WAITING", 50_000)
    slow, quick = Page(port, user_client, receive=4096), Page(port, user_client)
    quick.head()
    stream = quick.events()
    next(stream)
    until(lambda: len(hub.takers) == 2)
    begun = time.monotonic()
    for number in range(300):
        hub.publish(n=number, filling="x" * 20_000)
        assert next(stream)[2]["n"] == number
    assert time.monotonic() - begun < 15
    until(lambda: len(hub.takers) == 1)
    for page in (slow, quick):
        page.close()


def test_who_comes_back_while_much_is_published_misses_nothing_and_sees_nothing_twice(
    port: int, hub: Hub, user_client: FlaskClient
) -> None:
    publisher = threading.Thread(target=lambda: [hub.publish(filling="x" * 100) for _ in range(2000)])
    publisher.start()
    seen: list[int | None] = [0]
    while seen[-1] != 2000:
        page = Page(port, user_client, last=seen[-1])
        page.head()
        stream = page.events()
        seen += [next(stream)[0] for _ in range(min(150, 2000 - (seen[-1] or 0)))]
        page.close()
    publisher.join()
    assert seen == list(range(2001))


def test_streams_are_no_ordinary_connections(app: Flask, port: int, hub: Hub, user_client: FlaskClient) -> None:
    pages = [Page(port, user_client) for _ in range(event_streams.EACH)]
    streams = [page.events() for page in pages if page.head()]
    silent = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(CONNECTIONS + 20)]
    until(lambda: len(hub.takers) == len(pages))
    hub.publish(n=1)
    assert all([next(stream)[1] for _ in range(2)] == ["state", "window"] for stream in streams)
    for each in (*silent, *pages):
        each.close()


def test_too_many_pages_of_all_are_refused(app: Flask, port: int, hub: Hub, user_client: FlaskClient) -> None:
    app.config["MAX_STREAMS"] = 1
    first = Page(port, user_client)
    first.head()
    second = Page(port, user_client)
    assert "503" in second.head()
    assert len(hub.takers) == 1
    first.close()
    second.close()


def test_logging_out_ends_what_is_open(port: int, hub: Hub, user_client: FlaskClient) -> None:
    page = Page(port, user_client)
    page.head()
    stream = page.events()
    next(stream)
    user_client.post("/logout")
    assert [(kind, data) for _, kind, data in stream] == [("closed", {"reason": "over"})]
    page.close()
    until(lambda: not hub.takers)


def test_of_too_many_pages_of_one_person_the_oldest_is_told_to_stay_away(
    port: int, hub: Hub, user_client: FlaskClient
) -> None:
    pages = [Page(port, user_client) for _ in range(event_streams.EACH)]
    for page in pages:
        page.head()
    newest = Page(port, user_client)
    newest.head()
    streams = [page.events() for page in pages]
    firsts = [next(stream) for stream in streams]
    assert len(firsts) == event_streams.EACH
    hub.publish(n=1)
    answers = [next(stream) for stream in streams]
    assert [kind for _, kind, _ in answers].count("closed") == 1
    for page in (*pages, newest):
        page.close()


def test_elsewhere_an_answer_yields_what_is_published(app: Flask) -> None:
    hub = Hub()
    stream = Stream(app.extensions[event_streams.STREAMS], 1, lambda: True)
    stream.open(hub.subscribe, hub.since, None)
    pieces = stream.pieces()
    assert b"event: state" in next(pieces)
    hub.publish(n=7)
    assert b'{"n": 7}' in next(pieces)
    stream.end("over")
    assert b"closed" in next(pieces)
    assert list(pieces) == []
    until(lambda: not hub.takers)


def test_nobody_follows_without_an_account(port: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as stranger:
        stranger.request("GET", "/events", headers={"Accept": "application/json"})
        assert stranger.getresponse().status == 401
