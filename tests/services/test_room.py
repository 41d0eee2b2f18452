"""What is refused because the disk, or a user's part of it, is full."""

from __future__ import annotations

import ctypes
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.services import room
from app.services.datasets import imports, library
from app.services.errors import NoRoom
from app.services.formatting import megabytes
from app.services.recordings import pending, quota, reading, uploads
from app.services.transaction import transaction
from app.tables import Dataset, ModelVersion, User
from tests.conftest import ROOT
from tests.services.test_uploads import kinds
from tests.tables import labelled
from tests.trained import recording_csv

# Writes a signal that a disk has no room for, or the words of what went wrong
SAVE = """
import sys, numpy as np
from pathlib import Path
from types import SimpleNamespace
from types import SimpleNamespace
from app.services.recordings import stored_signal
from app.services.transaction import passing_reason

samples, zero = np.ones((2_000_000, 6), np.float32), np.zeros(1)
signals = SimpleNamespace(
    signal=samples, first=zero.astype(int), length=np.array([len(samples)]), recording=zero.astype(int), start_s=zero,
    recording_ids=("a",), channels=tuple("abcdef"), sampling_rate_hz=50.0,
)
try:
    stored_signal.save(Path(sys.argv[1]), signals, None)
except OSError as error:
    print(passing_reason(error))
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not (sys.platform == "linux" and os.geteuid() == 0):
        pytest.skip("only the administrator of the machine may mount a file system")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, b"size=4m") != 0:
        pytest.skip("this machine lets nobody mount a file system")
    yield folder
    libc.umount2(bytes(folder), 2)


def test_a_signal_for_which_there_is_no_room_is_an_error_and_not_the_end(small_disk: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SAVE, small_disk], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr  # SIGBUS, through a memory map
    assert "disk is full" in done.stdout


def test_nothing_is_written_through_a_memory_map() -> None:
    writing = [
        path
        for path in (ROOT / "app").rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in ("open_memmap", '"r+"', '"w+"'))
    ]
    assert writing == []


def test_a_recording_is_refused_where_it_would_take_of_the_reserve(app: Flask, user: User, model: ModelVersion) -> None:
    app.config["DISK_RESERVE"] = 2**60
    with pytest.raises(NoRoom, match="disk is full"):
        uploads.receive(user.id, "a.csv", io.BytesIO(recording_csv()))
    assert kinds(app) == []


def test_a_recording_is_refused_where_it_would_go_beyond_the_quota(app: Flask, user: User, model: ModelVersion) -> None:
    uploads.receive(user.id, "a.csv", io.BytesIO(recording_csv()))
    uploads.receive(user.id, "waiting.csv", io.BytesIO(labelled().encode()))
    used = quota.quota_of(user.id).used
    files = [path for path in Path(app.config["UPLOADS"]).rglob("*") if path.is_file()]
    assert used == sum(path.stat().st_size for path in files) > len(recording_csv()) + len(labelled())
    app.config["USER_QUOTA"] = used + len(recording_csv()) - 1
    with pytest.raises(NoRoom, match=r"Your recordings take .* MB of the .* MB that you may store\. Delete"):
        uploads.receive(user.id, "b.csv", io.BytesIO(recording_csv()))
    assert kinds(app) == ["pending", "recording"]
    for waiting in pending.list_pending(user.id):
        pending.cancel(waiting)
    uploads.receive(user.id, "b.csv", io.BytesIO(recording_csv()))
    assert quota.quota_of(user.id + 1).used == 0


def test_the_upload_page_says_how_much_one_may_store(app: Flask, user_client: FlaskClient, model: ModelVersion) -> None:
    assert "Your recordings take 0.0 MB of the 5.0 GB that you may store." in user_client.get("/").text
    app.config["USER_QUOTA"] = 1000
    files = {"file": (io.BytesIO(recording_csv()), "a.csv"), "version": str(model.id)}
    answer = user_client.post("/predictions/", data=files)
    assert (answer.status_code, "of the 0.0 MB that you may store" in answer.text) == (507, True)
    files["file"] = io.BytesIO(recording_csv()), "a.csv"
    answer = user_client.post("/predictions/", data=files, headers={"Accept": "application/json"})
    assert (answer.status_code, "that you may store" in answer.get_json()["message"]) == (507, True)


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_disk_that_fills_up_meanwhile_is_a_plain_message_and_nothing_remains(
    app: Flask, user_client: FlaskClient, model: ModelVersion, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reading.pool, "ask", full)
    files = {"file": (io.BytesIO(recording_csv()), "a.csv"), "version": str(model.id)}
    answer = user_client.post("/predictions/", data=files, headers={"Accept": accept})
    assert answer.status_code == 507
    assert "The server&#39;s disk is full" in answer.text or "The server's disk is full" in answer.get_json()["message"]
    assert kinds(app) == []


def test_a_data_set_is_refused_where_it_would_take_of_the_reserve(app: Flask, tmp_path: Path) -> None:
    app.config["DISK_RESERVE"] = 2**60
    (tmp_path / "a.csv").write_bytes(recording_csv())
    with pytest.raises(NoRoom):
        library.add("lab", tmp_path / "a.csv")
    with pytest.raises(NoRoom):
        imports.start_import("lab", upload=io.BytesIO(recording_csv()), filename="a.csv")
    assert imports.running() == []
    assert list(Path(app.config["UPLOADS"]).iterdir()) == []


def test_a_data_set_for_which_the_disk_is_too_small_leaves_nothing(
    app: Flask, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    before = sorted(path.name for path in library.root().iterdir() if path.is_dir())
    monkeypatch.setattr(library.pool, "ask", full)
    job = imports.start_import("lab", path=library.EXAMPLE_PATH)
    assert job.done.wait(60)
    assert isinstance(job.error, NoRoom)
    assert "disk is full" in job.message
    assert sorted(path.name for path in library.root().iterdir() if path.is_dir()) == before


@pytest.mark.parametrize(
    ("n_bytes", "text"), [(0, "0.0 MB"), (2**20, "1.0 MB"), (300 * 2**20, "300 MB"), (5 * 2**30, "5.0 GB")]
)
def test_a_size_is_written_as_people_say_it(n_bytes: int, text: str) -> None:
    assert megabytes(n_bytes) == text


@pytest.mark.sqlite("is on the disk of the home")
def test_a_spare_file_is_given_to_the_database_when_nothing_is_left(
    app: Flask, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    spare = Path(app.config["INSTANCE"]) / "spare"
    assert spare.stat().st_size == room.SPARE_BYTES  # since the account was written
    free = 0
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    with transaction():
        user.address = "2 High Street"
    assert not spare.exists()
    free = app.config["DISK_RESERVE"]
    with transaction():
        user.address = "3 High Street"
    assert not spare.exists()  # nothing is taken of the reserve
    free = 2 * app.config["DISK_RESERVE"]
    with transaction():
        user.address = "4 High Street"
    assert spare.exists()
