"""A clock on the wall is taken for that of a zone where the file does not say its own, whatever the format."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from app.har.recordings.mappings import mapped
from app.har.signals.local_time import ahead, in_zone
from app.har.signals.types import Recording
from tests import devices
from tests.devices import START_S
from tests.exports import upload, zipped
from tests.har.test_devices import counts
from tests.har.test_mapping import source
from tests.tables import mapping_of, rows

BERLIN = ZoneInfo("Europe/Berlin")


def gt3x(**said: str) -> bytes:
    return zipped(
        {"info.txt": devices.gt3x_info(30, START_S, **said), "log.bin": devices.gt3x_log(counts(30 * 20), 30)}
    )


ACTIGRAPH = (
    "------------ Data File Created By ActiGraph GT3X+ ActiLife v6.13.3 Firmware v1.7.2 date format yyyy-MM-dd at 30 Hz"
    "  Filter Normal -----------\nSerial Number: TAS1E47150641\nStart Time 12:00:00\nStart Date 2024-06-06\n"
    "Epoch Period (hh:mm:ss) 00:00:00\nDownload Time 10:00:00\nDownload Date 2024-06-09\nCurrent Memory Address: 0\n"
    "Current Battery Voltage: 4.1     Mode = 12\n--------------------------------------------------\n"
    "Accelerometer X,Accelerometer Y,Accelerometer Z\n"
)
FILES: dict[str, tuple[str, Callable[[], bytes], bool]] = {
    "Axivity": ("a.cwa", lambda: devices.cwa(counts(2000)), True),
    "ActiGraph": ("a.gt3x", gt3x, True),
    "ActiGraph that says its zone": ("a.gt3x", lambda: gt3x(TimeZone="-05:00:00"), False),
    "ActiGraph, CSV": (
        "a.csv",
        lambda: (ACTIGRAPH + "".join(f"{x},{y},{z}\n" for x, y, z in (counts(600) / 256).round(3).tolist())).encode(),
        True,
    ),
    "GENEActiv": ("a.bin", lambda: devices.geneactiv(counts(1500)).replace(b"Time Zone", b"Nothing"), True),
    "GENEActiv that says its zone": ("a.bin", lambda: devices.geneactiv(counts(1500)), False),
    "Movesense": (
        "a.json",
        lambda: json.dumps(devices.movesense(np.round(counts(1000) / 26, 2).tolist())).encode(),
        False,
    ),
}


@pytest.mark.parametrize(("name", "content", "local"), FILES.values(), ids=FILES)
def test_a_device_without_a_zone_was_set_to_local_time(
    tmp_path: Path, name: str, content: Callable[[], bytes], local: bool
) -> None:
    (recording,) = upload(tmp_path, content(), name)
    there = in_zone(recording, BERLIN)
    assert recording.local_clock == local
    assert there.clock_zone == "Europe/Berlin" * local
    if local:
        assert there.origin_utc_s == (recording.origin_utc_s or 0) - ahead(recording.origin_utc_s or 0, BERLIN)
    else:
        assert there is recording


@pytest.mark.parametrize(
    ("heading", "written", "local"),
    [
        ("when", "2024-05-31 12:00:{:06.3f}", True),
        ("when", "5/31/2024 12:00:{:06.3f}", True),
        ("when", "2024-05-31T12:00:{:06.3f}Z", False),
        ("when", "2024-05-31T12:00:{:06.3f}+02:00", False),
        ("when", "2024-05-31 12:00:{:06.3f}-0500", False),
        ("time (UTC)", "2024-05-31 12:00:{:06.3f}", False),
        ("when", "12:00:{:06.3f}", False),  # of no day: nothing to move
    ],
)
def test_dates_as_text_are_local_unless_they_or_their_heading_say_the_zone(
    heading: str, written: str, local: bool
) -> None:
    content = rows(f"{heading},x,y,z", lambda i, t, v: f"{written.format(t)},{v[0]},{v[1]},{v[2]}")
    mapping = mapping_of(("accelerometer", "xyz", "m/s²"), time=heading, unit="date-time")
    (recording,) = mapped.read([source(content)], mapping)
    assert recording.local_clock == local


def test_a_clock_that_was_set_once_knows_of_no_summer_time() -> None:
    # From an hour before clocks are put forward in Berlin; the device goes on as it was set
    begins = datetime(2024, 3, 31, 1, tzinfo=timezone.utc).timestamp()
    recording = Recording("a", "a", (), "included", origin_utc_s=begins, local_clock=True)
    assert ahead(begins, BERLIN) == 3600
    assert ahead(begins + 3 * 3600, BERLIN) == 7200
    assert in_zone(recording, BERLIN).origin_utc_s == begins - 3600
