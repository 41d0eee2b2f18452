"""HAPT's pairs of files, labelled by ranges of samples in a file of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.har.datasets.store import Store, Summary, build_store, open_store
from app.har.errors import UnreadableData, UnrecognisedData
from app.har.recordings.formats import hapt
from app.har.signals.types import UNLABELLED
from app.har.windows import make_windows
from tests.bad_inputs import zipped
from tests.synthetic import hapt_files, signal

RAW = "HAPT Data Set/RawData"


def _convert(files: dict[str, str], folder: Path) -> Summary:
    folder.mkdir(exist_ok=True)
    path = folder / "anything.zip"
    path.write_bytes(zipped(files))
    return build_store(path, folder / "store")


def _problems(summary: Summary) -> dict[str, str]:
    return {problem.kind: f"{problem.source}: {problem.detail}" for problem in summary.problems}


def test_pairs_of_files_become_labelled_recordings_in_si_units(tmp_path: Path) -> None:
    summary = _convert(hapt_files(), tmp_path)
    assert (summary.format, summary.recordings, summary.subjects) == ("hapt", 2, 2)
    assert (summary.sampling_rate_hz, summary.gravity, len(summary.channels)) == (50.0, "included", 6)
    assert summary.activities == {"WALKING": 6, "SITTING": 6, "STANDING": 6, "STAND_TO_SIT": 6}
    assert summary.problems == ()
    store = open_store(tmp_path / "store")
    assert (store.signals.subjects, store.signals.recording_ids[1]) == (("1", "2"), "exp02_user02")
    _, standing = signal("Rest", 1, 10.0, gravity="included")
    np.testing.assert_allclose(store.signals.signal[:500], standing, atol=1e-4)
    names = np.array([*store.signals.activities, "none"])[store.signals.labels[:2000]]  # UNLABELLED is the last
    assert names.tolist() == (
        ["none"] * 50 + ["STANDING"] * 450 + ["STAND_TO_SIT"] * 500 + ["SITTING"] * 500 + ["WALKING"] * 500
    )
    assert store.tables == ("accelerometer", "gyroscope")
    assert store.rows("accelerometer", recording="exp01_user01")[0] == 2000


def test_the_names_for_evaluation_are_those_of_the_store() -> None:
    assert len(hapt.ACTIVITIES) == 12
    assert hapt.TRANSITIONS[0] == "STAND_TO_SIT"
    assert len(hapt.TRANSITIONS) == 6
    assert set(hapt.OFFICIAL_TEST_SUBJECTS) < {str(number) for number in range(1, 31)}


def test_without_labels_it_is_refused_and_told_what_to_add(tmp_path: Path) -> None:
    files = hapt_files()
    del files[f"{RAW}/labels.txt"]
    with pytest.raises(UnreadableData, match=r"labels\.txt is missing: 2 experiments"):
        _convert(files, tmp_path)
    assert not (tmp_path / "store").exists()


def test_of_a_file_that_is_there_twice_the_first_is_read_and_the_other_named(tmp_path: Path) -> None:
    files = hapt_files()
    once = _convert(dict(files), tmp_path / "once")
    files["copy/acc_exp01_user01.txt"] = "1 2 3\n"
    twice = _convert(files, tmp_path / "twice")
    assert _problems(twice) == {
        "file twice": f"copy/acc_exp01_user01.txt: {RAW}/acc_exp01_user01.txt has the same experiment and sensor"
    }
    assert (twice.activities, twice.minutes) == (once.activities, once.minutes)


def test_the_file_of_labels_may_have_any_name(tmp_path: Path) -> None:
    files = hapt_files()
    files["ranges"] = files.pop(f"{RAW}/labels.txt")
    assert _convert(files, tmp_path).activities["WALKING"] == 6


def test_three_columns_under_other_names_are_not_taken_for_it(tmp_path: Path) -> None:
    files = {f"{number}.txt": text for number, text in enumerate(hapt_files().values())}
    with pytest.raises(UnrecognisedData):
        _convert(files, tmp_path)
    assert hapt.is_set([]) is False


def test_a_missing_gyroscope_file_is_told_and_the_experiment_left_out(tmp_path: Path) -> None:
    files = hapt_files(3)
    del files[f"{RAW}/gyro_exp02_user02.txt"]
    summary = _convert(files, tmp_path)
    assert summary.recordings == 2
    problems = _problems(summary)
    assert set(problems) == {"missing sensor", "unusable recording"}
    assert "gyro_exp02_user02.txt" in problems["missing sensor"]


def _cut(text: str, rows: int) -> str:
    return "\n".join(text.splitlines()[:rows]) + "\n"


def test_labels_beyond_the_end_are_cut_off(tmp_path: Path) -> None:
    files = hapt_files()
    for sensor in ("acc", "gyro"):
        files[f"{RAW}/{sensor}_exp01_user01.txt"] = _cut(files[f"{RAW}/{sensor}_exp01_user01.txt"], 1900)
    summary = _convert(files, tmp_path)
    assert "exp01_user01: 1 labelled range(s) reach up to sample 2,000 of 1,900" in _problems(summary).values()
    assert open_store(tmp_path / "store").contents.per_activity[0]["minutes"] == pytest.approx(18 / 60, abs=0.01)


def test_files_of_two_lengths_are_cut_to_the_shorter(tmp_path: Path) -> None:
    files = hapt_files(1)
    files[f"{RAW}/gyro_exp01_user01.txt"] = _cut(files[f"{RAW}/gyro_exp01_user01.txt"], 1900)
    summary = _convert(files, tmp_path)
    assert set(_problems(summary)) == {"lengths differ", "labels beyond the end"}
    assert summary.minutes == pytest.approx(38 / 60, abs=0.01)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("labels.txt", "9 9 1 1 100\n", "labels without recording"),
        ("labels.txt", "1 1 13 1 100\n", "corrupt rows"),
        ("labels.txt", "1 1 5 100 50\n", "corrupt rows"),
        ("labels.txt", "1 1 x 1 100\n", "corrupt rows"),
        ("acc_exp02_user02.txt", "0.1 0.2 x\n", "corrupt rows"),
        ("acc_exp03_user03.txt", "0.1 0.2 0.3 0.4\n" * 9, "unreadable file"),
        ("notes.txt", "day rain\n1 2\n", "other layout"),
        ("empty.txt", "", "unreadable file"),
    ],
)
def test_what_is_wrong_is_told_and_the_rest_is_read(name: str, text: str, kind: str, tmp_path: Path) -> None:
    files = hapt_files()
    path = f"{RAW}/{name}"
    summary = _convert(files | {path: text + files.get(path, "")}, tmp_path)
    assert summary.recordings == 2
    assert kind in _problems(summary)


def test_an_experiment_without_labels_is_kept_unlabelled(tmp_path: Path) -> None:
    files = hapt_files()
    files[f"{RAW}/labels.txt"] = _cut(files[f"{RAW}/labels.txt"], 4)
    summary = _convert(files, tmp_path)
    assert (summary.recordings, set(_problems(summary))) == (2, {"no label"})
    assert (open_store(tmp_path / "store").signals.labels[2000:] == UNLABELLED).all()


@pytest.fixture(scope="module")
def real(real_store: Callable[[str], Store]) -> Store:
    return real_store("hapt/HAPT Data Set.zip")


@pytest.mark.real_data
@pytest.mark.slow
def test_hapt_has_61_experiments_of_30_subjects_and_12_activities(real: Store) -> None:
    summary = real.summary
    assert (summary.recordings, summary.subjects, summary.rows) == (61, 30, 2 * 1_122_772)
    assert (summary.sampling_rate_hz, summary.gravity, summary.problems) == (50.0, "included", ())
    assert summary.minutes == pytest.approx(374.3, abs=0.1)
    assert tuple(real.signals.activities) == hapt.ACTIVITIES
    assert set(hapt.OFFICIAL_TEST_SUBJECTS) < set(real.signals.subjects)
    assert (real.signals.labels != UNLABELLED).mean() == pytest.approx(271.87 / 374.26, abs=1e-3)
    assert np.median(np.linalg.norm(real.signals.signal[:, :3], axis=1)) == pytest.approx(9.8, abs=0.3)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("window_length_s", "counts"),
    [
        (3.0, (754, 696, 620, 786, 860, 858, 41, 16, 60, 52, 71, 50)),
        (2.56, (893, 809, 747, 928, 1019, 1013, 56, 33, 68, 62, 84, 61)),
    ],
)
def test_the_windows_of_hapt_are_counted(real: Store, window_length_s: float, counts: tuple[int, ...]) -> None:
    windows = make_windows(real.signals, window_length_s)
    found = Counter(np.array(windows.activities)[windows.y].tolist())
    assert found == dict(zip(hapt.ACTIVITIES, counts, strict=True))
    assert np.isfinite(windows.X).all()
