"""A day's recording: 24 h at 100 Hz, six channels, a jittering clock, two holes; imported, recognised and stored.

Each measurement is a process of its own, so that its peak memory is its own. ``import`` is reading, repair, quality
card and resampling to the model's rate. ``import and recognition`` is what an upload does, with the reference model in
memory from the start. What polars takes to parse the same file is measured before and after. How fast the page of such
a day opens is told by ``recording_page``. Beside other work the time of the processor says more than that of the clock.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "reference_models" / "reference-ku-har"  # 100 Hz, six channels, without gravity
RATE_HZ, HOURS = 100, 24.0
HOLES = {1 / 3: 12.0, 1 / 2: 75.0}  # seconds without samples, after so much of the recording
HEADER = b"time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n"


def write_day(path: Path, hours: float = HOURS) -> None:
    """Write a recording in Kinelab's layout: five activities of ten minutes in turn, noise, a clock as phones have."""
    import polars as pl

    rng = np.random.default_rng(0)
    n = int(hours * 3600 * RATE_HZ)
    minutes = 10 * 60 * RATE_HZ
    with path.open("wb") as file:
        file.write(HEADER)
        for first in range(0, n, minutes):
            row = np.arange(first, min(first + minutes, n))
            time_s = row / RATE_HZ + rng.uniform(-2e-3, 2e-3, len(row))
            for share, length_s in HOLES.items():
                time_s[row >= share * n] += length_s
            energy = (0.05, 0.2, 1.0, 3.0, 6.0)[first // minutes % 5]
            step = np.sin(2 * np.pi * 1.8 * time_s)[:, None] * energy * np.array([1.0, 2.0, 1.5, 0.4, 0.6, 0.5])
            values = step + rng.normal(0, 0.05 + energy / 4, (len(row), 6))
            columns = {"t": time_s, **{str(i): axis for i, axis in enumerate(values.T)}}
            pl.DataFrame(columns).write_csv(file, include_header=False, float_precision=7)


def peak_mib() -> int:
    """Return the most memory that this process ever had, in MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))


def parse_only(path: Path) -> dict[str, Any]:
    """Parse the file with polars, as plainly as can be."""
    import polars as pl

    started, worked = time.perf_counter(), time.process_time()
    rows = len(pl.read_csv(path))
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "processor (s)": round(time.process_time() - worked, 2),
        "peak memory (MiB)": peak_mib(),
        "rows": rows,
    }


def import_only(path: Path) -> dict[str, Any]:
    """Read, repair, examine, resample; libraries are loaded before the clock starts, as for the parse alone."""
    from app.har.recordings.quality import card
    from app.har.recordings.upload import read_upload
    from app.har.signals.normalisation import normalise_units
    from app.har.signals.resampling import to_signal_set

    for library in ("polars", "scipy.linalg", "scipy.signal"):  # after app.har, which settles how allocators behave
        import_module(library)

    before = peak_mib()
    started, worked = time.perf_counter(), time.process_time()
    recordings = [normalise_units(recording) for recording in read_upload(path, path.name)]
    read_s = time.perf_counter() - started
    cards = [card(recording) for recording in recordings]
    card_s = time.perf_counter() - started - read_s
    signals = to_signal_set(recordings, RATE_HZ)
    total_s, worked_s = time.perf_counter() - started, time.process_time() - worked
    assert signals.length.sum() > 0
    assert cards
    return {
        "seconds": round(total_s, 2),
        "processor (s)": round(worked_s, 2),
        "of which reading and repair (s)": round(read_s, 2),
        "of which the quality card (s)": round(card_s, 2),
        "of which resampling (s)": round(total_s - read_s - card_s, 2),
        "peak memory (MiB)": peak_mib(),
        "before the import (MiB)": before,
    }


def upload(path: Path) -> dict[str, Any]:
    """Do what an upload does."""
    from app.har.classifiers.elm_gru_am.persistence import load_model
    from app.services.recordings import stored_signal
    from app.services.recordings.recognise import Model, always, recognise

    before = peak_mib()
    model = load_model(MODEL)
    loaded = peak_mib()
    began: dict[str, float] = {}
    worked: dict[str, float] = {}
    events = 0

    def on_event(event: dict[str, Any]) -> None:
        nonlocal events
        events += 1
        began.setdefault(event["stage"], time.perf_counter())
        worked.setdefault(event["stage"], time.process_time())

    recognised = recognise(path, path.name, always(Model("reference", lambda: model)), on_event)
    done, worked_s = time.perf_counter(), time.process_time() - worked["recognising"]
    recognised_mib = peak_mib()
    with tempfile.TemporaryDirectory() as folder:
        stored_signal.save(Path(folder), recognised.signals, None)
    return {
        "import (s)": round(began["recognising"] - began["reading"], 2),
        "recognition (s)": round(done - began["recognising"], 2),
        "recognition, processor (s)": round(worked_s, 2),
        "windows": len(recognised.result),
        "storing the signal (s)": round(time.perf_counter() - done, 2),
        "progress reports": events,
        "peak memory (MiB)": recognised_mib,
        "peak memory, stored (MiB)": peak_mib(),
        "of which the model (MiB)": loaded - before,
    }


MEASUREMENTS = {"parse": parse_only, "import": import_only, "upload": upload}


def in_a_process(name: str, path: Path) -> Any:
    """Make one measurement in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bench_long", name, str(path)]
    environment = {**os.environ, "MALLOC_ARENA_MAX": "2"}  # as the site starts those that read uploads
    environment.pop("_RJEM_MALLOC_CONF", None)  # that polars set here for itself; `app.har` sets another for an import
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(hours: float = HOURS) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.csv"
        write_day(path, hours)
        parse, imported = in_a_process("parse", path), in_a_process("import", path)
        again, uploaded = in_a_process("parse", path), in_a_process("upload", path)
        size = path.stat().st_size
    plain_s = (parse["seconds"] + again["seconds"]) / 2
    worked_s = (parse["processor (s)"] + again["processor (s)"]) / 2
    figures = {
        "file (MB)": round(size / 1e6),
        "programs that wanted to run": round(os.getloadavg()[0], 1),
        "rows": parse["rows"],
        "import, in times of polars' plain parse": round(imported["seconds"] / plain_s, 2),
        "its processor time, in times of that of the plain parse": round(imported["processor (s)"] / worked_s, 2),
        "polars' plain parse": {
            "seconds": round(plain_s, 2),
            "processor (s)": round(worked_s, 2),
            "peak memory (MiB)": parse["peak memory (MiB)"],
        },
        "import": imported,
        "import and recognition": uploaded,
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(MEASUREMENTS[sys.argv[1]](Path(sys.argv[2]))))
    else:
        main(*map(float, sys.argv[1:]))
