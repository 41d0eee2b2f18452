"""``flask measures``: the days of a file as CSV and JSON, and what their columns are."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from flask import Flask

from app.har.measures.dictionary import columns
from tests.trained import Example, recording_csv, register_model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "arm.csv"
    path.write_bytes(recording_csv(40))
    return path


def test_days_of_a_file_are_written_with_cut_points_where_they_fit(
    app: Flask, example_model: Example, file: Path, tmp_path: Path
) -> None:
    register_model(example_model, tmp_path / "a", "lab")
    run = app.test_cli_runner().invoke
    plain = run(args=["measures", str(file)])
    assert plain.exit_code == 0, plain.stderr
    [row] = csv.DictReader(io.StringIO(plain.stdout))
    assert list(row) == [column.name for column in columns("day")]
    assert (row["date"], row["start"], row["valid"]) == ("day 1", "", "false")
    assert row["cut_points"] == "none: it was not said where the device was worn"
    assert 0.5 < 60 * float(row["signal_h"]) < 0.7

    app.config["VALID_DAY_HOURS"] = 0.01
    worn = run(args=["measures", str(file), "--place", "wrist", "--age", "adult", "--hours", "--json"])
    document = json.loads(worn.stdout)
    [hour] = document["rows"]
    assert hour["cut_points"].startswith("Hildebrand")
    assert hour["intensity_h"] > 0
    assert [each["column"] for each in document["columns"]] == list(hour)


def test_the_dictionary_needs_no_model(app: Flask, file: Path) -> None:
    text = app.test_cli_runner().invoke(args=["measures", str(file), "--dictionary"]).stdout
    assert [row["column"] for row in csv.DictReader(io.StringIO(text))] == [column.name for column in columns("day")]
