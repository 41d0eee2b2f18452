"""The page of benchmarks shows the stored results and nothing else."""

from __future__ import annotations

from itertools import islice

from benchmarks.__main__ import page
from benchmarks.hostile_files import KINDS, hostile_files
from tests.conftest import ROOT


def test_the_page_of_benchmarks_is_written_from_the_stored_results() -> None:
    assert (ROOT / "docs" / "BENCHMARKS.md").read_text(encoding="utf-8") == page()


def test_the_hostile_files_are_of_every_kind_all_different_and_the_same_each_time() -> None:
    files, again = (list(islice(hostile_files(200), 18)) for _ in range(2))
    assert files == again
    assert {kind for kind, _, _ in files} >= set(list(KINDS)[:8])
    assert len({data for _, _, data in files}) == len(files)
