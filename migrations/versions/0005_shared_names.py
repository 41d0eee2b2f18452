"""what the activities of a data set are called in the shared vocabulary

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-28 06:00:00

"""
import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


# Not in a batch: SQLite would copy the table, and dropping the old one takes the rows that refer to it along.
def upgrade():
    op.add_column("dataset", sa.Column("vocabulary", sa.JSON(), nullable=False, server_default="{}"))


def downgrade():
    op.drop_column("dataset", "vocabulary")
