"""An upload is recognised by its content, whatever it is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.har.recordings import IMPORTERS, read_upload
from app.har.recordings.files import open_files
from app.har.recordings.kinelab_csv import write_csv
from app.har.recordings.tables import sniff
from app.har.signal import to_signal_set
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
