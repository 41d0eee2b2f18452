"""Event streams: pages that are told what happens, for as long as they are open, without a thread each.

A view returns :func:`event_stream`. Our server (``serving.py``) answers with the headers and takes the connection over:
the thread is free, and whoever publishes an event writes it to the connection, never waiting for its client. Elsewhere,
in tests for example, the answer is a generator. See ADR 14.

One thread, the keeper, writes a sign of life to all streams, asks whether their readers may still read, and ends the
subscriptions of those that are closed.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from flask import Flask, Response, current_app, request
from flask_login import current_user

from app.services.errors import Busy
from app.services.identity import sessions

log = logging.getLogger(__name__)

EACH = 6  # streams of one person; as many connections a browser opens to one host
WAITING = 2**20  # bytes that wait for a slow client; with more it is closed, comes back, and gets what it missed
RETRY_MS = 2000  # what a browser waits before it comes back
HAND_OVER = "kinelab.hand_over"  # in the environment of a request: where our server takes a stream
STREAMS = "event_streams"  # in `app.extensions`


class Event(Protocol):
    """What a hub publishes."""

    @property
    def id(self) -> int: ...

    @property
    def kind(self) -> str: ...

    @property
    def data(self) -> Mapping[str, Any]: ...


class Connection(Protocol):
    """What a stream writes to, from any thread. Neither waits for the client."""

    def push(self, data: bytes) -> None: ...

    def finish(self) -> None: ...


Subscribe = Callable[[Callable[[Event], None]], Callable[[], None]]


class Stream:
    """Events on their way to one page."""

    def __init__(self, streams: Streams, user_id: int, may_go_on: Callable[[], bool]) -> None:
        self.user_id = user_id
        self.may_go_on = may_go_on
        self.over = False  # nothing more is written
        self._streams = streams
        self._unsubscribe: Callable[[], None] | None = None
        self._last = -1  # the id of the newest event that was written
        self._early: list[Event] | None = []  # published while what the page missed is looked up
        self._connection: Connection | None = None
        self._waiting: deque[bytes] = deque()  # where there is no connection, or not yet
        self._changed = threading.Condition(threading.RLock())

    def open(self, subscribe: Subscribe, since: Callable[[int | None], Iterable[Event]], last: int | None) -> None:
        """Write what a page missed since the last event that it saw, and from then on what is published."""
        self._unsubscribe = subscribe(self._take)  # first: nothing may fall between
        try:
            self._streams.add(self)
            self._write_missed(list(since(last)), last)
        except BaseException:
            self.close()
            self.unsubscribe()
            raise

    def attach(self, connection: Connection) -> None:
        """Write to a connection from now on, first of all what waits."""
        with self._changed:
            self._connection = connection
            while self._waiting:
                connection.push(self._waiting.popleft())
            if self.over:
                connection.finish()

    def beat(self) -> None:
        """Write a sign of life, by which a dead connection is found out."""
        with self._changed:
            self._write(b":\n\n")

    def end(self, reason: str | None = None) -> None:
        """Close; with a reason, the page learns that it need not come back."""
        with self._changed:
            if reason is not None:
                self._write(_as_bytes("closed", {"reason": reason}))
            if self._connection is not None:
                self._connection.finish()
            self.close()
            self._changed.notify_all()

    def close(self) -> None:
        """Write no more: the connection is closed. Takes no lock that is held while somebody writes."""
        self.over = True
        self._streams.tidy_up()

    def unsubscribe(self) -> None:
        """End the subscription, once."""
        with self._changed:
            unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            unsubscribe()

    def pieces(self) -> Iterator[bytes]:
        """Yield what is written as it comes: for servers that cannot take a connection over."""
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._waiting or self.over)
                    if not self._waiting:
                        return
                    piece = self._waiting.popleft()
                yield piece
        finally:
            self.close()

    def _take(self, event: Event) -> None:
        with self._changed:
            if self._early is not None:
                self._early.append(event)
            elif event.id > self._last:
                self._last = event.id
                self._write(_as_bytes(event.kind, event.data, event.id))

    def _write_missed(self, missed: list[Event], last: int | None) -> None:
        with self._changed:
            self._last = max((event.id for event in missed), default=-1 if last is None else last)
            history = (_as_bytes(event.kind, event.data, event.id) for event in missed)
            self._write(b"retry: %d\n\n" % RETRY_MS + b"".join(history))
            early, self._early = self._early or [], None
            for event in early:
                self._take(event)

    def _write(self, data: bytes) -> None:
        if self.over:
            return
        if self._connection is not None:
            self._connection.push(data)
            return
        if sum(map(len, self._waiting)) > WAITING:
            self._waiting.clear()
            self.close()
        else:
            self._waiting.append(data)
        self._changed.notify_all()


class Streams:
    """The open streams of an application, and the thread that keeps them."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._open: list[Stream] = []  # the oldest first
        self._changed = threading.Condition()
        self._is_untidy = False
        self._keeper: threading.Thread | None = None
        self.beat_s = min(15.0, app.config["CONNECTION_TIMEOUT_S"] / 3)  # the server closes what is silent for longer

    def __len__(self) -> int:
        return len(self._open)

    def add(self, stream: Stream) -> None:
        """Keep a stream; a person who has too many loses the oldest.

        Raises
        ------
        Busy
            There are too many of all people together.
        """
        with self._changed:
            alive = [each for each in self._open if not each.over]
            of_person = [each for each in alive if each.user_id == stream.user_id]
            too_many = of_person[: max(len(of_person) - EACH + 1, 0)]
            if len(alive) - len(too_many) >= self._app.config["MAX_STREAMS"]:
                raise Busy("Too many live pages are open just now. Try again in a minute.")
            self._open.append(stream)
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="event-streams", daemon=True)
                self._keeper.start()
        for each in too_many:
            each.end("elsewhere")

    def tidy_up(self) -> None:
        """Have the keeper end the subscriptions of streams that are closed."""
        with self._changed:
            self._is_untidy = True
            self._changed.notify_all()

    def end_all(self) -> None:
        """Close all streams, because the server stops; the pages come back when there is one again."""
        for stream in list(self._open):
            stream.end()

    def _keep(self) -> None:
        due = time.monotonic() + self.beat_s
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_untidy, max(due - time.monotonic(), 0))
                self._is_untidy = False
                closed = [stream for stream in self._open if stream.over]
                self._open = [stream for stream in self._open if not stream.over]
                to_keep = list(self._open)
                if not to_keep:
                    self._keeper = None
            for stream in closed:
                stream.unsubscribe()
            if not to_keep:
                return
            if time.monotonic() >= due:
                due = time.monotonic() + self.beat_s
                for stream in to_keep:
                    stream.beat()
                for stream in to_keep:
                    self._check(stream)

    def _check(self, stream: Stream) -> None:
        try:
            with self._app.app_context():
                may_go_on = stream.over or stream.may_go_on()
        except Exception:
            log.warning("an event stream was closed because nobody could tell who reads it", exc_info=True)
            stream.end()  # the page comes back, and is asked again
            return
        if not may_go_on:
            stream.end("over")


def init_app(app: Flask) -> None:
    """Give an application its streams."""
    app.extensions[STREAMS] = Streams(app)


def event_stream(
    subscribe: Subscribe,
    since: Callable[[int | None], Iterable[Event]],
    may_go_on: Callable[[], bool] = lambda: True,
) -> Response:
    """Return the answer that tells a logged-in person's page what is published, until it is closed.

    Parameters
    ----------
    subscribe
        Is given what takes events, in the order of their ids and from any thread; returns what ends the subscription.
    since
        Returns the events after an id, and for None (a page that has just been opened) what it begins with.
    may_go_on
        Asked every few seconds, besides whether the person is still logged in.
    """
    token = current_user.session_token

    def is_allowed() -> bool:
        # An open stream is a sign of life, as what other pages ask every few seconds
        return sessions.load_user(token) is not None and may_go_on()

    answer = Response(iter(()), mimetype="text/event-stream", headers={"Cache-Control": "no-store"})
    answer.headers["X-Accel-Buffering"] = "no"  # nginx would hold it back
    if request.method == "HEAD":
        return answer
    stream = Stream(current_app.extensions[STREAMS], current_user.id, is_allowed)
    stream.open(subscribe, since, _last_seen())
    if hand_over := request.environ.get(HAND_OVER):
        hand_over(stream)
    else:
        answer.response = stream.pieces()
    return answer


def _last_seen() -> int | None:
    """Return the id of the last event that a page saw: a browser that comes back says it, or the page's script."""
    text = request.headers.get("Last-Event-ID") or request.args.get("last") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _as_bytes(kind: str, data: Mapping[str, Any], number: int | None = None) -> bytes:
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {kind}\ndata: {json.dumps(data, allow_nan=False)}\n\n".encode()
