"""``flask falls``: what watches for falls."""

from __future__ import annotations

import json
from pathlib import Path

from flask import Flask

from app.services import falls
from config import ROOT
from tests.falls import sisfall_zip


def run(app: Flask, *arguments: str, status: int = 0):
    result = app.test_cli_runner().invoke(args=["falls", *arguments])
    assert result.exit_code == status, result.output
    return result


def test_a_detector_is_trained_used_listed_and_deleted(app: Flask, tmp_path: Path) -> None:
    assert "* threshold" in run(app, "list").stdout
    app.config["REFERENCE_MODELS"] = ROOT / "reference_models"
    assert "* reference-falls: trained on UMAFall" in run(app, "list").stdout
    archive = str(sisfall_zip(tmp_path / "falls.zip"))
    trained = json.loads(run(app, "train", archive, "--json").stdout)
    assert (trained["name"], trained["falls"], trained["used"]) == ("detector-1", 24, True)
    assert "* detector-1: trained on falls.zip" in run(app, "list").stdout
    with app.app_context():
        detector = falls.current()
        assert detector is not None
        assert len(detector.opinions) == 2
        assert "detector-1" in falls.method_in_words()
    assert "threshold method" in run(app, "use", "threshold").stdout
    assert "* threshold" in run(app, "list").stdout
    run(app, "use", "detector-1")
    assert "reference-falls" in run(app, "delete", "detector-1").stdout
    assert "comes with Kinelab" in run(app, "delete", "reference-falls", status=1).stderr
    assert run(app, "use", "detector-1", status=1).stderr.startswith("Error: No detector of falls is called")


def test_a_damaged_detector_leaves_the_threshold_method_watching(app: Flask, tmp_path: Path) -> None:
    run(app, "train", str(sisfall_zip(tmp_path / "falls.zip", people=4)))
    (Path(app.config["MODEL_STORE"]) / "falls" / "detector-1" / "arrays.npz").write_bytes(b"broken")
    falls._read.cache_clear()
    assert "! detector-1" in run(app, "list").stdout
    with app.app_context():
        assert falls.current() is None


def test_what_cannot_be_trained_on_is_said_in_one_line(app: Flask, tmp_path: Path) -> None:
    archive = str(sisfall_zip(tmp_path / "falls.zip", people=4))
    result = run(app, "train", archive, "--fall", "Skydiving", status=1)
    assert result.stderr.splitlines()[-1].startswith("Error: No activity is called Skydiving")
    assert "no data set" in run(app, "train", "nothing-there", status=1).stderr.lower()
