"""Files that nobody should upload, made by a seeded generator: in none of the tables of the tests."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import warnings
import zipfile
from collections.abc import Callable, Iterator

from tests import exports, synthetic

SECONDS = 6.0
NUMBERS = [
    "nan",
    "inf",
    "-inf",
    "1e308",
    "-1e-320",
    "1e19",
    "0x1p3",
    "１２",
    "1_0",
    "--1",
    "1,5",
    "1.5.2",
    "∞",
    "9" * 400,
    "",
]
RUNS = ["\n", "\r", "\t", " ", "_", "(", ")", ";", ",", '"', "'", "\u2028", "[", "{", "a,", "1;", "#\n", "\r\n", '",']
Made = tuple[str, bytes]  # what it is called, and what is in it


def sound_exports() -> list[Made]:
    """Return files as the apps write them."""
    walk = exports.walk(seconds=SECONDS)
    texts = {
        "logger.json": exports.sensor_logger_json(walk),
        "toolbox.csv": exports.physics_toolbox(walk),
        "toolbox date.csv": exports.physics_toolbox(walk, clock="date"),
        "motion.csv": exports.motion_sense(walk),
        "wisdm.txt": exports.wisdm(walk),
        "subject101.dat": exports.pamap2(walk),
        "D01_SA01_R01.txt": exports.sisfall(walk),
        "kinelab.csv": synthetic.kinelab_csv(seconds=SECONDS),
        "ku-har.csv": synthetic.ku_har_csv(),
    }
    packed = {
        "logger.zip": exports.sensor_logger(walk),
        "phyphox.zip": exports.phyphox(walk),
        "aware.zip": exports.aware(walk),
        "hhar.zip": exports.hhar(walk),
        "e4.zip": exports.empatica(exports.e4()),
    }
    return [
        *((name, text.encode()) for name, text in texts.items()),
        *((name, exports.zipped(files)) for name, files in packed.items()),
    ]


def flipped(rng: random.Random, data: bytes, most: int = 60) -> bytes:
    """Return bytes with some bits changed, and sometimes a stretch of them."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, most)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.3:
        start = rng.randrange(len(changed))
        changed[start : start + rng.randint(1, 400)] = rng.randbytes(rng.randint(0, 400))
    return bytes(changed)


def with_flipped_bits(rng: random.Random) -> Made:
    name, data = rng.choice(sound_exports()[:9])
    return name, flipped(rng, data)


def cut_and_joined(rng: random.Random) -> Made:
    (name, one), (_, other) = rng.sample(sound_exports(), 2)
    pieces = [one[: rng.randrange(len(one))], other[rng.randrange(len(other)) :], one[rng.randrange(len(one)) :]]
    return name, b"".join(rng.sample(pieces, rng.randint(1, 3))) or b"\n"


def damaged_archive(rng: random.Random) -> Made:
    name, data = rng.choice(sound_exports()[9:])
    tail = len(data) - rng.randint(20, 400)  # where the table of contents is
    return name, flipped(rng, data, 8) if rng.random() < 0.5 else data[:tail] + flipped(rng, data[tail:], 6)


def odd_archive(rng: random.Random) -> Made:
    out = io.BytesIO()
    text = synthetic.kinelab_csv(seconds=SECONDS)
    names: dict[int, Callable[[int], str]] = {
        0: lambda n: "d/" * rng.randint(1, 200) + f"{n}.csv",
        1: lambda n: rng.choice(["CON", "aux.csv", "a:b.csv", " ", "\x01", "é" * 90, "x" * 250, ".csv", "~", "…"]),
        2: lambda n: f"{n}" * rng.randint(1, 9),
        3: lambda n: "walk.csv",  # all of them
        4: lambda n: rng.choice(["Accelerometer.csv", "accelerometer.csv", "ACCELEROMETER.CSV", "Gyroscope.csv"]),
    }
    way = rng.randrange(len(names))
    method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as archive:
        warnings.simplefilter("ignore")  # a name twice is what is wanted
        archive.comment = rng.randbytes(rng.randint(0, 2000))
        for n in range(rng.choice([1, 3, 30, 3000])):
            content = rng.choice(
                [text, text[: rng.randrange(len(text))], "", "\n" * rng.randint(0, 999), "1,2,3\n" * 40]
            )
            archive.writestr(zipfile.ZipInfo(names[way](n)), content if n < 40 else "")
    return "odd.zip", out.getvalue()


def workbook(rng: random.Random) -> Made:
    write, name = rng.choice([(exports.workbook, "walk.xlsx"), (exports.old_workbook, "walk.xls")])
    rows = [["Time (s)", "X (g)", "Y (g)", "Z (g)"], *([n / 100, 0.1, 0.2, 0.97] for n in range(rng.randint(1, 900)))]
    for _ in range(rng.randint(0, 40)):
        rows[rng.randrange(len(rows))] = [
            rng.choice(["=1+1", "", "x" * 3000, 1e300, -1, "2026-02-30"]) for _ in range(4)
        ]
    data = write({rng.choice(["Accelerometer", "=Sheet", "Gyroscope", "a b"]): rows})
    return name, data if rng.random() < 0.3 else flipped(rng, data, 20)


def json_text(rng: random.Random) -> Made:
    def value(depth: int) -> object:
        if depth and rng.random() < 0.4:
            return rng.choice([[value(depth - 1) for _ in range(3)], {"x": value(depth - 1), "time": value(depth - 1)}])
        return rng.choice([1, -1.5, None, True, "", "a\ud800", "9" * 30, 10**30, 1e308, "NaN", "\x00", [], {}])

    kind = rng.randrange(5)
    entries: list[object] = [
        {"sensor": rng.choice(["Accelerometer", "Gyroscope", "", "=1", "a/../b", "x" * 900]), "time": value(0),
         "seconds_elapsed": value(0), "x": value(1), "y": 1, "z": 2, "sensor ": value(2)}
        for _ in range(rng.randint(1, 300))
    ]  # fmt: skip
    text = json.dumps(entries)
    if kind == 1:
        text = text.replace("1.5", "9" * rng.randint(4000, 9000))
    elif kind == 2:
        text = "[" * rng.randint(100, 90_000) + text
    elif kind == 3:
        text = ",".join(json.dumps({"sensor": f"s{n}", "time": n, "x": 1}) for n in range(rng.randint(50, 20_000)))
        text = f"[{text}]"
    elif kind == 4:
        text = text[: rng.randrange(2, len(text))]
    return "export.json", text.encode()


def odd_structure(rng: random.Random) -> Made:
    runs = "".join(rng.choice(RUNS) * rng.choice([1, 7, 300, 20_000]) for _ in range(rng.randint(1, 12)))
    header = rng.choice(["", "time_s,acc_x,acc_y,acc_z\n", "time,seconds_elapsed,z,y,x\n", "Time (s),X (m/s^2)\n"])
    rows = "".join(
        rng.choice([",", ";", "\t", " "]).join(str(rng.randint(-9, 9)) for _ in range(rng.choice([1, 4, 4, 4, 90])))
        + "\n"
        for _ in range(rng.randint(0, 400))
    )
    wide = ",".join(f"c{n}" for n in range(rng.choice([0, 0, 3000, 5000]))) + "\n"
    parts = [header, runs, rows, wide]
    rng.shuffle(parts)
    return rng.choice(["odd.csv", "odd.txt", "odd", "odd.xlsx", "odd.zip"]), "".join(parts).encode()


def odd_values(rng: random.Random) -> Made:
    header, *lines = synthetic.kinelab_csv("Walk", seconds=SECONDS).splitlines()
    share = rng.choice([0.01, 0.2, 0.6])
    column = rng.choice([0, 1, 6, None])

    def row(line: str) -> str:
        cells = line.split(",")
        if rng.random() < share:
            cells[rng.randrange(len(cells)) if column is None else column] = rng.choice(NUMBERS)
        return ",".join(cells)

    names = [f"label {n}" for n in range(rng.choice([1, 40, 5000]))]
    rows = [row(line).replace("Walk", rng.choice(names)) for line in lines * rng.choice([1, 1, 8])]
    if rng.random() < 0.4:
        rng.shuffle(rows)
    return "values.csv", "\n".join([header, *rows]).encode()


def encoded(rng: random.Random) -> Made:
    name, data = rng.choice(sound_exports()[:9])
    text = data.decode(errors="replace").replace(
        "e", rng.choice(["e", "é", "漢", "e\u0301", "\ufeff"]), rng.randint(0, 50)
    )
    code = rng.choice(["utf-16", "utf-16-be", "utf-32", "utf-7", "utf-8-sig", "cp037", "latin-1", "gb18030"])
    raw = text.encode(code, errors="replace")
    pack = rng.choice(
        [bytes, bytes, gzip.compress, bz2.compress, lzma.compress, lambda b: gzip.compress(gzip.compress(b))]
    )
    return name + rng.choice(["", ".gz"]), flipped(rng, pack(raw), 3) if rng.random() < 0.5 else pack(raw)


def large(rng: random.Random) -> Made:
    kind = rng.randrange(5)
    size = rng.randint(2, 12) * 2**20
    if kind == 0:
        return "line.csv", b"time_s,acc_x,acc_y,acc_z\n" + b"1," * (size // 2)
    if kind == 1:
        return "runs.csv", (rng.choice(RUNS) * (size // 2)).encode()[:size]
    if kind == 2:
        return "noise.bin", rng.randbytes(size)
    if kind == 3:
        rows = b"".join(b"%d,%d,%d,%d\n" % (n % 1000, n % 7, n % 5, n % 3) for n in range(size // 12))
        return "rows.csv", b"time_s,acc_x,acc_y,acc_z\n" + rows
    tables = {f"{n}.csv": "time_s,acc_x,acc_y,acc_z\n" + "0,1,2,3\n" * 5 for n in range(4000)}
    return "tables.zip", exports.zipped(tables)


KINDS: dict[str, Callable[[random.Random], Made]] = {
    "exports with bits flipped": with_flipped_bits,
    "exports cut and joined": cut_and_joined,
    "archives damaged": damaged_archive,
    "archives of odd names and sizes": odd_archive,
    "workbooks": workbook,
    "JSON": json_text,
    "CSV of odd structure": odd_structure,
    "CSV of odd values": odd_values,
    "encodings and packings": encoded,
    "2 to 12 MB": large,
}


def hostile_files(number: int, seed: int = 0) -> Iterator[tuple[str, str, bytes]]:
    """Yield the kind, the name and the content of so many files, as many of each kind."""
    for n in range(number):
        kind = list(KINDS)[n % len(KINDS)]
        name, data = KINDS[kind](random.Random(f"{seed} {n}"))
        yield kind, name, data
