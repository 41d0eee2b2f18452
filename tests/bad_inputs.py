"""Everything wrong that people upload: one table for the core and for the pages.

A case is refused with a message that holds `message`, or read with a problem of the kind `problem` listed.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.synthetic import hhar_csv, kinelab_csv, ku_har_csv, ku_har_windows_csv, signal, text

HEADER = "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"


@dataclass(frozen=True)
class BadInput:
    """A file, and what has to come of it: one of `message` and `problem` is set."""

    title: str
    name: str  # what the person calls the file
    build: Callable[[], bytes]
    message: str = ""  # refused, and the message holds this
    problem: str = ""  # read, and a problem of this kind is listed; "-" where nothing is worth telling


def _lines(**changes: str) -> bytes:
    """Return a good file with some of its lines replaced: line_5="…"."""
    lines = kinelab_csv(None).splitlines()
    for key, line in changes.items():
        lines[int(key.removeprefix("line_")) - 1] = line
    return ("\n".join(lines) + "\n").encode()


def _with_time(change: Callable[[np.ndarray], np.ndarray]) -> bytes:  # type: ignore[type-arg]
    time, values = signal("Walk", 1, 8.0)
    return text(np.column_stack([change(time), values]), HEADER).encode()


def _since_1970(change: Callable[[int, float], float]) -> bytes:
    """Return a good file with times since 1970 to the millisecond, changed by row and time."""
    header, *lines = _good().splitlines()
    cells = [line.partition(",") for line in lines]
    rows = (f"{change(n, 1_717_156_790 + float(t)):.3f},{values}" for n, (t, _, values) in enumerate(cells))
    return "\n".join([header, *rows]).encode()


def _with_values(change: Callable[[np.ndarray], np.ndarray]) -> bytes:  # type: ignore[type-arg]
    time, values = signal("Walk", 1, 8.0)
    return text(np.column_stack([time, change(values)]), HEADER).encode()


def _good() -> str:
    return kinelab_csv(None)


def zipped(members: dict[str, bytes | str], edit: Callable[[zipfile.ZipFile], None] | None = None) -> bytes:
    """Return a zip archive of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        if edit:
            edit(archive)
    return out.getvalue()


def _bomb_of_10_gib(archive: zipfile.ZipFile) -> None:
    archive.filelist[0].file_size = 10 * 2**30


def _smaller_than_it_says(archive: zipfile.ZipFile) -> None:
    archive.filelist[0].file_size += 1000


def _link() -> bytes:
    info = zipfile.ZipInfo("link.csv")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


def _encrypted() -> bytes:
    data = bytearray(zipped({"walk.csv": _good()}))
    data[6] |= 1  # the flag in the member's own header
    data[data.rindex(b"PK\x01\x02") + 8] |= 1  # and in the table of contents
    return bytes(data)


def _damaged() -> bytes:
    data = bytearray(zipped({"walk.csv": _good()}))
    data[60:100] = b"\xff" * 40
    return bytes(data)


def _swap(name: str) -> bytes:
    """Return an archive whose member has a name that `zipfile` would not write."""
    return zipped({"x" * len(name): _good()}).replace(b"x" * len(name), name.encode())


def _backwards_in_middle(time: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return np.where(np.arange(len(time)) < 200, time + 50, time)


def _mad(time: NDArray[np.float64]) -> NDArray[np.float64]:
    at = np.arange(len(time))
    return np.where(at % 5 < 2, time, 1e12 * (at // 5 + 2) + 0.02 * (at % 5))


def _hole(time: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return np.where(np.arange(len(time)) < 200, time, time + 20)


def _stuck(values: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    values[:, :3] = 0.5
    return values


def _labelled(heading: str) -> bytes:
    return kinelab_csv("Walk").replace("activity", heading, 1).encode()


def _decimal_comma(separator: str) -> bytes:
    rows = [line.replace(".", "\0").replace(",", separator).replace("\0", ",") for line in _good().splitlines()]
    return "\n".join(rows).encode()


REFUSED = (
    BadInput("empty file", "empty.csv", lambda: b"", message="empty"),
    BadInput("blank lines only", "blank.csv", lambda: b"\n\n  \n", message="empty"),
    BadInput("header only", "header.csv", lambda: HEADER.encode() + b"\n", message="no data row"),
    BadInput("binary", "noise.csv", lambda: np.random.default_rng(0).bytes(5000), message="binary"),
    BadInput("picture", "photo.csv", lambda: b"\x89PNG\r\n\x1a\n" + bytes(500), message="binary"),
    BadInput("NUL bytes in mid-file", "torn.csv", lambda: _lines(line_50="\0" * 40), message="NUL"),
    BadInput(
        "prose", "letter.txt", lambda: b"Dear colleague,\nthe data follow by post.\nYours\n", message="letter.txt"
    ),
    BadInput("web page", "page.csv", lambda: b"<!doctype html><html><body>404</body></html>\n" * 3, message="page.csv"),
    BadInput("JSON", "data.json", lambda: b'{"acc": [1, 2, 3],\n "gyro": [1, 2, 3]}\n', message="data.json"),
    BadInput("one column", "one.csv", lambda: b"1.0\n2.0\n3.0\n", message="1 columns"),
    BadInput("unknown columns", "weather.csv", lambda: b"day,rain,sun\n1,2,3\n2,3,4\n", message="rain"),
    BadInput("one sample", "one.csv", lambda: "\n".join(_good().splitlines()[:2]).encode(), message="1 row"),
    BadInput(
        "every cell NaN",
        "nan.csv",
        lambda: (HEADER + "\n" + "nan,nan,nan,nan,nan,nan,nan\n" * 90).encode(),
        message="line 2",
    ),
    BadInput(
        "text for numbers throughout",
        "text.csv",
        lambda: (HEADER + "\n" + "0.1,a,b,c,d,e,f\n" * 90).encode(),
        message="line 2",
    ),
    BadInput("time stands still", "still.csv", lambda: _with_time(lambda t: t * 0 + 5), message="never advances"),
    BadInput("most times beside the others", "mad.csv", lambda: _with_time(_mad), message="line 2"),
    BadInput("time in days", "days.csv", lambda: _with_time(lambda t: t / 86400), message="step"),
    BadInput("decimal comma between commas", "comma.csv", lambda: _decimal_comma(","), message="cells"),
    BadInput("a line of 3 MB", "long.csv", lambda: b"1," * 1_500_000, message="line 1"),
    BadInput("unclosed quote", "quote.csv", lambda: b'time_s,"acc_x,acc_y\n' + b"1,2,3\n" * 50, message="quote.csv"),
    BadInput(
        "spreadsheet renamed",
        "walk.csv",
        lambda: zipped({"[Content_Types].xml": "<x/>", "xl/a.xml": "<x/>"}),
        message="spreadsheet",
    ),
    BadInput("truncated zip", "cut.zip", lambda: zipped({"walk.csv": _good()})[:-200], message="damaged"),
    BadInput(
        "zip with a damaged member",
        "bad.zip",
        _damaged,
        message="walk.csv",
    ),
    BadInput("zip with ../", "up.zip", lambda: zipped({"../../etc/cron.d/x.csv": _good()}), message="outside"),
    BadInput("zip with an absolute name", "root.zip", lambda: _swap("/etc/passwd.csv"), message="outside"),
    BadInput("zip with a drive letter", "drive.zip", lambda: _swap("C:\\windows\\x.csv"), message="outside"),
    BadInput("zip with backslashes upwards", "back.zip", lambda: _swap("..\\..\\x.csv"), message="outside"),
    BadInput("zip with a link", "link.zip", _link, message="link"),
    BadInput(
        "zip bomb of 10 GiB", "bomb.zip", lambda: zipped({"a.csv": bytes(2**20)}, _bomb_of_10_gib), message="expand"
    ),
    BadInput(
        "zip bomb of 96 MiB of zeros", "zeros.zip", lambda: zipped({"a.csv": bytes(96 * 2**20)}), message="expand"
    ),
    BadInput(
        "member smaller than declared",
        "lie.zip",
        lambda: zipped({"a.csv": _good()}, _smaller_than_it_says),
        message="a.csv",
    ),
    BadInput(
        "zip in a zip",
        "outer.zip",
        lambda: zipped({"inner.zip": zipped({"walk.csv": _good()})}),
        message="another archive",
    ),
    BadInput(
        "zip in a zip, renamed",
        "outer.zip",
        lambda: zipped({"inner.csv": zipped({"walk.csv": _good()})}),
        message="binary",
    ),
    BadInput("encrypted zip", "secret.zip", _encrypted, message="encrypted"),
    BadInput("empty zip", "empty.zip", lambda: zipped({}), message="no file"),
    BadInput(
        "zip of pictures", "album.zip", lambda: zipped({"a.jpg": b"\xff\xd8\xff\xe0" + bytes(400)}), message="a.jpg"
    ),
    BadInput("zip of 20,001 files", "many.zip", lambda: zipped({f"{i}": b"" for i in range(20_001)}), message="20,001"),
    BadInput(
        "windows of another length",
        "short.csv",
        lambda: "\n".join(line[300:] for line in ku_har_windows_csv(3).splitlines()).encode(),
        message="columns",
    ),
    BadInput(
        "windows with text for numbers",
        "letters.csv",
        lambda: ("x," * 1802 + "x\n").encode() * 3,
        message="letters.csv",
    ),
    BadInput(
        "HHAR without numbers",
        "hhar.csv",
        lambda: (hhar_csv("gyroscope").splitlines()[0] + "\n" + "a," * 9 + "a\n").encode(),
        message="hhar.csv",
    ),
    BadInput("name with markup", "<script>alert(1)</script>.csv", lambda: b"1\n2\n", message="<script>"),
    BadInput("name that climbs", "../../../etc/passwd", lambda: b"root:x:0:0\n", message="passwd"),
    BadInput("name of 300 letters", "n" * 300 + ".csv", lambda: b"", message="empty"),
)

MENDED = (
    BadInput("some NaN", "nan.csv", lambda: _lines(line_9="0.14,nan,nan,nan,nan,nan,nan"), problem="corrupt rows"),
    BadInput("some Inf", "inf.csv", lambda: _lines(line_9="0.14,inf,-inf,0,0,0,0"), problem="corrupt rows"),
    BadInput("text in a number", "text.csv", lambda: _lines(line_9="0.14,1.2m,0,0,0,0,0"), problem="corrupt rows"),
    BadInput("a value of 1e30", "huge.csv", lambda: _lines(line_9="0.14,1e30,-1e30,0,0,0,0"), problem="corrupt rows"),
    BadInput("a time of 1e18", "late.csv", lambda: _lines(line_9="1e18,1,2,3,0,0,0"), problem="timestamp outliers"),
    BadInput("a time beyond all", "inf.csv", lambda: _lines(line_9="1e300,1,2,3,0,0,0"), problem="corrupt rows"),
    BadInput(
        "a time of 0 in mid-file", "zero.csv", lambda: _lines(line_99="0,1,2,3,0,0,0"), problem="timestamp outliers"
    ),
    BadInput(
        "one time of 0, the others since 1970",
        "epoch.csv",
        lambda: _since_1970(lambda n, t: 0.0 if n == 0 else t),
        problem="timestamp outliers",
    ),
    BadInput(
        "a tenth of the times 0, the others since 1970",
        "zeros.csv",
        lambda: _since_1970(lambda n, t: 0.0 if n % 10 == 3 else t),
        problem="timestamp outliers",
    ),
    BadInput(
        "a clock set after a second",
        "unset.csv",
        lambda: _since_1970(lambda n, t: n / 50 if n < 50 else t),
        problem="clock gap",
    ),
    BadInput("empty cells", "cells.csv", lambda: _lines(line_9="0.14,1,2,3,,,"), problem="empty cells"),
    BadInput(
        "ragged rows",
        "ragged.csv",
        lambda: _lines(line_9="0.14,1", line_12="0.2,1,2,3,4,5,6,7,8,9"),
        problem="corrupt rows",
    ),
    BadInput(
        "duplicate rows",
        "twice.csv",
        lambda: _lines(line_9="0.12,0,0,0,0,0,0", line_8="0.12,0,0,0,0,0,0"),
        problem="duplicate rows",
    ),
    BadInput(
        "duplicate time stamps",
        "stamps.csv",
        lambda: _with_time(lambda t: np.floor(t * 25) / 25),
        problem="batched timestamps",
    ),
    BadInput(
        "two rows with one time stamp",
        "pair.csv",
        lambda: _with_time(lambda t: np.where(t == t[9], t[8], t)),
        problem="shared timestamps",
    ),
    BadInput("time runs backwards", "back.csv", lambda: _with_time(lambda t: t[::-1]), problem="unordered timestamps"),
    BadInput("time starts again", "again.csv", lambda: _with_time(_backwards_in_middle), problem="clock restart"),
    BadInput(
        "rows shuffled",
        "mixed.csv",
        lambda: _with_time(lambda t: np.random.default_rng(0).permutation(t)),
        problem="rows out of order",
    ),
    BadInput("a hole of 20 s", "hole.csv", lambda: _with_time(_hole), problem="clock gap"),
    BadInput("milliseconds for seconds", "ms.csv", lambda: _with_time(lambda t: t * 1e3), problem="time unit"),
    BadInput("nanoseconds for seconds", "ns.csv", lambda: _with_time(lambda t: t * 1e9), problem="time unit"),
    BadInput("all constant", "flat.csv", lambda: _with_values(lambda v: v * 0), problem="constant signal"),
    BadInput(
        "a heading twice",
        "twice.csv",
        lambda: _good().replace("gyro_z", "acc_x", 1).encode(),
        problem="columns not used",
    ),
    BadInput(
        "columns of nothing known",
        "more.csv",
        lambda: _good().replace("gyro_", "foot_").encode(),
        problem="columns not used",
    ),
    BadInput("a gyroscope by another name", "gyr.csv", lambda: _good().replace("gyro_", "gyr_").encode(), problem="-"),
    BadInput("labels by another name", "label.csv", lambda: _labelled("Label"), problem="-"),
    BadInput("a dead sensor", "dead.csv", lambda: _with_values(_stuck), problem="constant signal"),
    BadInput(
        "missing gyroscope file",
        "Phones_accelerometer.csv",
        lambda: hhar_csv("accelerometer").encode(),
        problem="missing sensor",
    ),
    BadInput(
        "unusable timestamps",
        "phone.csv",
        lambda: "\n".join(
            ",".join([*cells[:2], "1.42E+018", *cells[3:]]) if i else ",".join(cells)
            for i, cells in enumerate(line.split(",") for line in hhar_csv("gyroscope").splitlines())
        ).encode(),
        problem="unusable timestamps",
    ),
    BadInput(
        "a corrupt window", "windows.csv", lambda: (ku_har_windows_csv(5) + "1,2,3\n").encode(), problem="corrupt rows"
    ),
    BadInput("UTF-16", "utf16.csv", lambda: _good().encode("utf-16"), problem="-"),
    BadInput("UTF-16 without mark", "utf16.csv", lambda: _good().encode("utf-16-le"), problem="-"),
    BadInput("UTF-8 with mark", "bom.csv", lambda: _good().encode("utf-8-sig"), problem="-"),
    BadInput(
        "Latin-1", "latin.csv", lambda: kinelab_csv("Walk").replace("Walk", "Gehen über").encode("latin-1"), problem="-"
    ),
    BadInput("semicolons", "semi.csv", lambda: _good().replace(",", ";").encode(), problem="-"),
    BadInput("tabs", "tab.csv", lambda: _good().replace(",", "\t").encode(), problem="-"),
    BadInput("decimal comma between semicolons", "german.csv", lambda: _decimal_comma(";"), problem="-"),
    BadInput("space after commas", "spaces.csv", lambda: _good().replace(",", ", ").encode(), problem="-"),
    BadInput("CRLF", "dos.csv", lambda: _good().replace("\n", "\r\n").encode(), problem="-"),
    BadInput("CR", "mac.csv", lambda: _good().replace("\n", "\r").encode(), problem="-"),
    BadInput(
        "quotes",
        "quoted.csv",
        lambda: "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in _good().splitlines()).encode(),
        problem="-",
    ),
    BadInput("no line end at the end", "end.csv", lambda: _good().rstrip().encode(), problem="-"),
    BadInput("blank lines first", "blank.csv", lambda: b"\n\n" + _good().encode(), problem="-"),
    BadInput(
        "a zip of a CSV and litter",
        "mac.zip",
        lambda: zipped({"walk.csv": _good(), "__MACOSX/._walk.csv": b"\0\1\2", "README.md": "read me"}),
        problem="-",
    ),
    BadInput("not called csv", "recording", lambda: ku_har_csv().encode(), problem="-"),
)

BAD_INPUTS = REFUSED + MENDED
