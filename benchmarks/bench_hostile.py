"""What 200 hostile uploads do to a server: how each is answered, how long it takes, how much memory, who has to wait.

python -m benchmarks.bench_hostile [--files 200] [--seed 0] [--keep FOLDER]; JSON on stdout. The files are made by
`hostile_files` and sent one after another by one user to a real server, while another user opens the home page again
and again. What was read is opened, and deleted. ``--keep`` writes the files that ended in an unexpected error.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import requests

from benchmarks.hostile_files import hostile_files
from tests.browser.site import PASSWORD, Site

EXPECTED = {200, 413, 422, 503, 507}
READER_PAUSE_S = 0.1
ACCOUNT = {"email": "", "contact_number": "+44 20 7946 0000", "address": "1 High Street",
           "password": PASSWORD, "password_again": PASSWORD}  # fmt: skip


def memory_of(process: int) -> dict[str, int]:
    """Return how many bytes a process and its children hold, without what they share: a page counts once."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = {}, [process]
    while queue:
        one = queue.pop()
        queue += children.get(one, [])
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        found["server" if one == process else f"child {one}"] = 1024 * int(re.search(r"Pss:\s+(\d+)", text)[1])  # type: ignore[index]
    return found


class Watch:
    """Looks at the memory of a server, and at how fast its home page comes, until it is told to stop."""

    def __init__(self, site: Site, session: requests.Session) -> None:
        self.peak, self.peak_server, self.peak_child = 0, 0, 0
        self.seconds: list[float] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._memory, args=(site.process.pid,)),
            threading.Thread(target=self._page, args=(site.address, session)),
        ]
        for thread in self._threads:
            thread.start()

    def _memory(self, process: int) -> None:
        while not self._stop.wait(0.1):
            found = memory_of(process)
            self.peak = max(self.peak, sum(found.values()))
            self.peak_server = max(self.peak_server, found.get("server", 0))
            self.peak_child = max(self.peak_child, *(size for name, size in found.items() if name != "server"), 0)

    def _page(self, address: str, session: requests.Session) -> None:
        while not self._stop.wait(READER_PAUSE_S):
            started = time.perf_counter()
            assert session.get(address, timeout=60).status_code == 200
            self.seconds.append(time.perf_counter() - started)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def token_of(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found, page[:500]
    return found[1]


def member(site: Site, page: str, name: str) -> requests.Session:
    """Return the session of a new account."""
    session = requests.Session()
    token = token_of(session.get(page, timeout=60).text)
    answers = ACCOUNT | {"username": name, "email": f"{name}@example.org", "csrf_token": token}
    assert session.post(page, data=answers, timeout=60).ok
    assert "Log out" in session.get(site.address, timeout=60).text
    return session


def send(site: Site, session: requests.Session, token: str, name: str, data: bytes) -> tuple[str, float]:
    """Upload a file; return what came of it, and after how many seconds. What was kept is opened, and deleted."""
    started = time.perf_counter()
    response = session.post(
        f"{site.address}/predictions/",
        data={"csrf_token": token},
        files={"file": (name, io.BytesIO(data))},
        timeout=120,
    )
    seconds = time.perf_counter() - started
    kept = re.search(r"/(predictions/\d+|mappings/file/\w+)$", response.url)
    if kept:
        end = "delete" if "predictions" in kept[1] else "cancel"
        assert session.post(f"{response.url}/{end}", data={"csrf_token": token}, timeout=60).ok
    if response.status_code not in EXPECTED or (response.status_code == 200 and not kept):
        return f"unexpected {response.status_code}", seconds
    return "refused" if not kept else "read" if "predictions" in kept[1] else "asks for its columns", seconds


def measure(site: Site, number: int, seed: int, keep: Path | None) -> dict[str, Any]:
    assert site.setup_address
    member(site, site.setup_address, "chief")
    sender, reader = (member(site, f"{site.address}/register", name) for name in ("sender", "reader"))
    token = token_of(sender.get(site.address, timeout=60).text)
    outcomes: dict[str, Counter[str]] = {}
    slowest: dict[str, float] = {}
    watch = Watch(site, reader)
    try:
        for n, (kind, name, data) in enumerate(hostile_files(number, seed)):
            outcome, seconds = send(site, sender, token, name, data)
            outcomes.setdefault(kind, Counter())[outcome] += 1
            slowest[kind] = max(slowest.get(kind, 0.0), seconds)
            if outcome.startswith("unexpected") or seconds > 10:
                print(f"{n} {kind}: {name}, {len(data):,} bytes: {outcome} after {seconds:.1f} s", file=sys.stderr)
                if keep:
                    (keep / f"{n} {name}").write_bytes(data)
    finally:
        watch.stop()
    every = sum(outcomes.values(), Counter())
    columns = sorted({outcome for counts in outcomes.values() for outcome in counts})
    return {
        "uploads": sum(every.values()),
        "seed": seed,
        "unexpected": sum(count for outcome, count in every.items() if outcome.startswith("unexpected")),
        "slowest (s)": round(max(slowest.values()), 2),
        "peak memory of server and children (MB)": round(watch.peak / 1e6),
        "peak memory of the server (MB)": round(watch.peak_server / 1e6),
        "peak memory of a child (MB)": round(watch.peak_child / 1e6),
        "another user's home page, p95 (s)": round(statistics.quantiles(watch.seconds, n=20)[-1], 3),
        "another user's home page, slowest (s)": round(max(watch.seconds), 3),
        "another user's home pages": len(watch.seconds),
        "by kind": {
            kind: {"files": sum(counts.values()), **{column: counts[column] for column in columns},
                   "slowest (s)": round(slowest[kind], 2)}
            for kind, counts in outcomes.items()
        },
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ.pop("DATABASE_URL", None)
        site = Site(Path(home)).start()
        try:
            figures = measure(site, options.files, options.seed, options.keep)
        finally:
            site.stop()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
