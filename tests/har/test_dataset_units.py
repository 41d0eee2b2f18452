"""A lab's own data set is in one unit: told by the recordings that show it, for those that do not."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.har.datasets.described import DescribedDataset
from app.har.datasets.description import Description
from app.har.datasets.store import Store, build_store, open_store
from app.har.recordings.upload import read_upload
from app.har.signals.normalisation import certain_unit, infer_dataset_units, normalise_units
from app.har.signals.types import Recording
from tests.bad_inputs import zipped
from tests.synthetic import kinelab_csv, recording, signal
from tests.tables import table

G = 9.80665
HEADER = "t,ax,ay,az,wx,wy,wz"
MAPPED = """
label: {from: folder}
subject: {from: folder, level: 2}
columns:
  time: {column: t, unit: s}
  sensors:
    accelerometer: {columns: [ax, ay, az], unit: m/s²}
    gyroscope: {columns: [wx, wy, wz], unit: rad/s}
"""
DONE = {"p1/Rest": 8.0, "p1/Run": 2.5, "p1/Walk": 8.0, "p2/Rest": 2.5, "p2/Run": 8.0, "p2/Walk": 2.5}  # seconds


def mapped(name: str, seconds: float, acc: float, gyro: float) -> str:
    """Return a recording in other units; one of 2.5 s has too few seconds to show the unit."""
    time, values = signal(name[3:], int(name[1]), seconds, gravity="included")
    return table(HEADER, [time, values[:, :3] / acc, values[:, 3:] / gyro])


def own_set(folder: Path, files: dict[str, str]) -> Store:
    path = folder / "set.zip"
    path.write_bytes(zipped(files))
    build_store(path, folder / "store", loader=DescribedDataset(Description.from_yaml(MAPPED, "spec.yaml")))
    return open_store(folder / "store")


def means(store: Store) -> dict[str, float]:
    """Return the length of the mean acceleration, by recording."""
    signals = store.signals
    return {
        signals.recording_ids[number]: float(np.linalg.norm(signals.signal[first : first + length, :3].mean(axis=0)))
        for number, first, length in zip(signals.recording, signals.first, signals.length, strict=True)
    }


@pytest.mark.parametrize(("unit", "acc"), [("g", G), ("mg", G / 1000)])
def test_recordings_in_a_unit_nobody_named_are_converted_those_in_doubt_like_the_certain(
    unit: str, acc: float, tmp_path: Path
) -> None:
    store = own_set(tmp_path, {f"{name}/a.csv": mapped(name, s, acc, 1.0) for name, s in DONE.items()})
    assert store.summary.gravity == "included"
    assert set(means(store)) == {f"{name}/a" for name in DONE}
    assert all(mean == pytest.approx(G, rel=0.15) for mean in means(store).values())
    told = {p.source: p.detail for p in store.summary.problems if p.kind == "unit mismatch"}
    assert set(told) == {f"{name}/a" for name in DONE}
    assert f"so it is gravity in {unit}" in told["p1/Walk/a"]
    assert f"3 of 6 recordings looked at are in {unit}" in told["p2/Walk/a"]


def test_a_gyroscope_in_degrees_is_converted_also_where_nothing_moves_fast(tmp_path: Path) -> None:
    def size(folder: Path, gyro: float) -> dict[str, float]:
        folder.mkdir()
        store = own_set(folder, {f"{n}/a.csv": mapped(n, s, 1.0, gyro) for n, s in DONE.items()})
        signals = store.signals
        return {
            signals.recording_ids[number]: float(np.abs(signals.signal[first : first + length, 3:]).mean())
            for number, first, length in zip(signals.recording, signals.first, signals.length, strict=True)
        }

    radians, degrees = size(tmp_path / "rad", 1.0), size(tmp_path / "deg", np.pi / 180)
    assert degrees == pytest.approx(radians, rel=0.01)
    assert degrees["p1/Rest/a"] < 0.05  # 1 deg/s, which alone could be rad/s


def test_where_few_recordings_show_a_unit_all_are_left_as_read_and_the_few_are_told(tmp_path: Path) -> None:
    files = {f"{n}.csv": kinelab_csv("Walk", n, 8.0) for n in range(9)}
    time, values = signal("Rest", 1, 8.0)
    names = "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"
    files["odd.csv"] = table(names, [time, values + np.array([0.0, 0.0, 1.0, 0.0, 0.0, 0.0])])  # near 1 by chance
    path = tmp_path / "set.zip"
    path.write_bytes(zipped(files))
    build_store(path, tmp_path / "store")
    store = open_store(tmp_path / "store")
    assert means(store)["odd"] == pytest.approx(1.0, abs=0.02)
    assert [(p.source, p.kind) for p in store.summary.problems if "unit" in p.kind] == [("odd", "unit in doubt")]


def test_one_recording_in_another_unit_is_converted_by_itself_and_told(tmp_path: Path) -> None:
    files = {f"{name}/a.csv": mapped(name, 8.0, 1.0 if name == "p1/Rest" else G, 1.0) for name in DONE}
    store = own_set(tmp_path, files)
    assert all(mean == pytest.approx(G, rel=0.15) for mean in means(store).values())
    other = [p for p in store.summary.problems if p.kind == "unit unlike most"]
    assert [p.source for p in other] == ["p1/Rest/a"]
    assert other[0].action == "kept in m/s²"


def test_a_recording_whose_mean_is_no_gravity_in_the_unit_of_the_others_is_not_converted() -> None:
    others = [scaled(recording("Rest", n, 8.0, gravity="included"), 1 / G) for n in (1, 2, 3)]
    decisions = infer_dataset_units(others)
    assert (own := decisions["own layout", "accelerometer"])
    assert own.unit
    assert own.unit.name == "g"
    short = scaled(recording("Walk", 4, 2.5, gravity="included"), 1.0)
    after = normalise_units(short, decisions)
    np.testing.assert_array_equal(after.streams[0].values, short.streams[0].values)
    assert [p.kind for p in after.problems] == ["unit in doubt"]


def scaled(own: Recording, factor: float) -> Recording:
    """Return a recording with its acceleration times a factor, as a mapping would have read it."""
    streams = (replace(own.streams[0], values=own.streams[0].values * np.float32(factor)), own.streams[1])
    return replace(own, streams=streams, app="own layout")


def test_a_data_set_in_the_core_s_units_is_not_changed_by_a_bit(tmp_path: Path) -> None:
    files = {
        f"{name[:2]}/{name[3:]}.csv": kinelab_csv(name[3:], int(name[1]), 8.0, gravity="included") for name in DONE
    }
    path = tmp_path / "set.zip"
    path.write_bytes(zipped(files))
    summary = build_store(path, tmp_path / "store")
    assert (summary.problems, summary.gravity) == ((), "included")
    store = open_store(tmp_path / "store")
    (tmp_path / "one.csv").write_text(files["p2/Run.csv"])
    (read,) = read_upload(tmp_path / "one.csv", "one.csv")
    number = store.signals.recording_ids.index("p2/Run")
    first, length = store.signals.first[number], store.signals.length[number]
    np.testing.assert_array_equal(store.signals.signal[first : first + length, :3], read.streams[0].values)


@pytest.mark.real_data
def test_a_real_set_in_g_and_degrees_that_nobody_named_becomes_what_it_was(data_dir: Path, tmp_path: Path) -> None:
    axes = ["x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro"]
    files: dict[str, str] = {}
    with zipfile.ZipFile(data_dir / "sp-sw-har" / "sp-sw-har.zip") as archive:
        for name in sorted(n for n in archive.namelist() if n.endswith("_sp.csv"))[::12]:
            frame = pl.read_csv(archive.read(name))
            factors = [1 / G] * 3 + [180 / np.pi] * 3
            columns = [frame[axis].to_numpy() * factor for axis, factor in zip(axes, factors, strict=True)]
            seconds = (frame["timestamp"] - frame["timestamp"][0]).to_numpy() / 1000
            subject = name.rsplit("/", 1)[1][:3]
            files[f"{subject}/Walk/{len(files)}.csv"] = table(HEADER, [seconds, *columns])
    store = own_set(tmp_path, files)
    assert store.summary.recordings == len(files) >= 15
    assert store.summary.gravity == "included"
    acceleration = np.linalg.norm(store.signals.signal[:, :3], axis=1)
    rotation = np.linalg.norm(store.signals.signal[:, 3:], axis=1)
    assert np.median(acceleration) == pytest.approx(G, rel=0.05)
    assert 0.1 < np.median(rotation) < 5.0  # rad/s; the file said some tens


@pytest.mark.real_data
def test_known_sets_show_the_units_that_their_loaders_state(data_dir: Path, tmp_path: Path) -> None:
    """KU-HAR is without gravity: none of its recordings may seem to be in g."""
    with zipfile.ZipFile(data_dir / "ku-har" / "1.Raw_time_domian_data.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".csv")][::30]
        for name in names:
            (tmp_path / "one").write_bytes(archive.read(name))
            for read in read_upload(tmp_path / "one", name):
                assert [certain_unit(stream, read) for stream in read.streams] == [None, None]
    assert len(names) > 20
