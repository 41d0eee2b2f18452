"""live sessions and alarms

Revision ID: 0019
Revises: 0018
Create Date: 2026-11-28 21:42:00

"""
import sqlalchemy as sa
from alembic import op

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None

ROLES = sa.Enum('ADMIN', 'USER', name='role')


def upgrade():
    op.create_table('alarm_rule',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('switched_on', sa.Boolean(), nullable=False),
    sa.Column('settings', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_alarm_rule_user_id_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alarm_rule')),
    sa.UniqueConstraint('user_id', 'kind', name='uq_alarm_rule_user_id_kind')
    )
    with op.batch_alter_table('alarm_rule', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_alarm_rule_user_id'), ['user_id'], unique=False)

    op.create_table('care_consent',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('caregiver_id', sa.Integer(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('given', sa.DateTime(timezone=True), nullable=False),
    sa.Column('withdrawn', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['caregiver_id'], ['user.id'], name=op.f('fk_care_consent_caregiver_id_user'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_care_consent_user_id_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_care_consent'))
    )
    with op.batch_alter_table('care_consent', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_care_consent_caregiver_id'), ['caregiver_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_care_consent_user_id'), ['user_id'], unique=False)
        batch_op.create_index('uq_care_consent_live', ['user_id', 'caregiver_id'], unique=True, sqlite_where=sa.text('withdrawn IS NULL'), postgresql_where=sa.text('withdrawn IS NULL'))

    op.create_table('device',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('place', sa.String(length=20), nullable=False),
    sa.Column('keeps', sa.Boolean(), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_heard', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_device_user_id_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_device')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_device_token_hash')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('device', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_device_user_id'), ['user_id'], unique=False)

    op.create_table('notice_target',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('channel', sa.String(length=10), nullable=False),
    sa.Column('address', sa.JSON(), nullable=False),
    sa.Column('switched_on', sa.Boolean(), nullable=False),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_sent', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_notice_target_user_id_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notice_target'))
    )
    with op.batch_alter_table('notice_target', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_notice_target_user_id'), ['user_id'], unique=False)

    op.create_table('live_session',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('device_id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('folder', sa.String(length=64), nullable=False),
    sa.Column('keeps', sa.Boolean(), nullable=False),
    sa.Column('started', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_heard', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended', sa.DateTime(timezone=True), nullable=True),
    sa.Column('end_reason', sa.String(length=80), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('recording_id', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['device_id'], ['device.id'], name=op.f('fk_live_session_device_id_device'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['recording_id'], ['recording.id'], name=op.f('fk_live_session_recording_id_recording'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_live_session_user_id_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_live_session')),
    sa.UniqueConstraint('device_id', 'key', name='uq_live_session_device_id_key'),
    sa.UniqueConstraint('folder', name=op.f('uq_live_session_folder')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('live_session', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_live_session_device_id'), ['device_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_live_session_user_id'), ['user_id'], unique=False)

    op.create_table('alarm',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('session_id', sa.Integer(), nullable=True),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False),
    sa.Column('due', sa.DateTime(timezone=True), nullable=True),
    sa.Column('times', sa.Integer(), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('verdict', sa.String(length=10), nullable=False),
    sa.ForeignKeyConstraint(['session_id'], ['live_session.id'], name=op.f('fk_alarm_session_id_live_session'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_alarm_user_id_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alarm')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('alarm', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_alarm_due'), ['due'], unique=False)
        batch_op.create_index(batch_op.f('ix_alarm_user_id'), ['user_id'], unique=False)
        batch_op.create_index('uq_alarm_live', ['user_id', 'kind'], unique=True, sqlite_where=sa.text("state != 'closed'"), postgresql_where=sa.text("state != 'closed'"))

    op.create_table('alarm_step',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('alarm_id', sa.Integer(), nullable=False),
    sa.Column('before', sa.String(length=20), nullable=False),
    sa.Column('after', sa.String(length=20), nullable=False),
    sa.Column('who_id', sa.Integer(), nullable=True),
    sa.Column('why', sa.String(length=200), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['alarm_id'], ['alarm.id'], name=op.f('fk_alarm_step_alarm_id_alarm'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['who_id'], ['user.id'], name=op.f('fk_alarm_step_who_id_user'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alarm_step'))
    )
    with op.batch_alter_table('alarm_step', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_alarm_step_alarm_id'), ['alarm_id'], unique=False)

    op.create_table('notice',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('target_id', sa.Integer(), nullable=False),
    sa.Column('step_id', sa.Integer(), nullable=True),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('due', sa.DateTime(timezone=True), nullable=True),
    sa.Column('claimed', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.String(length=200), nullable=False),
    sa.Column('about', sa.String(length=64), nullable=False),
    sa.Column('created', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['step_id'], ['alarm_step.id'], name=op.f('fk_notice_step_id_alarm_step'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['target_id'], ['notice_target.id'], name=op.f('fk_notice_target_id_notice_target'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notice')),
    sa.UniqueConstraint('step_id', 'target_id', name='uq_notice_step_id_target_id')
    )
    with op.batch_alter_table('notice', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_notice_due'), ['due'], unique=False)
        batch_op.create_index(batch_op.f('ix_notice_target_id'), ['target_id'], unique=False)

    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TYPE role ADD VALUE IF NOT EXISTS 'CAREGIVER'")
    else:
        with op.batch_alter_table("user", schema=None) as batch_op:
            batch_op.alter_column("role", existing_type=ROLES, type_=sa.Enum(*ROLES.enums, "CAREGIVER", name="role"))



def downgrade():
    op.execute("UPDATE \"user\" SET role = 'USER', disabled = true WHERE role = 'CAREGIVER'")  # nobody else may see more
    if op.get_bind().dialect.name != "postgresql":  # which never takes a value out of a type
        with op.batch_alter_table("user", schema=None) as batch_op:
            batch_op.alter_column("role", existing_type=sa.Enum(*ROLES.enums, "CAREGIVER", name="role"), type_=ROLES)

    with op.batch_alter_table('notice', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_notice_target_id'))
        batch_op.drop_index(batch_op.f('ix_notice_due'))

    op.drop_table('notice')
    with op.batch_alter_table('alarm_step', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_alarm_step_alarm_id'))

    op.drop_table('alarm_step')
    with op.batch_alter_table('alarm', schema=None) as batch_op:
        batch_op.drop_index('uq_alarm_live', sqlite_where=sa.text("state != 'closed'"), postgresql_where=sa.text("state != 'closed'"))
        batch_op.drop_index(batch_op.f('ix_alarm_user_id'))
        batch_op.drop_index(batch_op.f('ix_alarm_due'))

    op.drop_table('alarm')
    with op.batch_alter_table('live_session', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_live_session_user_id'))
        batch_op.drop_index(batch_op.f('ix_live_session_device_id'))

    op.drop_table('live_session')
    with op.batch_alter_table('notice_target', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_notice_target_user_id'))

    op.drop_table('notice_target')
    with op.batch_alter_table('device', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_device_user_id'))

    op.drop_table('device')
    with op.batch_alter_table('care_consent', schema=None) as batch_op:
        batch_op.drop_index('uq_care_consent_live', sqlite_where=sa.text('withdrawn IS NULL'), postgresql_where=sa.text('withdrawn IS NULL'))
        batch_op.drop_index(batch_op.f('ix_care_consent_user_id'))
        batch_op.drop_index(batch_op.f('ix_care_consent_caregiver_id'))

    op.drop_table('care_consent')
    with op.batch_alter_table('alarm_rule', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_alarm_rule_user_id'))

    op.drop_table('alarm_rule')
