"""Data sets that nobody learnt from are read in the units and with the names that their publishers state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.har.signals.units import STANDARD_GRAVITY
from benchmarks import strangers

SECONDS = 8


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(strangers, "FOLDER", tmp_path)
    strangers.signals_of.cache_clear()
    return tmp_path


def _write(path: Path, rows: np.ndarray, head: str = "", separator: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [separator.join(f"{value:.6f}" for value in row) for row in rows]
    path.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


def _read(name: str) -> tuple[set[str], set[str], float, bool]:
    """Return the activities, the people, the mean length of gravity in m/s², and whether there is a gyroscope."""
    signals = strangers.signals_of(name)
    gravity = float(np.linalg.norm(signals.signal[:, 6:], axis=1).mean())
    return set(signals.activities), set(signals.subjects), gravity, bool(np.isfinite(signals.signal[:, 3:6]).any())


def test_of_the_daily_and_sports_activities_the_columns_of_one_unit_are_read(folder: Path) -> None:
    rows = np.zeros((125, 45))
    rows[:, 27:36] = [0, 0, STANDARD_GRAVITY, 1, 2, 3, 0, 0, 0]  # the right leg
    rows[::2, 27:33] += 0.1
    for number in range(1, 20):
        for piece in (1, 2):
            _write(folder / "dsads" / "data" / f"a{number:02d}" / "p3" / f"s{piece:02d}.txt", rows)
    assert strangers.there() == ("dsads-torso", "dsads-wrist", "dsads-leg")
    activities, people, gravity, rotates = _read("dsads-leg")
    assert {"Rowing", "Jumping", "Walking"} <= activities
    assert people == {"dsads-leg/p3"}
    assert gravity == pytest.approx(STANDARD_GRAVITY, abs=0.2)
    assert rotates


def test_a_fall_detector_s_phone_is_read_below_its_heading_by_its_own_clock(folder: Path) -> None:
    head = "#Acceleration force, including gravity.\n#timestamp(ns),x,y,z(m/s^2)\n@DATA\n"
    stamps = 5e12 + np.arange(SECONDS * 90) / 90 * 1e9
    walk = folder / "mobifall" / "sub7" / "ADL" / "WAL"
    for kind in ("acc", "gyro"):
        x = np.random.default_rng(0).normal([0, 9.8 if kind == "acc" else 0, 0], size=(len(stamps), 3))
        _write(walk / f"WAL_{kind}_7_1.txt", np.column_stack([stamps, x]), head)
    activities, people, gravity, rotates = _read("mobifall")
    assert (activities, people, rotates) == ({"Walking"}, {"mobifall/sub7"}, True)
    assert gravity == pytest.approx(9.8, abs=0.2)
    assert strangers.signals_of("mobifall").length.sum() == pytest.approx(SECONDS * 50, abs=2)


def test_a_watch_is_read_with_and_without_its_gyroscope_and_not_turned_upright(folder: Path) -> None:
    time = np.arange(SECONDS * 50) / 50
    x = np.column_stack([time, np.random.default_rng(0).normal([0, 0, 9.8], size=(len(time), 3))])
    claps = folder / "weda-fall" / "50Hz" / "D10"
    for name in ("U01_R01_accel", "U01_R01_gyro", "U01_R01_vertical_accel", "U22_R01_accel"):
        _write(claps / f"{name}.csv", x, "time_list,x_list,y_list,z_list\n")
    activities, people, _, rotates = _read("weda-fall")
    assert (activities, people, rotates) == ({"Clapping"}, {"weda-fall/U01", "weda-fall/U22"}, True)
    assert len(strangers.signals_of("weda-fall").recording_ids) == 2


def test_counts_of_a_wrist_are_gravity_and_parts_of_it(folder: Path) -> None:
    counts = np.tile([[31.5, 31.5, 52.5], [31.5, 31.5, 52.5], [31.5, 32.5, 52.5]], (100, 1))  # 0, 0 and 1 g
    _write(folder / "hmp" / "Comb_hair" / "Accelerometer-2011-05-30-08-32-58-comb_hair-f2.txt", counts, separator=" ")
    activities, people, gravity, rotates = _read("hmp")
    assert (activities, people, rotates) == ({"Combing hair"}, {"hmp/f2"}, False)
    assert gravity == pytest.approx(STANDARD_GRAVITY, abs=0.05)
