"""Phones that stream: from a batch's arrival to the event on the page, memory over minutes, and how many are too many.

python -m benchmarks.bench_live [--phones 50] [--minutes 10] [--first 100] [--most 400] [--only PART …]; JSON on stdout.

The real server (``run.py``) runs in a fresh home, and each phone is a person's own: 100 Hz, six channels, a message a
second, over HTTP, from other processes of the same machine. Some people have their page open; an event says when the
first of the batches that it is of arrived, by the same machine's clock. Windows that were recognised are counted by the
seconds in the sessions' rows, after all have ended. What else the machine does is measured beside it: it slows all
down.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import requests
from numpy.typing import NDArray

from app.services.database import connect
from app.services.live.simulated import Person, Phone
from benchmarks.live_costs import costs
from tests.browser import site as sites
from tests.homes import DATABASE, at_home

PAGES = 5  # open at a time
STEP = 25  # phones that are added while it is found out how many are too many
STEP_S = 40.0
SETTLES_S = 15.0  # after which a step is measured
FILES = 60  # seconds of made-up signal of a person, sent again and again with other times
PREPARE = """
import sys
from app import create_app
from app.services import accounts, consents
from app.services.live import devices
from app.services.transaction import transaction
from app.extensions import db
from app.tables import User
from config import Config
with create_app(Config()).app_context():
    for number in range(int(sys.argv[1])):
        name = f"person{number}"
        accounts.register(name, sys.argv[2], "+44 20 7946 0000", f"{name}@example.org", "1 High Street", "user")
    for user in db.session.query(User).order_by(User.id):
        if user.username.startswith("person"):
            with transaction():
                consents.add(consents.Purpose.RECOGNITION, user.id)
            print(devices.make(user.id, "phone", "leg")[1])
"""


def memory_mib(pid: int) -> float:
    """Return the proportional set size of a process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    own = int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1]) / 1024  # type: ignore[index]
    below = 0.0
    for child in children:
        try:
            below += memory_mib(int(child))
        except (OSError, TypeError):
            continue
    return own + below


def cpu_s(pid: int | str) -> float:
    """Return the seconds of processor that a process has used, or a thread: ``pid/task/tid``."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Load:
    """What the machine does besides: other programs slow all down, and say nothing of the server."""

    def __init__(self, own: Callable[[], float]) -> None:
        self._own, self._before, self._at = own, _busy_s() - own(), time.time()

    def cores(self) -> float:
        """Return how many cores were busy with anything else since the beginning."""
        return round((_busy_s() - self._own() - self._before) / (time.time() - self._at), 2)


def _busy_s() -> float:
    """Return the seconds that all cores have worked since the machine was started."""
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def send(url: str, tokens: Sequence[str], first: int, until: float, results: Any) -> None:
    """Send what some phones measure, each a message a second, from one process; a thread each."""
    late: list[float] = []

    def one(number: int, token: str) -> None:
        person, phone = Person(number), Phone(url, token)
        seconds = [template(*person.second(float(s))) for s in range(FILES)]
        time.sleep(random.Random(number).random())
        began, second = time.time(), 0
        while time.time() < until:
            text, offsets = seconds[second % FILES]
            stamps = (offsets + round(1e9 * (began + second))).tolist()
            head = {"messageId": second, "sessionId": phone.session, "deviceId": "simulated"}
            message = (json.dumps(head)[:-1] + text % tuple(stamps + stamps)).encode()
            time.sleep(max(0.0, began + second + 1 - time.time()))
            asked = time.time()
            phone.send(message)
            late.append(time.time() - asked)
            second += 1
        phone.end()

    threads = [threading.Thread(target=one, args=(first + i, token)) for i, token in enumerate(tokens)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(late)


def template(times: NDArray[np.float64], values: NDArray[np.float32]) -> tuple[str, NDArray[np.int64]]:
    """Return the payload of a second without its times, and those, in ns from its beginning.

    What is sent again and again need not be written anew: the phones share the machine with the server.
    """
    entries = [
        f'{{"name":"{name}","time":%d,"values":{{"x":{x:.5f},"y":{y:.5f},"z":{z:.5f}}}}}'
        for name, rows in (("totalacceleration", values[:, :3]), ("gyroscope", values[:, 3:]))
        for x, y, z in rows.tolist()
    ]
    return f', "payload":[{",".join(entries)}]}}', np.round(1e9 * (times - times[0])).astype(np.int64)


class Page:
    """A person's live page: keeps how long after its batch each event came."""

    def __init__(self, url: str, name: str) -> None:
        self.delays: list[tuple[float, float]] = []  # when, and s
        self.windows: set[float] = set()
        session = requests.Session()
        login = session.get(f"{url}/login", timeout=60)
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', login.text)
        form = {"username": name, "password": sites.PASSWORD, "csrf_token": token[1] if token else ""}
        assert session.post(f"{url}/login", data=form, timeout=60).ok
        self._answer = session.get(f"{url}/live/events", stream=True, timeout=1800)
        assert self._answer.ok, self._answer.status_code
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        kind = ""
        for line in self._answer.iter_lines(chunk_size=1, decode_unicode=True):
            if line.startswith("event:"):
                kind = line[6:].strip()
            elif line.startswith("data:") and kind == "window":
                data = json.loads(line[5:])
                self.delays.append((time.time(), time.time() - data["arrived_s"]))
                self.windows |= {window["start_s"] for window in data["windows"]}

    def since(self, moment: float) -> list[float]:
        return [delay for at, delay in self.delays if at >= moment]


class Phones:
    """Processes that send."""

    def __init__(self, url: str) -> None:
        self.url, self.n = url, 0
        self._processes: list[Any] = []
        self._results: Any = multiprocessing.Queue()

    def add(self, tokens: Sequence[str], until: float) -> None:
        process = multiprocessing.Process(target=send, args=(self.url, tokens, self.n, until, self._results))
        process.start()
        self._processes.append(process)
        self.n += len(tokens)

    def cpu_s(self) -> float:
        return sum(cpu_s(process.pid) for process in self._processes)

    def join(self) -> list[float]:
        """Wait for all; return how long each answer took (s)."""
        late: list[float] = []
        for _ in self._processes:
            late += self._results.get(timeout=1800)
        for process in self._processes:
            process.join()
        return late


def steady(site: sites.Site, tokens: Sequence[str], minutes: float) -> dict[str, Any]:
    """Let phones stream for some minutes."""
    pages = [Page(site.address, f"person{number}") for number in range(PAGES)]
    phones, began = Phones(site.address), time.time()
    used = cpu_s(site.process.pid)
    phones.add(tokens, began + 60 * minutes)
    load = Load(lambda: cpu_s(site.process.pid) + phones.cpu_s() + sum(os.times()[:2]))
    memory = []
    while time.time() < began + 60 * minutes:
        time.sleep(min(10.0, 6 * minutes))
        memory.append(memory_mib(site.process.pid))
    used = cpu_s(site.process.pid) - used
    others = load.cores()
    late = phones.join()
    time.sleep(5)
    delays = [delay for page in pages for delay in page.since(began + min(60.0, 15 * minutes))]
    seconds = rows(site.home)
    half = len(memory) // 2
    return {
        "phones": len(tokens),
        "minutes": minutes,
        "events on pages": len(delays),
        "from a batch to its event, median (s)": quantile(delays, 0.5),
        "from a batch to its event, p95 (s)": quantile(delays, 0.95),
        "from a batch to its event, longest (s)": quantile(delays, 1.0),
        "answer to a batch, p95 (s)": quantile(late, 0.95),
        "memory of all processes, at most (MiB)": round(max(memory)),
        "memory, first and second half (MiB)": [round(float(np.mean(part))) for part in (memory[:half], memory[half:])],
        "processor (ms a phone and second)": round(1000 * used / (60 * minutes) / len(tokens), 2),
        "seconds recognised, of those sent": round(sum(seconds) / (len(late) or 1), 4),
        "least of a session (s)": round(min(seconds), 1),
        "other programs (cores)": others,
    }


def rows(home: Path) -> list[float]:
    """Return how many seconds were recognised of each session that has ended."""
    with at_home(home), closing(connect(home / DATABASE)) as database:
        found = database.execute("SELECT facts FROM live_session WHERE ended IS NOT NULL").fetchall()
    return [sum(json.loads(facts).get("seconds", {}).values()) for (facts,) in found]


def of_threads(pid: int) -> dict[int, float]:
    """Return the seconds of processor that each thread of a process has used."""
    return {int(task.name): cpu_s(f"{pid}/task/{task.name}") for task in Path(f"/proc/{pid}/task").iterdir()}


def until_too_many(site: sites.Site, tokens: Sequence[str], first: int) -> dict[str, dict[str, Any]]:
    """Add phones until the p95 passes 2 s; return what was measured at each step."""
    pages = [Page(site.address, f"person{number}") for number in range(PAGES)]
    phones, n, pid = Phones(site.address), 0, site.process.pid
    steps: dict[str, dict[str, Any]] = {}
    until = time.time() + STEP_S * (2 + (len(tokens) - first) / STEP)
    while n < len(tokens):
        more = first if not n else STEP
        phones.add(tokens[n : n + more], until)
        n = min(n + more, len(tokens))
        time.sleep(SETTLES_S)
        since = time.time()
        used, before = cpu_s(pid), of_threads(pid)
        load = Load(lambda: cpu_s(pid) + phones.cpu_s() + sum(os.times()[:2]))
        time.sleep(STEP_S - SETTLES_S)
        passed = time.time() - since
        threads = {thread: (now - before.get(thread, 0.0)) / passed for thread, now in of_threads(pid).items()}
        loop, engine = threads.pop(pid), max(threads.values())
        delays = [delay for page in pages for delay in page.since(since)]
        step = steps[f"{n} phones"] = {
            "median (s)": quantile(delays, 0.5),
            "p95 (s)": quantile(delays, 0.95),
            "processor (cores)": round((cpu_s(pid) - used) / passed, 2),
            "of it the engine's thread, the busiest": round(engine, 2),
            "of it the loop of connections": round(loop, 2),
            "of it threads that answer": round(sum(threads.values()) - engine, 2),
            "memory (MiB)": round(memory_mib(pid)),
            "other programs (cores)": load.cores(),
        }
        print(json.dumps(step), file=sys.stderr, flush=True)
        if not delays or quantile(delays, 0.95) > 2:
            break
    for process in phones._processes:
        process.terminate()
    return steps


def quantile(values: Sequence[float], share: float) -> float:
    return round(float(np.quantile(values, share)), 3) if values else float("nan")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phones", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--most", type=int, default=400, help="phones, while more are added")
    parser.add_argument("--first", type=int, default=100, help="phones that more are added to")
    parser.add_argument("--only", nargs="+", choices=("steady", "ramp", "costs"))
    options = parser.parse_args()
    n = max(options.phones, options.most)
    result: dict[str, Any] = {}
    for what in options.only or ("steady", "ramp", "costs"):
        if what == "costs":
            result[what] = costs()
            continue
        home = Path(tempfile.mkdtemp())
        environment = os.environ | {"HAR_HOME": str(home), "MAX_CONNECTIONS": "2000"}
        os.environ["MAX_CONNECTIONS"] = "2000"
        site = sites.Site(home).start()
        try:
            made = subprocess.run(
                [sys.executable, "-c", PREPARE, str(n if what == "ramp" else options.phones), sites.PASSWORD],
                env=environment, cwd=sites.ROOT, capture_output=True, text=True, check=True,
            )  # fmt: skip
            tokens = made.stdout.split()
            if what == "steady":
                result[what] = steady(site, tokens, options.minutes)
                print(json.dumps(result), file=sys.stderr, flush=True)
            else:
                result[what] = until_too_many(site, tokens, options.first)
        finally:
            site.kill()
            shutil.rmtree(home, ignore_errors=True)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
