"""the age group of a person, for cut-points of intensity

Revision ID: 0025
Revises: 0024
Create Date: 2026-11-29 14:40:00

"""
import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


# Not in a batch: SQLite would copy the table, and dropping the old one takes the rows that refer to it along.
def upgrade():
    op.add_column("user", sa.Column("age_group", sa.String(length=20), nullable=False, server_default=""))


def downgrade():
    op.drop_column("user", "age_group")
