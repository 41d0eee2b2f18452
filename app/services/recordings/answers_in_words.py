"""What an answer leaves open, and what it was measured against, as people say it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from app.har.classifiers.types import Wearing
from app.har.vocabulary import (
    ANYTHING,
    NO_ANSWER,
    NOT_WORN,
    ON_FOOT,
    STAIRS,
    TOO_LITTLE,
    UNFAMILIAR,
    AnswerTree,
    node_of,
    path_of,
    shared_node,
)
from app.services.formatting import capitalise, percent
from app.services.recordings.places import PLACES, place_in_words
from app.services.recordings.wall_clock import MONTHS, WallClock

SHORTEST_WALK_MIN = 0.25  # that is a measure
MAIN = 2  # answers that a list names of a recording
NAMED = 4  # of what an answer leaves open; a lab's own exercises may be many


def main_answers(minutes: Mapping[str, float]) -> list[str]:
    """Return the longest answers, or that there is none where this is so for most of the time.

    Parameters
    ----------
    minutes : of each answer, the longest first, as `PredictionResult.summary` has them.
    """
    if (longest := next(iter(minutes), None)) is None:
        return []
    if longest in NO_ANSWER and minutes[longest] > sum(minutes.values()) / 2:
        return [longest]
    return [name for name in minutes if name not in NO_ANSWER][:MAIN] or [longest]


def may_be_a_walk(minutes: Mapping[str, float]) -> bool:
    """Say whether a person may have walked most of the time, long enough for a measure; by the minutes of each answer.

    Stairs are no walk: whoever took them for one would turn all that is measured against them round.
    """
    paths = {name: path_of(node_of(name)) for name in minutes}
    walking = sum(minutes[name] for name, path in paths.items() if ON_FOOT in path and STAIRS not in path)
    return walking >= SHORTEST_WALK_MIN and walking > sum(minutes.values()) / 2


def left_open(tree: AnswerTree, limit: float) -> dict[str, str]:
    """Return what stands behind the answers that are no single activity: of *on foot*, walking or stairs."""
    words = {node: _listed(tree.open_between(node)) for node in tree.nodes[len(tree.activities) :]}
    return {
        **{node: text for node, text in words.items() if text and text != node.lower()},
        ANYTHING: f"no answer is {percent(limit, 0)} probable",
        UNFAMILIAR: "unlike anything that the model knows",
        TOO_LITTLE: "recorded, but too short for an answer",
        **({} if NOT_WORN in tree.nodes else {NOT_WORN: "the device lay still for an hour or more"}),
    }


def _listed(names: Sequence[str]) -> str:
    """List names with an "or", those of the shared vocabulary in small letters; of many, the first."""
    texts = [name.lower() if shared_node(name) == name else name for name in names]
    if len(texts) > NAMED:
        texts = [*texts[: NAMED - 1], f"{len(texts) - NAMED + 1} others"]
    *most, last = texts or [""]
    return f"{', '.join(most)} or {last}" if most else last


def wearings_in_words(
    wearings: Sequence[Wearing],
    recording: str,
    clock: WallClock,
    walking: str | None = None,
    unfamiliar: Collection[Wearing] = (),
) -> list[dict[str, Any]]:
    """Return when, and where, a device was worn in a recording, and what its windows were measured against.

    ``walking`` is the name of the person's recording of their own walking, where there still is one. What is
    ``unfamiliar`` all through says neither where the device was nor that somebody walked.
    """
    several = len({wearing.recording for wearing in wearings}) > 1
    return [
        {
            "time": clock.write_span(wearing.start_s, wearing.end_s),
            "place": "Not known" if wearing in unfamiliar and not wearing.place_known else _place(wearing),
            "reference": "–" if wearing in unfamiliar else _reference(wearing, clock, walking, several),
        }
        for wearing in wearings
        if wearing.recording == recording
    ]


def _moment(unix_s: float, zone: tzinfo) -> str:
    """Write a moment of another recording: 28 Nov, 09:14."""
    local = datetime.fromtimestamp(unix_s, zone)
    return f"{local.day} {MONTHS[local.month - 1]}, {local:%H:%M}"


def _place(wearing: Wearing) -> str:
    if not wearing.place:
        return "Not known"
    source = "as you said" if wearing.place_known else "guessed"
    return f"{capitalise(place_in_words(wearing.place, wearing.place_known))} ({source})"


def _reference(wearing: Wearing, clock: WallClock, walking: str | None, several: bool) -> str:
    if wearing.place and wearing.place not in PLACES:  # nobody carries it, so nobody walks
        return "–"
    if not wearing.reference:
        return "Too little walking was found, so sitting, standing and lying are answered “Still”."
    if wearing.reference == "known walking":
        when = "" if wearing.reference_start_s is None else f" of {_moment(wearing.reference_start_s, clock.zone)}"
        known = when + (f" in “{walking}”" if walking else "")
        return f"Measured against your walking{known}" if known else "Measured against walking of yours"
    if several:  # the walking may be in another of them, that counts its time from another start
        return "Measured against what seems to be your walking in this file"
    when = "" if wearing.reference_start_s is None else f" at {clock.write(wearing.reference_start_s)}"
    return f"Measured against what seems to be your walking{when}"
