"""What sealing costs: a day's recording from its arrival to its answer, and looks at its signal, sealed beside plain.

24 h at 100 Hz, six channels (as ``long``). An upload is what the server does with the file (it is stored, with its
fingerprint) and what a reader does (import, recognition, the signal, the result), with the reference model in memory,
each time in a process of its own. Plain and sealed take turns, so that both meet the same load of the machine.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench_long import HOURS, MODEL, ROOT, peak_mib, write_day

TURNS, LOOKS = 3, 40
ZOOMS_S = {"all of it": 24 * 3600.0, "an hour": 3600.0, "five minutes": 300.0, "ten seconds": 10.0}
POINTS = 4000
MEBIBYTE = 2**20


def upload(path: Path, folder: Path, sealed: bool) -> dict[str, Any]:
    """Do what an upload does."""
    from app.har.classifiers.elm_gru_am.persistence import load_model
    from app.har.recordings.upload import open_upload
    from app.services import sealing
    from app.services.recordings import stored_signal
    from app.services.recordings.recognise import Model, always, recognise_upload
    from app.services.recordings.result_files import save_quality, save_result

    model, key = load_model(MODEL), sealing.remember(sealing.Key.new()) if sealed else None
    started, worked = time.perf_counter(), time.process_time()
    source, digest = folder / "source", sha256()
    with path.open("rb") as sent, sealing.created(source, key) as file:
        while piece := sent.read(MEBIBYTE):
            digest.update(piece)
            file.write(piece)
    stored_s = time.perf_counter() - started
    with open_upload(source, "day.csv", opener=sealing.opened) as opened:
        recognised = recognise_upload(opened, always(Model("reference", lambda: model)))
    save_quality(folder, recognised.quality, key)
    saved = time.perf_counter()
    stored_signal.save(folder, recognised.signals, key)
    signal_s = time.perf_counter() - saved
    save_result(folder / "1.npz", recognised.result, key)
    figures = {
        "arrival to answer (s)": time.perf_counter() - started,
        "processor (s)": time.process_time() - worked,
        "of which storing the file (s)": stored_s,
        "of which storing the signal (s)": signal_s,
        "peak memory (MiB)": peak_mib(),
    }
    return figures | {"looks (ms)": looks(folder)}


def looks(folder: Path) -> dict[str, float]:
    """Return how long a part of the signal takes to be ready to draw, the median of some looks at random places."""
    from app.services.recordings.stored_signal import StoredSignal

    rng, times = np.random.default_rng(0), {}
    _, end_s = StoredSignal(folder, "day.csv").extent_s
    for name, length_s in ZOOMS_S.items():
        taken = []
        for _ in range(LOOKS):
            begin = rng.uniform(0, max(end_s - length_s, 0.0))
            started = time.perf_counter()
            signal = StoredSignal(folder, "day.csv")
            seen = signal.view(begin, begin + length_s, dict.fromkeys(signal.channels, POINTS))
            taken.append(1000 * (time.perf_counter() - started))
        assert len(seen) == 6
        times[name] = statistics.median(taken)
    return times


def in_a_process(path: Path, kind: str) -> Any:
    """Measure once in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.bench_sealing", kind, str(path), folder]
        environment = {**os.environ, "MALLOC_ARENA_MAX": "2"}
        environment.pop("_RJEM_MALLOC_CONF", None)
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def middle(found: list[Any]) -> Any:
    """Return the median of each figure."""
    if isinstance(found[0], dict):
        return {name: middle([one[name] for one in found]) for name in found[0]}
    return round(statistics.median(found), 2)


def main(hours: float = HOURS) -> None:
    found: dict[str, list[Any]] = {"plain": [], "sealed": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.csv"
        write_day(path, hours)
        size = path.stat().st_size
        for _ in range(TURNS):
            for kind, results in found.items():
                results.append(in_a_process(path, kind))
    plain, sealed = middle(found["plain"]), middle(found["sealed"])
    times = "arrival to answer (s)", "processor (s)"
    figures = {
        "file (MB)": round(size / 1e6),
        "turns": TURNS,
        "programs that wanted to run": round(os.getloadavg()[0], 1),
        **{f"{name}, sealed in times of plain": round(sealed[name] / plain[name], 3) for name in times},
        "plain": plain,
        "sealed": sealed,
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(upload(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[1] == "sealed")))
    else:
        main(*map(float, sys.argv[1:]))
