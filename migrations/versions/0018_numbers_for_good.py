"""numbers of training runs, recordings and predictions that are never given again

Revision ID: 0018
Revises: 0017
Create Date: 2026-11-28 16:30:00

"""
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLES = ("training_run", "recording", "prediction")


def upgrade():
    rebuild(autoincrement=True)


def downgrade():
    rebuild(autoincrement=False)


def rebuild(autoincrement: bool) -> None:
    """Copy the tables into new ones of the other kind; other databases never give a number again anyway.

    With foreign keys on, dropping an old table would take the rows that refer to it along.
    """
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    if connection.exec_driver_sql("PRAGMA foreign_keys").scalar():
        raise RuntimeError("foreign keys are on: rows that refer to others would be deleted; see migrations/env.py")
    before = astray(connection)
    for table in TABLES:
        with op.batch_alter_table(
            table, recreate="always", table_kwargs={"sqlite_autoincrement": autoincrement}
        ):
            pass
    if astray(connection) != before:
        raise RuntimeError("rows refer to others that are not there any more; nothing was changed")


def astray(connection):
    """Return the rows that refer to others that are not there."""
    return sorted(map(tuple, connection.exec_driver_sql("PRAGMA foreign_key_check")))
