"""Erasing a person: nothing of them is left, whatever happens in between, and an old database brings nothing back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, insert, select

from app.extensions import db
from app.services import audit, database_changing, leftovers
from app.services.alarms import watching
from app.services.errors import Conflict
from app.services.privacy import belongings, erasing, tombstones
from app.services.recordings import pending
from app.services.recordings.pending import PendingUpload
from app.tables import CareConsent, Erasure, StoredRecording, User
from tests import homes, postgresql
from tests.conftest import ROOT
from tests.services.conftest import a_user
from tests.services.test_audit import written

STEPS = ("tombstone", "committed", "folder", "files", "names")


def folder_name(user_id: int, i: int = 0) -> str:
    return f"recording-{user_id:04}{i:028}"


def furnished(app: Flask, name: str = "ursula", n_recordings: int = 2) -> User:
    """Return somebody of whom something is everywhere."""
    return furnish(app, a_user(name), n_recordings)


def furnish(app: Flask, user: User, n_recordings: int = 2) -> User:
    """Give somebody recordings, a waiting upload, heads, a caregiver, a stillness, and lines in the log."""
    name, uploads = user.username, Path(app.config["UPLOADS"])
    carla = db.session.scalar(select(User).filter_by(username="carla")) or a_user("carla", role="caregiver")
    rows = [
        {"user_id": user.id, "filename": "walk.csv", "folder": folder_name(user.id, i)} for i in range(n_recordings)
    ]
    db.session.execute(insert(StoredRecording), [row | {"facts": {}} for row in rows])
    db.session.add(CareConsent(user_id=user.id, caregiver_id=carla.id, version=1))
    db.session.commit()
    for row in rows:
        (uploads / row["folder"]).mkdir()
        for file in ("source", "1.npz", "quality.json", "signal.npy", "stretches.npz"):
            (uploads / row["folder"] / file).write_bytes(b"samples of ursula")
    (waiting := uploads / "draft").mkdir()
    (waiting / "source").write_bytes(b"rows")
    pending.keep(PendingUpload(f"{user.id:04}{user.id:028x}", user.id, "a.csv", None, time.time()), waiting)
    (uploads / f"personal-{user.id}").mkdir()
    (aside := uploads / leftovers.ASIDE / f"2026-11-28-{folder_name(user.id)}-0a1b2c3d").mkdir(parents=True)
    (aside / "1.npz").write_bytes(b"samples")
    people = watching._kept().get("people", {})
    people[str(user.id)] = {"still_s": 9.0, "told": False, "seen": {}}
    watching._file().write_text(json.dumps({"saved_s": time.time(), "people": people}))
    with audit.acting(audit.Origin(name, user.id, "192.0.2.7")):
        audit.record(audit.Action.UPLOAD, "recording 1")
    return user


def traces(app: Flask, user_id: int, name: str) -> list[str]:
    """Return what there is of somebody: rows, folders, lines."""
    db.session.rollback()
    db.session.expire_all()
    found = [f"{n} {table}" for table, n in belongings.counts(user_id).items()]
    uploads = Path(app.config["UPLOADS"])
    folders = (*uploads.iterdir(), *uploads.glob(f"{leftovers.ASIDE}/*"))
    found += [path.name for path in folders if f"-{user_id:04}" in path.name or path.name == f"personal-{user_id}"]
    found += [str(user_id)] if watching.knows(user_id) else []
    for path in tombstones.folder().iterdir():
        found += [path.name] if name in path.read_text() else []
    return found + (["audit log"] if name in written(app) else [])


def test_nothing_is_left_and_one_row_says_so_without_a_name(app: Flask) -> None:
    if in_file := not postgresql.is_used():
        database_changing.change(False)  # in which it can be searched for
    user = furnished(app)
    number = user.id
    assert len(traces(app, number, "ursula")) > 8
    assert erasing.erase(number) == "ursula"
    assert traces(app, number, "ursula") == []
    row = db.session.scalars(select(Erasure)).one()
    assert (row.counts["recording"], row.counts["care_consent"], row.left) == (2, 1, [])
    assert row.looked_again is not None
    assert audit.verify().broken == []
    database = Path(app.config["INSTANCE"]) / "kinelab.sqlite"
    assert not in_file or b"ursula@example.org" not in database.read_bytes()


def test_what_is_left_is_found(app: Flask) -> None:
    user, other = furnished(app), furnished(app, "otto")
    stone = tombstones.write(user, [folder_name(user.id)])
    left = erasing.look_again(stone)
    for what in ("1 of user", "2 of recording", "the name in user.username", f"folder {folder_name(user.id)}"):
        assert what in left
    assert {"personal models", "a stillness that is counted", "names in the audit log"} <= {*left}
    assert [each[:16] for each in left].count("a waiting upload") == 1
    db.session.expire_all()
    assert db.session.get(User, other.id) is not None


def test_the_number_of_somebody_erased_is_nobodys(app: Flask) -> None:
    user = a_user("ursula")
    number = user.id
    erasing.erase(number)
    assert a_user("otto").id != number


def test_the_last_administrator_stays_whole(app: Flask) -> None:
    chief = a_user("chief", role="admin")
    with pytest.raises(Conflict):
        erasing.erase(chief.id)
    db.session.expire_all()
    assert not chief.disabled
    assert list(tombstones.all_of_them()) == []
    assert db.session.scalar(select(func.count(Erasure.id))) == 0


def test_a_database_of_yesterday_brings_nobody_back(app: Flask, tmp_path: Path) -> None:
    user = furnished(app)
    number, home, uploads = user.id, Path(app.config["HAR_HOME"]), Path(app.config["UPLOADS"])
    other = furnished(app, "otto").id
    db.session.commit()
    shutil.copytree(uploads, tmp_path / "backup")
    homes.put_database(home, tmp_path / "yesterday")
    erasing.erase(number)
    homes.put_database(tmp_path / "yesterday", home)
    shutil.rmtree(uploads)
    shutil.copytree(tmp_path / "backup", uploads)
    assert belongings.counts(number)["recording"] == 2
    assert erasing.resume() == 1
    assert traces(app, number, "ursula") == []
    assert belongings.counts(number) == {}
    assert belongings.counts(other)["recording"] == 2
    assert db.session.scalar(select(func.count(Erasure.id))) == 1
    assert erasing.resume() == 0


KILLED = """
import os, signal, sys
from app import create_app
from app.services.privacy import erasing
def at(step):
    if step == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
app = create_app()
for user_id, step in zip(sys.argv[1].split(","), sys.argv[2].split(",")):
    if not os.fork():
        sys.argv[2] = step
        with app.app_context():
            erasing.erase(int(user_id), at=at)
        os._exit(0)
    _, status = os.wait()
    assert os.WIFSIGNALED(status), step
"""


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_server_that_is_killed_in_between_goes_on_at_the_next_start(app: Flask) -> None:
    people = {step: furnished(app, f"ursula{step}").id for step in STEPS}
    db.session.remove()
    environment: dict[str, Any] = {**os.environ, "HAR_HOME": str(app.config["HAR_HOME"])}
    arguments = [",".join(map(str, people.values())), ",".join(people)]
    result = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert belongings.counts(people["tombstone"])["recording"] == 2  # not committed
    assert belongings.counts(people["committed"]) == {}
    assert erasing.resume() == len(STEPS)
    for step, number in people.items():
        assert traces(app, number, f"ursula{step}") == [], step
    assert {row.looked_again is not None for row in db.session.scalars(select(Erasure))} == {True}
    assert audit.verify().broken == []


def test_a_thousand_recordings_are_erased_within_ten_seconds(app: Flask) -> None:
    user = furnished(app, n_recordings=1000)
    number = user.id
    started = time.process_time()
    erasing.erase(number)
    assert time.process_time() - started < 5
    assert traces(app, number, "ursula") == []


def test_the_start_of_a_server_resumes(migrated_home: Path, tmp_path: Path) -> None:
    home = homes.copied(migrated_home, tmp_path / "home")
    with homes.at_home(home) as app:
        user = furnished(app)
        tombstones.write(user, [])
        db.session.commit()
        number = user.id
        from app.services import installation

        installation.prepare()
        assert belongings.counts(number) == {}
