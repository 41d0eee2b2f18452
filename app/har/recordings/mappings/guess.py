"""What the columns of an unknown table may be: guessed from their names and from the magnitudes of their values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.har.recordings.date_times import EXAMPLE, date_time_seconds, is_date, like_time
from app.har.recordings.files import HEAD_BYTES
from app.har.recordings.mappings.mapping import (
    DEVICE,
    MAX_COLUMNS,
    MAX_RATE_HZ,
    ColumnMapping,
    SensorColumns,
    column_names,
)
from app.har.recordings.mappings.units import DATE_TIME, TIME_SPELLINGS, TIME_UNITS, UNITS
from app.har.recordings.sensors import SENSOR_OF_KIND, kind_of_name
from app.har.recordings.tables import Source, chunks, parse_chunk
from app.har.signals.resampling import mean_magnitude
from app.har.signals.types import Gravity
from app.har.signals.units import unit_of_text

if TYPE_CHECKING:
    import polars as pl

Values = NDArray[np.float64]
Words = tuple[str, ...]

SENSOR_WORDS = (  # the first that fits one of a name's words; "a" and the like only as a whole word
    ("", r"ori\w*|quat\w*|euler|attitude|angle\w*|pitch|roll|yaw|azimuth|tilt|winkel|lage"),
    ("gravity", r"grav\w*|schwerkraft"),
    ("linear_accelerometer", r"lin(ear)?\w*|user\w*|dyn(amic)?"),
    ("gyroscope", r"gyr\w*|rot\w*|ang(ular)?\w*|omega|w|dreh\w*|winkelgeschw\w*|kreisel\w*"),
    ("magnetometer", r"magn?(et\w*|o)?|compass|kompass|b"),
    ("accelerometer", r"acc?|acc\w+|beschl\w*|g?force|gf|a"),
)
SHORT = r"(lin(?:ear)?acc|acc?|accel|gyro?|gyr|mag|gf|a|w|g|b|m)"  # what an axis may be glued to: ax, gyroZ, gFx
SINGLE = (
    ("heart_rate", r"hr|bpm|puls(e|rate|schlag)?|heart ?(rate|beat)|herz(frequenz|rate)|heartrate"),
    ("electrodermal_activity", r"eda|gsr|skin conductance|electrodermal( activity)?|hautleit\w*"),
    ("skin_temperature", r"skin ?temp(erature)?|hauttemp\w*"),
)
TIME_WORDS = re.compile(
    r"t|time|times|timestamp|ts|datetime|date|datum|zeit\w*|uhrzeit|epoch|elapsed|sec|secs|seconds?|sekunden?|"
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
UNIT_WORDS = {  # a unit as the last word of a name
    **dict.fromkeys(("ms2", "mps2", "mss"), "m/s²"), "mg": "mg", "g": "g",
    **dict.fromkeys(("dps", "degs", "degps"), "deg/s"), "mdps": "mdeg/s",
    **dict.fromkeys(("rads", "radps", "rps"), "rad/s"), "ut": "µT",
}  # fmt: skip
FILLERS = (
    r"sensor\w*|raw|data|values?|double|float|axis|achse|component|reading|signal|total|calibrated|meter|of|in|the|\d+"
)
TURN_LIMIT = 25.0  # rad/s, of the fastest tenth: no body turns faster for that long
FEW = 50  # different values at most in a column of labels or subjects


@dataclass(frozen=True)
class Guess:
    """A mapping to start from, and why, in a line for each part: "time", "gravity", "label", "subject", each sensor."""

    mapping: ColumnMapping
    reasons: Mapping[str, str]

    def to_yaml(self) -> str:
        """Write the mapping with the reasons as comments."""
        comments = "".join(f"# {part}: {reason}\n" for part, reason in self.reasons.items())
        return comments + self.mapping.to_yaml()


@dataclass(frozen=True)
class _Table:
    """The first mebibyte of a file, by column."""

    numbers: Mapping[str, Values]
    texts: Mapping[str, pl.Series]


@dataclass(frozen=True)
class _Triple:
    """Three columns that seem to be the axes of one sensor."""

    columns: Words
    words: Words = ()  # of the name, without the axis
    unit: str = ""  # that the heading names


def guess(source: Source) -> Guess:
    """Guess a mapping; it may lack sensors or a rate, where nothing speaks for any."""
    if source.layout.n_columns > MAX_COLUMNS:
        return Guess(ColumnMapping.draft(), {})
    table = _sample(source)
    reasons: dict[str, str] = {}
    time, unit, clocks, reasons["time"] = _time(table)
    label = _category(table, LABEL_WORDS, {time})
    subject = _category(table, SUBJECT_WORDS, {time, label})
    label = label or _likely_label(table, {time, subject} | clocks)
    others = {time, label, subject} | clocks
    numeric = {name: values for name, values in table.numbers.items() if name not in others}
    told = SENSOR_OF_KIND.get(kind_of_name(PurePosixPath(source.name).stem), "")
    sensors, gravity = _sensors(numeric, told, reasons)
    sensors += tuple(_singles(numeric, {name for sensor in sensors for name in sensor.columns}, reasons))
    for part, column in (("label", label), ("subject", subject)):
        if column:
            reasons[part] = _category_reason(table, column)
    mapping = ColumnMapping.draft(sensors, time, unit, gravity=gravity, label=label, subject=subject)
    return Guess(mapping, reasons)


def _sample(source: Source) -> _Table:
    import polars as pl

    layout, names = source.layout, column_names(source.layout)
    numeric = {name: layout.numeric(index) for index, name in enumerate(names)}
    types = {name: pl.Float64 if numeric[name] else pl.String for name in names}
    frame = parse_chunk(source, types, next(chunks(source, HEAD_BYTES)))
    return _Table(
        {name: frame[name].to_numpy().astype(np.float64) for name in names if numeric[name]},
        {name: frame[name] for name in names if not numeric[name]},
    )


def _words(name: str) -> Words:
    """Return the words of a column's name in small letters, without a unit in brackets."""
    name = re.sub(r"[\(\[{][^\)\]}]*[\)\]}]", " ", name)
    name = re.sub(r"(?<=[a-zäöü])(?=[A-Z])", " ", name)
    return tuple(word for word in re.split(r"[\W_]+", name.lower()) if word)


def _unit_in(name: str) -> str:
    """Return the unit that a column's name holds, in brackets or as its last word, "" where it holds none."""
    for text in re.findall(r"[\(\[{]\s*([^\)\]}]*?)\s*[\)\]}]", name):
        known = unit_of_text(text) or text
        if any(known in units for units in UNITS.values()):
            return known
    words = _words(name)
    return UNIT_WORDS.get(words[-1], "") if len(words) > 1 else ""


def _of(word_patterns: str | re.Pattern[str], words: Iterable[str]) -> bool:
    return any(re.fullmatch(word_patterns, word) for word in words)


# --- time


def _time(table: _Table) -> tuple[str | None, str, set[str], str]:
    """Return the column of time, its unit, all columns of dates and times or that only count upwards, and why."""
    rising = {name: values for name, values in table.numbers.items() if _rises(values)}
    candidates: list[tuple[tuple[bool, float, bool], str, str, str]] = []
    for name, values in rising.items():
        named = _of(TIME_WORDS, _words(name))
        unit, why = _time_unit(values, name)
        counts = bool(np.all(np.diff(values[np.isfinite(values)]) == 1))
        if unit and not (counts and (not named or _of(COUNTER_WORDS, _words(name)) or unit == "s")):
            distinct = len(np.unique(values)) / len(values)
            candidates.append(((named, round(distinct, 1), "1970" in why), name, unit, why))
    clocks, unread = set(rising), ""
    for name, texts in table.texts.items():
        some = texts.head(2000)
        seconds = date_time_seconds(some).drop_nulls()
        if len(seconds) >= max(2, 0.8 * len(some)) and seconds.n_unique() > 1:
            distinct = seconds.n_unique() / len(seconds)
            candidates.append(((True, round(distinct, 1), False), name, DATE_TIME, "dates or times as text"))
        elif like_time(some):
            unread = f"; {name} begins with {some.drop_nulls()[0][:40]!r}, expected seconds too, as in {EXAMPLE}+02:00"
        elif not all(map(is_date, some.drop_nulls())):
            continue
        clocks.add(name)
    if not candidates:
        return None, "s", clocks, f"no column counts time: enter how many rows there are a second{unread}"
    _, name, unit, why = max(candidates, key=lambda candidate: candidate[0])
    return name, unit, clocks, why


def _rises(values: Values) -> bool:
    good = values[np.isfinite(values)]
    if len(good) < 3 or good.max() <= good.min():
        return False
    steps = np.diff(good)
    return bool((steps >= 0).mean() >= 0.95 and len(np.unique(good)) > 0.05 * len(good))


def _time_unit(values: Values, name: str) -> tuple[str, str]:
    """Return the unit in which a column's steps make a sensor's rate, and why; "" if there is none."""
    good = np.sort(values[np.isfinite(values)])
    steps = np.diff(good)
    steps = steps[steps > 0]
    step = float(np.median(steps)) * len(steps) / (len(good) - 1)  # of a batch that shares a stamp, too
    possible = [unit for unit, scale in TIME_UNITS.items() if 1 / MAX_RATE_HZ <= step * scale <= 1.0]
    if not possible:
        return "", ""
    rates = {unit: 1 / (step * TIME_UNITS[unit]) for unit in possible}
    bracket = re.findall(r"[\(\[]\s*(\w+)\s*[\)\]]", name)
    said = [TIME_SPELLINGS.get(text, text) for text in (*bracket, *_words(name))]
    said += ["s"] if _of(r"seconds?|secs?|sekunden?", _words(name)) else []
    said += ["ms"] if _of(r"milli\w*", _words(name)) else ["ns"] if _of(r"nano\w*", _words(name)) else []
    named = next((unit for unit in said if unit in possible), "")
    epoch = next((unit for unit in possible if 1e8 < good[0] * TIME_UNITS[unit] < 1e10), "")
    unit = epoch or named or possible[0]
    how = "by its size counted from 1970" if epoch else "by its name" if named else f"steps of {step:g}"
    return unit, f"{how}: {unit}, {rates[unit]:.4g} rows a second"


# --- labels and subjects


def _values_of(table: _Table, column: str) -> list[str]:
    if column in table.texts:
        return [text.strip() for text in table.texts[column].drop_nulls().unique() if text.strip()]
    values = np.unique(table.numbers[column])
    return [f"{value:g}" for value in values[np.isfinite(values)]]


def _category(table: _Table, words: re.Pattern[str], others: set[str | None]) -> str | None:
    for column in (*table.texts, *table.numbers):
        if column in others or not _of(words, _words(column)):
            continue
        numbers = table.numbers.get(column, np.zeros(1))
        whole = bool(np.all(numbers[np.isfinite(numbers)] % 1 == 0))
        if whole and 1 <= len(_values_of(table, column)) <= FEW:
            return column
    return None


def _likely_label(table: _Table, others: set[str | None]) -> str | None:
    """Return a column of a few words that nothing else explains."""
    for column in table.texts:
        if column not in others and 2 <= len(_values_of(table, column)) <= 20:
            return column
    return None


def _category_reason(table: _Table, column: str) -> str:
    values = sorted(_values_of(table, column))
    return f"it begins with {', '.join(values[:4])}{' …' if len(values) > 4 else ''}"[:120]


# --- sensors


def _sensors(
    numeric: Mapping[str, Values], told: str, reasons: dict[str, str]
) -> tuple[tuple[SensorColumns, ...], Gravity | None]:
    triples = _named_triples(numeric) or _triples_in_order(numeric)
    found: list[tuple[_Triple, str, str]] = []  # with kind and why
    triples.sort(key=lambda triple: not _gravity_unit(_stack(triple, numeric)))  # the surest first
    for triple in triples:
        kind, why = _kind(triple, numeric, told, bool(found))
        if kind:
            found.append((triple, kind, why))
    kinds = [kind for _, kind, _ in found]
    if "accelerometer" not in kinds:  # what the phone calls linear is all the acceleration there is
        found = [(t, "accelerometer" if kind == "linear_accelerometer" else kind, why) for t, kind, why in found]
    several = any(kinds.count(kind) > 1 for kind in kinds)
    sensors: dict[str, SensorColumns] = {}
    gravity = None
    for triple, kind, why in found:
        sensor, unit_why, held = _unit(kind, triple, _stack(triple, numeric))
        modality = f"{_device(triple.words)}.{kind}" if several and _device(triple.words) else kind
        if kind == "accelerometer" and modality in sensors and gravity == "included" and held == "removed":
            modality = modality.replace(kind, "linear_accelerometer")
        if modality in sensors:
            continue
        sensors[modality] = sensor.model_copy(update={"modality": modality})
        reasons[modality] = "; ".join(filter(None, (why, unit_why)))
        if kind == "accelerometer" and gravity is None:
            gravity = held
    return tuple(sensors.values()), gravity


def _stack(triple: _Triple, numeric: Mapping[str, Values]) -> Values:
    values = np.column_stack([numeric[name] for name in triple.columns])
    return values[np.isfinite(values).all(axis=1)]


def _axis(name: str) -> tuple[Words, str] | None:
    """Split a column's name into the words of its sensor and the axis: (("acc",), "x")."""
    words = _words(name)
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


def _named_triples(numeric: Mapping[str, Values]) -> list[_Triple]:
    groups: dict[Words, dict[str, str]] = {}
    for name in numeric:
        if re.fullmatch(r"column \d+", name):
            continue
        if split := _axis(name):
            groups.setdefault(split[0], {}).setdefault(split[1], name)
    triples = []
    for words, axes in groups.items():
        for order in ("xyz", "012", "123"):
            if set(order) <= set(axes):
                columns = tuple(axes[axis] for axis in order)
                triples.append(_Triple(columns, words, _unit_in(columns[0])))
                break
    return triples


def _triples_in_order(numeric: Mapping[str, Values]) -> list[_Triple]:
    """Take the columns three by three where their names tell nothing; constant ones and counters are no axes."""
    moving = [name for name, values in numeric.items() if _moves(values)]
    return [_Triple(tuple(moving[i : i + 3])) for i in range(0, len(moving) - len(moving) % 3, 3)]


def _moves(values: Values) -> bool:
    good = values[np.isfinite(values)]
    return len(good) > 2 and len(np.unique(good)) > max(5, 0.005 * len(good)) and not np.all(np.diff(good) == 1)


def _kind(triple: _Triple, numeric: Mapping[str, Values], told: str, not_first: bool) -> tuple[str, str]:
    """Tell which sensor three columns are of; "" for none that is known."""
    heavy = _gravity_unit(_stack(triple, numeric))
    by_unit = next((kind for kind in ("accelerometer", "gyroscope", "magnetometer") if triple.unit in UNITS[kind]), "")
    kinds = [kind for kind, pattern in SENSOR_WORDS if _of(pattern, triple.words)]
    if kinds:
        return kinds[0], "by the names of its columns" if kinds[0] else ""
    if by_unit:
        return by_unit, "by the unit in its heading"
    if "g" in triple.words:  # gx is rotation beside ax, and acceleration alone
        return ("accelerometer", "") if heavy else ("gyroscope", "by the names of its columns")
    nameless = all(word in ("x", "y", "z") or re.fullmatch(FILLERS, word) for word in triple.words)
    if told and nameless and (told == "gravity" or not heavy):
        return told, "by the name of the file"
    if heavy:
        return "accelerometer", "by its values"
    if not nameless:
        return "", ""
    return (
        ("gyroscope", "beside the accelerometer")
        if not_first
        else ("accelerometer", "the first three columns of numbers")
    )


def _mean_size(values: Values) -> float:
    return mean_magnitude(values, max(50, min(400, len(values) // 3)))  # some seconds, over which movement averages out


def _gravity_unit(values: Values) -> str:
    """Return the unit in which a mean vector is as long as gravity, "" if it is in none."""
    size = _mean_size(values) if len(values) else float("nan")
    if len(values) and np.median(np.linalg.norm(values, axis=1)) > 2 * size:
        return ""  # what movement alone leaves of a mean
    return "m/s²" if 8.0 < size < 11.8 else "g" if 0.85 < size < 1.2 else "mg" if 850 < size < 1200 else ""


def _unit(kind: str, triple: _Triple, values: Values) -> tuple[SensorColumns, str, Gravity | None]:
    """Return three columns with their unit, why, and of acceleration whether it holds gravity."""
    said = triple.unit if triple.unit in UNITS[kind] else ""
    sensor = SensorColumns(modality=kind, columns=triple.columns, unit=said or next(iter(UNITS[kind])))
    if not len(values):
        return sensor, "no numbers at the start", None
    if kind in ("accelerometer", "linear_accelerometer", "gravity"):
        return _acceleration(sensor, said, values)
    if kind != "gyroscope":
        return sensor, "", None
    fast = float(np.percentile(np.linalg.norm(values, axis=1), 90))
    if said:
        return sensor, f"unit by its heading, a tenth above {fast:.3g} {said}", None
    unit = "deg/s" if fast > TURN_LIMIT else "rad/s"
    return sensor.model_copy(update={"unit": unit}), f"a tenth of the values above {fast:.3g}: {unit}", None


def _acceleration(sensor: SensorColumns, said: str, values: Values) -> tuple[SensorColumns, str, Gravity | None]:
    size, unit = _mean_size(values), _gravity_unit(values)
    counts = 2 ** round(np.log2(max(size, 1)))
    if said and (not unit or unit == said):
        held: Gravity | None = "included" if unit else "removed" if size * UNITS[sensor.kind][said] < 5 else None
        words = {"included": "with gravity", "removed": "without gravity", None: "too large for this unit"}[held]
        return sensor, f"unit by its heading, values around {size:.3g} {said}: {words}", held
    if unit:
        against = f", though the heading says {said}" if said else ""
        reason = f"values around {size:.3g}: {unit} with gravity{against}"
        return sensor.model_copy(update={"unit": unit}), reason, "included"
    if size < 5:
        return sensor, f"values around {size:.2g}: without gravity, in m/s² as far as one can tell", "removed"
    if counts >= 32 and abs(size / counts - 1) < 0.05 and bool((values % 1 == 0).all()):
        words = f"values around {size:.0f}: raw counts, {counts} a g, with gravity"
        return sensor.model_copy(update={"unit": "g", "scale": 1 / counts}), words, "included"
    return sensor, f"values around {size:.3g}: in no unit known here; enter a factor", None


def _device(words: Sequence[str]) -> str:
    """Return what a name says beside the sensor: the device, or where it is worn."""
    patterns = [pattern for _, pattern in SENSOR_WORDS] + [SHORT]
    rest = [word for word in words if not any(re.fullmatch(pattern, word) for pattern in patterns)]
    device = "-".join(rest) if rest else "".join(re.findall(r"\d+", "".join(words)))
    return device if DEVICE.fullmatch(device) else ""


def _singles(numeric: Mapping[str, Values], used: set[str], reasons: dict[str, str]) -> Iterable[SensorColumns]:
    for kind, pattern in SINGLE:
        for name in numeric:
            words = _words(name)
            if name not in used and (re.fullmatch(pattern, " ".join(words)) or _of(pattern, words)):
                reasons[kind] = "by the name of its column"
                yield SensorColumns(modality=kind, columns=(name,), unit=next(iter(UNITS[kind])))
                break
