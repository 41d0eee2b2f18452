"""Axivity AX3 and AX6, `.cwa`: a header of 1,024 bytes, then blocks of 512 with 40, 80 or 120 samples and a stamp each.

Format: Open Movement's cwa.h and "AX Device Technical Documentation" (github.com/openmovementproject/openmovement).
Acceleration in 1/256 to 1/16384 g with gravity, an AX6's gyroscope in 1/32768 of its range (125 to 2,000 deg/s), each
block says which. The clock is what the device was set to: local time, without a zone. A block whose checksum is wrong
is left out: a hole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.har.errors import UnreadableData, quote
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, read_each, stream_of_samples
from app.har.recordings.devices import blocks
from app.har.recordings.devices.gathered import Gathered
from app.har.recordings.files import Member
from app.har.signals.types import Recording
from app.har.signals.units import ROTATION, STANDARD_GRAVITY
from app.har.types import FloatArray

APP = "Axivity"
DESCRIPTION = "Axivity AX3 and AX6: .cwa as the device wrote it, packed by gzip or not"
MAGIC = b"MD\xfc\x03"
HEADER, BLOCK = 1024, 512
AT_ONCE = 8192  # blocks, of 4 MiB
MAX_RATE_HZ = 3200.0
LAYOUT = np.dtype(
    [
        ("magic", "S2"), ("length", "<u2"), ("fraction", "<u2"), ("session", "<u4"), ("sequence", "<u4"),
        ("stamp", "<u4"), ("scale", "<u2"), ("temperature", "<u2"), ("events", "u1"), ("battery", "u1"),
        ("rate", "u1"), ("axes", "u1"), ("offset", "<i2"), ("count", "<u2"), ("data", "u1", 480), ("checksum", "<u2"),
    ]
)  # fmt: skip
Blocks = NDArray[np.void]


@dataclass
class _File:
    """What was found in a file so far."""

    name: str
    kind: int = -1  # of the blocks: how many axes, and how they are packed
    held: Gathered | None = None
    origin_s: float = 0.0
    n_blocks: int = 0
    faults: list[tuple[int, str]] = field(default_factory=list)  # place and what is wrong there, the first few
    n_faulty: int = 0

    @property
    def n_axes(self) -> int:
        return self.kind >> 4


def matches(member: Member, head: bytes) -> bool:
    """Tell whether a file begins as the header of a `.cwa` does."""
    return head.startswith(MAGIC)


def read(members: list[Member], upload: str) -> list[Recording]:
    """Read uploaded files, a recording each."""
    return read_each({member.name: member for member in members}, lambda _, member: _read_one(member))


def _read_one(member: Member) -> Recording:
    file = _File(member.name)
    waiting: NDArray[np.void] = np.empty(0, LAYOUT)
    for place, found in _blocks(member):
        good = found[_sound(file, place, found)]
        if not len(good):
            continue
        if file.held is None:
            file.kind = int(good["axes"][0])
            file.origin_s = float(_start_s(good[:1])[0])
            most = max(int(good["count"].max()), _capacity(file.kind))
            file.held = Gathered(min(file.n_axes, 6), most * (-(-member.size // BLOCK)))
        known = np.concatenate([waiting, good])
        _take(file, known, last=False)
        waiting = known[-1:]  # its samples are spread up to the next block
    if file.held is None:
        where, what = file.faults[0] if file.faults else (HEADER, "nothing")
        raise UnreadableData(
            f"{member.name}, byte {where:,}: expected blocks of {BLOCK} bytes with samples, as an Axivity writes them; "
            f"found {what}. The file is damaged, or the device recorded nothing."
        )
    _take(file, waiting, last=True)
    return _recording(file)


def _blocks(member: Member) -> Iterator[tuple[int, Blocks]]:
    """Yield some thousand blocks at a time, with the place of the first of them in bytes."""
    rest, place = b"", 0
    for data in member.parts(AT_ONCE * BLOCK):
        data = rest + data
        skip = min(max(HEADER - place, 0), len(data))
        n = (len(data) - skip) // BLOCK
        if n:
            yield place + skip, np.frombuffer(data, LAYOUT, n, skip)
        used = skip + n * BLOCK if n else 0
        rest, place = data[used:], place + used
    if len(rest) and place >= HEADER:
        yield place, np.frombuffer(rest.ljust(BLOCK, b"\0")[:BLOCK], LAYOUT)  # its checksum tells that it is cut off


def _capacity(kind: int) -> int:
    """Return how many samples a block of some kind has room for, 0 for a kind that is none."""
    n_axes, packing = kind >> 4, kind & 0xF
    if packing == 0 and n_axes == 3:
        return 120
    return 240 // n_axes if packing == 2 and n_axes in (3, 6, 9) else 0


def _sound(file: _File, place: int, found: Blocks) -> NDArray[np.bool_]:
    """Tell which blocks are as they were written; keep in mind where the others are."""
    words = np.ascontiguousarray(found).view("<u2").reshape(len(found), BLOCK // 2)
    total = words.sum(axis=1, dtype=np.uint32) & 0xFFFF
    room = np.array([_capacity(kind) for kind in range(256)])[found["axes"]]
    expected = found["axes"][0] if file.kind < 0 else file.kind
    checks = {
        "no block": (found["magic"] != b"AX") | (found["length"] != BLOCK - 4),
        "a block whose checksum is wrong": (total != 0) & (found["rate"] != 0),  # very old ones have none
        "a block without a time": ~np.isfinite(_start_s(found)),
        "a block of more samples than it has room for": found["count"] > room,
        "a block of other sensors than the first": (found["axes"] != expected) & (room > 0),
        "a block without samples": found["count"] == 0,
    }
    bad = np.zeros(len(found), bool)
    for what, these in checks.items():
        fresh = np.flatnonzero(these & ~bad)
        bad |= these
        if len(fresh) and not file.faults:
            file.faults.append((place + BLOCK * int(fresh[0]), what))
    file.n_blocks += len(found)
    file.n_faulty += int(bad.sum())
    return ~bad


def _rate_hz(found: Blocks) -> NDArray[np.float64]:
    rate = 3200.0 / (1 << (15 - (found["rate"] & 0xF).astype(np.int64)))
    old = found["rate"] == 0  # then it stands in the place of the offset
    return np.where(old, np.maximum(found["offset"], 1), rate).astype(np.float64)


def _start_s(found: Blocks) -> NDArray[np.float64]:
    """Return the time of each block's first sample in s since 1970, NaN where it has none.

    A block's stamp is that of one of its samples; where the block says so with a fraction of a second, the number of
    that sample was moved to where the second was full, which is undone.
    """
    stamp = found["stamp"].astype(np.int64)
    year, month, day = (stamp >> 26) + 2000, (stamp >> 22) & 0xF, (stamp >> 17) & 0x1F
    hour, minute, second = (stamp >> 12) & 0x1F, (stamp >> 6) & 0x3F, stamp & 0x3F
    valid = (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second < 60)
    months = np.where(valid, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]").astype(np.int64) + day - 1
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second
    rate = _rate_hz(found)
    fraction = np.where(found["fraction"] & 0x8000, (found["fraction"] & 0x7FFF).astype(np.int64) << 1, 0)
    moved = (fraction * rate.astype(np.int64)) >> 16
    number = np.where(found["rate"] == 0, 0, found["offset"] + moved)
    return np.where(valid, seconds + fraction / 65536 - number / rate, np.nan)


def _take(file: _File, known: Blocks, *, last: bool) -> None:
    """Put the samples of all blocks but the last with the others; of the very last, too."""
    if not len(known) or file.held is None or (len(known) < 2 and not last):
        return
    rate, counts = _rate_hz(known), known["count"].astype(np.int64)
    start_s = _start_s(known) - file.origin_s
    if last:
        step, taken = 1 / rate, known
    else:
        joined = blocks.follows(start_s, counts, rate[:-1]) & (np.diff(known["sequence"].astype(np.int64)) == 1)
        step, taken = blocks.steps(start_s, counts, rate[:-1], joined), known[:-1]
    n = len(taken)
    time, block = blocks.sample_times(start_s[:n], counts[:n], step)
    values = _packed(taken) if file.kind & 0xF == 0 else _unpacked(taken, file.n_axes)
    if (counts[:n] != values.shape[2]).any():
        values = values[:, np.arange(values.shape[2]) < counts[:n, None]]
    file.held.add(time, _in_units(values.reshape(len(values), -1), taken, block))


def _packed(taken: Blocks) -> FloatArray:
    """Return 10-bit values with a common exponent of 2 bits, (3, blocks, 120)."""
    words = np.ascontiguousarray(taken["data"]).view("<u4")
    exponent = (words >> 30).astype(np.int32)
    axes = [(words << up).astype(np.int32) >> 22 << exponent for up in (22, 12, 2)]
    return np.array(axes, np.float32)


def _unpacked(taken: Blocks, n_axes: int) -> FloatArray:
    """Return 16-bit values, those of acceleration first, (3 or 6, blocks, samples)."""
    words = np.ascontiguousarray(taken["data"]).view("<i2")
    room = 240 // n_axes
    axes = words[:, : room * n_axes].reshape(len(taken), room, n_axes).transpose(2, 0, 1)
    order = [0, 1, 2] if n_axes == 3 else [3, 4, 5, 0, 1, 2]  # a magnetometer's three, which nothing scales, are left
    return axes[order].astype(np.float32)


def _in_units(values: FloatArray, taken: Blocks, block: NDArray[np.int64]) -> FloatArray:
    """Scale to m/s² and rad/s by what each block says."""
    scale = taken["scale"].astype(np.int64)
    factors = [STANDARD_GRAVITY / (1 << (8 + (scale >> 13)))]
    if len(values) > 3:
        factors.append(ROTATION["deg/s"] * 8000 / (1 << ((scale >> 10) & 7)) / 32768)
    for number, factor in enumerate(factors):
        own = factor.astype(np.float32)
        values[3 * number : 3 * number + 3] *= own[0] if (own == own[0]).all() else own[block]
    return values


def _recording(file: _File) -> Recording:
    assert file.held is not None  # noqa: S101  asked before
    time, values = file.held.finish()
    sensors = [("accelerometer", "g", STANDARD_GRAVITY), ("gyroscope", "deg/s", ROTATION["deg/s"])]
    parts = [
        stream_of_samples(file.name, modality, time, values[:, 3 * k : 3 * k + 3], f"{unit}, by the format", factor)
        for k, (modality, unit, factor) in enumerate(sensors[: values.shape[1] // 3])
    ]
    problems = []
    if file.n_faulty:
        place, what = file.faults[0]
        problems.append(
            Problem(
                file.name,
                ProblemKind.CORRUPT_ROWS,
                f"{file.n_faulty:,} of {file.n_blocks:,} blocks cannot be read, the first at byte {place:,}: "
                f"{quote(what)}",
                "left out: a hole",
            )
        )
    return build_recording(
        file.name, file.name, file.name, parts, gravity="included", problems=problems, app=APP,
        origin_utc_s=file.origin_s, local_clock=True,
    )  # fmt: skip
