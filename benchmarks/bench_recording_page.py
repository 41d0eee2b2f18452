"""How fast the page of a day's recording opens and is zoomed: 24 h at 100 Hz, six channels, 28,200 windows.

And how fast and how large that of a restless wrist is: 54 minutes with 512 bouts, which alternate every few seconds.

Times are the server's, through the whole application, the database and the files, but not through a network. ``cold``
is the first look after the files were pushed out of the page cache, where the system allows that.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from sqlalchemy import select

from app.har.signals.types import SignalSet
from app.services.recordings.prediction_result import PredictionResult
from tests.long_recording import a_day, store

REPEATS = 9
ZOOMS_S = {"a quarter": 6 * 3600, "an hour": 3600, "five minutes": 300, "ten seconds": 10}


def median_ms(use: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median time of a call in milliseconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        use()
        times.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(times), 1)


def restless() -> tuple[SignalSet, PredictionResult]:
    """Return 54 minutes of a wrist that is taken now for lying, now for walking: 512 bouts."""
    signals, result = a_day(54.3 / 60, rate_hz=32.0, labelled=False)
    n = len(result)
    changes = np.zeros(n, int)
    changes[np.random.default_rng(3).choice(np.arange(1, n), 511, replace=False)] = 1
    proba = np.full((n, len(result.activities)), 0.02, np.float32)
    proba[np.arange(n), np.cumsum(changes) % 2 * 3] = 0.9
    return signals, replace(result, proba=proba)


def forget(folder: Path) -> None:
    """Ask the system to drop the files from its page cache."""
    for path in folder.rglob("*"):
        if path.is_file() and hasattr(os, "posix_fadvise"):
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    os.environ["HAR_HOME"] = tempfile.mkdtemp()
    from app import create_app
    from app.extensions import db
    from app.services import accounts, installation, keys
    from app.tables import User
    from config import Config

    config = Config()
    config.WTF_CSRF_ENABLED = False  # type: ignore[attr-defined]
    app = create_app(config)
    with app.app_context():
        installation.migrate()
        keys.prepare()
        accounts.register("walker", "correct horse battery", "+44 20 7946 0000", "w@example.org", "1 High Street")
        user = db.session.scalars(select(User)).one()
        signals, result = a_day()
        started = time.perf_counter()
        prediction = store(app, user.id, signals, result)
        stored_s = time.perf_counter() - started
        url = f"/predictions/{prediction.recording_id}"
        wrist = f"/predictions/{store(app, user.id, *restless(), 'wrist.csv').recording_id}"
    client = app.test_client()
    client.post("/login", data={"username": "walker", "password": "correct horse battery"})
    client.set_cookie("tz", "Europe/Berlin")

    def get(address: str) -> bytes:
        response = client.get(url + address)
        assert response.status_code == 200, (address, response.status_code)
        return response.data

    get("")  # templates are compiled
    page = client.get(wrist).data
    forget(Path(app.config["UPLOADS"]))
    cold = median_ms(lambda: get("/timeline.json"), 1)
    rng = np.random.default_rng(1)

    def zoom(length_s: float) -> bytes:
        start = rng.uniform(0, 86_400 - length_s)
        return get(f"/timeline.json?from={start:.3f}&to={start + length_s:.3f}")

    document = json.loads(get("/timeline.json"))
    figures = {
        "stored (s)": round(stored_s, 2),
        "windows": len(result),
        "bouts": len(result.bout_columns().windows),
        "page (ms)": median_ms(lambda: get("")),
        "page of 54 minutes with 512 bouts (ms)": median_ms(lambda: client.get(wrist)),
        "page of 54 minutes with 512 bouts (bytes)": len(page),
        "first look at all of it, cold (ms)": cold,
        "look at all of it (ms)": median_ms(lambda: get("/timeline.json")),
        **{f"zoom to {name} (ms)": median_ms(lambda length=length: zoom(length)) for name, length in ZOOMS_S.items()},
        "answer (kB)": len(get("/timeline.json")) // 1000,
        "points of a sensor": max(
            sum(len(trace["values"]) for trace in document["signal"] if trace["sensor"] == sensor)
            for sensor in {trace["sensor"] for trace in document["signal"]}
        ),
        "bands drawn": len(document["recognised"]) + len(document["labelled"]),
        "download of the windows, CSV (ms)": median_ms(lambda: get("/windows.csv"), 3),
        "download of the bouts, JSON (ms)": median_ms(lambda: get("/bouts.json"), 3),
        "download of days and hours, CSV (ms)": median_ms(lambda: get("/daily.csv"), 3),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
