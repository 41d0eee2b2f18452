"""Write a recording as the apps, watches and data sets write theirs: each with its own unit, axis order and clock.

Each writer takes a Recording with m/s², rad/s and seconds and returns the text of its files by name. The app's clock
starts at `START_S` of Unix time, or at nothing where the format has none.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.har.recordings.upload import read_upload
from app.har.signals.types import Gravity, Recording, Stream
from tests import synthetic

START_S = 1_752_154_081.5
G = 9.80665
Table = NDArray[np.float64]


def upload(folder: Path, content: str | bytes | dict[str, str], name: str = "upload.zip") -> list[Recording]:
    """Read files as if a person had brought them."""
    path = folder / "stored"
    if isinstance(content, dict):
        content = zipped(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_upload(path, name)


def stream(recording: Recording, modality: str) -> Stream:
    """Return one of a recording's streams."""
    return next(s for s in recording.streams if s.modality == modality)


def kinds(recording: Recording) -> list[str]:
    """Return the kinds of a recording's problems."""
    return [problem.kind for problem in recording.problems]


def walk(gravity: Gravity = "included", rate_hz: float = 100.0, seconds: float = 12.0) -> Recording:
    """Return a walk with a clock that starts at zero."""
    return synthetic.recording("Walk", seconds=seconds, rate_hz=rate_hz, gravity=gravity)


def e4() -> Recording:
    """Return a wrist's recording in whole 64ths of g, with what else the watch measures."""
    base = walk(rate_hz=32.0, seconds=60.0).streams[0]
    values = np.round(base.values / G * 64).astype(np.float32) * np.float32(G / 64)
    body = {
        "heart_rate": (1.0, 10.0, 71.25),
        "electrodermal_activity": (4.0, 0.0, 0.5),
        "skin_temperature": (4.0, 0.0, 33.5),
    }
    streams = [replace(base, values=values)]
    for modality, (rate, start, level) in body.items():
        time = start + np.arange(round(50 * rate)) / rate
        streams.append(Stream(modality, time, (level + np.round(np.sin(time), 2)).astype(np.float32)[:, None]))
    return Recording("e4", "e4", tuple(streams), "included")


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """Return a zip archive of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED, 1)  # without the time of day
    return out.getvalue()


def rows(header: str, columns: Sequence[Sequence[str]], separator: str = ",", end: str = "\n") -> str:
    """Return columns of cells as text."""
    lines = [separator.join(cells) for cells in zip(*columns, strict=True)]
    return end.join([*([header] if header else []), *lines, ""])


def cells(values: NDArray[np.floating], form: str = ".9g") -> list[str]:
    """Return numbers as text."""
    return [format(value, form) for value in values.tolist()]


def _nanoseconds(time_s: Table) -> list[str]:
    return [str(round(START_S * 1e9) + round(t * 1e9)) for t in time_s.tolist()]


# Sensor Logger's name of each sensor; without gravity it is "Accelerometer"
SENSOR_LOGGER = {
    "accelerometer": "TotalAcceleration", "gyroscope": "Gyroscope", "linear_accelerometer": "Accelerometer",
    "gravity": "Gravity", "magnetometer": "Magnetometer",
}  # fmt: skip


SENSOR_LOGGER_SINGLE = {
    "heart_rate": ("HeartRate.csv", "bpm"), "pressure": ("Barometer.csv", "relativeAltitude", "pressure"),
    "sound_level": ("Microphone.csv", "dBFS"), "light": ("Light.csv", "lux"),
}  # fmt: skip


def _sensor_logger_name(recording: Recording, modality: str) -> str:
    free = modality == "accelerometer" and recording.gravity == "removed"
    return "Accelerometer" if free else SENSOR_LOGGER[modality]


def sensor_logger(recording: Recording, *, platform: str = "android", standardised: bool = False) -> dict[str, str]:
    """Return a Sensor Logger export: ns since 1970, columns z, y, x; on iOS with Apple's sign."""
    files = {
        "Metadata.csv": "version,device name,recording epoch time,recording time,recording timezone,platform,"
        "appVersion,device id,sensors,sampleRateMs,standardisation,platform version\n"
        f"3,phone,{round(START_S * 1e3)},2025-07-10_13-28-01,Europe/London,{platform},1.47,1,Accelerometer|Gyroscope,"
        f"10,{str(standardised).lower()},15\n"
    }
    for own in recording.streams:
        elapsed = cells(own.time_s + 0.04, ".12g")
        if own.modality in SENSOR_LOGGER_SINGLE:
            file, *headings = SENSOR_LOGGER_SINGLE[own.modality]
            columns = [_nanoseconds(own.time_s), elapsed, *([cells(own.values[:, 0])] * len(headings))]
            files[file] = rows(",".join(["time", "seconds_elapsed", *headings]), columns)
            continue
        apple = (
            platform == "ios"
            and not standardised
            and own.modality in ("accelerometer", "gravity", "linear_accelerometer")
        )
        values = -own.values if apple else own.values
        columns = [_nanoseconds(own.time_s), elapsed, *(cells(values[:, axis]) for axis in (2, 1, 0))]
        files[_sensor_logger_name(recording, own.modality) + ".csv"] = rows("time,seconds_elapsed,z,y,x", columns)
    return files


def sensor_logger_json(recording: Recording) -> str:
    """Return Sensor Logger's JSON export: every number is a text."""
    items: list[dict[str, str]] = [
        {"sensor": "Metadata", "platform": "android", "recording epoch time": "1752154081500"}
    ]
    for own in recording.streams:
        name = _sensor_logger_name(recording, own.modality)
        for stamp, t, (x, y, z) in zip(_nanoseconds(own.time_s), own.time_s.tolist(), own.values.tolist(), strict=True):
            values = {"z": f"{z:.9g}", "y": f"{y:.9g}", "x": f"{x:.9g}"}
            items.append({"sensor": name, "time": stamp, "seconds_elapsed": f"{t:.9f}", **values})
    return json.dumps(items)


PHYPHOX = {
    "accelerometer": ("Accelerometer", "Acceleration", "m/s^2"),
    "linear_accelerometer": ("Linear Acceleration", "Linear Acceleration", "m/s^2"),
    "gyroscope": ("Gyroscope", "Gyroscope", "rad/s"),
    "magnetometer": ("Magnetometer", "Magnetic field", "µT"),
}


def phyphox(
    recording: Recording,
    *,
    separator: str = ",",
    decimal: str = ".",
    units: Mapping[str, tuple[str, float]] | None = None,
    plain: bool = False,
) -> dict[str, str]:
    """Return a phyphox export.

    Parameters
    ----------
    units : by modality, what the heading says and by what values are multiplied.
    plain : headings without the sensor, "X (m/s^2)", as older versions write.
    """
    files = {
        "meta/time.csv": '"event","experiment time","system time","system time text"\n'
        f'"START",0.000000000E0,{START_S:.3f},"2025-07-10 13:28:01.500 UTC+00:00"\n'
        f'"PAUSE",9.000000000E0,{START_S + 9:.3f},"2025-07-10 13:28:10.500 UTC+00:00"\n',
        "meta/device.csv": '"property","value"\n"deviceModel","phone"\n',
    }
    for own in recording.streams:
        free = own.modality == "accelerometer" and recording.gravity == "removed"
        name, heading, unit = PHYPHOX["linear_accelerometer" if free else own.modality]
        unit, factor = (units or {}).get(own.modality, (unit, 1.0))
        titles = [f"{axis.upper()} ({unit})" if plain else f"{heading} {axis} ({unit})" for axis in "xyz"]
        header = separator.join(f'"{title}"' for title in ("Time (s)", *titles))
        numbers = np.column_stack([own.time_s, own.values.astype(np.float64) * factor])
        columns = [[c.replace("e", "E").replace(".", decimal) for c in cells(column, ".9e")] for column in numbers.T]
        files[f"{name}.csv"] = rows(header, columns, separator)
    return files


def physics_toolbox(recording: Recording, *, clock: str = "seconds") -> str:
    """Return a Physics Toolbox file: a row whenever any sensor speaks, each sensor's last value, zeros before.

    Parameters
    ----------
    clock : "seconds", "time" of day (hh:mm:ss:mmm, just before midnight), or "date" and time.
    """
    time = np.unique(np.concatenate([own.time_s for own in recording.streams]))
    columns: list[list[str]] = []
    heads: list[str] = []
    for own in recording.streams:
        free = own.modality == "linear_accelerometer" or recording.gravity == "removed"
        prefix, factor = {"gyroscope": ("w", 1.0)}.get(own.modality, ("a", 1.0) if free else ("gF", 1 / G))
        last = np.searchsorted(own.time_s, time, side="right") - 1
        values = np.where(last[:, None] >= 0, own.values[np.maximum(last, 0)] * factor, 0.0)
        heads += [f"{prefix}{axis}" for axis in "xyz"]
        columns += [cells(column, ".9f") for column in values.T]
    if clock == "seconds":
        stamps = cells(time, ".6f")
    else:
        of_day = time + 86_398.0 if clock == "time" else time
        parts = [(int(t // 3600) % 24, int(t // 60) % 60, int(t) % 60, round(t % 1 * 1e4)) for t in of_day.tolist()]
        stamps = [
            f"{h:02}:{m:02}:{s:02}:{f:04}" if clock == "time" else f"2018-10-03 {h:02}:{m:02}:{s:02}.{f:04}"
            for h, m, s, f in parts
        ]
    return rows("\n" + ",".join(["time", *heads, ""]), [stamps, *columns, [""] * len(time)])


AWARE = {
    "accelerometer": "accelerometer", "gyroscope": "gyroscope", "linear_accelerometer": "linear_accelerometer",
    "gravity": "gravity", "magnetometer": "magnetometer", "pressure": "barometer", "light": "light",
}  # fmt: skip


def aware(recording: Recording, *, unit_g: bool = False) -> dict[str, str]:
    """Return AWARE's tables: ms since 1970; acceleration in g with Apple's sign where the phone is an iPhone."""
    files = {}
    for own in recording.streams:
        free = own.modality == "accelerometer" and recording.gravity == "removed"
        factor = -1 / G if unit_g and own.kind in ("accelerometer", "linear_accelerometer", "gravity") else 1.0
        columns = [
            [str(round(START_S * 1e3 + t * 1e3)) for t in own.time_s.tolist()],
            ["8a3f"] * len(own.time_s),
            *(cells(column) for column in own.values.T * factor),
            ["3"] * len(own.time_s),
        ]
        axes = [f"double_values_{i}" for i in range(own.values.shape[1])]
        header = ",".join(["timestamp,device_id", *(["double_light_lux"] if own.kind == "light" else axes), "accuracy"])
        files[("linear_accelerometer" if free else AWARE[own.modality]) + ".csv"] = rows(header, columns)
    return files


def hhar(recording: Recording) -> dict[str, str]:
    """Return HHAR's two files: ms of arrival, ns of the sensor."""
    files = {}
    for own in recording.streams:
        n = len(own.time_s)
        labels = [str(recording.activity or "null").lower()] * n
        if own.labels is not None:
            labels = [recording.activities[code] if code >= 0 else "null" for code in own.labels.tolist()]
        columns = [
            [str(i) for i in range(n)],
            [str(round(START_S * 1e3 + t * 1e3)) for t in own.time_s.tolist()],
            [str(27_920_678_471_000 + round(t * 1e9)) for t in own.time_s.tolist()],
            *(cells(column) for column in own.values.T),
            ["a"] * n, ["nexus4"] * n, ["nexus4_1"] * n, labels,
        ]  # fmt: skip
        header = "Index,Arrival_Time,Creation_Time,x,y,z,User,Model,Device,gt"
        files[f"Phones_{own.modality}.csv"] = rows(header, columns)
    return files


def motion_sense(recording: Recording) -> str:
    """Return a MotionSense trial: g with Apple's sign, gravity apart, no clock."""
    total = stream(recording, "accelerometer").values.astype(np.float64)
    gravity = np.broadcast_to(total.mean(axis=0), total.shape)
    parts = {
        "attitude": np.zeros_like(total), "gravity": -gravity / G,
        "rotationRate": stream(recording, "gyroscope").values, "userAcceleration": -(total - gravity) / G,
    }  # fmt: skip
    names = [
        "",
        *(f"{name}.{axis}" for name in parts for axis in (["roll", "pitch", "yaw"] if name == "attitude" else "xyz")),
    ]
    columns = [[str(i) for i in range(len(total))], *(cells(column) for part in parts.values() for column in part.T)]
    return rows(",".join(names), columns)


def wisdm(recording: Recording, user: str = "33", activity: str | None = None) -> str:
    """Return one sensor's rows in WISDM's layout: ns of the phone's clock, rows that end in a semicolon."""
    own = recording.streams[0]
    n = len(own.time_s)
    columns = [
        [user] * n, [activity or recording.activity or "Walking"] * n,
        [str(49_105_962_326_000 + round(t * 1e9)) for t in own.time_s.tolist()], *(cells(c) for c in own.values.T),
    ]  # fmt: skip
    return rows("", columns, end=";\n")


def wisdm_watch(recording: Recording, user: str, letter: str, *, clock: bool) -> str:
    """Return a person's rows of one sensor and activity as in WISDM's watch, whose gyroscopes alone have a clock."""
    own = recording.streams[0]
    n = len(own.time_s)
    stamps = [[str(90_426_757_696_641 + round(t * 1e9)) for t in own.time_s.tolist()]] if clock else []
    return rows("", [[user] * n, [letter] * n, *stamps, *(cells(c) for c in own.values.T)], end=";\n")


def oxford_walk(recording: Recording) -> str:
    """Return an Android log: ns of the phone's clock, accuracy, m/s²."""
    own = stream(recording, "accelerometer")
    stamps = [str(263_239_144_953_734 + round(t * 1e9)) for t in own.time_s.tolist()]
    return rows("", [stamps, ["3"] * len(stamps), *(cells(c) for c in own.values.T)])


def stm_har(recording: Recording, header: str = "", separator: str = ",") -> str:
    """Return a file of STM's examples: whole mg, clipped at 4 g."""
    values = np.clip(stream(recording, "accelerometer").values / G * 1e3, -4000, 4000)
    return rows(header, [[f"{value:5.0f}" for value in column] for column in values.T.tolist()], separator)


def pamap2(recording: Recording, heart_rate_bpm: float = 100.0) -> str:
    """Return a PAMAP2 file; what the recording lacks of the 54 columns is NaN."""
    time = recording.streams[0].time_s
    table = np.full((len(time), 54), np.nan)
    table[:, 0] = time
    table[:, 1] = 4
    table[::11, 2] = heart_rate_bpm
    firsts = {"hand": 3, "chest": 20, "ankle": 37}
    offsets = {"accelerometer": 1, "gyroscope": 7, "magnetometer": 10}
    for own in recording.streams:
        device, _, sensor = own.modality.rpartition(".")
        if sensor in offsets:
            first = firsts[device or "hand"] + offsets[sensor]
            table[:, first : first + 3] = own.values
    text = [["NaN" if value != value else f"{value:.9g}" for value in column] for column in table.T.tolist()]
    text[1] = ["4"] * len(time)
    return rows("", text, " ")


def empatica(recording: Recording) -> dict[str, str]:
    """Return an E4 export: whole 64ths of g; heart rate from ten seconds on."""
    names = {
        "accelerometer": ("ACC", 64 / G, ".0f"), "heart_rate": ("HR", 1.0, ".2f"),
        "electrodermal_activity": ("EDA", 1.0, ".6f"), "skin_temperature": ("TEMP", 1.0, ".2f"),
    }  # fmt: skip
    files = {"info.txt": "Format of the files\n", "tags.csv": f"{START_S + 3:.2f}\r\n"}
    for own in recording.streams:
        if own.modality not in names:
            continue
        name, factor, form = names[own.modality]
        width = own.values.shape[1]
        rate = round(1 / float(np.median(np.diff(own.time_s))), 6)
        head = [", ".join([f"{START_S + own.time_s[0]:.6f}"] * width), ", ".join([f"{rate:.6f}"] * width)]
        columns = [cells(column * factor, form) for column in own.values.T.astype(np.float64)]
        files[f"{name}.csv"] = rows("\n".join(head), columns)
    return files


def sisfall(recording: Recording) -> str:
    """Return a SisFall file: bits of both accelerometers and the gyroscope."""
    acceleration = stream(recording, "accelerometer").values.astype(np.float64) / G
    rotation = np.degrees(stream(recording, "gyroscope").values.astype(np.float64))
    bits = np.column_stack([acceleration * 256, rotation * 2**16 / 4000, acceleration * 1024])
    columns = [[f"{value:4.0f}" for value in column] for column in bits.T.tolist()]
    return rows("", columns, end=";\r\n")


def hapt(recording: Recording, experiment: int = 1, user: int = 7) -> dict[str, str]:
    """Return HAPT's pair of files: g, numbers between spaces, no clock."""
    name = f"exp{experiment:02d}_user{user:02d}.txt"
    acceleration = stream(recording, "accelerometer").values.astype(np.float64) / G
    rotation = stream(recording, "gyroscope").values.astype(np.float64)
    return {
        f"acc_{name}": rows("", [cells(column) for column in acceleration.T], " "),
        f"gyro_{name}": rows("", [cells(column) for column in rotation.T], " "),
    }


def uci_har_windows(recording: Recording, subject: int = 5, label: int = 1, part: str = "train") -> dict[str, str]:
    """Return UCI HAR's windows: 128 samples, half of them the next window's, a file an axis."""
    sensors = {"total_acc": ("accelerometer", 1 / G), "body_gyro": ("gyroscope", 1.0)}
    files: dict[str, str] = {}
    n = 0
    for name, (modality, factor) in sensors.items():
        values = stream(recording, modality).values.astype(np.float64) * factor
        starts = range(0, len(values) - 127, 64)
        n = len(starts)
        for axis, letter in enumerate("xyz"):
            lines = [
                "".join(f"{value:16.7e}" for value in values[start : start + 128, axis].tolist()) for start in starts
            ]
            files[f"{part}/Inertial Signals/{name}_{letter}_{part}.txt"] = "\n".join(lines) + "\n"
    files[f"{part}/subject_{part}.txt"] = f"{subject}\n" * n
    files[f"{part}/y_{part}.txt"] = f"{label}\n" * n
    return files


def workbook(sheets: Mapping[str, Sequence[Sequence[str | float]]]) -> bytes:
    """Return an Excel workbook (.xlsx) of these tables."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    numbers = list(enumerate(sheets, 1))
    names = "".join(f'<sheet name="{name}" sheetId="{i}" r:id="rId{i}"/>' for i, name in numbers)
    parts = "".join(
        f'<Relationship Id="rId{i}" Type="{office}/worksheet" Target="worksheets/sheet{i}.xml"/>' for i, _ in numbers
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="{kind}.worksheet+xml"/>' for i, _ in numbers
    )
    files = {
        "[Content_Types].xml": f'{head}<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
        f'ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f"{types}</Types>",
        "_rels/.rels": f'{head}<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{head}<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{head}<Relationships xmlns="{package}/relationships">{parts}</Relationships>',
    }
    for i, name in numbers:
        lines = "".join(f'<row r="{r}">{_row(r, row)}</row>' for r, row in enumerate(sheets[name], 1))
        files[f"xl/worksheets/sheet{i}.xml"] = (
            f'{head}<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>'
        )
    return zipped(files)


def _row(number: int, row: Sequence[str | float]) -> str:
    return "".join(
        f'<c r="{chr(65 + i)}{number}" t="inlineStr"><is><t>{cell}</t></is></c>'
        if isinstance(cell, str)
        else f'<c r="{chr(65 + i)}{number}"><v>{cell!r}</v></c>'
        for i, cell in enumerate(row)
    )


def old_workbook(sheets: Mapping[str, Sequence[Sequence[str | float]]]) -> bytes:
    """Return an Excel 97 workbook (.xls): BIFF8 records in a compound file of one stream."""

    def record(kind: int, data: bytes) -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def cell(r: int, c: int, value: str | float) -> bytes:
        if isinstance(value, str):
            text = value.encode("utf-16-le")
            return record(0x0204, struct.pack("<HHHHB", r, c, 0, len(value), 1) + text)
        return record(0x0203, struct.pack("<HHHd", r, c, 0, value))

    def begin(kind: int) -> bytes:
        return record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0, 1997, 0, 0))

    end = record(0x000A, b"")
    bodies = [
        begin(0x10) + b"".join(cell(r, c, value) for r, row in enumerate(own) for c, value in enumerate(row)) + end
        for own in sheets.values()
    ]
    place = len(begin(5)) + sum(12 + len(name) for name in sheets) + len(end)
    book = begin(5)
    for name, body in zip(sheets, bodies, strict=True):
        book += record(0x0085, struct.pack("<IHBB", place, 0, len(name), 0) + name.encode("latin-1"))
        place += len(body)
    stream_bytes = book + end + b"".join(bodies)
    stream_bytes += bytes(max(0, 4096 - len(stream_bytes)))  # shorter ones would lie in another place
    sectors = -(-len(stream_bytes) // 512)
    tables = next(n for n in range(1, 110) if n * 128 >= sectors + 1 + n)
    chain = [*range(1, sectors), 0xFFFFFFFE, 0xFFFFFFFE, *([0xFFFFFFFD] * tables)]
    chain += [0xFFFFFFFF] * (tables * 128 - len(chain))
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6, 0, tables, sectors,
        0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0,
    )  # fmt: skip
    header += b"".join(struct.pack("<I", sectors + 1 + i if i < tables else 0xFFFFFFFF) for i in range(109))

    def entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
        text = name.encode("utf-16-le")
        length = len(text) + 2 if name else 0
        return struct.pack("<64sHBBIII16xI16xIQ", text, length, kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child, 0, start, size)

    folder = entry("Root Entry", 5, 1, 0xFFFFFFFE, 0) + entry("Workbook", 2, 0xFFFFFFFF, 0, len(stream_bytes))
    folder += entry("", 0, 0xFFFFFFFF, 0, 0) * 2
    return header + stream_bytes.ljust(sectors * 512, b"\0") + folder + struct.pack(f"<{len(chain)}I", *chain)
