"""An application behind the server that people have, over real connections."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from app.web import serving
from run import listen


@contextmanager
def serve(app: Flask, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve an application in a thread; yield the port."""
    server = serving.make_server(app, listen("127.0.0.1", "0"), tls)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield int(server.effective_port)
    finally:
        serving.stop(server, app)
        thread.join(10)
        assert not thread.is_alive()
