"""Bringing the database up to date."""

from __future__ import annotations

import sys

from alembic.script import ScriptDirectory
from flask import Flask, current_app
from sqlalchemy import text

from app.extensions import db
from app.services import installation


def test_the_revision_read_from_file_names_is_the_one_alembic_finds(app: Flask) -> None:
    heads = ScriptDirectory(str(current_app.config["MIGRATIONS"])).get_heads()
    assert heads == [installation._latest_revision()] == [installation._revision()]


def test_a_database_of_an_older_revision_is_migrated_and_a_current_one_left_alone(app: Flask, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "flask_migrate", None)  # importing it would now fail
    installation.migrate()
    monkeypatch.undo()
    db.drop_all()
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    installation.migrate()
    assert installation._revision() == installation._latest_revision()
