"""Thirty people read pages while a training runs: how long their pages take, in this build and in another.

python -m benchmarks.bench_load [--against CHECKOUT] [--rounds 3]; JSON on stdout. Each build serves a home of its
own with KU-HAR in it; they take turns, so that both meet the same moods of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import requests

from benchmarks.bench_web import DATA, post
from tests.browser import site as sites

ACCOUNT = {
    "username": sites.ADMINISTRATOR,
    "email": "chief@example.org",
    "contact_number": "+44 20 7946 0000",
    "address": "1 High Street",
    "password": sites.PASSWORD,
    "password_again": sites.PASSWORD,
}
TRAINING = {
    "dataset": "ku-har", "protocol": "subject", "models": ["elm-gru-am"], "seed": 0, "window_length_s": 3, "overlap": 0,
}  # fmt: skip
KU_HAR = str(DATA / "ku-har" / "1.Raw_time_domian_data.zip")
READERS = 30
THINKS_S = 1.0  # from a page to the next
READS_S = 12  # a training on KU-HAR lasts half a minute


class Build:
    """A checkout with a home that has an administrator and a data set."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root, self.home = root, home
        site = self._start()
        self.session = requests.Session()
        assert site.setup_address
        assert post(self.session, site.setup_address, site.setup_address, **ACCOUNT).ok
        site.stop()
        subprocess.run(
            [sys.executable, "-m", "flask", "--app", "app", "datasets", "add", "ku-har", KU_HAR],
            cwd=root,
            env=os.environ | {"HAR_HOME": str(home)},
            check=True,
            capture_output=True,
        )

    def _start(self) -> sites.Site:
        sites.ROOT = self.root  # where run.py is started
        return sites.Site(self.home).start()

    def read_while_training(self) -> list[float]:
        """Start a training, let everybody read, and return the milliseconds of each page."""
        site = self._start()
        try:
            run = post(self.session, f"{site.address}/training/", f"{site.address}/training/", **TRAINING).url
            deadline = time.monotonic() + 120
            while '"fit"' not in (text := self.session.get(f"{run}/progress", timeout=60).text):
                assert time.monotonic() < deadline, text[:500]
                time.sleep(0.5)
            times = self._read(site.address, urlsplit(run).path)
            assert self.session.get(f"{run}/progress", timeout=60).json()["status"] == "running"
            return times
        finally:
            site.kill()

    def _read(self, address: str, run: str) -> list[float]:
        pages = ["/", "/datasets/", "/datasets/ku-har", "/models/", "/training/", run, f"{run}/progress"]
        cookie = "; ".join(f"{each.name}={each.value}" for each in self.session.cookies)
        times: list[float] = []
        until = time.monotonic() + READS_S

        def read(number: int) -> None:
            connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
            time.sleep(number / READERS * THINKS_S)
            while time.monotonic() < until:
                started = time.perf_counter()
                connection.request("GET", pages[number % len(pages)], headers={"Cookie": cookie})
                response = connection.getresponse()
                response.read()
                assert response.status == 200, (pages[number % len(pages)], response.status)
                times.append(1000 * (time.perf_counter() - started))
                number += 1
                time.sleep(THINKS_S)

        readers = [threading.Thread(target=read, args=(number,)) for number in range(READERS)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        return times


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout, measured in turns with this one")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    roots = {"this build": sites.ROOT} | ({"the other build": options.against.resolve()} if options.against else {})
    with tempfile.TemporaryDirectory() as folder:
        builds = {name: Build(root, Path(folder) / name.replace(" ", "-")) for name, root in roots.items()}
        times: dict[str, list[float]] = {name: [] for name in builds}
        for _ in range(options.rounds):
            for name, build in builds.items():
                times[name] += build.read_while_training()
    rows: dict[str, dict[str, float]] = {
        name: {
            "pages": len(of_build),
            "median (ms)": round(float(np.median(of_build)), 1),
            "p95 (ms)": round(float(np.quantile(of_build, 0.95)), 1),
            "slowest (ms)": round(max(of_build), 1),
        }
        for name, of_build in times.items()
    }
    if options.against:
        p95 = [rows[name]["p95 (ms)"] for name in roots]
        rows["ratio"] = {"p95 (ms)": round(p95[0] / p95[1], 2)}
    print(json.dumps({"readers": READERS, "while a training runs": rows}, indent=2))


if __name__ == "__main__":
    main()
