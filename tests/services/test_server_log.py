"""The server's log: nobody writes a line of their choice into it."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from app.extensions import db
from app.services.server_log import BELOW, LONGEST_LINE, LineFormatter, printable
from app.tables import User
from tests.conftest import ROOT


def entry(message: str, *args: object, error: BaseException | None = None) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    return LineFormatter().format(logging.LogRecord("app.x", logging.WARNING, "", 0, message, args, info))


def test_an_entry_begins_with_the_time_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    record = logging.LogRecord("app.x", logging.INFO, "", 0, "hello %s", ("you",), None)
    record.created, record.msecs = 1_764_318_600.25, 250
    assert LineFormatter().format(record) == "2025-11-28T08:30:00.250Z INFO app.x: hello you"


@pytest.mark.parametrize(
    "text", ["a\nb", "a\rb", "\x1b[2J", "\x9b2J", "a\u2028b", "\u202eevil", "\ud800", "a\x00b", "\t"]
)
def test_what_cannot_be_printed_is_written_as_an_escape(text: str) -> None:
    line = entry("file %s is odd", text)
    assert line.isprintable()
    assert "\\" in line
    assert line.startswith("20")


def test_an_ordinary_name_stays_as_it_is() -> None:
    assert printable("Spaziergang – Grün, 散歩") == "Spaziergang – Grün, 散歩"


def test_a_line_has_an_end() -> None:
    assert len(entry("%s", "x" * 10**6)) < LONGEST_LINE + 100
    assert len(entry("%s", "\x00" * 10**6)) < LONGEST_LINE + 100


def test_a_traceback_cannot_pass_for_an_entry() -> None:
    try:
        raise ValueError("bad\n2026-11-28T08:30:00.000Z INFO app: all is well\x1b[2J")
    except ValueError as error:
        first, *below = entry("failed", error=error).split("\n")
    assert first.endswith("failed")
    assert len(below) > 3
    assert all(line.startswith(BELOW) and line.isprintable() for line in below)


def test_a_traceback_that_another_handler_has_formatted_is_not_taken_over() -> None:
    record = logging.LogRecord("app.x", logging.ERROR, "", 0, "failed", (), (ValueError, ValueError("a\rb"), None))
    logging.Formatter().format(record)
    assert "\r" not in LineFormatter().format(record)


def test_the_error_of_a_statement_shows_no_value(app: Flask) -> None:
    row = {"email": "a@example.org", "contact_number": "", "address": "", "password_hash": "scrypt:secret"}
    with app.app_context():
        db.session.add_all([User(username="ada", **row), User(username="bob", **row)])
        with pytest.raises(Exception, match=r"(?i)unique") as caught:
            db.session.commit()
        db.session.rollback()
    assert "scrypt:secret" not in str(caught.value)


def test_commands_and_threads_log_in_the_same_way(tmp_path: Path) -> None:
    code = """
import logging, threading, warnings
from app import create_app
create_app()
logging.getLogger("app.x").warning("a\\nb")
warnings.warn("old\\x1b")
thread = threading.Thread(target=lambda: 1 / 0, name="importer")
thread.start(); thread.join()
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={"HAR_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )
    entries = [line for line in result.stderr.splitlines() if not line.startswith(BELOW)]
    assert len(entries) == 3, result.stderr
    assert all(re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (WARNING|ERROR) \S+: .", line) for line in entries)
    assert "importer ended by an error" in entries[2]
    assert "ZeroDivisionError" in result.stderr


def test_no_part_of_the_program_prints_a_traceback_past_the_log() -> None:
    printing = [path.name for path in (ROOT / "app").rglob("*.py") if "print_exc" in path.read_text(encoding="utf-8")]
    assert printing == []
