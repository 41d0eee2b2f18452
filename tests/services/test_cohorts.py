"""Cohorts: a folder of recordings, workers that die, runs that go on, tables, and the report."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import psutil
import pytest
from click.testing import Result
from flask import Flask

from app.har.errors import ModelIntegrityError
from app.har.recordings.reach import ANYWHERE, Reach
from app.services.cohorts import cohorts, folder, recogniser, report, running, tables
from app.services.cohorts.cluster import DIED
from app.services.cohorts.folder import Item
from app.services.cohorts.job import Job
from app.services.cohorts.kept import Kept
from app.services.errors import Conflict, Invalid
from app.services.recordings.model_choice import StoredModel
from app.services.recordings.table_preview import guess_mapping
from tests.cohorts import an_ended_cohort, answer_of, fill
from tests.tables import labelled
from tests.trained import Example, recording_csv, register_model

KILLS = 1  # of a run; `benchmarks.bench_cohort` kills five of two hundred


def write_recordings(root: Path, n: int) -> None:
    """Write small recordings of six people, and one file that is none."""
    for number in range(n):
        path = root / f"p{number % 6}" / f"r{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(recording_csv(12 + number % 3))
    (root / "p0" / "broken.csv").write_bytes(b"time_s,acc_x\n\x00\x01")
    (root / "README.md").write_text("nobody takes this for a recording")


@pytest.fixture
def lab(app: Flask, example_model: Example, tmp_path: Path) -> Flask:
    register_model(example_model, tmp_path / "registered", "lab")
    return app


def workers() -> list[psutil.Process]:
    """Return the processes of workers that this one's children have started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "from multiprocessing.spawn" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@contextmanager
def killing(kept: Kept, kills: int, every: int) -> Iterator[list[int]]:
    """Kill a worker each time that so many more recordings are done; the list holds whom."""
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while len(killed) < kills and not over.is_set():
            time.sleep(0.01)
            if kept.path.exists() and kept.counts().done >= every * (1 + len(killed)):
                for victim in [one for one in workers() if one.pid not in killed][:1]:
                    victim.kill()
                    killed.append(victim.pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def run(lab: Flask, *arguments: object) -> Result:
    return lab.test_cli_runner().invoke(args=["cohort", "run", *map(str, arguments)])


def test_workers_that_are_killed_cost_no_answer_and_a_second_run_does_only_what_is_missing(
    lab: Flask, tmp_path: Path
) -> None:
    root, out = tmp_path / "people", tmp_path / "out" / "results.parquet"
    out.parent.mkdir()
    write_recordings(root, 24)
    kept = Kept(tables.beside(out, tables.ANSWERS))
    with killing(kept, KILLS, every=6) as killed:
        first = run(lab, root, "--out", out, "--workers", 2)
    assert len(killed) == KILLS
    assert first.exit_code == 3, first.output  # one file is no recording
    assert "24 of 25 recordings are recognised" in first.stdout
    found, bouts = pl.read_parquet(out), pl.read_parquet(tables.beside(out, tables.BOUTS))
    failures = pl.read_parquet(tables.beside(out, tables.FAILURES))
    assert found["file"].to_list() == sorted(f"p{n % 6}/r{n}.csv" for n in range(24))
    assert found["person"].n_unique() == 6
    assert found.schema["start_utc"] == pl.Datetime("ms", "UTC")
    answered = found.select(pl.sum_horizontal(pl.col("^minutes_.*$"))).to_series()
    assert (answered - found["minutes"]).abs().max() < 0.01  # type: ignore[operator]
    assert set(bouts["file"]) == set(found["file"])
    assert set(pl.read_parquet(tables.beside(out, tables.DAYS))["file"]) == set(found["file"])
    assert failures.rows() == [("p0/broken.csv", "p0", "UnreadableData", failures["reason"][0])]

    (root / "p9").mkdir()
    (root / "p9" / "new.csv").write_bytes(recording_csv(13))
    (root / "p1" / "r1.csv").write_bytes(recording_csv(21))
    (root / "p2" / "r2.csv").unlink()
    second = run(lab, root, "--out", out, "--workers", 1, "--report", tmp_path / "report.html")
    assert "24 of 25 recordings are recognised, 2 were done in this run" in second.stdout
    again = pl.read_parquet(out)
    assert "p9/new.csv" in again["file"].to_list()
    assert "p2/r2.csv" not in again["file"].to_list()
    assert again.filter(file="p1/r1.csv")["duration_s"][0] == pytest.approx(21, abs=0.1)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "P001" in page
    assert not any(word in page for word in ("p9/", "r1.csv", str(tmp_path), "<script"))


def test_a_run_goes_on_after_its_process_was_killed(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "answers.sqlite")
    kept.prepare()
    items = [(Item(f"r{n}.csv", 10 + n, "stamp"), "stamp-model", f"p{n}") for n in range(4)]
    kept.begin(items)
    with kept.keeping() as keep:
        keep("r2.csv", answer_of(Walking=3.0))
        keep("r1.csv", {"failure": {"kind": DIED, "reason": "r1.csv: gone"}, "cost": {}})
        assert kept.counts().done == 2  # whoever reads meanwhile sees what is kept
    kept.prepare()
    kept.begin(items)
    assert kept.missing() == ["r3.csv", "r0.csv"]  # the largest first
    assert kept.missing(again=True) == ["r3.csv", "r1.csv", "r0.csv"]
    kept.begin([(item, "stamp-other-model", person) for item, _, person in items])
    assert len(kept.missing()) == 4
    assert kept.counts().done == 0


@pytest.mark.parametrize("n_people", [4, 12])
def test_the_report_tells_of_nobody_and_of_nothing_that_few_did(app: Flask, tmp_path: Path, n_people: int) -> None:
    kept = Kept(tmp_path / "answers.sqlite")
    fill(kept, [f"Ursula {n}" for n in range(n_people)])
    page = report.report(kept.path)
    assert "Ursula" not in page
    assert ".csv" not in page
    assert "Cycling" not in page
    for row in re.findall(r"P0\d\d</th>.*?</tr>", page):
        walked, sat = map(int, re.findall(r">(\d+) %<", row))
        assert walked + sat in (99, 100, 101)  # nothing lacks by which what is left out could be computed
    assert ("Walking" in page) is (n_people == 12)
    assert ("P012" in page) is (n_people == 12)
    assert ("fewer than 5" in page) is True
    assert "http" not in page.replace("http://www.w3.org/", "")  # names of what SVG is, which nobody fetches


def test_a_folder_whose_files_make_one_recording_is_one(tmp_path: Path) -> None:
    own = tmp_path / "p1" / "Morning-2026"
    own.mkdir(parents=True)
    for sensor in ("Accelerometer", "Gyroscope"):
        rows = "".join(f"{1_700_000_000_000_000_000 + i * 10**7},{i / 100},0.1,0.2,9.8\n" for i in range(400))
        (own / f"{sensor}.csv").write_text(f"time,seconds_elapsed,z,y,x\n{rows}")
    (tmp_path / "p2").mkdir()
    for name in ("a", "b"):
        (tmp_path / "p2" / f"{name}.csv").write_bytes(recording_csv(2))
    (tmp_path / ".hidden.csv").write_bytes(recording_csv(2))
    assert [item.name for item in folder.find(tmp_path, ANYWHERE)] == ["p1/Morning-2026", "p2/a.csv", "p2/b.csv"]


def test_only_what_may_be_read_by_its_path_is_found(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for each in (inside, outside):
        each.mkdir()
        (each / "a.csv").write_bytes(recording_csv(2))
    os.link(outside / "a.csv", inside / "hard.csv")
    (inside / "link.csv").symlink_to(outside / "a.csv")
    (inside / "folder").symlink_to(outside)
    assert [item.name for item in folder.find(inside, Reach((inside,)))] == ["a.csv", "hard.csv"]


@pytest.mark.parametrize(
    ("people", "name", "person"),
    [
        ("folder", "P07/walk/a.csv", "P07"),
        ("folder", "alone.csv", "alone"),
        ("file", "P07/walk/a.csv", "P07/walk/a"),
        ("{subject}_{trial}", "x/P07_1.csv", "P07"),
        ("{subject}_{trial}", "x/other.csv", "x/other"),
    ],
)
def test_people_are_told_apart_by_names(people: str, name: str, person: str) -> None:
    assert folder.person_namer(people)(name) == person


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"people": "{trial}"}, "people"),
        ({"people": "}{"}, "people"),
        ({"place": "moon"}, "place"),
        ({"age": "9"}, "age"),
    ],
)
def test_what_is_said_of_a_cohort_is_checked_before_it_begins(
    lab: Flask, tmp_path: Path, wrong: dict[str, str], field: str
) -> None:
    with pytest.raises(Invalid) as error:
        running.job_for(tmp_path / "registered", None, **wrong)  # type: ignore[arg-type]
    assert error.value.field == field


def test_no_spreadsheet_takes_a_file_of_a_cohort_for_a_formula(tmp_path: Path) -> None:
    kept, out = Kept(tmp_path / "c.answers.sqlite"), tmp_path / "c.parquet"
    fill(kept, ["=HYPERLINK(1)", "Ursula"])
    tables.write(kept, out)
    assert kept.path.stat().st_mode & 0o077 == 0
    rows = pl.read_csv(tables.as_csv(out))
    assert rows["person"].to_list() == ["'=HYPERLINK(1)", "Ursula"]
    assert rows["minutes"].to_list() == [5.0 + 40 + 2, 6.0 + 37 + 2]
    assert "'=HYPERLINK(1)/monday.csv" in rows["file"].to_list()


def test_a_cohort_goes_on_only_where_the_settings_of_today_let_it_read(app: Flask, tmp_path: Path) -> None:
    with app.app_context():
        number = an_ended_cohort()
        with pytest.raises(Conflict, match="no longer be read"):
            cohorts.go_on(number)


def test_a_cohort_whose_model_was_deleted_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelIntegrityError, match="lab/1 is no longer here"):
        Job("/data", StoredModel(1, "lab/1", str(tmp_path / "gone"), None, 0.9)).digest()


def test_files_in_no_known_layout_are_read_by_a_mapping_and_others_as_ever(lab: Flask, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(labelled(seconds=12.0))
    (tmp_path / "known.csv").write_bytes(recording_csv(12))
    mapping = guess_mapping(tmp_path / "own.csv").mapping
    plain = running.job_for(tmp_path, None)
    mapped = Job.from_dict(json.loads(json.dumps(running.job_for(tmp_path, None, mapping=mapping).as_dict())))
    for job, name, kind in (
        (plain, "own.csv", "UnknownTable"),
        (plain, "known.csv", None),
        (mapped, "own.csv", None),
        (mapped, "known.csv", None),
    ):
        answer = recogniser.answer(json.dumps(job.as_dict()), name)
        assert answer.get("failure", {}).get("kind") == kind, answer
    assert plain.digest() != mapped.digest()
    former = {name: value for name, value in plain.as_dict().items() if name != "mapping"}
    assert Job.from_dict(former) == plain
