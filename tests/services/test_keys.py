"""The installation's key and people's: made, wrapped, changed, destroyed; and nothing of a person lies plain."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from flask import Flask
from sqlalchemy import delete, select

from app.extensions import db
from app.har.live import journal
from app.har.progress import ignore_event
from app.services import audit, database, database_changing, installation, keys, sealing, sealing_stored
from app.services.errors import Conflict, Invalid, NotFound
from app.services.identity import deletion
from app.services.live import keeping, sessions, writing_task
from app.services.personal import corrections, heads
from app.services.recordings import figures, pending, recordings, uploads
from app.services.transaction import transaction
from app.tables import InstallationKey, ModelVersion, PersonKey, Prediction, User
from run import print_new_key
from tests import homes, postgresql
from tests.conftest import ROOT
from tests.live import add_everyday, streamer
from tests.sealed import bytes_of, made_plain
from tests.services.conftest import a_user
from tests.services.test_audit import lines
from tests.tables import labelled
from tests.trained import recording_csv

NAME, ACTIVITY = "Wilhelmina-Quistgaard", "quokka-dancing"
SAMPLE = 7.654321


class Killed(BaseException):
    """In place of a signal, after which nothing more is done."""


@pytest.fixture
def prediction(user: User, model: ModelVersion) -> Prediction:
    return uploads.store_and_recognise(user.id, f"{NAME}.csv", io.BytesIO(planted()))


@pytest.fixture(scope="module")
def earlier_home(tmp_path_factory: pytest.TempPathFactory, migrated_home: Path) -> Path:
    """Return a home of a build that knew no keys: its database is plain."""
    home = tmp_path_factory.mktemp("earlier")
    homes.copy_database(migrated_home, home)
    with homes.at_home(home):
        if not postgresql.is_used():
            database_changing.change(False)
        with transaction() as session:
            session.execute(delete(InstallationKey))
    return home


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let keys be in a file outside of all homes, and return it."""
    monkeypatch.delenv("ENCRYPTION_KEY")
    monkeypatch.setenv("ENCRYPTION_KEY_FILE", str(tmp_path / "elsewhere" / "keys"))
    return tmp_path / "elsewhere" / "keys"


@pytest.fixture
def own_file(tmp_path: Path, key_file: Path, earlier_home: Path) -> Iterator[Flask]:
    """Return an installation that has no key yet, and whose key is to be a file outside of its home."""
    (tmp_path / "home" / homes.DATABASE).parent.mkdir(parents=True)
    database_of_home = postgresql.NOTE if postgresql.is_used() else homes.DATABASE
    shutil.copy(earlier_home / database_of_home, tmp_path / "home" / database_of_home)
    with homes.at_home(tmp_path / "home") as app:
        yield app


def planted(seconds: float = 20.0) -> bytes:
    """Return a recording with values by which it is known, wherever they are."""
    head, *rows = recording_csv(seconds).decode().splitlines()
    rows[100] = ",".join([rows[100].split(",")[0], *[f"{SAMPLE}"] * (rows[100].count(","))])
    return "\n".join([head, *rows]).encode()


def kept_plain(folder: Path, wanted: list[bytes]) -> list[str]:
    """Search every file in a folder, the database and the log of who did what among them, for some bytes."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += [f"{path.relative_to(folder)}: {word!r}" for word in wanted if word in data]
    return found


def signs() -> list[bytes]:
    """Return the planted values as text and as the arrays have them."""
    numbers = [np.array(SAMPLE, kind).tobytes() for kind in (np.float32, np.float64)]
    return [NAME.encode(), ACTIVITY.encode(), str(SAMPLE).encode(), *numbers]


# --- nothing plain


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of temporary files of one's own, also of readers that begin from now on."""
    (folder := tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_nothing_about_a_person_lies_plain_in_what_is_stored(
    temporary: Path, app: Flask, prediction: Prediction
) -> None:
    user_id, result = prediction.recording.user_id, recordings.result_of(prediction)
    person = db.session.get_one(User, user_id)
    known = [*signs(), person.username.encode(), person.email.encode()]
    with audit.acting(audit.Origin(person.username, user_id, "192.0.2.1")):
        audit.record(audit.Action.ACCOUNT_CHANGED, person.username, title=NAME)
    said = [(0, 0.0, 9.0, ACTIVITY)]
    corrections.add(user_id, prediction.recording, result, said)
    heads.current(user_id, prediction.model_version)  # type: ignore[arg-type]
    waiting = uploads.receive(user_id, f"{NAME}.csv", io.BytesIO(f"{labelled()}# {NAME}\n".encode()))
    assert isinstance(waiting, pending.PendingUpload)
    figures.timeline_image(prediction.recording, result, 0, "png")
    stock = sealing_stored.stock()
    assert (stock.plain, stock.unreadable) == (0, 0)
    assert stock.sealed >= 7  # the file, its signal in four, quality, result; the waiting one, and what is known of it
    assert postgresql.is_used() or list(app.config["INSTANCE"].glob("kinelab.sqlite-wal"))
    assert kept_plain(app.config["HAR_HOME"], known) == []
    recordings.delete(user_id, prediction.recording_id)  # and in pages that are free
    homes.empty_log_of_database()
    assert kept_plain(app.config["HAR_HOME"], known) == []
    assert kept_plain(temporary, known) == []
    if postgresql.is_used():
        return
    database_changing.change(False)  # without which the search could find nothing at all
    assert len(kept_plain(app.config["HAR_HOME"], known)) >= 2  # in the database and in the log


def test_a_live_session_lies_sealed_and_becomes_a_sealed_recording(
    app: Flask, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_everyday(app)
    phone = streamer(user, keeps=True)
    phone.send(*phone.messages(20), tick=False)
    [stream] = sessions.live().running(user.id)
    batches = stream.journal.tail()
    values = [samples.values[:50].tobytes() for batch in batches for samples in batch.sensors.values()]
    assert len(batches) == 20
    assert kept_plain(app.config["UPLOADS"], [*values, b"acceleration"]) == []

    def killed(*_: object) -> None:
        raise Killed

    # Killed while it becomes a recording, with all tables written and nothing tidied up
    job = {"files": [str(path) for path in stream.journal.files()], "target": str(stream.folder / keeping.DRAFT)}
    with monkeypatch.context() as patch:
        patch.setattr(journal, "TemporaryDirectory", lambda dir: nullcontext(tempfile.mkdtemp(dir=dir)))
        patch.setattr(shutil, "copyfileobj", killed)
        with pytest.raises(Killed):
            writing_task.write(job | {"key": keys.of(user.id).as_dict()}, ignore_event)
    assert len([*stream.folder.glob("*/*.csv")]) == 2
    assert kept_plain(app.config["UPLOADS"], [*values, b"acceleration", b"seconds_elapsed"]) == []


# --- people's keys


def test_who_goes_takes_the_key_along_and_copies_of_their_files_are_closed_for_ever(
    prediction: Prediction, tmp_path: Path
) -> None:
    user_id, source = prediction.recording.user_id, recordings.uploaded_file(prediction.recording)
    copy = Path(shutil.copy(source, tmp_path / "copy"))
    assert bytes_of(copy) == planted()
    deletion.delete_own(user_id)
    assert db.session.scalars(select(PersonKey)).all() == []
    with pytest.raises(sealing.KeyGone):
        sealing.opened(copy)


def test_a_key_that_was_to_be_destroyed_stays_where_that_fails(prediction: Prediction) -> None:
    def fail() -> None:
        with transaction():
            keys.destroy(prediction.recording.user_id)
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert len(recordings.result_of(prediction)) > 0


def test_each_person_has_another_key_and_another_server_finds_it(user: User) -> None:
    own, other = keys.of(user.id), keys.of(a_user("otto").id)
    assert own.secret != other.secret
    assert keys.of(user.id) == own
    sealing.forget(own.name)
    assert sealing.opened_bytes(sealing.sealed_bytes(b"steps", own)) == b"steps"


def test_who_is_gone_gets_no_key(app: Flask) -> None:
    with pytest.raises(NotFound):
        keys.of(99)


def test_what_is_kept_of_keys_opens_nothing_with_another_key_of_the_installation(
    user: User, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "ENCRYPTION_KEY", keys.as_text(keys.random_key()))
    app.extensions.pop(keys.KEYS)
    with pytest.raises(keys.NoKey, match="Put it back"):
        keys.of(user.id)


# --- the installation's key


def test_a_key_is_written_down_and_read_again_and_a_slip_is_noticed() -> None:
    key = keys.random_key()
    text = keys.as_text(key)
    assert re.fullmatch(r"KINELAB(-[A-Z2-7]{2,6})+", text)
    assert keys.from_text(f"  {text.lower()}\n") == key
    for wrong in (text[:-1], text.replace(text[20], "A" if text[20] != "A" else "B"), "", "KINELAB-1", text + "A"):
        with pytest.raises(Invalid, match="one is wrong"):
            keys.from_text(wrong)


def test_a_new_installation_makes_its_key_outside_of_its_home_and_shows_it_once(own_file: Flask) -> None:
    path = own_file.config["ENCRYPTION_KEY_FILE"]
    keys.prepare()
    [line] = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert path.stat().st_mode & 0o077 == 0
    assert keys.new_key() == line.split()[0] == keys.export()
    assert keys.new_key() is None
    assert not keys.is_beside_data(keys.source())
    keys.prepare()
    assert path.read_text().count("KINELAB-") == 1


@pytest.mark.sqlite("is a file that is encrypted")
def test_a_new_installation_has_an_encrypted_database_under_the_key_that_is_made_with_it(
    key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill() -> None:
        raise Killed

    home = tmp_path / "home"
    with homes.at_home(home):
        with monkeypatch.context() as patch:
            patch.setattr(installation, "revision", kill)
            with pytest.raises(Killed):
                installation.migrate()
        assert database.is_to_be_made(database.home_file())
        installation.migrate()  # the next start
        keys.prepare()
        a_user("ursula")
        assert key_file.read_text().count("KINELAB-") == 1
        assert keys.as_text(keys.for_database()[0]) in key_file.read_text()
        assert keys.state().database == "encrypted"
    assert not (home / homes.DATABASE).read_bytes().startswith(database.PLAIN)
    with homes.reading(home, key_file.read_text()) as connection:
        assert connection.scalars(select(User.username)).all() == ["ursula"]


@pytest.mark.sqlite("is a file that could not be encrypted")
def test_where_sqlcipher_is_missing_a_new_database_is_plain_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database._cipher.cache_clear()
    monkeypatch.setitem(sys.modules, "sqlcipher3", None)
    with homes.at_home(tmp_path / "home") as app:
        installation.migrate()
        assert "The database is made plain: This needs a library that is not installed here" in caplog.text
        said = app.test_cli_runner().invoke(args=["keys", "check"]).stderr
        assert "The database is plain: stop the server and run flask keys encrypt-database." in said
    assert (tmp_path / "home" / homes.DATABASE).read_bytes().startswith(database.PLAIN)


def test_the_first_start_says_where_the_key_is_and_no_log_gets_to_know_it(
    own_file: Flask, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.prepare()
    print_new_key()
    said, key = capsys.readouterr().out, keys.export()
    assert str(own_file.config["ENCRYPTION_KEY_FILE"]) in said
    assert "flask keys export" in said
    assert key not in said
    own_file.extensions[keys.NEW] = keys.from_text(key)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_new_key()
    print_new_key()
    assert capsys.readouterr().out.count(key) == 1


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="a second disk is needed")
def test_a_key_that_would_go_with_a_container_before_the_data_is_not_made(
    own_file: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mark").touch()
    monkeypatch.setattr(keys, "IN_CONTAINER", [tmp_path / "mark"])
    monkeypatch.setitem(own_file.config, "ENCRYPTION_USUAL_FILE", True)
    with monkeypatch.context() as patch:
        patch.setitem(own_file.config, "ENCRYPTION_KEY_FILE", Path("/dev/shm/kinelab-test/keys"))
        with pytest.raises(keys.NoKey, match="on a volume of its own"):
            keys.prepare()
    keys.prepare()  # on one disk, both stay or go


def test_a_key_beside_the_data_is_told(own_file: Flask) -> None:
    own_file.config["ENCRYPTION_KEY_FILE"] = own_file.config["INSTANCE"] / "keys"
    keys.prepare()
    assert keys.state().beside_data


def test_a_passphrase_is_a_key_too_and_can_be_changed(own_file: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "SCRYPT_N", 2**10)
    own_file.config["ENCRYPTION_PASSPHRASE"] = "four words to remember"
    keys.prepare()
    own = keys.of(a_user("ursula").id)
    with pytest.raises(Conflict, match="a new one is needed"):
        keys.rotate()
    keys.rotate("five other words to remember")
    own_file.extensions.pop(keys.KEYS)
    with pytest.raises(keys.NoKey, match="ENCRYPTION_PASSPHRASE"):
        keys.state()
    own_file.config["ENCRYPTION_PASSPHRASE"] = "five other words to remember"
    assert keys.of(db.session.scalars(select(User.id)).one()) == own


def test_another_key_wraps_the_same_keys_and_the_one_before_opens_nothing_new(own_file: Flask) -> None:
    keys.prepare()
    before, own = keys.export(), keys.of(a_user("ursula").id)
    after = keys.rotate()
    path = own_file.config["ENCRYPTION_KEY_FILE"]
    assert (before in path.read_text(), after in path.read_text()) == (True, True)  # of backups, and from now on
    path.write_text(after)
    own_file.extensions.pop(keys.KEYS)
    assert keys.of(db.session.scalars(select(User.id)).one()) == own
    path.write_text(before)
    own_file.extensions.pop(keys.KEYS)
    with pytest.raises(keys.NoKey, match="flask keys export"):
        keys.state()


def test_a_key_in_a_variable_is_changed_for_another_one_in_it(app: Flask, user: User) -> None:
    own, other = keys.of(user.id), keys.as_text(keys.random_key())
    with pytest.raises(Conflict, match="flask keys new"):
        keys.rotate()
    app.config["ENCRYPTION_KEY"] += f", {other}"
    assert keys.rotate() == other == keys.export()
    assert [line["outcome"] for line in lines(app) if line["action"] == "key changed"] == ["begun", "done"]
    app.config["ENCRYPTION_KEY"] = other
    app.extensions.pop(keys.KEYS)
    assert keys.of(user.id) == own


KILLING = """
import os, random, signal, sys, time
from app import create_app
from app.extensions import db
from app.services import keys
from config import Config

app = create_app(Config())
rng, hits = random.Random(1), set()
with app.app_context():
    keys.state()  # what it imports, no process need import again
    db.session.remove()
    db.engine.dispose()
for _ in range(20):
    reads, writes = os.pipe()
    if (child := os.fork()) == 0:
        with app.app_context():
            while True:
                started = time.monotonic()
                keys.rotate()
                os.write(writes, f"{time.monotonic() - started}\\n".encode())
    time.sleep(rng.uniform(0, 1.5) * float(os.read(reads, 64).split()[0]))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reads), os.close(writes)
    with app.app_context():
        app.extensions.pop(keys.KEYS, None)
        state = keys.state()
        assert (state.people, state.unreadable) == (20, 0), state
        hits.add(state.fingerprint)
        db.session.remove()
        db.engine.dispose()
print(len(hits))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed in the middle")
def test_whenever_a_change_of_the_key_is_killed_it_is_finished_or_untouched(own_file: Flask) -> None:
    keys.prepare()
    details = {"contact_number": "", "address": "", "password_hash": ""}
    with transaction() as session:  # as an earlier build has them, without keys
        session.add_all(User(username=f"u{i}", email=f"{i}@example.org", **details) for i in range(20))
    keys.prepare()
    if not postgresql.is_used():
        database_changing.change(True)
    db.session.remove()
    db.engine.dispose()
    environment = {**os.environ, "HAR_HOME": str(own_file.config["HAR_HOME"])}
    done = subprocess.run([sys.executable, "-c", KILLING], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == 20  # each was killed after another change, in the middle of the next one


# --- what an earlier build left


def unsealed(prediction: Prediction) -> list[Path]:
    """Let the files of a recording be as an earlier build stored them."""
    paths = sorted(recordings.folder_of(prediction.recording).iterdir())
    for path in paths:
        made_plain(path)
    return paths


def test_plain_files_of_an_earlier_build_are_read_and_can_be_sealed_even_in_two_parts(
    app: Flask, prediction: Prediction
) -> None:
    paths = unsealed(prediction)
    assert sealing_stored.has_plain()
    assert kept_plain(app.config["UPLOADS"], signs()) != []
    before, times = recordings.result_of(prediction), [path.stat().st_mtime_ns for path in paths]

    def killed_at_third(path: Path) -> None:
        if path == paths[2]:
            raise Killed

    with pytest.raises(Killed):
        sealing_stored.seal_all(killed_at_third)
    assert sealing_stored.stock() == sealing_stored.Stock(sealed=2, plain=len(paths) - 2)
    assert sealing_stored.seal_all() == len(paths) - 2
    assert not sealing_stored.has_plain()
    assert kept_plain(app.config["UPLOADS"], signs()) == []
    assert [path.stat().st_mtime_ns for path in paths] == times
    np.testing.assert_array_equal(recordings.result_of(prediction).proba, before.proba)
    with FileLock(app.config["INSTANCE"] / "server.lock"), pytest.raises(Conflict, match="Stop it first"):
        sealing_stored.seal_all()


# --- from a shell


def test_the_commands_tell_where_the_key_is_and_whether_it_opens_everything(app: Flask, prediction: Prediction) -> None:
    def run(*args: str) -> tuple[int, str, str]:
        result = app.test_cli_runner().invoke(args=["keys", *args])
        return result.exit_code, result.stdout, result.stderr

    status, out, _ = run("check")
    assert status == 0
    assert "in the environment variable ENCRYPTION_KEY" in out
    assert "People with a key: 1, of which it does not open 0." in out
    assert "0 plain, 0 that nothing opens" in out
    assert run("export")[1].strip() == os.environ["ENCRYPTION_KEY"]
    assert keys.from_text(run("new")[1]) != keys.from_text(run("new")[1])
    assert run("rotate")[0] == 1
    unsealed(prediction)
    assert "run flask keys seal" in run("check")[2]
    assert "files were plain, and are sealed now" in run("seal")[1]
    path = recordings.uploaded_file(prediction.recording)
    path.write_bytes(path.read_bytes()[:-1])
    status, out, _ = run("check", "--json")
    assert (status, json.loads(out)["files"]["unreadable"]) == (1, 1)
