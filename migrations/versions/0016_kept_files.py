"""files of uploads that could not be read

Revision ID: 0016
Revises: 0015
Create Date: 2026-11-28 16:00:00

"""
import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("upload_attempt", sa.Column("file_token", sa.String(length=32), nullable=True))


def downgrade():
    op.drop_column("upload_attempt", "file_token")
