"""how often a model version expects activities

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-28 09:30:00

"""
import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


# Not in a batch: SQLite would copy the table, and dropping the old one takes the rows that refer to it along.
def upgrade():
    op.add_column("model_version", sa.Column("prior", sa.JSON(), nullable=False, server_default="{}"))


def downgrade():
    op.drop_column("model_version", "prior")
