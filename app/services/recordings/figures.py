"""The timeline of a recording: what its plot draws, and the same as a picture."""

from __future__ import annotations

from datetime import timezone, tzinfo
from typing import Any, Literal

from app.services.formatting import percent
from app.services.recordings import lanes, picture
from app.services.recordings.activity_times import clock_of
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.recordings import folder_of
from app.services.recordings.stored_signal import StoredSignal
from app.services.recordings.timeline import POINTS, sensor_title, timeline, window_strip_data
from app.tables import StoredRecording


def timeline_data(
    recording: StoredRecording,
    result: PredictionResult,
    recording_index: int | None,
    zone: tzinfo = timezone.utc,
    from_s: float | None = None,
    to_s: float | None = None,
    axes: bool = False,
    before: PredictionResult | None = None,
) -> dict[str, Any]:
    """Return what the plot of one recording (None: of a file of single windows) draws between two moments.

    ``axes`` and ``before``: see `timeline`.
    """
    if recording_index is None:
        return window_strip_data(result, from_s, to_s)
    folder, name = folder_of(recording), result.recording_ids[recording_index]
    signal = StoredSignal(folder, name) if (folder / "signal.npy").exists() else None
    drawn = timeline(
        result, recording_index, signal, clock_of(result, recording_index, zone), from_s, to_s, axes, before
    )
    start_s, end_s = drawn["range_s"]
    beside = lanes.view(folder, name, start_s, end_s, POINTS)
    return drawn | {"signal": drawn["signal"] + [{"sensor": sensor_title(lane["channel"]), **lane} for lane in beside]}


def timeline_image(
    recording: StoredRecording,
    result: PredictionResult,
    recording_index: int | None,
    file_format: Literal["png", "svg"],
    zone: tzinfo = timezone.utc,
    from_s: float | None = None,
    to_s: float | None = None,
    axes: bool = False,
) -> bytes:
    """Return the same as a picture that says what is seen: the file, the model, the moments, the colours."""
    drawn = timeline_data(recording, result, recording_index, zone, from_s, to_s, axes)
    title = recording.filename
    if recording_index is not None and len(result.recording_ids) > 1:
        title += f": {result.recording_ids[recording_index]}"
    smoothed = f", bouts under {result.smoothed_s:g} s smoothed away" if result.smoothed_s else ""
    if result.height_used:
        smoothed += ", with height by air pressure"
    if result.personal_windows or result.said:
        smoothed += ", with what its owner said and a model learnt from that"
    told = [
        f"Recognised by {result.model_label}; an answer is at least {percent(result.limit, 0)} probable{smoothed}",
        drawn["showing"],
    ]
    return picture.draw(drawn, title, told, file_format)
