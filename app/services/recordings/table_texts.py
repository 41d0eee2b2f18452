"""Tables as text: moments in UTC and in a time zone, rows as plain values."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.har.types import TimeArray

if TYPE_CHECKING:
    import pandas as pd


def in_utc(moments: TimeArray) -> NDArray[np.object_]:
    """Write Unix times as ISO 8601 in UTC, None where there is none."""
    known = np.isfinite(moments)
    texts = np.datetime_as_string(_stamps(moments), timezone="UTC")
    return _where(known, texts.astype(object))


def in_zone(moments: TimeArray, zone: tzinfo) -> NDArray[np.object_]:
    """Write Unix times as ISO 8601 in a time zone, with the offset from UTC; None where there is none."""
    import pandas as pd

    stamps = _stamps(moments)
    local = pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(zone).tz_localize(None).to_numpy()
    minutes = ((local - stamps) / np.timedelta64(60_000, "ms")).round().astype(int)
    offsets = {m: f"{'-' if m < 0 else '+'}{abs(m) // 60:02d}:{abs(m) % 60:02d}" for m in np.unique(minutes).tolist()}
    texts = np.datetime_as_string(local.astype("datetime64[ms]")).astype(object)
    return _where(np.isfinite(moments), texts + np.array([offsets[m] for m in minutes.tolist()], object))


def _where(known: NDArray[np.bool_], texts: NDArray[np.object_]) -> NDArray[np.object_]:
    texts[~known] = None
    return texts


def _stamps(moments: TimeArray) -> NDArray[np.datetime64]:
    known = np.where(np.isfinite(moments), moments, 0.0)
    return np.asarray((known * 1000).round().astype("datetime64[ms]"))


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as plain values, None where something is not there."""
    columns = []
    for _, column in table.items():
        values = column.tolist()
        if column.dtype.kind == "O" or column.dtype.kind == "f":
            columns.append([None if value != value else value for value in values])  # NaN is not itself
        elif column.hasnans:
            columns.append([None if absent else value for value, absent in zip(values, column.isna(), strict=True)])
        else:
            columns.append(values)
    names = list(table.columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
