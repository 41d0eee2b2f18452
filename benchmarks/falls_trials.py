"""Trials to measure and to learn detectors of falls on: replayed as streams, also as of other devices."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.har.datasets.store import build_store, open_store
from app.har.falls import training
from app.har.falls.impacts import Impact, Impacts
from app.har.falls.training import FALLEN, NEVER, OTHER, Examples
from app.har.signals.units import STANDARD_GRAVITY
from app.har.types import FloatArray, TimeArray

BATCH_S = 1.0
LEAD_S, STEP_S = 6.0, 0.5  # of walking put before a trial; over which directions are matched
Found = tuple[str, str, bool, TimeArray, FloatArray]  # person, activity, whether it is a fall, s, m/s²


@dataclass(frozen=True)
class Samples:
    """Of one sensor, as `FallWatch` takes them."""

    time_s: TimeArray
    values: FloatArray


@dataclass(frozen=True)
class Trial:
    """One activity of one person, replayed."""

    person: str
    activity: str
    fall: bool
    hours: float
    impacts: list[Impact]
    delays_s: list[float]  # from each impact to the batch after which it was decided about; or NaN


def recorded(path: Path) -> Iterator[Found]:
    """Yield the bouts of a data set with acceleration and gravity, of each device of several apart."""
    with tempfile.TemporaryDirectory() as folder:
        build_store(path, Path(folder) / "store")
        signals = open_store(Path(folder) / "store").signals
        columns = [i for i, c in enumerate(signals.channels) if c.rpartition(".")[2].startswith("acc_")]
        for first, n, recording in zip(
            signals.first.tolist(), signals.length.tolist(), signals.recording.tolist(), strict=True
        ):
            labels = np.unique(signals.labels[first : first + n])
            name = signals.activities[int(labels[0])] if len(labels) == 1 and labels[0] >= 0 else "several"
            time_s = np.arange(n) / signals.sampling_rate_hz
            for device in range(0, len(columns), 3):
                values = np.array(signals.signal[first : first + n, columns[device : device + 3]], np.float32)
                if np.isfinite(values).all():
                    yield signals.subjects[recording], name, training.is_fall(name), time_s, values


def replayed(
    person: str,
    activity: str,
    fall: bool,
    time_s: TimeArray,
    values: FloatArray,
    lead_s: float = 0.0,
    batch_s: float = BATCH_S,
) -> Trial:
    """Send samples to a stream in batches, as a device does; what a fall's lead has of impacts is left out.

    Delays are unknown (NaN) if the batches are longer than a device's.
    """
    stream, impacts, delays = Impacts(), [], []
    number = ((time_s - time_s[0]) // batch_s).astype(int)
    for batch in np.split(np.arange(len(number)), np.flatnonzero(np.diff(number)) + 1):
        for impact in stream.step(Samples(time_s[batch], values[batch])):
            impacts.append(impact)
            delays.append(float(time_s[batch].max()) - impact.time_s)
    last = stream.end()
    delays += [float(time_s.max()) - impact.time_s for impact in last]
    impacts += last
    kept = [i for i, impact in enumerate(impacts) if not fall or impact.time_s >= time_s[0] + lead_s]
    hours = float(time_s[-1] - time_s[0]) / 3600
    if batch_s > BATCH_S:
        delays = [np.nan] * len(delays)
    return Trial(person, activity, fall, hours, [impacts[i] for i in kept], [delays[i] for i in kept])


def trials(found: Iterable[Found]) -> list[Trial]:
    """Replay trials as they were recorded."""
    return [replayed(*each) for each in found]


def walked_into(found: Sequence[Found], seed: int = 0) -> list[Found]:
    """Put walking before trials: most data sets begin one a moment before the fall, which life does not.

    It is of the same person where there is some, turned so that the device lies as it does when the trial begins.
    """
    random = np.random.default_rng(seed)
    walks = [each for each in found if is_walking(each[1]) and each[3][-1] - each[3][0] > LEAD_S + 2]
    result = []
    for person, activity, fall, time_s, values in found:
        own = [walk for walk in walks if walk[0] == person] or walks
        *_, time, walk = own[random.integers(len(own))]
        start = time[0] + 1 + random.random() * (time[-1] - time[0] - LEAD_S - 1)
        part = (time >= start) & (time < start + LEAD_S)
        lead, at = walk[part], time[part]
        turn = _turn(lead[at >= at[-1] - STEP_S].mean(axis=0), values[time_s < time_s[0] + STEP_S].mean(axis=0))
        before = at - at[-1] - 0.02 + time_s[0]
        both = np.concatenate([lead @ turn.T, values]).astype(np.float32)
        result.append((person, activity, fall, np.concatenate([before, time_s]), both))
    return result


def is_walking(activity: str) -> bool:
    """Tell whether a trial of a set of falls is walking, by the names and codes of those sets."""
    return activity.endswith("Walking") or activity.startswith("Walking ") or activity in ("D01", "WAL")


def _turn(a: FloatArray, b: FloatArray) -> NDArray[np.float64]:
    """Return the shortest rotation from one direction to another, (3, 3); none where they are opposite or nothing."""
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    if length < 1e-6 or float(a @ b) / length < -0.99:
        return np.eye(3)
    x, y, z = np.cross(a, b) / length
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + skew + skew @ skew / (1 + float(a @ b) / length))


def poorer(found: Iterable[Found], rate_hz: float, range_g: float) -> list[Found]:
    """Return trials as a slower sensor of a smaller range has them: clipped, then the mean over each of its steps."""
    result = []
    for person, activity, fall, time_s, values in found:
        limit = range_g * STANDARD_GRAVITY
        values = np.clip(values, -limit, limit)
        if len(time_s) > 1.1 * rate_hz * (time_s[-1] - time_s[0]):
            step = ((time_s - time_s[0]) * rate_hz).astype(int)
            first = np.flatnonzero(np.diff(step, prepend=-1))
            count = np.diff(np.append(first, len(step)))
            values = (np.add.reduceat(values.astype(np.float64), first) / count[:, None]).astype(np.float32)
            time_s = np.add.reduceat(time_s, first) / count
        result.append((person, activity, fall, time_s, values))
    return result


def examples(trials: Sequence[Trial], figures: Callable[[list[Impact]], FloatArray]) -> Examples:
    """Return the impacts of trials by some figures; see `app.har.falls.training`."""
    rows, kinds, bouts = [], [], []
    for number, trial in enumerate(trials):
        impacts = trial.impacts
        kind = np.full(len(impacts), NEVER if trial.fall else OTHER)
        if trial.fall and impacts:
            kind[int(np.argmax([impact.peak_g for impact in impacts]))] = FALLEN
        rows.append(figures(impacts))
        kinds.append(kind)
        bouts.append(np.full(len(impacts), number))
    return Examples(
        np.concatenate(rows),
        np.concatenate(kinds),
        np.concatenate(bouts),
        np.array([trial.person for trial in trials]),
        np.array([trial.activity for trial in trials]),
        np.array([trial.fall for trial in trials]),
        np.array([trial.hours * 3600 for trial in trials]),
    )


def of_bouts(found: Examples, bouts: NDArray[np.bool_]) -> Examples:
    """Return the examples of some bouts, (n_bouts,)."""
    rows = bouts[found.bout]
    number = np.cumsum(bouts) - 1
    return Examples(
        found.rows[rows],
        found.kind[rows],
        number[found.bout[rows]],
        found.bout_person[bouts],
        found.bout_activity[bouts],
        found.bout_fall[bouts],
        found.bout_s[bouts],
    )


def of_people(found: Examples, people: Iterable[str]) -> Examples:
    """Return the examples of some people."""
    return of_bouts(found, np.isin(found.bout_person, list(people)))
