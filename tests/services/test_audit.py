"""The audit log as a file: what a line holds, what it never holds, how long it is kept."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.services import accounts, audit, audit_reading
from app.services.audit import Action, Origin
from app.services.audit_reading import AuditQuery
from app.tables._columns import now


def lines(app: Flask) -> list[dict[str, Any]]:
    """Return the whole log, the oldest line first."""
    with app.app_context():
        return [json.loads(line) for line in audit_reading.as_json_lines(AuditQuery())]


def written(app: Flask) -> str:
    """Return the whole log, opened."""
    with app.app_context():
        return b"".join(audit_reading.as_json_lines(AuditQuery())).decode("ascii")


def test_a_line_says_who_did_what_when_from_where_and_how_it_ended(app: Flask) -> None:
    with audit.acting(Origin("ada", 7, "192.0.2.1")):
        audit.record(Action.ROLE_CHANGED, "bob", role="admin")
    (line,) = lines(app)
    assert line.pop("time").endswith("Z")
    assert line.pop("number") == 1
    for name in ("salt", "said", "chain"):  # see test_audit_chain.py
        del line[name]
    assert line == {
        "action": "role changed", "outcome": "done", "actor": "ada", "actor_id": 7, "address": "192.0.2.1",
        "object": "bob", "details": {"role": "admin"},
    }  # fmt: skip


def test_the_log_is_for_its_owner_alone(app: Flask) -> None:
    audit.record(Action.UPLOAD)
    (path,) = audit.files()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r\nb", "\x1b[2Ja", "a\x85b", "a\u2028b", "a\x7fb", '"}\n{"action":"x"', "\ud800"]
)
def test_no_text_can_begin_a_line_or_steer_a_terminal(app: Flask, text: str) -> None:
    audit.record(Action.DATASET_ADDED, text, name=text)
    (path,) = audit.files()
    for lines_of_it in (path.read_bytes(), written(app).encode()):
        assert lines_of_it.count(b"\n") == 1
        assert all(32 <= byte < 127 for byte in lines_of_it.rstrip(b"\n"))
    (line,) = lines(app)
    assert (line["object"], line["details"]["name"]) == (text, text)


def test_a_value_without_end_is_cut(app: Flask) -> None:
    audit.record(Action.DATASET_ADDED, "x" * 10**6, source="y" * 10**6)
    (line,) = lines(app)
    assert (len(line["object"]), len(line["details"]["source"])) == (audit.LONGEST, audit.LONGEST)


def test_a_name_without_an_account_is_not_written_it_may_be_a_password(app: Flask) -> None:
    with pytest.raises(accounts.Invalid):
        accounts.authenticate("correct horse battery", "whatever")
    (line,) = lines(app)
    assert (line["action"], line["outcome"], line["object"]) == ("log-in", "refused", "a name without an account")


def test_one_address_cannot_fill_the_disk_with_refusals(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = now().replace(second=0)
    monkeypatch.setattr(audit, "now", lambda: moment)
    for address in ("192.0.2.1", "192.0.2.2"):
        with audit.acting(Origin(audit.NOBODY, None, address)):
            for _ in range(audit.REFUSALS_A_MINUTE + 50):
                audit.record(Action.REFUSAL, outcome="refused")
    found = lines(app)
    assert len(found) == 2 * audit.REFUSALS_A_MINUTE
    assert "further refusals" in found[audit.REFUSALS_A_MINUTE - 1]["details"]["note"]
    monkeypatch.setattr(audit, "now", lambda: moment + timedelta(minutes=1))
    with audit.acting(Origin(audit.NOBODY, None, "192.0.2.1")):
        audit.record(Action.REFUSAL, outcome="refused")
    assert len(lines(app)) == 2 * audit.REFUSALS_A_MINUTE + 1


def test_a_large_day_goes_on_in_a_further_file(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "FILE_BYTES", 500)
    for number in range(12):
        audit.record(Action.UPLOAD, f"recording {number}")
    assert len(audit.files()) > 2
    assert [line["object"] for line in lines(app)] == [f"recording {number}" for number in range(12)]


def test_what_is_older_than_the_setting_says_goes(app: Flask) -> None:
    app.config["AUDIT_DAYS"] = 30
    days = [now().date() - timedelta(days=age) for age in (29, 30, 31, 400)]
    paths = [audit.folder() / f"{day}-000.jsonl" for day in days]
    for path in paths:
        path.write_text("{}\n")
    (audit.folder() / "notes.txt").write_text("mine")
    audit.record(Action.UPLOAD)
    assert [path.exists() for path in paths] == [True, True, False, False]
    assert (audit.folder() / "notes.txt").exists()


def test_a_line_that_was_cut_off_does_not_swallow_the_next(app: Flask) -> None:
    audit.record(Action.UPLOAD, "recording 1")
    (path,) = audit.files()
    path.write_bytes(path.read_bytes() + b'{"time":"2026')
    audit.record(Action.UPLOAD, "recording 2")
    assert '"object":"recording 2"' in written(app).splitlines()[-1]


def test_a_log_that_cannot_be_written_stops_nobody_and_is_not_silent(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(audit, "open", full, raising=False)
    with caplog.at_level(logging.ERROR):
        audit.record(Action.UPLOAD, "recording 5")
    assert "recording 5" in caplog.text
    assert "No space left" in caplog.text


def test_without_a_visitor_the_server_or_the_command_line_acts(app: Flask) -> None:
    audit.record(Action.TRAINING_ENDED)
    result = app.test_cli_runner().invoke(
        args=["users", "create", "--username", "ada", "--email", "ada@example.org", "--password-stdin"],
        input="correct horse battery\n",
    )
    assert result.exit_code == 0, result.output
    actors = {line["action"]: line["actor"] for line in lines(app)}
    assert actors["training ended"] == "(server)"
    assert actors["account made"].startswith("(command line")


def test_a_home_of_an_earlier_build_gets_its_log(app: Flask) -> None:
    assert not (Path(app.config["INSTANCE"]) / "audit").exists()
    audit.record(Action.UPLOAD)
    assert len(lines(app)) == 1
