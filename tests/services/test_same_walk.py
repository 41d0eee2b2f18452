"""One real recording, exported as apps would: each with its own rate, unit, order of axes, sign and clock."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from app.har.classifiers import stored_models
from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.recordings.upload import read_upload
from app.har.signals.normalisation import normalise_upload
from app.har.signals.types import Recording, Stream
from app.services.recordings.recognise import Model, always, recognise
from tests import cases, exports
from tests.har.test_gravity import with_gravity

ROOT = Path(__file__).resolve().parents[2]
WALKS = ["11.Walk/1037_L_1.csv", "11.Walk/1041_L_1.csv", "15.Stair-up/1037_S_1.csv", "14.Run/1042_O_1.csv"]
APPS: Mapping[str, tuple[float, Callable[[Recording], str | dict[str, str]]]] = {
    "Sensor Logger": (101.3, exports.sensor_logger),
    "phyphox": (200.0, lambda own: exports.phyphox(own, separator=";", decimal=",")),
    "Physics Toolbox": (60.0, exports.physics_toolbox),
    "HHAR": (80.0, exports.hhar),
}


def as_sampled(recording: Recording, rate_hz: float) -> Recording:
    """Return what a phone with this rate, an uneven clock and sensors that take turns would have delivered."""
    random = np.random.default_rng(round(rate_hz))
    start = max(own.time_s[0] for own in recording.streams)
    end = min(own.time_s[-1] for own in recording.streams)
    streams = []
    for number, own in enumerate(recording.streams):
        time = np.arange(start, end - 1 / rate_hz, 1 / rate_hz) - start + number * 0.3 / rate_hz
        time[1:] += random.uniform(-0.1, 0.1, len(time) - 1) / rate_hz
        values = CubicSpline(own.time_s - start, own.values)(time).astype(np.float32)
        streams.append(Stream(own.modality, time, values))
    return replace(recording, streams=tuple(streams), problems=())


@pytest.mark.real_data
def test_the_same_walk_is_the_same_walk_in_four_apps_exports(data_dir: Path, tmp_path: Path) -> None:
    model = load_model(ROOT / "reference_models" / "reference-ku-har")
    path = tmp_path / "file"
    answers: dict[str, list[int]] = {app: [] for app in APPS}
    with zipfile.ZipFile(data_dir / "ku-har" / "1.Raw_time_domian_data.zip") as archive:
        for number, name in enumerate(WALKS):
            path.write_bytes(archive.read(f"1.Raw_time_domian_data/{name}"))
            recording = with_gravity(read_upload(path, name)[0], seed=number)
            found = {}
            for app, (rate_hz, written) in APPS.items():
                export = written(as_sampled(recording, rate_hz))
                path.write_bytes(exports.zipped(export) if isinstance(export, dict) else export.encode())
                result = recognise(path, "walk.zip", always(Model("model", lambda: model))).result
                assert "gravity removed" in [problem.kind for problem in result.problems]
                found[app] = result.ranked[:, 0].tolist()
            windows = min(map(len, found.values()))  # a last window may end a sample late
            for app, own in found.items():
                answers[app] += own[:windows]
    table = np.array(list(answers.values()))  # (n_apps, n_windows)
    assert table.shape[1] > 25
    agreement = (table == table[0]).mean(axis=1)
    assert agreement.min() >= 0.97, dict(zip(APPS, agreement.round(3), strict=True))


def in_kinelabs_csv(recording: Recording) -> str:
    time_s, values = recording.streams[0].time_s, [own.values for own in recording.streams]
    return cases.table(cases.KINELAB, *np.column_stack([time_s, *values]).round(7).T)


PHONE_FORMATS: Mapping[str, Callable[[Recording], str | dict[str, str]]] = {
    "Sensor Logger": exports.sensor_logger,
    "Sensor Logger, iOS": lambda own: exports.sensor_logger(own, platform="ios"),
    "Sensor Logger, iOS, standardised": lambda own: exports.sensor_logger(own, platform="ios", standardised=True),
    "Sensor Logger, JSON": exports.sensor_logger_json,
    "phyphox": exports.phyphox,
    "phyphox, decimal commas": lambda own: exports.phyphox(own, separator=";", decimal=","),
    "Physics Toolbox": exports.physics_toolbox,
    "Physics Toolbox, time of day": lambda own: exports.physics_toolbox(own, clock="time"),
    "Physics Toolbox, date": lambda own: exports.physics_toolbox(own, clock="date"),
    "AWARE": exports.aware,
    "AWARE, iOS": lambda own: exports.aware(own, unit_g=True),
    "HHAR": exports.hhar,
}


@pytest.mark.real_data
def test_the_same_walk_is_answered_alike_in_every_phone_format(data_dir: Path, tmp_path: Path) -> None:
    """A person of HAPT for seven minutes: postures, walking and stairs, as the everyday model answers them."""
    model = stored_models.load_model(ROOT / "reference_models" / "reference-everyday")
    path = tmp_path / "file"
    with zipfile.ZipFile(data_dir / "hapt" / "HAPT Data Set.zip") as archive:
        names = ("acc_exp01_user01.txt", "gyro_exp01_user01.txt")
        path.write_bytes(exports.zipped({name: archive.read(f"HAPT Data Set/RawData/{name}") for name in names}))
    (recording,) = normalise_upload(read_upload(path, "hapt.zip"))
    path.write_text(in_kinelabs_csv(recording))
    expected = recognise(path, "walk.csv", always(Model("model", lambda: model))).result.ranked[:, 0]
    assert len(expected) > 130
    assert len(set(expected.tolist())) > 4
    for app, written in PHONE_FORMATS.items():
        export = written(as_sampled(recording, 101.3))
        path.write_bytes(exports.zipped(export) if isinstance(export, dict) else export.encode())
        found = recognise(path, "walk.zip", always(Model("model", lambda: model))).result.ranked[:, 0]
        windows = min(len(expected), len(found))  # a last window may end a sample late
        assert windows > len(expected) - 2, app
        assert (found[:windows] == expected[:windows]).mean() >= 0.99, app
