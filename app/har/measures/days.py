"""Daily and hourly measures of a person, from their recordings: a row for each period with something recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.har.measures import rest
from app.har.measures.dictionary import column_of, columns
from app.har.measures.sitting import Sitting, lying_blocks, sitting_of
from app.har.measures.slots import SLOT_S, Slots
from app.har.measures.timeline import NODES, NOTHING, OFF, Measured, Timeline, seconds_before, together
from app.har.types import FloatArray, IntArray, TimeArray
from app.har.vocabulary import ON_FOOT, path_of

Period = Literal["day", "hour"]
Row = dict[str, Any]
WORN_ENOUGH_H = 10.0  # that a day must be worn to be valid, unless a site says otherwise
LONG_S = (1800.0, 3600.0)  # bouts of sitting that are counted
LONGEST_DAYS = 400  # the clock of a longer recording was not set
HOUR_S, MINUTE_S = 3600.0, 60.0
ON_FEET = tuple(i for i, node in enumerate(NODES) if ON_FOOT in path_of(node))


@dataclass(frozen=True)
class _Moved:
    """The slots in which a device was worn, of all recordings, in the order of time; each counts once."""

    slots: Slots
    level: IntArray  # (n,) NOTHING without cut-points
    source: IntArray  # (n,)
    resting: NDArray[np.bool_]  # (n,)


@dataclass(frozen=True)
class Days:
    """What several recordings of one person say together.

    Parameters
    ----------
    zone : of the person: days are cut at its midnights.
    dated : whether the recordings tell the time of day; if not, days count from the first moment.
    """

    measured: Sequence[Measured]
    zone: tzinfo = timezone.utc
    dated: bool = True
    worn_enough_h: float = WORN_ENOUGH_H

    @cached_property
    def timeline(self) -> Timeline:
        """What was done when."""
        return together(self.measured)

    def rows(self, period: Period = "day", first: date | None = None, last: date | None = None) -> list[Row]:
        """Return a row for each day or hour in which something was recorded, by the names in `dictionary`.

        Parameters
        ----------
        first, last : days that are wanted; None: all.
        """
        spans = [(start, end, day) for start, end, day in self._periods(period) if _wanted(day, first, last)]
        if not spans:
            return []
        starts, ends = (np.array([span[i] for span in spans]) for i in (0, 1))
        table = {**self._activities(starts, ends), **self._sat(starts, ends), **self._intensity(starts, ends)}
        names = [column.name for column in columns(period)]
        rows = []
        for i, (start, end, day) in enumerate(spans):
            row = {name: values[i] for name, values in table.items()}
            if not row["signal_h"]:
                continue
            row |= {"date": day, "start": self._write(start), "hours": round((end - start) / HOUR_S, 3)}
            row |= self._rested(day) if period == "day" else {}
            row["valid"] = row["worn_h"] >= self.worn_enough_h
            rows.append({name: row[name] for name in names})
        return rows

    # --- time

    def _periods(self, period: Period) -> Iterator[tuple[float, float, str]]:
        for start, end, day in self._days:
            if period == "day":
                yield start, end, day
                continue
            edges = [*np.arange(start, end - 1, HOUR_S).tolist(), end]
            yield from ((a, b, day) for a, b in pairwise(edges))

    @cached_property
    def _days(self) -> list[tuple[float, float, str]]:
        """Start, end and name of each day from the first to the last moment."""
        if not len(self.timeline.start_s):
            return []
        first_s, last_s = float(self.timeline.start_s[0]), float(self.timeline.end_s.max())
        if last_s - first_s > LONGEST_DAYS * 24 * HOUR_S:
            return self._far_apart()
        if not self.dated:
            n = max(1, int(np.ceil((last_s - first_s) / (24 * HOUR_S) - 1e-9)))
            return [(first_s + 24 * HOUR_S * i, first_s + 24 * HOUR_S * (i + 1), f"day {i + 1}") for i in range(n)]
        first, last = (datetime.fromtimestamp(moment, self.zone).date() for moment in (first_s, last_s - 1e-3))
        return [self._day(first + timedelta(days=i)) for i in range((last - first).days + 1)]

    def _far_apart(self) -> list[tuple[float, float, str]]:
        """Return the days in which a stretch begins or ends: between recordings may lie years."""
        if not self.dated:
            return []
        moments = np.unique(np.floor(np.concatenate((self.timeline.start_s, self.timeline.end_s - 1e-3)) / HOUR_S))
        days = {datetime.fromtimestamp(hour * HOUR_S, self.zone).date() for hour in moments.tolist()}
        return [self._day(day) for day in sorted(days)]

    def _day(self, day: date) -> tuple[float, float, str]:
        return self._at(day, 0), self._at(day + timedelta(days=1), 0), day.isoformat()

    def _at(self, day: date, hour: int) -> float:
        return datetime(day.year, day.month, day.day, hour, tzinfo=self.zone).timestamp()

    def _write(self, moment_s: float) -> str | None:
        if not self.dated:
            return None
        return datetime.fromtimestamp(round(moment_s), self.zone).isoformat(timespec="seconds")

    # --- what was done

    def _activities(self, starts: TimeArray, ends: TimeArray) -> Row:
        def seconds(nodes: Sequence[int]) -> TimeArray:
            stretches = self.timeline.stretches(nodes)
            return seconds_before(*stretches, ends) - seconds_before(*stretches, starts)

        per_node = {node: seconds((i,)) for i, node in enumerate(NODES)}
        signal = sum(per_node.values(), np.zeros(len(starts)))
        return {
            **{column_of(node): _rounded(values / MINUTE_S, 2) for node, values in per_node.items()},
            "signal_h": _rounded(signal / HOUR_S, 3),
            "no_signal_h": _rounded(np.maximum(ends - starts - signal, 0) / HOUR_S, 3),
            "worn_h": _rounded((signal - per_node[NODES[OFF]]) / HOUR_S, 3),
            "recordings": [len(self._sources(a, b)) for a, b in zip(starts, ends, strict=True)],
            "steps": [self._steps(a, b) for a, b in zip(starts, ends, strict=True)],
            **self._stood_up(starts, ends),
        }

    def _within(self, start: float, end: float) -> slice:
        timeline = self.timeline
        return slice(
            int(np.searchsorted(timeline.end_s, start, side="right")),
            int(np.searchsorted(timeline.start_s, end, side="left")),
        )

    def _sources(self, start: float, end: float) -> list[int]:
        found: list[int] = np.unique(self.timeline.source[self._within(start, end)]).tolist()
        return found

    @cached_property
    def _step_times(self) -> TimeArray:
        """When steps were made, each by the recording that counts then."""
        kept = [np.zeros(0)]
        for i, each in enumerate(self.measured):
            if each.steps is not None and len(each.steps):
                place = self.timeline.at(each.steps)
                kept.append(
                    each.steps[(place != NOTHING) & (self.timeline.source[place] == i)]
                )  # of no place, the last
        return np.sort(np.concatenate(kept))

    def _steps(self, start: float, end: float) -> int | None:
        """Return the steps of a period; None where a recording that has the person on foot cannot tell."""
        inside = self._within(start, end)
        on_foot = np.isin(self.timeline.node[inside], ON_FEET)
        walked = np.unique(self.timeline.source[inside][on_foot]).tolist() or self._sources(start, end)
        if any(self.measured[i].steps is None for i in walked):
            return None
        return int(np.diff(np.searchsorted(self._step_times, (start, end)))[0])

    # --- standing up

    @cached_property
    def _stood(self) -> TimeArray:
        """When somebody began to stand up and how long it took, (n, 2), each by the recording that counts then."""
        kept = [np.zeros((0, 2))]
        for i, each in enumerate(self.measured):
            if each.stood_up is not None and len(each.stood_up):
                place = self.timeline.at(each.stood_up[:, 0])
                own = (place != NOTHING) & (self.timeline.source[place] == i)
                kept.append(np.column_stack([each.stood_up[own, 0], np.diff(each.stood_up[own])[:, 0]]))
        found = np.concatenate(kept)
        return found[np.argsort(found[:, 0], kind="stable")]

    def _stood_up(self, starts: TimeArray, ends: TimeArray) -> Row:
        counts: list[int | None] = []
        means: list[float | None] = []
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            known = all(self.measured[i].stood_up is not None for i in self._sources(start, end))
            own = self._stood[slice(*np.searchsorted(self._stood[:, 0], (start, end)).tolist()), 1]
            counts.append(len(own) if known else None)
            means.append(round(float(own.mean()), 2) if known and len(own) else None)
        return {"sit_to_stand": counts, "sit_to_stand_mean_s": means}

    # --- sitting

    @cached_property
    def _sitting(self) -> Sitting:
        return sitting_of(self.timeline, [window for window, _ in self._rests.values()])

    def _sat(self, starts: TimeArray, ends: TimeArray) -> Row:
        sitting = self._sitting
        length = sitting.bout_end_s - sitting.bout_start_s
        begins = np.searchsorted(sitting.bout_start_s, (starts, ends)).T
        broken = np.searchsorted(sitting.bout_end_s[sitting.broken], (starts, ends), side="right").T

        def minutes(least_s: float) -> list[float]:
            long = length[sitting.bout] >= least_s if len(length) else np.zeros(0, bool)
            stretches = sitting.start_s[long], sitting.end_s[long]
            return _rounded((seconds_before(*stretches, ends) - seconds_before(*stretches, starts)) / MINUTE_S, 2)

        def bouts(least_s: float) -> list[int]:
            return [int(np.count_nonzero(length[a:b] >= least_s)) for a, b in begins]

        return {
            "sedentary_min": minutes(0.0),
            "sedentary_bouts_30": bouts(LONG_S[0]),
            "sedentary_bouts_60": bouts(LONG_S[1]),
            "sedentary_30_min": minutes(LONG_S[0]),
            "sedentary_60_min": minutes(LONG_S[1]),
            "longest_sedentary_min": [round(float(length[a:b].max(initial=0.0)) / MINUTE_S, 2) for a, b in begins],
            "sedentary_breaks": np.diff(broken).ravel().tolist(),
        }

    # --- how hard

    @cached_property
    def _worn(self) -> Sequence[Slots]:
        """Of each recording, the slots in which it counts and was worn."""
        timeline, kept = self.timeline, []
        for i, each in enumerate(self.measured):
            slots = each.slots or Slots.joined(())
            place = timeline.at(slots.middle_s)
            own = np.zeros(len(slots), bool)
            there = place != NOTHING
            own[there] = (timeline.source[place[there]] == i) & (timeline.node[place[there]] != OFF)
            kept.append(slots.take(np.flatnonzero(own)))
        return kept

    @cached_property
    def _moved(self) -> _Moved:
        slots = Slots.joined(self._worn)
        judged = [
            each.cut_points.levels_of(own) if each.cut_points else np.full(len(own), NOTHING)
            for each, own in zip(self.measured, self._worn, strict=True)
        ]
        level = np.concatenate([np.zeros(0, np.int64), *judged])
        source = np.repeat(np.arange(len(self.measured)), [len(own) for own in self._worn])
        _, first = np.unique(slots.number, return_index=True)
        slots = slots.take(first)
        windows = sorted(window for window, _ in self._rests.values())
        begin, end = (np.array([window[i] for window in windows]) for i in (0, 1))
        resting = np.searchsorted(begin, slots.middle_s, side="right") > np.searchsorted(end, slots.middle_s)
        return _Moved(slots, level[first], source[first], resting)

    def _intensity(self, starts: TimeArray, ends: TimeArray) -> Row:
        names = ("enmo_mg", "mad_mg", "intensity_h", "inactive_min", "light_min", "moderate_min", "vigorous_min",
                 "mvpa_min", "cut_points")  # fmt: skip
        found = [self._intensity_of(a, b) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        return {name: [row[name] for row in found] for name in names}

    def _intensity_of(self, start: float, end: float) -> Row:
        moved = self._moved
        inside = slice(*np.searchsorted(moved.slots.middle_s, (start, end)).tolist())
        enmo, mad = moved.slots.enmo_mg[inside], moved.slots.mad_mg[inside]
        awake = (moved.level[inside] != NOTHING) & ~moved.resting[inside]
        counts = np.bincount(moved.level[inside][awake], minlength=4)
        used = [self.measured[i] for i in np.unique(moved.source[inside][awake]).tolist()]
        sets = [each.cut_points for each in used if each.cut_points]
        light, vigorous = (all(getattr(each, of) is not None for each in sets) for of in ("light", "vigorous"))

        def minutes(known: bool, *levels: int) -> float | None:
            n = sum(int(counts[level]) for level in levels)
            return round(n * SLOT_S / MINUTE_S, 2) if sets and known else None

        why = dict.fromkeys(each.without for each in (self.measured[i] for i in self._sources(start, end)))
        named = dict.fromkeys(f"{each.publication}: {each.measured}" for each in sets)
        return {
            "enmo_mg": _mean(enmo),
            "mad_mg": _mean(mad),
            "intensity_h": round(int(counts.sum()) * SLOT_S / HOUR_S, 3),
            "inactive_min": minutes(light, 0),
            "light_min": minutes(light, 1),
            "moderate_min": minutes(vigorous, 2),
            "vigorous_min": minutes(vigorous, 3),
            "mvpa_min": minutes(True, 2, 3),
            "cut_points": "; ".join(named) or "none: " + "; ".join(filter(None, why)),
        }

    # --- rest

    @cached_property
    def _rests(self) -> dict[str, tuple[rest.Window, str]]:
        """The rest window of each night by the day on which it ends, and how it was found."""
        if not self.dated:
            return {}
        found = {}
        wrist = self._of_wrist()
        lying = lying_blocks(self.timeline, rest.MEDIAN_OVER_S)
        worn = self.timeline.stretches(tuple(range(OFF)))
        for _, _, name in self._days:
            day = date.fromisoformat(name)
            noons = np.array([self._at(day - timedelta(days=1), 12), self._at(day, 12)])
            inside = slice(*np.searchsorted(wrist.middle_s, noons).tolist())
            if len(wrist.number[inside]) * SLOT_S >= rest.ENOUGH_S:
                window, how = rest.by_angle(wrist.take(inside), *noons.tolist()), "angle of the wrist"
            elif np.diff(seconds_before(*worn, noons))[0] >= rest.ENOUGH_S:
                begin, end = (np.clip(moments, *noons) for moments in lying)
                window, how = rest.longest(begin, end), "lying"
            else:
                continue
            if window is not None:
                found[name] = window, how
        return found

    def _of_wrist(self) -> Slots:
        kept = [own for each, own in zip(self.measured, self._worn, strict=True) if each.place == "wrist"]
        slots = Slots.joined(kept)
        return slots.take(np.unique(slots.number, return_index=True)[1])

    def _rested(self, day: str) -> Row:
        window, how = self._rests.get(day, (None, None))
        length = round((window[1] - window[0]) / HOUR_S, 3) if window else None
        begin, end = (self._write(moment) for moment in window) if window else (None, None)
        return {"rest_start": begin, "rest_end": end, "rest_h": length, "rest_by": how}


def _wanted(day: str, first: date | None, last: date | None) -> bool:
    return not (first and day < first.isoformat()) and not (last and day > last.isoformat())


def _rounded(values: TimeArray, digits: int) -> list[float]:
    rounded: list[float] = (values.round(digits) + 0.0).tolist()
    return rounded


def _mean(values: FloatArray) -> float | None:
    return round(float(values.mean(dtype=np.float64)), 2) if len(values) else None
