"""A sensor that stops for a while: the rest is recognised, and the page says where and from what."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.errors import UnusableRecording
from app.har.recordings.upload import read_upload
from app.har.signals.gravity import match_gravity
from app.har.signals.normalisation import normalise_units
from app.har.signals.resampling import to_signal_set
from app.har.signals.types import MOTION, Recording
from app.har.types import FloatArray, TimeArray
from app.har.windows import make_windows
from app.services.recordings import figures, recordings, result_tables
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.recognise import Model, always, recognise
from app.tables import ModelVersion, User
from tests import exports, synthetic
from tests.conftest import ROOT
from tests.recognised import windows
from tests.services.test_predictions import drawn, upload
from tests.trained import recording_csv

HOLE = "gap in one sensor"


@pytest.fixture(scope="module")
def ku_har() -> ActivityClassifier:
    return load_model(ROOT / "reference_models" / "reference-ku-har")


def blanked(text: str, gone: Callable[[float], bool], columns: tuple[int, ...] = (4, 5, 6)) -> str:
    """Empty some cells of a file in Kinelab's layout where a moment says so."""
    lines = []
    for line in text.splitlines():
        cells = line.split(",")
        if cells[0] != "time_s" and gone(float(cells[0])):
            cells = ["" if i in columns else cell for i, cell in enumerate(cells)]
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


def recognised(text: str | bytes, model: ActivityClassifier, folder: Path) -> PredictionResult:
    path = folder / "walk.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return recognise(path, "walk.csv", always(Model("lab/1", lambda: model))).result


def holes(result: PredictionResult) -> list[tuple[str, str]]:
    return [(problem.detail, problem.action) for problem in result.problems if problem.kind == HOLE]


def test_a_hole_in_the_gyroscope_is_recognised_from_the_accelerometer_and_told(
    ku_har: ActivityClassifier, tmp_path: Path
) -> None:
    text = synthetic.kinelab_csv("Walk", 1, 60.0, 100.0)
    whole = recognised(text, ku_har, tmp_path)
    result = recognised(blanked(text, lambda t: 24.0 <= t < 45.0), ku_har, tmp_path)
    assert (len(whole), len(result)) == (20, 8 + 7 + 5)
    np.testing.assert_allclose(result.proba[:8], whole.proba[:8], atol=1e-5)
    np.testing.assert_allclose(result.proba[15:], whole.proba[15:], atol=1e-5)  # its clock is the model's: no new grid
    assert (result.sensor_attention[8:15, 1] == 0).all()
    assert (result.sensor_attention[[*range(8), *range(15, 20)], 1] > 0).all()
    assert holes(result) == [
        (
            "gyroscope: no samples from 24.0 to 45.0 s",
            "recognised from the accelerometer alone there; expect more errors",
        )
    ]
    kinds, usual = ({problem.kind for problem in own.problems} for own in (result, whole))
    assert kinds - usual == {"empty cells", "clock gap", HOLE}
    rows = [row for row in windows(result) if row["activity"] != "missing"]
    assert [row["listened_to"] for row in rows[7:9]] == ["accelerometer and gyroscope", "accelerometer"]
    assert result.summary()["sensors"][1]["not_listened_to"] == pytest.approx(7 / 20)
    json.dumps(result_tables.document(result), allow_nan=False)
    assert holes(whole) == []


def test_a_sensor_far_too_slow_is_left_out_and_told_if_there_is_another(
    ku_har: ActivityClassifier, tmp_path: Path
) -> None:
    walk = exports.walk(gravity="removed", seconds=30.0)

    def export(*slow: str) -> bytes:
        streams = [
            replace(own, time_s=own.time_s[::20], values=own.values[::20]) if own.modality in slow else own
            for own in walk.streams
        ]
        return exports.zipped(exports.sensor_logger(replace(walk, streams=tuple(streams))))

    result = recognised(export("gyroscope"), ku_har, tmp_path)
    assert len(result) == 10
    assert (result.sensor_attention[:, 1] == 0).all()
    told = [(problem.detail, problem.action) for problem in result.problems if problem.kind == "slow sensor"]
    assert told == [
        (
            "the gyroscope gives 5.0 samples per second, too few for 100 Hz; expected at least 12",
            "recognised without it",
        )
    ]
    assert holes(result) == []
    with pytest.raises(UnusableRecording, match="accelerometer gives 5") as refused:
        recognised(export("accelerometer", "gyroscope"), ku_har, tmp_path)
    assert str(refused.value).count("walk.csv") == 1


def test_holes_too_short_for_a_window_are_not_told(ku_har: ActivityClassifier, tmp_path: Path) -> None:
    text = synthetic.kinelab_csv("Walk", 1, 30.0, 100.0)
    result = recognised(blanked(text, lambda t: 10.0 <= t < 11.5 or t >= 28.0), ku_har, tmp_path)
    assert holes(result) == []
    assert len(result) == 3 + 5


def test_a_gyroscope_that_comes_and_goes_does_not_cut_the_accelerometer(
    ku_har: ActivityClassifier, tmp_path: Path
) -> None:
    text = synthetic.kinelab_csv("Walk", 1, 60.0, 100.0)
    result = recognised(blanked(text, lambda t: t >= 30.0 and t % 3.0 < 1.0), ku_har, tmp_path)
    assert len(result) == 10 + 9
    ((detail, _),) = holes(result)
    assert detail == "gyroscope: no samples, or for less than 3 s at a time, from 30.0 to 60.0 s"


def test_many_holes_are_told_in_one_line_and_each_sensor_for_itself(ku_har: ActivityClassifier, tmp_path: Path) -> None:
    text = synthetic.kinelab_csv("Walk", 1, 120.0, 100.0)
    text = blanked(text, lambda t: t < 80.0 and (t % 10.0 >= 5.0 or 43.0 <= t < 45.0))
    text = blanked(text, lambda t: t >= 110.0, (1, 2, 3))
    result = recognised(text, ku_har, tmp_path)
    details = sorted(holes(result))
    assert [detail for detail, _ in details] == [
        "accelerometer: no samples from 110.0 to 120.0 s",
        "gyroscope: no samples 8 times, 41.9 s in all, the longest from 43.0 to 50.0 s",
    ]
    assert details[0][1].startswith("recognised from the gyroscope alone")


def test_the_plot_has_a_break_where_the_sensor_stopped_and_none_where_it_ran(user: User, model: ModelVersion) -> None:
    text = blanked(recording_csv(30.0).decode(), lambda t: 12.0 <= t < 21.0)
    prediction = upload(user, text.encode())
    traces = {trace["channel"]: trace for trace in drawn(prediction)["signal"]}
    assert list(traces) == ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"]
    assert None not in traces["acc_x"]["values"]
    assert len(traces["acc_x"]["values"]) > 1200
    for channel in ("gyro_x", "gyro_y", "gyro_z"):
        trace = traces[channel]
        assert trace["values"].count(None) == 1
        times = [t for t, value in zip(trace["time_s"], trace["values"], strict=True) if value is not None]
        assert not [t for t in times if 12.0 < t < 20.9]
    json.dumps(drawn(prediction), allow_nan=False)
    within = {trace["channel"]: trace["values"] for trace in drawn(prediction, 14.0, 16.0)["signal"]}
    assert (len(within["gyro_x"]), None in within["acc_x"]) == (0, False)
    assert prediction.recording.facts["minutes"] == pytest.approx(0.5, abs=0.001)
    assert prediction.summary["minutes"] == pytest.approx(0.5, abs=0.001)
    assert figures.timeline_image(prediction.recording, recordings.result_of(prediction), 0, "png").startswith(
        b"\x89PNG"
    )


def as_before(recording: Recording, model: ActivityClassifier) -> tuple[TimeArray, FloatArray]:
    """Return start and probabilities of the windows in which all sensors ran."""
    own = match_gravity(recording, model.gravity)
    windows = make_windows(to_signal_set([own], model.sampling_rate_hz, MOTION), by_label=False)
    return windows.start_s, model.recognise(windows).probabilities


@pytest.mark.real_data
def test_the_accelerometer_of_a_real_export_is_recognised_through_the_hole(
    data_dir: Path, ku_har: ActivityClassifier, tmp_path: Path
) -> None:
    path = tmp_path / "walk.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((data_dir / "phone-exports" / "sensor-logger").iterdir()):
            archive.write(file, file.name)
    recognised = recognise(path, path.name, always(Model("lab/1", lambda: ku_har)))
    result, signals = recognised.result, recognised.signals
    start_s, proba = as_before(normalise_units(read_upload(path, path.name)[0]), ku_har)
    assert (len(start_s), len(result)) == (60, 88)
    np.testing.assert_array_equal(result.start_s[:60], start_s)
    np.testing.assert_allclose(result.proba[:60], proba, atol=1e-4)
    assert not result.unfamiliar.any()
    assert float(signals.length.sum()) / signals.sampling_rate_hz == pytest.approx(268.0, abs=0.1)
    ((detail, _),) = holes(result)  # the gyroscope comes back for the last fifth of a second
    assert detail == "gyroscope: no samples, or for less than 3 s at a time, from 182.2 to 268.0 s"


@pytest.mark.real_data
def test_what_is_recognised_in_an_artificial_hole_is_mostly_what_is_recognised_without_it(
    data_dir: Path, ku_har: ActivityClassifier, tmp_path: Path
) -> None:
    """People the model was not trained on; on all 60 recordings of theirs as long as these, 91 % agree."""
    agree: list[bool] = []
    with zipfile.ZipFile(data_dir / "ku-har" / "1.Raw_time_domian_data.zip") as archive:
        for name in ("0.Stand/1023_A_1", "1.Sit/1002_B_1", "5.Lay/1008_F_1", "16.Stair-down/1044_T_1"):
            path = tmp_path / "recording.csv"
            path.write_bytes(archive.read(f"1.Raw_time_domian_data/{name}.csv"))
            recording = read_upload(path, f"{name}.csv")[0]
            start_s, whole = as_before(recording, ku_har)
            third = len(start_s) // 3
            gyroscope = recording.streams[1]
            there = (gyroscope.time_s < start_s[third]) | (gyroscope.time_s >= start_s[2 * third])
            cut = replace(gyroscope, time_s=gyroscope.time_s[there], values=gyroscope.values[there])
            holed = replace(recording, streams=(recording.streams[0], cut))
            windows = make_windows(
                to_signal_set([holed], 100.0, MOTION, allow_missing=True, window_length_s=3.0), by_label=False
            )
            inside = np.isnan(windows.X[:, 0, 3])
            assert inside.sum() == third
            proba = ku_har.recognise(windows).probabilities
            before, outside = as_before(holed, ku_har)
            np.testing.assert_array_equal(windows.start_s[~inside], before)
            np.testing.assert_allclose(proba[~inside], outside, atol=1e-4)
            np.testing.assert_allclose(windows.start_s[inside], start_s[third : 2 * third], atol=0.02)
            agree += (proba[inside].argmax(axis=1) == whole[third : 2 * third].argmax(axis=1)).tolist()
    assert len(agree) >= 22
    assert np.mean(agree) >= 0.85
