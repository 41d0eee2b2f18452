"""What was recognised in a file as tables of pandas: made here once, for pages, downloads and notebooks.

Every table is a DataFrame; pandas is imported where it is used, so that the start of the site does not wait for it.
Names that are not there are None, numbers NaN or NA; `table_texts` makes files and plain values of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timezone, tzinfo
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.har.signals.types import UNLABELLED
from app.har.texts import to_csv
from app.har.types import FloatArray, IntArray, TimeArray
from app.har.vocabulary import MISSING, TOO_LITTLE
from app.services.recordings.activity_times import SHORTEST_PAUSE_S, clock_of, per_period
from app.services.recordings.bouts import Bouts
from app.services.recordings.prediction_result import MIN_ATTENTION, Opinion, PredictionResult
from app.services.recordings.sensor_names import in_words
from app.services.recordings.table_texts import in_utc, in_zone, records
from app.services.recordings.wall_clock import Period

if TYPE_CHECKING:
    import pandas as pd

    from app.services.recordings.steps import Steps

PERIODS: tuple[Period, ...] = ("day", "hour")
DAY_COLUMNS = (
    "recording", "period", "start", "end", "activity", "minutes", "deepest_minutes", "start_s", "model", "smoothed_s",
    "personal_windows", "corrected_windows",
)  # fmt: skip
ROWS_A_CHUNK = 2000
SHORT = -2
MAX_ROWS = 200  # of a table of labels on a page


@dataclass(frozen=True)
class Rows:
    """Windows or bouts, and the pauses between them, as columns in the order of recordings and time."""

    start_s: TimeArray
    end_s: TimeArray
    recording: IntArray  # position in `recording_ids`
    position: IntArray  # of the window or bout among its like; UNLABELLED where it is missing, SHORT of too little

    def __len__(self) -> int:
        return len(self.start_s)

    def take(self, index: IntArray | slice) -> Rows:
        """Return the rows at these places."""
        return Rows(*(column[index] for column in vars(self).values()))


def with_pauses(start_s: TimeArray, end_s: TimeArray, recording: IntArray, paused: bool = True) -> Rows:
    """Return stretches of recordings in the order of time and, where ``paused``, what lies between them."""
    order = np.lexsort((start_s, recording))
    start, end, owner = start_s[order], end_s[order], recording[order]
    apart = (owner[1:] == owner[:-1]) & (start[1:] - end[:-1] > SHORTEST_PAUSE_S)
    gap = np.flatnonzero(apart & paused)
    rows = Rows(
        np.concatenate((start, end[gap])),
        np.concatenate((end, start[gap + 1])),
        np.concatenate((owner, owner[gap])),
        np.concatenate((order, np.full(len(gap), UNLABELLED))),
    )
    return rows.take(np.lexsort((rows.start_s, rows.recording)))


def window_rows(result: PredictionResult, recording_index: int | None = None) -> Rows:
    """Return the windows of one recording (None: of all) and the pauses; single windows have no clock and no pause."""
    index = result.positions(recording_index)
    short = [stretch for stretch in result.too_little if recording_index in (None, stretch[0])]
    recording, start_s, end_s = (np.array([stretch[i] for stretch in short]) for i in range(3))
    rows = with_pauses(
        np.append(result.start_s[index], start_s),
        np.append(result.end_s[index], end_s),
        np.append(result.recording_index[index], recording).astype(np.int64),
        result.layout == "timeline",
    )
    position = np.concatenate((index, np.full(len(short), SHORT), [UNLABELLED]))[rows.position]
    return Rows(rows.start_s, rows.end_s, rows.recording, position)


def windows(result: PredictionResult, zone: tzinfo = timezone.utc, rows: Rows | None = None) -> pd.DataFrame:
    """Return a row for each window and each pause.

    Parameters
    ----------
    zone : of the local times.
    rows : those wanted, by default all that `window_rows` gives.

    Returns
    -------
    Among others ``activity`` (the answer, "Too little" or "missing"), its ``confidence``, the likeliest activity
    however likely (``deepest_activity``), the probability of each activity (``p_Walk``), and the moments: seconds on
    the recording's own clock, UTC, and local with the offset from UTC.
    """
    import pandas as pd

    rows = window_rows(result) if rows is None else rows
    there = rows.position >= 0
    at = np.where(there, rows.position, 0)

    def name(names: Sequence[str], index: IntArray) -> NDArray[np.object_]:
        return _named(names, np.where(there, index[at], UNLABELLED))

    def number(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.where(there, values[at].astype(np.float64), np.nan).round(4)

    guess = np.where(there, result.guesses[at], UNLABELLED)
    several = len(result.activities) > 1
    second = result.ranked[:, 1] if several else np.full(len(result), UNLABELLED)
    right, unfamiliar = result.right[at], result.unfamiliar[at]
    frame = pd.DataFrame(
        {
            "window": pd.arrays.IntegerArray(rows.position + 1, ~there),
            "recording": _named(result.recording_ids, rows.recording),
            "start_s": _milliseconds(rows.start_s),
            "end_s": _milliseconds(rows.end_s),
            "activity": np.where(
                there,
                name(result.answer_names, result.answers),
                np.where(rows.position == SHORT, TOO_LITTLE, MISSING),
            ),
            "confidence": number(result.answer_confidence),
            "second_activity": name(result.activities, second),
            "second_confidence": number(result.confidence[:, 1]) if several else np.nan,
            "true_activity": name(result.label_activities, result.labels),
            "right": _true_or_not(right == 1, there & (right != UNLABELLED)),
            "unfamiliar": _true_or_not(unfamiliar, there),
            "start_utc": in_utc(_unix(result, rows, rows.start_s)),
            "listened_to": _sensors_used(result, rows.position),
            "deepest_activity": _named(result.activities, guess),
            "deepest_confidence": np.where(guess == UNLABELLED, np.nan, number(result.confidence[:, 0])),
            **_local(result, rows, zone),
            **made_by(result),
            "corrected": _true_or_not(result.corrected[at], there),
        }
    )
    shares = np.where(there[:, None], result.proba[at].astype(np.float64).round(4), np.nan)
    probabilities = pd.DataFrame(shares, columns=[f"p_{activity}" for activity in result.activities])
    return pd.concat((frame, probabilities), axis=1)


def bout_rows(
    result: PredictionResult, recording_index: int | None = None, opinion: Opinion = "answer", by_length: bool = False
) -> tuple[Bouts, Rows]:
    """Return the bouts of one recording (None: of all), and where they and the pauses stand, the longest first if so.

    Of the activities that a file names, what lies between is no pause: nobody said what happened there.
    """
    bouts = result.bout_columns(recording_index, opinion)
    paused = result.layout == "timeline" and opinion != "label"
    rows = with_pauses(bouts.start_s, bouts.end_s, bouts.recording, paused)
    return bouts, rows.take(np.argsort(rows.start_s - rows.end_s, kind="stable")) if by_length else rows


def bouts(
    result: PredictionResult,
    zone: tzinfo = timezone.utc,
    opinion: Opinion = "answer",
    found: tuple[Bouts, Rows] | None = None,
    steps: Steps | None = None,
) -> pd.DataFrame:
    """Return a row for each bout and each pause.

    Parameters
    ----------
    opinion : that they are stretches of.
    found : those wanted, by default all that `bout_rows` gives.
    steps : with a column ``steps`` of how many each has, NA where they are not counted.
    """
    import pandas as pd

    columns, rows = bout_rows(result, opinion=opinion) if found is None else found
    there = rows.position != UNLABELLED
    at = np.where(there, rows.position, len(columns.start_s))  # one further, for the pauses
    activity, deepest = (np.append(names, UNLABELLED)[at] for names in (columns.activity, columns.deepest))
    confidence, deepest_confidence = (
        np.append(shares, np.nan)[at].astype(np.float64).round(4)
        for shares in (columns.confidence, columns.deepest_confidence)
    )
    return pd.DataFrame(
        {
            "recording": _named(result.recording_ids, rows.recording),
            "start_s": _milliseconds(rows.start_s),
            "end_s": _milliseconds(rows.end_s),
            "activity": np.where(there, _named(result.names(opinion), activity), MISSING),
            "windows": np.append(columns.windows, 0)[at],
            "confidence": np.nan if opinion == "label" else confidence,
            "start_utc": in_utc(_unix(result, rows, rows.start_s)),
            "end_utc": in_utc(_unix(result, rows, rows.end_s)),
            "deepest_activity": _named(result.activities, deepest),
            "deepest_confidence": deepest_confidence,
            **_local(result, rows, zone),
            **made_by(result),
            **({"steps": _whole(np.append(steps.in_bouts(columns), np.nan)[at])} if steps else {}),
        }
    )


def _whole(numbers: FloatArray) -> Any:
    """Return whole numbers as a column, NA for NaN."""
    import pandas as pd

    absent = np.isnan(numbers)
    return pd.arrays.IntegerArray(np.where(absent, 0, numbers).astype(np.int64), absent)


def days(result: PredictionResult, zone: tzinfo = timezone.utc, recording_index: int | None = None) -> pd.DataFrame:
    """Return a row for each day, and each hour, and each answer or deepest guess in it, and for what is missing of it.

    ``recording_index`` keeps those of one recording. Single windows have no clock and so neither days nor hours.
    """
    import pandas as pd

    wanted = range(len(result.recording_ids)) if recording_index is None else [recording_index]
    makers = tuple(made_by(result).values())
    lines = (
        (result.recording_ids[i], kind, clock.iso(start), clock.iso(end), *line, round(start, 3), *makers)
        for i in (wanted if result.layout == "timeline" else ())
        for clock in [clock_of(result, i, zone)]
        for kind in PERIODS
        for start, end, *line in per_period(result, i, clock, kind)
    )
    return pd.DataFrame(list(lines), columns=list(DAY_COLUMNS))


def by_period(table: pd.DataFrame, kind: Period) -> list[dict[str, Any]]:
    """Return the days or hours of one recording, an entry each, from a table that `days` gives."""
    entries: dict[float, dict[str, Any]] = {}
    wanted = table[table["period"] == kind]
    names = ("start_s", "start", "end", "activity", "minutes", "deepest_minutes")
    for start_s, start, end, activity, minutes, deepest in zip(*(wanted[name].tolist() for name in names), strict=True):
        entry = entries.setdefault(
            start_s, {"start": start, "end": end, "start_s": start_s, "minutes": {}, "deepest_minutes": {}}
        )
        if activity == MISSING:
            entry["missing"] = minutes
            continue
        for column, value in (("minutes", minutes), ("deepest_minutes", deepest)):
            if value:
                entry[column][activity] = value
    return list(entries.values())


def daily(result: PredictionResult, zone: tzinfo) -> list[dict[str, Any]]:
    """Return the hours and days of every recording as nested values, as their download has them."""
    table = days(result, zone)
    wanted = range(len(result.recording_ids)) if result.layout == "timeline" else range(0)
    return [
        {
            "recording": name,
            "time": f"time of day, {zone}" if clock_of(result, i, zone).known else "since the start",
            "hours": by_period(table[table["recording"] == name], "hour"),
            "days": by_period(table[table["recording"] == name], "day"),
        }
        for i, name in zip(wanted, result.recording_ids, strict=False)
    ]


def totals(result: PredictionResult) -> pd.DataFrame:
    """Return a row for each answer or deepest guess: its minutes, its share of the windows' time, its windows.

    Last come what was too little for an answer, and what is missing; they are no part of the windows' time.
    """
    import pandas as pd

    minutes, n_windows = result.totals("answer")
    guessed, _ = result.totals("deepest")
    whole = float((result.end_s - result.start_s).sum()) / 60
    rows = window_rows(result)
    unanswered = {
        name: round(float((rows.end_s - rows.start_s)[rows.position == kind].sum()) / 60, 3)
        for name, kind in ((TOO_LITTLE, SHORT), (MISSING, UNLABELLED))
        if (rows.position == kind).any()
    }
    names = list(dict.fromkeys((*minutes, *guessed, *unanswered)))
    return pd.DataFrame(
        {
            "activity": names,
            "minutes": [(minutes | unanswered).get(name, 0.0) for name in names],
            "share": [np.nan if name in unanswered else minutes.get(name, 0) / whole for name in names],
            "windows": [n_windows.get(name, 0) for name in names],
            "deepest_minutes": [guessed.get(name, 0.0) for name in names],
            **made_by(result),
        }
    )


def metrics(result: PredictionResult, recording_index: int | None = None) -> pd.DataFrame:
    """Return a row for each activity that the file names, compared window by window with the answers.

    Returns
    -------
    ``label``; whether the model ``knows`` it; its ``windows``; how many of them have an answer (``answered``); how many
    answers are ``right``; ``agreement``, their share; and how many windows were answered ``as_Walking`` and so on, for
    every answer that occurs. Both are in the order of the model's activities. No row where the file names nothing.
    """
    import pandas as pd

    selected = result.positions(recording_index)
    selected = selected[result.labels[selected] != UNLABELLED]
    every = np.zeros((len(result.label_activities), len(result.answer_names)), np.int64)
    np.add.at(every, (result.labels[selected], result.answers[selected]), 1)
    labels = _in_order(result.label_activities, np.flatnonzero(every.sum(axis=1)), result)
    answers = _in_order(result.answer_names, np.flatnonzero(every.sum(axis=0)), result)
    counts, agreeing = every[labels], result.agreeing.T[labels]
    answered = counts[:, : len(result.tree.nodes) - 1].sum(axis=1)
    right = (counts * agreeing).sum(axis=1)
    return pd.DataFrame(
        {
            "label": _named(result.label_activities, labels),
            "known": result.known_activities[labels],
            "windows": counts.sum(axis=1),
            "answered": answered,
            "right": right,
            "agreement": np.where(answered > 0, right / np.maximum(answered, 1), np.nan).round(4),
            **made_by(result),
            **{f"as_{result.answer_names[i]}": counts[:, i] for i in answers},
        }
    )


def agreement(result: PredictionResult, recording_index: int | None) -> dict[str, Any] | None:
    """Return `metrics` as a page shows it, with which answers are true of which label; None where there is no label.

    Of more than MAX_ROWS labels, those with most windows have a row; ``more`` says how many are left out.
    """
    table = metrics(result, recording_index)
    if table.empty:
        return None
    columns = [name.removeprefix("as_") for name in table.columns if name.startswith("as_")]
    place = {name: i for i, name in enumerate(result.answer_names)}
    label = {name: i for i, name in enumerate(result.label_activities)}
    often = table.loc[table["windows"].sort_values(ascending=False, kind="stable").index[:MAX_ROWS].sort_values()]
    known = table[table["known"]]
    return {
        "compared": int(known["answered"].sum()),
        "right": int(known["right"].sum()),
        "columns": columns,
        "rows": [
            {
                **row,
                "recognised": [row[f"as_{name}"] for name in columns],
                "true": [bool(result.agreeing[place[name], label[row["label"]]]) for name in columns],
            }
            for row in records(often)
        ],
        "more": len(table) - len(often),
    }


def document(result: PredictionResult, zone: tzinfo = timezone.utc, steps: Steps | None = None) -> dict[str, Any]:
    """Return windows, bouts and summary as plain values, with steps where they are given."""
    return {
        "windows": records(windows(result, zone)),
        "bouts": records(bouts(result, zone, steps=steps)),
        "summary": result.summary() | ({"steps": steps.total()} if steps else {}),
    }


def windows_csv(result: PredictionResult, zone: tzinfo) -> Iterator[str]:
    """Yield `windows` as CSV, a part at a time: of a day there are 28,800."""
    rows = window_rows(result)
    for start in range(0, max(len(rows), 1), ROWS_A_CHUNK):
        yield to_csv(windows(result, zone, rows.take(slice(start, start + ROWS_A_CHUNK))), header=start == 0)


def made_by(result: PredictionResult) -> dict[str, Any]:
    """Return what made the answers: columns that are the same in every row."""
    return {
        "model": result.model_label,
        "smoothed_s": result.smoothed_s,
        "personal_windows": result.personal_windows,
        "corrected_windows": int(result.corrected.sum()),
    }


def _in_order(names: Sequence[str], index: IntArray, result: PredictionResult) -> IntArray:
    """Return positions of names, in the order of the model's activities."""
    place = {name: i for i, name in enumerate(result.all_names)}
    return np.array(sorted(index.tolist(), key=lambda i: place[names[i]]), np.int64)


def _named(names: Sequence[str], index: IntArray) -> NDArray[np.object_]:
    """Return the names at these positions, None where there is none."""
    return np.array([*names, None], object)[index]  # UNLABELLED is -1: the last


def _true_or_not(values: NDArray[np.bool_], known: NDArray[np.bool_]) -> Any:
    import pandas as pd

    return pd.arrays.BooleanArray(np.asarray(values, bool), ~known)


def _milliseconds(time_s: TimeArray) -> TimeArray:
    return np.asarray(time_s.round(3) + 0.0)  # never -0.0


def _unix(result: PredictionResult, rows: Rows, time_s: TimeArray) -> TimeArray:
    """Return moments of recordings as Unix time, NaN where the recording does not tell the time of day."""
    origins = np.full(len(result.recording_ids), np.nan)
    origins[result.recording_index] = result.origins
    return np.asarray(origins[rows.recording] + time_s, np.float64)


def _local(result: PredictionResult, rows: Rows, zone: tzinfo) -> dict[str, NDArray[np.object_]]:
    """Write start and end of each row as ISO 8601 in a time zone, with its offset from UTC."""
    return {
        "start_local": in_zone(_unix(result, rows, rows.start_s), zone),
        "end_local": in_zone(_unix(result, rows, rows.end_s), zone),
    }


def _sensors_used(result: PredictionResult, position: IntArray) -> NDArray[np.object_]:
    """Name the sensors that each window was recognised from; None of a pause, and where that was not stored."""
    used = np.vstack((result.sensor_attention >= MIN_ATTENTION, np.zeros((1, len(result.sensors)), bool)))[
        np.maximum(position, UNLABELLED)
    ]
    patterns, which = np.unique(used, axis=0, return_inverse=True)
    names = [in_words(np.array(result.sensors)[pattern].tolist()) or None for pattern in patterns]
    named: NDArray[np.object_] = np.array([*names, None], object)[which.reshape(-1)]
    return named
