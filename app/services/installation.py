"""What an installation needs before it can be used: its tables, and on a first start the embedded example."""

from __future__ import annotations

import logging
from pathlib import Path

from filelock import FileLock
from flask import current_app
from flask_migrate import upgrade

from app.services import datasets, predictions, training


def migrate() -> None:
    """Bring the database up to date; a server and a shell that start together take turns."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with FileLock(Path(current_app.config["INSTANCE"]) / "migration.lock"):
        upgrade()


def prepare() -> None:
    """Make a server's start: migrate, tidy up after one that died, add the example the first time."""
    migrate()
    training.mark_interrupted()
    datasets.prepare_at_start()
    predictions.remove_orphans()
