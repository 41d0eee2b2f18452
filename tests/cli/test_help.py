"""``flask --help`` lists every command without waiting for the application."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from flask import Flask

from app.cli import COMMANDS, LazyCommand
from tests.conftest import ROOT


def flask(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HAR_HOME": str(home), "FLASK_APP": "app"}
    command = [sys.executable, "-m", "flask", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)


def test_help_lists_every_command_and_makes_no_home(tmp_path: Path) -> None:
    text = flask("--help", home=tmp_path / "home").stdout
    assert all(f"\n  {name} " in text and short_help in text for name, (_, short_help) in COMMANDS.items())
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_listed_command_is_there_and_says_the_same_of_itself(app: Flask, name: str) -> None:
    listed = app.cli.get_command(click.Context(app.cli), name)
    command = listed.load() if isinstance(listed, LazyCommand) else listed
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(limit=200).startswith(COMMANDS[name][1].removesuffix("."))
