"""Each data set the lab may bring is recognised and read; the real ones with every known fault named."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from app.har.datasets.embedded_example import NAMES, _load, data_path
from app.har.datasets.loaders import EMBEDDED_EXAMPLE, recognise
from app.har.datasets.store import Store, Summary, build_store, open_store
from app.har.errors import UnreadableData
from app.har.recordings.files import open_files
from app.har.windows import make_windows
from tests import homes, synthetic


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.csv", synthetic.kinelab_csv(), "kinelab-csv"),
        ("a.csv", synthetic.ku_har_windows_csv(), "ku-har-windows"),
        ("a.csv", synthetic.hhar_csv("gyroscope"), "hhar"),
        ("11.Walk/1001_L_1.csv", synthetic.ku_har_csv(), "ku-har-raw"),
        ("s01_01_sp.csv", synthetic.sp_sw_csv(), "sp-sw-har"),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_folder_or_archive_is_recognised_by_its_content(
    name: str, text: str, expected: str, kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "data"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
            archive.writestr("readme.md", "read me first\n")
            archive.writestr(name, text)
    else:
        (path / name).parent.mkdir(parents=True)
        (path / "readme.md").write_text("read me first\n")
        (path / name).write_text(text)
    with open_files(path) as members:
        assert expected == recognise(members, "data").FORMAT
    assert build_store(path, tmp_path / "store").recordings >= 1


def test_the_embedded_example_is_read_in_si_units(tmp_path: Path) -> None:
    summary = build_store(EMBEDDED_EXAMPLE, tmp_path / "store")
    assert (summary.recordings, summary.subjects, summary.sampling_rate_hz) == (140, 10, 50.0)
    assert set(summary.activities) == set(NAMES.values())
    assert summary.gravity == "included"
    assert summary.problems == ()
    store = open_store(tmp_path / "store")
    assert np.median(np.linalg.norm(store.signals.signal[:, :3], axis=1)) == pytest.approx(9.81, abs=1.0)
    truth = np.load(data_path(), allow_pickle=True).item()["X"]
    assert store.rows("rows", limit=1)[1][0][1:] == pytest.approx(tuple(truth[0][0]), abs=1e-6)
    np.testing.assert_allclose(
        store.signals.signal[: len(truth[0]), :3], truth[0][:, :3] * 9.80665, rtol=1e-5, atol=1e-5
    )


class _Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run",)


def test_the_example_admits_nothing_but_arrays(capsys: pytest.CaptureFixture[str]) -> None:
    header = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\n"
    with pytest.raises(UnreadableData, match="not an array"):
        _load(header + pickle.dumps(_Attack()))
    assert capsys.readouterr().out == ""


@pytest.fixture(scope="module")
def ku_har(ku_har_home: Path) -> Store:
    return homes.store(ku_har_home, "ku-har")


@pytest.mark.real_data
@pytest.mark.slow
def test_ku_har_has_710_recordings_of_80_subjects_and_7_activities(ku_har: Store) -> None:
    summary = ku_har.summary
    assert (summary.recordings, summary.subjects, len(summary.activities)) == (710, 80, 7)
    assert (summary.sampling_rate_hz, summary.gravity) == (100.0, "removed")
    windows = make_windows(ku_har.signals)
    assert len(windows) == sum(summary.activities.values())
    assert 8150 < len(windows) < 8310
    assert np.isfinite(windows.X).all()


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "kind", "detail"),
    [
        ("14.Run/1101_O_3.csv", "clock gap", "81.9 s"),
        ("14.Run/1101_O_5.csv", "clock gap", "81.9 s"),
        ("14.Run/1101_O_10.csv", "clock gap", "62.7 s"),
        ("14.Run/1101_O_6.csv", "clock gap", "52.8 s"),
        ("11.Walk/1002_L_5.csv", "clock gap", "1.5 s"),
        ("11.Walk/1002_L_5.csv", "clock restart", "accelerometer"),
        ("15.Stair-up/1101_S_7.csv", "clock restart", "gyroscope"),
        ("1.Sit/1010_B_1.csv", "clock restart", "0.442 s"),
        ("5.Lay/1053_F_1.csv", "clock restart", "41 s"),
        ("14.Run/1101_O_4", "duplicate recording", "1101_O_2"),
        ("14.Run/1101_O_5", "duplicate recording", "1101_O_3"),
        ("14.Run/1101_O_11.csv", "empty cells", "4 of 9,311 rows"),
        ("14.Run/1101_O_3.csv", "low rate", "accelerometer 5.4"),
        ("36 files", "batched timestamps", "15.Stair-up/1101_S_12.csv"),
        ("36 files", "repeated values", "42.2 a second"),
    ],
)
def test_each_known_fault_of_ku_har_is_named(ku_har: Store, source: str, kind: str, detail: str) -> None:
    assert any(p.source == source and p.kind == kind and detail in p.detail for p in ku_har.summary.problems)


@pytest.mark.real_data
@pytest.mark.slow
def test_the_runs_delivered_in_bursts_keep_their_pace(ku_har: Store) -> None:
    """Subject 1101 runs at 2.4 to 2.7 steps a second in every recording; a wrong clock would show another pace."""
    signals = ku_har.signals
    paces = []
    for stretch in range(len(signals.first)):
        name = signals.recording_ids[signals.recording[stretch]]
        if name.startswith("14.Run/1101_") and signals.length[stretch] > 1500:
            first, length = signals.first[stretch], signals.length[stretch]
            acceleration = signals.signal[first : first + length, :3]
            tapered = (acceleration - acceleration.mean(axis=0)) * np.hanning(length)[:, None]
            power = (np.abs(np.fft.rfft(tapered, axis=0)) ** 2).sum(axis=1)
            hz = np.fft.rfftfreq(length, 1 / signals.sampling_rate_hz)
            near = (hz > 1.8) & (hz < 4.0)
            paces.append(hz[near][power[near].argmax()])
    assert len(paces) >= 10
    assert np.ptp(paces) < 0.4


@pytest.mark.real_data
@pytest.mark.slow
def test_any_page_of_two_million_rows_comes_at_once_when_the_column_was_sorted_before(ku_har: Store) -> None:
    import time

    for column in ku_har.columns("rows"):
        ku_har.rows("rows", sort=column)
        start = time.perf_counter()
        _, rows, _ = ku_har.rows("rows", sort=column, descending=True, offset=1_000_000)
        assert time.perf_counter() - start < 0.3  # 10 ms on a quiet machine
        assert len(rows) == 50


@pytest.mark.real_data
def test_the_60_real_windows_are_read(data_dir: Path, tmp_path: Path) -> None:
    summary = build_store(data_dir / "ku-har" / "subsamples_60x1803.csv", tmp_path / "store")
    assert summary.activities == dict.fromkeys(("Stair-down", "Stair-up", "Sit", "Stand", "Walk", "Run"), 10)


def _hhar(data_dir: Path, which: str, folder: Path) -> tuple[Summary, Store]:
    return build_store(data_dir / "hhar" / which, folder), open_store(folder)


@pytest.mark.real_data
def test_real_hhar_phones_fall_back_on_arrival_times(data_dir: Path, tmp_path: Path) -> None:
    summary, store = _hhar(data_dir, "phones", tmp_path / "store")
    assert {p.source for p in summary.problems if p.kind == "unusable timestamps"} == {
        "Phones_accelerometer.csv",
        "Phones_gyroscope.csv",
    }
    assert (summary.sampling_rate_hz, summary.gravity, summary.rows) == (200.0, "included", 14_016)
    assert set(summary.activities) == {"stand", "sit", "walk", "stairsup", "stairsdown", "bike"}
    assert store.tables == ("accelerometer", "gyroscope")


@pytest.mark.real_data
def test_real_hhar_watches_have_no_header(data_dir: Path, tmp_path: Path) -> None:
    summary, _ = _hhar(data_dir, "watch", tmp_path / "store")
    assert (summary.sampling_rate_hz, summary.rows, summary.channels[3]) == (100.0, 20_000, "gyro_x")
    assert {"timestamp outliers", "unordered timestamps", "clock gap"} <= {p.kind for p in summary.problems}
