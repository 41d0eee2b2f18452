"""``flask predict``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from flask import Flask
from sqlalchemy import func, select

from app.extensions import db
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.types import Recognition, ReferenceSource, WalkingReference, Wearing
from app.har.errors import UnusableRecording
from app.har.windows import WindowSet
from app.services.recordings import recordings
from app.services.recordings.quality import Quality
from app.tables import StoredRecording
from tests.long_recording import a_day, unsure_day
from tests.tables import labelled
from tests.trained import Example, recording_csv, register_model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "arm.csv"
    path.write_bytes(recording_csv(16, gap_at_s=7.0))
    return path


@pytest.fixture
def _models(app: Flask, example_model: Example, tmp_path: Path) -> None:
    register_model(example_model, tmp_path / "a", "lab")
    register_model(example_model, tmp_path / "b", "clinic", promote=False)


@pytest.mark.usefixtures("_models")
def test_predict_prints_windows_bouts_and_summary_as_one_json_document(app: Flask, file: Path) -> None:
    result = app.test_cli_runner().invoke(args=["predict", str(file), "--json"])
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert set(document) == {"windows", "bouts", "summary"}
    assert [row["window"] for row in document["windows"]] == [1, 2, None, None, 3, 4, 5]
    assert [row["activity"] for row in document["windows"][2:4]] == ["Too little", "missing"]  # a second, and the gap
    assert {"start_s", "end_s", "activity", "confidence", "deepest_activity"} <= set(document["windows"][0])
    assert "deepest_confidence" in document["bouts"][0]
    assert sum(document["summary"]["windows_per_depth"].values()) == 5
    assert all(w["end_s"] - w["start_s"] == pytest.approx(3) for w in document["windows"] if w["window"])
    assert sum(b["windows"] for b in document["bouts"]) == 5
    assert document["summary"]["model"] == "lab/1"
    assert [p["kind"] for p in document["summary"]["problems"]]
    assert not list(Path(app.config["UPLOADS"]).iterdir())
    assert db.session.scalar(select(func.count()).select_from(StoredRecording)) == 0


@pytest.mark.usefixtures("_models")
def test_predict_is_readable_and_says_what_was_wrong_with_the_file(app: Flask, file: Path) -> None:
    result = app.test_cli_runner().invoke(args=["predict", str(file)])
    assert result.exit_code == 0
    assert "5 windows recognised by lab/1" in result.stdout
    assert "Answers of at least 80 %: " in result.stdout
    assert "deepest guess: " in result.stdout  # the swing of an arm is none of the exercises for sure
    assert "gap" in result.stderr


@pytest.mark.usefixtures("_models")
@pytest.mark.parametrize("model", ["clinic", "clinic/1"])
def test_predict_takes_another_model_by_name(app: Flask, file: Path, model: str) -> None:
    document = json.loads(app.test_cli_runner().invoke(args=["predict", str(file), "--model", model, "--json"]).stdout)
    assert document["summary"]["model"] == "clinic/1"


def test_predict_prints_answers_with_their_deepest_guess_where_there_is_one(
    app: Flask, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(result=unsure_day(), quality=Quality((), 1))
    monkeypatch.setattr(recordings, "predict_file", lambda *_, **__: found)
    lines = app.test_cli_runner().invoke(args=["predict", str(file)]).stdout.splitlines()
    bouts = [line.split("s  ", 1)[1].split() for line in lines if " s – " in line]
    assert ["Still", "94.0", "%", "deepest", "guess:", "Sit", "34.0", "%"] in bouts
    assert ["Uncertain", "–"] in bouts  # all activities are as likely
    assert "Answers of at least 80 %: 0 windows are one activity, 1200 a group of several, 600 have no answer." in lines


@pytest.mark.usefixtures("_models")
def test_predict_begins_with_the_verdict(app: Flask, file: Path) -> None:
    lines = app.test_cli_runner().invoke(args=["predict", str(file)]).stdout.splitlines()
    assert re.fullmatch(r".+\. Too little to judge: \d of 5 windows have an answer\.", lines[0])
    assert lines[1] == "What speaks against it:"
    assert any(line.startswith("  ! ") for line in lines[2:])
    assert lines.index("") < next(i for i, line in enumerate(lines) if " s – " in line)


@pytest.mark.usefixtures("_models")
def test_predict_takes_where_the_device_was_worn(app: Flask, file: Path) -> None:
    run = app.test_cli_runner().invoke
    document = json.loads(run(args=["predict", str(file), "--place", "hand or bag", "--json"]).stdout)
    assert document["summary"]["place"] == "hand or bag"
    assert run(args=["predict", str(file), "--place", "moon"]).exit_code == 2


def measured(self: ActivityClassifier, batches: Iterable[WindowSet]) -> WalkingReference:
    if (n := sum(map(len, batches))) < 5:
        raise UnusableRecording(f"Only {3 * n} s of walking.")
    return WalkingReference(np.zeros(1, np.float32), np.zeros(3, np.float32), n)


def recognised(
    self: ActivityClassifier, batches: Iterable[WindowSet], place: str = "", walking: WalkingReference | None = None
) -> Recognition:
    recognition = Recognition.joined([self.recognise(windows) for windows in batches])
    source: ReferenceSource = "known walking" if walking else ""
    wearing = Wearing("arm.csv", 0.0, 15.0, reference=source, reference_windows=walking.n_windows if walking else 0)
    return replace(recognition, wearings=(wearing,))


@pytest.mark.usefixtures("_models")
def test_predict_measures_against_another_recording_of_walking(
    app: Flask, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ActivityClassifier, "walking_reference", measured)
    monkeypatch.setattr(ActivityClassifier, "recognise_all", recognised)
    run = app.test_cli_runner().invoke
    for seconds, reference, n, words in ((31.0, "known walking", 10, ""), (12.0, "", 0, "Only 12 s of walking")):
        walk = tmp_path / "walk.csv"
        walk.write_bytes(recording_csv(seconds))
        result = run(args=["predict", str(file), "--walking", str(walk), "--json"])
        (wearing,) = json.loads(result.stdout)["summary"]["wearings"]
        assert (wearing["reference"], wearing["reference_windows"]) == (reference, n)
        listed = json.loads(result.stdout)["summary"]["problems"]
        assert any(words in each["detail"] for each in listed if each["kind"] == "walking not used") == bool(words)
        assert "was not used" not in result.stderr


@pytest.mark.usefixtures("_models")
def test_predict_says_where_a_model_does_not_measure_against_walking(app: Flask, file: Path) -> None:
    result = app.test_cli_runner().invoke(args=["predict", str(file), "--walking", str(file)])
    assert result.exit_code == 0
    assert "lab/1 does not measure against walking: arm.csv was not used." in result.stderr


@pytest.mark.usefixtures("_models")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--model", "nobody"], "There is no model 'nobody'"), ([], "Record for longer")],
    ids=["no such model", "too short"],
)
def test_predict_ends_with_one_line_on_stderr(app: Flask, file: Path, arguments: list[str], words: str) -> None:
    file.write_bytes(recording_csv(1.0))
    result = app.test_cli_runner().invoke(args=["predict", str(file), "--json", *arguments])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_predict_without_a_promoted_model_says_what_to_do(app: Flask, file: Path) -> None:
    result = app.test_cli_runner().invoke(args=["predict", str(file)])
    assert result.exit_code == 1
    assert "train a model and make it the default" in result.stderr


@pytest.fixture
def unknown(tmp_path: Path) -> Path:
    path = tmp_path / "own.csv"
    path.write_text(labelled())
    return path


@pytest.mark.usefixtures("_models")
def test_a_guessed_mapping_reads_a_file_in_no_known_layout(app: Flask, unknown: Path, tmp_path: Path) -> None:
    runner = app.test_cli_runner()
    refused = runner.invoke(args=["predict", str(unknown)])
    assert refused.exit_code == 1
    assert "in none of the layouts known here" in refused.stderr
    written = runner.invoke(args=["map", str(unknown), "--output", str(tmp_path / "own.yaml")])
    assert written.exit_code == 0, written.output
    printed = runner.invoke(args=["map", str(unknown)])
    assert printed.stdout == (tmp_path / "own.yaml").read_text()
    assert "# accelerometer: by the names of its columns; values around 1: g with gravity" in printed.stdout
    result = runner.invoke(args=["predict", str(unknown), "--map", str(tmp_path / "own.yaml"), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["summary"]["windows"] == 4
    again = runner.invoke(args=["map", str(unknown), "--output", str(tmp_path / "own.yaml")])
    assert again.exit_code == 1
    assert "is there already" in again.stderr


@pytest.mark.usefixtures("_models")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"time: {column: millis, unit: weeks}", "own.yaml: time.unit: expected one of s, ms"),
        (b"\xff\xfe\x00", "own.yaml: expected text in UTF-8"),
        (
            b"time: {rate_hz: 50}\nsensors: {accelerometer: {columns: [a, b, c], unit: g}}",
            "own.csv: the mapping's sensors.accelerometer.columns[0]: expected one of its columns",
        ),
    ],
)
def test_a_faulty_mapping_ends_with_one_line_on_stderr(
    app: Flask, unknown: Path, tmp_path: Path, text: bytes, words: str
) -> None:
    (tmp_path / "own.yaml").write_bytes(text)
    result = app.test_cli_runner().invoke(args=["predict", str(unknown), "--map", str(tmp_path / "own.yaml")])
    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_nothing_is_guessed_of_what_is_no_table(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear colleague\n")
    result = app.test_cli_runner().invoke(args=["map", str(tmp_path / "letter.txt")])
    assert result.exit_code == 1
    assert "letter.txt: no table of numbers" in result.stderr


@pytest.mark.usefixtures("_models")
def test_predict_smooths_or_does_not_and_says_which(app: Flask, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, day = a_day(2.0, rate_hz=1.0, labelled=False)
    brought: dict[str, float | None] = {"shortest_bout_s": 9.0}

    def run(*options: str) -> tuple[int, str, str]:
        found = SimpleNamespace(result=replace(day, **brought), quality=Quality((), 1))  # type: ignore[arg-type]
        monkeypatch.setattr(recordings, "predict_file", lambda *_, **__: found)
        result = app.test_cli_runner().invoke(args=["predict", str(file), *options])
        assert result.exit_code == 0
        return result.stdout.count(" s – "), result.stdout, result.stderr

    smoothed, alone = run(), run("--no-smooth")
    assert "recognised by lab/1, smoothed, without bouts of less than 9 s:" in smoothed[1]
    assert "recognised by lab/1, each alone:" in alone[1]
    assert alone[0] > 2 * smoothed[0]
    assert json.loads(run("--json")[1])["summary"]["smoothed_s"] == 9.0
    assert json.loads(run("--json", "--no-smooth")[1])["summary"]["smoothed_s"] == 0.0
    brought["shortest_bout_s"] = None  # of a model from before this was kept
    assert run()[0] == alone[0] > run("--smooth")[0]
    brought["shortest_bout_s"] = 0.78
    assert "Nothing was smoothed" in run("--smooth")[2]
