"""Live sessions from their batches to what pages show, through all that goes wrong on the way."""

from __future__ import annotations

import json
import math
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask

from app.extensions import db
from app.har.live import journal
from app.har.live.recogniser import LiveRecogniser
from app.services import sealing
from app.services.identity import deletion
from app.services.live import devices, hub, keeping, sessions
from app.services.live.engine import RESTS_S, SILENT_S, engine
from app.services.live.simulated import Person
from app.services.live.streams import ENDING
from app.services.models import model_versions
from app.services.recordings import recordings
from app.tables import LiveSession, User
from benchmarks import air
from tests.live import Streamer, add_everyday, restart, streamer
from tests.services.conftest import a_user

SECONDS = 30


@pytest.fixture
def phone(app: Flask, user: User, monkeypatch: pytest.MonkeyPatch) -> Streamer:
    """Return a person with a phone, on a server that has the everyday model, and is never so busy as to say less."""
    monkeypatch.setattr("app.services.live.engine.LAGS_S", math.inf)
    add_everyday(app)
    return streamer(user)


def test_what_a_person_does_is_told_as_it_comes(phone: Streamer) -> None:
    for number, message in enumerate(phone.messages(SECONDS, seed=1)):  # who sits
        phone.send(message)
        newest = max(phone.windows(), default=-1.0)
        assert newest >= number - 4  # a window of 3 s that ended at most a second ago
    windows = phone.windows()
    assert sorted(windows) == [float(second) for second in range(SECONDS - 2)][: len(windows)]
    told = [window["answer"] for window in windows.values()]
    assert max(map(told.count, told)) > 0.8 * len(told)  # a bout lasts for 20 s and more
    ids = [event.id for event in phone.told]
    assert ids == sorted(set(ids))
    [state] = sessions.state(phone.user_id)["sessions"]
    assert [window["start_s"] for window in state["windows"]] == sorted(w["start_s"] for w in windows.values())
    assert state["health"]["rate_hz"] == {"acceleration": 100.0, "rotation": 100.0}


def test_sessions_that_are_recognised_together_are_answered_as_each_alone(phone: Streamer) -> None:
    people = {together: [streamer(phone.user) for _ in range(3)] for together in (False, True)}
    for together, own in people.items():
        messages = []
        for number, (one, seed) in enumerate(zip(own, (0, 4, 1), strict=True)):  # two who walk, one who sits
            one.base = phone.base
            messages.append(one.messages(SECONDS, seed)[6 * number :])  # they begin one after the other
        for second in range(SECONDS):
            for number, one in enumerate(own):
                if second >= 6 * number:
                    one.send(messages[number][second - 6 * number], tick=not together)
            engine().tick()
        sessions.end_all(phone.user_id, "over")
        engine().tick()
    for alone, one in zip(*people.values(), strict=True):
        assert len(one.windows()) > 5
        told = [[window["answer"] for _, window in sorted(each.windows().items())] for each in (alone, one)]
        assert told[0] == told[1]
    assert engine()._rests == {}
    assert {"On foot", "Walking"} & {window["answer"] for window in people[True][0].windows().values()}


def test_air_pressure_tells_live_when_who_walks_climbs(phone: Streamer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Person, "doing", lambda *_: "walking")
    course = air.course("stairs", air.PHONES["Android, 12.5 values a second"], 2)
    for second, message in enumerate(phone.messages(75)):
        document = json.loads(message)
        for at in np.flatnonzero(course.time_s // 1 == second).tolist():
            time_ns = round((phone.base + course.time_s[at]) * 1e9)
            values = {"pressure": course.pressure_hpa[at], "relativeAltitude": 0.0}
            document["payload"].append({"name": "barometer", "time": time_ns, "values": values})
        phone.send(json.dumps(document).encode())
    windows = phone.windows()
    middle_s = np.array(list(windows)) + 1.5
    climbs = middle_s[np.isin(course.truth_at(middle_s), [air.UP, air.DOWN])]
    said = {start + 1.5 for start, window in windows.items() if window["answer"] == "Stairs up"}
    assert all(windows[middle - 1.5]["by_height"] for middle in said)
    assert len(said.intersection(climbs)) > 0.9 * len(climbs)
    assert all(np.abs(climbs - middle).min() <= 3 for middle in said)  # landings are of their flight


@pytest.mark.parametrize("lost", [(), (13, 27)])  # 5 % and more
def test_messages_that_come_twice_late_or_never_change_little(phone: Streamer, lost: tuple[int, ...]) -> None:
    messages = phone.messages(SECONDS)
    phone.send(*messages)
    other = streamer(phone.user)
    other.base = phone.base
    chance = random.Random(0)
    arriving = [message for number, message in enumerate(messages) if number not in lost]
    for i in range(0, len(arriving) - 1, 3):
        arriving[i], arriving[i + 1] = arriving[i + 1], arriving[i]
    for message in arriving:
        other.send(*[message] * chance.choice([1, 1, 2]), tick=False)
    sessions.end_all(phone.user_id, "over")  # which lets go on what waits for those that are lost
    engine().tick()
    clean = phone.windows()
    counts = other.row().facts["batches"]
    assert (counts["received"], counts["lost"], counts["late"]) == (len(arriving) + counts["doubled"], len(lost), 0)
    assert counts["doubled"] > 5
    both = clean.keys() & other.windows().keys()
    assert len(both) >= len(clean) - 8 * len(lost)  # a hole takes along the windows that it is in, and moves the grid
    same = [clean[start]["answer"] == other.windows()[start]["answer"] for start in both]
    assert sum(same) >= (0.9 if lost else 1.0) * len(same)


def test_a_server_that_was_killed_goes_on_with_nothing_lost_or_doubled(app: Flask, phone: Streamer) -> None:
    messages = phone.messages(SECONDS)
    for message in messages:
        phone.send(message)
    whole, seconds = phone.windows(), dict(sessions.live().running()[0].seconds)
    other = streamer(phone.user)
    other.base = phone.base
    for message in messages[:25]:
        other.send(message)
    sessions.write_rows(sessions.live().running())
    other.send(messages[25], messages[26], tick=False)  # was answered, and not recognised
    last = other.told[-1].id
    restart(app)
    hub.subscribe(other.user_id, other.told.append)
    [state] = hub.since(other.user_id, last, lambda: sessions.state(other.user_id))
    assert state.kind == "state"
    assert state.id > last
    for message in messages[26:]:  # one comes again, as its device did not hear the answer
        other.send(message)
    assert other.windows().keys() == whole.keys()
    stream = next(one for one in sessions.live().running() if one.device_id == other.device.id)
    assert stream.health.received == SECONDS + 1
    assert (stream.health.doubled, stream.health.lost) == (1, 0)
    assert sum(stream.seconds.values()) == pytest.approx(sum(seconds.values()), abs=0.1)


def test_a_session_that_cannot_be_recognised_does_not_stop_the_others(
    app: Flask, phone: Streamer, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = streamer(a_user("vera"))
    step = LiveRecogniser.step

    def fail(self: LiveRecogniser, news: Any) -> Any:
        if any(batch.session_key == "poison" for _, batches in news for batch in batches):
            raise ZeroDivisionError
        return step(self, news)

    monkeypatch.setattr(LiveRecogniser, "step", fail)
    good, bad = other.messages(20), phone.messages(20, key="poison")
    for one, another in zip(good, bad, strict=True):
        phone.send(another, tick=False)
        other.send(one)
    assert len(other.windows()) >= 16
    assert phone.windows() == {}
    [state] = sessions.state(phone.user_id)["sessions"]
    assert "tried again" in state["health"]["message"]
    monkeypatch.undo()
    engine()._rests = dict.fromkeys(engine()._rests, time.monotonic() - RESTS_S)
    phone.send(*phone.messages(22, key="poison")[20:])
    assert len(phone.windows()) >= 8  # of what is long past, those of an upload
    assert sessions.state(phone.user_id)["sessions"][0]["health"]["message"] == ""


def test_a_clock_that_jumps_is_counted_and_the_session_goes_on(phone: Streamer) -> None:
    phone.send(*phone.messages(15))
    phone.base -= 7200.0
    for message in phone.messages(30)[15:]:
        phone.send(message)
    [stream] = sessions.live().running()
    assert stream.health.jumps == 1
    assert [start for start in phone.windows() if 18 <= start < 26]
    assert max(stream.windows) < phone.base + 60


def test_a_session_that_is_kept_becomes_a_recording_with_the_same_answers(
    app: Flask, phone: Streamer, reads_here: None
) -> None:
    own = streamer(phone.user, "leg", keeps=True)
    for message in own.messages(SECONDS, seed=4):
        own.send(message)
    [stream] = sessions.live().running()
    sessions.end(phone.user_id, stream.id)
    assert engine().tick() is None
    wait_for(lambda: own.row().recording_id is not None)
    recording = recordings.get(phone.user_id, own.row().recording_id or 0)
    assert recording.title.startswith("Live ")
    assert recording.place == "leg"
    wait_for(lambda: not stream.folder.exists())
    wait_for(lambda: sum(event.kind == "ended" for event in own.told) == 2)
    ended = [event.data["recording"] for event in own.told if event.kind == "ended"]
    assert ended == [None, recording.id]
    result = recordings.result_of(recordings.get_prediction(recording))
    starts = result.start_s + (result.origin_utc_s[0] or 0.0) - own.base
    live = own.windows()
    shown = [live[round(float(start), 2)] for start in starts]
    assert len(shown) == SECONDS // 3
    said = [result.answer_names[i] for i in result.answers]
    same = [window["answer"] == answer for window, answer in zip(shown, said, strict=True)]
    assert sum(same) >= 0.9 * len(same)  # where a bout is as sure as the limit, smoothing changes how deep it is


def test_a_session_that_is_not_kept_leaves_nothing(app: Flask, phone: Streamer) -> None:
    phone.send(*phone.messages(10))
    [stream] = sessions.live().running()
    assert stream.folder.exists()
    sessions.end(phone.user_id, stream.id)
    engine().tick()
    assert not stream.folder.exists()
    assert phone.row().end_reason == "ended on the page"
    assert sum(phone.row().facts["seconds"].values()) > 0


def test_a_session_that_ended_as_the_server_died_is_concluded_by_the_next(
    app: Flask, phone: Streamer, reads_here: None
) -> None:
    own = streamer(phone.user, keeps=True)
    own.send(*own.messages(15), tick=False)
    sessions.end_all(phone.user_id, "over")
    stray = Path(app.config["UPLOADS"]) / "live-nobody"
    stray.mkdir()
    restart(app)
    keeping.take_up()
    wait_for(lambda: own.row().recording_id is not None)
    assert not stray.exists()  # it is set aside


def test_a_session_that_is_silent_for_long_ends_by_itself(app: Flask, phone: Streamer) -> None:
    phone.send(*phone.messages(5))
    [stream] = sessions.live().running()
    engine()._slow_at = 0.0
    stream.last_heard -= SILENT_S - 60
    engine().tick()
    assert sessions.live().running() == [stream]
    stream.last_heard -= 61
    stream.heard -= SILENT_S
    engine()._slow_at = 0.0
    engine().tick()
    assert sessions.live().running() == []
    assert phone.row().end_reason == "silent for 15 minutes"


def test_another_default_model_takes_over_in_the_middle(app: Flask, phone: Streamer) -> None:
    messages = phone.messages(20)
    phone.send(*messages[:12])
    kept = engine().model
    assert kept is not None
    model_versions.set_limit(kept.version_id, 0.99)
    engine()._model_at = -1000.0
    phone.send(*messages[12:])
    changed = engine().model
    assert changed is not None
    assert changed.limit == 0.99
    assert len(phone.windows()) >= 16


def test_without_a_model_the_page_says_so(app: Flask, user: User) -> None:
    own = streamer(user)
    own.send(*own.messages(5))
    [state] = sessions.state(user.id)["sessions"]
    assert "There is no default model yet" in state["health"]["message"]


def test_what_is_streamed_goes_with_its_device_and_with_the_account(app: Flask, phone: Streamer) -> None:
    other = streamer(phone.user, keeps=True)
    for own in (phone, other):
        own.send(*own.messages(5))
    folders = [stream.folder for stream in sessions.live().running()]
    devices.delete(phone.user_id, phone.device.id)
    assert [folder.exists() for folder in folders] == [False, True]
    assert len(sessions.live().running()) == 1
    deletion.delete_other(a_user("chief", role="admin").id, phone.user_id)
    assert not folders[1].exists()
    assert sessions.live().running() == []
    assert db.session.query(LiveSession).count() == 0
    engine().tick()


def test_a_journal_that_is_torn_or_damaged_gives_what_is_whole(app: Flask, phone: Streamer) -> None:
    phone.send(*phone.messages(6), tick=False)
    [stream] = sessions.live().running()
    [path] = stream.folder.glob(f"*{ENDING}")
    content = path.read_bytes()
    assert [batch.message_id for batch in journal.read(path, sealing.opened_bytes)] == [0, 1, 2, 3, 4, 5]
    path.write_bytes(content[:-100])
    assert [batch.message_id for batch in journal.read(path, sealing.opened_bytes)] == [0, 1, 2, 3, 4]
    third = len(content) * 5 // 12
    path.write_bytes(content[:third] + b"\0" * 50 + content[third + 50 :])
    assert [batch.message_id for batch in journal.read(path, sealing.opened_bytes)] == [0, 1, 3, 4, 5]


def wait_for(is_so: Any, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)
