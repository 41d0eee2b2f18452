"""What the plot of a recording draws: its signal and activities between two moments, thinned to what can be seen."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from operator import itemgetter
from typing import Any

import numpy as np

from app.har.colours import HATCHES, MISSING, MISSING_HATCH
from app.har.signals.types import MODALITY_CHANNELS, MODALITY_UNITS, UNLABELLED, channels_of
from app.har.types import TimeArray
from app.services.errors import ServiceError
from app.services.formatting import duration, percent
from app.services.recordings import transitions
from app.services.recordings.activity_times import Bands, bands
from app.services.recordings.answers_in_words import left_open
from app.services.recordings.bouts import Bouts
from app.services.recordings.lanes import HEIGHT
from app.services.recordings.prediction_result import Opinion, PredictionResult
from app.services.recordings.stored_signal import StoredSignal
from app.services.recordings.wall_clock import WallClock

POINTS = 4000  # of a sensor in view
TITLES = {
    "accelerometer": "Acceleration", "gyroscope": "Rotation", "linear_accelerometer": "Linear acceleration",
    "gravity": "Gravity", "magnetometer": "Magnetic field", "heart_rate": "Heart rate",
    "electrodermal_activity": "Skin conductance", "skin_temperature": "Skin temperature",
    "pressure": "Air pressure", HEIGHT: "Height by pressure",
    "sound_level": "Loudness", "light": "Light",
}  # fmt: skip
UNITS = {**MODALITY_UNITS, HEIGHT: "m"}
SENSOR_OF = {
    HEIGHT: HEIGHT,
    **{channel: sensor for sensor, channels in MODALITY_CHANNELS.items() for channel in channels},
}
NOT_RECORDED = "missing: not recorded"
NO_WINDOW = f"{NOT_RECORDED}, or too short for a window"


def timeline(
    result: PredictionResult,
    recording_index: int,
    signal: StoredSignal | None,
    clock: WallClock,
    from_s: float | None,
    to_s: float | None,
    axes: bool = False,
    before: PredictionResult | None = None,
) -> dict[str, Any]:
    """Return what to draw of one recording between two moments (None: from its start, to its end).

    ``axes`` draws each axis of a sensor instead of the length of its vector; ``before`` is the same result as the model
    answers anybody.

    Raises
    ------
    ServiceError
        The range is not one of this recording's.
    """
    first_s, last_s = signal.extent_s if signal else (np.inf, -np.inf)
    whole = min(first_s, clock.start_s), max(last_s, clock.end_s)
    start_s, end_s = _checked(from_s, to_s, *whole, clock)
    # What a recording holds after its last whole window has no answer, and yet is not missing
    seen = (max(start_s, clock.start_s), max(min(end_s, clock.end_s), clock.start_s, start_s))
    recognised, thinned = bands(result.bout_columns(recording_index), len(result.answer_names), *seen)
    labelled, labels_thinned = bands(result.bout_columns(recording_index, "label"), len(result.label_activities), *seen)
    between, left_out = transitions.drawn(result, recording_index, clock, start_s, end_s)
    return {
        "layout": "timeline",
        "whole_s": whole,
        "range_s": (start_s, end_s),
        "showing": f"{clock.write_span(start_s, end_s)} ({duration(end_s - start_s)})",
        "axis": f"Time of day ({clock.zone})" if clock.known else "Time since the start (h:mm:ss)",
        "ticks": clock.ticks(start_s, end_s),
        "signal": _traces(signal, start_s, end_s, axes) if signal else [],
        "recognised": _rows(recognised, result, "answer", clock),
        "between": between,
        "said": _said(result, recording_index, clock, *seen),
        "before": _before(before, recording_index, clock, *seen) if before else [],
        "labelled": [row for row in _rows(labelled, result, "label", clock) if row["activity"] is not None],
        "thinned": thinned or labels_thinned or left_out,
        "colours": (before.colours if before else {}) | result.colours,
        "missing_colour": MISSING,
        "hatches": HATCHES,
        "missing_hatch": MISSING_HATCH,
    }


def _traces(signal: StoredSignal, start_s: float, end_s: float, axes: bool) -> list[dict[str, Any]]:
    """Return the lines of each sensor, the accelerometers' first.

    Of gravity only the axes say something: the length of its vector is always the same.
    """
    lengths = [] if axes else signal.magnitudes(start_s, end_s, POINTS)
    drawn = [
        {"channel": "magnitude", **trace, "sensor": sensor_title(channels_of(trace["sensor"])[0])}
        for trace in lengths
        if not trace["sensor"].endswith("gravity")
    ]
    whole = set() if axes else {channels_of(sensor)[i] for sensor in signal.triples for i in range(3)}
    sensors = {channel: sensor_title(channel) for channel in signal.channels if channel not in whole}
    per_sensor = Counter(sensors.values())
    points = {channel: POINTS // per_sensor[sensor] for channel, sensor in sensors.items()}
    drawn += [{"sensor": sensors[trace["channel"]], **trace} for trace in signal.view(start_s, end_s, points)]
    return sorted(drawn, key=lambda trace: TITLES["accelerometer"] not in trace["sensor"])


def window_strip_data(result: PredictionResult, from_row: float | None, to_row: float | None) -> dict[str, Any]:
    """Return what to draw of a file of single windows, which have no clock in common: they stand row by row."""
    n = len(result)
    start, end = (
        (0.5 if from_row is None else max(from_row, 0.5)),
        (n + 0.5 if to_row is None else min(to_row, n + 0.5)),
    )
    if start >= end:
        raise ServiceError(f"The file has rows 1 to {n:,}; choose a range within them.")
    (recognised, thinned), (labelled, labels_thinned) = (
        _strip(result, opinion, start, end) for opinion in ("answer", "label")
    )
    step = max(1, round((end - start) / 6))
    at = list(range(int(np.ceil(start)), int(end) + 1, step))
    return {
        "layout": "windows",
        "whole_s": (0.5, n + 0.5),
        "range_s": (start, end),
        "showing": f"rows {np.ceil(start):.0f} – {np.floor(end):.0f} of {n:,}",
        "axis": "Row in the file",
        "ticks": {"at": at, "text": [f"{row:,}" for row in at]},
        "signal": [],
        "recognised": recognised,
        "labelled": labelled,
        "thinned": thinned or labels_thinned,
        "colours": result.colours,
        "missing_colour": MISSING,
        "hatches": HATCHES,
        "missing_hatch": MISSING_HATCH,
    }


def _strip(result: PredictionResult, opinion: Opinion, start: float, end: float) -> tuple[list[dict[str, Any]], bool]:
    """Return the bands of a file of single windows between two rows, and whether they were thinned."""
    names, chosen = result.names(opinion), result.of(opinion)
    there = np.flatnonzero(chosen != UNLABELLED)
    edges: TimeArray = (there + 0.5).astype(np.float64)
    single = Bouts(
        start_s=edges,
        end_s=edges + 1.0,
        activity=chosen[there],
        windows=np.ones(len(there), int),
        confidence=result.answer_confidence[there].astype(np.float64),
        recording=result.recording_index[there],
        deepest=result.guesses[there],
        deepest_confidence=result.confidence[there, 0].astype(np.float64),
    )
    shown, thinned = bands(single, len(names), start, end)
    rows = zip(shown.start_s.tolist(), shown.end_s.tolist(), shown.activity.tolist(), strict=True)
    return [
        {
            "start_s": a,
            "end_s": b,
            "activity": names[i],
            "text": [
                names[i],
                result.recording_ids[int(a)] if b - a == 1 else f"rows {a + 0.5:.0f} – {b - 0.5:.0f}",
            ],
        }
        for a, b, i in rows
        if i != UNLABELLED
    ], thinned


def _said(
    result: PredictionResult, recording_index: int, clock: WallClock, start_s: float, end_s: float
) -> list[dict[str, Any]]:
    """Return the stretches in view of which the person said what they did; an instant is as long as its window."""
    shown = []
    for stretch in result.said:
        recording, first, last, name = stretch
        if recording != recording_index or last < start_s or first > end_s:
            continue
        if first == last:
            (window,) = result.windows_of(stretch)[:1].tolist()
            first, last = float(result.start_s[window]), float(result.end_s[window])
        text = [name, f"{clock.write_span(first, last)} ({duration(last - first)})", "as you said"]
        shown.append({"start_s": round(first, 3), "end_s": round(last, 3), "activity": name, "text": text})
    return _one_after_the_other(shown)


def _one_after_the_other(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows in the order of time, each cut where a later said one begins."""
    kept: list[dict[str, Any]] = []  # in order, none over another
    for row in rows:
        first = bisect_right(kept, row["start_s"], key=itemgetter("end_s"))
        last = bisect_left(kept, row["end_s"], key=itemgetter("start_s"))
        under = kept[first:last]
        before = [other | {"end_s": row["start_s"]} for other in under if other["start_s"] < row["start_s"]]
        after = [other | {"start_s": row["end_s"]} for other in under if other["end_s"] > row["end_s"]]
        kept[first:last] = [*before, row, *after]
    return kept


def _before(
    before: PredictionResult, recording_index: int, clock: WallClock, start_s: float, end_s: float
) -> list[dict[str, Any]]:
    drawn, _ = bands(before.bout_columns(recording_index), len(before.answer_names), start_s, end_s)
    return _rows(drawn, before, "answer", clock)


def _checked(
    from_s: float | None, to_s: float | None, first_s: float, last_s: float, clock: WallClock
) -> tuple[float, float]:
    start_s, end_s = (first_s if from_s is None else from_s), (last_s if to_s is None else to_s)
    if start_s >= end_s or start_s >= last_s or end_s <= first_s:
        raise ServiceError(
            f"From {start_s:g} s to {end_s:g} s is not part of this recording; expected a start before its end, "
            f"within {first_s:.3f} s to {last_s:.3f} s on the recording's own clock."
        )
    return max(start_s, first_s), min(end_s, last_s)


def sensor_title(channel: str) -> str:
    """Name the sensor behind a channel, with its unit: watch Acceleration (m/s²)."""
    device, _, kind = channel.rpartition(".")
    sensor = SENSOR_OF[kind]
    return f"{device} {TITLES[sensor]} ({UNITS[sensor]})".strip()


def _rows(drawn: Bands, result: PredictionResult, opinion: Opinion, clock: WallClock) -> list[dict[str, Any]]:
    names, rows = [*result.names(opinion), None], []  # UNLABELLED is -1: the last
    meaning = {name: text for name, text in left_open(result.tree, result.limit).items() if name in HATCHES}
    missing = NOT_RECORDED if result.too_little else NO_WINDOW
    for start, end, i, confidence, deepest, deepest_confidence in zip(
        *(column.tolist() for column in vars(drawn).values()), strict=True
    ):
        text = [names[i] or missing, f"{clock.write_span(start, end)} ({duration(end - start)})"]
        if opinion == "answer" and names[i] in meaning:
            text.append(meaning[names[i]])
        if opinion == "answer" and confidence == confidence:
            text.append(f"mean confidence {percent(confidence)}")
        if opinion == "answer" and deepest != UNLABELLED and result.activities[deepest] != names[i]:
            text.append(f"deepest guess: {result.activities[deepest]}, {percent(deepest_confidence)}")
        rows.append({"start_s": round(start, 3), "end_s": round(end, 3), "activity": names[i], "text": text})
    return rows
