"""The page of benchmarks shows the stored results and nothing else."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import pytest

from app.har.errors import UnreadableData
from benchmarks import left_behind
from benchmarks.__main__ import PAGES, own_page, page
from benchmarks.hostile_files import KINDS, hostile_files
from tests import homes
from tests.conftest import ROOT


def test_the_page_of_benchmarks_is_written_from_the_stored_results() -> None:
    assert (ROOT / "docs" / "BENCHMARKS.md").read_text(encoding="utf-8") == page()


def test_the_hostile_files_are_of_every_kind_all_different_and_the_same_each_time() -> None:
    files, again = (list(islice(hostile_files(200), 18)) for _ in range(2))
    assert files == again
    assert {kind for kind, _, _ in files} >= set(list(KINDS)[:8])
    assert len({data for _, _, data in files}) == len(files)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_its_own_shows_the_stored_results(name: str) -> None:
    assert (ROOT / "docs" / PAGES[name]).read_text(encoding="utf-8") == own_page(name)


@pytest.mark.sqlite("looks into the file of the database")
def test_what_is_half_written_is_found(started_home: Path, tmp_path: Path) -> None:
    shutil.copytree(started_home, home := tmp_path / "home")
    assert left_behind.integrity(home) == left_behind.half_written(home) == []
    (home / "uploads" / "recording-1234").mkdir()
    (home / "model_store" / homes.SMALL / "7").mkdir(parents=True)
    (home / "instance" / "datasets" / "1234").mkdir()
    (home / "instance" / ".draft-1").touch()
    (home / "instance" / "runs" / "3" / "unfinished").mkdir(parents=True)
    assert len(left_behind.half_written(home)) == 5
    for path in (home / "instance" / "datasets").glob("*/manifest.json"):
        path.unlink()
    with pytest.raises(UnreadableData):
        left_behind.half_written(home)
