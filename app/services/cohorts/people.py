"""A cohort person by person: how long each did what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.har.colours import activity_colours
from app.har.vocabulary import NO_ANSWER
from app.services.cohorts.kept import Kept


@dataclass(frozen=True)
class Person:
    """What was recognised in all recordings of one person."""

    name: str
    recordings: int
    minutes: Mapping[str, float]  # by answer

    @property
    def total(self) -> float:
        """Return the minutes in which anything was recognised."""
        return sum(self.minutes.values())

    def share(self, answer: str) -> float:
        """Return which part of that time had this answer."""
        return self.minutes.get(answer, 0.0) / self.total if self.total else 0.0


@dataclass(frozen=True)
class People:
    """The people of a cohort, and the answers that occur, those with most minutes first."""

    people: Sequence[Person]
    answers: Sequence[str]

    @property
    def colours(self) -> dict[str, str]:
        """Return the colour of each answer."""
        activities = [answer for answer in self.answers if answer not in NO_ANSWER]
        return activity_colours(activities, [answer for answer in self.answers if answer in NO_ANSWER])

    def doing(self, answer: str) -> int:
        """Return how many people have an answer at all."""
        return sum(person.minutes.get(answer, 0.0) > 0 for person in self.people)


def people_of(kept: Kept) -> People:
    """Add up what was recognised, by person."""
    minutes: dict[str, dict[str, float]] = {}
    recordings: dict[str, int] = {}
    together: dict[str, float] = {}
    for line in kept.lines(failed=False):
        recordings[line.person] = recordings.get(line.person, 0) + 1
        own = minutes.setdefault(line.person, {})
        for answer, value in line.minutes.items():
            own[answer] = own.get(answer, 0.0) + value
            together[answer] = together.get(answer, 0.0) + value
    people = [Person(name, recordings[name], minutes[name]) for name in sorted(recordings)]
    return People(people, sorted(together, key=lambda answer: (-together[answer], answer)))
