"""The page of benchmarks shows the stored results and nothing else."""

from __future__ import annotations

from benchmarks.__main__ import page
from tests.conftest import ROOT


def test_the_page_of_benchmarks_is_written_from_the_stored_results() -> None:
    assert (ROOT / "docs" / "BENCHMARKS.md").read_text(encoding="utf-8") == page()
