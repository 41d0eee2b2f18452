"""Sensor clocks as they really are, turned into one increasing time for each sample.

What phones and watches deliver, all seen in public data sets: time in milliseconds or nanoseconds under a heading that
says seconds, samples out of order, a clock that starts again in mid-file, samples handed over in batches that share one
time stamp, and values that are repeated until the next update.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.har.errors import UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.signals.pages import let_go
from app.har.signals.remembered import remembered
from app.har.signals.summaries import first_axis_repeats, holes, increases, median, step_range
from app.har.signals.types import MOTION, Stream
from app.har.types import TimeArray

GAP_S = 0.5  # a hole longer than this, and than GAP_PERIODS samples, is not bridged, unless more is asked for
MAX_GAP_S = 1.0  # at most: a body does too much in a second
GAP_PERIODS = 5
RESTART_S = 0.3  # time that falls back further than this was restarted; less is disorder in delivery
MAX_RESTARTS = 20  # more than that, and the rows are simply shuffled
FEW = 5  # stamps in a row that may be faults; more of them are a clock
STALE_S, STALE_STEPS = 5.0, 200  # in seconds and in usual steps: a few samples so long before all others are left over
ALONE_S = 86_400.0  # a few samples with no other within a day are too few for anything
CENTURY_S = 36_525 * 86_400.0
SECONDS = 2**15  # that are looked at together
HEAD = 1000  # stamps that are looked at first
LISTED = 20  # gaps listed individually
LOW_RATE_HZ = 10.0
UNITS = ((1.0, "seconds"), (1e-3, "milliseconds"), (1e-6, "microseconds"), (1e-9, "nanoseconds"))


@remembered
def sampling_rate(time_s: TimeArray) -> float:
    """Return the nominal rate in Hz: the median, over the seconds that hold samples, of samples a second.

    Holes and bursts fill few of the seconds, so they don't move it.
    """
    if len(time_s) < 2 or time_s[-1] <= time_s[0]:
        return 0.0
    span = time_s[-1] - time_s[0]
    if span < len(time_s):  # to look for each second takes less than to look at each sample
        bounds = np.concatenate([_first_of_seconds(time_s, a, span) for a in range(0, int(span) + 1, SECONDS)])
        second = np.flatnonzero(np.diff(bounds, append=len(time_s)))
        starts = bounds[second]
    else:
        starts = np.flatnonzero(np.diff(np.floor(time_s - time_s[0]), prepend=-1.0))
        second = np.floor(time_s[starts] - time_s[0]).astype(np.int64)
    adjacent = np.diff(second) == 1
    if adjacent.sum() < 2:
        steps = np.diff(time_s)
        inside = steps[steps <= max(GAP_S, GAP_PERIODS * float(np.median(steps)))]  # of some seconds, a hole is much
        return float(len(inside) / inside.sum() if inside.any() else (len(time_s) - 1) / span)
    stamps = np.concatenate([_at(time_s, starts[a : a + SECONDS]) for a in range(0, len(starts), SECONDS)])
    return median((np.diff(starts) / np.diff(stamps))[adjacent])


def _first_of_seconds(time_s: TimeArray, first: int, span: float) -> NDArray[np.int64]:
    """Return the position of the first sample of some seconds, counted from the first sample of all."""
    found = np.searchsorted(time_s, time_s[0] + np.arange(first, min(first + SECONDS, int(span) + 1)))
    let_go(time_s)
    return np.asarray(found, np.int64)


def _at(time_s: TimeArray, places: NDArray[np.int64]) -> TimeArray:
    found = time_s[places]
    let_go(time_s)
    return np.asarray(found, np.float64)


def first_s(streams: Sequence[Stream]) -> float:
    """Return the time of the first sample of any sensor; 0 without one."""
    return min((float(stream.time_s[0]) for stream in streams), default=0.0)


def gap_threshold(rate_hz: float, gap_s: float = GAP_S) -> float:
    """Return the length in seconds from which a hole between two samples is a gap."""
    return max(gap_s, GAP_PERIODS / rate_hz) if rate_hz > 0 else gap_s


def positive_steps(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the steps between successive time stamps, put in order, that share none."""
    steps = np.diff(time)
    if (steps < 0).any():
        steps = np.diff(np.sort(time))
    return steps if (steps > 0).all() else steps[steps > 0]


def to_seconds(time: NDArray[np.float64], source: str) -> tuple[TimeArray, list[Problem]]:
    """Scale time stamps to seconds; the unit is the one that makes a rate of 1 to 2,000 Hz.

    Raises
    ------
    UnreadableData : no unit does, or time never advances.
    """
    if len(time) < 2:
        raise UnreadableData(f"{source}: holds {len(time)} usable sample, expected a recording of some seconds.")
    steps = positive_steps(time)
    if not len(steps):
        raise UnreadableData(
            f"{source}: time never advances (every row says {time[0]:g}), expected a time for each row."
        )
    # A batch shares a stamp, so count the samples too: the mean over the central steps, not the smallest step
    step = median(steps) * len(steps) / (len(time) - 1)
    scale, unit = next(((s, name) for s, name in UNITS if 1 / 2000 <= step * s <= 1.0), (0.0, ""))
    if not scale:
        raise UnreadableData(
            f"{source}: the typical step between two rows is {step:g}, in no unit of time a sensor's rate "
            "(1 to 2,000 Hz); expected seconds."
        )
    if scale == 1.0:
        return time, []
    return time * scale, [
        Problem(source, ProblemKind.TIME_UNIT, f"time is in {unit}: {step:g} between rows", "converted to seconds")
    ]


@remembered
def find_timestamp_outliers(time_s: TimeArray) -> NDArray[np.int64]:
    """Return the positions of samples whose time is a fault: without them the clock runs on undisturbed.

    Those are a few that stand alone for a day or more, all that stand a century from the middle one, a few at the start
    that were left over from before, and a few in a row from which the clock comes back to where it was. A clock that
    goes on from where it fell to started again.
    """
    stale = _stale(time_s)
    return np.concatenate([np.arange(stale), _within(time_s[stale:] if stale else time_s) + stale])


def _within(time_s: TimeArray) -> NDArray[np.int64]:
    """Return the positions of samples that leave a clock; see `find_timestamp_outliers`."""
    shortest, longest = step_range(time_s)
    falls = shortest < 0
    if not falls and (time_s[-1] - time_s[0] <= ALONE_S or longest <= ALONE_S):
        return np.empty(0, np.int64)
    stray = _isolated(time_s)
    if not falls:
        return stray
    rest = np.delete(np.arange(len(time_s)), stray)
    return np.union1d(stray, rest[_transient_jumps(time_s[rest])])


def _stale(time_s: TimeArray) -> int:
    """Return how many samples at the start come long before the others, none where those are as far apart."""
    head = np.diff(time_s[: 2 * FEW + 1])
    if len(time_s) - 1 < 10 * FEW or head.min() < 0 or head[:FEW].max() <= STALE_S:
        return 0
    steps = np.diff(time_s)
    usual = float(np.median(steps[FEW:]))
    return int(np.flatnonzero(steps[:FEW] > STALE_S)[-1]) + 1 if steps[:FEW].max() > STALE_STEPS * usual > 0 else 0


def _isolated(time_s: TimeArray) -> NDArray[np.int64]:
    if np.ptp(time_s) <= ALONE_S:
        return np.empty(0, np.int64)
    order = np.argsort(time_s, kind="stable")
    time = time_s[order]
    step = np.diff(time, prepend=-np.inf)
    group = np.cumsum(step > ALONE_S)
    alone = np.bincount(group, step > 0)[group] <= FEW  # stamps: a fault may give many rows the same
    return np.asarray(order[alone | (np.abs(time - time[len(time) // 2]) > CENTURY_S)], np.int64)


def _transient_jumps(time_s: TimeArray) -> list[int]:
    """Return a few samples in a row around each fall of the clock that leave it, and come back to it.

    Before the first sample and after the last there is no clock to leave or to come back to.
    """
    falls = np.flatnonzero(np.diff(time_s) < -RESTART_S) + 1
    if not 0 < len(falls) <= MAX_RESTARTS:
        return []
    n, rate = len(time_s), sampling_rate(np.sort(time_s))
    leap, pause = gap_threshold(rate, RESTART_S), gap_threshold(rate, MAX_GAP_S)

    def strays(first: int, end: int) -> bool:
        before, after = first > 0, end < n
        return (
            (before or after)
            and (not before or abs(time_s[first] - time_s[first - 1]) > leap)
            and (not after or abs(time_s[end] - time_s[end - 1]) > leap)
            and (not (before and after) or 0 <= time_s[end] - time_s[first - 1] <= pause)
        )

    found: set[int] = set()
    for fall in falls.tolist():
        runs = [run for k in range(1, FEW + 1) for run in ((fall, fall + k), (fall - k, fall))]
        inside = [(first, end) for first, end in runs if first >= 0 and end <= n]
        inside.sort(key=lambda run: run[0] == 0 or run[1] == n)  # with a clock on both sides there is less doubt
        found.update(next((range(*run) for run in inside if strays(*run)), ()))
    return sorted(found)


@dataclass
class _Repair:
    """The streams of one recording under repair, and what was found."""

    source: str
    streams: list[Stream]
    problems: list[Problem]
    restarts: TimeArray  # where a restarted clock was put on: holes there are not gaps

    def note(self, kind: ProblemKind, detail: str, action: str) -> None:
        self.problems.append(Problem(self.source, kind, detail, action))


def repair(streams: Sequence[Stream], source: str) -> tuple[tuple[Stream, ...], tuple[Problem, ...]]:
    """Give every sample of a recording its own, increasing time.

    Parameters
    ----------
    streams : the sensors as recorded, in file order, time in seconds.
    source : the file's name, for the problems listed.

    Returns
    -------
    streams, problems : strictly increasing clocks; holes are kept (they are cut at resampling) and listed.
    """
    job = _Repair(source, list(streams), [], np.empty(0))
    _join_restarts(job)
    for index, stream in enumerate(job.streams):
        ordered = _in_order(job, stream)
        asked = stream.rate_asked_hz or round(sampling_rate(ordered.time_s), 2)
        job.streams[index] = replace(ordered, rate_asked_hz=asked)
    recovered = [_recover_batches(stream) for stream in job.streams]
    # As delivered: a burst after a hole, spread before its stamp, would make the hole look shorter
    clocks = [again if _in_whole_seconds(old) else old for old, again in zip(job.streams, recovered, strict=True)]
    job.problems += gap_problems(clocks, source, joints=job.restarts)
    _list_low_rate(job)
    batched = [stream.modality for stream, again in zip(job.streams, recovered, strict=True) if again is not stream]
    if batched:
        job.note(
            ProblemKind.BATCHED_TIMESTAMPS,
            f"{', '.join(batched)}: samples were handed over in batches that share time stamps",
            "spread over the time since the batch before, at the sensor's own rate",
        )
    recovered = [_without_shared_stamps(job, stream) for stream in recovered]
    job.streams = [_without_repeats(job, stream) for stream in recovered]
    return tuple(job.streams), tuple(job.problems)


def _join_restarts(job: _Repair) -> None:
    """Put the pieces of a restarted clock one after another, the same for all sensors."""
    if all(increases(stream.time_s) for stream in job.streams):
        return
    jumps = [np.flatnonzero(np.diff(stream.time_s) < -RESTART_S) + 1 for stream in job.streams]
    counts = [len(jump) for jump in jumps]
    if not any(counts):
        return
    names = ", ".join(s.modality for s, count in zip(job.streams, counts, strict=True) if count)
    sound = [s for s, count in zip(job.streams, counts, strict=True) if not count]
    if sound and all(len(s.time_s) == len(sound[0].time_s) for s in job.streams):
        # Sensors sampled row by row together: the sound clock serves both
        job.streams = [
            replace(s, time_s=sound[0].time_s) if count else s for s, count in zip(job.streams, counts, strict=True)
        ]
        job.note(
            ProblemKind.CLOCK_RESTART,
            f"the {names} clock falls back in mid-recording, the {sound[0].modality} clock does not",
            f"the rows take the {sound[0].modality} clock",
        )
        return
    if len(set(counts)) > 1 or counts[0] > MAX_RESTARTS:
        job.note(ProblemKind.ROWS_OUT_OF_ORDER, f"time falls back {max(counts):,} times", "rows sorted by time")
        return
    pieces = [np.split(stream.time_s, jump) for stream, jump in zip(job.streams, jumps, strict=True)]
    starts = []
    # Never bridged, whatever the tolerance
    pause = 2 * max(gap_threshold(sampling_rate(np.sort(parts[0])), MAX_GAP_S) for parts in pieces)
    for number in range(1, counts[0] + 1):
        end = max(float(parts[number - 1].max()) for parts in pieces)
        start = min(float(parts[number].min()) for parts in pieces)
        for parts in pieces:
            parts[number] = parts[number] - start + end + pause
        starts.append(end)
    job.note(
        ProblemKind.CLOCK_RESTART,
        f"the {names} clock starts again {'once' if counts[0] == 1 else f'{counts[0]} times'}, by "
        f"{np.abs(np.diff(job.streams[0].time_s)[jumps[0] - 1]).max():.3g} s",
        "cut there; the parts follow one another",
    )
    job.streams = [replace(s, time_s=np.concatenate(parts)) for s, parts in zip(job.streams, pieces, strict=True)]
    job.restarts = np.array(starts)


def _in_order(job: _Repair, stream: Stream) -> Stream:
    """Sort by time (in public data the sorted signal is the smoother one) and drop rows that are there twice."""
    if increases(stream.time_s):
        return stream
    back = np.diff(stream.time_s)
    if (back < 0).any():
        job.note(
            ProblemKind.UNORDERED_TIMESTAMPS,
            f"{stream.modality}: {_rows(int((back < 0).sum()), 'steps', 'step')} back, by up to {-back.min():.3g} s",
            "sorted by time",
        )
        stream = _take(stream, np.argsort(stream.time_s, kind="stable"))
    same = np.diff(stream.time_s) == 0
    if same.any():
        same &= ~_changes(stream)
    if same.any() and same.mean() < 0.1:  # more than that is a slow sensor, not copies
        repeated = _rows(same.sum(), "repeats", "repeat")
        job.note(ProblemKind.DUPLICATE_ROWS, f"{stream.modality}: {repeated} the row before", "dropped")
        stream = _take(stream, np.flatnonzero(np.append(True, ~same)))
    return stream


def _rows(n: int, one: str, several: str) -> str:
    """Write how many rows do something: 1 row repeats, 17 rows repeat."""
    return f"1 row {one}" if n == 1 else f"{n:,} rows {several}"


def gap_problems(
    streams: Sequence[Stream], source: str, gap_s: float = GAP_S, joints: TimeArray | None = None
) -> list[Problem]:
    """List the holes that are cut at this tolerance, a hole of several sensors once.

    Parameters
    ----------
    joints : where a restarted clock was put on: holes there are not gaps.
    """
    joints = np.empty(0) if joints is None else joints
    starts: TimeArray = np.empty(0)
    lengths: TimeArray = np.empty(0)
    owners: list[list[str]] = []
    for stream in streams:
        time = stream.time_s
        for index in holes(time, gap_threshold(sampling_rate(time), gap_s)).tolist():
            start, length = time[index], time[index + 1] - time[index]
            if np.any(np.abs(joints - start) < 2 * MAX_GAP_S):
                continue
            known = np.flatnonzero((np.abs(starts - start) < GAP_S) & (np.abs(lengths - length) < GAP_S))
            if len(known):
                owners[known[0]].append(stream.modality)
            else:
                starts, lengths = np.append(starts, start), np.append(lengths, length)
                owners.append([stream.modality])
    zero = first_s(streams)
    listed = [
        f"{', '.join(modalities)}: {length:.1f} s without samples after {start - zero:.1f} s"
        for start, length, modalities in zip(starts, lengths, owners, strict=True)
    ]
    if len(listed) > LISTED:
        listed = [f"{len(listed):,} of {lengths.sum():.1f} s in all, the longest {listed[int(lengths.argmax())]}"]
    return [Problem(source, ProblemKind.CLOCK_GAP, detail, "cut there; no window crosses it") for detail in listed]


def _in_whole_seconds(stream: Stream) -> bool:
    """Tell whether the stamps are only seconds, which say nothing of the rate of the samples in them."""
    time = stream.time_s
    if np.any((time[:HEAD] - time[0]) % 1.0):  # most clocks show there already what they are
        return False
    since = time - time[0]
    return not np.any(since % 1.0) and bool(np.any(since[1:] == since[:-1]))


def _list_low_rate(job: _Repair) -> None:
    rates = {}
    for stream in job.streams:
        if stream.kind not in MOTION:
            continue  # a pulse once a second is all there is of it
        span = float(stream.time_s[-1] - stream.time_s[0])
        stamps = len(stream.time_s)
        if not increases(stream.time_s):
            stamps = 1 + int(np.count_nonzero(stream.time_s[1:] != stream.time_s[:-1]))
        if span > 1.0 and stamps / span < LOW_RATE_HZ and not _in_whole_seconds(stream):
            rates[stream.modality] = stamps / span
    if rates:
        found = ", ".join(f"{modality} {rate:.1f}" for modality, rate in rates.items())
        job.note(
            ProblemKind.LOW_RATE,
            f"distinct time stamps a second, holes included: {found}",
            "kept where the samples between can be placed",
        )


def _recover_batches(stream: Stream) -> Stream:
    """Return the latest times that respect both delivery and the sensor's own period.

    A sample was measured no later than its stamp and a period before the next one: t_i = min over j ≥ i of
    stamp_j − (j − i) period. The period is taken 1 % short, so that an error in it does not add up over the recording.
    """
    time, rate = stream.time_s, sampling_rate(stream.time_s)
    if rate == 0.0 or step_range(time)[0] >= 0.3 / rate:
        return stream
    step = np.diff(time)
    if np.mean(step == 0) < 0.05 and np.mean(step < 0.3 / rate) < 0.3:
        return stream
    offset = np.arange(len(time)) * (0.99 / rate)
    return replace(stream, time_s=np.minimum.accumulate((time - offset)[::-1])[::-1] + offset)


def _without_shared_stamps(job: _Repair, stream: Stream) -> Stream:
    if increases(stream.time_s):
        return stream
    later = np.append(True, np.diff(stream.time_s) > 0)
    job.note(
        ProblemKind.SHARED_TIMESTAMPS,
        f"{stream.modality}: {_rows((~later).sum(), 'has', 'have')} the time stamp of the row before",
        "dropped",
    )
    return _take(stream, np.flatnonzero(later))


def _without_repeats(job: _Repair, stream: Stream) -> Stream:
    """Keep the first of equal successive values where a slow sensor is repeated at a faster one's rate."""
    if stream.values.shape[1] == 1:
        return stream  # a temperature may well stay the same
    if len(stream.values) - first_axis_repeats(stream.values) > 0.6 * len(stream.values):
        return stream  # the one axis shows it
    fresh = np.append(True, _changes(stream))
    index = np.flatnonzero(fresh)
    if fresh.mean() > 0.6 or len(index) < 10 or np.diff(index).max() > 50 or np.median(np.diff(index)) < 2:
        return stream
    kept = _take(stream, index)
    job.note(
        ProblemKind.REPEATED_VALUES,
        f"{stream.modality}: each value is repeated {len(stream.time_s) / len(index):.1f} times, the "
        f"sensor gives {sampling_rate(kept.time_s):.1f} a second, the file {stream.rate_asked_hz:.1f}",
        "repeats dropped, interpolated between",
    )
    return kept


def _changes(stream: Stream) -> NDArray[np.bool_]:
    """Tell of each sample but the first whether it differs from the one before."""
    changes = np.zeros(max(len(stream.values) - 1, 0), bool)
    for axis in stream.values.T:
        changes |= axis[1:] != axis[:-1]
    return changes


def _take(stream: Stream, index: NDArray[np.int64]) -> Stream:
    labels = None if stream.labels is None else stream.labels[index]
    return replace(stream, time_s=stream.time_s[index], values=stream.values[index], labels=labels)
