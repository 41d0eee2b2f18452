"""The chain of the audit log: whoever changes, adds or takes away a line is found out, and what may go can go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from app.services import audit, audit_chain, audit_reading, database, database_changing
from app.services.audit import Action, Origin
from app.services.audit_lines import as_line
from app.services.audit_reading import AuditQuery
from app.tables._columns import now
from tests import postgresql
from tests.conftest import ROOT
from tests.services.test_audit import lines, written

Change = Callable[[list[bytes]], list[bytes]]


@pytest.fixture
def log(app: Flask) -> Path:
    """Return a log of ten lines, as it lies beside a plain database: the fourth by ada, the fifth about her."""
    app.extensions[database.KNOWN] = {database.home_file().resolve(): (None, None)}
    if postgresql.is_used():
        database.home_file().with_name(database.KEY_FILE).unlink()
    return ten_lines()


def ten_lines() -> Path:
    for number in range(10):
        with audit.acting(Origin("ada" if number == 3 else "bob", 7 if number == 3 else 8, "192.0.2.1")):
            audit.record(Action.UPLOAD, f"recording {number}", about=[7] if number == 4 else [], rows=number)
    (path,) = audit.files()
    return path


def unchained(line: bytes) -> bytes:
    document = json.loads(line)
    return as_line({k: document[k] for k in document if k not in ("number", "salt", "said", "chain")}).encode()


TAMPERED: dict[str, tuple[Change, int, str]] = {  # what is done, at which line it shows, and as what
    "a value": (lambda t: [*t[:4], t[4].replace(b'"rows":4', b'"rows":5'), *t[5:]], 5, "changed"),
    "a name": (lambda t: [*t[:3], t[3].replace(b'"ada"', b'"bob"'), *t[4:]], 4, "changed"),
    "a time": (lambda t: [*t[:6], t[6].replace(b'"time":"2', b'"time":"1'), *t[7:]], 7, "changed"),
    "a line goes": (lambda t: t[:4] + t[5:], 5, "line 6 of the chain follows line 4"),
    "the first line goes": (lambda t: t[1:], 1, "missing"),
    "the last lines go": (lambda t: t[:-2], 8, "2 lines are missing at the end"),
    "two change places": (lambda t: [*t[:2], t[3], t[2], *t[4:]], 3, "line 4 of the chain follows line 2"),
    "a line twice": (lambda t: [*t[:3], t[2], *t[3:]], 4, "line 3 of the chain follows line 3"),
    "one that is not of it": (lambda t: [*t[:3], unchained(t[3]), *t[3:]], 4, "not of the chain"),
    "the first lose their chain": (lambda t: [*map(unchained, t[:3]), *t[3:]], 4, "missing"),
    "a line that cannot be read": (lambda t: [*t[:3], t[3][:40] + b"\n", *t[4:]], 4, "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_whoever_changes_the_log_is_found_out_at_the_first_line(app: Flask, log: Path, what: str) -> None:
    assert audit.verify() == audit_chain.Verdict(10, 0, 10, lines(app)[-1]["chain"])
    change, number, why = TAMPERED[what]
    log.write_bytes(b"".join(change(log.read_bytes().splitlines(keepends=True))))
    first = audit.verify().broken[0]
    assert (first.file, first.line) == (log.name, number)
    assert why in first.why


def sealed_of(text: bytes) -> dict[str, str]:
    return {"sealed": json.loads(text)["sealed"]}


SEALED_TAMPERED: dict[str, Change] = {
    "what is sealed": (lambda t: [*t[:4], t[4].replace(b'"sealed":"', b'"sealed":"AAAA'), *t[5:]]),
    "that of another line": (lambda t: [*t[:4], as_line(json.loads(t[4]) | sealed_of(t[5])).encode(), *t[5:]]),
    "who it was": (lambda t: [*t[:4], t[4].replace(b'"who":"', b'"who":"0'), *t[5:]]),
    "nothing is sealed": (lambda t: [*t[:4], t[4].replace(b'"sealed"', b'"filled"'), *t[5:]]),
}  # fmt: skip


@pytest.mark.parametrize("what", SEALED_TAMPERED)
def test_whoever_changes_a_sealed_line_is_found_out(app: Flask, what: str) -> None:
    log = ten_lines()
    assert audit.verify().broken == []
    log.write_bytes(b"".join(SEALED_TAMPERED[what](log.read_bytes().splitlines(keepends=True))))
    assert audit.verify().broken[0].line == 5


@pytest.mark.sqlite("is made plain and encrypted again")
def test_a_sealed_log_names_nobody_and_is_made_plain_and_sealed_again_with_the_database(app: Flask) -> None:
    log, before = ten_lines(), written(app)
    assert b'"ada"' not in log.read_bytes()
    assert b"192.0.2.1" not in log.read_bytes()
    found = [list(audit_reading.as_json_lines(AuditQuery(actor=name))) for name in ("ada", "bob", "eve")]
    assert [len(some) for some in found] == [1, 9, 0]
    database_changing.change(False)
    assert [b"192.0.2.1" in path.read_bytes() for path in audit.files()] == [True]
    assert written(app).startswith(before)
    database_changing.change(True)
    assert b'"ada"' not in log.read_bytes()
    assert written(app).startswith(before)
    verdict = audit.verify()
    assert (verdict.lines, verdict.broken) == (12, [])
    assert audit.forget_person(7, "ada") == 2
    assert '"ada"' not in written(app)
    assert audit.verify().broken == []


def test_lines_that_a_killed_change_left_plain_are_sealed_by_the_next_start(app: Flask) -> None:
    log, before = ten_lines(), written(app)
    audit.open_all()
    audit.record(Action.UPLOAD, "recording 10")  # of an encrypted database again
    assert b'"ada"' in log.read_bytes()
    audit.seal_all()
    assert b'"ada"' not in log.read_bytes()
    assert written(app).startswith(before)
    audit.record(Action.UPLOAD, "recording 11")
    assert (audit.verify().lines, audit.verify().broken) == (12, [])


def test_without_the_key_nobody_writes_another_chain(app: Flask, log: Path) -> None:
    key, before, forged = b"guessed", audit_chain.Link(), []
    for document in lines(app):
        bare = {name: document[name] for name in document if name not in ("number", "salt", "said", "chain")}
        line = audit_chain.linked(key, bare | {"actor": "eve"}, before)
        before = audit_chain.Link(line["number"], line["chain"])
        forged.append(as_line(line))
    log.write_text("".join(forged))
    assert audit.verify().n_broken == 10


def test_lines_of_an_earlier_build_may_stand_before_the_chain(app: Flask) -> None:
    day = now().date() - timedelta(days=1)
    audit.record(Action.UPLOAD)
    old = {"time": "t", "action": "upload", "outcome": "done", "details": {}}
    (audit.folder() / f"{day}-000.jsonl").write_text(as_line(old) * 3)
    verdict = audit.verify()
    assert (verdict.before, verdict.lines, verdict.broken) == (3, 1, [])


def test_what_is_kept_no_longer_leaves_a_chain_that_holds(
    app: Flask, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in (200, 380, 600):  # each time, what is there by then is too old for the next
        monkeypatch.setattr(audit, "now", lambda days=days: now() + timedelta(days=days))
        audit.record(Action.UPLOAD, f"after {days} days")
        assert audit.verify().broken == []
    assert not log.exists()
    audit.files().popitem()[0].unlink()  # the oldest, in which the last anchor is not
    assert "missing" in audit.verify().broken[0].why


def test_a_person_who_is_erased_leaves_the_lines_without_their_name(app: Flask, log: Path) -> None:
    audit.record(Action.ROLE_CHANGED, "ada", role="user", by="ada")
    assert audit.forget_person(7, "ada") == 3
    written = log.read_text()
    assert '"ada"' not in written
    assert '"actor_id":7' not in written
    assert '"about":[7]' not in written
    audit.record(Action.UPLOAD, "recording 10")
    verdict = audit.verify()
    assert (verdict.lines, verdict.broken) == (12, [])
    assert [line["actor"] for line in lines(app)][2:5] == ["bob", audit_chain.ERASED, "bob"]


def test_nobody_else_makes_a_line_nameless(app: Flask, log: Path) -> None:
    texts = log.read_bytes().splitlines(keepends=True)
    bare = audit_chain.without(b"guessed", json.loads(texts[3]), 7, "ada")
    log.write_bytes(b"".join([*texts[:3], as_line(bare).encode(), *texts[4:]]))
    assert audit.verify().broken[0].line == 4


def test_a_writer_that_dies_before_the_head_is_written_breaks_nothing(app: Flask, log: Path) -> None:
    head = audit_chain.read_head(audit.folder())
    audit.record(Action.UPLOAD, "the last words")
    assert head is not None
    audit_chain.write_head(audit.folder(), head)  # as a server that was killed would have left it
    audit.record(Action.UPLOAD, "of the next server")
    with log.open("a") as file:
        file.write('{"time":"cut')  # and one whose disk was full
    audit.record(Action.UPLOAD, "after that")
    assert [line.line for line in audit.verify().broken] == [13]
    assert audit.verify().number == 13


WRITE = """
import os
from flask import Flask
from app.services import audit, keys
app = Flask("another process")
app.config |= {"INSTANCE": os.environ["INSTANCE"], "AUDIT_DAYS": 365, "ENCRYPTION_PASSPHRASE": ""}
app.config["ENCRYPTION_KEY"] = os.environ["ENCRYPTION_KEY"]
app.extensions[audit.ORIGIN] = lambda: None
with app.app_context():
    for number in range(40):
        audit.record(audit.Action.UPLOAD, f"recording {number}")
"""


def test_processes_and_threads_write_one_chain(app: Flask) -> None:
    environment = {**os.environ, "INSTANCE": str(app.config["INSTANCE"])}
    others = [subprocess.Popen([sys.executable, "-c", WRITE], cwd=ROOT, env=environment) for _ in range(2)]

    def write() -> None:
        with app.app_context():
            for number in range(40):
                audit.record(Action.DOWNLOAD, str(number))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait() for other in others] == [0, 0]
    verdict = audit.verify()
    assert (verdict.lines, verdict.broken) == (240, [])


def test_the_command_names_the_first_broken_line(app: Flask, log: Path) -> None:
    run = app.test_cli_runner().invoke
    right = run(args=["audit", "verify"])
    assert (right.exit_code, right.output.startswith("Every line holds: ")) == (0, True)
    noted = right.output.rsplit(" ", 1)[1].strip()
    log.write_bytes(log.read_bytes().replace(b'"rows":4', b'"rows":5'))
    broken = run(args=["audit", "verify", "--json"])
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["broken"][0].startswith(f"{log.name}, line 5: ")
    assert run(args=["audit", "verify", "--since", noted]).output.count("is not in the log") == 0
    assert run(args=["audit", "verify", "--since", f"3:{noted}"]).output.count("is not in the log") == 1


def test_a_look_at_somebodys_data_is_a_line_and_looking_on_is_not(app: Flask) -> None:
    with audit.acting(Origin("carla", 5, "192.0.2.1")):
        for about in ([7], [7], [8, 7], [5], []):
            audit.looked("state now", about)
    assert [line["about"] for line in lines(app)] == [[7], [7, 8]]
