"""``flask <command>``: thin, over the same services as the pages.

``--json`` prints one JSON document on stdout and nothing else there; logs go to stderr.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click
from flask import Flask, current_app

COMMANDS = {  # name: where it is, and what ``flask --help`` says of it
    "audit": ("app.cli.audit:audit_", "Look whether the audit log is as it was written."),
    "backup": ("app.cli.backup:backup", "Write an encrypted backup of the site to FILE."),
    "cohort": ("app.cli.cohort:cohort", "Recognise thousands of recordings, and report on them."),
    "datasets": ("app.cli.datasets:datasets", "Add, list, inspect, map, export, rename and remove data sets."),
    "db": ("flask_migrate.cli:db", "Perform database migrations."),
    "evaluate": ("app.cli.train:evaluate", "Cross-validate models on a data set, or on several as one."),
    "falls": ("app.cli.falls:falls", "Train and choose what watches for falls."),
    "federation": ("app.cli.federation:federation", "Learn one model at several sites, from sums alone."),
    "keys": ("app.cli.keys:keys", "The key under which everything about people is sealed."),
    "map": ("app.cli.predict:map_", "Guess what the columns of FILE are, for flask predict --map."),
    "measures": ("app.cli.measures:measures", "Write the daily measures of FILE as CSV."),
    "models": (
        "app.cli.models:models",
        "List, promote, limit, export, delete models; forget a person.",
    ),
    "move": ("app.cli.backup:move", "Take the site along to a server's database."),
    "predict": ("app.cli.predict:predict", "Recognise the activities in FILE."),
    "quality": ("app.cli.quality:quality", "Print the quality card of each recording in FILE."),
    "restore": ("app.cli.backup:restore", "Put a backup in the place of an empty site."),
    "stream": ("app.cli.stream:stream", "Send sensors to a Kinelab as phones do."),
    "train": ("app.cli.train:train", "Train and compare models on a data set."),
    "users": ("app.cli.users:users", "Create and list accounts, and make addresses that work once."),
}


class LazyCommand(click.Command):
    """A command that is imported when it is called, not when all are listed."""

    def __init__(self, name: str, target: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help)
        self.target = target

    def load(self) -> click.Command:
        """Return the command itself."""
        module, _, attribute = self.target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Let the command itself read its arguments: its context is what click goes on with."""
        return self.load().make_context(info_name, args, parent, **extra)


class MigrationCommand(LazyCommand):
    """``flask db``, to which Alembic must be bound first: it takes a sixth of any other command's start."""

    def load(self) -> click.Command:
        """Return the command itself."""
        if not only_help_is_asked():
            from app.services.installation import bind_alembic

            bind_alembic(current_app)
        return super().load()


def only_help_is_asked() -> bool:
    """Tell whether the application is built for ``flask … --help``, which needs its commands and nothing else of it."""
    return click.get_current_context(silent=True) is not None and "--help" in sys.argv


def register(app: Flask) -> None:
    """Add the commands to ``flask``."""
    for name, (target, short_help) in COMMANDS.items():
        kind = MigrationCommand if name == "db" else LazyCommand
        app.cli.add_command(kind(name, target, short_help))
