"""Damaged and hostile exports of apps, watches and data sets: the bad-input table for the formats beside Kinelab's."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import numpy as np

from tests import exports, synthetic
from tests.bad_inputs import BadInput, zipped

WALK = synthetic.recording("Walk", seconds=8.0, rate_hz=100.0, gravity="included")
SLOW = synthetic.recording("Walk", seconds=12.8, rate_hz=50.0, gravity="included")
CONTENT_TYPES = {"[Content_Types].xml": "<x/>"}
HEADING = "time,seconds_elapsed,z,y,x\n"


def _logger() -> str:
    return exports.sensor_logger(WALK)["TotalAcceleration.csv"]


def _phyphox(**options: str) -> str:
    return exports.phyphox(WALK, **options)["Accelerometer.csv"]  # type: ignore[arg-type]


def _toolbox() -> str:
    return exports.physics_toolbox(WALK)


def _e4() -> dict[str, str]:
    acceleration = synthetic.recording("Walk", seconds=20.0, rate_hz=32.0, gravity="included")
    return exports.empatica(acceleration)


def _cells(text: str, column: int, change: Callable[[int, str], str], separator: str = ",", first: int = 1) -> bytes:
    """Change a column of the rows after the header."""
    lines = text.splitlines()
    for number in range(first, len(lines)):
        row = lines[number].split(separator)
        row[column] = change(number, row[column])
        lines[number] = separator.join(row)
    return ("\n".join(lines) + "\n").encode()


def _with_columns(text: str, headings: str, end: str = "") -> str:
    """Add columns of ones after those that there are."""
    header, *lines = [line.removesuffix(end) for line in text.splitlines()]
    ones = ",1" * len(headings.split(","))
    return "\n".join([f"{header},{headings}{end}", *(line + ones + end for line in lines)]) + "\n"


def _line(text: str, number: int, line: str) -> bytes:
    lines = text.splitlines()
    lines[number - 1] = line
    return ("\n".join(lines) + "\n").encode()


def _wide_workbook() -> bytes:
    """Return a workbook of two cells, seventeen thousand million apart."""
    sheet = exports.workbook({"Gyroscope": [["Time (s)", 1.0]]})
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    return _with_sheet(sheet, lambda text: text.replace(b"</sheetData>", far))


def _workbook_with_a_stray_cell() -> bytes:
    """Return a workbook of 900 rows, one of them with a cell in the last column: 15 million blank cells."""
    rows: list[list[str | float]] = [["Time (s)", "X (g)"], *[[i / 100, 0.1] for i in range(900)]]
    return _with_sheet(
        exports.workbook({"Gyroscope": rows}),
        lambda text: text.replace(b"</sheetData>", b'<row r="902"><c r="XFD902"><v>1</v></c></row></sheetData>'),
    )


def _workbook_of_texts() -> bytes:
    """Return a workbook that repeats a long text ten thousand times."""
    cells = b"".join(b'<row r="%d"><c r="A%d" t="s"><v>0</v></c></row>' % (i, i) for i in range(2, 10_000))
    sheet = exports.workbook({"Gyroscope": [["Time (s)", 1.0]]})
    book = _with_sheet(sheet, lambda text: text.replace(b"</sheetData>", cells + b"</sheetData>"))
    return _added(book, "xl/sharedStrings.xml", "<sst><si><t>" + "long " * 20_000 + "</t></si></sst>")


def _members(data: bytes) -> dict[str, bytes]:
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _with_sheet(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    files = _members(data)
    files["xl/worksheets/sheet1.xml"] = change(files["xl/worksheets/sheet1.xml"])
    return zipped(dict(files))


def _added(data: bytes, name: str, text: str) -> bytes:
    return zipped({**_members(data), name: text})


def _windows(**changes: str | None) -> bytes:
    """Return UCI HAR's windows with some files changed or left out, by their stems."""
    files = exports.uci_har_windows(SLOW)
    for stem, text in changes.items():
        name = next(name for name in files if name.endswith(f"/{stem}_train.txt"))
        if text is None:
            del files[name]
        else:
            files[name] = text
    return zipped(dict(files))


def _nan_pamap2() -> bytes:
    lines = exports.pamap2(WALK).splitlines()
    return "\n".join(" ".join([*line.split()[:3], *["NaN"] * 51]) for line in lines).encode()


REFUSED_EXPORTS = (
    BadInput(
        "text before a header that lacks a name",
        "walk.csv",
        lambda: ("# us\n" + synthetic.kinelab_csv(None).replace("acc_y,", "", 1)).encode(),
        message="the header 6; expected a cell for each heading",
    ),
    BadInput(
        "a hundred and twenty lines of text before the header",
        "walk.csv",
        lambda: ("# note\n" * 120 + synthetic.kinelab_csv()).encode(),
        message="walk.csv",
    ),
    BadInput("text, a header, no rows", "walk.csv", lambda: b"# us\n\ntime_s,acc_x,acc_y\n", message="walk.csv"),
    BadInput("Sensor Logger, header only", "Gyroscope.csv", lambda: HEADING.encode(), message="no data row"),
    BadInput(
        "Sensor Logger, metadata only",
        "Metadata.csv",
        lambda: exports.sensor_logger(WALK)["Metadata.csv"].encode(),
        message="no sensor's file",
    ),
    BadInput(
        "Sensor Logger, words for numbers",
        "acc.csv",
        lambda: (HEADING + "1752154081500000000,0.1,a,b,c\n" * 30).encode(),
        message="line 2",
    ),
    BadInput(
        "Sensor Logger, one time throughout",
        "acc.csv",
        lambda: _cells(_logger(), 0, lambda n, c: "1752154081500000000"),
        message="never advances",
    ),
    BadInput(
        "Sensor Logger, a name with control characters and nothing in it",
        "a\x07c\x1b[31m.csv",
        lambda: b"",
        message="ac[31m.csv",
    ),
    BadInput(
        "Sensor Logger, headings swapped for others",
        "acc.csv",
        lambda: _logger().replace("seconds_elapsed", "elapsed").encode(),
        message="none of the layouts",
    ),
    BadInput(
        "Sensor Logger, 5,000 columns",
        "wide.csv",
        lambda: (HEADING.strip() + "," * 5000 + "\n" + "1," * 5004 + "1\n").encode(),
        message="columns",
    ),
    BadInput(
        "Sensor Logger, all files of a zip empty",
        "walk.zip",
        lambda: zipped({"a/Gyroscope.csv": "", "a/Accelerometer.csv": ""}),
        message="empty",
    ),
    BadInput("JSON cut off", "walk.json", lambda: exports.sensor_logger_json(WALK)[:-40].encode(), message="line 1"),
    BadInput("JSON of another app", "steps.json", lambda: b'[{"steps": 12}, {"steps": 13}]', message='no "sensor"'),
    BadInput("JSON of numbers", "list.json", lambda: b"[[1, 2, 3], [4, 5, 6]]", message="list of objects"),
    BadInput(
        "JSON nested 100,000 deep", "deep.json", lambda: b'[{"sensor": ' + b"[" * 100_000, message="list of objects"
    ),
    BadInput("JSON of brackets", "brackets.json", lambda: b"[" * 5_000_000, message="without readings"),
    BadInput(
        "JSON of one huge object",
        "huge.json",
        lambda: b'[{"sensor": "' + b"x" * 5_000_000 + b'"}]',
        message="list of objects",
    ),
    BadInput(
        "JSON with text for readings",
        "text.json",
        lambda: json.dumps([{"sensor": "Gyroscope", "time": "soon", "x": "a", "y": None, "z": [1]}] * 30).encode(),
        message="Gyroscope",
    ),
    BadInput(
        "phyphox, header only",
        "Accelerometer.csv",
        lambda: b'"Time (s)","X (m/s^2)","Y (m/s^2)","Z (m/s^2)"\n',
        message="no data row",
    ),
    BadInput(
        "phyphox, decimal commas between commas",
        "Accelerometer.csv",
        lambda: _phyphox(decimal=",").encode(),
        message="cells",
    ),
    BadInput(
        "phyphox, no unit",
        "Accelerometer.csv",
        lambda: _phyphox().replace(" (m/s^2)", "").encode(),
        message="none of the layouts",
    ),
    BadInput(
        "phyphox, an axis missing",
        "Accelerometer.csv",
        lambda: _phyphox().replace("Acceleration z (m/s^2)", "Pressure (hPa)").encode(),
        message="Pressure",
    ),
    BadInput(
        "phyphox, only its times",
        "walk.zip",
        lambda: zipped({"meta/time.csv": exports.phyphox(WALK)["meta/time.csv"]}),
        message="no sensor's file",
    ),
    BadInput("Physics Toolbox, header only", "record.csv", lambda: b"\ntime,gFx,gFy,gFz,\n", message="no data row"),
    BadInput(
        "Physics Toolbox, times as dates",
        "record.csv",
        lambda: _cells(_toolbox(), 0, lambda n, c: "2018-10-03", first=2),
        message="unusable",
    ),
    BadInput(
        "Physics Toolbox, times without seconds",
        "record.csv",
        lambda: _cells(_toolbox(), 0, lambda n, c: "17:23", first=2),
        message="unusable",
    ),
    BadInput(
        "AWARE, no time",
        "accelerometer.csv",
        lambda: _cells(exports.aware(WALK)["accelerometer.csv"], 0, lambda n, c: ""),
        message="unusable",
    ),
    BadInput(
        "E4 without a rate",
        "ACC.csv",
        lambda: b"1644226061.0, 1644226061.0, 1644226061.0\n" + b"-2,43,43\n" * 90,
        message="line 2: expected the sampling rate",
    ),
    BadInput(
        "E4 with a rate of zero",
        "HR.csv",
        lambda: b"1644226061.0\n0.0\n" + b"71.0\n" * 90,
        message="line 2: expected the sampling rate",
    ),
    BadInput("E4, only the tags", "tags.csv", lambda: b"1644226140.10\r\n1644226435.20\r\n", message="none of ACC"),
    BadInput("E4, no value after the rate", "TEMP.csv", lambda: b"1644226061.0\n4.0\n", message="row(s)"),
    BadInput(
        "UCI HAR windows, an axis short of rows",
        "windows.zip",
        lambda: _windows(total_acc_x="1.0 " * 127 + "1.0\n"),
        message="differ in their number",
    ),
    BadInput(
        "UCI HAR windows, text in a window",
        "windows.zip",
        lambda: _windows(total_acc_x=("1.0 " * 127 + "x\n") * 9),
        message="line 1",
    ),
    BadInput("UCI HAR windows, too few labels", "windows.zip", lambda: _windows(y="1\n1\n"), message="rows for"),
    BadInput("UCI HAR, labels only", "y_train.txt", lambda: b"5\n5\n5\n", message="no windows"),
    BadInput("HAPT, labels only", "labels.txt", lambda: b"1 1 5 250 1232\n1 1 7 1233 1392\n", message="no acc_exp"),
    BadInput("HAPT, one row", "acc_exp01_user01.txt", lambda: b"0.9 0.1 0.2\n", message="1 row"),
    BadInput("PAMAP2 without a value", "subject101.dat", _nan_pamap2, message="rows are unusable"),
    BadInput("WISDM, every time stamp zero", "raw.txt", lambda: b"33,Walking,0,0,0,0;\n" * 50, message="usable rows"),
    BadInput(
        "workbook, cut off", "walk.xlsx", lambda: exports.workbook({"a": [["Time (s)", 1.0]]})[:-300], message="damaged"
    ),
    BadInput("workbook of two cells at its ends", "wide.xlsx", _wide_workbook, message="too much memory"),
    BadInput(
        "workbook with a stray cell", "stray.xlsx", _workbook_with_a_stray_cell, message="damaged or asks for too"
    ),
    BadInput("workbook of one text ten thousand times", "texts.xlsx", _workbook_of_texts, message="too much"),
    BadInput(
        "workbook without a sheet of sensors",
        "cost.xlsx",
        lambda: exports.workbook({"Cost": [["item", "price"], ["tea", 2.5]]}),
        message="none of the layouts",
    ),
    BadInput(
        "workbook that is none",
        "walk.xlsx",
        lambda: zipped({"[Content_Types].xml": "<x/>", "xl/workbook.xml": "<x/>"}),
        message="spreadsheet",
    ),
    BadInput(
        "old workbook, cut off",
        "walk.xls",
        lambda: exports.old_workbook({"a": [["Time (s)", 1.0]] * 9})[:700],
        message="spreadsheet",
    ),
    BadInput(
        "old workbook of noise",
        "walk.xls",
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + np.random.default_rng(0).bytes(5000),
        message="spreadsheet",
    ),
    BadInput(
        "text document",
        "notes.docx",
        lambda: zipped({**CONTENT_TYPES, "word/document.xml": "<x/>"}),
        message="Office document",
    ),
    BadInput(
        "ActiGraph's own format",
        "person.gt3x",
        lambda: zipped({"info.txt": "Serial Number: 1\n", "log.bin": b"\x1e\x00"}),
        message="'Sample Rate'",
    ),
    BadInput(
        "gzip in a zip",
        "walk.zip",
        lambda: zipped({"walk.csv.gz": gzip.compress(_logger().encode())}),
        message="unpack it first",
    ),
    BadInput("gzip, cut off", "walk.csv.gz", lambda: gzip.compress(_logger().encode())[:-5000], message="walk.csv"),
    BadInput(
        "gzip that declares less",
        "walk.csv.gz",
        lambda: gzip.compress(bytes(2**20))[:-4] + b"\0\1\0\0",
        message="walk.csv",
    ),
    BadInput("gzip, a bomb of 65 MiB", "walk.csv.gz", lambda: gzip.compress(bytes(65 * 2**20)), message="expand"),
    BadInput("SQLite export", "walk.sqlite", lambda: b"SQLite format 3\0" + bytes(500), message="SQLite database"),
    BadInput("KML export", "walk.kml", lambda: b'<?xml version="1.0"?>\n<kml><Document/></kml>\n', message="walk.kml"),
    BadInput("byte order mark alone", "mark.csv", lambda: b"\xef\xbb\xbf", message="mark.csv"),
    BadInput(
        "zip of a zip of exports",
        "outer.zip",
        lambda: zipped({"walk.zip": zipped(dict(exports.sensor_logger(WALK)))}),
        message="another archive",
    ),
    BadInput("zip of empty folders", "empty.zip", lambda: zipped({"a/": "", "b/": ""}), message="no file"),
)

MENDED_EXPORTS = (
    BadInput(
        "text before the header",
        "walk.csv",
        lambda: ("Logger 3000\nStart time,2024-05-31 12:00\n\n" + synthetic.kinelab_csv()).encode(),
        problem="text before the table",
    ),
    BadInput(
        "comments before the header, one with half a quote",
        "walk.csv",
        lambda: ('# a 5" watch, left\r\n# 50 Hz\r\n' + synthetic.kinelab_csv().replace("\n", "\r\n")).encode(),
        problem="text before the table",
    ),
    BadInput(
        "Sensor Logger, dates for time",
        "acc.csv",
        lambda: _cells(_logger(), 0, lambda n, c: "10/07/2025 13:28"),
        problem="unusable timestamps",
    ),
    BadInput(
        "Sensor Logger, nanoseconds ruined by a spreadsheet",
        "acc.csv",
        lambda: _cells(_logger(), 0, lambda n, c: "1.75215E+18"),
        problem="unusable timestamps",
    ),
    BadInput(
        "Sensor Logger, some cells empty",
        "acc.csv",
        lambda: _cells(_logger(), 3, lambda n, c: "" if n % 50 == 7 else c),
        problem="corrupt rows",
    ),
    BadInput(
        "Sensor Logger, times run backwards",
        "acc.csv",
        lambda: _cells(_logger(), 0, lambda n, c: str(2 * 1752154081500000000 - int(c))),
        problem="unordered timestamps",
    ),
    BadInput(
        "Sensor Logger, times before 1970",
        "walk.csv",
        lambda: _cells(_logger(), 0, lambda n, c: str(int(c) - 1752154089 * 10**9)),
        problem="sensor by size",
    ),
    BadInput(
        "Sensor Logger, a heading twice",
        "acc.csv",
        lambda: _logger().replace("z,y,x", "z,y,x,x").replace("\n", ",1\n").replace("x,1\n", "x\n", 1).encode(),
        problem="columns not used",
    ),
    BadInput("Sensor Logger, of UTF-16", "walk.csv", lambda: _logger().encode("utf-16"), problem="sensor by size"),
    BadInput(
        "Sensor Logger, a name with control characters",
        "a\x07c\x1b[31m.csv",
        lambda: _logger().encode(),
        problem="sensor by size",
    ),
    BadInput(
        "Sensor Logger, an empty member",
        "walk.zip",
        lambda: zipped({**exports.sensor_logger(WALK), "Gyroscope.csv": ""}),
        problem="unreadable file",
    ),
    BadInput(
        "Sensor Logger, a foreign table",
        "walk.zip",
        lambda: zipped({**exports.sensor_logger(WALK), "Rain.csv": "day,rain\n1,2\n"}),
        problem="file not used",
    ),
    BadInput(
        "Sensor Logger, called gravity-free with gravity in it",
        "Accelerometer.csv",
        lambda: _logger().encode(),
        problem="gravity found",
    ),
    BadInput(
        "Sensor Logger, from an iPhone",
        "walk.zip",
        lambda: zipped(dict(exports.sensor_logger(WALK, platform="ios"))),
        problem="axes inverted",
    ),
    BadInput("gzip", "Accelerometer.csv.GZ", lambda: gzip.compress(_phyphox().encode()), problem="-"),
    BadInput(
        "phyphox, a sensor in a unit that is not known",
        "walk.csv",
        lambda: _with_columns(_phyphox().replace('"', ""), "Gyr X (knots),Gyr Y (knots),Gyr Z (knots)").encode(),
        problem="columns not used",
    ),
    BadInput(
        "Physics Toolbox, a sensor under other headings",
        "record.csv",
        lambda: _with_columns(_toolbox().lstrip(), "gyro_x,gyro_y,gyro_z", end=",").encode(),
        problem="columns not used",
    ),
    BadInput(
        "JSON with some readings missing",
        "walk.json",
        lambda: exports.sensor_logger_json(WALK).replace('"x": "', '"w": "', 2).encode(),
        problem="corrupt rows",
    ),
    BadInput(
        "phyphox with a mark and CRLF",
        "Accelerometer.csv",
        lambda: ("\ufeff" + _phyphox().replace("\n", "\r\n")).encode(),
        problem="-",
    ),
    BadInput(
        "phyphox, hand-edited headings",
        "walk.csv",
        lambda: (
            _phyphox()
            .replace('"', "")
            .replace("Acceleration x", "Accel_X")
            .replace("Acceleration y", "Accel_Y")
            .replace("Acceleration z", "Accel_Z")
            .encode()
        ),
        problem="-",
    ),
    BadInput(
        "phyphox, deg/s that is none",
        "walk.zip",
        lambda: zipped(dict(exports.phyphox(WALK, units={"gyroscope": ("deg/s", 57.29578)}))),
        problem="unit converted",
    ),
    BadInput(
        "phyphox, m/s² that is g",
        "Accelerometer.csv",
        lambda: exports.phyphox(WALK, units={"accelerometer": ("m/s^2", 1 / 9.80665)})["Accelerometer.csv"].encode(),
        problem="unit mismatch",
    ),
    BadInput(
        "phyphox, called gyroscope but in m/s²",
        "Gyroscope.csv",
        lambda: _phyphox().replace("Acceleration", "Gyroscope").encode(),
        problem="sensor by unit",
    ),
    BadInput(
        "phyphox, mixed decimal commas",
        "Accelerometer.csv",
        lambda: _cells(
            _phyphox(separator=";", decimal=","), 1, lambda n, c: c.replace(",", ".") if n % 40 == 0 else c, ";"
        ),
        problem="-",
    ),
    BadInput(
        "Physics Toolbox, some times as dates",
        "record.csv",
        lambda: _cells(_toolbox(), 0, lambda n, c: "Oct 3" if n % 90 == 5 else c, first=2),
        problem="corrupt rows",
    ),
    BadInput(
        "AWARE, two devices in one file, one of them broken",
        "accelerometer.csv",
        lambda: _line(exports.aware(WALK)["accelerometer.csv"], 30, "x,8a3f,1,2,3,3"),
        problem="corrupt rows",
    ),
    BadInput(
        "E4, a file without its rate",
        "e4.zip",
        lambda: zipped({**_e4(), "HR.csv": "1644226061.0\n"}),
        problem="unreadable file",
    ),
    BadInput(
        "WISDM, its known faults",
        "raw.txt",
        lambda: _line(exports.wisdm(SLOW), 20, "33,Walking,49105962326000,1.2,;"),
        problem="corrupt rows",
    ),
    BadInput(
        "SisFall, letters in a cell",
        "D01_SA01_R01.txt",
        lambda: _line(exports.sisfall(WALK), 30, "1,2,x,4,5,6,7,8,9;"),
        problem="corrupt rows",
    ),
    BadInput(
        "HAPT, one sensor longer",
        "hapt.zip",
        lambda: zipped({k: v[:-400] if k.startswith("gyro") else v for k, v in exports.hapt(SLOW).items()}),
        problem="lengths differ",
    ),
    BadInput("UCI HAR windows without labels", "windows.zip", lambda: _windows(y=None), problem="no label"),
    BadInput(
        "UCI HAR windows, an axis missing", "windows.zip", lambda: _windows(body_gyro_y=None), problem="missing axis"
    ),
    BadInput(
        "PAMAP2 without two of its units",
        "subject101.dat",
        lambda: exports.pamap2(WALK).encode(),
        problem="unreadable sensor",
    ),
)
