"""Readers: whatever a file makes one do, the server hears of it in words and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path

import pytest

from app.har.errors import HarError, UnreadableData, UnusableRecording
from app.har.progress import Event
from app.services.environment import SECRETS
from app.services.errors import Busy, Conflict
from app.services.readers import pool
from app.services.readers.pool import Limits, ReaderFailed, ask
from app.services.readers.turns import Turns
from config import Config
from tests.conftest import ROOT

JOBS = "tests.services.reader_jobs"
LIMITS = Limits(timeout_s=60, memory_mib=256)


def test_a_reader_answers_and_reports_and_is_asked_again() -> None:
    events: list[Event] = []
    assert ask(f"{JOBS}:echo", {"é": [1, 2.5, None]}, LIMITS, events.append) == {"é": [1, 2.5, None]}
    assert events == [{"stage": "reading", "fraction": 1.0}]
    assert ask(f"{JOBS}:number", {}, LIMITS) == ask(f"{JOBS}:number", {}, LIMITS) != os.getpid()


def test_a_job_that_holds_the_interpreter_is_ended_in_time() -> None:
    ask(f"{JOBS}:echo", {}, LIMITS)
    started = time.monotonic()
    with pytest.raises(UnreadableData, match=r"longer than 1 s, which is the limit here.* READ_TIMEOUT_S"):
        ask(f"{JOBS}:hold_the_interpreter", {}, Limits(1.0, LIMITS.memory_mib))
    assert time.monotonic() - started < 3.0
    assert ask(f"{JOBS}:echo", {"a": 1}, LIMITS) == {"a": 1}


@pytest.mark.parametrize("job", ["fill_memory", "end_the_program", "talk"])
def test_a_job_that_takes_too_much_or_dies_is_told_in_words(job: str) -> None:
    with pytest.raises(UnreadableData, match=r"more than 256 MB of memory|more than the server accepts"):
        ask(f"{JOBS}:{job}", {}, LIMITS)
    assert ask(f"{JOBS}:echo", {"a": 1}, LIMITS) == {"a": 1}


def test_errors_come_back_as_what_they_are_and_nothing_of_a_fault_but_its_kind() -> None:
    with pytest.raises(UnusableRecording, match=r"^too short$"):
        ask(f"{JOBS}:refuse", {}, LIMITS)
    with pytest.raises(OSError, match="No space left") as full:
        ask(f"{JOBS}:full_disk", {}, LIMITS)
    assert full.value.errno == 28
    with pytest.raises(ReaderFailed, match=r"^KeyError$"):
        ask(f"{JOBS}:fail", {}, LIMITS)


def test_a_reader_is_told_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = {each.name for each in fields(Config) if not each.repr} | {"OIDC_CLIENT_SECRET", "DATABASE_URL"}
    assert secret - {"SQLALCHEMY_DATABASE_URI"} <= SECRETS
    for name in SECRETS:
        monkeypatch.setenv(name, "x" * 40)
    reader = pool._Reader(300)
    answer = reader.ask(f"{JOBS}:secrets", {}, LIMITS, lambda _: None)
    reader.end()
    assert answer == {"result": []}


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
def test_a_reader_ends_with_a_server_that_is_killed(tmp_path: Path) -> None:
    code = (
        "from app.services.readers.pool import ask, Limits\n"
        f"ask('{JOBS}:sleep', {{}}, Limits(50, 256), lambda event: print(event['number'], flush=True))"
    )
    server = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    number = int(server.stdout.readline())
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    server.stdout.close()
    ends = time.monotonic() + 5.0
    while _runs(number):
        assert time.monotonic() < ends
        time.sleep(0.05)


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{number}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


# --- turns


def test_one_person_gets_one_turn_and_the_next_one_is_told_in_words() -> None:
    turns = Turns()
    with turns.turn(1, at_once=2, waiting=4):
        refused = pytest.raises(Conflict, match="Another file of yours")
        with refused, turns.turn(1, at_once=2, waiting=4):
            pass
    with turns.turn(1, at_once=2, waiting=4):
        pass


def test_beyond_those_who_read_and_those_who_wait_people_are_asked_to_come_back() -> None:
    turns, order, gone = Turns(), [], threading.Event()
    waits = threading.Semaphore(0)

    def read(person: int) -> None:
        with turns.turn(person, at_once=1, waiting=2, on_wait=waits.release):
            order.append(person)

    with ExitStack() as first:
        first.enter_context(turns.turn(1, at_once=1, waiting=2))
        threads = []
        for person in (2, 3):
            threads.append(threading.Thread(target=read, args=(person,)))
            threads[-1].start()
            assert waits.acquire(timeout=5)
        with pytest.raises(Busy, match="Try again"), turns.turn(4, at_once=1, waiting=2):
            gone.set()
        assert order == []
    for thread in threads:
        thread.join(5)
    assert order == [2, 3]
    assert not gone.is_set()
    read(4)
    assert order == [2, 3, 4]


def test_a_turn_that_fails_is_given_back() -> None:
    turns = Turns()
    for _ in range(3):
        with pytest.raises(HarError), turns.turn(1, at_once=1, waiting=0):
            raise HarError("no")
