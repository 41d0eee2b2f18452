"""How Alembic finds the tables and the database: both come from the running application."""

from contextlib import contextmanager

from alembic import context
from flask import current_app
from sqlalchemy import event

from app.services import keys
from app.tables._columns import UtcDateTime

migrate = current_app.extensions["migrate"]


def render_item(kind, item, autogen_context):
    """Write our date-time type as plain SQLAlchemy, so that migrations outlive our own code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def run_migrations() -> None:
    keys.prepare_database()  # of a home that ``flask db upgrade`` makes
    options = {"render_as_batch": True, "render_item": render_item, **migrate.configure_args}
    with migrate.db.engine.connect() as connection, as_one_step(connection):
        # PostgreSQL knows a new value of a type only after the transaction that adds it (0019)
        options["transaction_per_migration"] = connection.dialect.name == "postgresql"
        context.configure(connection=connection, target_metadata=migrate.db.metadata, **options)
        with context.begin_transaction():
            context.run_migrations()


@contextmanager
def as_one_step(connection):
    """Let SQLite make each migration as a whole or not at all, and drop a table without what refers to it.

    Python begins a transaction at the first row that is written, after tables were made and dropped. Foreign keys can
    be switched off only before one begins.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    database = connection.connection.driver_connection
    database.execute("PRAGMA foreign_keys=OFF")
    event.listen(connection, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        yield
    finally:
        connection.rollback()  # of what failed; what did not is committed
        database.execute("PRAGMA foreign_keys=ON")


run_migrations()
