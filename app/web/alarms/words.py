"""What pages say of an alarm: what it is, what was noticed, how it stands, and what was done by whom."""

from __future__ import annotations

from typing import Any

from app.services.alarms import life, words
from app.services.formatting import capitalise, duration

ABOUT = {  # on the page of rules
    life.FALL: "An impact like that of a fall. Kinelab asks you first; regular steps cancel it.",
    life.INACTIVITY: "No movement for long, outside your sleeping hours. A device that is not worn says nothing of it.",
    life.UNUSUAL: "A day far from your own days before it: much more or less lying, standing or walking.",
    life.HEART_RATE: "A heart rate out of its bounds for what you are doing, or far from what is usual for you in it, "
    "if a device of yours measures it.",
    life.SILENT: "A device that should be heard is silent, or its battery is low: a fault, which mutes no alarm.",
}
VERDICTS = {life.TRUE: "true alarm", life.FALSE: "false alarm", life.UNSAID: ""}
METHODS = {"threshold": "threshold method", "trained": "trained detector"}


def kind_of(alarm: Any) -> str:
    """Return what an alarm is called."""
    return capitalise(words.kind_of(alarm.kind, alarm.facts.get("latest", alarm.facts)))


def tone_of(alarm: Any) -> str:
    """Return how urgent an alarm is: ``now``, ``soon``, ``seen`` or ``over``."""
    if alarm.state == life.CLOSED:
        return "over"
    if alarm.state == life.ACKNOWLEDGED:
        return "seen"
    return "soon" if alarm.state in life.COUNTING or alarm.kind == life.SILENT else "now"


def state_of(alarm: Any) -> str:
    """Return how an alarm stands; closed, what it was."""
    return VERDICTS[alarm.verdict] or words.STATES[alarm.state]


def noticed_of(alarm: Any) -> str:
    """Return what was noticed, without a signal or a place."""
    facts = alarm.facts.get("latest", alarm.facts)
    if alarm.kind == life.FALL and "peak_g" in facts:
        method = METHODS.get(facts.get("method", ""), facts.get("method", ""))
        return f"An impact of {facts['peak_g']:.1f} times gravity, taken for a fall by the {method}."
    if alarm.kind == life.INACTIVITY and "still_s" in facts:
        return f"No movement for {duration(facts['still_s'])}."
    if alarm.kind == life.HEART_RATE and "bpm" in facts:
        if "usual" in facts:
            low, high = facts["usual"]
            usual = f"you usually have {low:.0f} to {high:.0f}"
            return f"{facts['bpm']} beats a minute; {usual} at “{facts['activity']}”, by {facts['days']} days."
        bounds = f"{facts['low']:.0f} to {facts['high']:.0f}"
        return f"{facts['bpm']} beats a minute; the rule allows {bounds} at “{facts.get('activity', '')}”."
    if alarm.kind == life.UNUSUAL and "measure" in facts:
        share, usual = 100 * facts["share"], 100 * facts["usual"]
        return f"{facts['measure'].capitalize()}: {share:.0f} % of the day, where {usual:.0f} % is usual."
    if alarm.kind == life.SILENT:
        if facts.get("reason") == "battery":
            return f"The battery is at {100 * facts.get('battery', 0):.0f} %."
        return "The device is silent."
    return ""


def step_of(step: Any, kind: str) -> str:
    """Return what was done in a step, without who and when."""
    before, after = step.before, step.after
    if after == life.OBSERVED:
        return "Noticed; Kinelab looks whether steps follow"
    if after == life.PRE_ALARM:
        return "The person is asked, and the countdown runs"
    if after == life.AGAIN:
        return "Noticed again; the person is asked once more"
    if after == life.RAISED and before in (life.RAISED, ""):
        return "Raised: messages go out" if before == "" else "Nobody looks after it yet: messages go out again"
    if after == life.RAISED:
        return "Nobody answered: raised, messages go out"
    if after == life.NOTIFIED:
        return "A message was sent" if before == life.RAISED else "Nobody looks after it yet: messages go out again"
    if after == life.ACKNOWLEDGED:
        return "Looks after it" if before in life.OPEN and before != life.AGAIN else "Over again; the alarm stays open"
    return "Closed"


_SAID_ALREADY = {"noticed", "noticed again", "due", "not acknowledged", "a message was sent", "acknowledged"}


def why_of(step: Any) -> str:
    """Return the reason of a step where it says more than the step itself."""
    return "" if step.why in _SAID_ALREADY else str(step.why)
