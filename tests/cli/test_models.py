"""``flask models``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask

from app.services.models import model_versions, reference_models
from app.tables import ModelVersion
from config import ROOT
from tests.trained import Example, register_model


@pytest.fixture
def versions(app: Flask, example_model: Example, tmp_path: Path) -> list[ModelVersion]:
    return [register_model(example_model, tmp_path / name, name, promote=False) for name in ("lab", "clinic")]


def test_models_list_prints_one_json_document(app: Flask, versions: list[ModelVersion]) -> None:
    model_versions.promote("lab/1")
    result = app.test_cli_runner().invoke(args=["models", "list", "--json"])
    assert result.exit_code == 0
    listed = json.loads(result.stdout)
    assert [(m["label"], m["promoted"], m["accuracy"]) for m in listed] == [
        ("clinic/1", False, 0.91),
        ("lab/1", True, 0.91),
    ]


def test_models_list_is_readable(app: Flask, versions: list[ModelVersion]) -> None:
    model_versions.promote("lab/1")
    lines = app.test_cli_runner().invoke(args=["models", "list"]).stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("clinic/1")
    assert lines[1].endswith("(promoted)")
    assert "accuracy 0.910" in lines[1]


def test_models_list_says_what_to_do_when_there_is_none(app: Flask) -> None:
    assert "flask train" in app.test_cli_runner().invoke(args=["models", "list"]).stdout
    assert json.loads(app.test_cli_runner().invoke(args=["models", "list", "--json"]).stdout) == []


def test_models_info_tells_what_a_model_takes_and_scored(app: Flask, versions: list[ModelVersion]) -> None:
    info = json.loads(app.test_cli_runner().invoke(args=["models", "info", "lab", "--json"]).stdout)
    assert info["label"] == "lab/1"
    assert info["manifest"]["sampling_rate_hz"] == 50
    assert info["metrics"]["accuracy"]["value"] == 0.91
    text = app.test_cli_runner().invoke(args=["models", "info", "lab/1"]).stdout
    for words in ("lab/1", "acc_x", "0.910"):
        assert words in text


def test_models_limit_shows_sets_and_resets_how_sure_an_answer_must_be(
    app: Flask, versions: list[ModelVersion]
) -> None:
    run = app.test_cli_runner().invoke
    assert run(args=["models", "limit", "lab"]).stdout == "lab/1 answers with what is at least 0.8 probable.\n"
    assert run(args=["models", "limit", "lab/1", "0.9"]).stdout.endswith("at least 0.9 probable.\n")
    assert json.loads(run(args=["models", "info", "lab", "--json"]).stdout)["answer_limit"] == 0.9
    assert json.loads(run(args=["models", "limit", "clinic", "--json"]).stdout)["answer_limit"] == 0.8
    assert run(args=["models", "limit", "lab", "--reset"]).stdout.endswith("at least 0.8 probable.\n")
    refused = run(args=["models", "limit", "lab", "80"])
    assert refused.exit_code == 1
    assert "from 50 % to 99 %; found 8000.0 %" in refused.stderr
    assert run(args=["models", "limit", "lab", "0.9", "--reset"]).exit_code == 2


def test_models_promote_changes_the_one_that_users_get(app: Flask, versions: list[ModelVersion]) -> None:
    result = app.test_cli_runner().invoke(args=["models", "promote", "clinic/1"])
    assert result.stdout == "clinic/1 is now the default model.\n"
    promoted = model_versions.promoted()
    assert promoted is not None
    assert promoted.label == "clinic/1"
    document = json.loads(app.test_cli_runner().invoke(args=["models", "promote", "lab", "--json"]).stdout)
    assert (document["label"], document["promoted"]) == ("lab/1", True)


@pytest.mark.parametrize("command", ["info", "promote"])
def test_a_model_that_does_not_exist_is_one_line_on_stderr(app: Flask, command: str) -> None:
    result = app.test_cli_runner().invoke(args=["models", command, "nobody/7", "--json"])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "There is no model 'nobody/7'" in result.stderr
    assert "Traceback" not in result.stderr


def test_models_delete_asks_and_leaves_the_default_model(app: Flask, versions: list[ModelVersion]) -> None:
    model_versions.promote("lab/1")
    runner = app.test_cli_runner()
    assert runner.invoke(args=["models", "delete", "clinic"], input="n\n").exit_code == 1
    assert runner.invoke(args=["models", "delete", "clinic", "--yes"]).stdout == "Deleted clinic/1.\n"
    refused = runner.invoke(args=["models", "delete", "lab/1", "--yes"])
    assert refused.exit_code == 1
    assert "lab/1 is the default model" in refused.stderr
    assert [version.label for version in model_versions.list_versions()] == ["lab/1"]


def test_models_prior_shows_and_sets_what_an_everyday_model_expects(app: Flask) -> None:
    app.config["REFERENCE_MODELS"] = ROOT / "reference_models"
    reference_models.add_new()
    run = app.test_cli_runner().invoke
    name = "reference-everyday"
    assert run(args=["models", "prior", name]).stdout == f"{name}/1 expects activities all alike.\n"
    shown = run(args=["models", "prior", name, "daily life"]).stdout
    assert shown.startswith(f"{name}/1 expects activities as in daily life: still 76.0%, walking 22.6%, stairs up 0.5%")
    assert json.loads(run(args=["models", "prior", name, "balanced", "--json"]).stdout)["prior"] == {}
    refused = run(args=["models", "prior", "reference-ku-har", "daily life"])
    assert refused.exit_code == 1
    assert "is no everyday model" in refused.stderr


def test_models_history_says_what_replaced_what_and_restore_brings_a_deleted_reference_model_back(app: Flask) -> None:
    app.config["REFERENCE_MODELS"] = ROOT / "reference_models"
    run = app.test_cli_runner().invoke
    reference_models.add_new()
    run(args=["models", "promote", "reference-ku-har"])
    (newest, first) = json.loads(run(args=["models", "history", "--json"]).stdout)
    assert (newest["label"], newest["replaced"], newest["by"]) == ("reference-ku-har/1", "reference-everyday/1", None)
    assert (first["label"], first["replaced"]) == ("reference-everyday/1", "")
    assert "  reference-ku-har/1  in place of reference-everyday/1\n" in run(args=["models", "history"]).stdout
    run(args=["models", "delete", "reference-everyday/1", "--yes"])
    assert run(args=["models", "restore", "reference-everyday"]).stdout == "reference-everyday/2 is here again.\n"
    refused = run(args=["models", "restore", "reference-everyday"])
    assert (refused.exit_code, "was not deleted" in refused.stderr) == (1, True)
