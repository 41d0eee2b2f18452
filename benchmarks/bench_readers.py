"""How soon other people's pages answer while a file is read: a hostile one, and a day's recording.

``python -m benchmarks.bench_readers [--against PATH]``; JSON on stdout. Each checkout is served by its own ``run.py``
with a home of its own, one after the other. The home page of one user is asked for without end while another uploads.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "correct horse battery staple"  # noqa: S105  of accounts that are gone afterwards
PEOPLE = ("reader", "uploader")
PREPARE = """
from app import create_app
from app.services import accounts, installation
from config import Config
with create_app(Config()).app_context():
    installation.prepare()
    for name in {people}:
        accounts.register(name, {password!r}, "+44 20 7946 0000", name + "@example.org", "1 High Street")
"""


def hostile() -> bytes:
    """Return a megabyte whose blank lines cost the square of their number, where a pattern is careless."""
    rows = "".join(f"{i / 50};{i % 7},5;{i % 5},25;9,8\n" for i in range(200))
    return ("t;a;b;c\n" + "\n" * 12_000 + rows).encode()


class Client:
    """Somebody at the site."""

    def __init__(self, port: int, name: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=900)
        self.cookie = ""
        fields = {"username": name, "password": PASSWORD, "csrf_token": self.csrf_token("/login")}
        self.ask("POST", "/login", urlencode(fields).encode(), "application/x-www-form-urlencoded")

    def ask(self, method: str, address: str, body: bytes | None = None, kind: str = "") -> tuple[int, str]:
        headers = {"Cookie": self.cookie} | ({"Content-Type": kind} if kind else {})
        self.connection.request(method, address, body, headers)
        answer = self.connection.getresponse()
        text = answer.read().decode(errors="replace")
        for value in answer.headers.get_all("Set-Cookie") or []:
            if "session=" in value:
                self.cookie = value.partition(";")[0]
        return answer.status, text

    def csrf_token(self, address: str) -> str:
        found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', self.ask("GET", address)[1])
        assert found, address
        return found[1]

    def upload(self, name: str, content: bytes) -> int:
        token = self.csrf_token("/")
        head = f'--edge\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n--edge\r\n'
        head += f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + b"\r\n--edge--\r\n"
        return self.ask("POST", "/predictions/", body, "multipart/form-data; boundary=edge")[0]


def measure(checkout: Path, files: dict[str, bytes]) -> dict[str, Any]:
    """Serve a checkout; return for each file how long its upload took and how soon the other's pages came."""
    with tempfile.TemporaryDirectory() as home:
        environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "PYTHONPATH")}
        environment |= {"HAR_HOME": home, "PORT": "0", "HOST": "127.0.0.1"}
        prepare = PREPARE.format(people=PEOPLE, password=PASSWORD)
        subprocess.run([sys.executable, "-c", prepare], cwd=checkout, env=environment, check=True)
        server = subprocess.Popen(
            [sys.executable, "run.py"], cwd=checkout, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            assert server.stdout is not None
            port = next(
                int(found[1]) for line in server.stdout if (found := re.search(r" is at http://\S+:(\d+)", line))
            )
            reader, uploader = (Client(port, name) for name in PEOPLE)
            uploader.upload("small.csv", files["a small file"])  # the model is in memory from here on
            return {name: _while_uploading(reader, uploader, content) for name, content in files.items()}
        finally:
            server.terminate()
            server.wait()
            assert server.stdout is not None
            server.stdout.close()


def _while_uploading(reader: Client, uploader: Client, content: bytes) -> dict[str, Any]:
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(uploader.upload("walk.csv", content)))
    began, seconds = time.perf_counter(), []
    thread.start()
    while not done:
        started = time.perf_counter()
        assert reader.ask("GET", "/")[0] == 200
        seconds.append(time.perf_counter() - started)
        time.sleep(0.02)
    thread.join()
    return {
        "upload (s)": round(time.perf_counter() - began, 1),
        "status": done[0],
        "pages": len(seconds),
        "p50 (ms)": round(1000 * statistics.median(seconds)),
        "p95 (ms)": round(1000 * sorted(seconds)[int(0.95 * (len(seconds) - 1))]),
        "slowest (ms)": round(1000 * max(seconds)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--hours", type=float, default=24.0, help="of the long recording")
    options = parser.parse_args()
    from benchmarks.bench_long import write_day

    with tempfile.TemporaryDirectory() as folder:
        path, short = Path(folder) / "day.csv", Path(folder) / "short.csv"
        write_day(path, options.hours)
        write_day(short, 1 / 60)
        files = {"a small file": short.read_bytes(), "a hostile file": hostile(), "a long recording": path.read_bytes()}
    checkouts = {"this build": ROOT} | ({"the other": options.against.resolve()} if options.against else {})
    print(json.dumps({name: measure(checkout, files) for name, checkout in checkouts.items()}, indent=2))


if __name__ == "__main__":
    main()
