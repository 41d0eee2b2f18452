"""A long run of one character, wherever it is in a file, costs no more than its length, and not the square of it."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest

from app.har.errors import HarError
from app.har.recordings.files import in_memory
from app.har.recordings.importers import IMPORTERS
from app.har.recordings.mappings.guess import guess
from app.har.recordings.mappings.guess_columns import split_axis, unit_in, words_of
from app.har.recordings.sensors import word_of_kind
from app.har.recordings.tables import open_table
from app.har.recordings.upload import read_upload
from tests import exports, synthetic
from tests.exports import e4, walk

SHORT = walk(seconds=4.0)
FILES = {
    "Kinelab": synthetic.kinelab_csv(seconds=4.0),
    "spaces": synthetic.kinelab_csv(seconds=4.0).replace(",", ", "),
    "decimal commas": synthetic.kinelab_csv(seconds=4.0).replace(",", ";").replace(".", ","),
    "tabs": synthetic.kinelab_csv(seconds=4.0).replace(",", "\t"),
    "Sensor Logger": next(iter(exports.sensor_logger(SHORT).values())),
    "Sensor Logger's JSON": exports.sensor_logger_json(SHORT),
    "phyphox": next(iter(exports.phyphox(SHORT).values())),
    "Physics Toolbox": exports.physics_toolbox(SHORT),
    "AWARE": exports.aware(SHORT)["gyroscope.csv"],
    "HHAR": exports.hhar(SHORT)["Phones_gyroscope.csv"],
    "MotionSense": exports.motion_sense(SHORT),
    "WISDM": exports.wisdm(SHORT),
    "PAMAP2": exports.pamap2(SHORT),
    "Empatica": exports.empatica(e4())["ACC.csv"],
    "SisFall": exports.sisfall(SHORT),
    "HAPT": next(iter(exports.hapt(SHORT).values())),
    "UCI HAR": next(iter(exports.uci_har_windows(SHORT).values())),
    "unknown": synthetic.kinelab_csv(seconds=4.0).replace("time_s", "clock").replace("acc_", "a "),
}  # fmt: skip
RUNS = [
    "\n",
    "\r\n",
    "\t",
    " ",
    "_",
    "(",
    ";",
    ",",
    '"',
    "-",
    "7",
    "[ ",
    "x ",
    " _.",
    "1.000",
    '"\n',
    "a;\n",
    ' ""\n',
    "{",
]
LETTERS = 20_000
LONGEST_S = 2.0  # most take a hundredth of that; the square of the length would take seven seconds


def placed(text: str, run: str) -> dict[str, str]:
    """Return a file with a run before, in and after it, in its heading and in a cell."""
    first, _, rest = text.partition("\n")
    middle = rest.find("\n", len(rest) // 2)
    cell = max(rest.find(mark, len(rest) // 3) for mark in ",;\t")
    return {
        "before": run + text,
        "in the heading": first[: len(first) // 2] + run + first[len(first) // 2 :] + "\n" + rest,
        "after the heading": f"{first}\n{run}{rest}",
        "between rows": f"{first}\n{rest[:middle]}{run}{rest[middle:]}",
        "in a cell": f"{first}\n{rest[:cell]}{run}{rest[cell:]}",
        "after": text + run,
    }


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("app", FILES)
def test_a_long_run_in_a_file_costs_no_more_than_its_length(app: str, run: str, tmp_path: Path) -> None:
    slow = {}
    for place, text in placed(FILES[app], run * (LETTERS // len(run))).items():
        path = tmp_path / "stored"
        path.write_text(text, newline="")
        started = time.process_time()
        with suppress(HarError):
            read_upload(path, "walk.csv")
        if (took := time.process_time() - started) > LONGEST_S:
            slow[place] = took
    assert not slow


@pytest.mark.parametrize("run", [*RUNS, "time", "gyr", "acc_x ("])
def test_a_long_name_costs_no_more_than_its_length(run: str) -> None:
    name = run * (LETTERS // len(run))
    started = time.process_time()
    for text in (name, f"acc {name} x (m/s^2)", f"({name}"):
        words_of(text), unit_in(text), split_axis(text), word_of_kind(text)
    assert time.process_time() - started < LONGEST_S


@pytest.mark.parametrize("run", RUNS)
def test_a_guess_at_long_headings_costs_no_more_than_their_length(run: str) -> None:
    headings = [f"a {axis} {run * (900 // len(run))}" for axis in "xyz"]
    rows = [f"{i / 50},{i % 7}.5,{i % 5}.25,9.8" for i in range(200)]
    started = time.process_time()
    with suppress(HarError):
        source = open_table(in_memory("walk.csv", "\n".join([",".join(["clock", *headings]), *rows]).encode()))
        guess(source)
        for importer in IMPORTERS:
            importer.matches(source.layout)
    assert time.process_time() - started < LONGEST_S
