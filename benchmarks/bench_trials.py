"""A zip of 300 small recordings, one a trial: reading, units, quality cards and resampling, as an upload does them.

Each turn is a process of its own; the best of some counts, as other work only ever adds. ``--against PATH`` measures
another checkout beside this one, in turns, so that both meet the same load of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
TRIALS, ROWS, RATE_HZ, TURNS, IN_A_PROCESS = 300, 500, 50, 5, 4
HEADER = "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"


def write_trials(path: Path) -> None:
    """Write the recordings, of 10 s each, in Kinelab's layout."""
    rng = np.random.default_rng(0)
    time_s = np.arange(ROWS) / RATE_HZ
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(TRIALS):
            values = rng.normal([0, 0, 9.8, 0, 0, 0], 1, (ROWS, 6))
            lines = (",".join(f"{cell:.4f}" for cell in row) for row in np.column_stack([time_s, values]))
            archive.writestr(f"trial{number:03}.csv", "\n".join([HEADER, *lines, ""]))


def import_once(path: Path) -> dict[str, float]:
    """Import them; return for how long, and how long the cores worked for it, in two parts."""
    from app.har.recordings.quality import card
    from app.har.recordings.upload import read_upload
    from app.har.signals.normalisation import normalise_upload
    from app.har.signals.resampling import to_signal_set

    started, worked = time.perf_counter(), time.process_time()
    recordings = normalise_upload(read_upload(path, path.name))
    read_s = time.process_time() - worked
    cards = [card(recording) for recording in recordings]
    signals = to_signal_set(recordings, RATE_HZ)
    found = {"seconds": time.perf_counter() - started, "processor (s)": time.process_time() - worked}
    assert len(cards) == len(signals.recording_ids) == TRIALS
    return found | {"of which reading and units (s)": read_s}


def turn(checkout: Path, path: Path) -> dict[str, float]:
    """Import them in a process of another checkout, several times; return the best."""
    command = [sys.executable, str(Path(__file__).resolve()), "--measure", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def best(found: list[dict[str, float]]) -> dict[str, float]:
    return {what: round(min(own[what] for own in found), 3) for what in found[0]}


def main(against: Path | None) -> None:
    checkouts = {"this build": ROOT} | ({} if against is None else {"the other": against.resolve()})
    found: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trials.zip"
        write_trials(path)
        for _ in range(TURNS):
            for name, checkout in checkouts.items():
                found[name].append(turn(checkout, path))
    figures: dict[str, Any] = {"recordings": TRIALS, "rows of each": ROWS}
    bests = {name: best(own) for name, own in found.items()}
    if against is not None:
        other = bests["the other"]
        bests["times the other"] = {what: round(own / other[what], 2) for what, own in bests["this build"].items()}
    print(json.dumps(figures | bests, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, help="another checkout, measured in turns")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        print(json.dumps(best([import_once(options.measure) for _ in range(IN_A_PROCESS)])))
    else:
        main(options.against)
