"""The timeline of a recording: what its plot draws, and the same as a figure for a paper."""

from __future__ import annotations

import tempfile
from datetime import timezone, tzinfo
from pathlib import Path
from typing import Any, Literal

import numpy as np

from app.services.recordings.activity_times import clock_of
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.recordings import folder_of
from app.services.recordings.stored_signal import StoredSignal
from app.services.recordings.timeline import timeline, window_strip_data
from app.tables import StoredRecording


def timeline_data(
    recording: StoredRecording,
    result: PredictionResult,
    recording_index: int | None,
    zone: tzinfo = timezone.utc,
    from_s: float | None = None,
    to_s: float | None = None,
) -> dict[str, Any]:
    """Return what the plot of one recording (None: of a file of single windows) draws between two moments."""
    if recording_index is None:
        return window_strip_data(result, from_s, to_s)
    folder = folder_of(recording)
    signal = StoredSignal(folder, result.recording_ids[recording_index]) if (folder / "signal.npy").exists() else None
    return timeline(result, recording_index, signal, clock_of(result, recording_index, zone), from_s, to_s)


def timeline_image(
    recording: StoredRecording,
    result: PredictionResult,
    recording_index: int | None,
    file_format: Literal["png", "svg"],
) -> bytes:
    """Return the timeline of one recording (None: the strip of a file of single windows) as a figure for a paper."""
    from app.har.training import plots

    drawn = timeline_data(recording, result, recording_index)
    bands = [(row["start_s"], row["end_s"], row["activity"]) for row in drawn["recognised"] if row["activity"]]
    if not drawn["signal"]:
        axes = plots.timeline([], [], bands, result.colours)
        axes.set(xlabel="row in the file", ylabel="", yticks=[], xlim=drawn["range_s"])
    else:
        trace = drawn["signal"][0]
        values = np.array(trace["values"], dtype=np.float64)  # None becomes NaN, a gap in the line
        axes = plots.timeline(trace["time_s"], values, bands, result.colours)
        axes.set(ylabel=f"{trace['channel']}, {trace['sensor']}")
    title = recording.filename
    if recording_index is not None and len(result.recording_ids) > 1:
        title += f": {result.recording_ids[recording_index]}"
    axes.set_title(title, parse_math=False)  # a dollar sign in a name is just that
    with tempfile.TemporaryDirectory() as folder:
        files = {path.suffix: path for path in plots.save(axes.figure, Path(folder) / "timeline")}
        return files[f".{file_format}"].read_bytes()
