"""Whether what must not stop half-way is finished or untouched when it is killed: twenty random moments of each.

python -m benchmarks.bench_kills [--kills 20] [--seed 0]; JSON on stdout. Keys are changed, the database is encrypted
and decrypted, a backup is written and restored, a person is erased: each in a process of its own that gets SIGKILL at a
moment between its begin and a fifth after it is usually done. Then the home is started, and all of it looked at.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.services import accounts, audit, database, database_changing, installation, keys, leftovers, sealing
from app.services.backups import moment, restoring, sealed, swapping, writing
from app.services.privacy import belongings, erasing, tombstones
from app.tables import PersonKey, User
from app.tables import user as user_table
from tests import homes
from tests.services import killed_databases
from tests.services.killed_backups import fingerprint, forked, killed
from tests.services.test_backups import PASSPHRASE, add_recording, remove_recording
from tests.services.test_erasing import furnish, traces

FINISHED, UNTOUCHED, BETWEEN = "finished", "untouched", "between"
LONGER = 1.2  # of what it takes when nobody kills it
PEOPLE = 300  # whose keys are wrapped
RECORDINGS = 60  # of a person who is erased
Work = Callable[[], object]


def start(home: Path) -> None:
    """Do what the next server does, to which nothing is known of the one before."""
    db.session.remove()
    db.engine.dispose()
    for known in (keys.KEYS, keys.NEW):
        current_app.extensions.pop(known, None)
    database.forget(database.home_file())
    swapping.finish(home)
    installation.prepare()


def took(work: Work) -> float:
    """Return how many seconds something takes in a process of its own that is not killed."""
    began = time.monotonic()
    if os.waitpid(forked(work), 0)[1]:
        raise RuntimeError("it fails without a kill")
    return time.monotonic() - began


def tried(n: int, chance: random.Random, usual_s: float, one: Callable[[float], tuple[int, str]]) -> dict[str, Any]:
    """Try one thing until it was killed at n moments; return what came of it.

    Parameters
    ----------
    usual_s : what it takes.
    one : kills it after so many seconds; returns its status, 0 where it was done before, and how it stands.
    """
    stands: Counter[str] = Counter()
    done = 0
    while sum(stands.values()) - done < n:
        after_s = chance.uniform(0, LONGER * usual_s)
        status, stand = one(after_s)
        stand = BETWEEN if status == 0 and stand == UNTOUCHED else stand
        if stand == BETWEEN:
            print(f"{one.__qualname__} after {1000 * after_s:.0f} ms, status {status}: {stand}", file=sys.stderr)
        stands[stand] += 1
        done += status == 0
    return {
        "kills": sum(stands.values()) - done, "done before": done,
        FINISHED: stands[FINISHED], UNTOUCHED: stands[UNTOUCHED], BETWEEN: stands[BETWEEN],
        "takes (ms)": round(1000 * usual_s),
    }  # fmt: skip


# --- what is killed


def rotation(home: Path, n: int, chance: random.Random) -> dict[str, Any]:
    """Change the installation's key, by which those of people and of the database are wrapped."""
    secrets = people_keys()

    def one(after_s: float) -> tuple[int, str]:
        before = keys.state().fingerprint
        status = killed(keys.rotate, after_s)
        start(home)
        now = keys.state()
        if now.unreadable or people_keys() != secrets or database.key_of(database.home_file()) is None:
            return status, BETWEEN
        return status, UNTOUCHED if now.fingerprint == before else FINISHED

    usual_s = took(keys.rotate)
    start(home)
    return tried(n, chance, usual_s, one)


def people_keys() -> dict[int, bytes]:
    """Return the keys of all people, unwrapped anew."""
    found = {}
    for row in db.session.scalars(select(PersonKey)).all():
        sealing.forget(bytes.fromhex(row.name))
        found[row.user_id] = keys.of(row.user_id).secret
    return found


def change(home: Path, n: int, chance: random.Random, encrypted: bool) -> dict[str, Any]:
    """Encrypt the database, or decrypt it."""
    if (database.kind() == "encrypted") is encrypted:
        database_changing.change(not encrypted)
    before = killed_databases.rows()

    def one(after_s: float) -> tuple[int, str]:
        status = killed_databases.killed_at(after_s, encrypted)
        stand, _, whole = killed_databases.came_of(home, before, encrypted).partition(" ")
        return status, BETWEEN if whole != "whole" else FINISHED if stand == "changed" else UNTOUCHED

    usual_s = took(lambda: database_changing.change(encrypted))
    database_changing.change(not encrypted)
    return tried(n, chance, usual_s, one)


def backup(home: Path, n: int, chance: random.Random) -> dict[str, dict[str, Any]]:
    """Write a backup over another, and restore one of two."""
    first, target = home.parent / "first.backup", home.parent / "site.backup"
    for number in range(4):
        add_recording(current_app, 1, number, n_bytes=200_000)
    writing.write(first, PASSPHRASE)
    restoring.restore(first, PASSPHRASE, replace=True)
    old = fingerprint(home)
    remove_recording(current_app, 3)
    add_recording(current_app, 1, 99)
    writing.write(target, PASSPHRASE)
    new = fingerprint(home)

    def write(after_s: float) -> tuple[int, str]:
        before = target.read_bytes()
        status = killed(lambda: writing.write(target, PASSPHRASE), after_s)
        swapping.finish(home)
        moment.sweep()
        leftovers.sweep(home / root for root in swapping.ROOTS)
        restoring.verify(target, PASSPHRASE)
        left = [*home.parent.glob(".*"), *(home / "instance").glob(".*")]
        stand = UNTOUCHED if target.read_bytes() == before else FINISHED
        return status, BETWEEN if left or fingerprint(home) != new else stand

    is_new = True

    def restore(after_s: float) -> tuple[int, str]:
        nonlocal is_new
        source, wanted = (first, old) if is_new else (target, new)
        status = killed(lambda: restoring.restore(source, PASSPHRASE, replace=True), after_s)
        swapping.finish(home)
        moment.sweep()
        leftovers.sweep(home / root for root in swapping.ROOTS)
        db.session.remove()
        db.engine.dispose()
        there = fingerprint(home)
        if there not in (old, new) or list(home.rglob(swapping.STAGED)):
            return status, BETWEEN
        was_new, is_new = is_new, there == new
        return status, UNTOUCHED if was_new == is_new else FINISHED if there == wanted else BETWEEN

    written = tried(n, chance, took(lambda: writing.write(target, PASSPHRASE)), write)
    usual_s = took(lambda: restoring.restore(target, PASSPHRASE, replace=True))
    return {"backup, written": written, "backup, restored": tried(n, chance, usual_s, restore)}


def erasure(home: Path, n: int, chance: random.Random) -> dict[str, Any]:
    """Erase a person of whom something is everywhere."""
    numbers = count()

    def furnished() -> User:
        name = f"ursula{next(numbers)}"
        return furnish(current_app, accounts.register(name, PASSPHRASE, "", f"{name}@example.org", ""), RECORDINGS)

    def one(after_s: float) -> tuple[int, str]:
        user = furnished()
        number, name = user.id, user.username
        before = sorted(traces(current_app, number, name))
        status = killed(lambda: erasing.erase(number), after_s)
        start(home)
        there = sorted(traces(current_app, number, name))
        whole = all(stone.user_id is None for stone in tombstones.all_of_them())  # none is to be gone on with
        if not there and belongings.counts(number) == {} and whole:
            return status, FINISHED
        return status, UNTOUCHED if there == before else BETWEEN

    spare = furnished().id
    return tried(n, chance, took(lambda: erasing.erase(spare)), one)


# --- all of it


@contextmanager
def quick(folder: Path) -> Iterator[Path]:
    """Run the application in a home of many people, with its keys in a file and without what a power cut asks for."""
    os.environ.pop("ENCRYPTION_KEY", None)
    os.fsync = lambda descriptor: None
    os.sync = lambda: None
    user_table.PASSWORD_METHOD = "scrypt:1024:8:1"  # noqa: S105  a method
    sealed.MEMORY_KIB, leftovers.DRAFT_S = 64, 0
    logging.disable(logging.WARNING)
    home = folder / "home"
    with homes.at_home(home, ENCRYPTION_KEY="", ENCRYPTION_KEY_FILE=folder / "keys"):
        installation.migrate()
        keys.prepare()
        for number in range(PEOPLE):
            accounts.register(f"person{number}", PASSPHRASE, "", f"person{number}@example.org", "")
        yield home


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    n, chance = options.kills, random.Random(options.seed)
    figures: dict[str, Any] = {"seed": options.seed}
    with tempfile.TemporaryDirectory() as folder, quick(Path(folder)) as home:
        figures |= backup(home, n, chance)
        figures["key rotation"] = rotation(home, n, chance)
        figures["database, encrypted"] = change(home, n, chance, True)
        figures["database, decrypted"] = change(home, n, chance, False)
        figures["erasure"] = erasure(home, n, chance)
        figures["breaks in the chain of the audit log"] = len(audit.verify().broken)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
