"""With an account goes everything that is its owner's: a new table must say what becomes of its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import JSON, Boolean, Column, Enum, Float, Integer, LargeBinary, delete, func, insert, select

from app.extensions import db
from app.services import postgresql as rows_of_server
from app.services.identity import deletion
from app.services.personal import corrections, view
from app.services.recordings import pending, recordings
from app.services.recordings.pending import PendingUpload
from app.tables import ModelVersion, PersonKey, User
from app.tables._columns import UtcDateTime, now
from tests import postgresql
from tests.corrected import recorded
from tests.services.conftest import a_user

STAY = {  # without the account: what others use or must know, and models, which are of many people
    "bout_label", "consent", "dataset", "erasure", "failed_attempts", "installation_key", "model_version",
    "promotion", "retention", "site", "training_run",
}  # fmt: skip


def a_value(column: Column[Any]) -> Any:
    if isinstance(column.type, Enum):
        return column.type.enums[0]
    if isinstance(column.type, Boolean):
        return False
    if isinstance(column.type, LargeBinary):
        return b"x"
    if isinstance(column.type, JSON):
        return {"datasets": ["with their corrections"]}  # so that consents stay, without whose they were
    if isinstance(column.type, (Integer, Float)):
        return 1
    return now() if isinstance(column.type, UtcDateTime) else "00"


def a_row_in_each_table(user: User) -> None:
    """Fill each table with one row that refers to this account wherever it can."""
    ids: dict[str, Any] = {"user": user.id}
    for table in db.metadata.sorted_tables:
        if table.name == "user":
            continue
        values = {
            column.name: ids[next(iter(column.foreign_keys)).column.table.name]
            if column.foreign_keys
            else a_value(column)
            for column in table.columns
            if not (column.primary_key and isinstance(column.type, Integer))
        }
        key = db.session.execute(insert(table).values(values)).inserted_primary_key
        assert key is not None
        ids[table.name] = key[0]
    db.session.commit()


def test_no_row_of_an_account_stays_in_any_table(app: Flask) -> None:
    chief = a_user("chief", role="admin")
    user = a_user("ursula")
    db.session.execute(delete(PersonKey))  # each has one already
    if postgresql.is_used():  # the row 1 of this table brought its number
        rows_of_server.renumber(db.session.connection(), db.metadata.tables["installation_key"])
    a_row_in_each_table(user)
    deletion.delete_other(chief.id, user.id)
    for table in db.metadata.sorted_tables:
        if table.name != "user":
            there = db.session.scalar(select(func.count()).select_from(table))
            assert bool(there) == (table.name in STAY), f"what becomes of {table.name} when an account is deleted?"
        for column in table.columns:
            of_user = column.name in {"user_id", "caregiver_id", "who_id"} or column.name.endswith("_by_id")
            refers = any(key.column.table.name == "user" for key in column.foreign_keys)
            assert of_user == refers, f"{table.name}.{column.name} is of an account, and must refer to it"
            if refers:
                assert set(db.session.scalars(select(column))) <= {None, chief.id}


def test_no_file_of_an_account_stays(app: Flask, user: User, model: ModelVersion, tmp_path: Path) -> None:
    own = recorded(app, user.id, model)
    stored = recordings.result_of(own)
    corrections.add(user.id, own.recording, stored, [(0, 0.0, 15.0, stored.activities[1])])
    assert view.view_of(own).result.personal_windows
    for refused in (True, False):
        (folder := tmp_path / f"upload {refused}").mkdir()
        (folder / "source").write_bytes(b"rows")
        pending.keep(PendingUpload(f"{refused:032x}", user.id, "a.csv", None, 2e9, refused=refused), folder)
    uploads = Path(app.config["UPLOADS"])
    assert len(list(uploads.iterdir())) == 4
    deletion.delete_other(a_user("chief", role="admin").id, user.id)
    assert list(uploads.iterdir()) == []
