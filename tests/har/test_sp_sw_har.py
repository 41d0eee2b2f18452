"""Phone and watch worn together become one recording of four sensors on the clock they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.har.datasets.store import Store, Summary, build_store, open_store
from app.har.recordings.upload import read_upload
from app.har.signals.types import MOTION, channels_of
from app.har.windows import make_windows
from tests.bad_inputs import zipped
from tests.synthetic import signal, sp_sw_csv, sp_sw_files

CHANNELS = tuple(f"{device}.{c}" for device in ("phone", "watch") for modality in MOTION for c in channels_of(modality))


def _convert(files: dict[str, str], folder: Path) -> Summary:
    path = folder / "anything.zip"
    path.write_bytes(zipped(files))
    return build_store(path, folder / "store")


def _kinds(summary: Summary) -> dict[str, str]:
    return {problem.kind: problem.source for problem in summary.problems}


def test_both_devices_are_put_on_one_clock(tmp_path: Path) -> None:
    summary = _convert(sp_sw_files(), tmp_path)
    assert (summary.format, summary.recordings, summary.subjects) == ("sp-sw-har", 4, 2)
    assert (summary.sampling_rate_hz, summary.gravity, summary.channels) == (100.0, "included", CHANNELS)
    assert summary.activities == {"REST": 8, "WALK": 4}
    assert summary.problems == ()  # what comes with the set is known
    store = open_store(tmp_path / "store")
    assert store.signals.recording_ids == ("s01_01", "s01_02", "s02_01", "s02_02")
    assert store.signals.subjects == ("s01", "s01", "s02", "s02")
    # The watch starts 37 ms after the phone, and so does the time that both share
    _, rest = signal("Rest", 1, 4.0, 100.0, seed=60, gravity="included")
    shared = store.signals.signal[:300]
    np.testing.assert_allclose(shared[:, 6:9], rest[:300, [2, 0, 1]], atol=1e-4)
    time = np.arange(400) / 100
    expected = np.interp(time[:300] + 0.037, time, rest[:, 2])
    assert np.abs(shared[:, 2] - expected).mean() < 0.02
    assert np.corrcoef(shared[:, 2], expected)[0, 1] > 0.9


def test_rows_are_shown_as_each_device_recorded_them(tmp_path: Path) -> None:
    _convert(sp_sw_files(1, 1), tmp_path)
    store = open_store(tmp_path / "store")
    assert store.tables == ("phone", "watch")
    assert store.columns("watch")[-2:] == ["timestamp", "label"]
    total, rows, _ = store.rows("watch", limit=1, recording="s01_01")
    assert (total, rows[0][0], rows[0][-2:]) == (1200, "s01_01", (1657534037837, "REST"))


def test_a_missing_watch_is_told_and_the_execution_left_out(tmp_path: Path) -> None:
    files = sp_sw_files()
    del files["DATA/s01/s01_02_sw.csv"]
    summary = _convert(files, tmp_path)
    assert summary.recordings == 3
    assert _kinds(summary) == {"missing device": "s01_02", "unusable recording": "s01_02"}


def test_clocks_that_do_not_meet_are_told_and_the_execution_left_out(tmp_path: Path) -> None:
    files = sp_sw_files() | {"DATA/s02/s02_01_sw.csv": sp_sw_csv("sw", subject=2, offset_s=3660.0)}
    summary = _convert(files, tmp_path)
    assert summary.recordings == 3
    assert _kinds(summary) == {"clocks apart": "s02_01", "unusable recording": "s02_01"}
    assert any("watch from 3600.0 to" in problem.detail for problem in summary.problems)


def test_clocks_that_meet_for_half_of_the_time_keep_that_half(tmp_path: Path) -> None:
    files = sp_sw_files(1, 1) | {"DATA/s01/s01_01_sw.csv": sp_sw_csv("sw", offset_s=66.0)}
    summary = _convert(files, tmp_path)
    assert _kinds(summary) == {"clocks apart": "s01_01"}
    assert summary.minutes == pytest.approx(5.96 / 60, abs=0.01)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("DATA/s01/s01_01_sw.csv", "", "unreadable file"),
        ("DATA/s01/s01_01_sw.csv", "a,b\n1,2\n2,3\n", "other layout"),
        ("DATA/s01/s01_01_sw.csv", sp_sw_csv().replace("0.", "zero."), "unreadable file"),
        ("DATA/s01/watch.csv", sp_sw_csv(), "no device"),
        ("DATA/notes.csv", "day,rain\n1,2\n2,3\n", "other layout"),
        ("DATA/noise.csv", "\0\1\2" * 99, "unreadable file"),
    ],
)
def test_a_file_that_is_no_recording_is_told(name: str, text: str, kind: str, tmp_path: Path) -> None:
    summary = _convert(sp_sw_files() | {name: text}, tmp_path)
    assert summary.recordings >= 3
    assert kind in _kinds(summary)


def test_a_zip_of_both_devices_is_uploaded_as_one_recording(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(zipped({"a_sw.csv": sp_sw_csv("sw"), "a_sp.csv": sp_sw_csv("sp"), "b.csv": sp_sw_csv()}))
    both, unknown = read_upload(path, "x.zip")
    assert both.recording_id == "a"
    assert [s.modality for s in both.streams] == [
        f"{device}.{sensor}" for device in ("phone", "watch") for sensor in MOTION
    ]
    assert both.streams[2].time_s[0] - both.streams[0].time_s[0] == pytest.approx(0.037)
    assert [s.modality for s in unknown.streams] == list(MOTION)


def test_a_recording_of_two_devices_can_be_taken_away_and_uploaded_again(tmp_path: Path) -> None:
    _convert(sp_sw_files(1, 1), tmp_path)
    store = open_store(tmp_path / "store")
    path = tmp_path / "again.csv"
    path.write_text("".join(store.recording_csv("s01_01")))
    (recording,) = read_upload(path, path.name)
    assert [c for stream in recording.streams for c in stream.channels] == list(CHANNELS)
    assert recording.activities == ("REST", "WALK")
    np.testing.assert_array_equal(recording.streams[2].values, store.signals.signal[:, 6:9])


@pytest.fixture(scope="module")
def real(real_store: Callable[[str], Store]) -> Store:
    return real_store("sp-sw-har/sp-sw-har.zip")


@pytest.mark.real_data
@pytest.mark.slow
def test_sp_sw_har_has_223_executions_of_23_subjects_on_both_devices(real: Store) -> None:
    summary = real.summary
    assert (summary.recordings, summary.subjects, summary.rows) == (223, 23, 259_213 + 262_553)
    assert (summary.sampling_rate_hz, summary.gravity, summary.channels) == (100.0, "included", CHANNELS)
    assert summary.minutes == pytest.approx(41.9, abs=0.1)
    assert {problem.kind for problem in summary.problems} == {
        "batched timestamps",
        "shared timestamps",
        "duplicate rows",
    }
    for first, expected in ((0, 9.8), (6, 9.8)):
        magnitude = np.median(np.linalg.norm(real.signals.signal[:, first : first + 3], axis=1))
        assert magnitude == pytest.approx(expected, abs=0.3)
    for first in (3, 9):  # in degrees a second it would be some hundreds
        assert np.percentile(np.linalg.norm(real.signals.signal[:, first : first + 3], axis=1), 99) < 10


@pytest.mark.real_data
@pytest.mark.slow
def test_the_short_bouts_of_sp_sw_har_need_windows_of_a_second(real: Store) -> None:
    windows = make_windows(real.signals, 1.0)
    assert Counter(np.array(windows.activities)[windows.y].tolist()) == {
        "SEATED": 109,
        "STANDING_UP": 183,
        "WALKING": 902,
        "TURNING": 322,
        "SITTING_DOWN": 222,
    }
    assert len(set(windows.subjects)) == 23
    assert np.isfinite(windows.X).all()
    assert real.summary.activities == {
        "SEATED": 0,
        "STANDING_UP": 0,
        "WALKING": 47,
        "TURNING": 0,
        "SITTING_DOWN": 0,
    }
