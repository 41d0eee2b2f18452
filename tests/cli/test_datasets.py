"""``flask datasets``: names, keys and streams are a contract."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from flask import Flask

from app.tables import Dataset
from tests.bad_inputs import zipped
from tests.synthetic import kinelab_csv, ku_har_zip

CONTRACT = {"recordings", "subjects", "activities", "minutes", "problems"}


@pytest.fixture
def archive(tmp_path: Path) -> str:
    return str(ku_har_zip(tmp_path / "small.zip", subjects=2, seconds=12.5))


def run(app: Flask, *arguments: str, status: int = 0, answer: str | None = None):
    result = app.test_cli_runner().invoke(args=["datasets", *arguments], input=answer)
    assert result.exit_code == status, result.output
    return result


def test_add_prints_one_json_document_on_stdout_and_progress_on_stderr(app: Flask, archive: str) -> None:
    result = run(app, "add", "small", archive, "--json")
    document = json.loads(result.stdout)
    assert document.keys() >= CONTRACT
    assert document["name"] == "small"
    assert "reading" in result.stderr


def test_info_has_the_keys_of_the_contract(app: Flask, small: Dataset) -> None:
    document = json.loads(run(app, "info", "small", "--json").stdout)
    assert document.keys() >= CONTRACT
    assert (document["recordings"], document["subjects"]) == (6, 2)
    assert document["activities"].keys() == {"Rest", "Walk", "Run"}
    assert all(windows == 8 for windows in document["activities"].values())
    assert document["minutes"] == pytest.approx(1.25, abs=0.02)
    assert isinstance(document["problems"], list)


def test_text_output_says_the_same(app: Flask, archive: str) -> None:
    assert "Added small: 6 recordings, 2 subjects, 3 activities" in run(app, "add", "small", archive).stdout
    assert "Walk: 8 windows" in run(app, "info", "small").stdout
    assert run(app, "list").stdout.startswith("small: 6 recordings")


def test_list_is_a_json_list(app: Flask, archive: str) -> None:
    assert json.loads(run(app, "list", "--json").stdout) == []
    assert "No data set yet" in run(app, "list").stdout
    run(app, "add", "small", archive)
    assert [each["name"] for each in json.loads(run(app, "list", "--json").stdout)] == ["small"]


def test_rename_keeps_everything_but_the_name(app: Flask, small: Dataset, archive: str) -> None:
    before = json.loads(run(app, "info", "small", "--json").stdout)
    assert run(app, "rename", "small", "walks").stdout == "Renamed small to walks.\n"
    assert json.loads(run(app, "info", "walks", "--json").stdout) == before | {"name": "walks"}
    run(app, "info", "small", status=1)
    run(app, "add", "small", archive)
    refused = run(app, "rename", "small", "walks", status=1)
    assert "There is already a data set called “walks”" in refused.stderr
    assert "A name must have" in run(app, "rename", "small", "My walks", status=1).stderr


def test_remove_asks_unless_told_not_to(app: Flask, small: Dataset) -> None:
    run(app, "remove", "small", answer="n\n", status=1)
    run(app, "info", "small")
    assert run(app, "remove", "small", "--yes").stdout == "Removed small.\n"
    run(app, "info", "small", status=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "Bad Name", "x"], "A name must have 1 to 64"),
        (["add", "gone", "/no/such/file.zip"], "no such file or folder"),
        (["info", "gone"], "There is no data set called “gone”"),
        (["rename", "gone", "here"], "There is no data set called “gone”"),
        (["remove", "gone", "--yes"], "There is no data set called “gone”"),
    ],
)
def test_an_error_is_one_line_on_stderr(app: Flask, arguments: list[str], message: str) -> None:
    result = run(app, *arguments, status=1)
    assert result.stdout == ""
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert message in last


def test_the_embedded_example_has_a_word_of_its_own(app: Flask) -> None:
    document = json.loads(run(app, "add", "physio", "embedded-example", "--json").stdout)
    assert (document["recordings"], document["subjects"]) == (140, 10)
    assert document["source"] == "embedded-example"


SPEC = "label: {from: folder}\nsubject: {from: name, pattern: '{subject}_{trial}'}\n"


@pytest.fixture
def own(tmp_path: Path) -> str:
    files = {f"{a}/P{n}_1.csv": kinelab_csv(None, n, 6 + len(a)) for a in ("Walk", "Run") for n in (1, 2)}
    (tmp_path / "own.zip").write_bytes(zipped(files))
    return str(tmp_path / "own.zip")


def test_own_recordings_are_added_by_a_description(app: Flask, own: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(SPEC)
    document = json.loads(run(app, "add", "own", own, "--description", str(tmp_path / "own.yaml"), "--json").stdout)
    assert (document["recordings"], document["subjects"], set(document["activities"])) == (4, 2, {"Walk", "Run"})
    assert document["format_title"] == "Own recordings"


def test_recordings_without_activities_are_refused_with_the_next_step(app: Flask, own: str) -> None:
    result = run(app, "add", "own", own, status=1)
    assert "none of its 4 recordings names an activity" in result.stderr
    assert "--spec description.yaml; see docs/GUIDE.md" in result.stderr
    assert "No data set yet" in run(app, "list").stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label: {from: folder}", "own.yaml: subject: expected the key from"),
        (SPEC.replace("folder", "table"), "own.yaml: label.table: expected the name of a file"),
        (SPEC.replace("from: folder", "from: table, table: gone.csv"), "gone.csv: expected a table of labels among"),
    ],
)
def test_a_description_that_does_not_do_is_refused(
    app: Flask, own: str, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "own.yaml").write_text(text)
    result = run(app, "add", "own", own, "--spec", str(tmp_path / "own.yaml"), status=1)
    assert message in result.stderr.strip().splitlines()[-1]
    assert not [path for path in (Path(app.config["INSTANCE"]) / "datasets").glob("*") if path.is_dir()]


@pytest.mark.real_data
@pytest.mark.slow
def test_ku_har_is_what_its_notes_say(ku_har_home: Path) -> None:
    document = json.loads((ku_har_home / "stdout").read_text(encoding="utf-8"))
    assert (document["recordings"], document["subjects"], len(document["activities"])) == (710, 80, 7)
    found = [(problem["source"], problem["kind"]) for problem in document["problems"]]
    for fragment, kind in [
        ("1101_O_3", "gap"), ("1101_O_5", "gap"), ("1101_O_10", "gap"), ("1101_O_6", "gap"), ("1002_L_5", "gap"),
        ("1101_O_11", ""), ("1101_O_", "duplicate recording"), ("", "low rate"),
    ]:  # fmt: skip
        assert any(fragment in source and kind in of_kind for source, of_kind in found), (fragment, kind, found)


def test_map_shows_and_changes_what_activities_are_called_among_several(app: Flask, small: Dataset) -> None:
    assert json.loads(run(app, "map", "small", "--json").stdout) == {
        "Rest": "Still", "Walk": "Walking", "Run": "Running",
    }  # fmt: skip
    shown = run(app, "map", "small", "Rest=sit", "Run=").stdout
    assert shown.splitlines() == [
        "Rest: Sitting (usually Still), 8 windows",
        "Walk: Walking, 8 windows",
        "Run: left out (usually Running), 8 windows",
    ]
    assert json.loads(run(app, "info", "small", "--json").stdout)["vocabulary"]["Rest"] == "Sitting"
    assert "Expected OWN=SHARED; found 'Rest'" in run(app, "map", "small", "Rest", status=1).stderr
    assert "no activity “Jump”" in run(app, "map", "small", "Jump=Running", status=1).stderr


def test_place_shows_and_changes_where_devices_were_worn(app: Flask, small: Dataset) -> None:
    assert run(app, "place", "small").stdout == "device: not known\n"
    assert run(app, "place", "small", "leg").stdout == "device: leg\n"
    assert json.loads(run(app, "place", "small", "--json").stdout) == {"": "leg"}
    assert "A place is one of" in run(app, "place", "small", "shoe", status=1).stderr
    assert run(app, "place", "small", "=").stdout == "device: not known\n"


def test_a_data_set_is_exported_into_a_new_folder_and_added_again(app: Flask, small: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert "Wrote 6 files" in run(app, "export", "small", str(folder)).stdout
    run(app, "add", "again", str(folder))
    before, after = (json.loads(run(app, "info", name, "--json").stdout) for name in ("small", "again"))
    for key in ("recordings", "subjects", "activities", "minutes", "channels", "sampling_rate_hz", "gravity"):
        assert after[key] == before[key]
    run(app, "export", "small", "--format", "bids", str(tmp_path / "bids"))
    assert len(list((tmp_path / "bids").rglob("*_motion.tsv"))) == 6
    assert list(tmp_path.glob(".*")) == []


def test_an_export_that_cannot_be_leaves_nothing(
    app: Flask, small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.har.datasets.exports import kinelab

    (tmp_path / "there").mkdir()
    assert "is there already" in run(app, "export", "small", str(tmp_path / "there"), status=1).output
    assert "no folder" in run(app, "export", "small", str(tmp_path / "not" / "here"), status=1).output
    too_long = run(app, "export", "small", str(tmp_path / ("x" * 300)), status=1)
    assert "cannot be written: File name too long" in too_long.output
    assert "cannot be written" in run(app, "export", "small", "/proc/export", status=1).output
    whole = kinelab.files

    def full(signals):
        yield from list(whole(signals))[:2]
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(kinelab, "files", full)
    assert "full" in run(app, "export", "small", str(tmp_path / "out"), status=1).output
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "home") == ["there"]
