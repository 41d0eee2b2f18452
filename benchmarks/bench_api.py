"""How many small reads a second the API answers, through the real server, and what limits them.

Clients in a process of their own hold connections open and ask one thing after the other, each with a token of its own.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.browser.site import Site

CLIENTS, SECONDS = 8, 10.0
READS = {
    "who I am": "me",
    "a recording": "recordings/1",
    "a recording, not changed": "recordings/1",
    "a list of ten": "recordings?limit=10",
}


def prepare(home: Path) -> list[str]:
    """Make a person with ten recordings, the example's; return tokens."""
    os.environ["HAR_HOME"] = str(home)
    from app import create_app
    from app.services import accounts, installation
    from app.services.api import tokens
    from app.services.recordings import example

    app = create_app()
    with app.app_context():
        installation.migrate()
        installation.prepare()
        user = accounts.register(
            "ursula", "correct horse battery", "+44 20 7946 0000", "ursula@example.org", "1 High Street"
        )
        for _ in range(10):
            example.upload_example(user.id)
        return [tokens.make(user.id, f"{i}", ["recordings:read"], 1)[1] for i in range(CLIENTS)]


def ask(address: str, path: str, tokens: list[str], conditional: bool, out: Any) -> None:
    """Ask for one thing again and again on each of some connections; tell how long each answer took."""
    times: Queue[list[float]] = Queue()

    def one(token: str) -> None:
        connection = http.client.HTTPConnection(urlsplit(address).netloc)
        headers, took = {"Authorization": f"Bearer {token}"}, []
        end = time.perf_counter() + SECONDS
        while (began := time.perf_counter()) < end:
            connection.request("GET", f"/api/v1/{path}", headers=headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status in (200, 304), answer.status
            if conditional:
                headers["If-None-Match"] = str(answer.headers["ETag"])
            took.append(time.perf_counter() - began)
        times.put(took)

    threads = [threading.Thread(target=one, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put([one for _ in threads for one in times.get()])


def measured(site: Site, path: str, tokens: list[str], conditional: bool) -> dict[str, float]:
    """Return requests a second, how long they took, and what of a core the server used for it."""
    context = get_context("spawn")
    out: Any = context.Queue()
    server = psutil.Process(site.process.pid)
    client = context.Process(target=ask, args=(site.address, path, tokens, conditional, out))
    before, began = sum(server.cpu_times()[:2]), time.perf_counter()
    client.start()
    took = out.get()
    used_s = sum(server.cpu_times()[:2]) - before
    client.join()
    return {
        "reads_a_second": round(len(took) / SECONDS, 1),
        "median_ms": round(1000 * statistics.median(took), 2),
        "p99_ms": round(1000 * statistics.quantiles(took, n=100)[98], 2),
        "server_cores": round(used_s / SECONDS, 2),
        "server_ms_each": round(1000 * used_s / len(took), 3),
        "started_s": round(time.perf_counter() - began - SECONDS, 2),
    }


def main() -> None:
    home = Path(tempfile.mkdtemp())
    tokens = prepare(home)
    os.environ["API_REQUESTS_A_MINUTE"] = "10000000"  # a token may usually send 1,200
    site = Site(home).start()
    try:
        figures: dict[str, Any] = {"connections": CLIENTS, "seconds_each": SECONDS}
        for name, path in READS.items():
            figures[name] = measured(site, path, tokens, name.endswith("not changed"))
        figures["one connection"] = measured(site, "me", tokens[:1], False)
    finally:
        site.stop()
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
