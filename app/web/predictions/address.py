"""What the address of a page of a recording says: which recording of the file, which moments, how it is shown."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flask import request

from app.services.errors import ServiceError

if TYPE_CHECKING:
    from app.services.recordings.prediction_result import PredictionResult

FAR_S = 1e10  # no clock reads so much: as Unix time, it is the year 2286


def recording_index_of(result: PredictionResult) -> int | None:
    """Return which recording of the file to show; None for a file of single windows, which are shown together."""
    if result.layout == "windows":
        return None
    return min(max(request.args.get("part", 0, type=int), 0), len(result.recording_ids) - 1)


def moment(key: str) -> float | None:
    """Read a moment in seconds; "nan" and "inf" are numbers to Python, and no moments."""
    if (text := request.args.get(key)) is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not abs(seconds) < FAR_S:
        raise ServiceError(f"{key}={text[:40]} is not a time; expected a number of seconds, for example {key}=12.5.")
    return seconds


def smooth() -> bool | None:
    return {"1": True, "0": False}.get(request.args.get("smooth", ""))


def personal() -> bool:
    """Say whether what the person said is to be shown, and what a model learnt from it; it is, unless they do not."""
    return request.args.get("personal") != "0"
