"""What is deleted from the database is no longer in its file."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from app.services import accounts, database_changing
from app.services.transaction import transaction
from tests.conftest import PASSWORD


@pytest.mark.sqlite("is a file in which is looked")
def test_a_deleted_row_is_overwritten_in_a_plain_database_too(app: Flask) -> None:
    database_changing.change(False)
    secret = "17 Unmistakable Lane, Nowhere-on-Sea"
    user = accounts.register("ada", PASSWORD, "", "ada@example.org", secret)
    file = Path(app.config["INSTANCE"]) / "kinelab.sqlite"
    db.session.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    assert secret.encode() in file.read_bytes()
    with transaction() as session:
        session.delete(user)
    db.session.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    assert secret.encode() not in file.read_bytes()
    assert secret.encode() not in file.with_name("kinelab.sqlite-wal").read_bytes()
