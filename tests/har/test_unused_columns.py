"""What is in a file and was not read is told, and files keep their sensor under the name of a copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.har.recordings.unused_columns import seem_unused
from app.har.signals.types import Recording
from tests import exports, synthetic

WALK = exports.walk()
LOGGER = exports.sensor_logger(WALK)


def unused(recording: Recording) -> list[str]:
    return [problem.detail for problem in recording.problems if problem.kind == "columns not used"]


@pytest.mark.parametrize(
    ("headings", "told"),
    [
        ("rotation_x,rotation_y,rotation_z,foot", "rotation_x, rotation_y, rotation_z (gyroscope, by name); foot"),
        ("acc_x,Foot,Foot,Hand", "acc_x in column 5, because column 2 has the same heading; Foot, Foot, Hand"),
        ("Index,Timestamp (ms),acc_abs,seconds_elapsed", ""),
        ("", ""),
    ],
)
def test_columns_that_were_not_read_are_told_with_their_sensor(headings: str, told: str, tmp_path: Path) -> None:
    time, values = synthetic.signal("Walk", 1, 8.0)
    cells = ",1" * len(headings.split(",")) if headings else ""
    rows = synthetic.text(np.column_stack([time, values[:, :3]])).splitlines()
    text = "\n".join([f"time_s,acc_x,acc_y,acc_z{',' * bool(headings)}{headings}", *(row + cells for row in rows)])
    (recording,) = exports.upload(tmp_path, text, "walk.csv")
    assert unused(recording) == ([told] if told else [])
    assert seem_unused(recording, ["watch.gyroscope"]) == ("gyroscope" in told)
    assert not seem_unused(recording, ["magnetometer"])


def test_what_an_app_always_writes_is_not_told(tmp_path: Path) -> None:
    for files in (LOGGER, exports.phyphox(WALK), {"record.csv": exports.physics_toolbox(WALK)}):
        (recording,) = exports.upload(tmp_path, files)
        assert unused(recording) == []


@pytest.mark.parametrize("copy", ["{} (1)", "{} - Kopie", "{} - Copy", "{} copy 2", "Copy of {}", "walk_{}"])
def test_a_copy_of_a_file_keeps_its_sensor(copy: str, tmp_path: Path) -> None:
    files = {name.replace(name[:-4], copy.format(name[:-4])): text for name, text in LOGGER.items()}
    (recording,) = exports.upload(tmp_path, files)
    (same,) = exports.upload(tmp_path, LOGGER)
    assert [(own.modality, own.unit_found) for own in recording.streams] == [
        (own.modality, own.unit_found) for own in same.streams
    ]
    assert exports.kinds(recording) == exports.kinds(same)


def test_the_second_file_of_a_sensor_is_told_but_not_the_uncalibrated_twin(tmp_path: Path) -> None:
    text = LOGGER["Gyroscope.csv"]
    (recording,) = exports.upload(tmp_path, LOGGER | {"Gyroscope (1).csv": text})
    assert exports.kinds(recording) == ["sensor twice"]
    (recording,) = exports.upload(tmp_path, LOGGER | {"GyroscopeUncalibrated (1).csv": text})
    assert exports.kinds(recording) == []
