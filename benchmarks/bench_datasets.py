"""What adding a data set costs, beside what plain parsing of the same file costs in the same run; JSON on stdout.

python -m benchmarks.bench_datasets [--rows 20750] [--repeat 1]; the real recordings are looked for in HAR_DATA_DIR.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
KU_HAR = Path("ku-har") / "1.Raw_time_domian_data.zip"


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def read_with_pandas(path: Path) -> None:
    """Read every CSV of the archive, the least that any loader has to do."""
    import pandas as pd

    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                pd.read_csv(file, header=None)


def read_with_polars(path: Path) -> None:
    """Parse the file as polars does by itself."""
    import polars as pl

    pl.read_csv(path, has_header=False)


def add(path: Path) -> None:
    """Add the data set: fingerprint, rows as recorded, resampled signal, summary."""
    from app.har.datasets.store import build_store

    with tempfile.TemporaryDirectory(dir=path.parent if os.access(path.parent, os.W_OK) else None) as folder:
        build_store(path, Path(folder) / "store")


WORK: dict[str, Callable[[Path], None]] = {"pandas": read_with_pandas, "polars": read_with_polars, "add": add}


def in_child(what: str, path: Path) -> dict[str, float]:
    """Do one piece of work in a process of its own; return its seconds, without imports, and peak memory."""
    command = [sys.executable, "-m", "benchmarks.bench_datasets", "--child", what, str(path)]
    return dict(json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout))


def child(what: str, path: Path) -> dict[str, float]:
    """Run in the child process."""
    import resource

    import app.har.store  # noqa: F401
    import pandas  # noqa: F401
    import polars  # noqa: F401
    from scipy import signal  # noqa: F401

    taken = seconds(lambda: WORK[what](path))
    return {"seconds": round(taken, 2), "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}


def generate(path: Path, rows: int) -> None:
    """Write windows in KU-HAR's subsample layout, about 20 kB a row, as noise that no parser can take short."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        for start in range(0, rows, 500):
            n = min(500, rows - start)
            values = rng.normal(0, 3, (n, 1800)).astype(np.float32).astype(str)
            for number, row in enumerate(values, start + 1):
                file.write(",".join(row) + f",{number % 18},300,{number}\n")


def compared(path: Path, rival: str, repeat: int) -> dict[str, Any]:
    """Return the best of both sides, taken alternately."""
    runs = [(in_child(rival, path), in_child("add", path)) for _ in range(repeat)]
    plain, own = (min((run[side] for run in runs), key=lambda r: r["seconds"]) for side in (0, 1))
    return {
        "bytes": path.stat().st_size,
        rival: plain,
        "add": own,
        "ratio": round(own["seconds"] / plain["seconds"], 2),
    }


def pages(path: Path) -> dict[str, Any]:
    """Return milliseconds for opening a store and for pages of its rows."""
    from app.har.datasets.store import build_store, open_store
    from app.har.windows import make_windows

    with tempfile.TemporaryDirectory() as folder:
        build_store(path, Path(folder) / "store")
        opened = seconds(lambda: open_store(Path(folder) / "store").signals)
        store = open_store(Path(folder) / "store")
        columns = store.columns("rows")
        first = [seconds(lambda c=c: store.rows("rows", sort=c, offset=10_000)) for c in columns]
        later = [
            seconds(lambda c=c, d=d: store.rows("rows", sort=c, descending=d, offset=1_000_000))
            for c in columns
            for d in (False, True)
        ]
        disk = sum(file.stat().st_size for file in (Path(folder) / "store").iterdir())
        return {
            "rows": store.summary.rows,
            "open_ms": round(opened * 1e3, 1),
            "first_sort_ms_worst": round(max(first) * 1e3, 1),
            "page_ms_worst": round(max(later) * 1e3, 1),
            "windows": len(make_windows(store.signals)),
            "make_windows_ms": round(seconds(lambda: make_windows(store.signals)) * 1e3),
            "store_mib": round(disk / 2**20),
        }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_750)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "PATH"))
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.child[0], Path(options.child[1]))))
        return
    import polars

    result: dict[str, Any] = {
        "machine": platform.platform(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "polars": polars.__version__,
        "numpy": np.__version__,
    }
    archive = Path(os.environ.get("HAR_DATA_DIR", ROOT.parent / "shared" / "data")) / KU_HAR
    if archive.is_file():
        result["ku_har_raw_zip"] = compared(archive, "pandas", options.repeat)
        result["ku_har_pages"] = pages(archive)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "subsamples.csv"
        generate(path, options.rows)
        result["subsamples_csv"] = compared(path, "polars", options.repeat)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
