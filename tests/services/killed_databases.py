"""Changes of the database, killed before each of their steps: ``python -m tests.services.killed_databases HOME``.

It prints, a line a try, which way it went, before what it was killed, and what was there afterwards.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from app.extensions import db
from app.services import accounts, audit, database, database_changing, installation, keys
from app.services.audit_lines import is_sealed
from app.tables import user as user_table
from tests import homes
from tests.services.killed_backups import forked

STEPS: dict[str, tuple[object, str]] = {
    "alone": (database_changing, "_take_alone"),
    "key": (database, "new_key"),
    "key written": (database, "sync_folder"),
    "export": (database_changing, "_export"),
    "compare": (database_changing, "_compare"),
    "sync": (database_changing, "_sync"),
    "rename": (Path, "replace"),
    "unlink": (Path, "unlink"),
    "said": (database_changing.audit, "record"),
}
TRIES = {
    True: ["alone", "key", "rename 1", "key written", "export", "compare", "sync", "rename 2", "rename 3", "said"],
    False: ["alone", "export", "compare", "sync", "rename 1", "rename 3", "key written", "unlink", "said"],
}


def killed_before(step: str, nth: int, encrypted: bool) -> int:
    """Change the database, and end as by a kill before the nth call of a step; return the status."""

    def begin() -> None:
        owner, name = STEPS[step]
        real: Callable[..., Any] = getattr(owner, name)
        calls = 0

        def counted(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == nth:
                os._exit(137)
            return real(*arguments, **options)

        setattr(owner, name, counted)
        database_changing.change(encrypted)

    return os.waitpid(forked(begin), 0)[1]


def rows() -> str:
    """Return all that is in the database, but whether it is encrypted."""
    db.session.remove()
    db.engine.dispose()
    with closing(database.connect(database.home_file())) as connection:
        return homes.everything_in(connection)


def main(home: Path) -> None:
    """Try every step both ways."""
    user_table.PASSWORD_METHOD = "scrypt:1024:8:1"
    os.fsync = lambda descriptor: None  # for which a power cut would matter
    with homes.at_home(home):
        installation.migrate()
        keys.prepare()
        for name in ("ada", "bob"):
            accounts.register(name, "correct horse battery", "", f"{name}@example.org", "")
        database_changing.change(False)
        for encrypted in (True, False):
            before = rows()
            for tried in TRIES[encrypted]:
                step, _, nth = tried.partition(" ") if tried not in STEPS else (tried, "", "1")
                status = killed_before(step, int(nth), encrypted)
                there = (database.key_of(database.home_file()) is not None) == encrypted
                whole = rows() == before and not list((home / "instance").glob("kinelab.sqlite-journal"))
                with installation.preparing():  # the next start
                    database.sweep()
                    audit.seal_all()
                whole &= all(is_sealed(path) is (database.kind() == "encrypted") for path in audit.files())
                whole &= audit.verify().broken == []
                whole &= not list((home / "instance").glob(".draft-kinelab*"))
                print(
                    f"{'encrypt' if encrypted else 'decrypt'} {tried}:",
                    "killed" if status else "done",
                    "changed" if there else "untouched",
                    "whole" if whole else "BROKEN",
                )
                if there:
                    database_changing.change(not encrypted)
            database_changing.change(encrypted)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
