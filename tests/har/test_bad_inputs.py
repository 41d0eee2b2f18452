"""Nothing that a person brings makes a traceback, a silent loss or a half-written store."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.har.errors import HarError
from app.har.recordings import read_upload
from app.har.signal import to_signal_set
from app.har.store import convert
from tests.bad_inputs import MENDED, REFUSED, BadInput, zipped
from tests.synthetic import kinelab_csv

refused = pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.title)
mended = pytest.mark.parametrize("case", MENDED, ids=lambda case: case.title)


def stored(case: BadInput, folder: Path) -> Path:
    """Put a case on disk under a name of the server's, as an upload is."""
    path = folder / "upload"
    path.write_bytes(case.build())
    return path


@refused
def test_an_unusable_upload_is_refused_quickly_with_a_message_that_names_the_file(
    case: BadInput, tmp_path: Path
) -> None:
    path = stored(case, tmp_path)
    start = time.perf_counter()
    with pytest.raises(HarError) as caught:
        read_upload(path, case.name)
    assert time.perf_counter() - start < 5
    message = str(caught.value)
    assert case.message in message
    assert case.name in message or any(part in message for part in (".csv", ".zip", "a.jpg"))
    assert str(tmp_path) not in message
    assert len(message) < 1500


@refused
def test_a_data_set_that_cannot_be_read_leaves_nothing_on_disk(case: BadInput, tmp_path: Path) -> None:
    path = stored(case, tmp_path)
    stores = tmp_path / "stores"
    with pytest.raises(HarError):
        convert(path, stores / "new", name=case.name)
    assert list(stores.glob("*")) == list(stores.glob(".*")) == []


@mended
def test_a_faulty_upload_is_read_and_its_fault_listed(case: BadInput, tmp_path: Path) -> None:
    recordings = read_upload(stored(case, tmp_path), case.name)
    signals = to_signal_set(recordings)
    kinds = [problem.kind for recording in recordings for problem in recording.problems]
    assert kinds == [] if case.problem == "-" else case.problem in kinds
    assert len(signals.signal) > 100
    assert abs(signals.signal).max() < 60


@mended
def test_a_faulty_data_set_is_added_and_its_fault_listed(case: BadInput, tmp_path: Path) -> None:
    summary = convert(stored(case, tmp_path), tmp_path / "store", name=case.name)
    assert summary.recordings >= 1
    assert case.problem == "-" or case.problem in [problem.kind for problem in summary.problems]


def test_a_bad_file_in_a_good_data_set_is_skipped_and_listed(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(zipped({"1_a.csv": kinelab_csv(), "2_a.csv": b"", "3_a.csv": b"day,rain\n1,2\n"}))
    summary = convert(path, tmp_path / "store")
    assert summary.recordings == 1
    assert [(p.source, p.kind) for p in summary.problems] == [
        ("2_a.csv", "unreadable file"),
        ("3_a.csv", "other layout"),
    ]
