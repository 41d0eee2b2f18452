"""A data set as files: Kinelab's own layout is read back, BIDS-Motion passes the standard's validator."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.har.datasets.exports import bids, kinelab
from app.har.datasets.exports.names import distinct, label
from app.har.datasets.store import Store, build_store, open_store
from app.har.signals.types import UNLABELLED, SignalSet
from app.har.texts import file_name
from tests.bad_inputs import zipped
from tests.synthetic import ku_har_zip, sp_sw_files

HOSTILE = ["../../etc/passwd", "=1+1", 'a "b",\tc\nd', "CON", "Jürgen", "jürgen", "…", ""]


@pytest.fixture(scope="module")
def devices(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a data set of two devices whose recordings change their activity."""
    folder = tmp_path_factory.mktemp("devices")
    (folder / "data.zip").write_bytes(zipped(sp_sw_files()))
    build_store(folder / "data.zip", folder / "store")
    return open_store(folder / "store")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("people")
    build_store(ku_har_zip(folder / "data.zip", subjects=2, seconds=12.5), folder / "store")
    return open_store(folder / "store")


def with_a_hole() -> SignalSet:
    """Return one recording of two stretches, 10 s apart, of which the first changes its label, and a second one."""
    rng = np.random.default_rng(1)
    return SignalSet(
        rng.normal(0, 3, (1800, 3)).astype(np.float32),
        np.repeat(np.array([UNLABELLED, 0, 1, 1], np.int16), (100, 400, 700, 600)),
        ("acc_x", "acc_y", "acc_z"), 50.0, "removed", ("Sit", "Walk"), ("morning", "evening"), ("7", "7"),
        np.array([0, 500, 1200]), np.array([500, 700, 600]), np.array([0, 0, 1]), np.array([3.0, 23.0, 0.0]),
    )  # fmt: skip


def written(files: Iterable[tuple[str, Iterable[bytes]]], folder: Path) -> Path:
    for name, content in files:
        path = folder / name
        assert folder in path.resolve().parents
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(content))
    return folder


def read_back(signals: SignalSet, folder: Path) -> Store:
    build_store(written(kinelab.files(signals), folder / "export"), folder / "again")
    return open_store(folder / "again")


@pytest.mark.parametrize("name", ["people", "devices"])
def test_kinelabs_layout_is_read_back_as_the_same_data_set(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    before = request.getfixturevalue(name).signals
    store = read_back(before, tmp_path)
    after = store.signals
    assert (after.sampling_rate_hz, after.channels, after.gravity) == (
        before.sampling_rate_hz, before.channels, before.gravity,
    )  # fmt: skip
    people = list(zip(before.recording_ids, before.subjects, strict=True))
    order = [after.recording_ids.index(f"{s}/{file_name(r)}") for r, s in people]
    assert [after.subjects[i] for i in order] == list(before.subjects)
    for was, now in enumerate(order):
        (old,), (new,) = (np.flatnonzero(x.recording == i) for x, i in ((before, was), (after, now)))
        assert after.length[new] == before.length[old]
        rows = [slice(x.first[i], x.first[i] + x.length[i]) for x, i in ((before, old), (after, new))]
        assert np.allclose(after.signal[rows[1]], before.signal[rows[0]], atol=1e-4, equal_nan=True)
        labels = [
            [(*x.activities, "")[label] for label in x.labels[row]] for x, row in ((before, rows[0]), (after, rows[1]))
        ]
        assert labels[0] == labels[1]


def test_holes_and_stretches_without_label_are_read_back(tmp_path: Path) -> None:
    before = with_a_hole()
    store = read_back(before, tmp_path)
    assert store.signals.length.tolist() == [600, 500, 700]  # in the order of the names
    assert store.signals.activities == ("Walk", "Sit")
    assert store.contents.samples.tolist() == [[600, 0, 0], [700, 400, 100]]
    assert any("gap" in problem.kind for problem in store.summary.problems)


def test_hostile_names_stay_in_the_folder_and_are_told_apart(tmp_path: Path) -> None:
    before = with_a_hole()
    n = len(HOSTILE)
    signals = replace(
        before, recording_ids=tuple(HOSTILE), subjects=tuple(reversed(HOSTILE)),
        activities=('=cmd|"/c calc"!A1', "a,b"), signal=before.signal[: 225 * n], labels=np.zeros(225 * n, np.int16),
        first=np.arange(n) * 225, length=np.full(n, 225), recording=np.arange(n), start_s=np.zeros(n),
    )  # fmt: skip
    own = written(kinelab.files(signals), tmp_path / "kinelab")
    assert len(list(own.rglob("*.csv"))) == n
    assert ",'=cmd" in next(own.rglob("*.csv")).read_text() or ",\"'=cmd" in next(own.rglob("*.csv")).read_text()
    standard = written(bids.files(bids.Dataset("set", "Set", signals, {"": ""})), tmp_path / "bids")
    assert len(list(standard.rglob("*_motion.tsv"))) == n
    names = [row["subject"] for row in table(standard / "participants.tsv")]
    assert "'=1+1" in names
    assert len(set(names)) == n
    check(standard)


def test_names_are_made_for_any_file_system() -> None:
    assert [file_name(text) for text in HOSTILE[:5]] == [
        "_.._etc_passwd", "_1_1", "a _b_c_d", "_CON", "Jürgen",
    ]  # fmt: skip
    assert [label(text) for text in ("Stair-up", "s01_01", "…")] == ["Stairup", "s0101", "x"]
    assert distinct(["a-b", "a_b", "AB"], label) == {"a-b": "ab", "a_b": "ab2", "AB": "AB3"}
    long = distinct([f"{'𠮷' * 90}{number}" for number in range(12)], file_name).values()
    assert len(set(long)) == 12
    assert max(len(f"{name}.csv".encode()) for name in long) <= 255
    parts = [f"{prefix}-{label('x' * 300)}" for prefix in ("sub", "tracksys")]
    assert len("_".join((*parts, f"task-{'x' * 64}", "run-0001", "channels.json"))) <= 255


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text()), delimiter="\t"))


def check(folder: Path) -> list[str]:
    """Let the standard's own validator look at a data set; return the codes of its warnings."""
    command = [str(Path(sys.executable).with_name("bids-validator-deno")), "--json", str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    issues = json.loads(answer.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    return sorted({issue.get("subCode") or issue["code"] for issue in issues})


def test_bids_passes_the_validator_and_only_lacks_what_nobody_knows(devices: Store, tmp_path: Path) -> None:
    dataset = bids.Dataset("sp-sw", "SP-SW-HAR", devices.signals, {"phone": "leg", "watch": "wrist"})
    folder = written(bids.files(dataset), tmp_path / "bids")
    assert check(folder) == [
        "Authors", "DeviceSerialNumber", "HEDVersion", "InstitutionAddress", "InstitutionName",
        "InstitutionalDepartmentName", "Instructions", "License", "Manufacturer", "ManufacturersModelName",
        "SoftwareVersions", "SourceDatasets", "StimulusPresentation", "SubjectArtefactDescription", "TOO_FEW_AUTHORS",
    ]  # fmt: skip


def test_the_validator_notices_what_is_missing(devices: Store, tmp_path: Path) -> None:
    folder = written(bids.files(bids.Dataset("x", "X", devices.signals, {})), tmp_path / "bids")
    next(folder.rglob("*_motion.json")).unlink()
    with pytest.raises(AssertionError):
        check(folder)


def test_bids_files_hold_what_the_data_set_holds(devices: Store, tmp_path: Path) -> None:
    signals = devices.signals
    folder = written(bids.files(bids.Dataset("sp-sw", "x", signals, {"phone": "leg"})), tmp_path / "bids")
    assert [row["subject"] for row in table(folder / "participants.tsv")] == sorted(set(signals.subjects))
    scans = table(folder / "sub-s01" / "sub-s01_scans.tsv")
    motion = folder / "sub-s01" / next(row["filename"] for row in scans if row["recording"] == "s01_01")
    channels = table(motion.with_name(motion.name.replace("_motion", "_channels")))
    sidecar = json.loads(motion.with_suffix(".json").read_text())
    rows = np.loadtxt(motion, delimiter="\t")
    assert [channel["type"] for channel in channels] == ["LATENCY", *["ACCEL"] * 3, *["GYRO"] * 3]
    assert [channel["units"] for channel in channels] == ["s", *["m/s^2"] * 3, *["rad/s"] * 3]
    assert {channel["placement"] for channel in channels[1:]} == {"leg"}
    assert rows.shape[1] == len(channels) == sidecar["MotionChannelCount"]
    stretch = int(np.flatnonzero(signals.recording == signals.recording_ids.index("s01_01"))[0])
    piece = slice(signals.first[stretch], signals.first[stretch] + signals.length[stretch])
    assert np.array_equal(rows[:, 1:].astype(np.float32), signals.signal[piece, :6])
    assert np.allclose(np.diff(rows[:, 0]), 1 / signals.sampling_rate_hz)
    events = table(next(folder.glob("sub-s01/motion/*_run-1_events.tsv")))
    labels = [signals.activities[code] for code in signals.labels[piece]]
    for event in events:
        start = round(float(event["onset"]) * signals.sampling_rate_hz)
        end = start + round(float(event["duration"]) * signals.sampling_rate_hz)
        assert set(labels[start:end]) == {event["trial_type"]}
    assert sum(float(event["duration"]) for event in events) == pytest.approx(len(labels) / signals.sampling_rate_hz)


def test_a_hole_is_in_the_latencies_and_no_event_crosses_it(tmp_path: Path) -> None:
    folder = written(bids.files(bids.Dataset("set", "Set", with_a_hole(), {"": ""})), tmp_path / "bids")
    check(folder)
    rows = np.loadtxt(folder / "sub-7" / "motion" / "sub-7_task-set_tracksys-imu_run-1_motion.tsv", delimiter="\t")
    assert len(rows) == 1200
    assert (rows[0, 0], rows[499, 0], rows[500, 0]) == (0.0, 9.98, 20.0)
    events = table(folder / "sub-7" / "motion" / "sub-7_task-set_run-1_events.tsv")
    assert [(event["onset"], event["duration"], event["trial_type"]) for event in events] == [
        ("2.000000", "8.000000", "Sit"),
        ("20.000000", "14.000000", "Walk"),
    ]


def test_a_sensor_that_a_recording_lacks_is_not_among_its_channels(tmp_path: Path) -> None:
    whole = with_a_hole()
    signal = np.hstack([whole.signal, whole.signal])
    signal[1200:, 3:] = np.nan  # the second recording
    signal[1300, 0] = np.nan  # and one reading
    signals = replace(whole, signal=signal, channels=(*whole.channels, "gyro_x", "gyro_y", "gyro_z"))
    folder = written(bids.files(bids.Dataset("set", "Set", signals, {"": ""})), tmp_path / "bids")
    check(folder)
    assert [len(table(path)) for path in sorted(folder.rglob("*_channels.tsv"))] == [7, 4]
    second = sorted(folder.rglob("*_motion.tsv"))[1].read_text().splitlines()
    assert second[100].split("\t")[1] == "n/a"


@pytest.mark.real_data
def test_ku_har_is_read_back_window_for_window(ku_har_home: Path, tmp_path: Path) -> None:
    stores = [open_store(path.parent) for path in (ku_har_home / "instance" / "datasets").glob("*/manifest.json")]
    before = next(store for store in stores if store.summary.format == "ku-har-raw")
    after = read_back(before.signals, tmp_path)  # people run so hard that it may look like gravity
    assert after.summary.activities == before.summary.activities
    assert (after.summary.recordings, after.summary.subjects) == (710, 80)
    assert after.contents.largest[5] == before.contents.largest[5]
