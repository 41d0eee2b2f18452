"""An encrypted database: nothing of a person is read in its files, nothing is lost on the way, and a kill never is."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.services import database, database_changing, keys
from app.services.audit import Action
from app.services.backups import moment, restoring, sealed, writing
from app.services.database import Unopened
from app.services.errors import Busy, Conflict
from app.services.transaction import transaction
from app.tables import StoredRecording, User
from tests import homes
from tests.conftest import ROOT, logged_in
from tests.services.conftest import a_user
from tests.services.test_audit import written
from tests.services.test_backups import PASSPHRASE, add_recording

pytestmark = pytest.mark.sqlite("is a file that is encrypted")
NAME = "Wilhelmina-Quistgaard"
# What comes after the renaming
CHANGED = {"encrypt rename 3", "encrypt said", "decrypt key written", "decrypt unlink", "decrypt said"}


@pytest.fixture
def plain(app: Flask) -> Flask:
    """Return an application whose database is plain, as earlier builds made it."""
    database_changing.change(False)
    db.session.execute(text("SELECT * FROM user"))  # from when on it has its log beside it
    db.session.remove()
    return app


def found(home: Path, what: str) -> list[str]:
    """Return the files of the database, and of a backup that is being written, in which something is readable."""
    files = [*(home / "instance").glob("kinelab.sqlite*"), *(home / "instance").glob(".backup/database/*")]
    assert files
    return sorted(path.name for path in files if what.encode() in path.read_bytes())


def plant(app: Flask) -> None:
    """Let a person register, log in, and have a recording whose file bears a name."""
    client = logged_in(app, "ursula")
    user = db.session.scalars(select(User).filter_by(username="ursula")).one()
    with transaction() as session:
        session.add(StoredRecording(user_id=user.id, filename=f"{NAME}.csv", folder="recording-1", facts={}))
    assert "ursula@example.org" in client.get("/account/").text


AFTER_TENSORFLOW = """
import tensorflow
from app.services import database
print(database.cipher().connect(":memory:").execute("PRAGMA cipher_version").fetchone())
"""


def test_it_is_encrypted_by_sqlcipher_whatever_was_loaded_before() -> None:
    command = [sys.executable, "-c", AFTER_TENSORFLOW]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "community" in result.stdout, result.stderr


def test_another_sqlite_in_its_place_encrypts_nothing_and_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    database._cipher.cache_clear()
    monkeypatch.setattr(database.cipher(), "connect", sqlite3.connect)
    database._cipher.cache_clear()
    with pytest.raises(Unopened, match="nothing would be encrypted"):
        database.cipher()


def test_in_an_encrypted_home_the_site_works_and_no_byte_of_the_database_tells_a_name(plain: Flask) -> None:
    app, home = plain, Path(plain.config["HAR_HOME"])
    plant(app)
    assert found(home, NAME) == ["kinelab.sqlite-wal"]
    database_changing.change(True)
    assert logged_in(app, "bob").get("/").status_code == 200
    with transaction() as session:
        session.execute(text("UPDATE recording SET folder = 'recording-2'"))
    assert (home / "instance" / "kinelab.sqlite-wal").stat().st_size > 0
    for known in (NAME, "ursula", "bob@example.org", "CREATE TABLE"):
        assert found(home, known) == []
    db.session.execute(text("DELETE FROM recording"))
    db.session.commit()
    db.session.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    assert found(home, NAME) == []


def test_errors_of_an_encrypted_database_are_what_they_are_of_a_plain_one(app: Flask) -> None:
    a_user("ursula")
    with pytest.raises(IntegrityError), transaction() as session:
        session.execute(text("INSERT INTO user SELECT * FROM user"))
    with closing(database.connect(database.home_file(), isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy), transaction(0.01):
            pass


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_both_ways_every_row_stays_and_what_comes_after_does_too(plain: Flask) -> None:
    plant(plain)
    path = database.home_file()
    database_changing.change(True)
    with pytest.raises(Conflict, match="encrypted already"):
        database_changing.change(True)
    database_changing.change(False)
    assert not path.with_name(database.KEY_FILE).exists()
    before = dump(path)
    assert any(NAME in line for line in before)
    database_changing.change(True)
    assert path.stat().st_mode & 0o077 == 0
    database_changing.change(False)
    assert dump(path) == before
    said = written(plain)
    assert said.count(Action.DATABASE_ENCRYPTED.value) == 2 == said.count(Action.DATABASE_DECRYPTED.value) - 1


def test_the_database_is_not_changed_while_another_program_has_it_open(plain: Flask) -> None:
    path = database.home_file()
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT count(*) FROM user').fetchall(); "
        "print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(Conflict, match="Another program"):
            database_changing.change(True)
        other.communicate()
    assert database.key_of(path) is None
    assert not path.with_name(database.KEY_FILE).exists()


def test_a_change_that_is_killed_before_any_step_is_finished_or_was_never_begun(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.services.killed_databases", str(tmp_path / "home")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    said = dict(line.split(": ") for line in result.stdout.splitlines())
    assert len(said) == 19
    assert said == {name: f"killed {'changed' if name in CHANGED else 'untouched'} whole" for name in said}


@pytest.mark.parametrize("missing", ["key", "other key", "key of the database", "damaged", "library"])
def test_what_is_missing_to_open_it_is_said_in_words(missing: str, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    a_user("ursula")
    db.session.remove()
    db.engine.dispose()
    home, file = Path(app.config["HAR_HOME"]), database.home_file().with_name(database.KEY_FILE)
    said = {
        "key": "not where the settings say",
        "other key": "not where the settings say",
        "key of the database": "is not beside it",
        "damaged": "is damaged",
        "library": 'pip install "sqlcipher3>=0.6.4"',
    }[missing]
    if missing == "other key":
        monkeypatch.setenv("ENCRYPTION_KEY", keys.as_text(keys.random_key()))
    elif missing == "key":
        monkeypatch.delenv("ENCRYPTION_KEY")
        monkeypatch.setenv("ENCRYPTION_KEY_FILE", str(home.parent / "none"))
    elif missing == "key of the database":
        file.unlink()
    elif missing == "damaged":
        [wrap] = json.loads(file.read_text())
        file.write_text(json.dumps([{**wrap, "wrapped": wrap["wrapped"][:-2] + "00"}]))
    else:
        database._cipher.cache_clear()
        monkeypatch.setitem(sys.modules, "sqlcipher3", None)
    with homes.at_home(home) as app:
        result = app.test_cli_runner().invoke(args=["keys", "check"])
        assert result.exit_code == 1
        assert said in result.stderr


def test_a_backup_of_an_encrypted_home_is_restored_encrypted_and_lies_nowhere_plain(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "MEMORY_KIB", 64)
    user = a_user("ursula")
    add_recording(app, user.id, 1)
    backup = tmp_path / "site.backup"
    with moment.held(None, lambda: None):
        assert found(Path(app.config["HAR_HOME"]), "ursula") == []
    writing.write(backup, PASSPHRASE)
    assert restoring.verify(backup, PASSPHRASE).missing == []
    with homes.at_home(tmp_path / "other") as other:
        restoring.restore(backup, PASSPHRASE, replace=False)
        assert database.key_of(database.home_file()) is not None
        assert db.session.scalars(select(User.username)).all() == ["ursula"]
        assert found(Path(other.config["HAR_HOME"]), "ursula") == []


@pytest.fixture
def own_file(app: Flask, tmp_path: Path) -> Flask:
    """Return an encrypted home whose key is in a file."""
    a_user("ursula")
    file = tmp_path / "elsewhere" / "keys"
    file.parent.mkdir()
    file.write_text(keys.export())
    app.config.update(ENCRYPTION_KEY="", ENCRYPTION_KEY_FILE=file)
    return app


def opens(app: Flask, key: str) -> bool:
    """Tell whether a key alone, put into the file, opens the database in an application that knows nothing yet."""
    db.session.remove()
    db.engine.dispose()
    path = app.config["ENCRYPTION_KEY_FILE"]
    before = path.read_text()
    path.write_text(key)
    for known in (keys.KEYS, database.KNOWN):
        app.extensions.pop(known, None)
    try:
        return db.session.scalars(select(User.username)).all() == ["ursula"]
    except (database.Unopened, keys.NoKey):
        return False
    finally:
        db.session.remove()
        path.write_text(before)


def test_after_a_change_of_the_installations_key_the_other_one_alone_opens_the_database(own_file: Flask) -> None:
    before = keys.export()
    after = keys.rotate()
    assert opens(own_file, after)
    assert not opens(own_file, before)


@pytest.mark.parametrize("step", ["before the rows", "after the rows"])
def test_a_change_of_the_installations_key_that_is_killed_leaves_a_database_that_opens(
    step: str, own_file: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    before = keys.export()
    with monkeypatch.context() as patch:
        patch.setattr(*((keys, "_wrapped", kill) if step == "before the rows" else (database, "_keep", kill)))
        with pytest.raises(Killed):
            keys.rotate()
    [after] = [line.split()[0] for line in own_file.config["ENCRYPTION_KEY_FILE"].read_text().splitlines()[-1:]]
    assert opens(own_file, before)
    assert opens(own_file, after)
    keys.prepare()  # the next start
    holds, other = (before, after) if step == "before the rows" else (after, before)
    assert opens(own_file, holds)
    assert not opens(own_file, other)
    assert keys.state().unreadable == 0


def test_commands_change_it(plain: Flask) -> None:
    run = plain.test_cli_runner().invoke
    for command, is_so in (("encrypt-database", "encrypted"), ("decrypt-database", "plain")):
        result = run(args=["keys", command])
        assert (result.exit_code, f"is {is_so} now" in result.stdout) == (0, True), result.stderr
        assert "already" in run(args=["keys", command]).stderr


ANOTHER_PROGRAM = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("CREATE TABLE of_another (id INTEGER)")
connection.commit()
connection.close()
"""


@pytest.mark.parametrize("is_new", [True, False])
def test_a_program_that_comes_and_goes_meets_the_locks_of_who_has_a_database_open(
    is_new: bool, tmp_path: Path, migrated_home: Path
) -> None:
    home = tmp_path / "home"
    if not is_new:
        homes.copied(migrated_home, home)
        with homes.at_home(home):
            database_changing.change(False)
    with homes.at_home(home), db.engine.connect() as first:
        first.execute(text("SELECT * FROM sqlite_master"))
        with db.engine.connect() as second:
            second.execute(text("SELECT * FROM sqlite_master"))
        file = database.home_file()
        subprocess.run([sys.executable, "-c", ANOTHER_PROGRAM, str(file)], check=True)
        assert file.with_name(f"{file.name}-wal").exists(), "it took itself for the last one, and tidied up"
        assert first.execute(text("SELECT count(*) FROM of_another")).scalar() == 0
