"""Changes of the database, killed before each of their steps: ``python -m tests.services.killed_databases HOME``.

``… HOME 20`` kills twenty of each at random moments instead.

It prints, a line a try, which way it went, before what it was killed, and what was there afterwards.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.extensions import db
from app.services import accounts, audit, database, database_changing, installation, keys
from app.services.audit_lines import is_sealed
from app.tables import user as user_table
from tests import homes
from tests.services.killed_backups import forked

STEPS: dict[str, tuple[object, str]] = {
    "alone": (database, "take_alone"),
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
    with db.engine.connect() as connection:
        return homes.everything_in(connection)


def killed_at(after_s: float, encrypted: bool) -> int:
    """Change the database, and be killed at some moment; return the status."""
    child = forked(lambda: database_changing.change(encrypted))
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def came_of(home: Path, before: str, encrypted: bool) -> str:
    """Return which way a change went that was killed, and whether all is whole; let it be as it was before."""
    there = (database.key_of(database.home_file()) is not None) == encrypted
    same = rows() == before
    with installation.preparing():  # the next start
        database.sweep()
        audit.seal_all()
    instance = home / "instance"
    wrong = {
        "rows": not same,
        "journal": [
            path for path in instance.glob("*-journal") if path.read_bytes()[:1].strip(b"\0")
        ],  # of what is undone
        "form of the log": any(is_sealed(path) is not (database.kind() == "encrypted") for path in audit.files()),
        "chain": audit.verify().broken,
        "drafts": [*instance.glob(".draft-kinelab*"), *audit.folder().glob(".draft-*")],
    }
    broken = ", ".join(name for name, found in wrong.items() if found)
    if there:
        database_changing.change(not encrypted)
    return f"{'changed' if there else 'untouched'} {broken or 'whole'}"


def main(home: Path, at_random: int = 0) -> None:
    """Try every step both ways, or some moments."""
    user_table.PASSWORD_METHOD = "scrypt:1024:8:1"
    os.fsync = lambda descriptor: None  # for which a power cut would matter
    with homes.at_home(home):
        installation.migrate()
        keys.prepare()
        for name in ("ada", "bob"):
            accounts.register(name, "correct horse battery", "", f"{name}@example.org", "")
        database_changing.change(False)
        for encrypted in (True, False):
            before, way = rows(), "encrypt" if encrypted else "decrypt"
            for tried in [] if at_random else TRIES[encrypted]:
                step, _, nth = tried.partition(" ") if tried not in STEPS else (tried, "", "1")
                status = killed_before(step, int(nth), encrypted)
                print(f"{way} {tried}:", "killed" if status else "done", came_of(home, before, encrypted))
            started = time.monotonic()
            database_changing.change(encrypted)
            took_s = time.monotonic() - started
            for number in range(at_random):
                if number == 0:
                    database_changing.change(not encrypted)
                after_s = random.Random(number).uniform(0, 1.3 * took_s)
                status = killed_at(after_s, encrypted)
                said = came_of(home, before, encrypted)
                print(f"{way} after {1000 * after_s:.0f} ms:", "killed" if status else "done", said, flush=True)
            if at_random:
                database_changing.change(encrypted)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
