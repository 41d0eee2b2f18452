"""Kinelab: human activity recognition in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask


def create_app(config: Any = None) -> Flask:
    """Build the application: each line is a chapter, and the order matters only where a comment says so."""
    from flask import Flask

    from app import cli

    if cli.only_help_is_asked():
        app = Flask(__name__)
        cli.register(app)
        return app
    from app import factory
    from config import Config

    config = config or Config()
    app = Flask(__name__, instance_path=str(config.INSTANCE))
    app.config.from_object(config)
    factory.configure_log()
    factory.configure_proxies(app)
    factory.configure_database(app)
    factory.configure_login(app)
    factory.configure_security(app)
    factory.configure_audit(app)
    factory.configure_live(app)
    factory.configure_templates(app)
    factory.register_blueprints(app)
    factory.register_error_pages(app)
    cli.register(app)
    return app
