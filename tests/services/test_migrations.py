"""The migrations build exactly the tables' schema, and lead up and down from every revision with data in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations.batch import BatchOperationsImpl
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import MetaData, select, text

from app.extensions import db
from app.services import consents, installation, postgresql
from app.services.backups import restoring, sealed, writing
from app.services.consents import BY_USE
from app.services.errors import Conflict
from app.services.purposes import Purpose
from tests import homes

OLD_CONFIG = {"dataset": "ku-har", "models": ["elm-gru-am"], "protocol": "subject", "any_way_round": True}
ROWS = {  # by the revision that made their table: what a build of that time wrote
    "0001": [
        'INSERT INTO "user" (id, username, password_hash, email, contact_number, address, role, disabled, '
        "created) VALUES (1, 'ada', 'x', 'ada@example.org', '+44', '1 High Street', 'ADMIN', false, '2026-11-20')",
        "INSERT INTO recording (id, user_id, filename, folder, facts, created) "
        "VALUES (1, 1, 'walk.csv', 'recording-1', '{}', '2026-11-20')",
        "INSERT INTO training_run (id, status, reason, config, result, created) "
        "VALUES (1, 'FINISHED', '', :config, :result, '2026-11-20')",
        "INSERT INTO model_version (id, name, version, promoted, training_run_id, metrics, notes, created) "
        "VALUES (1, 'ku-har', 1, true, 1, '{}', '', '2026-11-20')",
        "INSERT INTO prediction (id, recording_id, model_version_id, model_label, summary, created) "
        "VALUES (1, 1, 1, 'ku-har/1', '{}', '2026-11-20')",
    ],
    "0002": [
        "INSERT INTO saved_mapping (id, user_id, name, fingerprint, document, created) "
        "VALUES (1, 1, 'logger', 'abc', '{}', '2026-11-21')",
    ],
    "0003": [],
    "0004": [
        "INSERT INTO dataset (id, name, folder, source, fingerprint, summary, created) "
        "VALUES (1, 'ku-har', 'abc', 'ku-har.zip', 'def', '{}', '2026-11-28')",
    ],
    "0005": [],
    "0006": [
        "INSERT INTO login_session (id, user_id, token_hash, address, browser, created, last_seen) "
        "VALUES (1, 1, 'abc', '127.0.0.1', 'Firefox on Linux', '2026-11-28', '2026-11-28')",
    ],
    "0007": ["INSERT INTO failed_attempts (key, failures, last) VALUES ('abc', 3, '2026-11-28')"],
    "0008": [  # where the devices of a data set were worn
        """UPDATE dataset SET places = '{"": "leg"}'""",
    ],
    "0009": [
        "INSERT INTO one_time_address (id, token_hash, user_id, role, made_by_id, created, until) "
        "VALUES (1, 'abc', 1, '', 1, '2026-11-28', '2026-11-29')",
    ],
    "0010": [  # how often a model version expects activities
        """UPDATE model_version SET prior = '{"Still": 1.0}'""",
    ],
    "0011": ["INSERT INTO recovery_code (id, user_id, code_hash) VALUES (1, 1, 'abc')"],
    "0012": [
        "INSERT INTO promotion (id, label, replaced, made_by_id, created) "
        "VALUES (1, 'ku-har/1', 'reference-everyday/1', 1, '2026-11-28')",
    ],
    "0013": [
        "INSERT INTO upload_attempt (id, user_id, filename, token, reason, created) "
        "VALUES (1, 1, 'photo.csv', 'abc', 'is binary', '2026-11-28')",
        "UPDATE recording SET title = 'Morning', notes = 'knee', recorded = '2026-11-20', fingerprint = 'abc'",
    ],
    "0014": ["UPDATE training_run SET name = 'longer windows', notes = 'for the report'"],
    "0015": [
        "INSERT INTO correction (id, recording_id, user_id, part, start_s, end_s, activity, source, batch, created) "
        "VALUES (1, 1, 1, 'walk.csv', 3.0, 9.0, 'Walking', 'timeline', 'abc', '2026-11-28')",
        "INSERT INTO calibration (id, user_id, recording_id, place, steps, batch, created) "
        "VALUES (1, 1, 1, 'leg', '{}', '', '2026-11-28')",
        "INSERT INTO personal_head (id, user_id, model_version_id, place, file, made_from, report, switched_on, "
        "created) VALUES (1, 1, 1, 'leg', 'a.npz', 'abc', '{}', true, '2026-11-28')",
        "INSERT INTO consent (id, user_id, version, pseudonym, given, copies) "
        "VALUES (1, 1, 1, 'p-1', '2026-11-28', '{}')",
    ],
    "0016": ["UPDATE upload_attempt SET file_token = 'abc'"],
    "0017": [
        "INSERT INTO site (id, name, public_key, created) VALUES (1, 'leeds', 'ab', '2026-11-28')",
    ],
    "0018": [],
    "0019": [
        "UPDATE \"user\" SET role = 'CAREGIVER'",
        "INSERT INTO device (id, user_id, name, place, keeps, token_hash, created) "
        "VALUES (1, 1, 'phone', 'leg', true, 'abc', '2026-11-28')",
        "INSERT INTO live_session (id, device_id, user_id, key, folder, keeps, started, end_reason, facts) "
        "VALUES (1, 1, 1, 'a', 'live-1', true, '2026-11-28', '', '{}')",
        "INSERT INTO alarm_rule (id, user_id, kind, switched_on, settings) VALUES (1, 1, 'fall', true, '{}')",
        "INSERT INTO alarm (id, user_id, kind, state, session_id, created, times, facts, verdict) "
        "VALUES (1, 1, 'fall', 'raised', 1, '2026-11-28', 1, '{}', '')",
        "INSERT INTO alarm_step (id, alarm_id, before, after, who_id, why, at) "
        "VALUES (1, 1, '', 'observed', 1, 'an impact', '2026-11-28')",
        "INSERT INTO notice_target (id, user_id, channel, address, switched_on, created, last_error) "
        "VALUES (1, 1, 'e-mail', '{}', true, '2026-11-28', '')",
        "INSERT INTO notice (id, target_id, step_id, state, tries, error, about, created) "
        "VALUES (1, 1, 1, 'waiting', 0, '', '', '2026-11-28')",
        "INSERT INTO care_consent (id, user_id, caregiver_id, version, given) VALUES (1, 1, 1, 1, '2026-11-28')",
    ],
    "0020": [
        "INSERT INTO erasure (id, token, erased, counts, \"left\") VALUES (1, 'abc', '2026-11-29', '{}', '[]')",
        "INSERT INTO retention (kind, days) VALUES ('recordings', 365)",
    ],
    "0021": [  # what people's files are sealed under
        "INSERT INTO installation_key (id, fingerprint, created) VALUES (1, 'abc', '2026-11-29')",
        "INSERT INTO person_key (name, user_id, wrapped, created) VALUES ('abc', 1, :wrapped, '2026-11-29')",
    ],
    "0022": [
        "INSERT INTO api_token (id, user_id, name, scopes, token_hash, created, expires) "
        "VALUES (1, 1, 'notebook', 'recordings:read', 'abc', '2026-11-29', '2027-11-29')",
        "INSERT INTO kept_answer (id, user_id, key, asked, status, location, body, created) "
        "VALUES (1, 1, 'abc', 'def', 201, '', '{}', '2026-11-29')",
    ],
    "0023": [
        "INSERT INTO notice_target (id, user_id, channel, events, address, switched_on, created, last_error) "
        "VALUES (2, NULL, 'events', 'person.erased', '{}', true, '2026-11-29', '')",
        "INSERT INTO notice (id, target_id, event, facts, state, tries, error, about, created) "
        "VALUES (2, 2, 'person.erased', '{}', 'waiting', 0, '', '', '2026-11-29')",
    ],
    "0024": [
        "INSERT INTO identity_link (id, user_id, issuer, subject, created) "
        "VALUES (1, 1, 'https://login.lab.example', 'abc', '2026-11-29')",
    ],
    "0025": ["UPDATE \"user\" SET age_group = 'adult' WHERE id = 1"],
    "0026": [
        "INSERT INTO bout_label (id, dataset_id, user_id, recording, start_s, end_s, activity, work_s, created) "
        "VALUES (1, 1, 1, 'walk', 3.0, 9.0, 'Walking', 2.5, '2026-11-29')",
    ],
}
REVISIONS = sorted(ROWS)


Build = Callable[[str], None]


@contextmanager
def unmigrated(home: Path) -> Iterator[Flask]:
    """Run an application whose database has no table yet."""
    with homes.at_home(home) as app:
        installation.bind_alembic(app)
        yield app


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Flask]:
    """Return an application whose database has no table yet."""
    with unmigrated(tmp_path / "home") as app:
        yield app


def renumber() -> None:
    """Let the numbers of new rows follow on those that tests choose; SQLite does by itself."""
    if db.engine.dialect.name == "sqlite":
        return
    metadata = MetaData()
    metadata.reflect(db.engine)
    with db.engine.begin() as connection:
        for table in metadata.sorted_tables:
            postgresql.renumber(connection, table)


@pytest.fixture(scope="module")
def revisions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return homes by revision, whose databases have rows as a build of that time wrote them: one, led up."""
    folder = tmp_path_factory.mktemp("revisions")
    values = {
        "config": json.dumps(OLD_CONFIG),
        "result": json.dumps({"config": OLD_CONFIG, "models": {}}),
        "wrapped": b"0",
    }
    for before, revision in zip(("", *REVISIONS), REVISIONS, strict=False):
        if before:
            shutil.copytree(folder / before, folder / revision)
        with unmigrated(folder / revision):
            upgrade(revision=revision)
            with db.engine.begin() as connection:
                for statement in ROWS[revision]:
                    named = {name: value for name, value in values.items() if f":{name}" in statement}
                    connection.execute(text(statement), named)
            renumber()
    return folder


@pytest.fixture
def build(empty: Flask, revisions: Path) -> Build:
    """Return what gives the application a database of a revision, with rows as a build of that time wrote them."""

    def copy(revision: str) -> None:
        homes.put_database(revisions / revision, empty.config["HAR_HOME"])

    return copy


def contents() -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of all tables, but for what people agreed to by use, which 0020 writes down."""
    metadata = MetaData()
    metadata.reflect(db.engine)
    with db.engine.connect() as connection:
        return {
            table.name: [
                tuple(row)[: 7 if table.name == "consent" else None]  # before it had purposes
                for row in connection.execute(select(table).order_by(*table.primary_key))
                if table.name != "consent" or row.version != BY_USE
            ]
            for table in metadata.sorted_tables
            if table.name != "alembic_version"
        }


def filled() -> dict[str, list[tuple[object, ...]]]:
    """Return what is in tables that have rows, all of them in a database of 0017 with `many`, but for later columns."""
    later = {"user": 1}  # age_group
    found = contents().items()
    return {table: [row[: len(row) - later.get(table, 0)] for row in rows] for table, rows in found if rows}


def test_every_released_revision_is_tested(app: Flask) -> None:
    files = sorted(path.name[:4] for path in Path(app.config["MIGRATIONS"]).glob("versions/*.py"))
    assert files == REVISIONS


def test_the_migrations_build_exactly_the_tables_of_the_program(app: Flask) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, db.metadata) == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_of_any_revision_is_brought_up_to_date_and_goes_back_with_its_rows(
    empty: Flask, build: Build, revision: str
) -> None:
    build(revision)
    before = contents()
    installation.migrate()
    after = contents()
    assert {table: len(rows) for table, rows in after.items()} == {table: len(before.get(table, [])) for table in after}
    (config, result) = db.session.execute(text("SELECT config, result FROM training_run")).one()
    config, result = (json.loads(each) if isinstance(each, str) else each for each in (config, result))
    for settings in (config, result["config"]):
        assert settings["rotation_augmentation"] is True
        assert "any_way_round" not in settings
    db.session.rollback()
    downgrade(revision=revision)
    assert contents() == before


def test_a_database_of_a_newer_program_is_refused_and_left_alone(empty: Flask, build: Build) -> None:
    build(REVISIONS[-1])
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("CREATE TABLE of_tomorrow (id INTEGER)"))
    before = contents()
    for start in (installation.migrate, installation.prepare):
        with pytest.raises(Conflict, match=rf"newer Kinelab: it is at revision 9999.*up to {REVISIONS[-1]}\..*backup"):
            start()
    assert contents() == before
    result = empty.test_cli_runner().invoke(args=["users", "list"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: The database was made by a newer Kinelab")
    assert result.stderr.count("\n") == 1


@pytest.mark.sqlite("backs up an earlier revision, which a server's database never is then")
@pytest.mark.parametrize("revision", REVISIONS[::9])
def test_a_backup_of_an_earlier_version_is_brought_up_to_date_when_it_is_restored(
    empty: Flask, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    monkeypatch.setattr(sealed, "MEMORY_KIB", 64)
    build(revision)
    before = {table: len(rows) for table, rows in contents().items()}
    writing.write(tmp_path / "old.backup", "a horse that was backed up")
    db.session.remove()
    with homes.at_home(tmp_path / "other"):
        assert (
            restoring.restore(tmp_path / "old.backup", "a horse that was backed up", replace=False).contents.revision
            == revision
        )
        assert installation.revision() == REVISIONS[-1]
        assert {table: len(rows) for table, rows in contents().items() if table in before} == before


def test_rows_of_every_table_are_led_up_and_down(empty: Flask, build: Build) -> None:
    build(REVISIONS[-1])
    assert [table for table, rows in contents().items() if not rows] == []


def test_nothing_is_left_of_a_database_that_goes_back_to_the_beginning(empty: Flask, build: Build) -> None:
    build(REVISIONS[-1])
    downgrade(revision="base")
    assert contents() == {}


def test_what_people_agreed_to_by_use_is_written_down_and_holds(empty: Flask, build: Build) -> None:
    build("0019")
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE device SET keeps = true"))
        connection.execute(text("UPDATE \"user\" SET role = 'USER'"))
    installation.migrate()
    agreed = [consent.purpose for consent in consents.history(1) if consent.version == BY_USE]
    assert sorted(agreed) == ["live recording", "recognition"]
    assert [consents.holds(purpose, 1) for purpose in Purpose] == [True, True, True, False, False]


def numbers(table: str) -> list[int]:
    return [row[0] for row in contents()[table]]


def many(n: int = 50) -> None:
    """Add rows that refer to each other in every way that a deletion follows."""
    with db.engine.begin() as connection:
        for i in range(2, n + 2):
            for statement in (
                "INSERT INTO training_run (id, status, reason, config, result, created, name, notes) "
                "VALUES (:i, 'FINISHED', '', '{}', '{}', '2026-11-20', 'a', 'b')",
                "INSERT INTO model_version (id, name, version, promoted, training_run_id, metrics, notes, prior, "
                "created) VALUES (:i, 'ku-har', :i, false, :i, '{}', '', '{}', '2026-11-20')",
                "INSERT INTO recording (id, user_id, filename, folder, facts, title, notes, created) "
                "VALUES (:i, 1, 'walk.csv', 'recording-' || :i, '{}', '', '', '2026-11-20')",
                "INSERT INTO prediction (id, recording_id, model_version_id, model_label, summary, created) "
                "VALUES (:i, :i, :i, 'ku-har', '{}', '2026-11-20')",
                "INSERT INTO correction (id, recording_id, user_id, part, start_s, end_s, activity, source, batch, "
                "created) VALUES (:i, :i, 1, 'walk.csv', 3.0, 9.0, 'Walking', 'timeline', 'abc', '2026-11-28')",
            ):
                connection.execute(text(statement), {"i": i})


def test_tables_are_rebuilt_without_the_loss_of_a_row_and_their_numbers_are_never_given_again(
    empty: Flask, build: Build
) -> None:
    build("0017")
    many()
    before = contents()
    installation.migrate()
    assert filled() == before
    renumber()
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1  # again
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    for statement in ("DELETE FROM recording WHERE id >= 30", "DELETE FROM training_run WHERE id >= 30"):
        with db.engine.begin() as connection:
            connection.execute(text(statement))
    assert (
        sorted(numbers("prediction")) == sorted(numbers("correction")) == list(range(1, 30))
    )  # what refers to them went with them
    added = {
        "training_run": "(status, reason, config, result, created) VALUES ('FINISHED', '', '{}', '{}', '2026-11-28')",
        "recording": "(user_id, filename, folder, facts, title, notes, created) "
        "VALUES (1, 'b.csv', 'recording-b', '{}', '', '', '2026-11-28')",
        "prediction": "(recording_id, model_label, summary, created) VALUES (1, 'a', '{}', '2026-11-28')",
    }
    with db.engine.begin() as connection:
        for table, row in added.items():
            connection.execute(text(f"INSERT INTO {table} {row}"))
    assert {max(numbers(table)) for table in added} == {52}


@pytest.mark.sqlite("rebuilds tables; others change theirs")
def test_a_migration_that_fails_in_the_middle_changes_nothing(
    empty: Flask, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    build("0017")
    many()
    before, tables = contents(), db.session.scalars(text("SELECT sql FROM sqlite_master ORDER BY name")).all()
    db.session.rollback()
    seen: list[str] = []

    def fail(self: BatchOperationsImpl) -> None:
        seen.append(self.table_name)
        if len(seen) == 3:
            raise RuntimeError("the disk is full")
        flush(self)

    flush = BatchOperationsImpl.flush
    monkeypatch.setattr(BatchOperationsImpl, "flush", fail)
    with pytest.raises(SystemExit):
        installation.migrate()
    assert seen == ["training_run", "recording", "prediction"]
    assert contents() == before
    assert db.session.scalars(text("SELECT sql FROM sqlite_master ORDER BY name")).all() == tables
    db.session.rollback()
    monkeypatch.undo()
    installation.migrate()
    assert filled() == before
