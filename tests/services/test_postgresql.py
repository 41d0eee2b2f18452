"""What a server of PostgreSQL does besides what every other test asks of it (`make test-postgres`)."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import MetaData, Update, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.extensions import db
from app.services import accounts, installation
from app.services import postgresql as server
from app.services.backups import restoring, rows, sealed, writing
from app.services.errors import Busy, Conflict, Invalid
from app.services.postgresql import Unreachable
from app.services.transaction import passing_reason, transaction, write_if_free
from app.tables import User
from tests import homes, postgresql
from tests.conftest import PASSWORD
from tests.services.conftest import a_user

pytestmark = pytest.mark.skipif(not postgresql.is_used(), reason="make test-postgres")

PASSPHRASE = "a horse that was backed up"
TCP = "postgresql://kinelab:s3cret@localhost:{port}/{name}?sslmode={mode}{more}"


@pytest.fixture
def in_file(started_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home with a database in a file, two accounts and a data set."""
    home, folder = tmp_path / "in-file", os.environ[postgresql.FOLDER]
    with pytest.MonkeyPatch.context() as without:
        without.delenv(postgresql.FOLDER)
        homes.migrate(home)
        with homes.at_home(home):
            installation.prepare()
            for name in ("ada", "eve"):
                a_user(name)
    assert os.environ[postgresql.FOLDER] == folder
    monkeypatch.setattr(sealed, "MEMORY_KIB", 64)
    return home


def contents() -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of the current database."""
    ordered = {each.name: select(each).order_by(*each.primary_key) for each in db.metadata.sorted_tables}
    with db.engine.connect() as connection:
        return {name: list(map(tuple, connection.execute(query))) for name, query in ordered.items()}


def reached(monkeypatch: pytest.MonkeyPatch, home: Path, address: str) -> str:
    """Return how a start goes with a database."""
    monkeypatch.setattr(homes, "where", lambda _: {"HAR_HOME": str(home), "DATABASE_URL": address})
    with homes.at_home(home):
        try:
            installation.prepare_home()
        except (Unreachable, Conflict) as error:
            return str(error)
    return ""


def test_what_the_server_refuses_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    postgresql.run("ALTER ROLE kinelab PASSWORD 's3cret'")
    postgresql.run("CREATE DATABASE words TEMPLATE template0")
    postgresql.run("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    postgresql.run("CREATE DATABASE ascii TEMPLATE template0 LOCALE 'C'")
    postgresql.run("CREATE ROLE guest LOGIN PASSWORD 's3cret'")
    trusted = Path(os.environ[postgresql.FOLDER]) / "data" / "server.crt"
    shutil.copy(trusted, ca := tmp_path / "ca.pem")
    for name, mode, more, says in (
        ("nowhere", "disable", "", "there is no database of this name"),
        ("words", "verify-full", "", "its certificate is not trusted"),
        ("words", "verify-full", "&sslrootcert=/nowhere.pem", "sslrootcert"),
        ("latin", "require", "", "of encoding LATIN1"),
        ("ascii", "require", "", "knows no letters like Ü"),
        ("words", "verify-full", f"&sslrootcert={ca}", ""),
    ):
        address = TCP.format(port=postgresql.port(), name=name, mode=mode, more=more)
        assert says in (told := reached(monkeypatch, tmp_path / "home", address)), told
        assert bool(says) is bool(told)
        wrong = address.replace("s3cret", "other")
    assert "account or its password is wrong" in reached(monkeypatch, tmp_path / "home", wrong)
    postgresql.run("CREATE DATABASE shut TEMPLATE template0")
    guest = TCP.format(port=postgresql.port(), name="shut", mode="disable", more="").replace("kinelab:", "guest:")
    assert "may not make tables" in reached(monkeypatch, tmp_path / "home", guest)
    for name in ("words", "latin", "ascii", "shut"):
        postgresql.drop(name)


def test_an_empty_database_beside_files_of_another_is_refused(tmp_path: Path, started_home: Path) -> None:
    homes.copied(started_home / "instance", tmp_path / "home" / "instance")
    with homes.at_home(tmp_path / "home"):
        with pytest.raises(Conflict, match=r"empty database, and .* holds recordings or data sets"):
            installation.prepare()
        assert installation.revision() is None


def test_who_reads_before_they_write_loses_nobodys_change(app: Flask, user: User) -> None:
    def count() -> None:
        with app.app_context():
            for _ in range(5):
                with transaction() as session:
                    row = session.get_one(User, 1, populate_existing=True)
                    row.address = str(int(row.address) + 1)

    with transaction():
        user.address = "0"
    threads = [threading.Thread(target=count) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.expire_all()
    assert user.address == "30"


def test_of_two_who_take_a_name_at_the_same_moment_one_has_it(app: Flask) -> None:
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def take(number: int) -> None:
        with app.app_context():
            together.wait()
            try:
                accounts.register(
                    "ada", PASSWORD, "+44 20 7946 0000", f"a{number}@example.org", "1 High Street", "user"
                )
                outcomes.append("taken")
            except Exception as error:
                outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Invalid", "taken"]


def test_a_sign_of_life_waits_for_nobody(app: Flask, user: User) -> None:
    changed: Update = update(User).values(address="2 High Street")
    with homes.writing_elsewhere():
        write_if_free(changed)
        db.session.expire_all()
        assert user.address == "1 High Street"
    write_if_free(changed)
    db.session.expire_all()
    assert user.address == "2 High Street"


def test_an_error_is_of_its_kind_and_tells_no_value(app: Flask, user: User) -> None:
    with pytest.raises(IntegrityError) as told, db.engine.begin() as connection:
        connection.execute(text('INSERT INTO "user" SELECT * FROM "user"'))
    assert "pk_user" in str(told.value)
    assert user.email not in str(told.value)
    with pytest.raises(DBAPIError) as told, db.engine.begin() as connection:
        connection.execute(text("SELECT CAST(:word AS INTEGER)"), {"word": user.email})
    assert passing_reason(told.value) is None


def test_a_zero_byte_which_the_server_takes_in_no_text_is_refused_in_words(app: Flask) -> None:
    with pytest.raises(Invalid, match="zero byte"):
        db.session.scalar(select(User).where(User.username == "a\0b"))


@pytest.mark.parametrize(("code", "reason"), [("55P03", Busy), ("40P01", Busy), ("57P01", Unreachable)])
def test_what_passes_by_itself_is_told_from_what_does_not(app: Flask, code: str, reason: type) -> None:
    with pytest.raises(DBAPIError) as told, db.engine.begin() as connection:
        connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$"))
    assert type(passing_reason(told.value)) is reason


def test_a_server_that_was_started_anew_is_found_again(app: Flask, user: User) -> None:
    db.session.commit()
    with db.engine.connect() as connection:
        own = connection.scalar(text("SELECT pg_backend_pid()"))  # other processes' tests use the server, too
        postgresql.run(f"SELECT pg_terminate_backend({own})")
        with pytest.raises(DBAPIError) as told:
            connection.execute(text("SELECT 1"))
        assert type(passing_reason(told.value)) is Unreachable
    assert db.session.get_one(User, 1).username == "ursula"


def test_moments_are_in_utc_wherever_the_server_is(app: Flask, user: User) -> None:
    (name,) = db.session.execute(text("SELECT current_database()")).one()
    db.session.remove()
    db.engine.dispose()
    postgresql.run(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
    row = db.session.get_one(User, 1)
    assert row.created.utcoffset().total_seconds() == 0


def test_a_backup_goes_from_a_file_to_a_server_and_back(
    in_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as without:
        without.delenv(postgresql.FOLDER)
        with homes.at_home(in_file):
            before = contents()
            writing.write(tmp_path / "file.backup", PASSPHRASE)
    with homes.at_home(tmp_path / "server"):
        restoring.restore(tmp_path / "file.backup", PASSPHRASE, replace=False)
        assert contents() == before
        assert not rows.incoming().exists()
        assert a_user("new").id == 3
        before = contents()
        writing.write(tmp_path / "server.backup", PASSPHRASE)
        assert restoring.verify(tmp_path / "server.backup", PASSPHRASE).missing == []
        a_user("gone")
        with pytest.raises(Conflict, match="is not empty"):
            restoring.restore(tmp_path / "server.backup", PASSPHRASE, replace=False)
        restoring.restore(tmp_path / "server.backup", PASSPHRASE, replace=True)
        assert contents() == before
    monkeypatch.delenv(postgresql.FOLDER)
    with homes.at_home(tmp_path / "back"):
        restoring.restore(tmp_path / "server.backup", PASSPHRASE, replace=False)
        assert contents() == before


def test_a_home_is_taken_along_to_a_server_also_when_that_is_killed(
    in_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as without:
        without.delenv(postgresql.FOLDER)
        with homes.at_home(in_file):
            before = contents()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with homes.at_home(in_file) as app:
        told = app.test_cli_runner().invoke(args=["users", "list"])
        assert "flask move" in told.stderr
        with monkeypatch.context() as patch:
            patch.setattr(server, "renumber", killed)
            with pytest.raises(KeyboardInterrupt):
                installation.move_to_server()
        result = app.test_cli_runner().invoke(args=["move"])
        assert result.exit_code == 0, result.stderr
        assert contents() == before
        assert [path.name for path in Path(app.config["INSTANCE"]).glob("kinelab.sqlite*")] == []
        again = app.test_cli_runner().invoke(args=["move"])
        assert (again.exit_code, "There is no database" in again.stderr) == (1, True)


def test_what_is_for_a_file_alone_says_so(app: Flask) -> None:
    for command in ("encrypt-database", "decrypt-database"):
        told = app.test_cli_runner().invoke(args=["keys", command])
        assert (told.exit_code, told.stderr.count("\n")) == (1, 1)
        assert "a server's database" in told.stderr
    assert "DATABASE_URL names no" not in app.test_cli_runner().invoke(args=["move"]).stderr


def test_a_schema_that_is_led_back_to_the_beginning_can_be_made_again(app: Flask) -> None:
    from flask_migrate import downgrade

    installation.bind_alembic(app)
    db.session.remove()
    downgrade(revision="base")
    installation.migrate()
    made = MetaData()
    made.reflect(db.engine)
    assert set(db.metadata.tables) < set(made.tables)
