"""The server: waitress, with bodies that it asks about (``bodies.py``) and event streams that hold no thread.

In waitress one thread, the main loop, reads and writes all connections, and a few others answer requests. A connection
that is an event stream belongs to neither: whoever publishes writes to it, under the lock of its buffers.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any

from flask import Flask
from waitress import create_server, wasyncore
from waitress.buffers import OverflowableBuffer, TempfileBasedBuffer
from waitress.channel import HTTPChannel
from waitress.task import WSGITask
from waitress.utilities import build_http_date

from app.web import bodies, connections, event_streams
from app.web.event_streams import Stream
from app.web.main_loop import MainLoop
from app.web.spool import spool

SPARE_CONNECTIONS = 5  # while connections are being closed
DEAD_AFTER_MS = 60_000  # a stream whose client confirms nothing that was sent
HANDSHAKE_S = 20.0  # seconds in which a client must have said what it speaks
READ_AT_ONCE = 32 * 1024  # bytes: a second of a phone's sensors in one piece
BUFFER_LASTS = 64 * 1024  # bytes; what was sent from a buffer of waitress is not freed before the whole buffer


def make_server(app: Flask, listener: socket.socket, tls: ssl.SSLContext | None = None) -> Any:
    """Return the server of an application, as the settings have it; with a context it speaks TLS."""
    config = app.config
    TempfileBasedBuffer.newfile = spool
    # `bodies` refuses a body that is too large first, with a page that says so.
    server = create_server(
        app,
        sockets=[listener],
        threads=config["THREADS"],
        connection_limit=config["MAX_CONNECTIONS"] + config["MAX_STREAMS"],
        asyncore_use_poll=hasattr(select, "poll"),  # otherwise no more than 1,024
        channel_timeout=config["CONNECTION_TIMEOUT_S"],
        ident=None,
        recv_bytes=READ_AT_ONCE,
        max_request_body_size=2 * config["MAX_CONTENT_LENGTH"],
        inbuf_overflow=bodies.IN_MEMORY,
        outbuf_high_watermark=bodies.ANSWER_WAITS,
        clear_untrusted_proxy_headers=not config["PROXIES"],  # Flask reads them (factory.configure_proxies)
    )
    own = {"parser_class": bodies.parser_class(app), "most": config["MAX_CONNECTIONS"]}
    kind = Channel if tls is None else TlsChannel
    server.asyncore = MainLoop
    server.channel_class = type(kind.__name__, (kind,), own if tls is None else {**own, "tls": tls})
    return server


def stop(server: Any, app: Flask) -> None:
    """End a server that runs in another thread, with all its connections."""
    app.extensions[event_streams.STREAMS].end_all()
    server.task_dispatcher.shutdown()  # first: it wakes the main loop when it has answered
    pulled = threading.Event()

    def close_all() -> None:
        pulled.wait()  # a loop that is awake already would close the trigger before it is pulled
        wasyncore.close_all(server._map, ignore_all=True)

    server.trigger.pull_trigger(close_all)
    pulled.set()


class Task(WSGITask):
    """Answers a request; one for an event stream with the headers alone."""

    stream: Stream | None = None

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ[event_streams.HAND_OVER] = partial(setattr, self, "stream")
        environ["wsgi.url_scheme"] = "https" if self.channel.is_safe else "http"
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
    is_safe = False  # speaks TLS
    is_ordinary = True  # it shows without being asked what is waited for, see `main_loop`
    most = 0  # connections besides event streams
    stream: Stream | None = None
    requests: list[Any]
    will_close: bool
    current_outbuf_count: int

    def __init__(self, server: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(server, *arguments, **options)
        ordinary = [each for each in server.active_channels.values() if each.stream is None]
        if len(ordinary) > self.most - SPARE_CONNECTIONS:
            connections.close_one(ordinary)

    def take_over(self, stream: Stream) -> None:
        """Be an event stream from now on, whose headers are on their way."""
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_MS)
        with self.requests_lock:
            for request in self.requests[1:]:
                request.close()
            del self.requests[1:]
            self.request = None
            self.stream, self.is_ordinary = stream, False

    def service(self) -> None:
        super().service()
        if self.stream is not None:
            self.stream.attach(self)

    def push(self, data: bytes) -> None:
        """Write to an event stream, from any thread, without waiting for its client."""
        with self.outbuf_lock:
            if not self.connected or self.will_close or self.close_when_flushed:
                return
            if self.total_outbufs_len > event_streams.WAITING:
                self.will_close = True
                # The main loop itself would close it when it can be written to: never
                self.server.trigger.pull_trigger(self.handle_close)
                return
            if self.current_outbuf_count > BUFFER_LASTS:
                self.outbufs.append(OverflowableBuffer(self.adj.outbuf_overflow))
                self.current_outbuf_count = 0
            self.outbufs[-1].append(data)
            self.current_outbuf_count += len(data)
            self.total_outbufs_len += len(data)
            self._flush_exception(self._flush_some, do_close=False)
            has_rest = self.total_outbufs_len or self.will_close
        if has_rest:
            self.server.pull_trigger()

    def finish(self) -> None:
        """Close an event stream when all is sent."""
        self.close_when_flushed = True
        if self.connected:
            self.server.pull_trigger()

    def readable(self) -> bool:
        if self.stream is None:
            return bool(super().readable())
        return not self.will_close  # what a client says is thrown away; that it goes is seen at once

    def received(self, data: bytes) -> bool:
        return self.stream is None and bool(super().received(data))

    def handle_write(self) -> None:
        if self.stream is None:
            super().handle_write()
            return
        with self.outbuf_lock:
            self._flush_exception(self._flush_some, do_close=False)
            is_over = self.will_close or (self.close_when_flushed and not self.total_outbufs_len)
        if is_over:
            self.handle_close()

    def del_channel(self, map: dict[int, Any] | None = None) -> None:
        super().del_channel(map)
        if self.stream is not None:
            self.stream.close()

    def close(self) -> None:
        """Close at once; publishers must not find half a connection."""
        with self.outbuf_lock:
            self.connected = False
        super().close()


class TlsChannel(Channel):
    """A connection that may speak TLS; one that speaks plain HTTP gets no further than how to trust this site.

    The main loop shakes hands with many at once and waits for none. What OpenSSL knows of a connection is for one
    thread at a time; where somebody holds the lock of the buffers, too, that was taken first.
    """

    tls: ssl.SSLContext
    socket: Any
    is_ordinary = False  # before it is known what it speaks
    is_plain = False
    is_shaken = False
    waits_to_write = False  # in the handshake
    will_close: bool

    def __init__(self, server: Any, *arguments: Any, **options: Any) -> None:
        self.tls_lock = threading.Lock()
        super().__init__(server, *arguments, **options)

    def readable(self) -> bool:
        if not (self.is_plain or self.is_shaken) and time.time() - self.creation_time > HANDSHAKE_S:
            self.will_close = True
        return super().readable()

    def writable(self) -> bool:
        return bool(self.waits_to_write or super().writable())

    def handle_read(self) -> None:
        if not (self.is_plain or self.is_safe):
            self._begin()
        if self.is_plain:
            super().handle_read()
        elif self.is_safe and (self.is_shaken or self._shake_hands()):
            self._read()

    def handle_write(self) -> None:
        if self.waits_to_write and not self.will_close:
            self._shake_hands()
        else:
            super().handle_write()

    def send(self, data: bytes, do_close: bool = True) -> int:
        if not self.is_safe:
            return int(super().send(data, do_close))
        try:
            with self.tls_lock:
                return int(self.socket.send(data))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0  # the same again when there is room
        except OSError:
            if not do_close:
                raise  # marks the connection for the main loop
            self.handle_close()
            return 0

    def handle_close(self) -> None:
        if self.is_shaken and self.socket is not None:
            with self.tls_lock, suppress(OSError, ValueError):
                self.socket.unwrap()  # says that nothing was cut off; nobody waits for the answer
        super().handle_close()

    def _begin(self) -> None:
        """Look at the first byte, and leave it where it is: a handshake of TLS begins with 22."""
        try:
            first = self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            first = b""
        if not first:
            self.handle_close()
        elif first != b"\x16":
            self.is_plain = self.is_ordinary = True
        else:
            try:
                self.socket = self.tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
                self.is_safe = True
            except (OSError, ValueError):  # gone
                self.handle_close()

    def _shake_hands(self) -> bool:
        self.waits_to_write = False
        try:
            self.socket.do_handshake()  # no other thread knows this connection yet
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self.waits_to_write = True
            return False
        except (OSError, ValueError):  # a client that does not trust us, among others
            self.handle_close()
            return False
        self.is_shaken = self.is_ordinary = True
        return True

    def _read(self) -> None:
        """Read what has come, and all that OpenSSL holds: of that the loop would hear nothing."""
        while self.connected:
            try:
                with self.tls_lock:
                    data = self.socket.recv(self.adj.recv_bytes)
                    has_more = self.socket.pending() > 0
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                data, has_more = b"", False
            if not data:
                self.handle_close()
                return
            self.last_activity = time.time()
            self.received(data)
            if not has_more:
                return
