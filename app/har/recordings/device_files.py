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
        re.compile(rb"SQLite format 3\x00"), "a SQLite database, as AWARE, ActiLife (.agd) and other programs keep",
        "Export its tables of samples as CSV with their headings (DB Browser for SQLite: File, Export, Table as CSV). "
        "An .agd of ActiLife holds counts, no acceleration: there, export the raw data.",
    ),
    DeviceFile(
        re.compile(rb"PAR1"), "a Parquet file", "Write it as CSV: in Python by pandas.read_parquet(…).to_csv(…).",
    ),
    DeviceFile(
        re.compile(rb"\x93NUMPY"), "a NumPy array (.npy)", f"Write it as CSV {AS_CSV}: in Python by numpy.savetxt.",
    ),
    DeviceFile(
        re.compile(rb'\s*\{.{0,2000}?"interval_ms"\s*:', re.S), "Edge Impulse's data acquisition format (.json)",
        f"Export the samples as CSV {AS_CSV}: its rows are in payload.values, payload.interval_ms apart, with the "
        "names and units of payload.sensors.",
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
