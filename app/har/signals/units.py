"""The units that sensors record in: what they are in the core's, and how headings spell them."""

from __future__ import annotations

import math
import re

STANDARD_GRAVITY = 9.80665  # m/s² in a g
ACCELERATION = {"m/s²": 1.0, "g": STANDARD_GRAVITY, "mg": STANDARD_GRAVITY / 1000}
ROTATION = {"rad/s": 1.0, "deg/s": math.pi / 180, "mdeg/s": math.pi / 180_000}
UNITS = ACCELERATION | ROTATION | {"µT": 1.0, "beats/min": 1.0}
DEGREES, A_SECOND = r"(deg(rees?)?|°)", r"(\s?(/|per)\s?s(ec(onds?)?)?|\s?s(\^-1|-1|⁻¹))"
SPELLINGS = {
    "m/s²": r"m\s?/\s?s(\^2|²|2|\*\*2)|m\s?s(\^-2|-2|⁻²)|mps2",
    "mg": r"mg|milli-?g",
    "g": r"g|g-?force",
    "rad/s": rf"rad(ians?)?{A_SECOND}|rps",
    "deg/s": rf"{DEGREES}{A_SECOND}|dps",
    "mdeg/s": rf"(m|milli-?\s?){DEGREES}{A_SECOND}|mdps",
    "µT": r"[µμu]T",
}


def unit_of_text(text: str) -> str:
    """Return the unit that a piece of a header spells, "" if none that is known."""
    text = text.strip()
    return next((unit for unit, pattern in SPELLINGS.items() if re.fullmatch(pattern, text, re.I)), "")
