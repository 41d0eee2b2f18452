"""Windows of a file as a model takes them, cut once more: where what was recognised there is asked about later."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from app.har.types import FloatArray
from app.services.recordings.prediction_result import SAME_MOMENT_S
from app.services.recordings.recognise import BATCH, read_recordings, with_gaps_of_model
from app.services.recordings.resample import resample

if TYPE_CHECKING:
    from app.har.classifiers.base import Recogniser
    from app.har.recordings.mappings.mapping import ColumnMapping
    from app.har.recordings.upload import Upload


def cut_again(
    upload: Upload,
    mapping: ColumnMapping | None,
    classifier: Recogniser,
    recording_id: str,
    start_s: Sequence[float],
) -> FloatArray | None:
    """Return windows of an upload as a model takes them, (n, n_timesteps, n_channels), by the moments they begin.

    None where one of them does not begin at such a moment.

    Raises
    ------
    HarError : the upload cannot be read, or used by the model.
    """
    from app.har.signals.filters import prepare
    from app.har.windows import iter_window_batches

    gap_s = classifier.preparation.gap_s
    recordings = deque(
        with_gaps_of_model(recording, gap_s)
        for recording in read_recordings(upload, mapping)
        if recording.recording_id == recording_id
    )
    signals, _ = resample(recordings, classifier, upload.name)
    found: dict[int, FloatArray] = {}
    for windows, _ in iter_window_batches(prepare(signals, classifier.preparation), classifier.window_length_s, BATCH):
        for number, moment in enumerate(start_s):
            for position in np.flatnonzero(np.abs(windows.start_s - moment) < SAME_MOMENT_S):
                found[number] = windows.X[position].copy()
    return np.stack([found[i] for i in range(len(start_s))]) if len(found) == len(start_s) else None
