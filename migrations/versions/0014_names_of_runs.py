"""names and notes of training runs

Revision ID: 0014
Revises: 0013
Create Date: 2026-11-28 13:10:00

"""
import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


# Not in a batch: SQLite would copy the table, and dropping the old one takes the rows that refer to it along.
def upgrade():
    op.add_column("training_run", sa.Column("name", sa.String(length=80), nullable=False, server_default=""))
    op.add_column("training_run", sa.Column("notes", sa.Text(), nullable=False, server_default=""))


def downgrade():
    op.drop_column("training_run", "notes")
    op.drop_column("training_run", "name")
