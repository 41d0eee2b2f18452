"""where the devices of a data set were worn

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-28 09:10:00

"""
import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


# Not in a batch: SQLite would copy the table, and dropping the old one takes the rows that refer to it along.
def upgrade():
    op.add_column("dataset", sa.Column("places", sa.JSON(), nullable=False, server_default="{}"))


def downgrade():
    op.drop_column("dataset", "places")
