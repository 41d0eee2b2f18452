"""What child processes get of the environment: everything but secrets, which none of them needs."""

from __future__ import annotations

import os

SECRETS = {  # `config.py` reads them
    "BACKUP_KEY_FILE",
    "DATABASE_URL",
    "ENCRYPTION_KEY",
    "ENCRYPTION_KEY_FILE",
    "ENCRYPTION_PASSPHRASE",
    "METRICS_TOKEN",
    "OIDC_CLIENT_SECRET",
    "OIDC_CLIENT_SECRET_FILE",
    "SECRET_KEY",
    "SMTP_PASSWORD",
}


def without_secrets(**more: str) -> dict[str, str]:
    """Return the environment of a child, with what it is told besides."""
    environment = dict(os.environ)
    for name in SECRETS:
        environment.pop(name, None)
    return environment | more
