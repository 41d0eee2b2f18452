"""How long the program takes to begin: ``flask --help``, ``import app``, and the first page after a start.

python -m benchmarks.bench_startup [CHECKOUT …]: with further checkouts, each is measured in turn, one round after the
other, so that all of them see the same machine. Prints one JSON document: seconds, the median of the rounds.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 15


def environment(home: str) -> dict[str, str]:
    return {**os.environ, "HAR_HOME": home, "FLASK_APP": "app", "PORT": "0", "PYTHONDONTWRITEBYTECODE": ""}


def run(checkout: Path, home: str, *arguments: str) -> None:
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=checkout, env=environment(home), stdout=subprocess.DEVNULL, check=True)


def show_help(checkout: Path, home: str) -> None:
    run(checkout, home, "-m", "flask", "--help")


def import_app(checkout: Path, home: str) -> None:
    run(checkout, home, "-c", "from app import create_app; create_app()")


def first_page(checkout: Path, home: str) -> None:
    """Start the site on a home that was prepared before, and fetch its first page."""
    with subprocess.Popen(
        [sys.executable, "run.py"], cwd=checkout, env=environment(home), stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        address = next(found[1] for line in server.stdout if (found := re.match(r"Kinelab is at (\S+)", line)))
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310  our own server
            assert answer.status == 200
        server.terminate()


MEASURED: dict[str, Callable[[Path, str], None]] = {
    "flask --help": show_help, "import app, create_app()": import_app, "start to first page": first_page
}  # fmt: skip


def main() -> None:
    checkouts = [ROOT, *map(Path, sys.argv[1:])]
    times: dict[str, dict[str, list[float]]] = {name: {str(c): [] for c in checkouts} for name in MEASURED}
    with tempfile.TemporaryDirectory() as folder:
        homes = {checkout: str(Path(folder) / str(number)) for number, checkout in enumerate(checkouts)}
        for checkout in checkouts:
            first_page(checkout, homes[checkout])  # prepares the home
        for _ in range(ROUNDS):
            for name, measure in MEASURED.items():
                for checkout in checkouts:
                    started = time.perf_counter()
                    measure(checkout, homes[checkout])
                    times[name][str(checkout)].append(time.perf_counter() - started)
    own = str(ROOT)
    medians = {name: {c: statistics.median(values) for c, values in of.items()} for name, of in times.items()}
    print(
        json.dumps(
            {
                name: {
                    "seconds": round(of[own], 3),
                    "of_other_checkouts": {Path(c).name: round(seconds, 3) for c, seconds in of.items() if c != own},
                    "ratio": [round(of[own] / seconds, 2) for c, seconds in of.items() if c != own],
                }
                for name, of in medians.items()
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
