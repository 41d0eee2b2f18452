"""Whether anything is lost or half-written when a server is killed, its disk is full or its database locked.

A real server is killed 20 times at random moments of what it does and started again; one works on a disk with 4 MB left
(a file system in memory: mounting it needs root); one meets a program that keeps the database locked, for 30 s and
for 90 s. After each, the home is searched (`left_behind`), and the site asked for all that it said it had stored.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import requests

from app.services.database import connect
from benchmarks import left_behind
from tests.browser.site import PASSWORD, Site
from tests.homes import DATABASE, EXAMPLE, at_home
from tests.synthetic import kinelab_csv, ku_har_zip
from tests.tables import labelled
from tests.web.test_mappings import answers

Figures = dict[str, Any]
KILLS = {"upload": 4, "adding a data set": 4, "training": 4, "evaluation": 3, "deletion": 3, "mapping": 2}
LEFT_MB = 4
LOCKED_S = (30, 90)
PAGES = ("/", "/datasets/", "/models/", "/training/")
TRAINING = {"dataset": EXAMPLE, "protocol": "subject", "window_length_s": "3", "overlap": "0", "seed": "0"}
RESERVE = "DISK_RESERVE_MB"


@dataclass
class Said:
    """What the site said that it had stored or deleted."""

    files: dict[str, str] = field(default_factory=dict)  # the address of each uploaded file, by its name
    deleted: set[str] = field(default_factory=set)  # names of files
    pages: set[str] = field(default_factory=set)  # addresses of all else


class Visitor:
    """A person's browser, which goes on after a server was started again."""

    def __init__(self, site: Site, name: str = "chief") -> None:
        """Make the account of the administrator at the first visit of a site, that of a user later."""
        self.site, self.session, self.said = site, requests.Session(), Said()
        self.session.headers["Accept"] = "application/json"
        address = site.setup_address if name == "chief" else f"{site.address}/register"
        assert address
        page = self.session.get(address, headers={"Accept": "text/html"}, timeout=60).text
        account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD, "password_again": PASSWORD}
        assert self.session.post(address, data={"csrf_token": _token(page), **account}, timeout=60).ok
        self.token = _token(self.get("/").text)

    def get(self, address: str, **options: Any) -> requests.Response:
        return self.session.get(
            self.site.address + address, **{"timeout": 120, "headers": {"Accept": "text/html"}} | options
        )

    def post(self, address: str, file: tuple[str, bytes] | None = None, **form: Any) -> requests.Response:
        data, files = {"csrf_token": self.token, **form}, {"file": file} if file else None
        return self.session.post(
            self.site.address + address, data=data, files=files, timeout=300, allow_redirects=False
        )

    def restart(self) -> None:
        self.site = Site(self.site.home).start()

    def lost(self) -> list[str]:
        """Return what was said to be stored and is not, or to be deleted and is there."""
        page = self.get("/").text
        lost = [name for name, address in self.said.files.items() if name not in page or self.status(address) != 200]
        lost += [name for name in self.said.deleted if name in page]
        return lost + [address for address in self.said.pages if self.status(address) != 200]

    def status(self, address: str) -> int:
        return self.get(address).status_code

    # --- what a person does; each notes what the site says of it

    def upload(self, content: bytes | None = None, suffix: str = "csv") -> int:
        name = f"walk-{random.randrange(10**9)}.{suffix}"
        answer = self.post("/predictions/", (name, content or kinelab_csv(seconds=120).encode()))
        if answer.status_code == 200:
            self.said.files[name] = answer.json()["url"]
        return answer.status_code

    def add(self, content: bytes, filename: str = "lab.zip") -> int:
        name = f"lab-{random.randrange(10**9)}"
        answer = self.post("/datasets/add", (filename, content), name=name)
        if answer.status_code != 200:
            return answer.status_code
        while "/add/" in (page := self.get(answer.json()["url"])).url and page.status_code == 200:
            time.sleep(0.1)
        if page.status_code == 200:
            self.said.pages.add(f"/datasets/{name}")
        return page.status_code

    def train(self, **form: str) -> int:
        answer = self.post("/training/", **TRAINING, **form)
        if answer.status_code != 302:
            return answer.status_code
        address = answer.headers["Location"]
        while (state := self.get(f"{address}/progress").json())["status"] == "running":
            time.sleep(0.1)
        if state["status"] == "finished":
            self.said.pages.add(f"{address}/files/metrics.csv")
            self.said.pages |= set(re.findall(r'"(/models/\d+)"', self.get(address).text))
            return 200
        return 507 if "full" in state["reason"] else 500

    def wait_for_mapping(self) -> str:
        name = f"own-{random.randrange(10**9)}.csv"
        answer = self.post("/predictions/", (name, labelled(seconds=60).encode()))
        self.said.files[name] = address = str(answer.json()["url"])  # it waits, or leads to what it has become
        return address

    def confirm(self, address: str) -> int:
        form = answers(self.get(address).text) | {"confirm": "Read and recognise"}
        return self.post(address, **form).status_code

    def delete(self) -> int:
        name = next(name for name, address in self.said.files.items() if address.startswith("/predictions/"))
        address = self.said.files.pop(name)  # until it is said to be deleted, it may be there or not
        answer = self.post(f"{address}/delete")
        if answer.status_code == 302:
            self.said.deleted.add(name)
        return answer.status_code


def _token(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found
    return found[1]


def long_recording(hours: float, activity: str | None = None) -> bytes:
    """Return a recording that packs well and whose signal is large: the same two seconds of a walk over and over."""
    header, *lines = kinelab_csv(activity, seconds=2.0).splitlines()
    rows = [line.partition(",")[2] for line in lines]
    n = round(hours * 3600 * 50)
    text = "\n".join([header, *(f"{i / 50:.2f},{rows[i % len(rows)]}" for i in range(n))])
    return gzip.compress(text.encode(), mtime=0)


def faults(*visitors: Visitor) -> Figures:
    """Return what is wrong with a home, whose server is up and has nothing under way."""
    home = visitors[0].site.home
    found = {
        "integrity": left_behind.integrity(home),
        "half-written": left_behind.half_written(home),
        "lost": [each for visitor in visitors for each in visitor.lost()],
    }
    for kind, each in found.items():
        for fault in each:
            print(f"{kind}: {fault}", file=sys.stderr)
    return {kind: len(each) for kind, each in found.items()}


# --- killed


def killed(visitor: Visitor) -> Figures:
    """Kill the server 20 times, at a random moment of what it does."""
    archive = ku_har_zip(Path(tempfile.mkdtemp()) / "lab.zip", subjects=6, seconds=30).read_bytes()
    actions: dict[str, Callable[[], Any]] = {
        "upload": visitor.upload,
        "adding a data set": partial(visitor.add, archive),
        "training": partial(visitor.train, models="elm-gru-am", epochs="1"),
        "evaluation": partial(visitor.train, models="naive-bayes", folds="5"),
        "deletion": visitor.delete,
        "mapping": lambda: visitor.confirm(visitor.wait_for_mapping()),
    }
    durations = {}
    for name, action in actions.items():
        started = time.monotonic()
        assert action() in (200, 302), name
        durations[name] = time.monotonic() - started
    result = {}
    for name, times in KILLS.items():
        total: Figures = {"kills": 0, "kills after the answer": 0, "integrity": 0, "half-written": 0, "lost": 0}
        while total["kills"] < times:
            if name == "deletion":
                visitor.upload()
            after_s = random.uniform(0, durations[name])
            if _killed_during(visitor, actions[name], after_s):
                durations[name] = after_s  # it takes less than before
                total["kills after the answer"] += 1
            else:
                total["kills"] += 1
            total |= {kind: total[kind] + n for kind, n in faults(visitor).items()}
        result[name] = total
    return result


def _killed_during(visitor: Visitor, action: Callable[[], Any], after_s: float) -> bool:
    """Kill the server so long after the beginning of an action, start it again; tell whether it had answered."""
    answered = []

    def act() -> None:
        with contextlib.suppress(requests.RequestException, ValueError, KeyError):
            answered.append(action())

    thread = threading.Thread(target=act)
    thread.start()
    thread.join(after_s)
    visitor.site.kill()
    thread.join()
    visitor.restart()
    return bool(answered)


# --- a full disk


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """Mount a file system in memory."""
    folder = Path(tempfile.mkdtemp())
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def leave(folder: Path, n_bytes: int) -> None:
    """Fill a disk but for some bytes."""
    ballast = folder / "ballast"
    ballast.unlink(missing_ok=True)
    state = os.statvfs(folder)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(state.f_bavail * state.f_frsize - n_bytes, 1))


def full_disk() -> Figures:
    """Do all that writes on a disk with 4 MB left, without a reserve and with the usual one, and with nothing left."""
    # Of a size for which there seems to be room, so that the disk is full only when signals and rows are written
    recording, dataset = long_recording(2), long_recording(1.2, "Walk")
    large = ku_har_zip(Path(tempfile.mkdtemp()) / "lab.zip", subjects=24, seconds=120).read_bytes()
    result = {}
    with small_disk(256) as disk:
        os.environ[RESERVE] = "0.001"
        visitor = Visitor(Site(disk / "home").start())
        steps: dict[str, Callable[[], int]] = {
            "a short recording": visitor.upload,
            "a recording whose signal does not fit": partial(visitor.upload, recording, "csv.gz"),
            "a data set whose signals do not fit": partial(visitor.add, dataset, "lab.csv.gz"),
            "a data set that is too large": partial(visitor.add, large),
            "a training": partial(visitor.train, models="elm-gru-am", epochs="1"),
            "a mapping": lambda: visitor.confirm(visitor.wait_for_mapping()),
            "deleting a recording": visitor.delete,
        }
        for name, step in steps.items():
            leave(disk, LEFT_MB * 2**20)
            result[f"{LEFT_MB} MB left: {name}"] = _on_full_disk(visitor, step)
        visitor.upload()
        visitor.site.stop()
        os.environ.pop(RESERVE)
        visitor.restart()
        leave(disk, LEFT_MB * 2**20)
        result["the usual reserve: a short recording"] = _on_full_disk(visitor, visitor.upload)
        leave(disk, 0)
        for name in ("a short recording", "deleting a recording"):
            result[f"nothing left: {name}"] = _on_full_disk(visitor, steps[name])
        (disk / "ballast").unlink()
        visitor.site.kill()
        visitor.restart()
        result["then, after a kill and with room"] = {"answer": visitor.get("/").status_code, **faults(visitor)}
        visitor.site.stop()
    return result


def _on_full_disk(visitor: Visitor, step: Callable[[], int]) -> Figures:
    answer = step()
    assert visitor.site.process.poll() is None, "the server has ended"
    assert visitor.get("/login").status_code == 200
    return {"answer": answer, **faults(visitor)}


# --- a locked database


@contextmanager
def locked(home: Path, seconds: float) -> Iterator[None]:
    """Keep the database from being written to, as a backup program may."""
    with at_home(home), contextlib.closing(connect(home / DATABASE, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(seconds, other.rollback)
        timer.start()
        yield
        timer.join()


def locked_out(visitor: Visitor, seconds: int) -> Figures:
    """Upload, map, delete, add a data set and end a training while the database is locked, and read meanwhile."""
    archive = ku_har_zip(Path(tempfile.mkdtemp()) / "lab.zip").read_bytes()
    people = [Visitor(visitor.site, f"person-{seconds}-{number}") for number in range(4)]
    waiting = people[0].wait_for_mapping()
    people[1].upload()
    outcomes: dict[str, int] = {}
    answered: dict[str, float] = {}
    training: list[int] = []
    trainer = threading.Thread(target=lambda: training.append(visitor.train(models="naive-bayes")))
    trainer.start()
    while not left_behind.running(visitor.site.home):
        time.sleep(0.01)
    actions = {
        "an upload": people[2].upload,
        "an upload of another person": people[3].upload,
        "a mapping": partial(people[0].confirm, waiting),
        "a deletion": people[1].delete,
        "a data set": partial(visitor.add, archive),
    }

    def act(name: str) -> None:
        started = time.monotonic()
        outcomes[name] = actions[name]()
        answered[name] = round(time.monotonic() - started, 1)

    reads: list[float] = []
    with locked(visitor.site.home, seconds):
        threads = [threading.Thread(target=act, args=(name,)) for name in actions]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds - 2
        while time.monotonic() < end:
            started = time.monotonic()
            assert visitor.get(random.choice(PAGES)).status_code == 200
            reads.append(time.monotonic() - started)
            time.sleep(0.2)
    for thread in (*threads, trainer):
        thread.join()
    reads.sort()
    return {
        **{name: f"{outcomes[name]} after {answered[name]} s" for name in actions},
        "a training that ended meanwhile": training[0],
        "pages read meanwhile": len(reads),
        "their p95 (ms)": round(1000 * reads[int(0.95 * (len(reads) - 1))]),
        **faults(visitor, *people),
    }


def main() -> None:
    random.seed(0)
    visitor = Visitor(Site(Path(tempfile.mkdtemp())).start())
    result: Figures = {"killed at a random moment of": killed(visitor)}
    for seconds in LOCKED_S:
        result[f"database locked for {seconds} s"] = locked_out(visitor, seconds)
    visitor.site.stop()
    result["disk"] = full_disk()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
