"""What a message of an alarm says: what, of whom, when, and where to look. No more of anybody's health than that."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app

from app.services.alarms import life, rules
from app.services.alarms.words import HONESTY, kind_of
from app.services.formatting import capitalise
from app.services.recordings.wall_clock import DAYS, MONTHS
from app.tables import Alarm, AlarmStep, Notice


@dataclass(frozen=True)
class Message:
    notice_id: int
    title: str
    text: str
    path: str  # on this site
    kind: str  # "test" of a test
    state: str
    person: str
    at_s: float
    tag: str  # of one alarm: a browser shows its latest message alone

    @property
    def link(self) -> str:
        """The page's address, "" where the installation does not say how it is reached from outside."""
        site: str = current_app.config["SITE_URL"]
        return f"{site}{self.path}" if site else ""


def of(notice: Notice) -> Message:
    """Write the message of a notice, for whom it goes to."""
    reader = notice.target.user.id
    if notice.step is None:
        at_s = notice.created.timestamp()
        text = (
            f"This is a test of the notices of {notice.about}'s alarms, sent on {_when(reader, at_s)}. "
            "Nothing has happened."
        )
        return Message(notice.id, "Kinelab: a test", text, "/alarms/", "test", "test", "", at_s, f"test-{notice.id}")
    step, alarm = notice.step, notice.step.alarm
    what, person = kind_of(alarm.kind, alarm.facts), alarm.user.username
    head, text = _words(step, alarm, what, person, reader)
    title = f"Kinelab: {head}"
    at_s = step.at.timestamp()
    return Message(
        notice.id, title, text, f"/alarms/{alarm.id}", alarm.kind, step.after, person, at_s, f"alarm-{alarm.id}"
    )


def _words(step: AlarmStep, alarm: Alarm, what: str, person: str, reader: int) -> tuple[str, str]:
    began, at = _when(reader, _began_s(alarm)), _when(reader, step.at.timestamp())
    who = step.who.username if step.who else ""
    about = f"{what}, {person}"
    if step.after in (life.PRE_ALARM, life.AGAIN):
        return f"{what}: are you fine?", f"Noticed on {began}. Others are told soon, unless you say that you are fine."
    if step.after == life.ACKNOWLEDGED:
        return f"acknowledged: {about}", f"{who} sees to the alarm of {began} since {at}."
    if step.after != life.CLOSED:
        if step.before == step.after:
            return f"not acknowledged yet: {about}", f"Noticed on {began}. Nobody has acknowledged it by {at}."
        return about, f"{capitalise(what)} of {person}, noticed on {began}. Please look, and acknowledge it."
    if not who:
        return f"over: {about}", f"The alarm of {began} ended on {at}: {step.why}."
    if alarm.verdict == life.FALSE:
        return f"false alarm: {about}", f"{who} said on {at} that the alarm of {began} was a false alarm."
    if step.who_id == alarm.user_id:
        return f"cancelled: {about}", f"{person} cancelled the alarm of {began} on {at}."
    return f"closed: {about}", f"{who} closed the alarm of {began} on {at}: it was true."


def _began_s(alarm: Alarm) -> float:
    """Return when it was noticed, by the server's clock: a device's may be wrong."""
    return alarm.created.timestamp()


def _when(reader: int, at_s: float) -> str:
    local = rules.local(reader, at_s)
    return f"{DAYS[local.weekday()]} {local.day} {MONTHS[local.month - 1]}, {local:%H:%M} {local:%Z}".rstrip()


def plain(message: Message) -> str:
    """Write a message as a letter."""
    where = message.link or "Open Kinelab and its page Alarms."
    return f"{message.text}\n\n{where}\n\n{HONESTY}\n"
