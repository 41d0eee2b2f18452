"""What people answered of their falls, and the threshold that follows from it for each of them.

Each *false alarm* raises the person's threshold a third of the way to the score that it had, so that movements like it
come less often and at last no more. It never rises so far that a fall which was true would have been missed, nor beyond
half of the way from the method's own limit to the highest score: of falls that are missed nobody says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.extensions import db
from app.services.alarms.life import CLOSED, FALL, FALSE, TRUE
from app.tables import Alarm

SHARE = 1 / 3  # of the way to a false alarm's score
BELOW_TRUE = 0.95  # of the lowest score of a true fall
HIGHEST = 0.5  # of the way from the method's limit to 1


def personal_threshold(base: float, answers: Sequence[tuple[float, str]]) -> float:
    """Return the score from which on an impact counts as a fall of this person.

    Parameters
    ----------
    base : the limit that the method brings, 0 to 1.
    answers : score and verdict of each fall that was answered, in the order of time.
    """
    threshold = base
    for score, verdict in answers:
        if verdict == FALSE and score > threshold:
            threshold += SHARE * (score - threshold)
    threshold = min(threshold, base + HIGHEST * (1 - base))
    if true := [score for score, verdict in answers if verdict == TRUE]:
        threshold = max(min(threshold, BELOW_TRUE * min(true)), min(base, *true))
    return threshold


@dataclass(frozen=True)
class Answers:
    """How often a person's falls were answered as what, and what follows; for the page of rules."""

    true: int
    false: int
    threshold: float
    base: float


def answers_of(user_id: int, method: str) -> list[tuple[float, str]]:
    """Return score and verdict of the falls that were answered, of one method: scores of another mean another thing."""
    query = (
        select(Alarm.facts, Alarm.verdict)
        .where(Alarm.user_id == user_id, Alarm.kind == FALL, Alarm.state == CLOSED, Alarm.verdict.in_((TRUE, FALSE)))
        .order_by(Alarm.id)
    )
    return [
        (float(facts["score"]), verdict)
        for facts, verdict in db.session.execute(query)
        if "score" in facts and facts.get("method") == method
    ]


def of(user_id: int, method: str, base: float) -> Answers:
    """Return what a person's answers make of a method's limit."""
    answers = answers_of(user_id, method)
    verdicts = [verdict for _, verdict in answers]
    return Answers(verdicts.count(TRUE), verdicts.count(FALSE), personal_threshold(base, answers), base)
