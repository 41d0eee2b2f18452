"""No importer crashes or hangs, whatever the bytes: it reads, or refuses in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.har.errors import HarError
from app.har.recordings.upload import read_upload
from tests import devices, exports, synthetic
from tests.exports import e4, walk, zipped

SHORT = walk(seconds=2.0)
SEEDS = [
    *(exports.sensor_logger(SHORT).values()), exports.sensor_logger_json(SHORT), *(exports.phyphox(SHORT).values()),
    exports.physics_toolbox(SHORT), exports.physics_toolbox(SHORT, clock="date"), exports.aware(SHORT)["gyroscope.csv"],
    exports.hhar(SHORT)["Phones_gyroscope.csv"], exports.motion_sense(SHORT), exports.wisdm(SHORT),
    exports.pamap2(SHORT),
    *(exports.empatica(e4()).values()), exports.sisfall(SHORT), synthetic.kinelab_csv(seconds=2.0),
]  # fmt: skip
NAMES = ["x.csv", "acc_exp01_user01.txt", "total_acc_x_train.txt", "HR.csv", "Gyroscope.csv", "data_1_accel_phone.txt"]
CELLS = [
    b"nan",
    b"inf",
    b"-1e308",
    b"1e19",
    b"",
    b";",
    b"\t",
    b"\xff",
    b'"',
    b"\x00",
    b"\r",
    b"12:00:00:000",
    b"-0",
    b"x" * 300,
]
SCRAPS = st.sampled_from(CELLS) | st.binary(max_size=8)
quickly = settings(
    max_examples=60, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def survives(folder: Path, data: bytes, name: str) -> None:
    """Read, or refuse with a message that names a file."""
    path = folder / "stored"
    path.write_bytes(data)
    try:
        recordings = read_upload(path, name)
    except HarError as error:
        refusal = str(error)
        assert 0 < len(refusal) < 3000
        return
    assert recordings
    for own in (s for r in recordings for s in r.streams):
        assert np.isfinite(own.time_s).all()
        assert np.isfinite(own.values).all()
        assert (np.diff(own.time_s) > 0).all()


@quickly
@given(data=st.binary(max_size=2000), name=st.sampled_from(NAMES))
def test_no_bytes_make_an_importer_crash(data: bytes, name: str, tmp_path: Path) -> None:
    survives(tmp_path, data, name)


@quickly
@given(
    text=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), SCRAPS), max_size=6),
    keep=st.floats(0.01, 1.0),
    name=st.sampled_from(NAMES),
)  # fmt: skip
def test_no_damage_makes_an_importer_crash(
    text: str, changes: list[tuple[float, int, bytes]], keep: float, name: str, tmp_path: Path
) -> None:
    data = text.encode()
    data = data[: max(1, int(len(data) * keep))]
    for place, length, insert in changes:
        at = int(place * len(data))
        data = data[:at] + insert + data[at + length :]
    survives(tmp_path, data, name)


COUNTS = np.arange(720).reshape(240, 3) % 300
PACKED: dict[str, bytes] = {
    "a.cwa": devices.cwa(COUNTS), "b.cwa": devices.cwa(np.tile(COUNTS, 2), acc_scale=3, gyro_scale=3),
    "log.bin": devices.gt3x_log(COUNTS, 30), "activity.bin": devices.twelve_bits(COUNTS),
    "a.bin": devices.geneactiv(np.tile(COUNTS, (4, 1))),
    "a.avro": next(iter(devices.avro_files(COUNTS, n_files=1).values())),
}  # fmt: skip


@settings(quickly, max_examples=25)
@given(
    name=st.sampled_from(sorted(PACKED)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), max_size=4),
    keep=st.floats(0.01, 1.0),
)
def test_no_damage_makes_the_reader_of_a_device_crash(
    name: str, changes: list[tuple[float, bytes]], keep: float, tmp_path: Path
) -> None:
    data = bytearray(PACKED[name][: max(1, int(len(PACKED[name]) * keep))])
    for place, new in changes:
        at = int(place * len(data))
        data[at : at + len(new)] = new
    if name in ("log.bin", "activity.bin"):
        data = bytearray(zipped({"info.txt": devices.gt3x_info(30, devices.START_S), name: bytes(data)}))
    survives(tmp_path, bytes(data), name)


CELL = st.sampled_from(["1", "2.5", "-3e9", "nan", "", "a", "1752154081500000000", "0"])
HEADERS = [
    "",
    "time,seconds_elapsed,z,y,x",
    "Time (s),X (m/s^2),Y (m/s^2),Z (m/s^2)",
    "time,gFx,gFy,gFz,wx,wy,wz,",
    "timestamp,double_values_0,double_values_1,double_values_2",
    "time_s,acc_x,acc_y,acc_z",
]


@quickly
@example(
    rows=[["-3e9"], ["nan"]],
    separator=",",
    end="\n",
    header="timestamp,double_values_0,double_values_1,double_values_2",
)
@given(
    rows=st.lists(st.lists(CELL, min_size=1, max_size=9), min_size=1, max_size=30),
    separator=st.sampled_from([",", ";", "\t", " "]),
    end=st.sampled_from(["\n", ";\n", "\r\n"]),
    header=st.sampled_from(HEADERS),
)
def test_no_table_makes_an_importer_crash(
    rows: list[list[str]], separator: str, end: str, header: str, tmp_path: Path
) -> None:
    lines = [header.replace(",", separator)] * bool(header) + [separator.join(row) for row in rows]
    survives(tmp_path, end.join([*lines, ""]).encode(), "table.csv")


def test_an_archive_of_anything_is_survived(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        files = {
            f"{i}/{NAMES[i % len(NAMES)]}": str(SEEDS[int(rng.integers(len(SEEDS)))])[: int(rng.integers(4000))]
            for i in range(5)
        }
        survives(tmp_path, zipped(files), "any.zip")


SHEET = [["Time (s)", "X (g)", "Y (g)", "Z (g)"], *[[i / 100, 0.1, 0.2, 0.97] for i in range(300)]]


@settings(quickly, max_examples=12, deadline=10_000)
@given(
    write=st.sampled_from([exports.workbook, exports.old_workbook]),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_no_damage_to_a_workbook_ends_the_program(
    write: Callable[..., bytes], changes: list[tuple[float, int]], tmp_path: Path
) -> None:
    data = bytearray(write({"Accelerometer": SHEET}))
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    survives(tmp_path, bytes(data), "walk.xls")
