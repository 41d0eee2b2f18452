"""Homes that the program itself made once in a run of the tests; each test gets a copy, or some rows of one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock
from flask import Flask
from sqlalchemy import Connection, MetaData, NullPool, PoolProxiedConnection, Table, create_engine, insert, select, text

from tests import postgresql
from tests.synthetic import ku_har_zip

if TYPE_CHECKING:
    from sqlalchemy.orm import InstrumentedAttribute

    from app.har.datasets.store import Store
    from tests.trained import Example

EXAMPLE = "physiotherapy-example"
SMALL = "small"
OTHER = "other"
DATABASE = Path("instance") / "kinelab.sqlite"
KEY = os.environ.get("ENCRYPTION_KEY", "")  # of the homes that tests share


def made_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Make a folder in whichever worker asks first; the others wait for it. What fails half-way is made again."""
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            part = folder.with_name(f"{folder.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            make(part)
            part.rename(folder)
    return folder


def where(home: Path) -> dict[str, str]:
    """Return the environment by which programs find a home and its database: a file in it, or a server's."""
    return {"HAR_HOME": str(home), "DATABASE_URL": postgresql.address_of(home) if postgresql.is_used() else ""}


class Statements(dict[Any, Any]):
    """Statements of SQL that some application of this process compiled, by the kind of database.

    SQLAlchemy keeps them by the connection's dialect, which each application has one of its own of.
    """

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get((type(key[0]), *key[1:]), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__((type(key[0]), *key[1:]), compiled)


STATEMENTS = Statements()


@contextmanager
def at_home(home: Path, **settings: object) -> Iterator[Flask]:
    """Run the application in a home, with some settings of ``Config`` and of the extensions replaced."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in where(home).items():
            environment.setenv(name, value)
        from app import create_app
        from app.extensions import db
        from config import Config

        config = Config()
        config.SQLALCHEMY_ENGINE_OPTIONS["execution_options"] = {"compiled_cache": STATEMENTS}
        for name, value in settings.items():
            setattr(config, name, value)
        app = create_app(config)
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


def copied(home: Path, other: Path) -> Path:
    """Copy a home that tests share: not what SQLite keeps beside its database while another process reads it."""
    return Path(shutil.copytree(home, other, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*-wal", "*-shm")))


def migrate(home: Path) -> None:
    """Make an empty database as the migrations do."""
    from app.services import installation, keys

    with at_home(home):
        installation.migrate()
        keys.prepare()


def start(home: Path, migrated: Path) -> None:
    """Make what is there after the first start, and a small data set in KU-HAR's layout: six recordings."""
    from app.har.recordings.reach import ANYWHERE
    from app.services import installation
    from app.services.datasets import library

    copied(migrated, home)
    with at_home(home):
        installation.prepare()
        library.add(SMALL, ku_har_zip(home / "small.zip", subjects=2, seconds=12.5), reach=ANYWHERE)


def add_other(home: Path, started: Path) -> None:
    """Make the same with a second data set of that kind: "other", of three people."""
    from app.har.recordings.reach import ANYWHERE
    from app.services.datasets import library

    copied(started, home)
    with at_home(home):
        library.add(OTHER, ku_har_zip(home / "other.zip", subjects=3, seconds=9.5), reach=ANYWHERE)


def finish_a_run(home: Path, started: Path) -> None:
    """Train one quick model on the embedded example, in a trainer and with plots; keep what was reported meanwhile."""
    from app.har.progress import Event
    from app.har.training.config import TrainConfig
    from app.services.models import training

    copied(started, home)
    events: list[Event] = []
    with at_home(home):
        run = training.train(EXAMPLE, TrainConfig(models=("random-forest",)), on_event=events.append)
        assert run.result, run.reason
        (home / "events.json").write_text(json.dumps(events))


DEPLOY = (
    f"train --dataset {EXAMPLE} --protocol random --models elm-gru-am,naive-bayes --seed 0 --epochs 1 --low-pass 8 "
    "--separate-gravity --gap 0.9 --rotation-augmentation --promote --json"
)


def deploy(home: Path, started: Path) -> None:
    """Train ELM-GRU-AM on the embedded example from a shell, with every option but plots; keep what was said."""
    copied(started, home)
    with at_home(home, TRAINING_PLOTS=False) as app:
        result = app.test_cli_runner().invoke(args=DEPLOY)
        assert result.exit_code == 0, result.stderr
    (home / "stdout").write_text(result.stdout, encoding="utf-8")
    (home / "stderr").write_text(result.stderr, encoding="utf-8")


def add_ku_har(home: Path, migrated: Path, archive: Path) -> None:
    """Add the real KU-HAR from a shell; keep what was said."""
    copied(migrated, home)
    with at_home(home) as app:
        result = app.test_cli_runner().invoke(args=["datasets", "add", "ku-har", str(archive), "--json"])
        assert result.exit_code == 0, result.stderr
    (home / "stdout").write_text(result.stdout, encoding="utf-8")


def copy_database(home: Path, other: Path) -> None:
    """Copy the database of a home, and what opens it, to where another has its own."""
    (other / DATABASE).parent.mkdir(parents=True, exist_ok=True)
    if postgresql.is_used():
        shutil.copy(home / postgresql.NOTE, other)
        shutil.copy((home / DATABASE).with_name("database_key"), other / DATABASE.parent)  # for the audit log's lines
        return
    for path in (home / DATABASE, (home / DATABASE).with_name("database_key")):
        shutil.copy(path, other / DATABASE.parent)


def put_database(home: Path, other: Path) -> None:
    """Put a copy of the database of a home in the place of another's, in one of which an application runs."""
    from app.extensions import db

    db.session.remove()
    db.engine.dispose()
    (other / "instance").mkdir(parents=True, exist_ok=True)
    for path in (home / "instance").glob("database_key"):
        shutil.copy(path, other / "instance")
    if postgresql.is_used():
        postgresql.put(home, other)
        return
    for path in (other / "instance").glob("kinelab.sqlite*"):
        path.unlink()
    shutil.copy(home / DATABASE, other / DATABASE)


def empty_log_of_database() -> None:
    """Let SQLite bring into the database's file what is in the one beside it."""
    from app.extensions import db

    if db.engine.dialect.name == "sqlite":
        db.session.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


@contextmanager
def reading(home: Path, key: str = KEY) -> Iterator[Connection]:
    """Read the database of a home in which no application of this process need run."""
    from app.services import database, keys  # noqa: F401  by which keys are found

    if postgresql.is_used():
        with postgresql.reading(home) as connection:
            yield connection
        return
    reader = Flask("reader")
    reader.config.update(ENCRYPTION_KEY=key)
    with reader.app_context():
        engine = create_engine("sqlite://", creator=partial(database.connect, home / DATABASE), poolclass=NullPool)
        with engine.connect() as connection:
            yield connection


@contextmanager
def writing_elsewhere() -> Iterator[PoolProxiedConnection]:
    """Write to the current application's database as another program, until its connection is rolled back."""
    from app.extensions import db
    from app.services import transaction

    with db.engine.connect() as connection:
        assert transaction._taken(connection, 60)
        yield connection.connection
        connection.connection.rollback()


def everything_in(connection: Connection) -> str:
    """Return all that is in a database."""
    metadata = MetaData()
    metadata.reflect(connection)
    ordered = [(table.name, select(table).order_by(*table.primary_key)) for table in metadata.sorted_tables]
    return repr([(name, *connection.execute(query).all()) for name, query in ordered])


def store(home: Path, dataset: str) -> Store:
    """Return the store of a home's data set."""
    from app.har.datasets.store import open_store

    with reading(home) as connection:
        folder = connection.scalar(text("SELECT folder FROM dataset WHERE name = :name"), {"name": dataset})
    return open_store(home / "instance" / "datasets" / str(folder))


def example(home: Path, dataset: str, model: str) -> Example:
    """Return a data set of a home and one of its reference models."""
    from tests.trained import Example

    return Example(store(home, dataset), home / "model_store" / model / "1")


def rewrite_json(column: InstrumentedAttribute[Any], change: Callable[[str], str]) -> None:
    """Change the text of the JSON in a column of all rows, as no program would write it."""
    from app.extensions import db

    table, name = column.class_.__tablename__, column.key
    value = "CAST(:value AS JSON)" if postgresql.is_used() else ":value"
    for number, before in db.session.execute(text(f"SELECT id, CAST({name} AS TEXT) FROM {table}")).all():  # noqa: S608
        statement = text(f"UPDATE {table} SET {name} = {value} WHERE id = :id")  # noqa: S608
        db.session.execute(statement, {"value": change(before), "id": number})
    db.session.commit()


def copy_rows(home: Path, table: Table, **values: object) -> None:
    """Copy the rows of a table that have these values from a home into the database of the current application."""
    from app.extensions import db
    from app.services import postgresql as rows_of_server

    with reading(home) as connection:
        rows = connection.execute(select(table).filter_by(**values)).mappings().all()
    assert rows, f"no row of {table} has {values}"
    db.session.execute(insert(table), [dict(row) for row in rows])
    if postgresql.is_used():
        rows_of_server.renumber(db.session.connection(), table)
    db.session.commit()


def copy_dataset(home: Path, name: str, app: Flask) -> None:
    """Copy a data set from a home into an application's."""
    from app.extensions import db
    from app.services.datasets import library
    from app.tables import Dataset

    copy_rows(home, db.metadata.tables[Dataset.__tablename__], name=name)
    folder = library.store_folder(library.get(name))
    shutil.copytree(home / folder.relative_to(app.config["HAR_HOME"]), folder)


def copy_run(home: Path, run_id: int) -> None:
    """Copy a training run from a home into an application's, which has its data set."""
    from app.extensions import db
    from app.services.models import runs
    from app.tables import TrainingRun

    copy_rows(home, db.metadata.tables[TrainingRun.__tablename__], id=run_id)
    folder = runs.folder(run_id)
    shutil.copytree(home / "instance" / "runs" / str(run_id), folder)


def copy_models(home: Path, name: str, app: Flask) -> None:
    """Copy the versions of a model from a home into an application's, which has the runs that made them."""
    from app.extensions import db
    from app.tables import ModelVersion

    copy_rows(home, db.metadata.tables[ModelVersion.__tablename__], name=name)
    shutil.copytree(home / "model_store" / name, Path(app.config["MODEL_STORE"]) / name)
