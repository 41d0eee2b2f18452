"""Commands are tested in a home whose first start lies back, without what came with the program."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask


@pytest.fixture
def app(app: Flask, tmp_path: Path) -> Flask:
    (app.config["INSTANCE"] / "embedded_example_registered").touch()
    app.config["REFERENCE_MODELS"] = tmp_path / "none"
    return app
