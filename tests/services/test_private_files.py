"""Nothing in a home can be read by another account of the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.services import installation
from tests import postgresql
from tests.homes import at_home
from tests.web.test_audit import test_the_life_of_a_recording as live_through_a_recording

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")


def open_to_others(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in (home, *home.rglob("*")) if path.lstat().st_mode & 0o077)


@pytest.fixture
def generous() -> Iterator[None]:
    """Start from an account whose files everybody may read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_home_after_a_whole_story_is_its_owners_alone(
    generous: None, app: Flask, deployed: Flask, user_client, admin_client
) -> None:
    home = Path(app.config["HAR_HOME"])
    installation.prepare()
    live_through_a_recording(app, deployed, user_client, admin_client)
    admin_client.post("/datasets/add", data={"name": "again", "path": "embedded-example"})
    assert [path for path in open_to_others(home) if path != "."] == []


def test_a_first_start_opens_nothing(generous: None, tmp_path: Path) -> None:
    with at_home(tmp_path / "home"):
        installation.prepare()
    assert [path for path in open_to_others(tmp_path / "home") if path != "."] == []


def test_the_home_of_an_earlier_build_is_closed_at_the_start(deployed: Flask, tmp_path: Path) -> None:
    home = Path(deployed.config["HAR_HOME"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (home / "uploads" / "link").symlink_to(elsewhere)
    elsewhere.chmod(0o644)
    for path in home.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    installation.prepare()
    assert [path for path in open_to_others(home) if path not in {".", "uploads/link", postgresql.NOTE}] == []
    assert elsewhere.stat().st_mode & 0o777 == 0o644
