"""A data set is converted once and opened at once, and shows the rows as the file has them."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.har.datasets.store import Store, build_store, open_store
from app.har.errors import HarError, InsufficientData, Unlabelled, UnreadableData
from app.har.problems import Problem
from app.har.recordings.upload import read_upload
from app.har.signals.resampling import to_signal_set
from app.har.windows import make_windows
from tests.synthetic import hhar_csv, kinelab_csv, ku_har_csv, ku_har_windows_csv, ku_har_zip


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ku_har_zip(tmp_path_factory.mktemp("zip") / "ku.zip")


@pytest.fixture(scope="module")
def store(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("stores") / "ku"
    build_store(archive, folder)
    return open_store(folder)


@pytest.fixture(scope="module")
def frame(archive: Path) -> pl.DataFrame:
    """The rows as polars alone reads them."""
    names = ["t_acc", "ax", "ay", "az", "t_gyro", "gx", "gy", "gz"]
    frames = []
    with zipfile.ZipFile(archive) as members:
        for number, activity in ((0, "Rest"), (11, "Walk"), (14, "Run")):
            for name in sorted(n for n in members.namelist() if f"/{number}.{activity}/" in n):
                own = pl.read_csv(members.read(name), has_header=False, new_columns=names)
                recording = "/".join(name.split("/")[1:]).removesuffix(".csv")
                frames.append(own.select(pl.lit(recording).alias("recording"), *names))
    return pl.concat(frames)


def test_the_summary_counts_what_is_there(store: Store) -> None:
    summary = store.summary.as_dict()
    assert (summary["recordings"], summary["subjects"], summary["sampling_rate_hz"]) == (12, 4, 100.0)
    assert summary["activities"] == {"Rest": 8, "Walk": 8, "Run": 8}
    assert summary["minutes"] == pytest.approx(12 * 8 / 60, abs=0.01)
    assert summary["gravity"] == "removed"
    assert json.loads(json.dumps(summary)) == summary


def test_what_is_opened_is_what_was_converted(archive: Path, store: Store, tmp_path: Path) -> None:
    summary = build_store(archive, tmp_path / "again")
    assert summary == store.summary == open_store(tmp_path / "again").summary
    np.testing.assert_array_equal(open_store(tmp_path / "again").signals.signal, store.signals.signal)
    assert not store.signals.signal.flags.writeable


def test_the_counts_per_activity_agree_with_the_windows(store: Store) -> None:
    windows = make_windows(store.signals)
    for row in store.contents.per_activity:
        assert row["windows"] == (windows.y == windows.activities.index(row["activity"])).sum()
        assert (row["recordings"], row["subjects"]) == (4, 4)
    assert [row["activity"] for row in store.contents.per_activity] == ["Rest", "Walk", "Run"]


def test_rows_come_as_recorded_in_file_order(store: Store, frame: pl.DataFrame) -> None:
    total, rows, _ = store.rows("rows", offset=795, limit=20)
    assert total == len(frame) == store.summary.rows
    assert store.columns("rows") == frame.columns
    assert rows == frame[795:815].rows()


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("column", ["recording", "t_acc", "ax", "gz"])
@pytest.mark.parametrize("recording", [None, "11.Walk/1002_L_1"])
def test_rows_are_sorted_over_the_whole_table(
    store: Store, frame: pl.DataFrame, column: str, descending: bool, recording: str | None
) -> None:
    expected = frame if recording is None else frame.filter(pl.col("recording") == recording)
    expected = expected[column].sort(descending=descending)
    total, rows, _ = store.rows("rows", offset=30, limit=200, sort=column, descending=descending, recording=recording)
    assert total == len(expected)
    assert [row[store.columns("rows").index(column)] for row in rows] == expected[30:230].to_list()


def test_pages_cover_every_row_once(store: Store) -> None:
    total, *_ = store.rows("rows", limit=1)
    seen = [
        row for offset in range(0, total, 1000) for row in store.rows("rows", offset=offset, limit=1000, sort="ax")[1]
    ]
    assert len(seen) == total == len(set(seen))


def test_a_page_beyond_the_end_is_empty(store: Store) -> None:
    total, rows, _ = store.rows("rows", offset=10**9)
    assert rows == []
    assert total > 0


def test_chosen_columns_come_in_the_order_asked_for(store: Store, frame: pl.DataFrame) -> None:
    assert store.rows("rows", limit=5, columns=["gz", "ax"])[1] == frame.select("gz", "ax").head(5).rows()


@pytest.mark.parametrize("wrong", [{"sort": "nope"}, {"columns": ["nope"]}, {"recording": "nope"}])
def test_an_unknown_column_or_recording_is_a_key_error(store: Store, wrong: dict[str, object]) -> None:
    with pytest.raises(KeyError, match="nope"):
        store.rows("rows", **wrong)  # type: ignore[arg-type]


def test_empty_cells_are_shown_empty_and_sorted_last(tmp_path: Path) -> None:
    lines = ku_har_csv().splitlines()
    lines[-1] = ",".join([*lines[-1].split(",")[:4], "", "", "", ""])
    folder = tmp_path / "set" / "11.Walk"
    folder.mkdir(parents=True)
    (folder / "1001_L_1.csv").write_text("\n".join(lines))
    build_store(tmp_path / "set", tmp_path / "store")
    store = open_store(tmp_path / "store")
    for descending in (False, True):
        total, *_ = store.rows("rows", limit=1, sort="gx", descending=descending)
        assert store.rows("rows", offset=total - 1, sort="gx", descending=descending)[1][0][-4:] == (None,) * 4
        assert store.rows("rows", limit=1, sort="gx", descending=descending)[1][0][-3] is not None


@pytest.mark.parametrize("n", [1, 3])
def test_what_names_no_activity_is_refused_before_it_is_added(tmp_path: Path, n: int) -> None:
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        for number in range(n):
            archive.writestr(f"{number}.csv", kinelab_csv(None, number))
    found = "its recording names no activity" if n == 1 else "none of its 3 recordings names an activity"
    with pytest.raises(Unlabelled, match=f"none.zip: {found}.*Describe where the labels are"):
        build_store(tmp_path / "none.zip", tmp_path / "store")
    assert [path.name for path in tmp_path.iterdir()] == ["none.zip"]


@pytest.mark.parametrize(("rows", "most"), [(20, "0.4 s"), (100, "2 s")])
def test_what_gives_no_window_says_so(tmp_path: Path, rows: int, most: str) -> None:
    lines = kinelab_csv().splitlines()
    blank = [line.replace(",Walk", ",") if i // rows % 2 else line for i, line in enumerate(lines[1:])]
    (tmp_path / "short.csv").write_text("\n".join([lines[0], *blank]))
    found = f"the longest stretch of one activity without a gap lasts {most}"
    if rows == 20:
        with pytest.raises(InsufficientData, match=f"short.csv: {found}, too short for any window"):
            build_store(tmp_path / "short.csv", tmp_path / "store")
        return
    summary = build_store(tmp_path / "short.csv", tmp_path / "store")
    assert [(own.kind, own.detail) for own in summary.problems] == [("short activities", found)]
    assert summary.activities == {"Walk": 0}


def test_hhar_keeps_a_table_a_sensor_with_the_files_own_columns(tmp_path: Path) -> None:
    data = tmp_path / "hhar"
    data.mkdir()
    for sensor in ("accelerometer", "gyroscope"):
        (data / f"{sensor}.csv").write_text(
            hhar_csv(sensor, user="a") + hhar_csv(sensor, "Run", user="b", device="gear_1", header=False)
        )
    summary = build_store(data, tmp_path / "store")
    store = open_store(tmp_path / "store")
    assert store.tables == ("accelerometer", "gyroscope")
    columns = "Index Arrival_Time Creation_Time x y z User Model Device gt"
    assert " ".join(store.columns("gyroscope")) == columns
    assert (summary.recordings, summary.subjects, summary.activities) == (2, 2, {"walk": 2, "run": 2})
    row = store.rows("gyroscope", limit=1, sort="User", descending=True)[1][0]
    assert (row[0], row[1], row[6:]) == (799, 1424696633908 + 7990, ("b", "nexus4", "gear_1", "run"))


def test_an_empty_cell_of_whole_numbers_is_shown_empty_and_sorted_last(tmp_path: Path) -> None:
    lines = hhar_csv("accelerometer").splitlines()
    lines[5] = "," + lines[5].partition(",")[2]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    build_store(tmp_path / "a.csv", tmp_path / "store")
    store = open_store(tmp_path / "store")
    for descending in (False, True):
        assert store.rows("accelerometer", sort="Index", descending=descending, offset=799)[1][0][0] is None
        assert store.rows("accelerometer", sort="Index", descending=descending)[1][0][0] == (799 if descending else 0)


def test_windows_of_three_seconds_come_back_as_they_were(tmp_path: Path) -> None:
    text = ku_har_windows_csv(7)
    (tmp_path / "w.csv").write_text(text)
    summary = build_store(tmp_path / "w.csv", tmp_path / "store")
    store = open_store(tmp_path / "store")
    table = np.loadtxt(io.StringIO(text), delimiter=",")
    windows = make_windows(store.signals)
    np.testing.assert_array_equal(windows.X, table[:, :1800].reshape(7, 6, 300).transpose(0, 2, 1).astype(np.float32))
    assert [windows.activities[y] for y in windows.y] == ["Stand", "Walk", "Run"] * 2 + ["Stand"]
    assert (summary.recordings, summary.subjects, summary.rows) == (7, 0, 7)
    _, rows, _ = store.rows("windows", sort="serial", descending=True)
    assert rows[0] == pytest.approx(tuple(table[6]))
    assert [p.kind for p in summary.problems] == ["no subject"]


def test_a_recording_can_be_downloaded_and_uploaded_again(store: Store, tmp_path: Path) -> None:
    for recording_id in store.signals.recording_ids[::5]:
        path = tmp_path / "again.csv"
        path.write_text("".join(store.recording_csv(recording_id)))
        (recording,) = read_upload(path, "again.csv")
        assert recording.problems == ()
        own = store.signals.recording == store.signals.recording_ids.index(recording_id)
        again = to_signal_set([recording])
        expected = np.concatenate(
            [
                store.signals.signal[f : f + n]
                for f, n in zip(store.signals.first[own], store.signals.length[own], strict=True)
            ]
        )
        np.testing.assert_allclose(again.signal, expected, atol=1e-4)
        assert again.activities == (
            store.contents.per_activity[["0", "11", "14"].index(recording_id.split(".")[0])]["activity"],
        )


def test_an_unknown_recording_cannot_be_downloaded(store: Store) -> None:
    with pytest.raises(KeyError):
        next(store.recording_csv("../../etc/passwd"))


def test_the_preview_is_a_stretch_of_that_activity(store: Store) -> None:
    time_s, values, channels, recording_id = store.preview("Run", 5.0)
    assert values.shape == (500, 6)
    assert recording_id.startswith("14.Run/")
    assert channels == store.signals.channels
    assert np.diff(time_s) == pytest.approx(0.01)
    assert values[:, :3].std() > 1


def test_byte_identical_recordings_are_left_out_and_listed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for name in ("1001_L_1", "1001_L_2"):
            archive.writestr(f"11.Walk/{name}.csv", ku_har_csv())
    summary = build_store(tmp_path / "two.zip", tmp_path / "store")
    assert summary.recordings == 1
    assert (
        Problem("11.Walk/1001_L_2", "duplicate recording", "byte for byte 11.Walk/1001_L_1", "left out")
        in summary.problems
    )


def test_what_many_files_share_is_told_in_one_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(20):
            archive.writestr(f"1_{number}.csv", kinelab_csv(subject=number, seconds=4))
            archive.writestr(f"2_{number}.csv", "")
    (problem,) = build_store(tmp_path / "many.zip", tmp_path / "store").problems
    assert (problem.source, problem.kind) == ("20 files", "unreadable file")
    assert "2_19.csv" in problem.detail


def test_the_fingerprint_is_that_of_the_content(archive: Path, store: Store, tmp_path: Path) -> None:
    import hashlib

    assert store.summary.fingerprint == hashlib.blake2b(archive.read_bytes(), digest_size=32).hexdigest()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1_x.csv").write_text(kinelab_csv())
    first = build_store(tmp_path / "a", tmp_path / "sa").fingerprint
    assert build_store(tmp_path / "b", tmp_path / "sb").fingerprint == first
    (tmp_path / "b" / "1_x.csv").write_text(kinelab_csv(seconds=9))
    assert build_store(tmp_path / "b", tmp_path / "sc").fingerprint != first


def test_progress_rises_to_one(archive: Path, tmp_path: Path) -> None:
    events: list[dict[str, object]] = []
    build_store(archive, tmp_path / "store", events.append)
    fractions = [event["fraction"] for event in events]
    assert fractions == sorted(fractions)  # type: ignore[type-var]
    assert fractions[-1] == 1.0
    assert {event["stage"] for event in events} == {"reading"}


def test_nothing_is_left_when_the_person_stops_it(archive: Path, tmp_path: Path) -> None:
    def stop(event: dict[str, object]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_store(archive, tmp_path / "stores" / "new", stop)
    assert list((tmp_path / "stores").iterdir()) == []


def test_a_store_is_never_overwritten(archive: Path, store: Store) -> None:
    with pytest.raises(FileExistsError):
        build_store(archive, store.folder)


@pytest.mark.parametrize("manifest", [None, "{", '{"version": 0}'])
def test_a_folder_that_is_no_store_is_refused(manifest: str | None, tmp_path: Path) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(UnreadableData, match="Add the data set again"):
        open_store(tmp_path)


def test_a_set_without_a_usable_recording_says_why(tmp_path: Path) -> None:
    (tmp_path / "1_a.csv").write_text("\n".join(kinelab_csv().splitlines()[:6]))
    with pytest.raises(InsufficientData, match="record for longer"):
        build_store(tmp_path / "1_a.csv", tmp_path / "store")


def test_a_path_with_nothing_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarError, match="no such file"):
        build_store(tmp_path / "nowhere.zip", tmp_path / "store")


def test_recordings_with_and_without_gravity_are_not_mixed(tmp_path: Path) -> None:
    data = tmp_path / "set"
    data.mkdir()
    (data / "1_a.csv").write_text(kinelab_csv(gravity="included"))
    (data / "2_a.csv").write_text(kinelab_csv(gravity="removed"))
    summary = build_store(data, tmp_path / "store")
    assert (summary.recordings, summary.gravity) == (1, "included")
    assert [p.kind for p in summary.problems] == ["unusable recording"]
    assert replace(summary, problems=()).recordings == 1
