"""``flask quality``."""

from __future__ import annotations

import json
from pathlib import Path

from flask import Flask

from tests import cases
from tests.trained import recording_csv


def test_the_card_of_a_file_is_printed_without_any_model(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "arm.csv"
    path.write_bytes(recording_csv(60.0, gap_at_s=20.0, scale=1 / 9.80665))
    result = app.test_cli_runner().invoke(args=["quality", str(path)])
    assert result.exit_code == 0
    for words in (
        "arm.csv: usable",
        "30.0 of 90.0 s are missing",
        "50.0 Hz",
        "g, by the length of gravity",
        "clock gap",
    ):
        assert words in result.stdout
    document = json.loads(app.test_cli_runner().invoke(args=["quality", str(path), "--json"]).stdout)
    assert document["recordings"] == 1
    assert document["cards"][0]["streams"][0]["unit_found"] == "g, by the length of gravity"


def test_what_is_no_recording_is_one_line_on_stderr(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear colleague", encoding="utf-8")
    result = app.test_cli_runner().invoke(args=["quality", str(path)])
    assert result.exit_code == 1
    assert "letter.txt" in result.stderr
    assert not result.stdout


def test_a_table_in_no_known_layout_is_examined_by_a_mapping(app: Flask, tmp_path: Path) -> None:
    path, columns = tmp_path / "strange.csv", tmp_path / "columns.yaml"
    t, a, _, _ = cases.person()
    path.write_text(cases.table("when,a1,b1,c1", t, *a.T.round(4)), encoding="utf-8")
    run = app.test_cli_runner().invoke
    refused = run(args=["quality", str(path)])
    assert refused.exit_code == 1
    assert "flask map FILE --output columns.yaml, then flask quality FILE --map columns.yaml" in refused.stderr
    sensor = "{columns: [a1, b1, c1], unit: m/s²}"
    columns.write_text(f"time: {{column: when, unit: s}}\nsensors:\n  accelerometer: {sensor}\n", encoding="utf-8")
    result = run(args=["quality", str(path), "--map", str(columns)])
    assert result.exit_code == 0
    assert "strange.csv: pass" in result.stdout
