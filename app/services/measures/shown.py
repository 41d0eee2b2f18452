"""Days as pages show them: bars of activities, a table, and what people have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.har.colours import MISSING, OF_NODE
from app.har.measures.days import Row
from app.har.measures.dictionary import column_of
from app.har.measures.timeline import NODES
from app.har.vocabulary import ANYTHING, ON_FOOT, path_of

DAY_H = 24.0
FEET = tuple(column_of(node) for node in NODES if ON_FOOT in path_of(node))
COMPARED = ("worn_h", "steps", "on_foot_min", "sedentary_min", "sedentary_30_min", "mvpa_min", "rest_h")


@dataclass(frozen=True)
class Piece:
    """A part of a bar: hours of an activity."""

    name: str
    colour: str
    hours: float
    percent: float  # of the day


def bar(row: Row) -> list[Piece]:
    """Return what a day was spent with, in the order of activities, and last what was not recorded."""
    hours = [(node, row[column_of(node)] / 60, OF_NODE[node]) for node in NODES]
    pieces = [*hours, ("No signal", row["no_signal_h"], MISSING)]
    whole = max(row["hours"], sum(length for _, length, _ in pieces))
    return [Piece(name, colour, h, round(100 * h / whole, 3)) for name, h, colour in pieces if h > 0]


def legend(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return the activities that occur in some days, each with its colour."""
    return [(node, OF_NODE[node]) for node in NODES if any(row[column_of(node)] for row in rows)]


def on_foot(row: Row) -> float:
    """Return the minutes on foot: walking, stairs, and what is one of them."""
    minutes: float = sum(row[column] for column in FEET)
    return round(minutes, 1)


def mean_of_valid(rows: Sequence[Row]) -> dict[str, Any]:
    """Return how many days are valid, and the mean of each figure over those of them that have it."""
    valid = [row | {"on_foot_min": on_foot(row)} for row in rows if row["valid"]]
    means: dict[str, Any] = {"valid": len(valid), "days": len(rows)}
    for name in COMPARED:
        values = [row[name] for row in valid if row[name] is not None]
        means[name] = sum(values) / len(values) if values else None
    return means


def title(row: Row) -> str:
    """Name a day: Sun 29 Nov 2026."""
    return day_title(date.fromisoformat(row["date"]))


def day_title(day: date) -> str:
    """Write a day: Sun 29 Nov 2026."""
    return f"{day:%a} {day.day} {day:%b %Y}"


def in_words(node: str) -> str:
    """Return what pages call an activity."""
    return "No answer" if node == ANYTHING else node
