"""A recording that is streamed is answered as the same file uploaded: what pages say of it last, and what is kept."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from flask import Flask

from benchmarks import bench_live_answers
from tests.live import add_everyday


@pytest.mark.real_data
def test_a_real_recording_is_answered_the_same_when_it_is_streamed(
    app: Flask, data_dir: Path, tmp_path: Path, reads_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody stands, walks and climbs stairs; samples are missing, and messages come shuffled and twice."""
    monkeypatch.setattr(bench_live_answers, "DATA", data_dir)
    add_everyday(app)
    path = tmp_path / "irregular.csv"
    bench_live_answers.write(bench_live_answers.irregular(5), path, 250, 390)
    found = bench_live_answers.twice(path, random.Random(0))
    assert found["windows"] >= 40
    assert found["at the end"] >= 0.99 * found["windows"]
    assert found["recording"] >= 0.99 * found["windows"]
