"""Models for small devices: made in a child process, kept, deleted with the model; whatever ends the child is told."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest
from flask import Flask

from app.services.errors import Invalid, NotFound
from app.services.models import exports, model_versions
from app.tables import ModelVersion
from config import ROOT

NAME = "reference-physiotherapy"


@pytest.fixture
def version(app: Flask, tmp_path: Path) -> ModelVersion:
    return model_versions.register(NAME, shutil.copytree(ROOT / "reference_models" / NAME, tmp_path / "copy"), {})


def test_a_model_is_exported_on_the_people_held_out_and_kept_until_it_is_deleted(
    example: Flask, version: ModelVersion, tmp_path: Path
) -> None:
    archive = tmp_path / "model.zip"
    arguments = ["models", "export", version.label, "--to", "c", "--weights", "int8", "--out", str(archive)]
    result = example.test_cli_runner().invoke(args=arguments)
    assert result.exit_code == 0, result.output
    (document,) = exports.made(version)
    assert "Of 2 people held out of physiotherapy: answers equal in 100.00%, F1 0.91" in result.stdout
    assert document["check"]["held_out_windows"] == 318
    assert document["check"]["same_answers"] > 0.95
    assert not document["outdated"]
    assert exports.artefact(version, "c", "int8").read_bytes() == archive.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        for name, about in document["files"].items():
            assert hashlib.sha256(opened.read(name)).hexdigest() == about["sha256"]
    model_versions.set_limit(version.id, 0.6)
    assert exports.made(version)[0]["outdated"]
    model_versions.delete(version.id)
    assert list((Path(example.config["INSTANCE"]) / "exports").glob("*/*")) == []


def test_what_is_no_format_or_was_not_made_is_named(version: ModelVersion) -> None:
    with pytest.raises(Invalid, match="one of c"):
        exports.make(version.id, "exe")
    with pytest.raises(Invalid, match="one of float32, int8"):
        exports.make(version.id, "c", "int4")
    with pytest.raises(NotFound, match="was not exported as c with int8"):
        exports.artefact(version, "c", "int8")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("raise SystemExit(7)", "status 7"),
        ("""print('{"stage": "Comparing"}'); print('{"refused": "It is not handed out."}')""", "It is not handed out"),
    ],
)
def test_whatever_ends_the_child_is_told_and_leaves_nothing(
    version: ModelVersion, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    monkeypatch.setattr(exports, "CHILD", ["-c", script])
    stages: list[str] = []
    with pytest.raises(Invalid, match=message):
        exports.make(version.id, "c", on_event=lambda event: stages.append(event["stage"]))
    assert stages == (["Comparing"] if "Comparing" in script else [])
    assert list(model_versions.exports_folder(version).iterdir()) == []
    assert exports.made(version) == []
