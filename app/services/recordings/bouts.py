"""Stretches of one answer of a recording, as columns."""

from __future__ import annotations

from dataclasses import dataclass

from app.har.types import IntArray, TimeArray


@dataclass(frozen=True)
class Bouts:
    """Stretches of one activity, or of what was too little for an answer, as columns in the order of time."""

    start_s: TimeArray  # (n_bouts,) on the recording's clock
    end_s: TimeArray
    activity: IntArray  # position in `names` of what they are stretches of
    windows: IntArray  # 0 of what was too little
    confidence: TimeArray  # mean over the windows; NaN without an answer
    recording: IntArray  # position in `recording_ids`
    deepest: IntArray  # the activity that is likeliest over the windows: position in the model's activities
    deepest_confidence: TimeArray  # its mean probability
