"""A week from an Axivity's `.cwa`: 7 days at 100 Hz, written here, read in parts and recognised; and readers alone.

Each measurement is a process of its own. *Own memory* is what the system has to provide; of a week the samples lie in
a file without a name, whose pages it may drop at any time: *with pages of files* counts those too, and *addresses* all
that is mapped, by which a reader is limited (``READ_MEMORY_MB``). The packages that read `.cwa` are measured where they
are installed: ``pip install actfast==1.3.0 cwa-reader-rs==0.5.0`` in an environment of its own, whose Python
``OTHERS_PYTHON`` names. ``AGAINST`` names a checkout of an earlier build (4f6ffa4), whose recognition is compared with.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench_long import peak_mib
from tests.devices import START_S, cwa_block, cwa_header, cwa_packed, packed_time

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "reference_models" / "reference-everyday"
RATE_HZ, DAYS, PER_BLOCK = 100, 7.0, 120
PARTS_S = 1800  # of one activity each
OTHERS = {
    "actfast": "import actfast; r = actfast.read(path); n = len(r['timeseries']['high_frequency']['datetime'])",
    "cwa-reader-rs": "import cwa_reader_rs; n = len(cwa_reader_rs.read_cwa_file(path))",
}


def write_week(path: Path, days: float = DAYS) -> int:
    """Write a week of rest, light movement, walking and running by turns, packed as an AX3 does; return its samples."""
    rng = np.random.default_rng(0)
    template = np.frombuffer(cwa_block(np.zeros((PER_BLOCK, 3), int), START_S, 0, packed=True), np.uint8)
    per_part = PARTS_S * RATE_HZ // PER_BLOCK
    n_blocks = int(days * 86_400 * RATE_HZ) // PER_BLOCK
    with path.open("wb") as file:
        file.write(cwa_header())
        for first in range(0, n_blocks, per_part):
            number = np.arange(first, min(first + per_part, n_blocks))
            energy = (0.0, 0.02, 0.3, 1.0)[first // per_part % 4]
            t = np.arange(len(number) * PER_BLOCK) / RATE_HZ
            wave = energy * np.sin(2 * np.pi * 1.8 * t)[:, None] * (0.5, 1.0, 0.8)
            noise = rng.normal(0, 0.005 + energy / 8, (len(t), 3))
            counts = np.rint(256 * (wave + noise + (0.0, 0.3, 0.95))).astype(np.int64)
            blocks = np.tile(template, (len(number), 1))
            blocks[:, 30:510] = np.frombuffer(cwa_packed(counts), np.uint8).reshape(len(number), 480)
            start_s = START_S + number * (PER_BLOCK / RATE_HZ)
            fraction = np.rint((start_s % 1) * 32768).astype(np.int64)
            moved = -((fraction * 2 * RATE_HZ) >> 16)
            stamps = np.array([packed_time(second) for second in start_s.tolist()], "<u4")
            for place, values in (
                (4, (0x8000 | fraction).astype("<u2")), (10, number.astype("<u4")), (14, stamps),
                (26, moved.astype("<i2")), (510, np.zeros(len(number), "<u2")),
            ):  # fmt: skip
                blocks[:, place : place + values.itemsize] = values[:, None].view(np.uint8)
            total = blocks.view("<u2").sum(axis=1, dtype=np.uint32)
            blocks[:, 510:512] = (-total & 0xFFFF).astype("<u2")[:, None].view(np.uint8)
            file.write(blocks.tobytes())
    return n_blocks * PER_BLOCK


class OwnMemory:
    """The most memory of its own that this process has while it is open; Linux alone tells it."""

    def __enter__(self) -> OwnMemory:
        self.most_mib, self._open = 0, True
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._thread.join()

    def _watch(self) -> None:
        while self._open:
            lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
            own = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
            self.most_mib = max(self.most_mib, own // 1024)
            time.sleep(0.01)


def read_only(path: Path) -> dict[str, Any]:
    """Read as an upload is read: blocks, clocks, holes, what is frozen."""
    from app.har.recordings.upload import read_upload

    before = peak_mib()
    started, worked = time.perf_counter(), time.process_time()
    with OwnMemory() as memory:
        (recording,) = read_upload(path, path.name)
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "processor (s)": round(time.process_time() - worked, 2),
        "samples": len(recording.streams[0].time_s),
        "own memory (MiB)": memory.most_mib,
        "with pages of files (MiB)": peak_mib(),
        "before (MiB)": before,
    }


def recognised(path: Path) -> dict[str, Any]:
    """Do what an upload does: read, recognise, store signal, quality and answers."""
    from app.har.classifiers.stored_models import load_model
    from app.services.recordings import stored_signal
    from app.services.recordings.recognise import Model, always, recognise
    from app.services.recordings.result_files import save_quality, save_result

    model = load_model(MODEL)
    before, addresses = peak_mib(), _addresses_mib()
    started, worked = time.perf_counter(), time.process_time()
    with OwnMemory() as memory, tempfile.TemporaryDirectory() as folder:
        found = recognise(path, path.name, always(Model("reference", lambda: model)))
        save_quality(Path(folder), found.quality, None)
        stored_signal.save(Path(folder), found.signals, None)
        save_result(Path(folder) / "result.npz", found.result, None)
        seconds, processor = time.perf_counter() - started, time.process_time() - worked
    return {
        "seconds": round(seconds, 2),
        "processor (s)": round(processor, 2),
        "windows": len(found.result),
        "own memory (MiB)": memory.most_mib,
        "with pages of files (MiB)": peak_mib(),
        "addresses (MiB)": _addresses_mib() - addresses,
        "before (MiB)": before,
    }


def _addresses_mib() -> int:
    """Return the most address space that this process had."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmPeak")) // 1024


MEASUREMENTS = {"read": read_only, "recognised": recognised}


def in_a_process(name: str, path: Path, checkout: Path = ROOT) -> Any:
    """Make one measurement in a process of its own, by this build or another."""
    command = [sys.executable, __file__, name, str(path)]
    environment = {**os.environ, "MALLOC_ARENA_MAX": "2", "PYTHONPATH": str(checkout)}
    environment.pop("_RJEM_MALLOC_CONF", None)
    done = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def other(python: str, statement: str, path: Path) -> dict[str, Any]:
    """Let a package read the file, in the environment that has it."""
    program = (
        f"import json, resource, time; path = {str(path)!r}; import numpy; a = time.perf_counter(); "
        f"w = time.process_time(); {statement}; print(json.dumps({{'seconds': round(time.perf_counter() - a, 2), "
        "'processor (s)': round(time.process_time() - w, 2), 'samples': n, 'own memory (MiB)': None, "
        "'with pages of files (MiB)': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))"
    )
    done = subprocess.run([python, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main(days: float = DAYS) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "week.cwa"
        samples = write_week(path, days)
        figures: dict[str, Any] = {
            "days": days,
            "file (MB)": round(path.stat().st_size / 1e6),
            "samples": samples,
            "programs that wanted to run": round(os.getloadavg()[0], 1),
            "reading": in_a_process("read", path),
            "reading and recognition": in_a_process("recognised", path),
        }
        if against := os.environ.get("AGAINST"):
            figures["reading and recognition before"] = in_a_process("recognised", path, Path(against))
        python = os.environ.get("OTHERS_PYTHON")
        packages = {f"{name} alone": other(python, statement, path) for name, statement in OTHERS.items() if python}
        figures |= packages
        if against and packages:
            now, old = figures["reading and recognition"], figures["reading and recognition before"]
            fastest = min(own["seconds"] for own in packages.values())
            by_then = old["seconds"] - figures["reading"]["seconds"]
            figures["times as fast as the fastest package and the recognition before"] = round(
                (fastest + by_then) / now["seconds"], 1
            )
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(MEASUREMENTS[sys.argv[1]](Path(sys.argv[2]))))
    else:
        main(*map(float, sys.argv[1:]))
