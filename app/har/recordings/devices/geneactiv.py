"""GENEActiv, `.bin`: text. Sections about device and calibration, then pages of 300 samples in hexadecimal digits.

Format: Activinsights' "GENEActiv Instructions", Decoding .bin files, as GGIRread and GENEAread read it. Twelve digits a
sample: x, y, z of 12 bits, ten of light, two more; (100 raw - offset) / gain is g, with gravity. Each page says when it
began, by the clock that the device was set to; the header says by how much that differs from UTC. Between pages that
follow one another samples are spread evenly: a device of "85.7 Hz" gives 300 in 3.5 s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from app.har.errors import UnreadableData, quote
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, read_each, stream_of_samples
from app.har.recordings.devices import blocks
from app.har.recordings.devices.gathered import Gathered
from app.har.recordings.files import Member
from app.har.signals.types import Recording
from app.har.signals.units import STANDARD_GRAVITY
from app.har.types import FloatArray, IntArray

APP = "GENEActiv"
DESCRIPTION = "GENEActiv: .bin as the device wrote it"
AT_ONCE = 4 * 2**20
FIRST = b"Device Identity"
PAGE = b"Recorded Data"
DIGITS = 12  # of a sample
MAX_RATE_HZ = 1000.0
LONGEST_PAGE = 64 * 2**10
TIME, RATE = re.compile(rb"Page Time:\s*([^\r\n]{1,40})"), re.compile(rb"Measurement Frequency:\s*([\d.,]{1,10})")
SAMPLES = re.compile(rb"\n\s*([0-9A-Fa-f]{12,})\s*\Z")
WHEN = re.compile(rb"(\d{4})-(\d{1,2})-(\d{1,2})[ T](\d{2}):(\d{2}):(\d{2}):(\d{3})")
CALIBRATION = re.compile(rb"^\s*([xyz]) (gain|offset):\s*(-?\d{1,9})\s*$", re.M)
NUMBER = re.compile(rb"^\s*Number of Pages:\s*(\d{1,9})", re.M)
ZONE = re.compile(rb"^\s*Time Zone:\s*GMT\s*([-+]?)(\d{1,2}):(\d{2})", re.M)


@dataclass(frozen=True)
class _Page:
    """One page: its first sample in s since 1970, as if its clock were UTC, its nominal rate, its digits."""

    start_s: float
    rate_hz: float
    digits: bytes

    @property
    def n(self) -> int:
        return len(self.digits) // DIGITS


@dataclass
class _Pages:
    """The pages of a file, and what was found wrong."""

    member: Member
    head: bytes = b""
    n: int = 0
    n_faulty: int = 0
    first_fault: str = ""

    def __iter__(self) -> Iterator[list[_Page]]:
        """Yield some hundred pages at a time."""
        rest = b""
        for data in chain(self.member.parts(AT_ONCE), [PAGE]):
            *whole, rest = (rest + data).split(PAGE)
            if not self.n and not self.head and whole:
                self.head, *whole = whole
            if len(rest) > LONGEST_PAGE:  # what is wrong with it is told when the next page begins
                rest = rest[:LONGEST_PAGE] + rest[-len(PAGE) :]
            if found := [page for text in whole if (page := self._page(text))]:
                yield found

    def _page(self, text: bytes) -> _Page | None:
        self.n += 1
        when, rate, digits = TIME.search(text), RATE.search(text), SAMPLES.search(text)
        if when is None or rate is None or digits is None or (start_s := _seconds(when[1])) is None:
            what = "Page Time" if when is None or (rate and digits) else "its frequency" if rate is None else "samples"
            self._fault(f"page {self.n:,} lacks {what}")
            return None
        stated = rate[1].replace(b",", b".").strip(b".")
        hertz = float(stated) if stated and stated.count(b".") < 2 else 0.0
        if not 0 < hertz <= MAX_RATE_HZ:
            self._fault(f"page {self.n:,} states {hertz:g} Hz")
            return None
        return _Page(start_s, hertz, digits[1][: len(digits[1]) // DIGITS * DIGITS])

    def _fault(self, what: str) -> None:
        self.n_faulty += 1
        self.first_fault = self.first_fault or what


def matches(member: Member, head: bytes) -> bool:
    """Tell whether a file begins as the device's text does."""
    return head.lstrip(b"\xef\xbb\xbf \r\n").startswith(FIRST)


def read(members: list[Member], upload: str) -> list[Recording]:
    """Read uploaded files, a recording each."""
    return read_each({member.name: member for member in members}, lambda _, member: _read_one(member))


def _read_one(member: Member) -> Recording:
    pages, held = _Pages(member), Gathered(3, member.size // DIGITS + 1)
    waiting: list[_Page] = []
    origin_s: float | None = None
    gain: NDArray[np.float64] = np.ones(3)
    offset: NDArray[np.float64] = np.zeros(3)
    for found in pages:
        if origin_s is None:
            origin_s = found[0].start_s
            gain, offset = _calibration(member.name, pages.head)
        known = [*waiting, *found]
        _take(held, known, origin_s, gain, offset, last=False)
        waiting = known[-1:]
    if origin_s is None:
        found_one = f"{pages.first_fault}" if pages.first_fault else "no page"
        raise UnreadableData(
            f"{member.name}: expected pages that begin 'Recorded Data', as a GENEActiv writes them; found {found_one}. "
            "The file is damaged, or the device recorded nothing."
        )
    _take(held, waiting, origin_s, gain, offset, last=True)
    time, values = held.finish()
    part = stream_of_samples(member.name, "accelerometer", time, values, "g, by the format", STANDARD_GRAVITY)
    problems, ahead_s = [], _ahead_of_utc_s(pages.head)
    if pages.n_faulty:
        detail = f"{pages.n_faulty:,} of {pages.n:,} pages cannot be read; {quote(pages.first_fault)}"
        problems.append(Problem(member.name, ProblemKind.CORRUPT_ROWS, detail, "left out: a hole"))
    declared = NUMBER.search(pages.head)
    if declared and pages.n < int(declared[1]):
        detail = f"its head announces {int(declared[1]):,} pages, {pages.n:,} are there"
        problems.append(Problem(member.name, ProblemKind.CUT_OFF, detail, "read as far as it goes"))
    return build_recording(
        member.name, member.name, member.name, [part], gravity="included", problems=problems, app=APP,
        origin_utc_s=origin_s - (ahead_s or 0.0), local_clock=ahead_s is None,
    )  # fmt: skip


def _calibration(name: str, head: bytes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    said = {(axis, what): float(value) for axis, what, value in CALIBRATION.findall(head)}
    try:
        gain = np.array([said[axis, b"gain"] for axis in (b"x", b"y", b"z")])
        offset = np.array([said[axis, b"offset"] for axis in (b"x", b"y", b"z")])
    except KeyError as error:
        axis, what = error.args[0]
        raise UnreadableData(
            f"{name}: expected the line '{axis.decode()} {what.decode()}:' with a whole number under 'Calibration "
            "Data'; found none."
        ) from error
    if not gain.all():
        raise UnreadableData(f"{name}: expected a gain for each axis under 'Calibration Data', found 0.")
    return gain, offset


def _ahead_of_utc_s(head: bytes) -> float | None:
    zone = ZONE.search(head)
    return (-1 if zone[1] == b"-" else 1) * (int(zone[2]) * 3600.0 + int(zone[3]) * 60.0) if zone else None


def _seconds(text: bytes) -> float | None:
    """Return a moment such as 2013-05-30 10:12:54:500 in s since 1970; None where it is none."""
    when = WHEN.match(text)
    if when is None:
        return None
    year, month, day, hour, minute, second, thousandths = when.groups()
    iso = b"%s-%s-%sT%s:%s:%s.%s" % (
        year, month.zfill(2), day.zfill(2), hour, minute, second, thousandths
    )  # fmt: skip
    try:
        return float(np.datetime64(iso.decode(), "ms").astype(np.int64)) / 1000
    except ValueError:
        return None


def _take(
    held: Gathered,
    known: list[_Page],
    origin_s: float,
    gain: NDArray[np.float64],
    offset: NDArray[np.float64],
    *,
    last: bool,
) -> None:
    """Put the samples of all pages but the last with the others; of the very last, too."""
    taken = known if last else known[:-1]
    if not taken:
        return
    start_s = np.array([page.start_s for page in known]) - origin_s
    rate = np.array([page.rate_hz for page in taken])
    counts: IntArray = np.array([page.n for page in known], np.int64)
    step = 1 / rate
    if not last:
        step = blocks.steps(start_s, counts, rate, blocks.follows(start_s, counts, rate))
    time, _ = blocks.sample_times(start_s[: len(taken)], counts[: len(taken)], step)
    raw = np.frombuffer(bytes.fromhex(b"".join(page.digits for page in taken).decode("ascii")), np.uint8)
    six = raw.reshape(-1, 6)[:, :5].T.astype(np.int16)
    axes = np.array([six[0] << 4 | six[1] >> 4, (six[1] & 0xF) << 8 | six[2], six[3] << 4 | six[4] >> 4])
    counted = (axes ^ 0x800) - 0x800
    values: FloatArray = ((counted * 100.0 - offset[:, None]) * (STANDARD_GRAVITY / gain[:, None])).astype(np.float32)
    held.add(time, values)
