"""The server: waitress, with bodies that it asks about (``bodies.py``) and event streams that hold no thread.

In waitress one thread, the main loop, reads and writes all connections, and a few others answer requests. A connection
that is an event stream belongs to neither: whoever publishes writes to it, under the lock of its buffers.
"""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from functools import partial
from typing import Any

from flask import Flask
from waitress import create_server, wasyncore
from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.task import WSGITask
from waitress.utilities import build_http_date

from app.web import bodies, connections, event_streams
from app.web.event_streams import Stream

SPARE_CONNECTIONS = 5  # while connections are being closed
DEAD_AFTER_MS = 60_000  # a stream whose client confirms nothing that was sent
BUFFER_LASTS = 64 * 1024  # bytes; what was sent from a buffer of waitress is not freed before the whole buffer


def make_server(app: Flask, listener: socket.socket) -> Any:
    """Return the server of an application, as the settings have it."""
    config = app.config
    # `bodies` refuses a body that is too large first, with a page that says so.
    server = create_server(
        app,
        sockets=[listener],
        threads=config["THREADS"],
        connection_limit=config["MAX_CONNECTIONS"] + config["MAX_STREAMS"],
        asyncore_use_poll=hasattr(select, "poll"),  # otherwise no more than 1,024
        channel_timeout=config["CONNECTION_TIMEOUT_S"],
        ident=None,
        max_request_body_size=2 * config["MAX_CONTENT_LENGTH"],
        inbuf_overflow=bodies.IN_MEMORY,
        outbuf_high_watermark=bodies.ANSWER_WAITS,
        clear_untrusted_proxy_headers=not config["PROXIES"],  # Flask reads them (factory.configure_proxies)
    )
    server.application_streams = config["MAX_STREAMS"]
    server.channel_class = type("Channel", (Channel,), {"parser_class": bodies.parser_class(app)})
    return server


def stop(server: Any, app: Flask) -> None:
    """End a server that runs in another thread, with all its connections."""
    app.extensions[event_streams.STREAMS].end_all()
    server.trigger.pull_trigger(partial(wasyncore.close_all, server._map, ignore_all=True))
    server.task_dispatcher.shutdown()


class Task(WSGITask):
    """Answers a request; one for an event stream with the headers alone."""

    stream: Stream | None = None

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ[event_streams.HAND_OVER] = partial(setattr, self, "stream")
        return environ

    def build_response_header(self) -> bytes:
        if self.stream is None or not self.status.startswith("200"):
            return super().build_response_header()  # type: ignore[no-any-return]
        headers = [*self.response_headers, ("Connection", "close"), ("Date", build_http_date(self.start_time))]
        lines = (f"{name}: {value}\r\n" for name, value in headers)
        return f"HTTP/{self.version} {self.status}\r\n{''.join(lines)}\r\n".encode("latin-1")

    def service(self) -> None:
        try:
            super().service()
            if self.stream is not None and self.status.startswith("200"):
                self.channel.take_over(self.stream)
        finally:
            if self.stream is not None and self.channel.stream is None:  # the client has gone, or got an error
                self.stream.close()


class Channel(HTTPChannel):
    """A connection."""

    task_class = Task
    stream: Stream | None = None
    requests: list[Any]
    will_close: bool
    current_outbuf_count: int

    def __init__(self, server: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(server, *arguments, **options)
        # waitress accepts nobody as long as it has as many, itself and its trigger included
        ordinary = [each for each in server.active_channels.values() if each.stream is None]
        limit = server.adj.connection_limit - server.application_streams
        if len(ordinary) + 2 > limit - SPARE_CONNECTIONS:
            connections.close_one(ordinary)

    def take_over(self, stream: Stream) -> None:
        """Be an event stream from now on: whatever else the client asks for on this connection is not heard."""
        with self.requests_lock:
            self.stream = stream
            for request in self.requests[1:]:
                request.close()
            del self.requests[1:]
        with suppress(OSError, AttributeError):  # Linux; elsewhere the system takes longer to find out
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_MS)
        stream.attach(self)

    def push(self, data: bytes) -> None:
        """Write, from any thread, without waiting for the client; one that is too slow is closed."""
        with self.outbuf_lock:
            if not self.connected or self.will_close:
                return
            if self.total_outbufs_len > event_streams.WAITING:
                self.will_close = True
            else:
                if self.current_outbuf_count > BUFFER_LASTS:
                    self.outbufs.append(OverflowableBuffer(self.adj.outbuf_overflow))
                    self.current_outbuf_count = 0
                self.outbufs[-1].append(data)
                self.current_outbuf_count += len(data)
                self.total_outbufs_len += len(data)
        self.server.pull_trigger()

    def finish(self) -> None:
        """Close once all is written."""
        self.close_when_flushed = True
        self.server.pull_trigger()

    def received(self, data: bytes) -> bool:
        return self.stream is None and bool(super().received(data))

    def readable(self) -> bool:
        if self.stream is None:
            return bool(super().readable())
        return not (self.will_close or self.close_when_flushed)  # a client that goes shows it by what it sends: nothing

    def handle_write(self) -> None:
        if self.stream is None:
            super().handle_write()
            return
        with self.outbuf_lock:  # waitress takes it that nobody writes where no request is being answered
            super().handle_write()

    def handle_close(self) -> None:
        super().handle_close()
        if self.stream is not None:
            self.stream.close()
