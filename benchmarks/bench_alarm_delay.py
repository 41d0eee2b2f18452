"""From the impact of a fall to what the person and the page are asked, through the real server; JSON on stdout.

python -m benchmarks.bench_alarm_delay; needs SisFall in HAR_DATA_DIR. ``run.py`` serves a fresh home. Falls of SisFall
are streamed at the pace at which they happened, as phones do it: a message a second with what was measured in it, over
HTTP, each by a person of their own who has the live page open. Falls lie at all places of a message: just before its
end, or just after its beginning, when nearly a second passes until it is sent.

Each row is the time on the wall from the sample that is hardest: until the live page has the event that asks the person
(the state *pre-alarm*: its countdown can be cancelled, and steps end it in the first 60 s), and until the phone has it
with the answer to a message. A fall is decided about 3 s after its impact, as what follows it decides. An app such as
Sensor Logger sends a message a second and asks nobody; the phone page sends two after a hard movement, and asks.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import requests

from app.services.live.simulated import Phone
from benchmarks.bench_live import PREPARE, quantile
from tests.browser import site as sites
from tests.streaming import Values, fall

FALLS = ("F01", "F02", "F04", "F05", "F06", "F08", "F11", "F13", "F14", "F15")
PEOPLE = ("SA01", "SA05")
PLACES = (0.02, 0.2, 0.4, 0.6, 0.8, 0.98)  # of the impact in its message
BEFORE_S, AFTER_S = 6.0, 8.0
RATE_HZ = 50
HARD, HARD_FOR_S = 20.0, 6.0  # as static/js/phone.js
AT_ONCE = 12
DATA = Path(os.environ.get("HAR_DATA_DIR", sites.ROOT.parent / "shared" / "data"))
ASKS = ("pre-alarm", "noticed again")


@dataclass
class Heard:
    """When somebody learnt of the states of an alarm, since the impact (s)."""

    impact_s: float = np.inf
    states: dict[str, float] = field(default_factory=dict)

    def take(self, state: str) -> None:
        self.states.setdefault(state, time.time() - self.impact_s)

    @property
    def asked(self) -> float | None:
        return next((at for state, at in self.states.items() if state in ASKS), None)


class Page:
    """A person's live page."""

    def __init__(self, url: str, name: str, heard: Heard) -> None:
        self.session, self.url = requests.Session(), url
        form = {"username": name, "password": sites.PASSWORD, "csrf_token": self._token("/login")}
        assert self.session.post(f"{url}/login", data=form, timeout=60).ok
        self._answer = self.session.get(f"{url}/live/events", stream=True, timeout=120)
        assert self._answer.ok, self._answer.status_code
        threading.Thread(target=self._listen, args=(heard,), daemon=True).start()

    def _token(self, path: str) -> str:
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.session.get(self.url + path, timeout=60).text)
        assert found is not None, path
        return found[1]

    def _listen(self, heard: Heard) -> None:
        kind = ""
        for raw in self._answer.iter_lines(chunk_size=1):
            line = raw.decode()
            if line.startswith("event:"):
                kind = line[6:].strip()
            elif line.startswith("data:") and kind == "alarm":
                heard.take(json.loads(line[5:])["state"])


def stream(url: str, token: str, values: Values, place: float, soon: bool, heard: Sequence[Heard]) -> None:
    """Send a fall at its own pace, so that its impact lies at a place of a message.

    Parameters
    ----------
    soon : after a hard movement a message goes each half second, as the phone page does it.
    heard : by the page, and by the phone.
    """
    hardest = int(np.linalg.norm(values[:, :3] + values[:, 3:6], axis=1).argmax())
    first = hardest - round((BEFORE_S + place) * RATE_HZ)
    at = np.arange(first, hardest + round(AFTER_S * RATE_HZ)).clip(0, len(values) - 1)  # before and after, as it was
    samples, phone = values[at].astype(np.float32), Phone(url, token)
    hard = np.flatnonzero(np.linalg.norm(samples[:, :3] + samples[:, 3:6], axis=1) > HARD)
    began, sent = time.time(), 0
    for own in heard:
        own.impact_s = began + (hardest - first) / RATE_HZ
    while sent < len(samples):
        half = sent + RATE_HZ // 2
        is_hard = soon and ((hard < half) & (hard > half - HARD_FOR_S * RATE_HZ)).any()
        rows = slice(sent, min(half if is_hard else sent + RATE_HZ, len(samples)))
        sent = rows.stop
        clock = began + np.arange(rows.start, rows.stop) / RATE_HZ
        parts = {"accelerometer": samples[rows, :3], "gravity": samples[rows, 3:6], "gyroscope": samples[rows, 6:]}
        body = phone.message({name: (clock, own) for name, own in parts.items()})
        time.sleep(max(0.0, began + sent / RATE_HZ - time.time()))
        alarm = phone.send(body)["alarm"]
        if alarm is not None:
            heard[1].take(alarm["state"])
    phone.end()
    phone.close()


def figures(heard: Sequence[Heard]) -> dict[str, Any]:
    delays = [own.asked for own in heard if own.asked is not None]
    return {
        "falls": len(heard),
        "asked": len(delays),
        "median s": quantile(delays, 0.5),
        "p95 s": quantile(delays, 0.95),
        "longest s": quantile(delays, 1.0),
        "within 5 s": sum(delay < 5 for delay in delays),
    }


def main() -> None:
    """Print the figures."""
    falls = [(code, person) for person in PEOPLE for code in FALLS]
    places = [PLACES[i % len(PLACES)] for i in range(len(falls))]
    home = Path(tempfile.mkdtemp())
    site = sites.Site(home).start()
    heard = {soon: [(Heard(), Heard()) for _ in falls] for soon in (False, True)}
    try:
        made = subprocess.run(
            [sys.executable, "-c", PREPARE, str(2 * len(falls)), sites.PASSWORD],
            env=os.environ | {"HAR_HOME": str(home)}, cwd=sites.ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        tokens = made.stdout.split()
        streams = []
        for i in range(2 * len(falls)):
            soon, fall_number = bool(i % 2), i // 2
            values = fall(DATA, *falls[fall_number], around_s=BEFORE_S + 1)
            streams.append((tokens[i], values, places[fall_number], soon, heard[soon][fall_number]))
        for begin in range(0, len(streams), AT_ONCE):
            threads = []
            for i in range(begin, min(begin + AT_ONCE, len(streams))):
                Page(site.address, f"person{i}", streams[i][-1][0])
                threads.append(threading.Thread(target=stream, args=(site.address, *streams[i])))
            for thread in threads:
                thread.start()
                time.sleep(0.13)  # phones do not begin at the same moment
            for thread in threads:
                thread.join()
    finally:
        site.kill()
        shutil.rmtree(home, ignore_errors=True)
    result: dict[str, Any] = {}
    for soon, name in ((False, "app, a message a second"), (True, "phone page, twice a second after hard movement")):
        result[f"{name}: page"] = figures([page for page, _ in heard[soon]])
        result[f"{name}: answer to the phone"] = figures([phone for _, phone in heard[soon]])
    for place in PLACES:
        pages = [heard[False][i][0] for i, other in enumerate(places) if other == place]
        result[f"app: page, impact {100 * place:.0f} % into a message"] = figures(pages)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
