"""An upload is recognised by its content, whatever it is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.har.recordings.files import open_files
from app.har.recordings.formats import ku_har_raw
from app.har.recordings.formats.kinelab_csv import write_csv
from app.har.recordings.importers import IMPORTERS
from app.har.recordings.layout import sniff
from app.har.recordings.upload import read_upload
from app.har.signals.resampling import to_signal_set
from app.har.signals.types import UNLABELLED
from tests import synthetic
from tests.bad_inputs import zipped

LAYOUTS = {
    "kinelab": synthetic.kinelab_csv(),
    "ku-har raw": synthetic.ku_har_csv(),
    "ku-har windows": synthetic.ku_har_windows_csv(),
    "hhar": synthetic.hhar_csv("accelerometer"),
    "hhar without header": synthetic.hhar_csv("gyroscope", header=False),
    "sp-sw-har": synthetic.sp_sw_csv(),
    "kinelab with devices": synthetic.kinelab_csv().replace("acc_", "watch.acc_").replace("gyro_", "watch.gyro_"),
    "hhar with tabs": synthetic.hhar_csv("gyroscope").replace(",", "\t"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_recognised_by_exactly_one_importer(layout: str) -> None:
    found = sniff(LAYOUTS[layout].encode()[: 2**20], "x", complete=len(LAYOUTS[layout]) < 2**20)
    assert sum(importer.matches(found) for importer in IMPORTERS) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_upload_is_read_whatever_its_name(layout: str, tmp_path: Path) -> None:
    path = tmp_path / "4f1d"
    path.write_text(LAYOUTS[layout])
    events: list[dict[str, object]] = []
    recordings = read_upload(path, "holiday.jpg", events.append)
    assert recordings
    assert len(to_signal_set(recordings).signal) >= 300
    assert events[-1] == {"stage": "reading", "fraction": 1.0}


def test_both_sensors_of_a_zip_become_one_recording(tmp_path: Path) -> None:
    path = tmp_path / "phone.zip"
    path.write_bytes(zipped({"a.csv": synthetic.hhar_csv("gyroscope"), "b.csv": synthetic.hhar_csv("accelerometer")}))
    (recording,) = read_upload(path, "phone.zip")
    assert [stream.modality for stream in recording.streams] == ["accelerometer", "gyroscope"]
    assert (recording.gravity, recording.activities, recording.subject) == ("included", ("walk",), "a")
    time, values = synthetic.signal("Walk", 1, 8.0, 100.0, gravity="included")
    np.testing.assert_allclose(recording.streams[1].values, values[:, 3:], atol=1e-5)
    np.testing.assert_allclose(recording.streams[0].time_s, time, atol=1e-6)


def test_several_people_and_devices_become_several_recordings(tmp_path: Path) -> None:
    text = synthetic.hhar_csv("accelerometer") + "".join(
        synthetic.hhar_csv("accelerometer", user=user, device=device, header=False)
        for user, device in (("a", "gear_1"), ("b", "nexus4_1"))
    )
    path = tmp_path / "x"
    path.write_text(text)
    assert [r.recording_id for r in read_upload(path, "x.csv")] == ["a nexus4_1", "a gear_1", "b nexus4_1"]


@pytest.mark.parametrize("label", ["null", ""])
def test_rows_without_label_are_unlabelled(label: str, tmp_path: Path) -> None:
    lines = synthetic.hhar_csv("accelerometer").splitlines()
    path = tmp_path / "x"
    path.write_text("\n".join([*lines[:400], *(line.removesuffix("walk") + label for line in lines[400:])]))
    (recording,) = read_upload(path, "x.csv")
    labels = recording.streams[0].labels
    assert labels is not None
    assert recording.activities == ("walk",)
    assert labels[:399].tolist() == [0] * 399
    assert set(labels[399:].tolist()) == {-1}


@pytest.mark.parametrize(
    "label",
    ["missing", "Missing", "Uncertain", "unfamiliar", "Too little", "NaN", "null", "None", "N/A", "unlabelled", "?"],
)
def test_what_kinelab_calls_no_activity_is_none_of_a_data_set(label: str, tmp_path: Path) -> None:
    lines = synthetic.hhar_csv("accelerometer").splitlines()
    path = tmp_path / "x"
    path.write_text("\n".join([*lines[:400], *(line.removesuffix("walk") + label for line in lines[400:])]))
    signals = to_signal_set(read_upload(path, "x.csv"))
    assert signals.activities == ("walk",)
    assert set(signals.labels.tolist()) == {0, UNLABELLED}


def test_ruined_creation_times_give_way_to_arrival_times(tmp_path: Path) -> None:
    rows = [line.split(",") for line in synthetic.hhar_csv("accelerometer").splitlines()]
    path = tmp_path / "x"
    path.write_text(
        "\n".join(",".join([*row[:2], "1.42E+018" if i else row[2], *row[3:]]) for i, row in enumerate(rows))
    )
    (recording,) = read_upload(path, "x.csv")
    assert np.ptp(recording.streams[0].time_s) == pytest.approx(7.99, abs=0.01)


def test_windows_become_a_recording_each_with_its_activity(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(synthetic.ku_har_windows_csv(5))
    recordings = read_upload(path, "test.csv")
    assert [r.activity for r in recordings] == ["Stand", "Walk", "Run", "Stand", "Walk"]
    assert {r.gravity for r in recordings} == {"removed"}


def _eight_columns(clock: NDArray[np.float64], other: NDArray[np.float64]) -> str:
    _, values = synthetic.signal("Walk", 1, 8.0, 50.0, gravity="included")
    return synthetic.text(np.column_stack([clock, values[:, :3], other, values[:, 3:]]))


ROW = np.arange(400)


@pytest.mark.parametrize(
    ("clock", "other"),
    [
        (ROW, ROW * 20.0),  # index and milliseconds
        (ROW, ROW / 50),
        (ROW / 50, ROW),
        (ROW / 50, ROW * 20.0),
        (ROW, ROW),
        (ROW / 50, ROW / 50 + 1.7e9),
        (ROW / 50, np.sin(ROW)),
    ],
)
def test_eight_columns_without_two_clocks_that_agree_are_not_ku_har(
    clock: NDArray[np.float64], other: NDArray[np.float64]
) -> None:
    text = _eight_columns(clock, other)
    assert not ku_har_raw.matches(sniff(text.encode(), "x"))
    assert ku_har_raw.matches(sniff(_eight_columns(ROW / 50, ROW / 52 + 38).encode(), "x"))


def test_a_heading_that_says_seconds_is_believed_where_a_body_moves_so_slowly(tmp_path: Path) -> None:
    _, values = synthetic.signal("Walk", 1, 8.0)
    path, header = tmp_path / "x", "time_s,acc_x,acc_y,acc_z"
    found = {}
    for step in (0.5, 2.0, 20.0):
        path.write_text(synthetic.text(np.column_stack([ROW * step, values[:, :3]]), header))
        (recording,) = read_upload(path, "x.csv")
        found[step] = recording.streams[0].time_s[-1], "time unit" in [p.kind for p in recording.problems]
    assert found == {0.5: (199.5, False), 2.0: (798.0, False), 20.0: (pytest.approx(7.98), True)}
    path.write_text(synthetic.text(np.column_stack([ROW * 60.0, 70 + ROW % 5]), "time_s,heart_rate"))
    assert read_upload(path, "x.csv")[0].streams[0].time_s[-1] == 399 * 60


def _one_sensor(sensor: str, later: float = 0.0, activity: str = "Walk") -> str:
    time, values = synthetic.signal("Walk", 1, 8.0, gravity="included")
    axes = values[:, :3] if sensor == "acc" else values[:, 3:]
    lines = synthetic.text(
        np.column_stack([time + later, axes]), f"time_s,{sensor}_x,{sensor}_y,{sensor}_z"
    ).splitlines()
    return "\n".join([f"{lines[0]},activity", *(f"{line},{activity}" for line in lines[1:])])


@pytest.mark.parametrize(
    ("files", "sensors"),
    [
        ({"gyro.csv": _one_sensor("gyro", 0.01), "acc.csv": _one_sensor("acc")}, [2]),
        ({f"{who}_{own}.csv": _one_sensor(own) for who in ("ann", "bob") for own in ("acc", "gyro")}, [2, 2]),
        ({"acc.csv": _one_sensor("acc"), "gyro.csv": _one_sensor("gyro", 60.0)}, [1, 1]),
        ({"acc.csv": _one_sensor("acc"), "gyro.csv": _one_sensor("gyro", activity="Run")}, [1, 1]),
        ({"acc.csv": _one_sensor("acc", activity=""), "gyro.csv": _one_sensor("gyro", 0.01)}, [2]),
        ({"a/acc.csv": _one_sensor("acc"), "b/gyro.csv": _one_sensor("gyro")}, [1, 1]),
        ({"walk.csv": _one_sensor("acc"), "run.csv": _one_sensor("gyro")}, [1, 1]),
        ({"acc.csv": _one_sensor("acc"), "acceleration.csv": _one_sensor("acc")}, [1, 1]),
    ],
    ids=["both", "two people", "later", "other labels", "one labelled", "folders", "names", "same sensor"],
)
def test_own_files_of_a_sensor_each_are_one_recording_where_name_and_time_agree(
    files: dict[str, str], sensors: list[int], tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(zipped(dict(files)))
    recordings = read_upload(tmp_path / "x", "phone.zip")
    assert [len(recording.streams) for recording in recordings] == sensors
    assert {recording.activities for recording in recordings} <= {("Walk",), ("Run",)}
    if len(recordings) == 1:
        (both,) = recordings
        assert (both.recording_id, both.gravity) == ("acc.csv + gyro.csv", "included")
        assert [stream.time_s[0] for stream in both.streams] == [0.0, 0.01]


def test_the_folder_of_a_raw_file_names_its_activity(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(
        zipped({"set/11.Walk/1001_L_1.csv": synthetic.ku_har_csv(), "1001_O_1.csv": synthetic.ku_har_csv("Run")})
    )
    assert [r.activity for r in read_upload(path, "x.zip")] == ["Walk", None]


@pytest.mark.parametrize("gravity", ["included", "removed"])
@pytest.mark.parametrize("activity", ["Rest", "Walk", "Run"])
def test_gravity_is_told_from_the_signal(activity: str, gravity: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(synthetic.kinelab_csv(activity, gravity=gravity))  # type: ignore[arg-type]
    assert read_upload(path, "x.csv")[0].gravity == gravity


def test_what_is_written_is_what_is_read_names_with_commas_too(tmp_path: Path) -> None:
    from dataclasses import replace

    recording = replace(synthetic.recording("Walk"), activity='Walk, "fast"')
    signals = to_signal_set([recording])
    path = tmp_path / "x"
    path.write_text("".join(write_csv(signals, recording.recording_id)))
    (again,) = read_upload(path, "x.csv")
    assert again.activities == ('Walk, "fast"',)
    np.testing.assert_array_equal(to_signal_set([again]).signal, signals.signal)


def test_litter_and_links_in_a_folder_are_not_members(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "walk.csv").write_text("1")
    (folder / ".DS_Store").write_text("x")
    (tmp_path / "secret").write_text("x")
    (folder / "link.csv").symlink_to(tmp_path / "secret")
    with open_files(folder) as members:
        assert [member.name for member in members] == ["walk.csv"]
