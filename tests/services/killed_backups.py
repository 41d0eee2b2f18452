"""Backups and restores that are killed: ``python -m tests.services.killed_backups FOLDER N``.

One process imports the program once, and forks for each try; it prints in how many of them something was left between.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.extensions import db
from app.services import accounts, installation, keys, leftovers
from app.services.backups import moment, restoring, sealed, swapping, writing
from app.tables import user as user_table
from tests import homes
from tests.services.test_backups import PASSPHRASE, add_recording, remove_recording


def fingerprint(home: Path) -> str:
    """Return one value for all rows and files that a backup brings back, besides the audit log's."""
    digest = hashlib.sha256()
    for passing in ("spare", moment.LAST):
        (home / "instance" / passing).unlink(missing_ok=True)
    for root in swapping.ROOTS:
        for path in sorted((home / root).rglob("*")):
            if path.suffix != ".lock" and "kinelab.sqlite" not in path.name and "audit" not in str(path):
                digest.update(str(path.relative_to(home)).encode())
                digest.update(path.read_bytes() if path.is_file() else b"")
    with db.engine.connect() as connection:
        digest.update(homes.everything_in(connection).encode())
    return digest.hexdigest()


def forked(work: Callable[[], object]) -> int:
    """Do something in a process of its own, which shares no connection; return its number."""
    db.session.remove()
    db.engine.dispose()
    if child := os.fork():
        return child
    try:
        work()
        os._exit(0)
    except BaseException as error:
        print("a try failed by itself:", repr(error), file=sys.stderr)
        os._exit(1)


def killed(work: Callable[[], object], after_s: float) -> int:
    """Kill something after a while; return its status, 0 where it was done before."""
    child = forked(work)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def killed_at_step(work: Callable[[], object], step: int) -> int:
    """End something before a step of it that changes a name."""

    def begin() -> None:
        left = step

        def counted(change: Callable[..., Any]) -> Callable[..., Any]:
            def wrapper(*arguments: Any, **options: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(137)
                return change(*arguments, **options)

            return wrapper

        for name in ("rename", "touch", "unlink"):
            setattr(Path, name, counted(getattr(Path, name)))
        work()

    return os.waitpid(forked(begin), 0)[1]


def start(home: Path) -> None:
    """Do what the next start does with what a process that died has left, a day later."""
    swapping.finish(home)
    moment.sweep()
    installation.migrate()
    leftovers.sweep(home / root for root in swapping.ROOTS)


def main(folder: Path, n: int) -> None:
    """Try everything in a home of its own."""
    sealed.MEMORY_KIB = 64
    leftovers.DRAFT_S = 0
    os.sync = lambda: None  # of the whole machine, for which a power cut would matter
    user_table.PASSWORD_METHOD = "scrypt:1024:8:1"
    home, target = folder / "home", folder / "site.backup"
    wrong, done, steps = 0, 0, 0
    with homes.at_home(home) as app:
        installation.migrate()
        keys.prepare()
        accounts.register("ada", "correct horse battery", "", "ada@example.org", "")
        for number in range(4):
            add_recording(app, 1, number, n_bytes=200_000)
        first = folder / "first.backup"
        writing.write(first, PASSPHRASE)
        began = time.monotonic()
        restoring.restore(first, PASSPHRASE, replace=True)
        restores_s = time.monotonic() - began
        old = fingerprint(home)
        remove_recording(app, 3)
        add_recording(app, 1, 99)
        began = time.monotonic()
        writing.write(target, PASSPHRASE)
        writes_s = time.monotonic() - began
        new = fingerprint(home)

        for _ in range(n):
            before = target.read_bytes()
            status = killed(lambda: writing.write(target, PASSPHRASE), 1.2 * writes_s * random.random())
            done += status == 0
            same = target.read_bytes() == before
            start(home)
            restoring.verify(target, PASSPHRASE)
            left = [*folder.glob(".*"), *(home / "instance").glob(".*")]
            wrong += bool(left) or (status == 0 and same) or fingerprint(home) != new
        for number in range(n):
            source = (first, target)[number % 2]
            status = killed(
                lambda source=source: restoring.restore(source, PASSPHRASE, replace=True),  # type: ignore[misc]
                1.2 * restores_s * random.random(),
            )
            done += status == 0
            start(home)
            wrong += fingerprint(home) not in (old, new) or bool(list(home.rglob(swapping.STAGED)))
        status = -1
        while status != 0:
            status = killed_at_step(lambda: restoring.restore(first, PASSPHRASE, replace=True), steps)
            start(home)
            db.engine.dispose()
            there = fingerprint(home)
            wrong += there not in (old, new) or (status == 0 and there != old) or bool(list(home.rglob(".restore")))
            if there == old:
                restoring.restore(target, PASSPHRASE, replace=True)
            steps += 1
            if steps > 200:
                raise RuntimeError("it never ends by itself")
    print(f"kills: {2 * n - done}, done before: {done}, steps: {steps}, wrong: {wrong}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
