"""how sure an answer of a model must be, and where the device of a recording was worn

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-28 05:40:00

"""
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


# Not in batches: SQLite would copy the tables, and dropping the old ones takes the rows that refer to them along.
def upgrade():
    op.add_column("model_version", sa.Column("answer_limit", sa.Double(), nullable=True))
    op.add_column("recording", sa.Column("place", sa.String(length=20), nullable=True))


def downgrade():
    op.drop_column("recording", "place")
    op.drop_column("model_version", "answer_limit")
