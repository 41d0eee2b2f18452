"""From what was recognised to what daily measures are made of: by the world's clock, and with cut-points that fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timezone, tzinfo
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.har.measures import cut_points
from app.har.measures.days import WORN_ENOUGH_H, Days, Period, Row
from app.har.measures.slots import WRIST, Slots
from app.har.measures.timeline import Measured, node_positions
from app.har.types import IntArray, TimeArray
from app.services.recordings import transitions
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.steps import Steps

if TYPE_CHECKING:
    from app.services.recordings.recognise import Recognised

ON_THE_WRIST = ("Empatica E4", "Empatica EmbracePlus", "Capture-24")  # devices that are worn nowhere else
NO_SLOTS = (
    "no acceleration with gravity and of 10 Hz is stored; a recording of an earlier build is to be recognised again"
)
NO_PLACE = "it was not said where the device was worn"
NO_AGE = "no age group was chosen"


@dataclass(frozen=True)
class Asked:
    """What cut-points depend on, as a person or a study chooses it."""

    age: str = ""  # of `cut_points.AGES`
    cut_points: str = ""  # a name of `cut_points.CUT_POINTS`; "": the first that fit


@dataclass(frozen=True)
class Part:
    """What one recording of a file says, by its own clock."""

    name: str
    origin_s: float  # Unix time at 0 s of its clock; NaN where it does not tell the time of day
    start_s: TimeArray  # (n,) of stretches
    end_s: TimeArray
    node: IntArray  # (n,) position in `NODES`
    steps: TimeArray | None  # when
    stood_up: NDArray[np.float64] | None = None  # (n, 2) from when to when, from sitting; None where nobody can tell


def parts_of(result: PredictionResult, counted: Steps) -> list[Part]:
    """Return what each recording of a file says that has windows; single windows have no time."""
    nodes, found = node_positions(result.answer_names), []
    for i, name in enumerate(result.recording_ids if result.layout == "timeline" else ()):
        if len(own := result.positions(i)):
            bouts = result.bout_columns(i)
            origin = float(result.origins[own].min())  # NaN where that of any is
            stretches = bouts.start_s, bouts.end_s, nodes[bouts.activity]
            found.append(Part(name, origin, *stretches, counted.times[i], transitions.stood_up(result, i)))
    return found


def by_world_clock(part: Part, slots: Slots | None, app: str, said_place: str, asked: Asked) -> tuple[Measured, bool]:
    """Return a recording as daily measures are made of it, and whether it tells the time of day.

    Parameters
    ----------
    app : by which app or device it was made, "" where that is not known.
    """
    dated = bool(np.isfinite(part.origin_s))
    origin_s = part.origin_s if dated else 0.0
    place = _place(said_place, app, slots)
    chosen = cut_points.choose(place, asked.age, app, asked.cut_points) if slots is not None else None
    return Measured(
        start_s=part.start_s + origin_s,
        end_s=part.end_s + origin_s,
        node=part.node,
        steps=None if part.steps is None else part.steps + origin_s,
        stood_up=None if part.stood_up is None else part.stood_up + origin_s,
        slots=slots,
        place=place,
        cut_points=chosen,
        without="" if chosen else _why_not(slots, place, asked.age),
    ), dated


def _place(said: str, app: str, slots: Slots | None) -> str:
    """Return where the acceleration was measured, "" where that is not sure: a model only guesses it."""
    if app in ON_THE_WRIST or (slots is not None and slots.device in WRIST):
        return "wrist"
    return said


def _why_not(slots: Slots | None, place: str, age: str) -> str:
    if slots is None:
        return NO_SLOTS
    if not place:
        return NO_PLACE
    return f"no publication is of a device worn at this place ({place}) at this age" if age else NO_AGE


def days_of(
    parts: Iterable[tuple[Measured, bool]], zone: tzinfo, worn_enough_h: float = WORN_ENOUGH_H
) -> tuple[Days, list[Days]]:
    """Return the days of the recordings that tell the time of day, together, and of each of the others alone."""
    dated, others = [], []
    for measured, is_dated in parts:
        if is_dated:
            dated.append(measured)
        else:
            others.append(Days([measured], zone, False, worn_enough_h))
    return Days(dated, zone, True, worn_enough_h), others


def of_recognised(
    recognised: Recognised,
    zone: tzinfo = timezone.utc,
    age: str = "",
    *,
    cut_points: str = "",
    period: Period = "day",
    worn_enough_h: float = WORN_ENOUGH_H,
) -> list[Row]:
    """Return the daily, or hourly, measures of a file that was recognised, as `har.measures.dictionary` names them.

    Parameters
    ----------
    recognised : smoothed or not, as is wanted: see `smoothing.as_chosen`.
    zone : in which days are cut.
    age : a group of `har.measures.cut_points.AGES`; without one there are no intensities.
    """
    from app.services.recordings import steps

    result = recognised.result
    apps = {card.recording: card.app for card in recognised.quality.cards}
    parts = [
        by_world_clock(
            part, recognised.slots.get(part.name), apps.get(part.name, ""), result.place, Asked(age, cut_points)
        )
        for part in parts_of(result, steps.of_signals(recognised.signals, result))
    ]
    together, others = days_of(parts, zone, worn_enough_h)
    return [row for days in (together, *others) for row in days.rows(period)]
