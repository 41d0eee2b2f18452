"""A person's files of an hour each are one recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.har.recordings.conversions import open_tables
from app.har.recordings.files import in_memory
from app.har.recordings.mappings import mapped
from app.har.recordings.mappings.guess_files import guess_files
from app.har.recordings.mappings.mapping import unknown_tables
from app.har.signals.types import Recording
from tests import cases
from tests.exports import stream

START = 1_707_123_600  # a full hour
HOUR = "2024-02-05 {:02d}_00_00+00_00.csv"


def beiwe(
    folder: str, values: cases.Values, t: cases.Values, *, end: str = "\n", start: float = START
) -> dict[str, str]:
    """Return three files of an hour, with 10 s at the beginning of each, or that run on."""
    files = {}
    for hour, part in enumerate(np.split(np.arange(len(t)), 3)):
        ms = [round(1000 * (START + 3600 * hour + x - t[part[0]])) for x in t[part]]
        text = cases.table("timestamp,UTC time,accuracy,x,y,z", ms, ms, ["unknown"] * len(ms), *values[part].T.round(5))
        files[str(Path(folder) / HOUR.format(9 + hour))] = text.removesuffix("\n") + end
    return files


def read(files: dict[str, str]) -> list[Recording]:
    tables = open_tables([in_memory(name, text.encode()) for name, text in reversed(files.items())])
    sources, found = guess_files(unknown_tables(tables))
    return mapped.read(sources, found.mapping)


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("folder", ["", "accelerometer", "p1/accelerometer"])
def test_the_hours_of_a_folder_are_one_recording(folder: str, end: str) -> None:
    t, a, _, _ = cases.person()
    (recording,) = read(beiwe(folder, a, t, end=end))
    (accelerometer,) = recording.streams
    assert np.allclose(accelerometer.values, a, atol=1e-3)
    assert accelerometer.time_s[[0, 1000, 2999]] == pytest.approx([0, 3600, 7209.99])
    assert recording.origin_utc_s == START
    assert recording.recording_id == (f"{folder}.csv" if folder else HOUR.format(9))


def test_folders_of_sensors_are_sensors_of_each_person() -> None:
    t, a, w, _ = cases.person()
    files = {}
    for person in ("p1", "p2"):
        files |= beiwe(f"{person}/accelerometer", a, t) | beiwe(f"{person}/gyro", w, t)
    recordings = read(files)
    assert sorted(own.recording_id for own in recordings) == ["p1", "p2"]
    for own in recordings:
        assert np.allclose(stream(own, "accelerometer").values, a, atol=1e-3)
        assert np.allclose(stream(own, "gyroscope").values, w, atol=1e-3)


def test_files_whose_clocks_begin_anew_remain_apart() -> None:
    t, a, _, _ = cases.person()
    text = cases.table("time,x,y,z", t, *a.T.round(5))
    recordings = read({HOUR.format(hour): text for hour in (9, 10, 11)})
    assert len(recordings) == 3
