"""``flask <command>``: thin, over the same services as the pages.

``--json`` prints one JSON document on stdout and nothing else there; logs go to stderr.
"""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Add the commands to ``flask``."""
    from app.cli.datasets import datasets
    from app.cli.models import models
    from app.cli.predict import map_, predict
    from app.cli.quality import quality
    from app.cli.train import evaluate, train
    from app.cli.users import users

    for command in (datasets, train, evaluate, models, predict, map_, quality, users):
        app.cli.add_command(command)
