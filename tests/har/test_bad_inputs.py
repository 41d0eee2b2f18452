"""Nothing that a person brings makes a traceback, a silent loss or a half-written store."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from app.har.datasets.store import build_store
from app.har.errors import HarError, Unlabelled
from app.har.recordings.upload import read_upload
from app.har.signals.resampling import to_signal_set
from tests.bad_devices import MENDED_DEVICES, REFUSED_DEVICES
from tests.bad_exports import MENDED_EXPORTS, REFUSED_EXPORTS
from tests.bad_inputs import MENDED, REFUSED, BadInput, zipped
from tests.synthetic import kinelab_csv, ku_har_csv

ROOT = Path(__file__).resolve().parent.parent.parent
refused = pytest.mark.parametrize("case", REFUSED + REFUSED_EXPORTS + REFUSED_DEVICES, ids=lambda case: case.title)
mended = pytest.mark.parametrize("case", MENDED + MENDED_EXPORTS + MENDED_DEVICES, ids=lambda case: case.title)


def stored(case: BadInput, folder: Path) -> Path:
    """Put a case on disk under a name of the server's, as an upload is."""
    path = folder / "upload"
    path.write_bytes(case.build())
    return path


def processor_s() -> float:
    """Return the processor time of this process and of those that it waited for: others may keep both cores busy."""
    return sum(os.times()[:4])


@refused
def test_an_unusable_upload_is_refused_quickly_with_a_message_that_names_the_file(
    case: BadInput, tmp_path: Path
) -> None:
    path = stored(case, tmp_path)
    start = processor_s()
    with pytest.raises(HarError) as caught:
        read_upload(path, case.name)
    assert processor_s() - start < 5
    message = str(caught.value)
    assert case.message in message
    assert case.name in message or any(part in message for part in (".csv", ".zip", ".txt", "a.jpg", "a.cwa"))
    assert str(tmp_path) not in message
    assert message.isprintable()
    assert len(message) < 1500


@refused
def test_a_data_set_that_cannot_be_read_leaves_nothing_on_disk(case: BadInput, tmp_path: Path) -> None:
    path = stored(case, tmp_path)
    stores = tmp_path / "stores"
    with pytest.raises(HarError):
        build_store(path, stores / "new", name=case.name)
    assert list(stores.glob("*")) == list(stores.glob(".*")) == []


@mended
def test_a_faulty_upload_is_read_and_its_fault_listed(case: BadInput, tmp_path: Path) -> None:
    recordings = read_upload(stored(case, tmp_path), case.name)
    signals = to_signal_set(recordings)
    kinds = [problem.kind for recording in recordings for problem in recording.problems]
    assert kinds == [] if case.problem == "-" else case.problem in kinds
    assert len(signals.signal) > 100
    assert abs(signals.signal).max() < 60
    assert all(name.isprintable() for recording in recordings for name in (recording.recording_id, recording.subject))


@pytest.mark.parametrize("case", MENDED, ids=lambda case: case.title)
def test_a_faulty_data_set_is_added_and_its_fault_listed(case: BadInput, tmp_path: Path) -> None:
    path = stored(case, tmp_path)
    try:
        summary = build_store(path, tmp_path / "store", name=case.name)
    except Unlabelled:  # most of them are; one beside that names its activity lets it be added
        if not zipfile.is_zipfile(path):
            path.write_bytes(zipped({case.name: path.read_bytes()}))
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("labelled.csv", kinelab_csv(subject=7))
            archive.writestr("11.Walk/1009_L_1.csv", ku_har_csv())
        summary = build_store(path, tmp_path / "store", name="set.zip")
    assert summary.recordings >= 1
    assert case.problem == "-" or case.problem in [problem.kind for problem in summary.problems]


def test_a_bad_file_in_a_good_data_set_is_skipped_and_listed(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(zipped({"1_a.csv": kinelab_csv(), "2_a.csv": b"", "3_a.csv": b"day,rain\n1,2\n"}))
    summary = build_store(path, tmp_path / "store")
    assert summary.recordings == 1
    assert [(p.source, p.kind) for p in summary.problems] == [
        ("2_a.csv", "unreadable file"),
        ("3_a.csv", "other layout"),
    ]


HUNGRY = (
    "96 MiB",
    "3 MB",
    "10 GiB",
    "two cells",
    "one text",
    "JSON of brackets",
    "huge object",
    "nested",
    "5,000 columns",
)


def test_hostile_files_do_not_take_memory() -> None:
    cases = [case.title for case in REFUSED + REFUSED_EXPORTS if any(part in case.title for part in HUNGRY)]
    assert len(cases) == len(HUNGRY)
    program = """
import resource, sys, tempfile
from pathlib import Path
from app.har.errors import HarError
from app.har.recordings.upload import read_upload
from tests.bad_exports import REFUSED_EXPORTS
from tests.bad_inputs import REFUSED
import polars, python_calamine
path = Path(tempfile.mkdtemp()) / "upload"
for case in REFUSED + REFUSED_EXPORTS:
    if case.title in sys.argv[1:]:
        path.write_bytes(case.build())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            read_upload(path, case.name)
        except HarError:
            print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, case.title)
"""
    run = subprocess.run([sys.executable, "-c", program, *cases], capture_output=True, text=True, check=True, cwd=ROOT)
    lines = run.stdout.splitlines()
    assert len(lines) == len(cases)
    assert all(int(line.split()[0]) < 150 for line in lines), run.stdout


def test_the_table_of_bad_inputs_is_long_and_names_each_case_once() -> None:
    titles = [case.title for case in REFUSED + REFUSED_EXPORTS + MENDED + MENDED_EXPORTS]
    assert len(titles) == len(set(titles)) >= 60
