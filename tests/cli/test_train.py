"""``flask train`` and ``flask evaluate``: their names and keys are a contract."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from flask import Flask

from app.har.classifiers.catalogue import CATALOGUE
from app.har.training.config import TrainConfig
from app.services.errors import Conflict
from app.services.models import model_versions, training
from tests.trained import register_base

EXAMPLE = "physiotherapy-example"
FIGURES = {"accuracy", "precision", "recall", "f1", "fit_seconds", "predict_windows_per_second"}


def test_train_prints_one_json_document_and_promotes(deployed: Flask, deployed_home: Path) -> None:
    document = json.loads((deployed_home / "stdout").read_text(encoding="utf-8"))
    assert list(document["models"]) == ["elm-gru-am", "naive-bayes"]
    for figures in document["models"].values():
        assert set(figures) >= FIGURES
        assert 0 < figures["accuracy"] <= 1
        assert figures["predict_windows_per_second"] > 0
    assert document["split"]["protocol"] == "random"
    assert document["split"]["train_windows"] > document["split"]["test_windows"] > 0
    assert document["model_version"] == f"{EXAMPLE}/1"
    promoted = model_versions.promoted()
    assert promoted is not None
    assert model_versions.info(promoted)["manifest"]["model_config"]["rotation_augmentation"] is True
    assert promoted.label == document["model_version"]
    assert "naive-bayes" in (deployed_home / "stderr").read_text(encoding="utf-8")  # progress goes there


def test_evaluate_scores_every_fold_of_people(example: Flask, tmp_path: Path) -> None:
    output = tmp_path / "folds.json"
    example.config["TRAINING_PLOTS"] = False
    arguments = f"evaluate --dataset {EXAMPLE} --models decision-tree,naive-bayes --folds 2 --json".split()
    result = example.test_cli_runner().invoke(args=[*arguments, str(output)])
    assert result.exit_code == 0, result.stderr
    assert "macro F1" in result.stdout
    document = json.loads(output.read_text())
    tree = document["models"]["decision-tree"]
    assert tree["f1"] == pytest.approx(sum(fold["f1"] for fold in tree["folds"]) / 2)
    assert tree["f1_interval"][0] < tree["f1"] < tree["f1_interval"][1]
    assert len(tree["per_subject"]) == 10
    (pair,) = document["comparisons"]
    assert (pair["model"], pair["against"]) == ("decision-tree", "naive-bayes")
    tested = [set(fold["subjects"]["test"]) for fold in document["folds"]]
    assert not tested[0] & tested[1]
    assert len(tested[0] | tested[1]) == 10
    assert model_versions.list_versions() == []
    alone = example.test_cli_runner().invoke(args=arguments)
    assert json.loads(alone.stdout)["models"]["decision-tree"]["f1"] == tree["f1"]


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_the_help_says_what_each_model_is(app: Flask, command: str) -> None:
    text = app.test_cli_runner().invoke(args=[command, "--help"]).stdout
    for name, info in CATALOGUE.items():
        assert re.search(rf"^ *{name} +{re.escape(info.about)}$", text, re.MULTILINE)


@pytest.mark.long
def test_a_training_from_a_stored_model_trains_that_alone_and_says_what_it_is_worth(
    example: Flask, small_base: Path, tmp_path: Path
) -> None:
    example.config["TRAINING_PLOTS"] = False
    register_base(small_base, tmp_path)
    result = example.test_cli_runner().invoke(args=["train", "--dataset", EXAMPLE, "--from", "old"])
    assert result.exit_code == 0, result.stderr
    assert "windows an activity" in result.stdout
    assert "on old/1" in result.stdout
    version = model_versions.get(f"{EXAMPLE}/1")
    manifest = model_versions.info(version)["manifest"]
    assert manifest["config"]["models"] == ["elm-gru-am"]
    assert manifest["transfer"]["base"] == "old/1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "no-such-data"], "no-such-data"),
        (["--dataset", EXAMPLE, "--from", "nothing"], "There is no model 'nothing'"),
        (["--dataset", EXAMPLE, "--fine-tune"], "choose the stored model"),
        (["--dataset", EXAMPLE, "--models", "svm2000"], "svm2000"),
        (["--dataset", EXAMPLE, "--models", ""], "Choose models"),
        (["--dataset", EXAMPLE, "--protocol", "random", "--overlap", "0.5"], "share samples"),
    ],
)
def test_what_cannot_be_trained_is_one_line_on_stderr(example: Flask, arguments: list[str], message: str) -> None:
    result = example.test_cli_runner().invoke(args=["train", "--json", *arguments])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        ("train", "--epochs", "0"),
        ("train", "--seed", "-1"),
        ("evaluate", "--folds", "21"),
        ("evaluate", "--overlap", "0.95"),
        ("train", "--window-length", "61"),
        ("train", "--low-pass", "0"),
        ("train", "--gap", "1.5"),
    ],
)
def test_what_is_out_of_bounds_is_refused_with_the_bounds(app: Flask, command: str, option: str, value: str) -> None:
    result = app.test_cli_runner().invoke(args=[command, "--dataset", EXAMPLE, option, value])
    assert result.exit_code == 2
    assert f"'{option}': {float(value):g}" in result.stderr.replace(".0 is", " is")
    assert "is not in the range" in result.stderr


@pytest.mark.long
def test_several_data_sets_are_left_out_in_turn_and_each_is_named(two: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    invoke = two.test_cli_runner().invoke
    names = ["--dataset", "small,other", "--models", "naive-bayes"]
    result = invoke(args=["train", *names, "--json"])
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["split"]["protocol"] == "dataset"
    assert set(document["data_sets"]["naive-bayes"]) == {"other", "small"}
    assert document["left_out"] == []
    assert "small · naive-bayes · fold scored" in result.stderr
    shown = invoke(args=["train", *names])
    assert "naive-bayes, by the data set that was left out" in shown.stdout
    assert re.search(r"^small +[\d.]+ +[\d.]+", shown.stdout, re.MULTILINE)
    evaluated = json.loads(invoke(args=["evaluate", *names, "--json"]).stdout)
    folds = evaluated["models"]["naive-bayes"]["folds"]
    assert [fold["dataset"] for fold in folds] == ["other", "small"]
    assert folds[1]["f1"] == document["data_sets"]["naive-bayes"]["small"]["f1"]
    asked: list[TrainConfig] = []

    def refused(names: str, config: TrainConfig, **_: object) -> None:
        asked.append(config)
        raise Conflict("another training runs")

    monkeypatch.setattr(training, "train", refused)
    assert invoke(args=["evaluate", *names, "--protocol", "subject", "--json"]).exit_code == 1
    assert (asked[0].protocol, asked[0].folds) == ("subject", 5)
