"""The page of the audit log."""

from __future__ import annotations

import csv
import io
import json
import time
import tracemalloc
from collections.abc import Callable
from datetime import date, timedelta
from itertools import islice

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.services import audit, audit_reading
from app.services.audit import Action, Origin
from app.services.audit_lines import as_line
from app.services.audit_reading import AuditQuery
from app.tables._columns import now
from tests.services.test_audit import lines


def write(actor: str, action: Action, name: str = "", **details: str) -> None:
    with audit.acting(Origin(actor, 1, "192.0.2.1")):
        audit.record(action, name, **details)


def written_by(text: str, *names: str) -> list[str]:
    """Return which of these names the table shows, in the order of the page."""
    return sorted((name for name in names if f">{name}<" in text), key=lambda name: text.index(f">{name}<"))


def test_the_newest_entries_come_first(admin_client: FlaskClient) -> None:
    for number in range(120):
        write("ada", Action.UPLOAD, f"recording {number}")
    names = [f"recording {number}" for number in range(120)]
    first, second = (admin_client.get(f"/admin/audit?actor=ada&page={page}").text for page in (1, 2))
    assert written_by(first, *names) == names[:69:-1]
    assert written_by(second, *names) == names[69:19:-1]
    assert "120 entries" in first


def test_details_are_written_as_people_write(admin_client: FlaskClient) -> None:
    with audit.acting(Origin("ada", 1, "192.0.2.1")):
        audit.record(Action.SECOND_FACTOR, "ada", on=True)
        audit.record(Action.UPLOAD, "recording 1", bytes=5, replaces=None)
    page = admin_client.get("/admin/audit?actor=ada").text
    assert "on: yes" in page
    assert "bytes: 5<" in page


def test_a_filter_by_action_and_actor_and_both(admin_client: FlaskClient) -> None:
    write("ada", Action.UPLOAD, "one")
    write("ada", Action.RECORDING_DELETED, "two")
    write("bob", Action.UPLOAD, "three")
    write("mallory", Action.DATASET_ADDED, "four", text='","action":"upload","actor":"ada",')
    for query, expected in {
        "action=upload": ["three", "one"],
        "actor=ada": ["two", "one"],
        "actor=ADA&action=upload": ["one"],
        "actor=ad": [],
        "action=nothing": [],
    }.items():
        assert written_by(admin_client.get(f"/admin/audit?{query}").text, "one", "two", "three", "four") == expected


def test_a_filter_by_days(admin_client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    today = now()
    for day in range(4):
        monkeypatch.setattr(audit, "now", lambda day=day: today + timedelta(days=day))
        write("ada", Action.UPLOAD, f"day {day}")
    first, last = today.date() + timedelta(days=1), today.date() + timedelta(days=2)
    text = admin_client.get(f"/admin/audit?first={first}&last={last}&actor=ada").text
    assert written_by(text, *(f"day {day}" for day in range(4))) == ["day 2", "day 1"]
    assert f'value="{first}"' in text


@pytest.mark.parametrize(
    "query",
    ["page=99999", "page=x", "first=2026-13-45", "last=today", "action=%00", "actor=%F0%28", "first=٣", "actor=("],
)
def test_an_odd_address_is_no_error(admin_client: FlaskClient, query: str) -> None:
    assert admin_client.get(f"/admin/audit?{query}").status_code == 200


def test_a_damaged_line_is_shown_and_stops_nothing(admin_client: FlaskClient) -> None:
    write("ada", Action.UPLOAD, "before")
    (path,) = audit.files()
    path.write_bytes(path.read_bytes() + b'{"time":"20\n[]\n"x"\n<script>\xff\n')
    write("ada", Action.UPLOAD, "after")
    text = admin_client.get("/admin/audit").text
    assert text.count("damaged line") == 4
    assert "&lt;script&gt;" in text
    assert written_by(text, "before", "after") == ["after", "before"]


def test_the_download_holds_what_is_asked_for_and_is_recorded(app: Flask, admin_client: FlaskClient) -> None:
    for number in range(60):
        write("ada", Action.UPLOAD, f"recording {number}", place="wrist")
    response = admin_client.get("/admin/audit.jsonl?actor=ada")
    assert [json.loads(line)["object"] for line in response.text.splitlines()] == [f"recording {n}" for n in range(60)]
    table = list(csv.DictReader(io.StringIO(admin_client.get("/admin/audit.csv?actor=ada").text)))
    assert table[3]["object"] == "recording 3"
    assert json.loads(table[3]["details"]) == {"place": "wrist"}
    downloads = [line for line in lines(app) if line["action"] == "download"]
    assert [(line["actor"], line["object"]) for line in downloads] == [
        ("adam", "GET /admin/audit.jsonl"), ("adam", "GET /admin/audit.csv"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_spreadsheet_finds_no_formula(admin_client: FlaskClient, name: str) -> None:
    write("ada", Action.DATASET_ADDED, name)
    (row,) = csv.DictReader(io.StringIO(admin_client.get("/admin/audit.csv?actor=ada").text, newline=""))
    assert row["object"] == f"'{name}"


def test_only_administrators_see_it(user_client: FlaskClient, client: FlaskClient) -> None:
    for address in ("/admin/audit", "/admin/audit.csv", "/admin/audit.jsonl"):
        assert user_client.get(address).status_code == 403
        assert client.get(address).status_code == 302


@pytest.fixture
def long_log(app: Flask) -> int:
    """Write a log of a million lines, as large as real ones are."""
    write("ada", Action.DOWNLOAD, "GET /predictions/12/windows.csv")
    (path,) = audit.files()
    line = path.read_bytes()
    path.unlink()
    form = audit.sealing()
    other = as_line(form.stored({**(form.read(line) or {}), "actor": "bob"})).encode()
    first, *others = (audit.folder() / f"{date.today()}-{number:03}.jsonl" for number in range(10))
    first.write_bytes((line + other * 9) * 10_000)
    for part in others:
        part.hardlink_to(first)
    return 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("query", [AuditQuery(), AuditQuery(actor="ada"), AuditQuery(action="log-in", actor="ada")])
def test_a_page_of_a_million_lines_stalls_nobody(app: Flask, long_log: int, query: AuditQuery) -> None:
    started = time.process_time()
    found, too_long = audit_reading.find(query, 10**6)
    assert time.process_time() - started < 3
    assert not too_long
    assert found.total == (0 if query.action else long_log // 10 if query.actor else long_log)


def test_memory_does_not_grow_with_the_log(app: Flask, long_log: int) -> None:
    today, *older = audit.files()
    for path in older:
        path.unlink()
    tracemalloc.start()
    try:
        for query in (AuditQuery(), AuditQuery(actor="ada")):
            audit_reading.find(query, 1)
            assert sum(len(line) for line in islice(audit_reading.as_json_lines(query), 10_000)) > 3 * 2**20
        assert tracemalloc.get_traced_memory()[1] < 5 * 2**20 < today.stat().st_size
    finally:
        tracemalloc.stop()


def test_beyond_a_size_only_the_newest_part_is_looked_through(
    admin_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "FILE_BYTES", 1000)
    for number in range(40):
        write("ada", Action.UPLOAD, f"recording {number}")
    monkeypatch.setattr(audit_reading, "LOOKED_THROUGH", 3000)
    text = admin_client.get("/admin/audit?actor=ada").text
    assert "only the newest part" in text
    assert ">recording 39<" in text
    assert ">recording 0<" not in text


def test_reading_needs_no_context_once_the_answer_is_on_its_way(app: Flask, log_in: Callable[..., FlaskClient]) -> None:
    write("ada", Action.UPLOAD, "recording 1")
    with app.app_context():
        rows, table = audit_reading.as_json_lines(AuditQuery()), audit_reading.as_csv(AuditQuery())
    assert b"recording 1" in next(rows)
    assert "recording 1" in next(table)
