"""Write samples as research devices pack them, from the published descriptions of their formats.

Each writer takes raw counts, so that what is read back is asked to be right to the last bit, and gives bytes.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.integer]
START_S = 1_717_156_790.0  # 2024-05-31 11:59:50
CWA_FIELDS = "<2sHHIIIHHBBBBhH"  # of a block, before its samples


def packed_time(second: float) -> int:
    """Return a moment as Open Movement packs it: 6 bits of the year since 2000, 4, 5, 5, 6 and 6."""
    at = datetime.fromtimestamp(int(second), timezone.utc)
    packed = at.year - 2000
    for value, bits in ((at.month, 4), (at.day, 5), (at.hour, 5), (at.minute, 6), (at.second, 6)):
        packed = packed << bits | value
    return packed


def cwa_header(*, hardware: int = 0x17, gyro_range: int = 0, rate: int = 0x4A) -> bytes:
    """Return the 1,024 bytes before the blocks."""
    head = bytearray(1024)
    head[0:5] = b"MD" + struct.pack("<HB", 1020, hardware)
    head[35:37] = bytes([gyro_range, rate])
    head[64:512] = b"_sc=1".ljust(448)
    return bytes(head)


def cwa_block(
    samples: Counts,
    second: float,
    sequence: int,
    *,
    rate: int = 0x4A,
    packed: bool = False,
    acc_scale: int = 0,
    gyro_scale: int = 0,
    stamped: int = 0,
) -> bytes:
    """Return a block of 512 bytes.

    Parameters
    ----------
    samples : (n, 3) acceleration, or (n, 6) rotation and acceleration.
    second : Unix time of the sample number `stamped`, to 1/32768 s.
    rate : the code of rate and range; 0x4A is 100 Hz.
    acc_scale, gyro_scale : 1/2^(8 + n) g and 8000/2^n deg/s.
    """
    hertz = int(3200 / (1 << (15 - (rate & 15))))
    fraction = round((second % 1) * 32768)
    moved = (fraction * 2 * hertz) >> 16
    kind = samples.shape[1] << 4 | (0 if packed else 2)
    scale = acc_scale << 13 | gyro_scale << 10 | 200
    head = struct.pack(
        CWA_FIELDS, b"AX", 508, 0x8000 | fraction, 7, sequence, packed_time(second), scale, 300, 0, 200, rate, kind,
        stamped - moved, len(samples),
    )  # fmt: skip
    block = head + (cwa_packed(samples) if packed else samples.astype("<i2").tobytes()).ljust(480, b"\0")
    total = int(np.frombuffer(block, "<u2").sum(dtype=np.uint32)) & 0xFFFF
    return block + struct.pack("<H", -total & 0xFFFF)


def cwa_packed(samples: Counts) -> bytes:
    """Pack three values into 32 bits: 10 each, and how often all three were halved to fit."""
    values, words = samples.astype(np.int64), np.zeros(len(samples), np.int64)
    exponent = np.zeros(len(samples), np.int64)
    for _ in range(3):
        exponent += ((values >> exponent[:, None] > 511) | (values >> exponent[:, None] < -512)).any(axis=1)
    for axis in range(3):
        words |= (values[:, axis] >> exponent & 0x3FF) << (10 * axis)
    return (words | exponent << 30).astype("<u4").tobytes()


def cwa(
    samples: Counts, *, rate_hz: float = 100.0, start_s: float = START_S, holes: Sequence[int] = (), **options: int
) -> bytes:
    """Return a file whose samples come at some real rate.

    Parameters
    ----------
    holes : blocks that are missing.
    """
    per_block = 40 if samples.shape[1] == 6 else 120 if options.get("packed") else 80
    head = cwa_header(hardware=0x64 if samples.shape[1] == 6 else 0x17, rate=options.get("rate", 0x4A))
    blocks = [
        cwa_block(samples[first : first + per_block], start_s + first / rate_hz, number, **options)  # type: ignore[arg-type]
        for number, first in enumerate(range(0, len(samples), per_block))
        if number not in holes
    ]
    return head + b"".join(blocks)


def gt3x_record(kind: int, second: int, payload: bytes) -> bytes:
    """Return a record of `log.bin` with its checksum."""
    record = struct.pack("<BBIH", 0x1E, kind, second, len(payload)) + payload
    return record + bytes([~int(np.bitwise_xor.reduce(np.frombuffer(record, np.uint8))) & 0xFF])


def twelve_bits(samples: Counts) -> bytes:
    """Pack samples (n, 3) of x, y, z into 12 bits each, y first."""
    digits = "".join(f"{int(value) & 0xFFF:03x}" for value in samples[:, [1, 0, 2]].ravel())
    return bytes.fromhex(digits + "0" * (len(digits) % 2))


def gt3x_info(rate_hz: int, start_s: float, **more: str) -> str:
    """Return `info.txt`; names of more lines are written with blanks for underscores."""
    ticks = 621_355_968_000_000_000 + round(start_s * 10_000_000)
    lines = {
        "Serial_Number": "TAS1E47150641",
        "Firmware": "1.7.2",
        "Sample_Rate": str(rate_hz),
        "Start_Date": str(ticks),
    }
    return "".join(f"{key.replace('_', ' ')}: {value}\r\n" for key, value in (lines | more).items())


def gt3x_log(
    samples: Counts, rate_hz: int, start_s: float = START_S, *, asleep: Sequence[int] = (), words: bool = False
) -> bytes:
    """Return `log.bin`: a record a second, with others between them.

    Parameters
    ----------
    asleep : seconds in which the device sleeps, so that it writes that it does, and no samples.
    words : samples in 16 bits instead of 12.
    """
    records = [gt3x_record(0x06, int(start_s), b'{"MetadataType":"Bio"}')]
    for second in range(len(samples) // rate_hz):
        stamp, own = int(start_s) + second, samples[second * rate_hz : (second + 1) * rate_hz]
        if second in asleep:
            records.append(gt3x_record(0x03, stamp, b"\x08" if second - 1 not in asleep else b"\x09"))
            continue
        payload = own.astype("<i2").tobytes() if words else twelve_bits(own)
        records.append(gt3x_record(0x1A if words else 0x00, stamp, payload))
        if second % 5 == 0:
            records.append(gt3x_record(0x02, stamp, struct.pack("<H", 4100)))
    records.append(gt3x_record(0x00, int(start_s) + len(samples) // rate_hz, b"\x01"))  # a cable is put in
    return b"".join(records)


GENEACTIV_HEAD = """Device Identity
Device Unique Serial Code:012967
Device Type:GENEActiv

Configuration Info
Measurement Frequency:{rate} Hz
Start Time:{start}
Time Zone:GMT {zone}

Calibration Data
x gain:25875
x offset:439
y gain:25734
y offset:-662
z gain:25538
z offset:-3056
Volts:300
Lux:800

Memory Status
Number of Pages:{pages}

"""
GENEACTIV_GAIN, GENEACTIV_OFFSET = np.array([25875.0, 25734.0, 25538.0]), np.array([439.0, -662.0, -3056.0])


def geneactiv(
    samples: Counts,
    *,
    rate: str = "85.7",
    page_s: float = 3.5,
    start_s: float = START_S + 0.5,
    zone: str = "+01:00",
    holes: Sequence[int] = (),
) -> bytes:
    """Return a `.bin` of pages of 300 samples that begin so many seconds after one another."""

    def written(second: float) -> str:
        return f"{datetime.fromtimestamp(second, timezone.utc):%Y-%m-%d %H:%M:%S:%f}"[:-3]

    pages = range(0, len(samples), 300)
    text = [GENEACTIV_HEAD.format(rate=rate, start=written(start_s), zone=zone, pages=len(pages) - len(holes))]
    for number, first in enumerate(pages):
        if number in holes:
            continue
        own = samples[first : first + 300]
        digits = "".join(f"{x & 0xFFF:03X}{y & 0xFFF:03X}{z & 0xFFF:03X}03C" for x, y, z in own.tolist())
        text.append(
            f"Recorded Data\nDevice Unique Serial Code:012967\nSequence Number:{number}\n"
            f"Page Time:{written(start_s + number * page_s)}\nUnassigned:\nTemperature:21.5\nBattery voltage:4.1493\n"
            f"Device Status:Recording\nMeasurement Frequency:{rate}\n{digits}\n"
        )
    return "".join(text).replace("\n", "\r\n").encode()


def avro_files(
    samples: Counts, *, rate_hz: float = 64.0, real_hz: float = 64.0, n_files: int = 3, start_s: float = START_S,
    codec: str = "null", slow: bool = True, **changes: object,
) -> dict[str, bytes]:  # fmt: skip
    """Return the `.avro` files of an EmbracePlus, by name; the schema is as much of Empatica's as is asked here.

    Parameters
    ----------
    samples : (n, 3) in counts of 1/2048 g.
    real_hz : the rate at which the files follow one another.
    slow : whether there are samples of electrodermal activity and temperature.
    changes : other values of the accelerometer.
    """
    imu = ("physicalMin", "int"), ("physicalMax", "int"), ("digitalMin", "int"), ("digitalMax", "int")
    counted = [("timestampStart", "long"), ("samplingFrequency", "float"), ("imuParams", _record("Params{}", imu))]
    axes = [(axis, {"type": "array", "items": "int"}) for axis in "xyz"]
    valued = [
        ("timestampStart", "long"),
        ("samplingFrequency", "float"),
        ("values", {"type": "array", "items": "float"}),
    ]
    raw = [
        (name, _record(name.title(), [(key, _named(kind, name)) for key, kind in fields]))
        for name, fields in {
            "accelerometer": [*counted, *axes], "gyroscope": [*counted, *axes], "eda": valued, "temperature": valued,
        }.items()
    ]  # fmt: skip
    fields = [
        ("deviceSn", "string"), ("enrollment", _record("Enrollment", [("participantID", "string")])),
        ("rawData", _record("RawData", raw)),
    ]  # fmt: skip
    schema = _record("Session", fields)
    found = {}
    for number, own in enumerate(np.array_split(samples, n_files)):
        at = start_s + number * (len(samples) // n_files) / real_hz
        stamp = {"timestampStart": round(at * 1e6), "samplingFrequency": rate_hz}
        params = {"physicalMin": -16, "physicalMax": 16, "digitalMin": -32768, "digitalMax": 32768}
        acceleration = {**stamp, "imuParams": params, **dict(zip("xyz", own.T.tolist(), strict=True)), **changes}
        record = {
            "deviceSn": "3YK3J151VJ",
            "enrollment": {"participantID": "001"},
            "rawData": {
                "accelerometer": acceleration,
                "gyroscope": {**stamp, "imuParams": params, "x": [], "y": [], "z": []},
                "eda": {**stamp, "samplingFrequency": 4.0, "values": [0.25 + number] * (len(own) // 16 * slow)},
                "temperature": {**stamp, "samplingFrequency": 1.0, "values": [33.5] * (len(own) // 64 * slow)},
            },
        }
        found[f"1-1-001_{int(at)}.avro"] = avro(schema, record, codec)
    return found


def _record(name: str, fields: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": key, "type": kind} for key, kind in fields]}


def _named(kind: Any, name: str) -> Any:
    """Return a kind under a name of its own, as Avro wants it."""
    return {**kind, "name": kind["name"].format(name)} if isinstance(kind, dict) and "name" in kind else kind


def avro(schema: dict[str, Any], record: dict[str, Any], codec: str = "null") -> bytes:
    """Return an Avro object container of one record, from the specification of Avro 1.11."""
    body = _avro_value(schema, record)
    if codec == "deflate":
        packing = zlib.compressobj(wbits=-15)
        body = packing.compress(body) + packing.flush()
    meta = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec.encode()}
    head = b"".join(_avro_long(len(part)) + part for key, value in meta.items() for part in (key.encode(), value))
    sync = bytes(range(16))
    block = _avro_long(1) + _avro_long(len(body)) + body + sync
    return b"Obj\x01" + _avro_long(len(meta)) + head + b"\0" + sync + block


def _avro_long(value: int) -> bytes:
    """Write a whole number: zigzag, seven bits a byte, the lowest first."""
    rest, out = (value << 1) ^ (value >> 63), bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*out, rest])


def _avro_value(kind: Any, value: Any) -> bytes:
    if kind in ("int", "long"):
        return _avro_long(value)
    if kind == "float":
        return struct.pack("<f", value)
    if kind == "string":
        return _avro_long(len(value)) + value.encode()
    if kind["type"] == "record":
        return b"".join(_avro_value(field["type"], value[field["name"]]) for field in kind["fields"])
    items = b"".join(_avro_value(kind["items"], item) for item in value)
    return (_avro_long(len(value)) + items if value else b"") + b"\0"


FIT_EPOCH_S = 631_065_600
FIT_TYPES = {
    "u1": (2, "B"),
    "u2": (0x84, "H"),
    "i2": (0x83, "h"),
    "u4": (0x86, "I"),
    "i4": (0x85, "i"),
    "f4": (0x88, "f"),
}


class Fit:
    """A FIT file as Garmin's protocol describes it: a definition before the first message of each kind."""

    def __init__(self, order: str = "<") -> None:
        self.body, self._order, self._local = bytearray(), order, dict[tuple[Any, ...], int]()

    def message(self, number: int, fields: dict[int, tuple[str, Sequence[float]]], developers: bytes = b"") -> None:
        """Write a message; of each field its type and its values."""
        how = tuple((name, kind, len(values)) for name, (kind, values) in fields.items())
        key = (number, how, len(developers))
        if key not in self._local:
            local = self._local[key] = len(self._local)
            self.body += struct.pack(f"{self._order}BBBHB", 0x40 | 0x20 * bool(developers) | local, 0,
                                     self._order == ">", number, len(how))  # fmt: skip
            for name, kind, n in how:
                base, letter = FIT_TYPES[kind]
                self.body += bytes([name, n * struct.calcsize(letter), base])
            self.body += bytes([1, 0, len(developers), 0]) if developers else b""
        self.body.append(self._local[key])
        for kind, values in fields.values():
            self.body += struct.pack(f"{self._order}{len(values)}{FIT_TYPES[kind][1]}", *values)
        self.body += developers

    def file(self) -> bytes:
        """Return the file with its header and checksum."""
        head = struct.pack("<BBHI4s", 14, 0x20, 21_000, len(self.body), b".FIT")
        data = head + struct.pack("<H", fit_crc(head)) + bytes(self.body)
        return data + struct.pack("<H", fit_crc(data))


def fit_crc(data: bytes) -> int:
    """Return the checksum, half a byte at a time as the protocol lists it."""
    table = [
        0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
        0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
    ]  # fmt: skip
    crc = 0
    for byte in data:
        for half in (byte & 0xF, byte >> 4):
            crc = (crc >> 4) ^ table[crc & 0xF] ^ table[half]
    return crc


def fit(
    samples: Counts,
    *,
    calibration: dict[int, tuple[str, Sequence[float]]] | None = None,
    sensor: int = 165,
    rate_hz: int = 25,
    start_s: float = START_S,
    holes: Sequence[int] = (),
    order: str = "<",
) -> bytes:
    """Return a file of raw counts, a message a second, and a pulse.

    Parameters
    ----------
    calibration : the fields of the message before the samples; None: there is none.
    """
    written = Fit(order)
    begun = int(start_s) - FIT_EPOCH_S
    written.message(0, {0: ("u1", [4]), 4: ("u4", [begun])})
    if calibration is not None:
        written.message(167, {253: ("u4", [begun]), **calibration})
    for second in range(len(samples) // rate_hz):
        if second in holes:
            continue
        own = samples[second * rate_hz : (second + 1) * rate_hz]
        offsets = [round(1000 * k / rate_hz) for k in range(rate_hz)]
        axes = {2 + axis: ("u2", own[:, axis].tolist()) for axis in range(3)}
        stamp = {253: ("u4", [begun + second]), 0: ("u2", [round(start_s % 1 * 1000)])}
        written.message(sensor, {**stamp, 1: ("u2", offsets), **axes})  # type: ignore[dict-item]
        written.message(20, {253: ("u4", [begun + second]), 3: ("u1", [70 + second % 5])}, developers=b"\x01\x02")
    return written.file()


def movesense(samples: Sequence[Sequence[float]], *, per_block: int = 4, rate_hz: float = 52.0, at_ms: int = 3000,
              name: str = "Acc", holes: Sequence[int] = ()) -> list[dict[str, Any]]:  # fmt: skip
    """Return the blocks of one sensor, each with the sensor's whole milliseconds of its first sample."""
    return [
        {
            f"Meas{name}": {
                "Timestamp": at_ms + round(1000 * first / rate_hz),
                f"Array{name}": [dict(zip("xyz", own, strict=True)) for own in samples[first : first + per_block]],
            }
        }
        for number, first in enumerate(range(0, len(samples), per_block))
        if number not in holes
    ]
