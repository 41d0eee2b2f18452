"""What pages are told: in order, once, and after a break all that they missed or the whole state."""

from __future__ import annotations

import threading
import time

import pytest

from app.services.live import hub
from app.services.live.hub import Event, Hub


def whole() -> dict[str, object]:
    return {"sessions": []}


def test_events_come_in_the_order_of_their_numbers_from_any_thread() -> None:
    own, told = Hub(), []  # type: tuple[Hub, list[Event]]
    end = own.subscribe(1, told.append)
    threads = [threading.Thread(target=lambda: [own.publish(1, "window", {}) for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own.publish(2, "window", {})
    ids = [event.id for event in told]
    assert len(ids) == 800
    assert ids == sorted(set(ids))
    end()
    end()
    own.publish(1, "window", {})
    assert len(told) == 800


def test_who_comes_back_gets_what_they_missed_once() -> None:
    own = Hub()
    first, second, third = (own.publish(1, "window", {"n": n}) for n in range(3))
    assert own.since(1, first.id, whole) == [second, third]
    assert own.since(1, third.id, whole) == []
    [state] = own.since(1, None, whole)
    assert (state.kind, state.id) == ("state", third.id)


@pytest.mark.parametrize("kept", ["too old", "too new", "of a server before"])
def test_who_was_away_for_too_long_gets_the_state(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Hub()
    first = own.publish(1, "window", {})
    monkeypatch.setattr(hub, "MOST_KEPT", 3)
    events = [own.publish(1, "window", {}) for _ in range(6)]
    last = {"too old": first.id, "too new": events[-1].id + 1, "of a server before": first.id - 10_000}[kept]
    [state] = own.since(1, last, whole)
    assert (state.kind, state.id) == ("state", events[-1].id)


def test_numbers_of_a_new_server_are_above_those_of_the_old_one() -> None:
    old = Hub()
    last = [old.publish(1, "window", {}).id for _ in range(3)][-1]
    time.sleep(0.01)  # as long as any start takes
    new = Hub()
    [state] = new.since(1, last - 1, whole)
    assert state.kind == "state"
    assert new.publish(1, "window", {}).id > last


def test_what_nobody_listens_to_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Hub()
    seen = own.publish(1, "window", {})
    own.drop_unused()
    assert own.since(1, seen.id - 1, whole)[0].kind in ("window", "state")
    monkeypatch.setattr(hub, "KEPT_S", -1.0)
    own.drop_unused()
    monkeypatch.setattr(hub, "KEPT_S", 60.0)
    after = own.publish(1, "window", {})
    assert own.since(1, seen.id - 1, whole)[0].kind == "state"
    assert own.since(1, after.id - 1, whole) in ([after], [Event(after.id, "state", whole())])
