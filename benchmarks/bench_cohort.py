"""A cohort of ten-minute recordings: a plain loop, one worker, two workers; memory; workers that are killed; scale.

``python -m benchmarks.bench_cohort [FILES]``: 50 Hz, accelerometer with gravity and gyroscope, CSV of Kinelab's layout,
the reference model for everyday life. Eight recordings are made, and copied until there are enough. Every measurement
is a run of the very process of ``flask cohort run`` with its workers; processor time is that of all of them, their
start too. What the start takes is measured by a run of two files. Of fewer than a thousand files, the figures for a
thousand are computed from that, and named so. Where something else runs beside, a clock says little, processor time
more.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "reference_models" / "reference-everyday"
RATE_HZ, MINUTES, MADE = 50, 10.0, 8
FILES, ASKED = 1000, 1000
SMALL_FILES, KILLS = 200, 5
DAYS = 100_000  # of people
HOURS = 2.0  # of the recording by which a day is computed
WORKERS = (1, 2, 8, 32, 128, 512)
NETWORK_MB_S = 1250  # 10 Gbit/s
ENERGY = (0.05, 3.0, 0.2, 6.0, 1.0)  # m/s², of what follows itself every minute


def write_recording(path: Path, minutes: float, seed: int, rate_hz: float = RATE_HZ) -> None:
    """Write a recording in Kinelab's layout: gravity, and a step in turn with rest."""
    import polars as pl

    rng = np.random.default_rng(seed)
    n = int(minutes * 60 * rate_hz)
    time_s = np.arange(n) / rate_hz
    energy = np.array(ENERGY)[(time_s // 60).astype(int) % len(ENERGY)][:, None]
    step = np.sin(2 * np.pi * 1.8 * time_s)[:, None] * energy * np.array([0.5, 1.0, 0.7, 0.2, 0.3, 0.2])
    values = step + rng.normal(0, 0.03 + energy / 6, (n, 6)) + np.array([0.6, 9.6, 1.8, 0, 0, 0])
    names = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
    columns = {"time_s": time_s, **dict(zip(names, values.T, strict=True))}
    pl.DataFrame(columns).write_csv(path, float_precision=5)


def write_folder(folder: Path, n: int, minutes: float) -> Path:
    """Write so many recordings of ten people."""
    folder.mkdir()
    made = [folder / f"made-{seed}" for seed in range(min(MADE, n))]
    for seed, path in enumerate(made):
        write_recording(path, minutes, seed)
    for number in range(n):
        path = folder / f"p{number % 10}" / f"r{number:04}.csv"
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(made[number % len(made)], path)
    for path in made:
        path.unlink()
    return folder


def job_of(folder: Path) -> Any:
    """Return the job that recognises a folder by the reference model."""
    from app.services.cohorts.job import Job
    from app.services.recordings.model_choice import StoredModel

    return Job(str(folder), StoredModel(1, "reference-everyday/1", str(MODEL), None, 0.0))


def processor_s() -> float:
    """Return the processor time of this process and of all that it has waited for."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def loop(folder: Path, files: int) -> dict[str, float]:
    """Recognise so many files one after another, as plainly as can be, in a process of its own."""
    from app.services.cohorts.running import ONE_THREAD

    command = [sys.executable, "-m", "benchmarks.bench_cohort", "loop", str(folder), str(files)]
    before, started = processor_s(), time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=os.environ | ONE_THREAD, check=True)
    return {"seconds": time.perf_counter() - started, "processor_s": processor_s() - before}


def loop_here(folder: Path, files: int) -> None:
    """Do the work of `loop`."""
    from app.services.cohorts import recogniser

    text = json.dumps(job_of(folder).as_dict())
    for path in sorted(folder.rglob("*.csv"))[:files]:
        answer = recogniser.answer(text, str(path.relative_to(folder)))
        assert "row" in answer, answer


class _Killer:
    """Kills a worker now and then, at moments that nobody chose."""

    def __init__(self, files: int, kills: int) -> None:
        rng = random.Random(0)
        self._at = sorted(rng.sample(range(5, files - 10), kills))
        self.killed = 0

    def take(self, event: dict[str, Any]) -> None:
        """Look how far the run is."""
        import psutil

        if not self._at or event.get("new", 0) < self._at[0]:
            return
        own = psutil.Process().children(recursive=True)
        found = [one for one in own if "multiprocessing.spawn" in " ".join(one.cmdline())]
        if found:
            random.choice(found).kill()
            self._at.pop(0)
            self.killed += 1


def cohort(folder: Path, out: Path, workers: int, kills: int = 0, files: int = 0) -> dict[str, Any]:
    """Run a cohort; return what came of it and what it cost."""
    from flask import Flask

    from app.services.cohorts import running
    from app.services.cohorts.cluster import Where

    out.mkdir(exist_ok=True)
    app = Flask("bench")
    app.config.update(READ_TIMEOUT_S=300, READ_MEMORY_MB=3072)
    killer = _Killer(files, kills) if kills else None
    before, started = processor_s(), time.perf_counter()
    with (
        app.app_context(),
        running.started(job_of(folder), out / "r.parquet", Where(workers), out / "stop", out / "log") as process,
    ):
        ended = process.follow(killer.take if killer else lambda _: None)
        process.process.wait()
    return {
        "ended": ended,
        "seconds": time.perf_counter() - started,
        "processor_s": processor_s() - before,
        "killed": killer.killed if killer else 0,
        "costs": _costs(out / "r.answers.sqlite"),
    }


def _costs(path: Path) -> list[dict[str, float]]:
    """Return what each answer cost, in the order in which they came."""
    with closing(sqlite3.connect(path)) as connection:
        return [json.loads(cost) for (cost,) in connection.execute("SELECT cost FROM answer ORDER BY rowid")]


def _memory(costs: list[dict[str, float]]) -> dict[str, float]:
    own = [cost["memory_mib"] for cost in costs if cost]
    quarter = max(len(own) // 4, 1)
    return {
        "after the first quarter (MiB)": float(np.max(own[:quarter])),
        "at the end (MiB)": float(np.max(own[-quarter:])),
        "at most (MiB)": float(np.max(own)),
    }


def measure(files: int) -> dict[str, Any]:
    """Measure the loop, one worker and two."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        folder, few = write_folder(place / "many", files, MINUTES), write_folder(place / "few", 2, MINUTES)
        size = sum(path.stat().st_size for path in folder.rglob("*.csv")) / files
        plain, plain_few = loop(folder, files), loop(folder, 2)
        runs, starts = {}, {}
        for workers in (1, 2):
            starts[workers] = cohort(few, place / f"few-{workers}", workers)
            runs[workers] = cohort(folder, place / f"many-{workers}", workers)
            shutil.rmtree(place / f"many-{workers}")
        small = write_folder(place / "small", SMALL_FILES, 0.5)
        killed = cohort(small, place / "killed", 2, KILLS, SMALL_FILES)
        second = cohort(small, place / "killed", 2)
        long = place / "long"
        long.mkdir()
        write_recording(long / "day.csv", HOURS * 60, 1, 100.0)
        long_size, long_cost = (long / "day.csv").stat().st_size, loop(long, 1)
    return _figures(files, size, plain, plain_few, runs, starts, killed, second, long_size, long_cost)


def _figures(
    files: int,
    size: float,
    plain: dict[str, float],
    plain_few: dict[str, float],
    runs: dict[int, dict[str, Any]],
    starts: dict[int, dict[str, Any]],
    killed: dict[str, Any],
    second: dict[str, Any],
    long_size: float,
    long_cost: dict[str, float],
) -> dict[str, Any]:
    loop_file_s = (plain["processor_s"] - plain_few["processor_s"]) / (files - 2)
    loop_start_s = plain_few["processor_s"] - 2 * loop_file_s
    rows: dict[str, Any] = {
        "plain loop": {
            "seconds": plain["seconds"],
            "processor (s)": plain["processor_s"],
            "of which the start (s)": loop_start_s,
            "processor a file (s)": loop_file_s,
        }
    }
    for workers, found in runs.items():
        file_s = (found["processor_s"] - starts[workers]["processor_s"]) / (files - 2)
        start_s = starts[workers]["processor_s"] - 2 * file_s
        asked = (start_s + ASKED * file_s) / (loop_start_s + ASKED * loop_file_s)
        rows[f"{workers} worker{'s' if workers > 1 else ''}"] = {
            "seconds": found["seconds"],
            "processor (s)": found["processor_s"],
            "of which the start (s)": start_s,
            "processor a file (s)": file_s,
            "processor against the loop": found["processor_s"] / plain["processor_s"],
            f"the same of {ASKED:,} files, computed": asked,
        }
    apart = {n: (found["seconds"] - starts[n]["seconds"]) / (files - 2) for n, found in runs.items()}
    whole = {n: starts[n]["seconds"] + (ASKED - 2) * apart[n] for n in runs}
    own_s = (runs[2]["ended"].processor_s - starts[2]["ended"].processor_s) / (files - 2)
    figures: dict[str, Any] = {
        "recordings": files,
        "minutes of each": MINUTES,
        "bytes of each": round(size),
        "two workers are faster than one, by the clock": runs[1]["seconds"] / runs[2]["seconds"],
        "the same without their start": apart[1] / apart[2],
        f"the same of {ASKED:,} files, computed": whole[1] / whole[2],
        "cost": rows,
        "memory of a worker": {f"{n} worker{'s' * (n > 1)}": _memory(found["costs"]) for n, found in runs.items()},
        "workers killed": {
            "files": killed["ended"].files,
            "kills": killed["killed"],
            "with an answer": killed["ended"].answered,
            "with a line of failure": killed["ended"].failed,
            "done by a second run": second["ended"].new,
        },
        "a file costs who hands it out, processor (s)": own_s,
    }
    return figures | _scale(own_s, loop_file_s, long_size, long_cost["processor_s"] - loop_start_s)


def _scale(own_s: float, file_s: float, long_size: float, long_s: float) -> dict[str, Any]:
    """Compute what many days of people cost, from what was measured."""
    day_s, day_mb = long_s * 24 / HOURS, long_size / 2**20 * 24 / HOURS
    at_once = NETWORK_MB_S / (day_mb / day_s)
    return {
        "a day of a person": {
            "processor (s), of 24 h at 100 Hz, computed from 2 h": day_s,
            "bytes as CSV (MB)": day_mb,
            "a worker reads (MB/s)": day_mb / day_s,
        },
        f"{DAYS:,} days of people": {
            f"{workers:,} worker{'s' * (workers > 1)}": {
                "hours": DAYS * day_s / workers / 3600,
                "read from the disk (MB/s)": workers * day_mb / day_s,
                "who hands out is busy": f"{100 * min(workers * own_s / day_s, 9.99):.2g} %",
            }
            for workers in WORKERS
        },
        "the first bottleneck": {
            "whole days as CSV: workers that 10 Gbit/s feed": round(at_once),
            "whole days: workers that one process can hand files to": round(day_s / own_s),
            "ten-minute files: workers that one process can hand files to": round(file_s / own_s),
        },
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(own) for name, own in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    if sys.argv[1:2] == ["loop"]:
        loop_here(Path(sys.argv[2]), int(sys.argv[3]))
        sys.exit()
    print(json.dumps(_rounded(measure(int(sys.argv[1]) if len(sys.argv) > 1 else FILES)), indent=2))
