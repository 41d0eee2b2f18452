"""docs/DEPLOYMENT.md: its commands work as they stand."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from flask import Flask

from app.services import accounts
from app.services.backups import sealed
from tests import homes
from tests.conftest import PASSWORD, ROOT

PAGE = ROOT / "docs" / "DEPLOYMENT.md"


def run(app: Flask, block: str) -> None:
    """Run the commands of a block, those of ours in this process."""
    for line in block.splitlines():
        if line.startswith(".venv/bin/flask "):
            result = app.test_cli_runner().invoke(args=shlex.split(line)[1:])
            assert result.exit_code == 0, result.stderr
        else:
            subprocess.run(["bash", "-euc", line], check=True)


def test_a_backup_made_by_the_commands_of_the_page_is_restored_by_its_command(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "MEMORY_KIB", 64)
    (app.config["INSTANCE"] / "embedded_example_registered").touch()
    app.config["REFERENCE_MODELS"] = tmp_path / "none"
    accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8").split("## Backup and restore")[1]
    write, restore = re.findall(r"```\n(.*?)```", text, re.S)[:2]
    run(app, write)
    assert (tmp_path / "backup.key").stat().st_mode & 0o077 == 0
    with homes.at_home(tmp_path / "restored") as restored:
        run(restored, restore)
        assert [user.username for user in accounts.all_users()] == ["ada"]
