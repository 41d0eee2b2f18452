"""subscriptions: programs that are told of events, also that somebody was erased

Revision ID: 0023
Revises: 0022
Create Date: 2026-11-29 10:45:00

"""
import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("notice_target") as batch_op:
        batch_op.alter_column("user_id", existing_type=sa.Integer(), nullable=True)
        batch_op.add_column(sa.Column("events", sa.String(length=200), server_default="", nullable=False))
    with op.batch_alter_table("notice") as batch_op:
        batch_op.add_column(sa.Column("event", sa.String(length=20), server_default="", nullable=False))
        batch_op.add_column(sa.Column("facts", sa.JSON(), server_default="{}", nullable=False))


def downgrade():
    connection = op.get_bind()
    connection.exec_driver_sql("DELETE FROM notice WHERE target_id IN (SELECT id FROM notice_target WHERE events != '')")
    connection.exec_driver_sql("DELETE FROM notice_target WHERE events != ''")
    with op.batch_alter_table("notice") as batch_op:
        batch_op.drop_column("facts")
        batch_op.drop_column("event")
    with op.batch_alter_table("notice_target") as batch_op:
        batch_op.drop_column("events")
        batch_op.alter_column("user_id", existing_type=sa.Integer(), nullable=False)
