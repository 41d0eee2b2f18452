"""What the questions of the everyday model, and the parts that each looks at, are called on a page."""

from __future__ import annotations

import numpy as np

from app.har.classifiers.everyday.features import AMPLITUDE, BAND_EDGES_HZ
from app.har.classifiers.everyday.features import SHAPE as SHAPES
from app.har.classifiers.everyday.training import PLACES
from app.har.explanations.questions import (
    AXES,
    CLIMBS,
    FAST,
    LEVEL,
    PACE,
    POSTURE,
    RHYTHM,
    SHAPE,
    SLOW,
    STRENGTH,
    WAY,
    WAY_WALKING,
    WORN,
    Part,
    Questioned,
    aspect_of,
)

TITLES = {
    LEVEL: "Still, on foot or running?",
    CLIMBS: "Walking or stairs?",
    WAY: "Up or down?",
    WAY_WALKING: "Up or down?",
    POSTURE: "Standing, sitting or lying?",
    WORN: "Worn at all?",
}
OF = {"acc": "movement", "gyro": "rotation", "vertical": "movement up and down", "turn": "turning"}
SIGNAL = {"acc": "a", "gyro": "w", "vertical": "v", "turn": "wv"}
ASPECTS = {
    STRENGTH: "strength of the {}",
    SLOW: "slow {}",
    PACE: "{} at the pace of steps",
    FAST: "fast {}",
    RHYTHM: "rhythm of the {}",
    SHAPE: "shape of the {}",
    AXES: "directions of the {}",
}
AGAINST = {
    CLIMBS: ", against the person’s walking",
    WAY: ", against their other stairs",
    WAY_WALKING: ", against known walking",
}
STEPS = 0.4  # of the autocorrelation at a step, from which steps are regular
LIKELY_PLACE = 0.6
PLACED = {"leg": "at the leg", "trunk": "at the trunk", "wrist": "at the wrist", "hand or bag": "in a hand or a bag"}


def part_in_words(part: Part) -> str:
    """Return what a part of a question is: ``"rhythm of the movement, against the person’s walking"``."""
    if part.question == POSTURE:
        return "angle of gravity, against the person’s walking"
    if part.question == WORN:
        return "how quiet the sensors are"
    return ASPECTS[part.aspect].format(OF[part.source]) + AGAINST.get(part.question, "")


def measured_in_words(part: Part, asked: Questioned) -> str:
    """Return the same with what was measured: ``"rhythm of the movement: repeats 1.7 times a second, usually 1.9"``."""
    if part.question == POSTURE:
        return f"angle of gravity{_angle(asked)}"
    if part.question == WORN:
        return part_in_words(part)
    words = ASPECTS[part.aspect].format(OF[part.source])
    found = _measured(part, asked)
    return f"{words}: {found}" if found else words


def _angle(asked: Questioned) -> str:
    tilt = asked.evidence.tilt_deg
    if np.isnan(tilt).all():
        return ": unknown, without walking to compare with"
    place = asked.evidence.place.mean(axis=0)
    where = f", worn {PLACED[PLACES[int(place.argmax())]]}" if place.max() >= LIKELY_PLACE else ""
    return f": turned by {np.nanmean(tilt):.0f}° against walking{where}"


def _measured(part: Part, asked: Questioned) -> str:
    """Return the quantity that a part is best told by, on average over the windows themselves; "" of the others."""
    own = asked.asked[part.question]
    rows = np.unique(own.of, return_index=True)[1]
    values, usual = own.values[rows], own.usual[rows]
    columns = asked.columns_of(part.question)
    compared = part.question != LEVEL

    def mean(name: str) -> tuple[float, float]:
        """Return a feature, and what is usual."""
        column = columns.index(name)
        here, there = float(values[:, column].mean()), float(usual[:, column].mean())
        return here + there, there

    signal = SIGNAL[part.source]
    if part.aspect == STRENGTH:
        here, there = mean(f"{part.source}.{AMPLITUDE}.{signal}.sd")
        if not compared:
            return f"{np.exp(here):.2g} {'m/s²' if part.source == 'acc' else 'rad/s'}"
        percent = 100 * (np.exp(here - there) - 1)
        return f"{abs(percent):.0f} % {'stronger' if percent > 0 else 'weaker'} than usual"
    if part.aspect == RHYTHM and part.source == "acc":
        (hz, usual_hz), (regular, _) = mean("acc.gait.|a|.step frequency"), mean("acc.gait.|a|.step regularity")
        if regular < STEPS:
            return "hardly repeats"
        return f"repeats {hz:.1f} times a second" + (f", usually {usual_hz:.1f}" if compared else "")
    if part.aspect in (SLOW, PACE, FAST):
        prefix = f"{part.source}.{SHAPES}.{signal}.share"
        bands = [name for i in range(len(BAND_EDGES_HZ) - 1) if (name := f"{prefix}{i}") in columns]
        shares = [mean(name) for name in bands if aspect_of(name) == part.aspect]
        here, there = (100 * sum(np.exp(share[i]) for share in shares) for i in (0, 1))
        return f"{here:.0f} % of it" + (f", usually {there:.0f} %" if compared else "")
    return ""
