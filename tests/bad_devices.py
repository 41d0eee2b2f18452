"""Damaged files of research devices: the bad-input table for what is read as the device wrote it."""

from __future__ import annotations

import gzip
import struct

import numpy as np

from tests import devices
from tests.bad_inputs import BadInput, zipped
from tests.devices import START_S

WALK = np.rint(
    np.sin(np.arange(1200) / 9)[:, None] * (90, 160, 120)
    + np.random.default_rng(2).normal(0, 9, (1200, 3))
    + (0, 0, 256)
).astype(int)
LOG = devices.gt3x_log(WALK, 30)


def _cwa(**changes: bytes) -> bytes:
    """Return a `.cwa` with some bytes changed: at_1030=…; what stands after them keeps its place."""
    data = bytearray(devices.cwa(WALK))
    for key, new in changes.items():
        at = int(key.removeprefix("at_"))
        data[at : at + len(new)] = new
    return bytes(data)


def _gt3x(log: bytes | None = None, **info: str) -> bytes:
    text = devices.gt3x_info(30, START_S, **info)
    return zipped({"info.txt": text, "log.bin": LOG if log is None else log})


def _geneactiv(old: bytes, new: bytes, times: int = -1) -> bytes:
    return devices.geneactiv(WALK).replace(old, new, times)


def _avro(**changes: object) -> bytes:
    """Return a file whose only sensor is the accelerometer, with some of its values changed."""
    (data,) = devices.avro_files(WALK, n_files=1, slow=False, **changes).values()
    return data


REFUSED_DEVICES = (
    BadInput("Axivity, no block", "a.cwa", devices.cwa_header, message="expected blocks of 512 bytes"),
    BadInput("Axivity, a header alone, cut off", "a.cwa", lambda: devices.cwa_header()[:600], message="found nothing"),
    BadInput("Axivity, zeros", "a.cwa", lambda: devices.cwa_header() + bytes(5120), message="found no block"),
    BadInput("Axivity, noise", "a.cwa", lambda: devices.cwa_header() + np.random.default_rng(0).bytes(9999),
             message="byte 1,024"),
    BadInput("Axivity, one sample", "a.cwa", lambda: devices.cwa(WALK[:1]), message="1 sample"),
    BadInput("Axivity, gzip cut off", "a.cwa.gz", lambda: gzip.compress(devices.cwa(WALK))[:-900], message="a.cwa"),
    BadInput("ActiGraph, no rate", "a.gt3x", lambda: _gt3x(Sample_Rate="fast"), message="expected a 'Sample Rate'"),
    BadInput("ActiGraph, a rate of nothing", "a.gt3x", lambda: _gt3x(Sample_Rate="0"), message="found '0'"),
    BadInput("ActiGraph, no record", "a.gt3x", lambda: _gt3x(b""), message="found 0 other records"),
    BadInput("ActiGraph, no activity", "a.gt3x", lambda: _gt3x(devices.gt3x_record(2, 9, b"\x01\x10")),
             message="found 1 other record"),
    BadInput("ActiGraph, noise", "a.gt3x", lambda: _gt3x(np.random.default_rng(0).bytes(99_999)), message="log.bin"),
    BadInput("ActiGraph, separators alone", "a.gt3x", lambda: _gt3x(b"\x1e" * 99_999), message="log.bin"),
    BadInput("ActiGraph, uncalibrated", "a.gt3x",
             lambda: zipped({"info.txt": devices.gt3x_info(30, START_S), "log.bin": b"\x1e",
                             "calibration.json": '{"isCalibrated": false}'}), message="CentrePoint"),
    BadInput("ActiGraph, older layout without samples", "a.gt3x",
             lambda: zipped({"info.txt": devices.gt3x_info(30, START_S), "activity.bin": b"\0" * 4}),
             message="0 sample"),
    BadInput("GENEActiv, no page", "a.bin", lambda: devices.geneactiv(WALK[:0]), message="found no page"),
    BadInput("GENEActiv, no calibration", "a.bin", lambda: _geneactiv(b"y gain:25734", b"y gain:"),
             message="expected the line 'y gain:'"),
    BadInput("GENEActiv, a gain of nothing", "a.bin", lambda: _geneactiv(b"y gain:25734", b"y gain:0"),
             message="found 0"),
    BadInput("GENEActiv, pages without times", "a.bin", lambda: _geneactiv(b"Page Time:2024", b"Page Time:soon"),
             message="page 1 lacks Page Time"),
    BadInput("GENEActiv, pages of no rate", "a.bin", lambda: _geneactiv(b"Frequency:85.7\r", b"Frequency:0\r"),
             message="page 1 states 0 Hz"),
    BadInput("Avro of another program", "a.avro",
             lambda: devices.avro({"type": "record", "name": "User", "fields": [{"name": "age", "type": "int"}]},
                                  {"age": 7}), message="expected a field rawData, found age"),
    BadInput("Avro, a head alone", "a.avro", lambda: b"Obj\x01\x04\x16avro.schema" + bytes(range(200)),
             message="as an EmbracePlus writes it"),
    BadInput("EmbracePlus, cut off", "a.avro", lambda: _avro()[:3000], message="damaged or cut off"),
    BadInput("EmbracePlus, a rate of nothing", "a.avro", lambda: _avro(samplingFrequency=0.0),
             message="expected a samplingFrequency"),
    BadInput("EmbracePlus, counts of nothing", "a.avro",
             lambda: _avro(imuParams=dict.fromkeys(("physicalMin", "physicalMax", "digitalMin", "digitalMax"), 0)),
             message="expected imuParams"),
    BadInput("EmbracePlus, more x than y", "a.avro", lambda: _avro(x=[1] * 9), message="as many x as y"),
)  # fmt: skip
MENDED_DEVICES = (
    BadInput("Axivity, cut off in a block", "a.cwa", lambda: devices.cwa(WALK)[:-100], problem="corrupt rows"),
    BadInput("Axivity, a damaged block", "a.cwa", lambda: _cwa(at_3000=b"\xff\xff"), problem="corrupt rows"),
    BadInput("Axivity, a block without a time", "a.cwa",
             lambda: devices.cwa_header() + b"".join(
                 devices.cwa_block(WALK[k : k + 80], START_S + k / 100, k // 80, rate=0x4A) if k != 320 else
                 _without_time(WALK[k : k + 80], k // 80) for k in range(0, 1200, 80)), problem="corrupt rows"),
    BadInput("Axivity, a clock that was set during the recording", "a.cwa",
             lambda: devices.cwa(WALK) + devices.cwa(WALK, start_s=START_S - 3600)[1024:], problem="clock restart"),
    BadInput("ActiGraph, cut off in a record", "a.gt3x", lambda: _gt3x(LOG[:-200]),
             problem="corrupt rows"),
    BadInput("ActiGraph, noise between records", "a.gt3x",
             lambda: _gt3x(LOG + b"\x1e\x07noise" + devices.gt3x_log(WALK, 30, START_S + 60)),
             problem="corrupt rows"),
    BadInput("GENEActiv, cut off in a page", "a.bin", lambda: devices.geneactiv(WALK)[:-5000], problem="cut off"),
    BadInput("GENEActiv, a damaged page", "a.bin", lambda: _geneactiv(b"Page Time:", b"Page Tome:", 1),
             problem="corrupt rows"),
    BadInput("GENEActiv, letters among the digits", "a.bin", lambda: _geneactiv(b"03C", b"0zC", 1),
             problem="corrupt rows"),
)  # fmt: skip


def _without_time(samples: devices.Counts, number: int) -> bytes:
    """Return a block whose stamp says month 0, its checksum right."""
    block = bytearray(devices.cwa_block(samples, START_S, number))
    block[14:18] = bytes(4)
    block[510:512] = bytes(2)
    total = int(np.frombuffer(bytes(block), "<u2").sum(dtype=np.uint32)) & 0xFFFF
    return bytes(block[:510]) + struct.pack("<H", -total & 0xFFFF)
