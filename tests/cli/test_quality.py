"""``flask quality``."""

from __future__ import annotations

import json
from pathlib import Path

from flask import Flask

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
