"""The audit log: who did what, when and from where. One JSON document a line, in ``instance/audit/``.

A day has a file of its own (``2026-11-28-000.jsonl``), and further ones once it is large; a file is never renamed, so
that a server and commands write to the same log. Lines hold no signal, no content of a file and no secret: an object is
named by its kind and number. Each line holds on to the one before it (`audit_chain`), and where the database is
encrypted, whom it names is sealed (`audit_lines`).
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from threading import Lock
from typing import Literal

import click
from filelock import FileLock, Timeout
from flask import current_app

from app.services import audit_chain, database
from app.services.audit_chain import Link, Verdict
from app.services.audit_lines import Document, Sealing, as_line, is_sealed, parsed, rewrite
from app.services.files import DRAFT, written_whole
from app.tables._columns import now

log = logging.getLogger(__name__)

ORIGIN = "audit_origin"  # in app.extensions: what tells the Origin of a request
SERVER, NOBODY = "(server)", "(nobody)"  # no account can have such a name
FILE_BYTES = 32 * 2**20  # beyond this a day goes on in a further file
LONGEST = 300  # characters of one value
LOCK_S, LOCK_EVERY_S = 10.0, 0.002  # for which another process may write, and how often is looked whether it is done
SAME_LOOK_S = 600.0  # further looks of somebody at the same are the same look
REFUSALS_A_MINUTE = 60  # written for one address; further ones are only counted, so that nobody fills the disk

Outcome = Literal["begun", "done", "refused", "failed"]
Detail = str | int | float | bool | None


class Action(str, Enum):
    """What is recorded."""

    SET_UP = "set-up"
    LOG_IN = "log-in"
    LOG_OUT = "log-out"
    REFUSAL = "refusal"
    ACCOUNT_MADE = "account made"
    ACCOUNT_CHANGED = "account changed"
    ACCOUNT_DELETED = "account deleted"
    INVITATION_MADE = "invitation made"
    INVITATION_WITHDRAWN = "invitation withdrawn"
    RESET_MADE = "reset address made"
    SESSION_ENDED = "session ended"
    SECOND_FACTOR = "second factor changed"
    PASSWORD_CHANGED = "password changed"  # noqa: S105  the name of an action
    ROLE_CHANGED = "role changed"
    IDENTITY_LINKED = "single sign-on linked"
    IDENTITY_UNLINKED = "single sign-on unlinked"
    UPLOAD = "upload"
    DOWNLOAD = "download"
    RECORDING_CHANGED = "recording changed"
    RECORDING_DELETED = "recording deleted"
    CORRECTION = "recording corrected"
    CORRECTION_UNDONE = "correction undone"
    CALIBRATED = "calibration"
    PERSONAL_MODEL = "personal model switched"
    CONSENT_GIVEN = "consent given"
    CONSENT_WITHDRAWN = "consent withdrawn"
    CARE_AGREED = "caregiver agreed to"
    CARE_ENDED = "caregiver no longer agreed to"
    CORRECTIONS_READ = "shared corrections read"
    UPLOAD_DELETED = "upload deleted"
    MAPPING_SAVED = "mapping saved"
    MAPPING_DELETED = "mapping deleted"
    DATASET_ADDED = "data set added"
    DATASET_CHANGED = "data set changed"
    DATASET_LABELLED = "data set labelled"
    DATASET_DELETED = "data set deleted"
    DATASET_EXPORTED = "data set exported"
    TRAINING_STARTED = "training started"
    TRAINING_STOPPED = "training stopped"
    TRAINING_ENDED = "training ended"
    TRAINING_CHANGED = "training changed"
    TRAINING_DELETED = "training deleted"
    MODEL_PROMOTED = "model promoted"
    MODEL_CHANGED = "model changed"
    MODEL_EXPORTED = "model exported"
    MODEL_FORGOT = "model forgot a person"
    MODEL_DELETED = "model deleted"
    MODEL_RESTORED = "model restored"
    COHORT_STARTED = "cohort started"
    COHORT_STOPPED = "cohort stopped"
    COHORT_ENDED = "cohort ended"
    COHORT_DELETED = "cohort deleted"
    SITE_ADDED = "site added"
    SITE_REMOVED = "site removed"
    SUMS_SHARED = "sums shared"
    SUMS_RECEIVED = "sums received"
    SUMS_DELETED = "sums deleted"
    SITES_MERGED = "sites merged"
    NETWORK_SHARED = "network trained for others"
    NETWORK_TRAINED = "network trained by sites"
    ALARM_RULE_CHANGED = "alarm rule changed"
    ALARM_CANCELLED = "alarm cancelled"
    ALARM_ACKNOWLEDGED = "alarm acknowledged"
    ALARM_CLOSED = "alarm closed"
    TARGET_ADDED = "notice target added"
    TARGET_CHANGED = "notice target changed"
    TARGET_REMOVED = "notice target removed"
    TOKEN_MADE = "access token made"  # noqa: S105  the name of an action
    TOKEN_REVOKED = "access token revoked"  # noqa: S105  the name of an action
    DEVICE_ADDED = "device added"
    DEVICE_CHANGED = "device changed"
    DEVICE_REVOKED = "device revoked"
    DEVICE_DELETED = "device deleted"
    LIVE_STARTED = "live session started"
    LIVE_ENDED = "live session ended"
    BACKUP_MADE = "backup made"
    BACKUP_RESTORED = "backup restored"
    KEY_CHANGED = "key changed"
    KEY_EXPORTED = "key exported"
    DATABASE_ENCRYPTED = "database encrypted"
    DATABASE_DECRYPTED = "database decrypted"
    FILES_SEALED = "files sealed"
    LEFTOVER = "leftover"
    LOOKED = "looked at"
    EXPORTED = "everything exported"
    RETENTION_CHANGED = "retention changed"
    RETENTION_APPLIED = "kept too long, deleted"
    OLD_LINES = audit_chain.ANCHOR


@dataclass(frozen=True)
class Origin:
    """Who acts, and from where."""

    actor: str
    actor_id: int | None = None
    address: str = ""


_carried: ContextVar[Origin | None] = ContextVar("audit_origin", default=None)
_refusals: dict[tuple[str, str], int] = {}  # by minute and address
_looks: dict[tuple[object, ...], float] = {}  # when somebody last looked at something
_counting = Lock()
_writing = Lock()


def origin() -> Origin:
    """Return who acts at this moment: a visitor of the site, a command, or the server by itself."""
    if (carried := _carried.get()) is not None:
        return carried
    asked: Origin | None = current_app.extensions[ORIGIN]()
    if asked is not None:
        return asked
    if click.get_current_context(silent=True) is None:
        return Origin(SERVER)
    with suppress(OSError, KeyError, ImportError):
        return Origin(f"(command line: {getpass.getuser()})")
    return Origin("(command line)")


@contextmanager
def acting(as_origin: Origin) -> Iterator[None]:
    """Record as somebody else for a while: a thread goes on with what a visitor has begun."""
    token = _carried.set(as_origin)
    try:
        yield
    finally:
        _carried.reset(token)


def record(
    action: Action, object: str = "", *, outcome: Outcome = "done", about: Collection[int] = (), **details: Detail
) -> None:
    """Write a line. It never fails: what cannot be written goes to the server's log.

    Call it when the thing is done, after the transaction; where nothing else would tell of it after a kill between the
    two, also before, as begun.

    Parameters
    ----------
    object : what it was done to, by kind and number or name: ``"recording 12"``. No name of a file, no address with
        a token in it.
    about : the accounts of those whose data were looked at, or changed, by somebody else.
    details : further facts, such as ``role="admin"``. Never a secret or a value of a signal.
    """
    by, moment = origin(), now()
    written = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if outcome == "refused" and (left_out := _refused_before(written[:16], by.address)) is not None:
        if left_out >= REFUSALS_A_MINUTE:
            return
        if left_out == REFUSALS_A_MINUTE - 1:
            details["note"] = "further refusals of this address in this minute are not written"
    line = {
        "time": written,
        "action": action.value,
        "outcome": outcome,
        "actor": by.actor[:LONGEST],
        "actor_id": by.actor_id,
        "address": by.address[:LONGEST],
        "object": object[:LONGEST],
        **({"about": sorted(set(about))} if about else {}),
        "details": {name: value[:LONGEST] if isinstance(value, str) else value for name, value in details.items()},
    }
    _write(moment.date(), line)


def looked(what: str, about: Collection[int]) -> None:
    """Write that somebody looked at what is of others; they see it. Looking again within minutes is the same look."""
    by = origin()
    others = sorted({number for number in about if number != by.actor_id})
    key, at = (by.actor, by.address, what, *others), time.monotonic()
    with _counting:
        for old in [each for each, then in _looks.items() if at - then > SAME_LOOK_S]:
            del _looks[old]
        seen = key in _looks
        _looks.setdefault(key, at)
    if others and not seen:
        record(Action.LOOKED, what, about=others)


def _refused_before(minute: str, address: str) -> int:
    """Count a refusal; return how many there were before it in the same minute, from the same address."""
    with _counting:
        for old in [key for key in _refusals if key[0] != minute]:
            del _refusals[old]
        before = _refusals.get((minute, address), 0)
        _refusals[minute, address] = before + 1
        return before


def _write(day: date, document: Mapping[str, object]) -> None:
    try:
        root = folder()
        with locked():
            before = audit_chain.end_of(root, newest := next(iter(files()), None))
            day = max(day, files()[newest]) if newest else day  # a clock that was put back does not mix the lines
            line = as_line(sealing().stored(audit_chain.linked(_key(), document, before)))
            is_new = _append(root, day, line)
        if is_new:
            forget_old()
    except (OSError, Timeout, database.Unopened) as error:
        log.error("the audit log cannot be written (%s): %s", error, as_line(document).strip())


def _append(root: Path, day: date, line: str) -> bool:
    """Write a line whole; return whether its file is a new one."""
    number = 0
    while (path := root / f"{day}-{number:03}.jsonl").exists() and path.stat().st_size > FILE_BYTES:
        number += 1
    with open(path, "ab+", buffering=0, opener=_private) as file:
        if size := file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else "\n" + line  # after a line that a full disk has cut off
        written = file.write(line.encode("ascii"))
    if written != len(line):
        raise OSError("no room for the whole line")
    link = json.loads(line)
    audit_chain.write_head(root, Link(link["number"], link["chain"], path.name, size + written))
    return not size


@contextmanager
def locked() -> Iterator[None]:
    """Hold the log: a line is written by one process, and one thread of it, at a time."""
    with _writing, FileLock(folder() / ".lock").acquire(timeout=LOCK_S, poll_interval=LOCK_EVERY_S):
        yield


def _key() -> bytes:
    return audit_chain.key_of(folder())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def folder() -> Path:
    """Return where the files of the log are."""
    path = Path(current_app.config["INSTANCE"]) / "audit"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def files() -> dict[Path, date]:
    """Return the files of the log with their days, the newest first."""
    found = {}
    for path in sorted(folder().glob("*.jsonl"), reverse=True):
        with suppress(ValueError):
            found[path] = date.fromisoformat(path.name[:10])
    return found


def forget_old() -> None:
    """Delete what is older than the log is kept (the setting AUDIT_DAYS); a line says where the chain begins then."""
    oldest = now().date() - timedelta(days=current_app.config["AUDIT_DAYS"])
    old = [path for path, day in files().items() if day < oldest]  # the newest first
    last = next(filter(None, map(_last_of, old)), None)
    if last is not None:
        record(Action.OLD_LINES, up_to=last["number"], chain=last["chain"])
    for path in reversed(old):
        path.unlink(missing_ok=True)


def _last_of(path: Path) -> Document | None:
    """Return the last line of a file that is of the chain."""
    with path.open("rb") as file:
        lines = (line for text in file if (line := parsed(text)) and "chain" in line)
        return max(lines, key=lambda line: int(line["number"]), default=None)


def verify() -> Verdict:
    """Look at the whole log for lines that were changed, added or taken away."""
    with locked():
        return audit_chain.verify(_key(), sorted(files()), audit_chain.read_head(folder()), sealing().read)


def has_line(noted: str) -> bool:
    """Tell whether a line that somebody noted, as NUMBER:CHAIN, is in the log."""
    number, _, chain = noted.partition(":")
    marks = f'"number":{number},'.encode(), f'"chain":"{chain}"'.encode()
    for path in files():
        with path.open("rb") as file:
            if any(all(mark in text for mark in marks) for text in file):
                return True
    return False


def forget_person(user_id: int, name: str) -> int:
    """Take a person's name, number and address out of the lines that have them; return how many. The chain holds."""
    marks = (json.dumps(name).encode("ascii"), f'"actor_id":{user_id},'.encode(), b'"about":[')
    changed, form = 0, sealing()
    with locked():
        for path in files():
            whole = path.read_bytes()
            lines = [_without(text, user_id, name, marks, form) for text in whole.splitlines(keepends=True)]
            if (n := sum(text is not None for _, text in lines)) == 0:
                continue
            changed += n
            with written_whole(path) as draft:
                draft.write_bytes(b"".join(text if text is not None else kept for kept, text in lines))
        if changed:
            _measure_again(folder())
    return changed


def _measure_again(root: Path) -> None:
    """After its last file was written anew: let the head of the chain know how long it is."""
    if (head := audit_chain.read_head(root)) and (root / head.file).is_file():
        size = (root / head.file).stat().st_size
        audit_chain.write_head(root, Link(head.number, head.chain, head.file, size))


def _without(
    text: bytes, user_id: int, name: str, marks: Collection[bytes], form: Sealing
) -> tuple[bytes, bytes | None]:
    """Return a line, and as it is without a person where it names them."""
    named = form.named(text)
    if not any(mark in named for mark in marks):
        return text, None
    line = form.read(text)
    if line is None or not audit_chain.names(line, user_id, name):
        return text, None
    return text, as_line(form.stored(audit_chain.without(_key(), line, user_id, name))).encode("ascii")


# --- sealed and plain


def sealing() -> Sealing:
    """Return how lines of this home's log are sealed and opened: as its database is.

    Raises
    ------
    database.Unopened : the key is not here.
    """
    return Sealing(database.key_of(database.home_file()))


def seal_all() -> None:
    """Seal what a plain database had let be written plain; at each start, as a change of it may have been killed."""
    if drafts := [*folder().glob(f"{DRAFT}*")]:
        with locked():  # after which a writer that lives has given its draft the name it is to have
            for path in drafts:
                path.unlink(missing_ok=True)
    form = sealing()
    if form.seals:
        _rewrite_all(form, form)


def open_all() -> None:
    """Make all lines plain, before the database is."""
    _rewrite_all(sealing(), Sealing(None))


def _rewrite_all(before: Sealing, after: Sealing) -> None:
    with locked():
        for path in [path for path in files() if is_sealed(path) is not after.seals]:
            rewrite(path, before, after)
            _measure_again(folder())


def copy_to(target: Path, database_key: bytes | None) -> None:
    """Copy the log to where it goes on beside another database."""
    shutil.copytree(folder(), target, ignore=shutil.ignore_patterns("*.lock"))
    before, after = sealing(), Sealing(database_key)
    for path in files():
        rewrite(path, before, after, target / path.name)
    _measure_again(target)
