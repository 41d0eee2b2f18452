"""How Alembic finds the tables and the database: both come from the running application."""

from alembic import context
from flask import current_app

from app.tables._columns import UtcDateTime

migrate = current_app.extensions["migrate"]


def render_item(kind, item, autogen_context):
    """Write our date-time type as plain SQLAlchemy, so that migrations outlive our own code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def run_migrations() -> None:
    options = {"render_as_batch": True, "render_item": render_item, **migrate.configure_args}
    with migrate.db.engine.connect() as connection:
        context.configure(connection=connection, target_metadata=migrate.db.metadata, **options)
        with context.begin_transaction():
            context.run_migrations()


run_migrations()
