"""names, notes and dates of recordings, and uploads that are being read or could not be

Revision ID: 0013
Revises: 0012
Create Date: 2026-11-28 12:30:00

"""
import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

COLUMNS = ("title", "notes", "recorded", "fingerprint")


# Not in a batch: SQLite would copy the table, and dropping the old one takes the rows that refer to it along.
def upgrade():
    op.add_column("recording", sa.Column("title", sa.String(120), nullable=False, server_default=""))
    op.add_column("recording", sa.Column("notes", sa.Text(), nullable=False, server_default=""))
    op.add_column("recording", sa.Column("recorded", sa.DateTime(timezone=True), nullable=True))
    op.add_column("recording", sa.Column("fingerprint", sa.String(64), nullable=True))
    op.create_table(
        "upload_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_upload_attempt_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload_attempt")),
    )
    op.create_index(op.f("ix_upload_attempt_user_id"), "upload_attempt", ["user_id"])


def downgrade():
    op.drop_table("upload_attempt")
    for column in reversed(COLUMNS):
        op.drop_column("recording", column)
