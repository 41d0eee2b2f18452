"""A unit that a layout states is checked against physics: files filled in another unit are converted, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from app.har.datasets.described import DescribedDataset
from app.har.datasets.description import Description
from app.har.datasets.store import Store, build_store, open_store
from app.har.errors import InsufficientData, UnusableRecording
from app.har.problems import ProblemKind
from app.har.signals.normalisation import normalise_upload, require_plausible_magnitudes
from app.har.signals.types import Recording, Stream
from tests import exports, synthetic
from tests.exports import START_S, stream, upload, zipped
from tests.tables import table

G = 9.80665
DEG = np.pi / 180
DEG_PER_CODE = 4000 / 2**16  # of SisFall
SECONDS = 12.8
Files = str | dict[str, str]


def turning(rate_hz: float, activity: str = "Walk", subject: int = 1) -> Recording:
    """Return a walk of a device that turns to and fro as well, so that gravity shows the gyroscope's unit."""
    time, values = synthetic.signal(activity, subject, SECONDS, rate_hz)
    angle = 0.9 * np.sin(2 * np.pi * 0.3 * time + subject)
    gravity = G * np.column_stack([np.zeros_like(time), np.sin(angle), np.cos(angle)])
    rotation = np.column_stack([np.gradient(angle, time), np.zeros_like(time), np.zeros_like(time)])
    streams = (
        Stream("accelerometer", time, (gravity + 0.3 * values[:, :3]).astype(np.float32)),
        Stream("gyroscope", time, (rotation + 0.02 * values[:, 3:]).astype(np.float32)),
    )
    return Recording(f"{subject}_{activity}", str(subject), streams, "included", activity=activity)


def scaled(recording: Recording, acceleration: float, rotation: float) -> Recording:
    """Return a recording whose numbers are multiplied, as a program does that fills a layout with another unit."""
    factors = {"accelerometer": acceleration, "linear_accelerometer": acceleration, "gyroscope": rotation}
    streams = (replace(s, values=s.values * np.float32(factors[s.kind])) for s in recording.streams)
    return replace(recording, streams=tuple(streams))


def kinelab(recording: Recording) -> str:
    streams = recording.streams
    names = [name for own in streams for name in own.channels]
    header, *lines = table(",".join(["time_s", *names]), [streams[0].time_s, *(own.values for own in streams)]).split()
    return "\n".join([f"{header},activity", *(f"{line},{recording.activity}" for line in lines), ""])


def sp_sw(recording: Recording) -> str:
    values = np.column_stack([own.values for own in recording.streams])
    stamps = 1_657_533_977_800 + np.round(1e3 * recording.streams[0].time_s)
    lines = (f"{','.join(f'{v:.9g}' for v in row)},{t:.0f},WALKING" for t, row in zip(stamps, values, strict=True))
    return "\n".join(["x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro,timestamp,label", *lines]) + "\n"


def ku_har_raw(recording: Recording) -> str:
    acceleration, rotation = recording.streams
    time = acceleration.time_s + 0.01
    return synthetic.text(np.column_stack([time, acceleration.values, time + 0.002, rotation.values]))


def ku_har_windows(recording: Recording) -> str:
    values = np.column_stack([own.values for own in recording.streams])
    windows = [values[first : first + 300] for first in range(0, len(values) - 299, 300)]
    return synthetic.text(np.array([[*own.T.ravel(), 11, 300, i] for i, own in enumerate(windows)]))


def pamap2(recording: Recording) -> str:
    hand = (replace(own, modality=f"hand.{own.modality}") for own in recording.streams)
    return exports.pamap2(replace(recording, streams=tuple(hand)))


def empatica(recording: Recording) -> dict[str, str]:
    values = recording.streams[0].values / G * 64
    lines = [
        ", ".join([f"{START_S:.6f}"] * 3),
        ", ".join(["32.000000"] * 3),
        *(",".join(map(str, row)) for row in values),
    ]
    return {"ACC.csv": "\n".join(lines) + "\n"}


# format -> writer, samples per second; each writes its layout as it should be, from m/s² and rad/s
WITH_BOTH: Mapping[str, tuple[Callable[[Recording], Files], float]] = {
    "Kinelab": (kinelab, 50.0),
    "HHAR": (exports.hhar, 100.0),
    "SP-SW-HAR": (sp_sw, 100.0),
    "HAPT": (exports.hapt, 50.0),
    "UCI HAR": (exports.uci_har_windows, 50.0),
    "MotionSense": (exports.motion_sense, 50.0),
    "SisFall": (exports.sisfall, 200.0),
    "PAMAP2": (pamap2, 100.0),
    "KU-HAR": (ku_har_raw, 100.0),
    "KU-HAR windows": (ku_har_windows, 100.0),
    "phyphox": (exports.phyphox, 100.0),
    "Sensor Logger": (exports.sensor_logger, 100.0),
    "Physics Toolbox": (exports.physics_toolbox, 100.0),
}
ACCELERATION_ALONE: Mapping[str, tuple[Callable[[Recording], Files], float]] = {
    "WISDM": (exports.wisdm, 20.0),
    "Empatica E4": (empatica, 32.0),
    "AWARE": (exports.aware, 100.0),
}
STATED_IN_G = ("HAPT", "UCI HAR", "MotionSense", "Physics Toolbox")


def wrong_factors(name: str) -> dict[str, float]:
    """Return by what the values of a layout are multiplied where it is filled with another unit than it states."""
    if name in STATED_IN_G:
        return {"m/s² for g": G, "mg for g": 1000.0}
    if name == "Empatica E4":
        return {"g for 1/64 g": 1 / 64, "mg for 1/64 g": 1000 / 64, "m/s² for 1/64 g": G / 64}
    if name == "SisFall":  # holds whole numbers
        return {"mg for 1/256 g": 1000 / 256}
    if name == "AWARE":  # whose g are an iPhone's, with another sign
        return {"mg for m/s²": 1000 / G, "m/s² multiplied by 9.81": G}
    return {"g for m/s²": 1 / G, "mg for m/s²": 1000 / G, "m/s² multiplied by 9.81": G}


def mean_length(own: Stream) -> float:
    return float(np.median(np.linalg.norm(own.values, axis=1)))


ACCELERATIONS = [
    pytest.param(write, rate, factor, id=f"{name}, {wrong}")
    for name, (write, rate) in {**WITH_BOTH, **ACCELERATION_ALONE}.items()
    for wrong, factor in wrong_factors(name).items()
]


@pytest.mark.parametrize(("write", "rate_hz", "factor"), ACCELERATIONS)
def test_acceleration_of_an_upload_in_another_unit_than_its_layout_states_is_converted(
    write: Callable[[Recording], Files], rate_hz: float, factor: float, tmp_path: Path
) -> None:
    true = turning(rate_hz)
    right, wrong = (
        normalise_upload(upload(tmp_path, write(own), "walk_accelerometer"))
        for own in (true, scaled(true, factor, 1.0))
    )
    assert len(right) == len(wrong) >= 1
    for expected, found in zip(right, wrong, strict=True):
        for own in expected.streams:
            again = stream(found, own.modality)
            tolerance = 0.05 if own.unit_found.startswith("codes") else 1e-3  # of whole codes
            np.testing.assert_allclose(again.values, own.values, atol=tolerance, rtol=1e-4, err_msg=own.modality)
        assert found.gravity == expected.gravity == "included"
        accelerometer = next(s for s in found.streams if s.kind == "accelerometer")
        assert mean_length(accelerometer) == pytest.approx(G, rel=0.1)
        told = [p for p in found.problems if p.kind == "unit mismatch" and "accelerometer" in p.detail + p.source]
        assert told or accelerometer.unit_found.endswith("by its size")
        require_plausible_magnitudes(found, "included")


ROTATIONS = [
    pytest.param(write, rate, DEG_PER_CODE if name == "SisFall" else 1 / DEG, id=name)
    for name, (write, rate) in WITH_BOTH.items()
]


@pytest.mark.parametrize(("write", "rate_hz", "factor"), ROTATIONS)
def test_rotation_of_an_upload_in_degrees_that_its_layout_does_not_state_is_converted(
    write: Callable[[Recording], Files], rate_hz: float, factor: float, tmp_path: Path
) -> None:
    true = turning(rate_hz)
    right, wrong = (normalise_upload(upload(tmp_path, write(own), "walk")) for own in (true, scaled(true, 1.0, factor)))
    for expected, found in zip(right, wrong, strict=True):
        gyroscope = next(s for s in expected.streams if s.kind == "gyroscope")
        again = stream(found, gyroscope.modality)
        tolerance = 0.01 if gyroscope.unit_found.startswith("codes") else 1e-4  # of whole degrees
        np.testing.assert_allclose(again.values, gyroscope.values, atol=tolerance, rtol=1e-4)
        assert again.unit_found.startswith("deg/s, by ")
        kinds = [p.kind for p in found.problems if p.detail.startswith("gyroscope") or "gyroscope:" in p.detail]
        assert kinds.count(ProblemKind.UNIT_MISMATCH) == 1
        require_plausible_magnitudes(found, found.gravity)


# --- data sets

PEOPLE = [(subject, activity) for subject in (1, 2, 3) for activity in ("Walk", "Rest")]
DESCRIBED = "label: {from: folder}\nsubject: {from: folder, level: 2}\n"


def by_file(write: Callable[[Recording], str], name: str) -> Callable[[list[Recording]], dict[str, str]]:
    """Return a writer of a set that has a file for each recording."""
    return lambda recordings: {name.format(own.subject, own.activity): write(own) for own in recordings}


def hhar_set(recordings: list[Recording]) -> dict[str, str]:
    files: dict[str, str] = {}
    for own in recordings:
        for name, text in exports.hhar(own).items():
            header, *lines = text.replace(",a,nexus4,", f",{own.subject}{own.activity},nexus4,").splitlines()
            files[name] = "\n".join([files.get(name, header), *lines])
    return files


def sp_sw_set(recordings: list[Recording]) -> dict[str, str]:
    pairs = ((f"s0{own.subject}_0{n}", own) for n, own in enumerate(recordings))
    return {f"DATA/{name}_{device}.csv": sp_sw(own) for name, own in pairs for device in ("sp", "sw")}


def hapt_set(recordings: list[Recording]) -> dict[str, str]:
    files: dict[str, str] = {}
    labels = []
    for n, own in enumerate(recordings, 1):
        files |= exports.hapt(own, experiment=n, user=int(own.subject))
        labels.append(f"{n} {own.subject} {1 if own.activity == 'Walk' else 5} 1 {len(own.streams[0].time_s)}")
    return {**files, "labels.txt": "\n".join(labels) + "\n"}


def windows_set(recordings: list[Recording]) -> dict[str, str]:
    return {"windows.csv": "".join(ku_har_windows(own) for own in recordings)}


def folders(write: Callable[[Recording], Files], name: str) -> Callable[[list[Recording]], dict[str, str]]:
    """Return a writer of a described set, a folder for each recording."""

    def write_all(recordings: list[Recording]) -> dict[str, str]:
        files: dict[str, str] = {}
        for own in recordings:
            written = write(own)
            for file, text in (written if isinstance(written, dict) else {name: written}).items():
                files[f"{own.subject}/{own.activity}/{file}"] = text
        return files

    return write_all


Writer = Callable[[list[Recording]], dict[str, str]]
# format -> writer, samples per second, whether it is described (not recognised as a set by itself)
SETS: Mapping[str, tuple[Writer, float, bool]] = {
    "KU-HAR": (by_file(ku_har_raw, "11.{1}/100{0}_L_1.csv"), 100.0, False),
    "KU-HAR windows": (windows_set, 100.0, False),
    "HHAR": (hhar_set, 100.0, False),
    "SP-SW-HAR": (sp_sw_set, 100.0, False),
    "HAPT": (hapt_set, 50.0, False),
    "Kinelab": (by_file(kinelab, "{0}/{1}.csv"), 50.0, False),
    "SisFall": (folders(exports.sisfall, "D01_SA01_R01.txt"), 200.0, True),
    "MotionSense": (folders(exports.motion_sense, "sub_1.csv"), 50.0, True),
    "PAMAP2": (folders(exports.pamap2, "subject101.dat"), 100.0, True),
    "WISDM": (folders(exports.wisdm, "wisdm_accelerometer.txt"), 20.0, True),
    "Empatica E4": (folders(empatica, "ACC.csv"), 32.0, True),
    "UCI HAR": (folders(exports.uci_har_windows, ""), 50.0, True),
}


def built(folder: Path, name: str, acceleration: float = 1.0, rotation: float = 1.0, short_s: float = 0.0) -> Store:
    """Build a set whose numbers are multiplied, its last recording perhaps too short to show a unit."""
    write, rate_hz, described = SETS[name]
    recordings = [turning(rate_hz, activity, subject) for subject, activity in PEOPLE]
    if short_s:
        n = round(short_s * rate_hz)
        cut = (replace(s, time_s=s.time_s[:n], values=s.values[:n]) for s in recordings[-1].streams)
        recordings[-1] = replace(recordings[-1], streams=tuple(cut))
    folder.mkdir()
    path = folder / "set.zip"
    path.write_bytes(zipped(write([scaled(own, acceleration, rotation) for own in recordings])))
    loader = DescribedDataset(Description.from_yaml(DESCRIBED, "set.yaml")) if described else None
    build_store(path, folder / "store", loader=loader)
    return open_store(folder / "store")


SET_ACCELERATIONS = [
    pytest.param(name, factor, id=f"{name}, {wrong}") for name in SETS for wrong, factor in wrong_factors(name).items()
]


def short_s(name: str) -> float:
    return 0.0 if name == "UCI HAR" else 2.4  # whose windows last longer


@pytest.fixture(scope="module")
def built_right(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Store]:
    """Return a builder of a set as it should be, once for all wrong ones."""
    return cache(lambda name: built(tmp_path_factory.mktemp("right") / "set", name, short_s=short_s(name)))


@pytest.mark.parametrize(("name", "factor"), SET_ACCELERATIONS)
def test_a_data_set_in_another_unit_than_its_layout_states_is_converted(
    name: str, factor: float, built_right: Callable[[str], Store], tmp_path: Path
) -> None:
    right, wrong = built_right(name), built(tmp_path / "wrong", name, factor, short_s=short_s(name))
    tolerance = 0.05 if name == "SisFall" else 1e-3
    np.testing.assert_allclose(wrong.signals.signal, right.signals.signal, atol=tolerance, rtol=1e-4)
    assert wrong.summary.gravity == right.summary.gravity == "included"
    assert "unit mismatch" in {problem.kind for problem in wrong.summary.problems}
    assert wrong.summary.recordings == right.summary.recordings


@pytest.mark.parametrize("name", [name for name in SETS if name in WITH_BOTH])
def test_a_data_set_in_degrees_that_its_layout_does_not_state_is_converted(
    name: str, built_right: Callable[[str], Store], tmp_path: Path
) -> None:
    factor = DEG_PER_CODE if name == "SisFall" else 1 / DEG
    right, wrong = built_right(name), built(tmp_path / "wrong", name, rotation=factor, short_s=short_s(name))
    np.testing.assert_allclose(wrong.signals.signal, right.signals.signal, atol=0.02, rtol=1e-4)
    assert "unit mismatch" in {problem.kind for problem in wrong.summary.problems}


@pytest.mark.parametrize("name", [name for name in SETS if name not in ("SisFall", "Empatica E4")])
def test_a_data_set_in_a_unit_that_nobody_knows_is_refused_with_a_message(name: str, tmp_path: Path) -> None:
    with pytest.raises(InsufficientData, match="more than twice gravity"):
        built(tmp_path / "acceleration", name, acceleration=5.0)
    if name in WITH_BOTH:
        with pytest.raises(InsufficientData, match="seems to hold raw counts"):
            built(tmp_path / "rotation", name, rotation=131 / DEG)


def test_an_upload_in_a_unit_that_nobody_knows_is_refused_with_a_message(tmp_path: Path) -> None:
    for recording in (scaled(turning(50.0), 5.0, 1.0), scaled(turning(50.0), 1.0, 131 / DEG)):
        (found,) = normalise_upload(upload(tmp_path, exports.hapt(recording)))
        with pytest.raises(UnusableRecording, match=r"more than twice gravity|seems to hold raw counts"):
            require_plausible_magnitudes(found, "included")


def test_windows_of_an_upload_that_show_no_unit_are_as_the_others(tmp_path: Path) -> None:
    still, walking = synthetic.recording("Rest", rate_hz=100.0), synthetic.recording("Run", rate_hz=100.0)
    text = "".join(ku_har_windows(scaled(own, 1.0, 1 / DEG)) for own in (still, walking))
    found = normalise_upload(upload(tmp_path, text, "windows.csv"))
    assert len(found) == 8
    assert all(stream(own, "gyroscope").unit_found.startswith("deg/s, ") for own in found)
    assert stream(found[0], "gyroscope").unit_found == "deg/s, as most of the recordings"
    np.testing.assert_allclose(stream(found[0], "gyroscope").values, still.streams[1].values[:300], atol=1e-5)


def test_resting_acceleration_without_gravity_is_not_taken_for_gravity_in_a_larger_unit() -> None:
    time = np.arange(600) / 50
    bias = np.array([0.06, -0.05, 0.06]) + np.random.default_rng(0).normal(0, 0.005, (600, 3))  # 0.098 m/s²
    rest = Recording("r", "s", (Stream("accelerometer", time, bias.astype(np.float32)),), "removed")
    (found,) = normalise_upload([rest])
    np.testing.assert_array_equal(found.streams[0].values, rest.streams[0].values)
    assert (found.gravity, found.problems) == ("removed", ())
