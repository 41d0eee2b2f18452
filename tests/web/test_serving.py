"""The server's own end."""

from __future__ import annotations

import threading

from flask import Flask

from app.web import serving
from run import listen


def test_a_server_that_stops_closes_its_trigger_only_after_it_was_pulled(app: Flask) -> None:
    server = serving.make_server(app, listen("127.0.0.1", "0"))
    loop = threading.Thread(target=server.run, daemon=True)
    pull = server.trigger._physical_pull

    def pull_late() -> None:
        if server.trigger.thunks:  # another has woken the loop, which finds what it is to do before it is told of it
            pull()
            loop.join(0.3)
        pull()

    server.trigger._physical_pull = pull_late
    loop.start()
    serving.stop(server, app)
    loop.join(10)
    assert not loop.is_alive()
