"""Published data sets are read as they are packed: who, what, at which rate, and what was wrong with their files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.har.datasets.store import Store, Summary, build_store, open_store
from app.har.signals.types import MOTION, Recording, channels_of
from app.har.windows import make_windows
from app.services.datasets import recorded_rows
from tests import exports, synthetic
from tests.bad_inputs import zipped
from tests.exports import G, stream, upload, walk

ACCELEROMETER = channels_of("accelerometer")
BOTH = tuple(channel for modality in MOTION for channel in channels_of(modality))


def convert(files: dict[str, str], folder: Path) -> tuple[Summary, Store]:
    path = folder / "anything.zip"
    path.write_bytes(zipped(files))
    return build_store(path, folder / "store"), open_store(folder / "store")


def only(recording: Recording, modality: str) -> Recording:
    return replace(recording, streams=(stream(recording, modality),))


def kinds(summary: Summary) -> set[tuple[str, str]]:
    return {(problem.source, problem.kind) for problem in summary.problems}


def test_motion_sense_is_a_recording_a_trial_and_person(tmp_path: Path) -> None:
    written = walk(rate_hz=50.0)
    files = {f"A_DeviceMotion_data/{trial}/sub_{n}.csv": "" for trial in ("dws_1", "wlk_7") for n in (1, 2)}
    files = {
        name: exports.motion_sense(synthetic.recording("Walk", i, rate_hz=50.0, gravity="included"))
        for i, name in enumerate(files)
    }
    summary, store = convert({"README.md": "about", **files}, tmp_path)
    assert (summary.format, summary.recordings, summary.subjects) == ("motion-sense", 4, 2)
    assert summary.activities == {"downstairs": 8, "walking": 8}
    assert (summary.channels, summary.sampling_rate_hz, summary.gravity) == (BOTH, 50.0, "included")
    assert store.signals.recording_ids == ("dws_1/sub_1", "dws_1/sub_2", "wlk_7/sub_1", "wlk_7/sub_2")
    assert store.signals.subjects == ("1", "2", "1", "2")
    assert store.columns("rows")[:4] == ["recording", "number", "attitude.roll", "attitude.pitch"]
    assert len(written.streams[0].time_s) == store.signals.length[0]
    assert store.signals.signal[:, 2].mean() == pytest.approx(9.81, abs=0.1)  # not Apple's sign


def test_oxford_is_walking_whose_folders_name_the_person(tmp_path: Path) -> None:
    written = {
        "Pixel_p1_Hard_InHand_1": synthetic.recording("Walk", 1, rate_hz=50.0, gravity="included"),
        "Samsung_p2_Carpet_Purse_2": synthetic.recording("Walk", 2, rate_hz=200.0, gravity="included"),
        "Phone_p4_3": synthetic.recording("Walk", 4, rate_hz=200.0, gravity="included"),
    }
    files = {f"{name}/accelerometer.csv": exports.oxford_walk(one) for name, one in written.items()}
    summary, store = convert(files, tmp_path)
    assert (summary.format, summary.recordings, summary.activities) == ("oxford-walk", 3, {"Walking": 11})
    assert (summary.channels, summary.sampling_rate_hz, summary.gravity) == (ACCELEROMETER, 200.0, "included")
    signals = store.signals
    assert dict(zip(signals.recording_ids, signals.subjects, strict=True)) == {
        "Phone_p4_3": "p4", "Pixel_p1_Hard_InHand_1": "p1", "Samsung_p2_Carpet_Purse_2": "p2",
    }  # fmt: skip
    place = signals.recording_ids.index("Phone_p4_3")
    first = int(signals.first[place])
    np.testing.assert_allclose(signals.signal[first : first + 2400], written["Phone_p4_3"].streams[0].values, atol=1e-3)


def test_an_upload_of_an_android_log_is_read_by_its_nanoseconds(tmp_path: Path) -> None:
    written = walk(rate_hz=200.0)
    (found,) = upload(tmp_path, exports.oxford_walk(written), "accelerometer.csv")
    np.testing.assert_allclose(found.streams[0].time_s, written.streams[0].time_s, atol=1e-6)
    np.testing.assert_allclose(found.streams[0].values, stream(written, "accelerometer").values, atol=1e-5)
    assert (found.activity, found.gravity, found.app) == (None, "included", "Oxford step counter")
    assert exports.kinds(found) == ["no label"]


def test_stm_is_in_mg_and_of_nobody(tmp_path: Path) -> None:
    written = walk(rate_hz=26.0, seconds=24.0)
    files = {f"walking/walking_0{n}_26Hz_4g_mg.csv": exports.stm_har(written) for n in (1,)}
    log = exports.stm_har(
        synthetic.recording("Run", 1, 24.0, 26.0, gravity="included"), "A_X [mg]\tA_Y [mg]\tA_Z [mg]", "\t"
    )
    files |= {"LICENSE": "BSD", "sets/for_wrist/datalogs/biking.txt": log, "sets/elsewhere/biking.txt": log}
    summary, store = convert(files, tmp_path)
    assert (summary.format, summary.recordings, summary.subjects) == ("stm-har", 2, 0)
    assert set(summary.activities) == {"walking", "biking"}
    assert (summary.channels, summary.sampling_rate_hz) == (ACCELEROMETER, 25.0)
    assert set(store.signals.recording_ids) == {"walking/walking_01_26Hz_4g_mg", "for_wrist/biking"}
    assert store.signals.signal[:, 2].mean() == pytest.approx(9.81, abs=0.2)
    # A log elsewhere may have been taken at any rate
    assert ("sets/elsewhere/biking.txt", "other layout") in kinds(summary)


def test_an_upload_of_an_stm_file_has_the_rate_of_its_name(tmp_path: Path) -> None:
    (found,) = upload(tmp_path, exports.stm_har(walk(rate_hz=52.0)), "walking_01_52Hz_4g_mg.csv")
    assert np.diff(found.streams[0].time_s) == pytest.approx(1 / 52)
    np.testing.assert_allclose(found.streams[0].values, stream(walk(rate_hz=52.0), "accelerometer").values, atol=0.006)
    assert (found.activity, found.app) == ("walking", "STM examples")


def watch_files(gyroscope_hz: float = 20.0) -> dict[str, str]:
    """Three people who walk and run; the second one's gyroscope ran apart, the third has none."""
    files = {"pairing_check.csv": "subject,activity,best_lag_samples\n"}
    for user in ("1600", "1601", "1602"):
        texts = {"accel": "", "gyro": ""}
        for letter, activity in (("A", "Walk"), ("B", "Run")):
            own = synthetic.recording(activity, int(user), rate_hz=20.0, gravity="included")
            texts["accel"] += exports.wisdm_watch(only(own, "accelerometer"), user, letter, clock=False)
            own = synthetic.recording(activity, int(user), rate_hz=gyroscope_hz, gravity="included")
            texts["gyro"] += exports.wisdm_watch(only(own, "gyroscope"), user, letter, clock=True)
        for sensor in ("accel", "gyro")[: 1 if user == "1602" else 2]:
            files[f"{sensor}/data_{user}_{sensor}_watch.txt"] = texts[sensor]
        for letter in "DEM":
            files["pairing_check.csv"] += f"{user},{letter},{-116 if (user, letter) == ('1601', 'E') else 2}\n"
    return files


def test_the_watch_of_wisdm_is_paired_row_by_row_where_the_check_allows_it(tmp_path: Path) -> None:
    summary, store = convert(watch_files(), tmp_path)
    assert (summary.format, summary.recordings, summary.subjects) == ("wisdm-watch", 6, 3)
    assert summary.activities == {"Walking": 12, "Jogging": 12}
    assert (summary.channels, summary.sampling_rate_hz, summary.gravity) == (BOTH, 20.0, "included")
    assert kinds(summary) == {("gyro/data_1601_gyro_watch.txt", "clocks apart")}
    windows = make_windows(store.signals, 3.0)
    missing = np.isnan(windows.X)
    assert not missing[:, :, :3].any()
    assert (missing[:, :, 3:].all(axis=(1, 2)) == (windows.subjects != "1600")).all()
    written = synthetic.recording("Run", 1600, rate_hz=20.0, gravity="included")
    both = np.concatenate([one.values for one in written.streams], axis=1)
    place = store.signals.recording_ids.index("1600_B")
    np.testing.assert_allclose(store.signals.signal[int(store.signals.first[place]) :][:240], both, atol=1e-4)


def test_a_gyroscope_of_wisdm_at_another_rate_cannot_be_paired_by_rows(tmp_path: Path) -> None:
    _, store = convert(watch_files(gyroscope_hz=25.0), tmp_path)
    assert np.isnan(store.signals.signal[:, 3:]).all()
    assert store.signals.length.tolist() == [240] * 6  # and does not shorten what there is


def test_a_recording_without_gyroscope_can_be_downloaded_and_uploaded_again(tmp_path: Path) -> None:
    _, store = convert(watch_files(), tmp_path)
    text = "".join(store.recording_csv("1602_A"))
    assert text.startswith("time_s,acc_x,acc_y,acc_z,activity\n")
    (found,) = upload(tmp_path, text, "1602.csv")
    assert [own.modality for own in found.streams] == ["accelerometer"]
    assert "".join(store.recording_csv("1600_A")).startswith("time_s,acc_x,acc_y,acc_z,gyro_x,")


def test_the_preview_of_a_recording_leaves_out_the_sensor_that_it_lacks(tmp_path: Path) -> None:
    files = {name: text for name, text in watch_files().items() if "1600" not in name}
    _, store = convert(files, tmp_path)
    shown = recorded_rows.preview(store, "Walking")
    assert [line["channel"] for line in shown["lines"]] == ["acc_x", "acc_y", "acc_z"]
    json.dumps(shown, allow_nan=False)


FACTS = {  # as the published sets' own documentation has them: recordings, people, rate, channels
    "motion-sense/motion-sense.zip": ("motion-sense", 216, 24, 50.0, BOTH),
    "wisdm-watch/wisdm-watch.zip": ("wisdm-watch", 304, 51, 20.0, BOTH),
    "oxford-walk/oxford-walk.zip": ("oxford-walk", 23, 4, 222.0, ACCELEROMETER),
    "stm-har/stm-har.zip": ("stm-har", 99, 0, 25.0, ACCELEROMETER),
}


@pytest.mark.real_data
@pytest.mark.parametrize("name", FACTS)
def test_the_real_sets_are_read_whole(name: str, real_store: Callable[[str], Store]) -> None:
    expected, store = FACTS[name], real_store(name)
    summary = store.summary
    found = (summary.format, summary.recordings, summary.subjects, summary.sampling_rate_hz, summary.channels)
    assert (*found, summary.gravity) == (*expected, "included")
    windows = make_windows(store.signals, 3.0)
    if "Standing" in summary.activities or "standing" in summary.activities:
        resting = np.isin(np.array(windows.activities)[windows.y], ("Standing", "standing"))
        length = np.linalg.norm(windows.X[resting][:, :, :3], axis=2)
        assert float(np.median(length)) == pytest.approx(G, rel=0.05)
    assert not np.isnan(windows.X[:, :, :3]).any()
