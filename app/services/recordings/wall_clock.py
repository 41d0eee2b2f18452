"""How the moments of a recording are written: by the clock on the wall where that is known, else since its start."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from datetime import time as clock_time
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.services.errors import ServiceError
from app.services.formatting import stopwatch

Period = Literal["hour", "day"]
SECONDS = {"hour": 3600.0, "day": 86_400.0}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NUMBER = r"\d{1,4}(?:[.,]\d{1,6})?"
WRITTEN = re.compile(rf"(?:(\d{{1,2}}) ([A-Z][a-z]{{2}}),? )?(\d{{1,4}}):({NUMBER})(?::({NUMBER}))?", re.ASCII)
LONGEST_S = 400 * 86_400.0  # of which hours and days are listed; the clock of a longer recording was not set
QUARTER_S = 900  # every time zone of today stands a whole number of quarters from UTC
TICK_STEPS_S = (
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600,
    43_200, 86_400, 172_800, 604_800, 1_209_600, 2_419_200, 7_257_600, 31_536_000,
)  # fmt: skip


def time_zone(name: str) -> ZoneInfo:
    """Return a time zone by its name in the IANA database.

    Raises
    ------
    ServiceError
        There is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ServiceError(
            f"{name[:60]!r} is not a known time zone; expected a name such as Europe/Berlin or UTC."
        ) from error


@dataclass(frozen=True)
class WallClock:
    """The clock of one recording as a person reads it; all moments are seconds on the recording's own clock."""

    start_s: float
    end_s: float
    origin_utc_s: float | None  # Unix time at 0 s; None: moments count from the start of the recording
    zone: tzinfo

    @property
    def known(self) -> bool:
        return self.origin_utc_s is not None

    @cached_property
    def one_day(self) -> bool:
        """Whether it begins and ends on the same day."""
        return self.local(self.start_s).date() == self.local(self.end_s).date()

    def local(self, moment_s: float) -> datetime:
        """Return date and time in the zone; they mean something only where the time of day is known."""
        return datetime.fromtimestamp(round((self.origin_utc_s or 0.0) + moment_s, 3), self.zone)

    def write(self, moment_s: float) -> str:
        """Write a moment: 14:03:05, with the date where there are several; or 0:01:03 since the start."""
        if not self.known:
            return stopwatch(moment_s - self.start_s)
        local = self.local(moment_s)
        time = f"{local.hour:02d}:{local.minute:02d}:{local.second:02d}"  # thousands of them: strftime is slow
        return time if self.one_day else f"{_day(local)} {time}"

    def write_exactly(self, moment_s: float) -> str:
        """Write a moment to the millisecond, as `read` takes it back."""
        if not self.known:
            return stopwatch(moment_s - self.start_s, 3)
        local = self.local(moment_s)
        thousandths = f"{local.microsecond // 1000:03d}".rstrip("0")
        time = f"{local:%H:%M:%S}" + (f".{thousandths}" if thousandths else "")
        return time if self.one_day else f"{_day(local)} {time}"

    def read(self, text: str) -> float:
        """Return the moment that a person wrote: 14:03:05, with the date where there are several days; or 0:01:03.

        Without a date, it is the first such time of the recording.

        Raises
        ------
        ServiceError : it is none.
        """
        found = WRITTEN.fullmatch(text.strip())
        day, month, *written = found.groups() if found else ("", "", "0", "0", "0")
        numbers = [float(number.replace(",", ".")) for number in written if number]
        if len(numbers) == 2:  # hours and minutes of a clock, minutes and seconds of a stopwatch
            numbers = [*numbers, 0.0] if self.known else [0.0, *numbers]
        hours, minutes, seconds = numbers
        beyond = self.known and (hours > 23 or minutes > 59 or minutes % 1 or seconds >= 60)
        if found is None or beyond or (day and not self.known):
            expected = self.write(self.start_s)
            raise ServiceError(f"{text[:40]!r} is not a time of this recording; expected one such as {expected}.")
        if not self.known:
            return self.start_s + 3600 * hours + 60 * minutes + seconds
        moments = self._moments(clock_time(int(hours), int(minutes)), f"{int(day)} {month}" if day else "")
        inside = [moment + seconds for moment in moments if self.start_s - 1 <= moment + seconds <= self.end_s + 1]
        if not inside:
            raise ServiceError(f"{text[:40]!r} is not within {self.write_span(self.start_s, self.end_s)}.")
        return inside[0]

    def _moments(self, time: clock_time, day: str) -> list[float]:
        """Return when it is this time on the days of the recording; twice, when clocks are put back."""
        first, last = self.local(self.start_s), self.local(self.end_s)
        number = min((last.date() - first.date()).days, LONGEST_S // SECONDS["day"])
        days = [first.date() + timedelta(days=i) for i in range(int(number) + 1)]
        return [
            datetime.combine(each, time, self.zone).replace(fold=fold).timestamp() - (self.origin_utc_s or 0.0)
            for each in days
            if not day or _day(each) == day
            for fold in (0, 1)
        ]

    def date_and_time(self, moment_s: float) -> str:
        """Write a moment with its date, whatever the length of the recording: 7 Feb 2022, 10:27:40."""
        local = self.local(moment_s)
        return f"{_day(local)} {local.year}, {local:%H:%M:%S}"

    def write_span(self, start_s: float, end_s: float) -> str:
        """Write two moments, the date of the second only where it is another: 12 May 23:59:57 – 13 May 00:00:00."""
        start, end = self.write(start_s), self.write(end_s)
        if self.known and not self.one_day and start[:-8] == end[:-8]:
            end = end[-8:]
        return f"{start} – {end}"

    def iso(self, moment_s: float) -> str:
        """Write a moment for a table of data: ISO 8601 with its offset from UTC, or h:mm:ss since the start."""
        return self.local(moment_s).isoformat(timespec="seconds") if self.known else stopwatch(moment_s - self.start_s)

    def ticks(self, from_s: float, to_s: float, at_most: int = 7) -> dict[str, list[Any]]:
        """Return round moments between two, ``at`` and ``text``, for the axis of a plot."""
        step = next((s for s in TICK_STEPS_S if (to_s - from_s) / s <= at_most), TICK_STEPS_S[-1])
        offset = self._offset(from_s)
        zero = -(self.origin_utc_s + offset) if self.origin_utc_s is not None else self.start_s
        first, last = math.ceil((from_s - zero) / step), math.floor((to_s - zero) / step)
        moments = [zero + number * step for number in range(first, min(last, first + 2 * at_most) + 1)]
        if step >= SECONDS["hour"]:  # where the clocks change in between, round hours move
            moments = [moment - self._offset(moment) + offset for moment in moments]
        texts, day = [], None
        for moment in moments:
            texts.append(self._tick(moment, step, day))
            day = self.local(moment).date() if self.known else None
        return {"at": [round(moment, 3) for moment in moments], "text": texts}

    def _offset(self, moment_s: float) -> float:
        shift = self.local(moment_s).utcoffset() if self.known else None
        return shift.total_seconds() if shift is not None else 0.0

    def _tick(self, moment_s: float, step: float, day_before: Any) -> str:
        digits = max(0, math.ceil(-math.log10(step)))
        if not self.known:
            return stopwatch(moment_s - self.start_s, digits)
        local = self.local(moment_s)
        if step >= SECONDS["day"]:
            return _day(local)
        text = f"{local:%H:%M}" if step >= 60 else f"{local:%H:%M:%S}"
        text += f".{local.microsecond:06d}"[: 1 + digits] if digits else ""
        return text if local.date() == day_before else f"{text}<br>{_day(local)}"

    def periods(self, kind: Period) -> list[tuple[float, float]]:
        """Return start and end of each hour or day that the recording touches; the first and last may be cut short.

        By the clock, an hour that comes twice when summer time ends is two hours, and a day may have 23 or 25. Of more
        than LONGEST_S there are none: decades of a gap would be far more hours than samples.
        """
        if self.end_s - self.start_s > LONGEST_S:
            return []
        inner = self._changes(kind) if self.known else self._multiples(SECONDS[kind])
        return list(zip([self.start_s, *inner], [*inner, self.end_s], strict=True))

    def _multiples(self, step: float) -> list[float]:
        n = math.ceil((self.end_s - self.start_s) / step - 1e-9)
        return [self.start_s + number * step for number in range(1, n)]

    def _changes(self, kind: Period) -> list[float]:
        """Return the moments at which another hour or day begins."""
        origin = self.origin_utc_s or 0.0
        quarter = math.floor((self.start_s + origin) / QUARTER_S) + 1
        before, changes = self._name(self.start_s, kind), []
        while (moment := quarter * QUARTER_S - origin) < self.end_s - 1e-6:
            if (name := self._name(moment, kind)) != before:
                changes.append(moment)
            before, quarter = name, quarter + 1
        return changes

    def _name(self, moment_s: float, kind: Period) -> Any:
        local = self.local(moment_s)
        return local.date() if kind == "day" else (local.date(), local.hour, local.utcoffset())

    def period_title(self, start_s: float, kind: Period) -> str:
        """Name a day or hour: Mon 12 May 2025, or 12 May, 14:00; since the start, day 2, or 3:00 – 4:00."""
        if not self.known:
            number = round((start_s - self.start_s) / SECONDS[kind])
            return f"day {number + 1}" if kind == "day" else f"{number}:00 – {number + 1}:00"
        local = self.local(start_s)
        if kind == "day":
            return f"{DAYS[local.weekday()]} {_day(local)} {local.year}"
        twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()  # as summer time ends
        return f"{_day(local)}, {local:%H}:00" + (f" ({local:%Z})" if twice else "")


def _day(local: date) -> str:
    return f"{local.day} {MONTHS[local.month - 1]}"
