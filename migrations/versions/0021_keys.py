"""keys of the installation and of people

Revision ID: 0021
Revises: 0020
Create Date: 2026-11-29 03:30:00

"""
import sqlalchemy as sa
from alembic import op

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('installation_key',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('fingerprint', sa.String(length=16), nullable=False),
    sa.Column('salt', sa.LargeBinary(), nullable=True),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_installation_key'))
    )
    op.create_table('person_key',
    sa.Column('name', sa.String(length=32), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('wrapped', sa.LargeBinary(), nullable=False),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_person_key_user_id_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_person_key')),
    sa.UniqueConstraint('user_id', name=op.f('uq_person_key_user_id'))
    )


def downgrade():
    op.drop_table('person_key')
    op.drop_table('installation_key')
