"""What the page of one data set shows: its activities, a stretch of signal, the rows as recorded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from app.services.errors import NotFound
from app.services.paging import Page, page_of

if TYPE_CHECKING:
    from app.har.datasets.contents import Contents
    from app.har.datasets.row_columns import RowFacts
    from app.har.datasets.store import Store

PAGE_SIZES = (10, 25, 50, 100)
COLUMNS_SHOWN = 10  # of a table with 1803 columns; HHAR's ten are seen at once
LONGEST_CELL = 60
PREVIEW_S = 10.0
PREVIEW_POINTS = 4000  # at most, per line
UNITS = {"acc": "m/s²", "gyro": "rad/s"}


def activities(contents: Contents) -> list[dict[str, Any]]:
    """Return recordings, subjects, minutes, windows, colour and largest supplier of each activity."""
    colour_of = colours(contents)
    return [
        each | {"colour": colour_of[each["activity"]], "largest": largest}
        for each, largest in zip(contents.per_activity, contents.largest, strict=True)
    ]


def colours(contents: Contents) -> dict[str, str]:
    """Return the colour of each activity."""
    from app.har.colours import activity_colours

    return activity_colours(contents.activities)


def preview(store: Store, activity: str) -> dict[str, Any]:
    """Return a representative stretch of an activity, as the page's plot takes it."""
    from app.har.colours import activity_colour

    names = store.signals.activities
    if activity not in names:
        raise NotFound(f"There is no activity called “{activity[:100]}” in this data set.")
    seconds = min(PREVIEW_S, PREVIEW_POINTS / store.signals.sampling_rate_hz)
    time_s, values, channels, recording_id = store.preview(activity, seconds)
    return {
        "activity": activity,
        "recording": recording_id,
        "colour": activity_colour(activity, names),
        "time_s": time_s.round(4).tolist(),
        "lines": [
            {"channel": channel, "unit": _unit(channel), "values": column.round(5).tolist()}
            for channel, column in zip(channels, values.astype(float).T, strict=True)
            if not np.isnan(column).any()  # a sensor that this recording lacks
        ],
    }


def _unit(channel: str) -> str:
    return UNITS[channel.rpartition(".")[2].partition("_")[0]]


def recording_csv(store: Store, recording_id: str) -> Iterable[str]:
    """Return a recording in Kinelab's own CSV layout, which can be uploaded again."""
    _check_recording(store, recording_id)
    return store.recording_csv(recording_id)


def _check_recording(store: Store, recording_id: str) -> None:
    if recording_id not in store.signals.recording_ids:
        raise NotFound(f"There is no recording called “{recording_id[:100]}” in this data set.")


@dataclass(frozen=True)
class RowQuery:
    """Which rows; an empty text means no wish."""

    table: str = ""
    recording: str = ""
    sort: str = ""
    descending: bool = False
    page: int = 1
    size: int = 25
    first_column: int = 0


@dataclass(frozen=True)
class RowPage:
    """The rows that were found, and the query as it was carried out."""

    query: RowQuery
    page: Page[tuple[str, ...]]  # as text, long cells cut off
    all_columns: int
    columns: list[str]
    units: list[str]  # of the columns, "" where there is none
    facts: list[RowFacts]  # of the rows


def find_rows(store: Store, query: RowQuery) -> RowPage:
    """Return a page of rows; a page, table, column or size that is not there gives way to the nearest that is.

    Raises
    ------
    NotFound : no such recording.
    """
    if query.recording:
        _check_recording(store, query.recording)
    table = query.table if query.table in store.tables else store.tables[0]
    columns = store.columns(table)
    size = min(PAGE_SIZES, key=lambda each: abs(each - query.size))
    query = replace(
        query,
        table=table,
        sort=query.sort if query.sort in columns else "",
        size=size,
        first_column=max(0, min(query.first_column, len(columns) - COLUMNS_SHOWN)),
    )
    shown = columns[query.first_column : query.first_column + COLUMNS_SHOWN]
    recording = query.recording or None
    total = store.rows(table, limit=0, recording=recording).total

    about, facts = store.row_columns(table), []

    def fetch(start: int, stop: int) -> list[tuple[str, ...]]:
        found = store.rows(
            table,
            offset=start,
            limit=stop - start,
            sort=query.sort or None,
            descending=query.descending,
            recording=recording,
            columns=shown,
        )
        facts.extend(about.facts(found.places))
        return [tuple(map(_text, row)) for row in found.items]

    page = page_of(total, query.page, size, fetch)
    units = [about.unit(column) for column in shown]
    return RowPage(replace(query, page=page.number), page, len(columns), shown, units, facts)


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
