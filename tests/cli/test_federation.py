"""``flask federation``: what is printed, and where what is written goes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from flask import Flask

from app.services.models import model_versions
from tests.federation import acting_as
from tests.trained import FIGURES

DATASET = "physiotherapy-example"
pytestmark = pytest.mark.usefixtures("described_once")


@pytest.fixture
def site(example: Flask, small_lab: Path, tmp_path: Path) -> Flask:
    """Give the application a data set and a small model, and minimums that the data set reaches."""
    example.config["FEDERATION_MIN_WINDOWS"] = 100
    model_versions.register("lab", shutil.copytree(small_lab, tmp_path / "saved"), FIGURES)
    return example


def flask(app: Flask, *arguments: object) -> str:
    result = app.test_cli_runner().invoke(args=["federation", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def test_two_sites_export_and_one_merges(site: Flask, tmp_path: Path) -> None:
    with acting_as("leeds"):
        key = flask(site, "key").strip()
        text = flask(site, "export-stats", "lab", "--dataset", DATASET, "--out", tmp_path / "leeds.sums")
        assert text.startswith("Wrote leeds.sums: ")
        assert text.endswith("windows of 10 people.\n")
    assert "No site yet" in flask(site, "sites")
    assert "Files of leeds are taken" in flask(site, "add", "leeds", key)
    assert json.loads(flask(site, "sites", "--json")) == [{"name": "leeds", "public_key": key}]
    out = tmp_path / "here.sums"
    document = json.loads(flask(site, "export-stats", "lab", "--dataset", DATASET, "--out", out, "--json"))
    assert document["n_people"] == 10
    assert document["left_out"] == {}
    text = flask(site, "merge", tmp_path / "leeds.sums", out, "--model", "lab", "--name", "joint")
    assert text.startswith("Stored as model joint/1: leeds, this-site; ")
    assert "no record of how it was tested" in text
    assert "no longer taken" in flask(site, "remove", "leeds")


@pytest.mark.parametrize(("option", "value"), [("--epsilon", "nan"), ("--epsilon", "inf"), ("--delta", "nan")])
def test_no_sums_are_written_whose_noise_would_hide_nobody(
    site: Flask, tmp_path: Path, option: str, value: str
) -> None:
    arguments = ["export-stats", "lab", "--dataset", DATASET, "--out", str(tmp_path / "a.sums"), "--epsilon", "1"]
    result = site.test_cli_runner().invoke(args=["federation", *arguments, option, value])
    assert result.exit_code == 1
    assert f"Error: {option[2:]}: must be" in result.stderr
    assert not (tmp_path / "a.sums").exists()


def test_what_is_refused_is_one_line_and_exit_status_1(site: Flask, tmp_path: Path) -> None:
    site.config["FEDERATION_MIN_PEOPLE"] = 11
    arguments = ["federation", "export-stats", "lab", "--dataset", DATASET, "--out", str(tmp_path / "a.sums")]
    result = site.test_cli_runner().invoke(args=arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Sums are given away of at least")
    shutil.copy(__file__, tmp_path / "b.sums")
    result = site.test_cli_runner().invoke(
        args=["federation", "merge", str(tmp_path / "b.sums"), "--model", "lab", "--name", "joint"]
    )
    assert result.exit_code == 1
    assert "b.sums is no file of a federation" in result.stderr


def test_a_round_of_masked_sums_goes_through_its_steps(site: Flask, tmp_path: Path) -> None:
    names = ["leeds", "ulm", "graz"]
    keys = {}
    for name in names:
        with acting_as(name):
            keys[name] = flask(site, "key").strip()
            flask(site, "keys", "lab", "--dataset", DATASET, "--out", tmp_path / f"{name}.keys")
    for name in names:
        flask(site, "add", name, keys[name])
    with acting_as("leeds"):
        files = [tmp_path / f"{name}.keys" for name in names]
        assert "3 sites, of which 2 must stay" in flask(site, "open", *files, "--out", tmp_path / "round")
    for name in names:
        with acting_as(name):
            flask(site, "share", tmp_path / "round", "--out", tmp_path / f"{name}.shares")
    shares = [tmp_path / f"{name}.shares" for name in names]
    stayed = names[:2]
    for name in stayed:
        with acting_as(name):
            flask(site, "mask", tmp_path / "round", *shares, "--out", tmp_path / f"{name}.masked")
    masked = [tmp_path / f"{name}.masked" for name in stayed]
    with acting_as("leeds"):
        text = flask(site, "ask", tmp_path / "round", *masked, "--out", tmp_path / "ask")
        assert text == "Wrote ask: sums of 2 sites, without graz.\n"
    for name in stayed:
        with acting_as(name):
            out = tmp_path / f"{name}.answer"
            flask(site, "answer", tmp_path / "round", *shares, "--ask", tmp_path / "ask", "--out", out)
    answers = [tmp_path / f"{name}.answer" for name in stayed]
    text = flask(site, "merge", tmp_path / "round", *masked, *answers, "--model", "lab", "--name", "joint")
    assert "Stored as model joint/1: leeds, ulm" in text
    assert "dropped out: graz" in text
