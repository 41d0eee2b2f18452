"""that people were erased, numbers of accounts that are never given again, consents by purpose, retention

Revision ID: 0020
Revises: 0019
Create Date: 2026-11-29 03:50:00

"""
import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "erasure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("erased", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("looked_again", sa.DateTime(timezone=True), nullable=True),
        sa.Column("left", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
        sa.UniqueConstraint("token", name=op.f("uq_erasure_token")),
    )
    op.create_table(
        "retention",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_retention")),
    )
    with op.batch_alter_table("consent") as batch_op:
        batch_op.add_column(sa.Column("purpose", sa.String(length=20), server_default="training", nullable=False))
    # What people have agreed to by use stays as it is: version 0, before there were texts
    connection = op.get_bind()
    agreed = (
        "INSERT INTO consent (user_id, version, pseudonym, given, withdrawn, copies, purpose) "
        "SELECT id, 0, '', created, NULL, '{}', '%s' FROM \"user\" WHERE role != 'CAREGIVER'%s"
    )
    connection.exec_driver_sql(agreed % ("recognition", ""))
    keeping = " AND id IN (SELECT user_id FROM device WHERE keeps)"
    connection.exec_driver_sql(agreed % ("live recording", keeping))
    rebuild_users(autoincrement=True)


def downgrade():
    rebuild_users(autoincrement=False)
    op.get_bind().exec_driver_sql("DELETE FROM consent WHERE purpose != 'training'")
    with op.batch_alter_table("consent") as batch_op:
        batch_op.drop_column("purpose")
    op.drop_table("retention")
    op.drop_table("erasure")


def rebuild_users(autoincrement: bool) -> None:
    """Copy the table into a new one of the other kind, as 0018 does; other databases never give a number again."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    if connection.exec_driver_sql("PRAGMA foreign_keys").scalar():
        raise RuntimeError("foreign keys are on: rows that refer to others would be deleted; see migrations/env.py")
    with op.batch_alter_table("user", recreate="always", table_kwargs={"sqlite_autoincrement": autoincrement}):
        pass
