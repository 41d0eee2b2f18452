"""Files of devices and programs that cannot be read here, by their first bytes, and what to do with each."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.har.errors import UnreadableData


@dataclass(frozen=True)
class DeviceFile:
    """A kind of file that is named, not read."""

    begins: re.Pattern[bytes]
    what: str
    advice: str


AS_CSV = "with the headings time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z, in m/s² and rad/s"
DEVICE_FILES = (
    DeviceFile(
        re.compile(rb"MATLAB \d"), "a MATLAB file (.mat), as MATLAB Mobile writes it",
        "Save its timetables as CSV: in MATLAB load it and call writetimetable(Acceleration, 'Acceleration.csv') and "
        "writetimetable(AngularVelocity, 'AngularVelocity.csv'), then upload both in one zip.",
    ),
    DeviceFile(
        re.compile(rb"SQLite format 3\x00"), "a SQLite database, as AWARE, ActiLife (.agd) and other programs keep",
        "Export its tables of samples as CSV with their headings (DB Browser for SQLite: File, Export, Table as CSV). "
        "An .agd of ActiLife holds counts, no acceleration: there, export the raw data.",
    ),
    DeviceFile(
        re.compile(rb"\x89HDF\r\n"), "an HDF5 file (.h5, .mat of MATLAB 7.3)",
        f"Write its samples as CSV {AS_CSV}: in Python by the package h5py, in MATLAB by writetimetable.",
    ),
    DeviceFile(
        re.compile(rb"PAR1"), "a Parquet file", "Write it as CSV: in Python by pandas.read_parquet(…).to_csv(…).",
    ),
    DeviceFile(
        re.compile(rb"\x93NUMPY"), "a NumPy array (.npy)", f"Write it as CSV {AS_CSV}: in Python by numpy.savetxt.",
    ),
    DeviceFile(
        re.compile(rb".{8}\.FIT", re.S), "a FIT file of a sports watch (.fit)",
        "It holds positions and pulse, seldom acceleration. Record with an app that exports acceleration as CSV.",
    ),
    DeviceFile(
        re.compile(rb'\s*\{.{0,2000}?"interval_ms"\s*:', re.S), "Edge Impulse's data acquisition format (.json)",
        f"Export the samples as CSV {AS_CSV}: its rows are in payload.values, payload.interval_ms apart, with the "
        "names and units of payload.sensors.",
    ),
    DeviceFile(
        re.compile(rb'\s*\{\s*"(?:data|meta|Samples)"\s*:.{0,2000}?"(?:Array(?:Acc|Gyro)|acc|imu\d*)"', re.I | re.S),
        "a Movesense recording (.json)",
        f"Convert it to CSV {AS_CSV}: Movesense's showcase app exports CSV too, or in Python by json and pandas.",
    ),
)  # fmt: skip


def refuse_devices(name: str, head: bytes) -> None:
    """Refuse a file of a device or a program that cannot be read here.

    Parameters
    ----------
    head : its first bytes, some thousand.

    Raises
    ------
    UnreadableData : it is one; the message says what it is and how to convert it.
    """
    start = head.removeprefix(b"\xef\xbb\xbf")
    kind = next((kind for kind in DEVICE_FILES if kind.begins.match(start)), None)
    if kind:
        raise UnreadableData(f"{name}: is {kind.what}, which cannot be read here. {kind.advice}")
