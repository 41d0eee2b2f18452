"""Backups: written under load, whole or not at all, and restored to the byte."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from flask import Flask
from sqlalchemy import select, text

from app.extensions import db
from app.services import audit, installation, leftovers
from app.services.backups import moment, restoring, sealed, swapping, writing
from app.services.errors import Conflict, Invalid
from app.services.privacy import erasing
from app.services.transaction import transaction
from app.tables import StoredRecording, User
from tests import homes
from tests.conftest import ROOT
from tests.services.test_audit import written

PASSPHRASE = "a horse that was backed up"


def add_recording(app: Flask, user_id: int, number: int, n_bytes: int = 2000) -> None:
    """Store a recording in the program's order: files, then the row."""
    folder = Path(app.config["UPLOADS"]) / f"recording-{number}"
    folder.mkdir()
    (folder / "source").write_bytes(bytes([number % 256]) * n_bytes)
    with transaction() as session:
        session.add(StoredRecording(user_id=user_id, filename="walk.csv", folder=folder.name, facts={}))


def remove_recording(app: Flask, number: int) -> None:
    """Delete a recording in the program's order: the row, then files."""
    with transaction() as session:
        session.execute(text("DELETE FROM recording WHERE folder = :folder"), {"folder": f"recording-{number}"})
    leftovers.delete(Path(app.config["UPLOADS"]) / f"recording-{number}")


def tree(home: Path) -> dict[str, bytes]:
    """Return the files of a home that a backup holds, besides the database."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for root in swapping.ROOTS
        for path in (home / root).rglob("*")
        if path.is_file() and not path.name.startswith("kinelab.sqlite") and not path.name.endswith(".lock")
    }


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Derive keys with a fraction of the memory: nobody guesses these."""
    monkeypatch.setattr(sealed, "MEMORY_KIB", 64)


@pytest.fixture
def home(app: Flask, user: User) -> Path:
    """Return the home of an application with two recordings, a folder without files, and what is of no backup."""
    add_recording(app, user.id, 1)
    add_recording(app, user.id, 2, n_bytes=3 * sealed.CHUNK + 5)
    instance, uploads = Path(app.config["INSTANCE"]), Path(app.config["UPLOADS"])
    (instance / "runs" / "1").mkdir(parents=True)
    (uploads / ".draft-1234").write_bytes(b"half")
    (uploads / ".deleted-recording-9").mkdir()
    (uploads / "link").symlink_to(uploads / "recording-1")
    return Path(app.config["HAR_HOME"])


@pytest.fixture
def backup(home: Path, tmp_path: Path) -> Path:
    path = tmp_path / "site.backup"
    writing.write(path, PASSPHRASE)
    return path


@pytest.fixture
def other(tmp_path: Path, app: Flask) -> Iterator[Path]:
    """Return an empty home, within whose application the test goes on."""
    with homes.at_home(tmp_path / "other"):
        yield tmp_path / "other"


def test_a_backup_brings_back_every_row_and_every_byte(home: Path, backup: Path, other: Path) -> None:
    before = tree(home)
    restored = restoring.restore(backup, PASSPHRASE, replace=False)
    assert (restored.contents.missing, restored.erased) == ([], 0)
    after = tree(other)
    made = {name: content for name, content in before.items() if "audit" not in name}
    assert set(made.keys() - after.keys()) == {
        "instance/last_backup",
        "uploads/.draft-1234",
        *({"instance/spare"} & made.keys()),
    }
    assert all(after[name] == made[name] for name in made.keys() & after.keys())
    assert (other / "instance" / "runs" / "1").is_dir()
    assert not [path for path in (other / "uploads").iterdir() if path.name[0] == "." or path.is_symlink()]
    assert db.session.scalars(select(StoredRecording.folder)).all() == ["recording-1", "recording-2"]
    assert {path.stat().st_mode & 0o077 for path in other.rglob("*")} == {0}
    assert sum('"action":"backup restored"' in path.read_text() for path in other.glob("instance/audit/*")) == 1


def test_a_backup_reads_the_same_by_verifying_and_says_nothing_without_its_passphrase(backup: Path) -> None:
    contents = restoring.verify(backup, PASSPHRASE)
    assert (contents.missing, contents.revision) == ([], installation.revision())
    assert contents.files >= 4
    raw = backup.read_bytes()
    assert not any(name in raw for name in (b"kinelab.sqlite", b"recording-1", b"manifest", bytes([1]) * 64))
    assert backup.stat().st_mode & 0o077 == 0


def cut(data: bytes) -> bytes:
    return data[:-40]


def without_the_last_chunk(data: bytes) -> bytes:
    size = sealed.CHUNK + sealed.TAG_BYTES
    return data[: 26 + size * ((len(data) - 26) // size)]


def flipped(data: bytes) -> bytes:
    return data[:2_000_000] + bytes([data[2_000_000] ^ 1]) + data[2_000_001:]


def swapped_chunks(data: bytes) -> bytes:
    size = sealed.CHUNK + sealed.TAG_BYTES
    return data[:26] + data[26 + size : 26 + 2 * size] + data[26 : 26 + size] + data[26 + 2 * size :]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (cut, "damaged or cut off"),
        (without_the_last_chunk, "damaged or cut off"),
        (flipped, "damaged or cut off, 1 MB"),
        (swapped_chunks, "passphrase is not"),
        (lambda data: b"PK" + data, "no backup"),
        (lambda data: data[:20], "no backup"),
        (lambda data: b"", "no backup"),
    ],
)
def test_a_damaged_backup_is_refused_and_changes_nothing(
    spoil: Callable[[bytes], bytes], says: str, app: Flask, home: Path, backup: Path
) -> None:
    backup.write_bytes(spoil(backup.read_bytes()))
    before = tree(home)
    with pytest.raises(Invalid, match=says):
        restoring.restore(backup, PASSPHRASE, replace=True)
    assert tree(home) == before
    assert not list(home.rglob(swapping.STAGED))


def test_another_passphrase_and_one_that_is_too_short_are_refused(home: Path, backup: Path) -> None:
    with pytest.raises(Invalid, match="passphrase is not the one"):
        restoring.verify(backup, "another horse altogether")
    with pytest.raises(Invalid, match="at least 12"):
        writing.write(backup, "short")


def test_a_home_with_something_in_it_is_replaced_only_when_told_so(app: Flask, home: Path, backup: Path) -> None:
    remove_recording(app, 1)
    add_recording(app, 1, 3)
    with pytest.raises(Conflict, match=r"is not empty.*--replace"):
        restoring.restore(backup, PASSPHRASE, replace=False)
    assert (home / "uploads" / "recording-3").exists()
    restoring.restore(backup, PASSPHRASE, replace=True)
    assert sorted(path.name for path in (home / "uploads").iterdir()) == ["recording-1", "recording-2"]
    assert db.session.scalars(select(StoredRecording.folder)).all() == ["recording-1", "recording-2"]


def test_the_audit_log_goes_on_and_who_was_erased_stays_so(
    app: Flask, home: Path, backup: Path, tmp_path: Path
) -> None:
    for number in range(3):
        audit.record(audit.Action.LOG_IN, f"after the backup {number}")
    before = written(app)
    (kept := home / "instance" / restoring.ERASURES).mkdir()
    (kept / "one.json").write_text("present")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "one.json").write_text("older")
    (tmp_path / "copy" / "two.json").write_text("elsewhere")
    restoring.restore(backup, PASSPHRASE, replace=True, erased=tmp_path / "copy")
    after = written(app)
    assert after.startswith(before)
    assert after.count("\n") == before.count("\n") + 1  # that it was restored
    assert audit.verify().n_broken == 0
    assert {path.name: path.read_text() for path in kept.iterdir()} == {"one.json": "present", "two.json": "elsewhere"}


def test_who_was_erased_after_a_backup_is_erased_again_when_it_was_restored(
    app: Flask, user: User, home: Path, backup: Path
) -> None:
    erasing.erase(user.id)
    assert not (home / "uploads" / "recording-1").exists()
    assert restoring.restore(backup, PASSPHRASE, replace=True).erased == 1  # no start of a server is needed
    assert not list((home / "uploads").glob("recording-*"))
    assert db.session.scalars(select(User)).all() == []
    assert erasing.resume() == 0


def test_no_backup_is_restored_under_a_server_that_runs(home: Path, backup: Path) -> None:
    with FileLock(home / "instance" / "server.lock"), pytest.raises(Conflict, match="A server runs in"):
        restoring.restore(backup, PASSPHRASE, replace=True)


def test_one_backup_is_written_at_a_time_and_what_a_killed_one_left_goes(
    app: Flask, home: Path, tmp_path: Path
) -> None:
    with FileLock(home / "instance" / "backup.lock"), pytest.raises(Conflict, match="Another backup"):
        writing.write(tmp_path / "site.backup", PASSPHRASE)
    left, draft = home / "instance" / moment.FOLDER, tmp_path / ".draft-site.backup"
    left.mkdir()
    (left / moment.TARGET).write_text(str(draft))
    draft.write_text("half")
    moment.sweep()
    assert not left.exists()
    assert not draft.exists()


def test_a_backup_to_a_folder_that_is_not_there_is_refused(app: Flask, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="a folder that is there"):
        writing.write(tmp_path / "none" / "site.backup", PASSPHRASE)


@pytest.mark.sqlite("names a file that is not the home's")
def test_a_backup_of_another_database_is_refused(app: Flask, tmp_path: Path) -> None:
    app.config["INSTANCE"] = tmp_path
    with pytest.raises(Conflict, match="outside of HAR_HOME"):
        writing.write(tmp_path / "site.backup", PASSPHRASE)


@pytest.mark.parametrize("name", ["instance/../../evil", "/etc/evil", "evil", "instance/link"])
def test_an_archive_with_something_that_is_not_of_a_home_is_refused(app: Flask, tmp_path: Path, name: str) -> None:
    with (tmp_path / "evil.backup").open("wb") as file:
        writer = sealed.Writer(file, PASSPHRASE)
        with tarfile.open(fileobj=writer, mode="w|") as archive:
            info = tarfile.TarInfo(name)
            if name.endswith("link"):
                info.type, info.linkname = tarfile.SYMTYPE, "/etc"
            archive.addfile(info, io.BytesIO())
        writer.finish()
    with pytest.raises(Invalid, match="not of a home"):
        restoring.restore(tmp_path / "evil.backup", PASSPHRASE, replace=True)


def test_a_backup_of_a_newer_program_is_refused(
    app: Flask, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "revision", lambda: "9999")
    writing.write(tmp_path / "site.backup", PASSPHRASE)
    with pytest.raises(Conflict, match=r"newer Kinelab: it is at revision 9999.*those up to 0"):
        restoring.restore(tmp_path / "site.backup", PASSPHRASE, replace=True)
    assert (home / "uploads" / "recording-1").exists()


def test_rows_and_files_agree_in_a_backup_that_is_written_while_others_write(
    app: Flask, user: User, tmp_path: Path
) -> None:
    over, failures, counts = threading.Event(), [], [0, 0]
    user_id = user.id

    def work(who: int) -> None:
        number = 1000 * (who + 1)
        try:
            with app.app_context():
                while not over.is_set():
                    add_recording(app, user_id, number)
                    audit.record(audit.Action.LOG_IN, f"recording {number}")
                    if number % 3:
                        remove_recording(app, number - 1) if number % 3 == 2 else None
                    number += 1
                    counts[who] += 1
        except Exception as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(who,)) for who in range(2)]
    for worker in workers:
        worker.start()
    found = []
    try:
        for number in range(4):
            writing.write(tmp_path / f"{number}.backup", PASSPHRASE)
            found.append(counts.copy())
    finally:
        over.set()
        for worker in workers:
            worker.join()
    assert failures == []
    assert found[0] < found[-1]  # they went on meanwhile
    for number in range(4):
        contents = restoring.verify(tmp_path / f"{number}.backup", PASSPHRASE)
        assert contents.missing == []
    with homes.at_home(tmp_path / "other"):  # with an audit log that holds
        restoring.restore(tmp_path / "2.backup", PASSPHRASE, replace=False)
        assert audit.verify().n_broken == 0


def test_verifying_names_rows_whose_files_are_not_there(app: Flask, home: Path, tmp_path: Path) -> None:
    leftovers.delete(home / "uploads" / "recording-1")
    writing.write(tmp_path / "site.backup", PASSPHRASE)
    assert restoring.verify(tmp_path / "site.backup", PASSPHRASE).missing == ["uploads/recording-1"]


def test_a_large_file_takes_no_memory_to_back_up_and_to_read(app: Flask, user: User, tmp_path: Path) -> None:
    add_recording(app, user.id, 1, n_bytes=48 * 2**20)
    tracemalloc.start()
    try:
        writing.write(tmp_path / "site.backup", PASSPHRASE)
        restoring.verify(tmp_path / "site.backup", PASSPHRASE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20


def test_a_write_or_a_restore_that_is_killed_at_any_moment_is_done_or_was_never_begun(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.services.killed_backups", str(tmp_path), "4"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "wrong: 0" in result.stdout
