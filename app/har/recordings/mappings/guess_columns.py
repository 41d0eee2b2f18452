"""The columns of an unknown table, and what their names say: words in English, German and a few other languages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.har.recordings.files import HEAD_BYTES
from app.har.recordings.mappings.mapping import DEVICE, column_names
from app.har.recordings.mappings.units import UNITS
from app.har.recordings.tables import Source, chunks, parse_chunk
from app.har.signals.units import unit_of_text

if TYPE_CHECKING:
    import polars as pl

Values = NDArray[np.float64]
Words = tuple[str, ...]

SENSOR_WORDS = (  # the first that fits one of a name's words; "a" and the like only as a whole word
    ("", r"ori\w*|quat\w*|euler|attitude|angle\w*|pitch|roll|yaw|azimuth|tilt|winkel|lage"),
    ("gravity", r"grav\w*|schwerkraft"),
    ("linear_accelerometer", r"lin(ear)?\w*|user\w*|dyn(amic)?"),
    ("gyroscope", r"gy|gyr\w*|rot\w*|ang(ular)?\w*|omega|w|dreh\w*|winkelgeschw\w*|kreisel\w*"),
    ("magnetometer", r"magn?(et\w*|o)?|compass|kompass|b"),
    ("accelerometer", r"acc?|acc\w+|beschl\w*|g?force|gf|a"),
)
SHORT = r"(lin(?:ear)?acc|acc?|accel|gy(?:ro?)?|mag|gf|a|w|g|b|m)"  # what an axis may be glued to: ax, gyroZ, gFx
SINGLE = (
    ("heart_rate", r"hr|bpm|puls(e|rate|schlag)?|heart ?(rate|beat)|herz(frequenz|rate)|heartrate"),
    ("electrodermal_activity", r"eda|gsr|skin conductance|electrodermal( activity)?|hautleit\w*"),
    ("skin_temperature", r"skin ?temp(erature)?|hauttemp\w*"),
    ("pressure", r"((air|atmospheric|barometric) ?)?pressure|barometer|baro|luftdruck"),
    ("sound_level", r"(sound|noise) ?(pressure ?)?level|loudness|dbfs|schallpegel"),
    ("light", r"(ambient ?)?(light|lux|illuminance)|beleuchtungsst(ä|ae)rke"),
)
WHOLE = ("pressure", "sound_level", "light")  # named by all words of a heading, not by one of them
TIME_WORDS = re.compile(
    r"t|time|times|timestamp|ts|datetime|date|datum|zeit\w*|uhrzeit|epoch?|elapsed|sec|secs|seconds?|sekunden?|"
    r"ms|millis\w*|nanos\w*|micros\w*|unix\w*|clock|temps|tiempo|tijd|time\w*|s"
)
COUNTER_WORDS = re.compile(r"index|idx|nr|no|n|row|sample\w*|count\w*|packet|id|num(ber)?|seq\w*|frame|zeile|lfd")
LABEL_WORDS = re.compile(
    r"label\w*|activit\w*|class\w*|gt|target|truth|action|annotation|aktivit\w*|t(ä|ae)tigkeit|bewegung\w*|movement|task|"
    r"exercise|actividad|activité|state"
)
SUBJECT_WORDS = re.compile(
    r"subj\w*|user\w*|participant\w*|person\w*|patient\w*|volunteer\w*|proband\w*|teilnehmer\w*|vp|sujet|sujeto|who|name"
)
OF_DEVICES = r"device\w*|sensor\w*|file\w*|model|app|project\w*|source\w*"  # whose names are nobody's
UNIT_WORDS = {  # a unit as the last word of a name
    **dict.fromkeys(("ms2", "mps2", "mss"), "m/s²"), "cms2": "cm/s²", "mg": "mg", "g": "g",
    **dict.fromkeys(("dps", "degs", "degps"), "deg/s"), "mdps": "mdeg/s",
    **dict.fromkeys(("rads", "radps", "rps"), "rad/s"), "ut": "µT",
}  # fmt: skip
BRACKETS = re.compile(r"[\(\[{]([^\)\]}]*)[\)\]}]")
# Words of a name that say how a sensor is set or read, not which device it is of
SETTINGS = r"ln|wr|low|noise|wide|range|cal|uncal|uncalibrated|raw|motion|device|core|cm|imu|type|sync|unix|\d*hz"
APPLE = r"user"  # in the name of acceleration: only Apple's motion manager calls it so
NO_ACTIVITY = re.compile(
    r"(sensor|device|imu|node|unit) ?\d.*|"
    r"face ?(up|down)|portrait( upside ?down)?|landscape( left| right)?|upside ?down|orientation \w+|flat|unknown|"
    r"start(ed)?|stop(ped)?|begin|end|mark(er)?|event|lap|sync|true|false|yes|no|on|off|ok|none|null|n/?a"
)
COUNTS_A_UNIT = re.compile(r"(\d+(?:\.\d+)?) ?(?:lsb|counts?|digits?) ?(?:/|per) ?\(?(g|dps|deg|°|º)", re.I)
FILLERS = (
    r"sensor\w*|raw|data|values?|double|float|axis|achse|component|reading|signal|total|calibrated|meter|of|in|the|\d+"
)


MAX_SEARCHED = 200  # letters of a name


@dataclass(frozen=True)
class TableSample:
    """The first mebibyte of a file, by column."""

    numbers: Mapping[str, Values]
    texts: Mapping[str, pl.Series]

    def distinct(self, column: str) -> list[str]:
        """Return the different values of a column as text."""
        if column in self.texts:
            return [text.strip() for text in self.texts[column].drop_nulls().unique() if text.strip()]
        values = np.unique(self.numbers[column])
        return [f"{value:g}" for value in values[np.isfinite(values)]]


def sample_table(source: Source) -> TableSample:
    """Parse the beginning of a table."""
    import polars as pl

    layout, names = source.layout, column_names(source.layout)
    numeric = {name: layout.numeric(index) for index, name in enumerate(names)}
    types = {name: pl.Float64 if numeric[name] else pl.String for name in names}
    frame = parse_chunk(source, types, next(chunks(source, HEAD_BYTES)))
    return TableSample(
        {name: frame[name].to_numpy().astype(np.float64) for name in names if numeric[name]},
        {name: frame[name] for name in names if not numeric[name]},
    )


def words_of(name: str) -> Words:
    """Return the words of a column's name in small letters, without a unit in brackets."""
    closed = _closed(name)
    name = BRACKETS.sub(" ", name[:closed]) + name[closed:]
    name = re.sub(r"(?<=[a-zäöü])(?=[A-Z])", " ", name)
    return tuple(word for word in re.split(r"[\W_]+", name.lower()) if word)


def _closed(name: str) -> int:
    """Return where the last bracket ends: beyond it `BRACKETS` would look for another from each that opens."""
    return max(map(name.rfind, ")]}")) + 1


def is_any(pattern: str | re.Pattern[str], words: Iterable[str]) -> bool:
    """Tell whether one of some words is of a pattern."""
    return any(re.fullmatch(pattern, word) for word in words)


def unit_in(name: str) -> str:
    """Return the unit that a column's name holds, in brackets or as its last word, "" where it holds none."""
    for text in map(str.strip, BRACKETS.findall(name[: _closed(name)])):
        known = unit_of_text(text) or text
        if any(known in units for units in UNITS.values()):
            return known
    words = words_of(name)
    return UNIT_WORDS.get(words[-1], "") if len(words) > 1 else ""


def counts_in(name: str) -> float:
    """Return how many raw counts a column's name says make a g or a deg/s, 0 where it says nothing."""
    found = COUNTS_A_UNIT.search(name[:MAX_SEARCHED])
    return float(found[1]) if found else 0.0


def split_axis(name: str) -> tuple[Words, str] | None:
    """Split a column's name into the words of its sensor and the axis: (("acc",), "x")."""
    words = words_of(name)
    if words and words[-1] in UNIT_WORDS and len(words) > 1:
        words = words[:-1]
    for position, word in enumerate(words):
        if word in ("x", "y", "z"):
            return words[:position] + words[position + 1 :], word
    joined = "".join(words[-2:])
    for text, before in ((words[-1] if words else "", words[:-1]), (joined, words[:-2])):
        if glued := re.fullmatch(SHORT + r"[xyz]", text):
            return (*before, glued[1]), text[-1]
    if words and (glued := re.fullmatch(r"[xyz]" + SHORT, words[-1])):
        return (*words[:-1], glued[1]), words[-1][0]
    if words and (numbered := re.fullmatch(r"(\D*)([0-3])", words[-1])):
        return (*words[:-1], *filter(None, [numbered[1]])), numbered[2]
    return None


def device_in(words: Sequence[str]) -> str:
    """Return what a name says besides the sensor: the device, or where it is worn."""
    patterns = [pattern for _, pattern in SENSOR_WORDS] + [SHORT, SETTINGS]
    rest = [word for word in words if not any(re.fullmatch(pattern, word) for pattern in patterns)]
    device = "-".join(rest) if rest else "".join(re.findall(r"\d+", "".join(words)))
    return device if DEVICE.fullmatch(device) else ""
