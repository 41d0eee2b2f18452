"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real recordings; without it a test is skipped on a user's machine and fails in CI."""
    folder = Path(os.environ.get("HAR_DATA_DIR") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        message = f"the real recordings are not at {folder} (set HAR_DATA_DIR)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """Return an application with its own empty home and database, without CSRF and rate limits."""
    monkeypatch.setenv("HAR_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    from app import create_app
    from app.extensions import db
    from config import Config

    config = Config()
    config.TESTING = True  # type: ignore[attr-defined]
    config.WTF_CSRF_ENABLED = False  # type: ignore[attr-defined]
    config.RATELIMIT_ENABLED = False  # type: ignore[attr-defined]
    app = create_app(config)
    with app.app_context():
        db.create_all()
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
