"""The real server, killed in the middle of a stream: the session goes on, with nothing lost or doubled."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from app.services.live import devices
from app.services.live.simulated import Person, Phone
from app.tables import User
from tests import homes
from tests.browser.site import Site
from tests.live import add_everyday

BATCHES = 24


@pytest.mark.slow
def test_a_stream_goes_on_through_a_server_that_is_killed(app: Flask, user: User) -> None:
    add_everyday(app)
    _, token = devices.make(user.id, "phone")
    home = Path(app.config["HAR_HOME"])
    site = Site(home).start()
    person, phone = Person(0), Phone(site.address, token, "walk")
    base = time.time() - BATCHES
    killed = threading.Event()
    try:
        for second in range(BATCHES):
            if second == BATCHES // 2:
                threading.Timer(0.01, kill, (site, killed)).start()
            times, values = person.second(float(second))
            body = phone.message({"totalacceleration": (times + base, values[:, :3])})
            while True:  # as a phone does: what was not answered is sent again
                try:
                    taken = phone.send(body)
                    break
                except Exception:
                    assert killed.wait(20)
                    if site.process.poll() is not None:
                        site = Site(home).start()
                        phone.url = site.address
            assert taken["session"] == 1
            if second > BATCHES // 2 and not killed.is_set():
                assert killed.wait(20)
        assert taken["received"] >= BATCHES
        phone.end()
        phone.close()
        facts = wait_for_end(home)
    finally:
        site.kill()
    assert facts["batches"]["lost"] == 0
    assert sum(facts["seconds"].values()) == pytest.approx(BATCHES, abs=1.5)


def kill(site: Site, killed: threading.Event) -> None:
    site.kill()
    killed.set()


def wait_for_end(home: Path) -> dict[str, dict[str, float]]:
    """Return what the row of the session says once all of it is recognised."""
    until = time.monotonic() + 30
    while True:
        with homes.reading(home) as database:
            [(facts,)] = database.execute(text("SELECT facts FROM live_session")).all()
        found: dict[str, dict[str, float]] = json.loads(facts)
        if sum(found.get("seconds", {}).values()) > BATCHES - 2:
            return found
        assert time.monotonic() < until, facts
        time.sleep(0.2)
