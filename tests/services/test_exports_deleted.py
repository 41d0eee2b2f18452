"""Exports of models that go meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import delete

from app.services.errors import Invalid
from app.services.models import exports, model_versions
from app.services.transaction import transaction
from app.tables import ModelVersion
from tests.trained import Example, register_model


def test_a_model_that_is_deleted_while_it_is_exported_leaves_nothing(
    app: Flask, example_model: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_model(example_model, tmp_path / "registered", "lab")
    version = model_versions.get("lab")
    number, place = version.id, model_versions.exports_folder(version)

    def deleted_meanwhile(*_: object) -> dict[str, object]:
        with transaction() as session:
            session.execute(delete(ModelVersion).where(ModelVersion.id == number))
        return {}

    monkeypatch.setattr(exports, "_in_child", deleted_meanwhile)
    with pytest.raises(Invalid, match="deleted meanwhile"):
        exports.make(number, "c")
    assert not place.exists()
