"""Erasing a person: everything that is theirs goes, then all of it is looked for again, and one row says so.

What is done in which order decides what a kill leaves: before the tombstone nothing has happened; from then on the next
start goes on. The row of an erasure names nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from flask import current_app
from sqlalchemy import Enum, String, Text, delete, func, select

from app.extensions import db
from app.services import accounts, audit, audit_chain, consents, keys, leftovers
from app.services.alarms import watching
from app.services.api import tokens as of_programs
from app.services.audit import Action
from app.services.backups import moment
from app.services.care import consents as care
from app.services.identity import guessing
from app.services.live import hub, sessions, tokens
from app.services.personal import consents as sharing
from app.services.personal import head_files, heads, taken_back
from app.services.privacy import belongings, tombstones
from app.services.privacy.tombstones import Tombstone
from app.services.recordings import pending, reading
from app.services.subscriptions import events
from app.services.transaction import transaction
from app.tables import Consent, Erasure, LiveSession, Notice, StoredRecording, User
from app.tables._columns import now

log = logging.getLogger(__name__)


def nothing(step: str) -> None:
    """Do nothing at a step; tests kill the server there."""


def erase(user_id: int, again: Tombstone | None = None, at: Callable[[str], None] = nothing) -> str:
    """Erase an account with everything that is its owner's; return what it was called.

    Parameters
    ----------
    again : of an account that came back with an older database, or that a server did not finish.
    at : is told at which step this is.

    Raises
    ------
    Conflict : it is the last active administrator's, or a file of theirs is being read; nothing was done.
    """
    user = accounts.get(user_id)
    name = user.username
    # What is read meanwhile would outlive the account
    by = audit.origin()
    by = audit.Origin(audit_chain.ERASED) if by.actor_id == user_id else by  # who is gone when it is recorded
    with reading.nothing_read(user_id), audit.acting(by):
        tokens.forget(user_id)
        sessions.drop(user_id)
        stone = None
        try:
            with transaction():
                counts, ended = belongings.counts(user_id), _delete_rows(user)
                if user.is_admin and again is None:
                    accounts.require_another_administrator(user_id)
                stone = tombstones.write(user, _folders(user_id), again)
                at("tombstone")
                _write_down(stone, counts)
                events.put_farewell(user_id)  # by a name that is made of the key
                keys.destroy(user_id)
                db.session.delete(user)
        except BaseException:
            if stone is not None and again is None:
                tombstones.withdraw(stone)
            raise
        at("committed")
        care.record_end(ended)
        tokens.forget(user_id)  # of which a batch may have come meanwhile
        of_programs.forget(user_id)
        sessions.drop(user_id)
        _finish(stone, at)
    return name


def _folders(user_id: int) -> list[str]:
    """Return the names of the folders of a person; that of their personal models is named after the account."""
    found = [name for table in (StoredRecording, LiveSession) for name in _names(table, user_id)]
    return [*found, *(upload.folder.name for upload in pending.list_kept(user_id))]


def _names(table: type[StoredRecording] | type[LiveSession], user_id: int) -> Iterable[str]:
    return db.session.scalars(select(table.folder).where(table.user_id == user_id))


def _delete_rows(user: User) -> list[care.Ended]:
    """Within a transaction: end what the account agreed to, and delete what does not go with it by itself."""
    sharing.end(user.id)  # what data sets hold of theirs is taken out afterwards
    ended = care.end_all(user.id)
    for consent in consents.history(user.id):
        if not consent.copies.get("datasets"):  # otherwise the made-up name is still needed
            db.session.delete(consent)
    db.session.execute(delete(Notice).where(Notice.about == user.username))
    guessing.forget(user.username)
    return ended


def _write_down(stone: Tombstone, counts: dict[str, int]) -> None:
    if db.session.scalar(select(Erasure).filter_by(token=stone.token)) is None:  # an older database has no such row
        db.session.add(Erasure(token=stone.token, counts=counts))


def _finish(stone: Tombstone, at: Callable[[str], None] = nothing) -> None:
    """Delete the files of somebody whose rows are gone, and look for them again."""
    uploads = Path(current_app.config["UPLOADS"])
    for name in stone.folders:
        for folder in (uploads / name, *uploads.glob(f"{leftovers.ASIDE}/*{name}*")):
            if folder.exists():
                leftovers.delete(folder)
                at("folder")
    if stone.user_id is not None and stone.username is not None:
        head_files.delete_all(stone.user_id)
        for upload in pending.list_kept(stone.user_id):
            pending.cancel(upload)
        watching.forget(stone.user_id)
        hub.current().drop(stone.user_id)
        heads.forget_loaded()
        at("files")
        audit.forget_person(stone.user_id, stone.username)
        at("names")
        left = look_again(stone)
        with transaction() as session:
            row = session.scalar(select(Erasure).filter_by(token=stone.token))
            if row is not None:
                row.looked_again, row.left = now(), left
        number = row.id if row is not None else 0
        audit.record(Action.ACCOUNT_DELETED, f"erasure {number}", folders=len(stone.folders), left="; ".join(left))
        for what in left:
            log.warning("erasure %d: %s", number, what)
    moment.sweep()  # second names of files, of a backup that was killed
    tombstones.finish(stone)
    taken_back.begin()


def look_again(stone: Tombstone) -> list[str]:
    """Return what there still is of somebody who was erased, in words."""
    left = [f"{n} of {name}" for name, n in belongings.counts(stone.user_id or 0).items()]
    left += [f"the name in {place}" for place in _columns_with(stone.username or "")]
    uploads = Path(current_app.config["UPLOADS"])
    there = {path.name for path in (*uploads.glob("*"), *uploads.glob(f"{leftovers.ASIDE}/*"))}
    left += [f"folder {name}" for name in stone.folders if any(name in other for other in there)]
    if head_files.folder_of(stone.user_id or 0).exists():
        left.append("personal models")
    left += [f"a waiting upload {upload.token}" for upload in pending.list_kept(stone.user_id or 0)]
    if sessions.live().running(stone.user_id or 0):
        left.append("a live session")
    if watching.knows(stone.user_id or 0):
        left.append("a stillness that is counted")
    if audit.forget_person(stone.user_id or 0, stone.username or ""):
        left.append("names in the audit log")
    left += [f"shared corrections in the data set {name}, until it is read no more" for name in _still_in()]
    return left


def _columns_with(name: str) -> list[str]:
    """Return the columns of all tables in which a name stands alone."""
    found = []
    for table in db.metadata.sorted_tables:
        for column in table.columns:
            if (
                isinstance(column.type, (String, Text))
                and not isinstance(column.type, Enum)
                and db.session.scalar(select(func.count()).select_from(table).where(column == name))
            ):
                found.append(f"{table.name}.{column.name}")
    return found


def _still_in() -> list[str]:
    gone = set(db.session.scalars(select(Consent.pseudonym).where(Consent.user_id.is_(None))))
    return sorted({name for name, person in taken_back.outstanding() if person in gone})


def resume() -> int:
    """At a server's start: erase who came back with an older database, and go on where a server died; return how many.

    With an older database, the files of recordings that were made after it are unknown to it; they are named here.
    """
    stones = list(tombstones.all_of_them())
    if not stones:
        return 0
    again, by_account = 0, {stone.account: stone for stone in stones}
    for user in list(db.session.scalars(select(User))):
        if (stone := by_account.get(tombstones.account_of(user))) is not None:
            erase(user.id, stone)
            again += 1
    uploads = {path.name for path in Path(current_app.config["UPLOADS"]).iterdir()}
    aside = [path.name for path in Path(current_app.config["UPLOADS"]).glob(f"{leftovers.ASIDE}/*")]
    for stone in tombstones.all_of_them():
        there = uploads.intersection(stone.folders) or any(f in name for f in stone.folders for name in aside)
        if stone.user_id is not None or there:
            _finish(stone)
            again += 1
    return again


def erasures(limit: int = 100) -> list[Erasure]:
    """Return that people were erased, the newest first."""
    return list(db.session.scalars(select(Erasure).order_by(Erasure.id.desc()).limit(limit)))
