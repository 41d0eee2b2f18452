"""Falls that are streamed while everything fails: the server dies, its disk is full, the device's clock is wrong."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache

from app.extensions import db
from app.har.live.recogniser import LiveWindow
from app.services.alarms import alarms, watching
from app.services.live import sessions
from app.services.live.engine import engine
from app.services.live.simulated import Phone
from app.tables import Alarm, User
from tests.conftest import application
from tests.falls import START_S, Sensor, batches, fall
from tests.live import Streamer, add_everyday, restart, streamer
from tests.services.conftest import a_user

IMPACT = 8  # second of the stream
DECIDED = 12  # by which it is known to be a fall
DISK = 48 * 2**20


def fallen(own: Streamer, ahead_s: float = 0.0) -> list[bytes]:
    """Return the messages of a person who falls, of a second each, until a quarter of a minute ago."""
    phone, shift = Phone("http://x", own.token, "day"), time.time() - 35.0 - START_S + ahead_s
    return [message(phone, part, shift) for part in batches(fall())]


def message(phone: Phone, part: Sensor, shift_s: float) -> bytes:
    return phone.message({"totalacceleration": (part.time_s + shift_s, part.values)})


def falls_of(user_id: int) -> list[Alarm]:
    db.session.expire_all()
    return list(db.session.query(Alarm).filter_by(user_id=user_id, kind="fall"))


@pytest.mark.parametrize("recognised", [True, False])
def test_a_fall_is_noticed_once_whenever_the_server_is_killed(app: Flask, recognised: bool) -> None:
    add_everyday(app)
    for second in range(IMPACT - 1, DECIDED + 2):
        own = streamer(a_user(f"person{second}"))
        sent = fallen(own)
        own.send(*sent[:second])
        own.send(sent[second], tick=recognised)
        restart(app)
        own.send(*sent[second:])  # the last one comes again, as its device did not hear the answer
        [alarm] = falls_of(own.user_id)
        assert (alarm.state, alarm.times) == ("pre-alarm", 1), second
        restart(app)
        own.send(sent[-1])
        assert [(one.id, one.times) for one in falls_of(own.user_id)] == [(alarm.id, 1)], second
        sessions.end_all(own.user_id, "over")
        engine().tick()
        assert len(falls_of(own.user_id)) == 1


@pytest.mark.parametrize("ahead_s", [-86_400.0, 7.0, 86_400.0])
def test_a_device_whose_clock_is_wrong_is_asked_about_at_once(app: Flask, user: User, ahead_s: float) -> None:
    add_everyday(app)
    own = streamer(user)
    for second, body in enumerate(fallen(own, ahead_s)):
        own.send(body)
        assert [alarm.state for alarm in falls_of(own.user_id)] == ["pre-alarm"] * (second >= DECIDED - 1), second


def test_a_clock_that_is_set_while_a_person_falls_hides_no_second_fall(app: Flask, user: User) -> None:
    add_everyday(app)
    own = streamer(user)
    for number, ahead_s in enumerate((0.0, 3600.0, -3600.0)):  # of one session, as all messages have its name
        phone = Phone("http://x", own.token, "day", number=100 * number)
        shift = time.time() - 35.0 - START_S + ahead_s
        own.send(*(message(phone, part, shift) for part in batches(fall(seed=number))))
        [alarm] = falls_of(own.user_id)
        assert (alarm.state, alarm.times) == ("pre-alarm", number + 1)


def test_what_is_said_again_of_long_ago_is_neither_counted_nor_watched_twice(app: Flask, user: User) -> None:
    add_everyday(app)
    phone = streamer(user)
    phone.send(*phone.messages(4))
    [stream] = sessions.live().running()
    own, model = engine()._own[stream.id], engine().model
    assert model is not None
    activities = model.recogniser.activities

    def windows(first: int, last: int, activity: str) -> list[LiveWindow]:
        sure = (np.array(activities) == activity).astype(np.float32)
        features = np.zeros(0, np.float16)
        starts = [phone.base + 3.0 * number for number in range(first, last)]
        return [LiveWindow(start, start + 3.0, sure, features, False, False) for start in starts]

    for number in range(380):  # 19 minutes
        engine()._say(stream, own, windows(number, number + 1, "Lying"))
    counted, still_s = dict(stream.seconds), watching._person(user.id, time.time()).still_s
    engine()._say(stream, own, windows(0, 40, "Walking"))  # as measured against walking that came later
    assert sum(stream.seconds.values()) == pytest.approx(sum(counted.values()))
    assert stream.seconds["Walking"] - counted.get("Walking", 0.0) == pytest.approx(120.0, abs=4.0)
    assert watching._person(user.id, time.time()).still_s == still_s
    assert max(stream.windows) == phone.base + 3.0 * 379
    assert len(stream.windows) == 101  # of five minutes


# --- a disk that is full to the last byte


@pytest.fixture
def on_small_disk(tmp_path: Path, migrated_home: Path, compiled_templates: FileSystemBytecodeCache) -> Iterator[Flask]:
    """Return an application whose home is a file system of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not (sys.platform == "linux" and os.geteuid() == 0):
        pytest.skip("only the administrator of the machine may mount a file system")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", bytes(disk), b"tmpfs", 0, f"size={DISK}".encode()) != 0:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        with application(disk / "home", migrated_home, compiled_templates) as app:
            app.config["DISK_RESERVE"] = 4 * 2**20
            yield app
    finally:
        libc.umount2(bytes(disk), 2)


def fill(path: Path) -> None:
    """Write until nothing goes any more."""
    with path.open("wb", buffering=0) as file:
        for size in (2**20, 4096, 1):
            try:
                while file.write(b"\1" * size) == size:
                    pass
            except OSError:
                continue


def test_on_a_disk_that_is_full_a_fall_is_found_and_kept_as_soon_as_there_is_room(
    on_small_disk: Flask, reads_here: None
) -> None:
    app, filler = on_small_disk, on_small_disk.config["HAR_HOME"].parent / "filler"
    add_everyday(app)
    own = streamer(a_user("ursula"), keeps=True)
    sent = fallen(own)
    own.send(*sent[:5])
    [stream] = sessions.live().running()
    fill(filler)
    for body in sent[5:16]:
        own.send(body)
    assert "disk is full" in stream.message()
    assert "tried again" not in stream.message()
    assert len(own.windows()) >= 10  # recognised all the same
    filler.unlink()
    sessions.live()._room_at = -100.0
    engine()._slow_at = 0.0
    own.send(*sent[16:])
    engine()._slow_at = 0.0
    engine().tick()
    [alarm] = falls_of(own.user_id)
    assert (alarm.state, alarm.times) == ("pre-alarm", 1)
    assert stream.message() == ""
    kept = [batch.message_id for batch in stream.journal.tail()]
    assert kept == sorted(set(kept))
    assert {*range(5), *range(16, 20)} <= set(kept)
    assert alarms.live_of(own.user_id)
