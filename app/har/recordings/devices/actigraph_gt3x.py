"""ActiGraph, `.gt3x`: a zip of `info.txt` and `log.bin`, or in the older layout (firmware to 2.5) `activity.bin`.

Formats: github.com/actigraph/GT3X-File-Format and NHANES-GT3X-File-Format. `log.bin` is a row of records, each with a
stamp of whole seconds and a checksum; one of activity holds a second of samples, in 12 bits (y, x, z) or 16 (x, y, z).
`activity.bin` is nothing but samples in 12 bits from the start on. In counts of 1/256 or 1/341 g with gravity. The
device's clock is local time; files of newer firmware say by how much it differs from UTC. While the device sleeps (idle
sleep mode) it writes no samples: a hole.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.errors import HarError, UnreadableData, quote
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, read_each, stream_of_samples
from app.har.recordings.devices.gathered import Gathered
from app.har.recordings.files import ARCHIVE, GT3X, Member, open_archive, reading
from app.har.signals.types import Recording
from app.har.signals.units import STANDARD_GRAVITY
from app.har.types import FloatArray

APP = "ActiGraph GT3X"
DESCRIPTION = "ActiGraph, .gt3x as the device wrote it: info.txt with log.bin, or the older activity.bin"
AT_ONCE = 4 * 2**20
SEPARATOR, HEAD = 0x1E, 8  # what a record begins with, and the bytes of its head
PACKED, WORDS = 0x00, 0x1A  # records of samples: 12 bits (y, x, z), 16 bits
KINDS = {PACKED, WORDS, 0x1B}  # and 12 bits (x, y, z)
MOST_FAULTS = 1000
TICKS_1970, TICKS = 621_355_968_000_000_000, 10_000_000  # of .NET: 100 ns since the year 1
COUNTS_A_G = {"NEO": 341.0, "CLE": 341.0, "MRA": 341.0}
RATES_HZ = (1.0, 256.0)
LINE = re.compile(r"^\s*([^:]{1,40}):\s*(.{0,200}?)\s*$", re.M)
ZONE = re.compile(r"([-+]?)(\d{1,2}):(\d{2})(?::\d{2})?")


@dataclass
class _Device:
    """What `info.txt` says."""

    name: str
    rate_hz: float
    counts_a_g: float
    start_s: float | None  # as if its clock were UTC
    behind_utc_s: float | None
    rotated: bool  # by 90 degrees, as firmware 1.6.0 writes


@dataclass
class _Log:
    """What was found in `log.bin` so far."""

    name: str
    n_records: int = 0
    n_faulty: int = 0
    first_fault: int = -1


def matches(member: Member, head: bytes) -> bool:
    """Tell whether a file is an archive of such files."""
    if not head.startswith(ARCHIVE):
        return False
    try:
        with reading(member.name), member.opener() as file, zipfile.ZipFile(file) as archive:
            return any(names <= set(archive.namelist()) for names in GT3X)
    except HarError:
        return False


def read(members: list[Member], upload: str) -> list[Recording]:
    """Read uploaded files, a recording each."""
    return read_each({member.name: member for member in members}, lambda _, member: _read_one(member))


def _read_one(member: Member) -> Recording:
    with open_archive(member) as members:
        files = {own.name: own for own in members}
        device = _device(member.name, files["info.txt"].read().decode("utf-8", "replace"))
        _refuse_uncalibrated(member.name, files)
        if "log.bin" in files:
            held, origin_s, problems = _read_log(device, files["log.bin"])
        else:
            held, origin_s, problems = _read_activity(device, files["activity.bin"])
    time, values = held.finish()
    unit = f"1/{device.counts_a_g:g} g, by the format"
    factor = STANDARD_GRAVITY / device.counts_a_g
    part = stream_of_samples(member.name, "accelerometer", time, values, unit, factor)
    origin_s = origin_s and origin_s - (device.behind_utc_s or 0.0)
    return build_recording(
        member.name, member.name, member.name, [part], gravity="included", problems=problems, app=APP,
        origin_utc_s=origin_s, local_clock=device.behind_utc_s is None,
    )  # fmt: skip


def _device(name: str, text: str) -> _Device:
    said = {key.strip().lower(): value for key, value in LINE.findall(text)}

    def number(key: str) -> float | None:
        try:
            return float(said[key].replace(",", "."))
        except (KeyError, ValueError):
            return None

    rate = number("sample rate")
    if rate is None or not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        found = quote(repr(said.get("sample rate", "nothing")))
        raise UnreadableData(f"{name}/info.txt: expected a 'Sample Rate' in Hz, found {found}.")
    serial, scale = said.get("serial number", ""), number("acceleration scale")
    ticks = int(said["start date"]) if re.fullmatch(r"\d{1,18}", said.get("start date", "")) else 0
    by_serial = COUNTS_A_G.get(serial[:3].upper(), 256.0)
    zone = ZONE.fullmatch(said.get("timezone", ""))
    return _Device(
        name,
        rate,
        scale if scale and 1 <= scale <= 1e5 else by_serial,
        (ticks - TICKS_1970) / TICKS if ticks > TICKS_1970 else None,
        (-1 if zone[1] == "-" else 1) * (int(zone[2]) * 3600.0 + int(zone[3]) * 60.0) if zone else None,
        serial.upper().startswith("MOS") and said.get("firmware", "") == "1.6.0",
    )


def _refuse_uncalibrated(name: str, files: dict[str, Member]) -> None:
    """Refuse samples that still have to be calibrated, as a CentrePoint Insight Watch keeps them."""
    if "calibration.json" in files and re.search(rb'"isCalibrated"\s*:\s*false', files["calibration.json"].head()):
        raise UnreadableData(
            f"{name}: holds samples as an ActiGraph measured them, before calibration; expected calibrated ones. "
            "Export the raw data from CentrePoint as CSV: they are calibrated there."
        )


def _read_activity(device: _Device, member: Member) -> tuple[Gathered, float | None, list[Problem]]:
    """Read the older layout: samples of 12 bits, one after another."""
    held = Gathered(3, member.size * 2 // 9 + 1)
    rest = b""
    for data in member.parts(AT_ONCE):
        data = rest + data
        used = len(data) // 9 * 9  # two samples
        if used:
            values = _twelve_bits(np.frombuffer(data, np.uint8, used)[None], device, swapped=True)[:, 0]
            held.add((held.n + np.arange(values.shape[1])) / device.rate_hz, values)
        rest = data[used:]
    return held, device.start_s, []


def _read_log(device: _Device, member: Member) -> tuple[Gathered, float | None, list[Problem]]:
    """Read a row of records."""
    held, log, rest, place = Gathered(3, member.size * 2 // 9 + 1), _Log(f"{device.name}/log.bin"), b"", 0
    origin: float | None = None
    for data in member.parts(AT_ONCE):
        data = rest + data
        found, used = _walk(log, data, place)
        for seconds, values in _samples(log, device, data, found, place):
            origin = float(seconds[0]) if origin is None else origin
            n = values.shape[2]
            time = (seconds - origin)[:, None] + np.arange(n) / max(device.rate_hz, n)
            held.add(time.reshape(-1), values.reshape(3, -1))
        rest, place = data[used:], place + used
    if rest:
        _fault(log, place)
    problems = []
    if log.n_faulty:
        problems.append(
            Problem(
                log.name,
                ProblemKind.CORRUPT_ROWS,
                f"{log.n_faulty:,} of {log.n_records + log.n_faulty:,} records cannot be read, the first at byte "
                f"{log.first_fault:,}",
                "left out: a hole",
            )
        )
    if not held.n:
        raise UnreadableData(
            f"{log.name}: expected records of activity, found {log.n_records:,} other records"
            + (f", and the first that cannot be read at byte {log.first_fault:,}." if log.n_faulty else ".")
        )
    return held, origin, problems


def _fault(log: _Log, place: int) -> None:
    log.n_faulty += 1
    if log.n_faulty == 1:
        log.first_fault = place
    if log.n_faulty > MOST_FAULTS:
        raise UnreadableData(
            f"{log.name}: more than {MOST_FAULTS:,} records cannot be read, the first at byte {log.first_fault:,}; "
            "expected records that each begin with the byte 1E. The file is damaged."
        )


def _walk(log: _Log, data: bytes, place: int) -> tuple[NDArray[np.int64], int]:
    """Return where the records with samples begin in a part of the file, their kinds and sizes, and where it ends.

    Returns
    -------
    found : (n, 3) place, kind and size of the payload.
    used : bytes up to the record that goes on in the next part.
    """
    found: list[tuple[int, int, int]] = []
    at, end, lost = 0, len(data), False
    while at + HEAD < end:
        if data[at] != SEPARATOR:
            if not lost:
                _fault(log, place + at)
            at, lost = data.find(SEPARATOR, at), True
            if at < 0:
                return _array(found), end
            continue
        size = data[at + 6] | data[at + 7] << 8
        after = at + HEAD + size + 1
        if after > end:
            break
        if after < end and data[after] != SEPARATOR:  # then one of the two is damaged
            if not lost:
                _fault(log, place + at)
            at, lost = at + 1, True
            continue
        lost = False
        log.n_records += 1
        if data[at + 1] in KINDS and size > 1:  # one byte is written when a cable is put in
            found.append((at, data[at + 1], size))
        at = after
    return _array(found), at


def _array(found: list[tuple[int, int, int]]) -> NDArray[np.int64]:
    return np.array(found, np.int64).reshape(-1, 3)


def _samples(
    log: _Log, device: _Device, data: bytes, found: NDArray[np.int64], place: int
) -> Iterator[tuple[NDArray[np.float64], FloatArray]]:
    """Yield seconds (k,) and samples (3, k, n) of runs of records of one kind and size, in the order of the file."""
    whole = np.frombuffer(data, np.uint8)
    changes = np.flatnonzero(np.any(np.diff(found[:, 1:], axis=0), axis=1)) + 1
    for run in np.split(found, changes):
        if not len(run):
            continue
        kind, size = run[0, 1:].tolist()
        records = whole[run[:, :1] + np.arange(HEAD + size + 1)]
        sound = np.bitwise_xor.reduce(records, axis=1) == 0xFF
        for at in run[~sound, 0].tolist():
            log.n_records -= 1
            _fault(log, place + at)
        records = records[sound]
        if not len(records):
            continue
        seconds = np.ascontiguousarray(records[:, 2:6]).view("<u4")[:, 0].astype(np.float64)
        payload = records[:, HEAD:-1]
        if kind == WORDS:
            words = np.ascontiguousarray(payload[:, : size // 6 * 6]).view("<i2")
            values = _scaled(words.reshape(len(records), -1, 3).transpose(2, 0, 1), device)
        else:
            values = _twelve_bits(payload, device, swapped=kind == PACKED)
        if values.shape[2]:
            yield seconds, values


def _twelve_bits(packed: NDArray[np.uint8], device: _Device, *, swapped: bool) -> FloatArray:
    """Unpack rows of bytes (k, size) into (3, k, samples); what is left over at the end of a row is no sample."""
    n = packed.shape[1] * 8 // 36
    triplets = packed.shape[1] // 3 * 3
    rest = packed.shape[1] - triplets
    padded = packed if not rest else np.pad(packed, ((0, 0), (0, 3 - rest)))
    bytes_ = padded.reshape(len(packed), -1, 3).astype(np.int16)
    pairs = np.stack([bytes_[..., 0] << 4 | bytes_[..., 1] >> 4, (bytes_[..., 1] & 0xF) << 8 | bytes_[..., 2]], axis=-1)
    values = ((pairs ^ 0x800) - 0x800).reshape(len(packed), -1)[:, : 3 * n].reshape(len(packed), n, 3)
    axes = values.transpose(2, 0, 1)
    return _scaled(axes[[1, 0, 2]] if swapped else axes, device)


def _scaled(counts: NDArray[np.integer], device: _Device) -> FloatArray:
    values = counts * np.float32(STANDARD_GRAVITY / device.counts_a_g)
    if device.rotated:
        values[0], values[1] = values[1].copy(), -values[0]
    return np.asarray(values, np.float32)
