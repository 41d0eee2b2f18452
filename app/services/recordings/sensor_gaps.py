"""Where a recording goes on without one of its sensors, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from app.har.problems import Problem, ProblemKind
from app.har.signals.clocks import first_s
from app.har.signals.types import Recording, SignalSet
from app.har.types import TimeArray
from app.services.recordings.sensor_names import in_words, sensors_of

MAX_LISTED = 5  # gaps in a sensor that are listed one by one


def sensor_gaps(recording: Recording, signals: SignalSet, n_timesteps: int) -> Iterator[Problem]:
    """List where windows are cut without a sensor that the recording holds.

    Parameters
    ----------
    recording : as it was read.
    signals : its signal at the model's rate; a channel of a stretch holds samples all through, or only NaN.
    n_timesteps : length of a window in samples; shorter stretches give no window.
    """
    window_s = n_timesteps / signals.sampling_rate_hz
    long = np.flatnonzero(signals.length >= n_timesteps)
    present = ~np.isnan(signals.signal[signals.first[long]])  # (n_stretches, n_channels)
    if present.all():
        return
    streams, sensors = {stream.modality: stream for stream in recording.streams}, sensors_of(signals.channels)
    for pattern in np.unique(present, axis=0):
        used = sensors_of([name for name, there in zip(signals.channels, pattern, strict=True) if there])
        missing = [name for name in sensors if name in streams and name not in used]
        if "gravity" in sensors and missing == ["gyroscope"]:
            continue  # such a model learnt every window again without it
        if not missing:
            continue
        stretches = long[(present == pattern).all(axis=1)]
        start_s = signals.start_s[stretches]
        end_s = start_s + (signals.length[stretches] - 1) / signals.sampling_rate_hz
        between = (np.searchsorted(streams[name].time_s, (start_s, end_s)) for name in missing)
        some = any((before < after).any() for before, after in between)
        what = f"no samples{f', or for less than {window_s:g} s at a time,' if some else ''}"
        zero_s = first_s(recording.streams)
        yield Problem(
            recording.recording_id,
            ProblemKind.SENSOR_GAP,
            f"{in_words(missing)}: {what} {_spans_in_words(start_s - zero_s, end_s - zero_s)}",
            f"recognised from the {in_words(used)} alone there; expect more errors",
        )


def _spans_in_words(start_s: TimeArray, end_s: TimeArray) -> str:
    spans = [f"from {start:.1f} to {end:.1f} s" for start, end in zip(start_s, end_s, strict=True)]
    if len(spans) <= MAX_LISTED:
        return ", ".join(spans)
    length_s = end_s - start_s
    return f"{len(spans):,} times, {length_s.sum():.1f} s in all, the longest {spans[int(length_s.argmax())]}"
