"""Run the benchmarks and write docs/BENCHMARKS.md: ``make bench`` or ``make bench ARGS="datasets web"``.

What does not measure how well or how fast, but whether anything breaks, has a page of its own (``PAGES``).

Each ``bench_<name>.py`` is a program of its own (so that peak memory is its own, too) that prints one JSON document.
The last result of each is kept in ``docs/benchmarks/<name>.json``; the page is written anew from all of them. One that
was run elsewhere is taken over by ``make bench ARGS="folds=result.json"``: ``folds``, ``flower``, ``measures``,
``transitions`` and ``everyday_rivals`` need a second environment, ``answering``, ``load`` and ``trials`` another build
to compare with (``python -m benchmarks.bench_answering --against CHECKOUT``), and ``steps``, ``height``, ``stress``
and ``body`` other data.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import meaning, not_reached

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "benchmarks"
NAMES = [
    "datasets",
    "train",
    "model",
    "ablation",
    "sensors",
    "holes",
    "unfamiliar",
    "depth",
    "everyday",
    "unknown",
    "labelling",
    "personal",
    "personal_speed",
    "correction",
    "explanations",
    "explanations_everyday",
    "explanations_speed",
    "falls",
    "live_answers",
    "alarm_delay",
    "transfer",
    "unlabelled",
    "pretraining",
    "directions",
    "smoothing",
    "context",
    "federation",
    "rates",
    "export",
    "cost",
    "web",
    "recording_page",
    "upload",
    "readers",
    "long",
    "devices",
    "spline",
    "hostile",
    "live",
    "api",
    "sealing",
    "encrypted",
    "kills",
    "cohort",
    "reliability",
]
ELSEWHERE = [
    "folds",
    "flower",
    "everyday_rivals",
    "answering",
    "load",
    "trials",
    "strangers",
    "steps",
    "height",
    "measures",
    "stress",
    "body",
    "transitions",
]
# Of docs/; what is above the mark stays, what is below is written
PAGES = {"cohort": "SCALE.md", "reliability": "RELIABILITY.md"}
MARK = "<!-- Written by `python -m benchmarks`; do not edit below this line. -->"
MAX_COLUMNS = 12  # of a table
LIBRARIES = ["tensorflow", "scikit-learn", "numpy", "polars", "pandas", "waitress"]


def run(name: str) -> None:
    """Run one benchmark and keep its result."""
    print(f"benchmark {name} …", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.bench_{name}"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    keep(name, json.loads(done.stdout))


def keep(name: str, figures: Any) -> None:
    """Write down the figures of a benchmark, and what they were measured with."""
    document = {
        "when": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "python": platform.python_version(),
        "libraries": {library: version(library) for library in LIBRARIES},
        "figures": figures,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def flat(figures: dict[str, Any]) -> dict[str, str]:
    """Flatten a document into what was measured and the figure."""
    rows: dict[str, str] = {}
    for key, value in figures.items():
        if isinstance(value, dict):
            rows |= {f"{key} · {inner}": figure for inner, figure in flat(value).items()}
        elif isinstance(value, float):
            rows[key] = f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
        else:
            rows[key] = "–" if value is None else str(value)
    return rows


def tables(figures: dict[str, Any], title: str = "") -> Iterator[str]:
    """Yield a document as tables: entries that are alike are the rows of one, its plain figures of another."""
    groups = {key: value for key, value in figures.items() if isinstance(value, dict)}
    plain = {key: value for key, value in figures.items() if key not in groups}
    columns = list(dict.fromkeys(column for own in groups.values() for column in flat(own)))
    together = len(groups) > 1 and len(columns) <= MAX_COLUMNS
    if plain or together:
        yield from ("", f"### {title}") if title else ()
    if plain:
        yield from (
            "",
            "| what | figure |",
            "|---|---:|",
            *(f"| {what} | {own} |" for what, own in flat(plain).items()),
        )
    if together:
        yield from ("", f"| | {' | '.join(columns)} |", "|---" + "|---:" * len(columns) + "|")
        for key, value in groups.items():
            yield f"| {key} | {' | '.join(flat(value).get(column, '') for column in columns)} |"
        return
    for key, value in groups.items():
        yield from tables(value, f"{title} · {key}" if title else key)


def write_pages() -> None:
    """Write docs/BENCHMARKS.md, and the tables of the pages of their own, from the kept results."""
    (ROOT / "docs" / "BENCHMARKS.md").write_text(page(), encoding="utf-8")
    for name in PAGES:
        (ROOT / "docs" / PAGES[name]).write_text(own_page(name), encoding="utf-8")


def own_page(name: str) -> str:
    """Return the page of one benchmark: its text as it stands, and its tables."""
    text = (ROOT / "docs" / PAGES[name]).read_text(encoding="utf-8").partition(MARK)[0]
    document = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return "\n".join([text + MARK, *measured(name, document)]) + "\n"


def measured(name: str, document: dict[str, Any]) -> Iterator[str]:
    """Yield how and when a benchmark was run, and its tables."""
    libraries = ", ".join(f"{library} {number}" for library, number in document["libraries"].items())
    yield from (
        "",
        f"`python -m benchmarks.bench_{name}`, {document['when']}, {document['machine']}, "
        f"Python {document['python']}, {libraries}.",
        *tables(document["figures"]),
    )


def page() -> str:
    """Return the page: what the figures mean, and then all of them."""
    paths = {name: RESULTS / f"{name}.json" for name in NAMES + ELSEWHERE if name not in PAGES}
    documents = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}
    results = {name: document["figures"] for name, document in documents.items()}
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench` from `docs/benchmarks/*.json`; do not edit. Times on a shared machine are noisy:",
        "compare the figures of one run with each other. Data: KU-HAR raw (7 of its 18 activities, 710 recordings,",
        "80 subjects) unless named.",
        "",
        *meaning.lines(results),
    ]
    for name, document in documents.items():
        lines += ["", f"## {name}", *measured(name, document)]
        if name == "everyday":
            lines += not_reached.lines(results, RESULTS / "not_reached.md")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for chosen in sys.argv[1:] or NAMES:
        name, _, result = chosen.partition("=")
        if result:
            keep(name, json.loads(Path(result).read_text(encoding="utf-8")))
        else:
            run(name)
    write_pages()
