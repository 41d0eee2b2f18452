"""Published cut-points: from how much acceleration on, a place of the body and an age, movement is light and so on.

Only those of ENMO and MAD as `slots` has them: means over a slot, in mg. Publications whose metric is another one
(ENMOa, sums, counts) are left out rather than scaled. Compared with GGIR's list (github.com/wadpac/GGIR,
vignettes/CutPoints.Rmd). Where no publication is of a place and an age, there is no intensity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.har.measures.slots import Slots
from app.har.types import IntArray

Metric = Literal["ENMO", "MAD"]
Place = Literal["wrist", "trunk"]  # as `services.recordings.places` calls them; of the trunk, the hip
LEVELS = ("inactive", "light", "moderate", "vigorous")
AGES: Mapping[str, str] = {  # groups that people may choose, as the publications have them
    "child": "7 to 11 years",
    "adolescent": "13 to 15 years",
    "adult": "21 to 61 years",
    "older": "62 to 69 years",
    "old": "70 years or older",
}
HILDEBRAND = (
    "Hildebrand et al., Med Sci Sports Exerc 46(9): 1816-24, 2014 (moderate, vigorous), and Scand J Med Sci Sports "
    "27(12): 1814-23, 2017 (light)"
)
VAHA_YPYA = "Vähä-Ypyä et al., PLoS ONE 10(8): e0134813, 2015"
AITTASALO = "Aittasalo et al., BMC Sports Sci Med Rehabil 7: 18, 2015"
SANDERS = "Sanders et al., J Sports Sci 37(11): 1270-79, 2019"
MIGUELES = "Migueles et al., Sensors 21(10): 3326, 2021"


@dataclass(frozen=True)
class CutPoints:
    """From how many mg on a slot is of a level; None where the publication does not have the level."""

    name: str  # by which they are chosen
    publication: str
    measured: str  # on whom and with what
    ages: tuple[str, ...]  # of `AGES`
    place: Place
    metric: Metric
    light: float | None
    moderate: float
    vigorous: float | None
    device: str = ""  # the brand, where another brand has others

    def levels_of(self, slots: Slots) -> IntArray:
        """Return the level of each slot, a position in `LEVELS`; (n,).

        Without a cut-point of *light*, what is below *moderate* is 0; without one of *vigorous*, nothing is.
        """
        values = slots.enmo_mg if self.metric == "ENMO" else slots.mad_mg
        limits = (self.light or np.inf, self.moderate, self.vigorous or np.inf)
        reached = [np.where(values >= limit, level, 0) for level, limit in enumerate(limits, 1)]
        return np.asarray(np.max(reached, axis=0), np.int64)


def _hildebrand(brand: str, place: Place, age: str, *limits: float) -> CutPoints:
    who = {"adult": "21 to 61 years", "child": "7 to 11 years"}[age]
    where = "non-dominant wrist" if place == "wrist" else "hip"
    name = f"hildebrand-{age}-{'wrist' if place == 'wrist' else 'hip'}-{brand.lower()}"
    measured, (light, moderate, vigorous) = f"{brand}, {where}, {who}", limits
    return CutPoints(name, HILDEBRAND, measured, (age,), place, "ENMO", light, moderate, vigorous, brand)


# Of several that fit, the first is taken unless another is chosen
CUT_POINTS: Sequence[CutPoints] = (
    _hildebrand("ActiGraph", "wrist", "child", 35.6, 201.4, 707.0),
    _hildebrand("GENEActiv", "wrist", "child", 56.3, 191.6, 695.8),
    _hildebrand("ActiGraph", "trunk", "child", 63.3, 142.6, 464.6),
    _hildebrand("GENEActiv", "trunk", "child", 64.1, 152.8, 514.3),
    CutPoints(
        "aittasalo-adolescent-hip", AITTASALO, "ActiGraph, hip, 13 to 15 years", ("adolescent",), "trunk", "MAD",
        26.9, 332.0, 558.3,
    ),
    _hildebrand("ActiGraph", "wrist", "adult", 44.8, 100.6, 428.8),
    _hildebrand("GENEActiv", "wrist", "adult", 45.8, 93.2, 418.3),
    # Before those of ENMO: MAD does not ask for a calibrated sensor, and phones have none
    CutPoints(
        "vaha-ypya-adult-hip", VAHA_YPYA, "Hookie AM20, hip, 35 years (SD 11)", ("adult",), "trunk", "MAD",
        None, 91.0, 414.0,
    ),
    _hildebrand("ActiGraph", "trunk", "adult", 47.4, 69.1, 258.7),
    _hildebrand("GENEActiv", "trunk", "adult", 46.9, 68.7, 266.8),
    CutPoints(
        "migueles-old-wrist", MIGUELES, "ActiGraph, non-dominant wrist, 70 years or older", ("old",), "wrist", "ENMO",
        18.0, 60.0, None,
    ),
    CutPoints(
        "migueles-old-dominant-wrist", MIGUELES, "ActiGraph, dominant wrist, 70 years or older", ("old",), "wrist",
        "ENMO", 22.0, 64.0, None,
    ),
    CutPoints(
        "migueles-old-hip", MIGUELES, "ActiGraph, hip, 70 years or older", ("old",), "trunk", "ENMO", 7.0, 14.0, None,
    ),
    CutPoints(
        "sanders-older-wrist", SANDERS, "GENEActiv, non-dominant wrist, 60 to 86 years, by the Youden index",
        ("older", "old"), "wrist", "ENMO", 20.0, 32.0, None,
    ),
    CutPoints(
        "sanders-older-wrist-sensitive", SANDERS,
        "GENEActiv, non-dominant wrist, 60 to 86 years, by sensitivity (light) and specificity (moderate)",
        ("older", "old"), "wrist", "ENMO", 57.0, 104.0, None,
    ),
    CutPoints(
        "sanders-older-hip", SANDERS, "ActiGraph, hip, 60 to 86 years, by the Youden index", ("older", "old"), "trunk",
        "ENMO", 6.0, 19.0, None,
    ),
    CutPoints(
        "sanders-older-hip-sensitive", SANDERS,
        "ActiGraph, hip, 60 to 86 years, by sensitivity (light) and specificity (moderate)", ("older", "old"), "trunk",
        "ENMO", 15.0, 69.0, None,
    ),
)  # fmt: skip


def fitting(place: str, age: str, brand: str = "") -> list[CutPoints]:
    """Return the cut-points of a place of the body and an age group; those of a brand first, where it has its own.

    Parameters
    ----------
    brand : of the device, as `Recording.app` names it.
    """
    found = [each for each in CUT_POINTS if each.place == place and age in each.ages]
    return sorted(found, key=lambda each: not (each.device and brand.startswith(each.device)))


def choose(place: str, age: str, brand: str = "", name: str = "") -> CutPoints | None:
    """Return the cut-points called ``name`` if they fit, else the first that do; None where none does."""
    found = fitting(place, age, brand)
    return next((each for each in found if each.name == name), found[0] if found else None)
