"""The units that sensors record in: what they are in the core's, and how headings spell them."""

from __future__ import annotations

import math
import re
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit of a file's values."""

    name: str
    factor: float  # by which a value is multiplied to be in the core's unit


STANDARD_GRAVITY = 9.80665  # m/s² in a g
ACCELERATION = {"m/s²": 1.0, "g": STANDARD_GRAVITY, "mg": STANDARD_GRAVITY / 1000}
STATED_ACCELERATION = ACCELERATION | {"cm/s²": 0.01}  # believed where a heading says so: no value tells it from mg
ROTATION = {"rad/s": 1.0, "deg/s": math.pi / 180, "mdeg/s": math.pi / 180_000}
# Values that a program converted once more than it should have: no sensor gives them, but files hold them
MISCONVERTED_ACCELERATION = {"m/s² × 9.81": 1 / STANDARD_GRAVITY, "g ÷ 9.81": STANDARD_GRAVITY**2}
MISCONVERTED_ROTATION = {"rad/s ÷ 57.3": 180 / math.pi, "deg/s × 57.3": (math.pi / 180) ** 2}
AIR_HPA = (300.0, 1100.0)  # from the top of the highest mountain to the lowest shore
PRESSURE = {"hPa": 1.0, "kPa": 10.0, "Pa": 0.01}
UNITS = STATED_ACCELERATION | ROTATION | PRESSURE | {"µT": 1.0, "beats/min": 1.0, "dB": 1.0, "lux": 1.0}
DEGREES, A_SECOND = r"(deg(rees?)?|°)", r"(\s?(/|per)\s?s(ec(onds?)?)?|\s?s(\^-1|-1|⁻¹))"
A_SECOND_TWICE = r"(\s?/\s?s(\^2|²|2|\*\*2)|\s?s(\^-2|-2|⁻²))"
SPELLINGS = {
    "m/s²": rf"m{A_SECOND_TWICE}|mps2",
    "cm/s²": rf"cm{A_SECOND_TWICE}|gal",
    "mg": r"mg|milli-?g",
    "g": r"g|g-?force",
    "rad/s": rf"rad(ians?)?{A_SECOND}|rps",
    "deg/s": rf"{DEGREES}{A_SECOND}|dps",
    "mdeg/s": rf"(m|milli-?\s?){DEGREES}{A_SECOND}|mdps",
    "µT": r"[µμu]T",
    "hPa": r"hPa|mbar|millibars?",
    "kPa": r"kPa",
    "Pa": r"Pa",
    "dB": r"dB(FS|A)?",
    "lux": r"lx|lux",
}


def unit_of_text(text: str) -> str:
    """Return the unit that a piece of a header spells, "" if none that is known."""
    text = text.strip()
    return next((unit for unit, pattern in SPELLINGS.items() if re.fullmatch(pattern, text, re.I)), "")


def pressure_unit(value: float) -> str:
    """Return the unit in which a number is a pressure of the air that people live in, "" for none."""
    lowest, highest = AIR_HPA
    return next((unit for unit, factor in PRESSURE.items() if lowest < value * factor < highest), "")
