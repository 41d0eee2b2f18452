"""What an installation needs before it can be used: its tables, and on a first start the embedded example."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from contextlib import closing
from pathlib import Path

from filelock import FileLock
from flask import Flask, current_app
from sqlalchemy import inspect, text

from app.extensions import db
from app.services import audit, database, keys, leftovers, postgresql, sealing_stored
from app.services.backups import moment, rows
from app.services.cohorts import cohorts
from app.services.datasets import library
from app.services.errors import Conflict
from app.services.models import reference_models, runs, training
from app.services.personal import head_files, taken_back
from app.services.privacy import erasing
from app.services.recordings import pending, recordings

log = logging.getLogger(__name__)


def bind_alembic(app: Flask) -> None:
    """Make the migration tools known to an application; loading them takes a sixth of a server's start."""
    from flask_migrate import Migrate

    Migrate(app, db, directory=str(app.config["MIGRATIONS"]))


def prepare() -> None:
    """Make a server's start: prepare its home, and tidy up after one that died."""
    _keep_private()
    moment.sweep()
    prepare_home()
    with preparing():  # by which a command takes over reference models, too
        training.mark_interrupted()
    erasing.resume()  # before anything that was theirs is taken for somebody's only copy
    library.sweep_leftovers()
    recordings.remove_orphans()
    recordings.renew_summaries()
    recordings.date_earlier()
    head_files.sweep()
    pending.remove_confirmed()
    pending.sweep()
    leftovers.sweep(_roots())
    if sealing_stored.has_plain():
        log.warning("An earlier build left files about people plain. Stop the server and run: flask keys seal")
    audit.forget_old()
    taken_back.begin()


def _roots() -> tuple[Path, ...]:
    """Return the folders in which others are made and deleted."""
    config = current_app.config
    instance = config["INSTANCE"]
    inside = library.root(), runs.root(), cohorts.root(), instance / "federation"
    return config["UPLOADS"], config["MODEL_STORE"], instance, *inside


def _keep_private() -> None:
    """Take other accounts' rights to what is stored; earlier builds left some of it to the system's usual ones."""
    for top in (current_app.config[name] for name in ("INSTANCE", "UPLOADS", "MODEL_STORE")):
        for folder, _, names in os.walk(top):  # does not follow links
            for path in (Path(folder), *(Path(folder, name) for name in names)):
                try:
                    mode = path.lstat().st_mode
                    if mode & 0o077 and not stat.S_ISLNK(mode):
                        path.chmod(mode & 0o700)
                except OSError as error:
                    log.warning("the rights to %s cannot be set: %s", path, error)


def prepare_home() -> None:
    """Make a home fit for use: migrate, add the embedded example and the reference models.

    It costs milliseconds where all of that is there, and touches nothing that a server in the same home has begun.
    """
    with preparing():
        database.sweep()
        _migrate()
        keys.prepare()
        audit.seal_all()
        library.ensure_embedded_example()
        reference_models.add_new()


def migrate() -> None:
    """Bring the database up to date."""
    with preparing():
        _migrate()


def preparing() -> FileLock:
    """Return the lock by which servers and commands that start together take turns."""
    return FileLock(Path(current_app.config["INSTANCE"]) / "preparation.lock")


def move_to_server() -> int:
    """Take everything along from the home's own database to the server's that DATABASE_URL names; return its rows.

    Nobody else uses it meanwhile. Once begun, the next start goes on with it where this is killed.

    Raises
    ------
    Conflict : there is nothing to take along, or the server's database is not empty; nothing was changed.
    """
    if not postgresql.is_used():
        raise Conflict("DATABASE_URL names no database of PostgreSQL.")
    file, folder = database.home_file(), rows.incoming()
    with preparing():
        if not (folder / database.NAME).exists():
            if not file.exists():
                raise Conflict(f"There is no database in {file.parent}. Nothing was changed.")
            if revision() is not None:
                raise Conflict("The server's database holds something already. Nothing was changed.")
            postgresql.require_rights()
            with closing(database.connect(file, isolation_level=None)) as connection:
                database.take_alone(connection)
            folder.mkdir(mode=0o700, exist_ok=True)
            if (key := file.with_name(database.KEY_FILE)).exists():
                shutil.copy(key, folder)
            file.rename(folder / database.NAME)
        _migrate()
    return rows.number()


def _migrate() -> None:
    if postgresql.is_used():
        rows.load(_bring_up_to_date)
    _bring_up_to_date()


def _bring_up_to_date() -> None:
    keys.prepare_database()
    now_at = revision()
    if now_at == latest_revision():
        return
    refuse_newer(now_at)
    if postgresql.is_used():
        postgresql.require_rights()
        if now_at is None and not rows.incoming().exists():
            _refuse_lost()
    logging.getLogger("alembic").setLevel(logging.WARNING)  # already its import has something to say
    from flask_migrate import upgrade

    bind_alembic(current_app)
    upgrade()


def _refuse_lost() -> None:
    """Refuse an empty database where files tell of another one: at the end of a start they would be nobody's, and go.

    Raises
    ------
    Conflict : nothing was changed.
    """
    if database.home_file().exists():
        raise Conflict(
            f"DATABASE_URL names an empty database, and {database.home_file()} holds what there was so far. To take it "
            "along, stop the server and run: flask move"
        )
    if any(folder.is_dir() and any(folder.iterdir()) for folder in (current_app.config["UPLOADS"], library.root())):
        raise Conflict(
            f"DATABASE_URL names an empty database, and {current_app.config['HAR_HOME']} holds recordings or data sets "
            "of another. Nothing was changed. Name that one, or choose an empty HAR_HOME."
        )


def revision() -> str | None:
    """Return the revision the database is at, without loading Alembic."""
    if not inspect(db.engine).has_table("alembic_version"):
        return None
    with db.engine.connect() as connection:
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def latest_revision() -> str:
    """Return the last of the migrations: their file names begin with the revision, numbered in order."""
    return max(_revisions())


def _revisions() -> set[str]:
    return {path.name.split("_")[0] for path in Path(current_app.config["MIGRATIONS"]).glob("versions/*.py")}


def refuse_newer(found: str | None) -> None:
    """Refuse a database of a revision that this program does not know.

    Raises
    ------
    Conflict : it is a newer program's; nothing was changed.
    """
    if found is not None and found not in _revisions():
        raise Conflict(
            f"The database was made by a newer Kinelab: it is at revision {found}, and this program knows those up to "
            f"{latest_revision()}. Nothing was changed. Start the newer program, or restore a backup that was made "
            "before the upgrade."
        )
