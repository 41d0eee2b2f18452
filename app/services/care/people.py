"""What a caregiver sees of those who agreed: what each is doing now and since when. Not a window, nor how sure it is.

It is computed here, so that a caregiver's page is never sent more than that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.services.care import consents
from app.services.live import hub, sessions

AGAIN_S = 10.0  # after so long a state is told once more, by which a page knows that the device is still heard
OnEvent = Callable[[hub.Event], None]


@dataclass
class _Now:
    """What the windows of one session say at the moment."""

    answer: str = ""
    open: str = ""
    colour: str = ""
    since_s: float = 0.0  # Unix seconds, the device's clock
    end_s: float = 0.0
    quiet_s: float = 0.0  # since something was heard, when a page begins
    told_s: float = -AGAIN_S  # the end of the window after which it was told

    def take(self, windows: Iterable[Mapping[str, Any]]) -> None:
        """Go on with further windows; of those that are sent once more, only the newest says anything new."""
        for window in sorted(windows, key=lambda each: float(each["start_s"])):
            if float(window["end_s"]) < self.end_s:
                continue
            if window["answer"] != self.answer:
                self.since_s = float(window["start_s"])
            self.answer, self.open = str(window["answer"]), str(window.get("open") or "")
            self.colour, self.end_s = str(window["colour"]), float(window["end_s"])

    def data(self) -> dict[str, Any]:
        said = {"answer": self.answer, "open": self.open, "colour": self.colour}
        return {**said, "since_s": self.since_s, "quiet_s": self.quiet_s}


class _Person:
    """The sessions of a person that run: the oldest that says something speaks for them."""

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id
        self.sessions: dict[int, _Now] = {}

    def begin(self) -> dict[str, Any]:
        """Take in how the sessions stand, and return what is told of that."""
        self.sessions = {}
        for session in sessions.state(self.user_id)["sessions"]:
            self.sessions[int(session["session"])] = now = _Now()
            now.take(session["windows"])
            now.told_s, now.quiet_s = now.end_s, max(time.time() - float(session["health"]["last_heard_s"]), 0.0)
        return self.data()

    def take(self, event: hub.Event) -> dict[str, Any] | None:
        """Return what an event of the person changes for whoever looks on, None where it changes nothing."""
        number = int(event.data["session"])
        if event.kind == "ended":
            return self.data() if self.sessions.pop(number, None) is not None else None
        is_new = number not in self.sessions
        now = self.sessions.setdefault(number, _Now())
        before = now.answer
        if event.kind == "window":
            now.take(event.data["windows"])
        if not is_new and now.answer == before and now.end_s - now.told_s < AGAIN_S:
            return None
        now.told_s, now.quiet_s = now.end_s, 0.0
        return self.data()

    def data(self) -> dict[str, Any]:
        speaks = next((now for _, now in sorted(self.sessions.items()) if now.answer), _Now())
        return {"id": self.user_id, "connected": bool(self.sessions), **speaks.data()}


def states(caregiver_id: int) -> list[dict[str, Any]]:
    """Return what each person whom a caregiver may see is doing now."""
    return [_Person(person.id).begin() for person in consents.people_of(caregiver_id)]


def subscribe(caregiver_id: int, on_event: OnEvent) -> Callable[[], None]:
    """Tell a caregiver's page of everybody who agreed, until they take it back; return what ends that.

    Events: "person" (see `states`), "alarm", and "people" where somebody has agreed or taken it back.
    """
    people = {person.id: _Person(person.id) for person in consents.people_of(caregiver_id)}
    for person in people.values():
        person.begin()

    def of_person(user_id: int) -> OnEvent:
        def take(event: hub.Event) -> None:
            person = people.get(user_id)
            if person is None or event.kind not in ("window", "device", "ended"):
                return
            if (data := person.take(event)) is not None:
                on_event(hub.Event(event.id, "person", data))

        return take

    def of_caregiver(event: hub.Event) -> None:
        if event.kind == "people" and not event.data["sees"]:
            people.pop(int(event.data["id"]), None)  # at once, whatever the page does
        if event.kind in ("people", "alarm"):  # of alarms, those that they may see: `Change.audience`
            on_event(event)

    ends = [hub.subscribe(caregiver_id, of_caregiver)]
    ends += [hub.subscribe(user_id, of_person(user_id)) for user_id in people]

    def end() -> None:
        for each in ends:
            each()

    return end
