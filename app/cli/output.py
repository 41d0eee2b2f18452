"""How a command reports: JSON for programs, text for people, a clear line and exit status 1 for an error."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from app.har.errors import HarError, UnknownTable, Unlabelled, UnreadableData, UnrecognisedData
from app.services.errors import ServiceError

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


def print_json(document: Any) -> None:
    """Print a document on stdout."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def text_of(path: Path) -> str:
    """Return the text of a file that a person wrote."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableData(f"{path.name}: expected text in UTF-8, found something else ({error}).") from error


def reports_errors(command: Command) -> Command:
    """Turn the errors that people can mend into one line on stderr."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (HarError, ServiceError) as error:
            click.echo(f"Error: {error}{_next_step(error)}", err=True)
            sys.exit(1)

    return wrapper  # type: ignore[return-value]


def _next_step(error: Exception) -> str:
    """Return what a person can do where the error itself cannot know that it happened on the command line."""
    command = click.get_current_context().command.name
    if isinstance(error, UnknownTable) and command in ("predict", "quality"):
        mapped = f"flask map FILE --output columns.yaml, then flask {command} FILE --map columns.yaml"
        return f" Say what its columns are: {mapped}."
    if isinstance(error, UnrecognisedData | Unlabelled) and command == "add":
        described = " Your own recordings need a description: --spec description.yaml; see docs/GUIDE.md."
        return f"{described} For files in no known layout, flask map FILE writes its part 'columns'."
    return ""


def needs_home(command: Command) -> Command:
    """Prepare the home first, for a command that works with what is stored there; errors are reported as well."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        from app.services import installation, keys

        installation.prepare_home()
        if keys.new_key() is not None:  # itself it is for a terminal, on request
            click.echo(
                f"Everything about people is sealed under a key in {keys.source()}. Keep a copy of it.", err=True
            )
        return command(*args, **kwargs)

    return reports_errors(wrapper)  # type: ignore[return-value]
