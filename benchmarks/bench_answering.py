"""What an answer costs: the start of ``flask predict``, the server's memory, the time of one window and of thousands.

python -m benchmarks.bench_answering [--against CHECKOUT] [--rounds 7]: another checkout is measured in turns with this
one, each in processes and with a home of its own, so that both meet the same load of the machine. The recording is
five minutes at 100 Hz in Kinelab's layout, the model the default one for it. Times, and how they compare,
are medians over the rounds, of memory the most counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks import bench_upload  # noqa: E402  found wherever this file is run
from benchmarks.bench_startup import environment, first_page  # noqa: E402

ROUNDS, SECONDS = 7, 300
MODEL = "reference-ku-har"
WINDOWS = (1, 512, 10_000)
REPEATS = {1: 50, 512: 5, 10_000: 1}  # in each round, of which the median counts
MIB = 2**20 if sys.platform == "darwin" else 2**10  # of what the system calls the most memory


def predict(checkout: Path, home: Path, recording: Path) -> dict[str, float]:
    """Run ``flask predict`` as from a shell; return seconds and MiB."""
    command = [sys.executable, "-m", "flask", "predict", str(recording), "--model", MODEL]
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=checkout, env=environment(str(home)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, checkout
    return {"flask predict (s)": seconds, "flask predict, peak (MiB)": usage.ru_maxrss / MIB}


def serve(recording: Path) -> None:
    """Serve the checkout in the current folder: recognise an upload, then time what each line of stdin asks for."""
    sys.path.insert(0, str(Path.cwd()))
    app, client = bench_upload.site()
    response = client.post("/predictions/", **bench_upload.multipart(recording))
    assert response.status_code == 302, response.text
    print(json.dumps([resident_mib()]), flush=True)
    with app.app_context():
        versions = of_any_build("app.services.models.model_versions", "app.services.model_versions")
        names = ("model_files", "model_versions")
        files = of_any_build(*(f"app.services.models.{name}" for name in names), "app.services.model_versions")

        def load() -> Any:
            version = versions.get(MODEL)
            if hasattr(versions, "load"):
                return versions.load(version)
            return files.load(versions.directory(version), version.label)

        model = load()
        window_set = of_any_build("app.har.windows", "app.har.types").WindowSet
        rng = np.random.default_rng(0)
        for line in sys.stdin:
            n = int(line)
            if not n:
                files._loaded.clear()
                print(json.dumps(medians_ms(load, 1)), flush=True)
                continue
            X = rng.normal(0, 1, (n, model.n_timesteps, len(model.channels))).astype(np.float32)
            names = np.array(["walk"] * n)
            windows = window_set(
                X, np.zeros(n, np.int64), model.activities, names, names, np.arange(n, dtype=np.float64),
                model.channels, model.sampling_rate_hz, model.gravity,
            )  # fmt: skip
            print(json.dumps(medians_ms(lambda windows=windows: model.recognise(windows), REPEATS[n])), flush=True)


def of_any_build(*names: str) -> Any:
    """Import the first of some modules that there is: packages moved between builds."""
    for name in names[:-1]:
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    return import_module(names[-1])


def medians_ms(function: Any, repeats: int) -> list[float]:
    """Return how long it takes, and how long the cores work for it, which the load of the machine changes less."""
    times = []
    for _ in range(repeats):
        before = time.perf_counter(), time.process_time()
        function()
        times.append((time.perf_counter() - before[0], time.process_time() - before[1]))
    return [1000 * statistics.median(values) for values in zip(*times, strict=True)]


def resident_mib() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss / 2**20)


class Server:
    """A process that serves one checkout."""

    def __init__(self, checkout: Path, home: Path, recording: Path) -> None:
        kept = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "PYTHONPATH")}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "--serve", str(recording)],
            cwd=checkout,
            env=kept | {"HAR_HOME": str(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def figures(self, asked: int | None = None) -> list[float]:
        """Return the next figures, of what is asked for."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if asked is not None:
            self.process.stdin.write(f"{asked}\n")
            self.process.stdin.flush()
        found: list[float] = json.loads(self.process.stdout.readline())
        return found


def measured(checkouts: dict[str, Path], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return by checkout and figure what each round gave."""
    times: dict[str, dict[str, list[float]]] = {name: {} for name in checkouts}

    def keep(name: str, **figures: float) -> None:
        for figure, value in figures.items():
            times[name].setdefault(figure, []).append(value)

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recording = folder / "walk.csv"
        lines = bench_upload.walk(bench_upload.KNOWN).splitlines(keepends=True)
        recording.write_bytes(b"".join(lines[: SECONDS * bench_upload.RATE_HZ + 1]))
        for name, checkout in checkouts.items():
            first_page(checkout, str(folder / name))  # prepares the home
        for _ in range(rounds):
            for name, checkout in checkouts.items():
                keep(name, **predict(checkout, folder / name, recording))
        servers = {name: Server(checkout, folder / f"{name} served", recording) for name, checkout in checkouts.items()}
        for name, server in servers.items():
            keep(name, **{"server after its first recognition (MiB)": server.figures()[0]})
        for repeat in range(rounds + 1):
            for n in (0, *WINDOWS):
                for name, server in servers.items():
                    taken, worked = server.figures(n)
                    if repeat:  # the first is to warm up
                        what = f"{n:,} window{'s' * (n > 1)}" if n else "load the model"
                        keep(name, **{f"{what} (ms)": taken, f"{what}, work of the cores (ms)": worked})
        for server in servers.values():
            server.process.communicate()
    return times


def main(against: Path | None, rounds: int) -> None:
    """Measure and print the figures."""
    checkouts = {"this build": ROOT, **({"the other build": against} if against else {})}
    times = measured(checkouts, rounds)
    figures: dict[str, Any] = {"recording (s)": SECONDS, "rounds": rounds}
    if against:
        log = ["git", "-C", str(against), "log", "-1", "--format=%h of %cs"]
        figures["the other build is"] = subprocess.run(log, capture_output=True, text=True, check=True).stdout.strip()
    for what in times["this build"]:
        middle = max if what.endswith("(MiB)") else statistics.median
        row = {name: float(f"{middle(of[what]):.3g}") for name, of in times.items()}
        if against:
            ours, theirs = (times[name][what] for name in checkouts)
            row["times the other"] = round(middle(a / b for a, b in zip(ours, theirs, strict=True)), 3)
        figures[what] = row
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout, measured in turns with this one")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
    else:
        main(options.against and options.against.resolve(), options.rounds)
