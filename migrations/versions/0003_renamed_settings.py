"""rotation_augmentation, which was any_way_round, in what was asked of trainings and what came of them

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-28 01:40:00

"""
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OLD, NEW = "any_way_round", "rotation_augmentation"


def upgrade():
    _rename(OLD, NEW)


def downgrade():
    _rename(NEW, OLD)


def _rename(old, new):
    run = sa.table("training_run", sa.column("id"), sa.column("config", sa.JSON), sa.column("result", sa.JSON))
    connection = op.get_bind()
    for id_, config, result in connection.execute(sa.select(run.c.id, run.c.config, run.c.result)).all():
        for settings in (config, result.get("config", {})):
            if old in settings:
                settings[new] = settings.pop(old)
        connection.execute(run.update().where(run.c.id == id_).values(config=config, result=result))
