"""Live sessions: a device's batches come in, wait for the engine, and may become a recording when the session ends.

Sessions that run are in memory; their rows say what is left of them when the server is killed. A batch needs no query.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from threading import Event, Lock
from typing import Any
from uuid import uuid4

import orjson
from flask import current_app
from sqlalchemy import select, update

from app.extensions import db
from app.har.errors import UnreadableData
from app.har.live.batches import Batch, read_batch
from app.har.texts import loads
from app.services import audit, consents, keys, leftovers, room
from app.services.audit import Action
from app.services.errors import Busy, NoRoom, NotFound
from app.services.live import hub
from app.services.live.allowances import BATCHES_A_SECOND, SAMPLES_A_SECOND, Allowance, Overloaded, TooFast
from app.services.live.streams import FULL, MOST_QUEUED, SHARED_S, Stream
from app.services.live.tokens import KnownDevice
from app.services.purposes import Purpose
from app.services.recordings.prediction_result import YEAR_2000, YEAR_2100
from app.services.sealing import Key
from app.services.transaction import rows_changed, transaction
from app.tables import Device, LiveSession
from app.tables._columns import now as moment_now

log = logging.getLogger(__name__)

PREFIX = "live-"  # begins the name of a session's folder
RUNNING_EACH = 6  # sessions of one person at once
MOST_RUNNING = 500  # of all
PATIENCE_S = 2.0  # for another program that writes to the database; the device sends again
ROOM_EVERY_S = 5.0
ENDED_S = 30.0  # for which what a device sends of a session that it ended itself is not the beginning of another
LIVE = "live"  # in `app.extensions`


@dataclass(frozen=True)
class Ack:
    """What a device is told of a batch that was taken."""

    received: int  # batches of the session
    session: int
    answer: str | None  # the newest
    message: str  # what its person should know; "" for nothing


class Live:
    """The sessions of an application that run."""

    def __init__(self) -> None:
        self.lock = Lock()  # of what is here; never held while the database is waited for
        self.starting = Lock()  # one session begins at a time
        self.streams: dict[tuple[int, str], Stream] = {}  # by device and key
        self.ending: list[tuple[Stream, str]] = []  # the engine says the last of them
        self.ended: dict[tuple[int, str], float] = {}  # by the device itself, and when
        self.news = Event()
        self.full = False
        self._allowances: dict[int, Allowance] = {}
        self._room_at = -ROOM_EVERY_S

    def running(self, user_id: int | None = None) -> list[Stream]:
        """Return the streams that run, of one person or of all."""
        with self.lock:
            return [one for one in self.streams.values() if user_id in (None, one.user_id)]

    def allow(self, device_id: int, batch: Batch | None) -> None:
        """Take what a batch needs of what its device may send; None: of a message that is not read yet.

        Raises
        ------
        TooFast : it is not as much.
        """
        n_samples = 0 if batch is None else max((len(own.time_s) for own in batch.sensors.values()), default=0)
        with self.lock:
            if len(self._allowances) > 10_000:
                self._allowances.clear()
            allowance = self._allowances.setdefault(device_id, Allowance())
            missing = allowance.use(float(batch is None), n_samples)
        if missing:
            raise TooFast(
                f"This device sends more than {BATCHES_A_SECOND:g} messages, or {SAMPLES_A_SECOND:g} samples of a "
                f"sensor, a second. It should wait {missing:.1f} s and send the same again.",
                missing,
            )

    def look_at_room(self) -> None:
        """Find out, now and then, whether the disk is full."""
        if time.monotonic() - self._room_at < ROOM_EVERY_S:
            return
        self._room_at = time.monotonic()
        try:
            room.require(Path(current_app.config["UPLOADS"]))
            self.full = False
        except NoRoom:
            self.full = True


_beginning = Lock()


def live() -> Live:
    """Return what runs in this application; at first, what a server before this one was in the middle of."""
    found: Live | None = current_app.extensions.get(LIVE)
    if found is None:
        with _beginning:
            if (found := current_app.extensions.get(LIVE)) is None:
                found = Live()
                for row in db.session.scalars(select(LiveSession).where(LiveSession.ended.is_(None))):
                    stream = _stream_of(row, row.device, keys.of(row.user_id))
                    found.streams[row.device_id, stream.key] = stream
                current_app.extensions[LIVE] = found
    return found


def receive(device: KnownDevice, message: bytes) -> Ack:
    """Read a message of a device, and take it in; see `accept`.

    Raises
    ------
    UnreadableData : it is not as `read_batch` describes it.
    """
    return accept(device, _read(device, message))


def go_on(device: KnownDevice, message: bytes) -> Ack | None:
    """Do the same with a message of a session that runs; None: there is none, and nothing was done."""
    batch = _read(device, message)
    return accept(device, batch) if (device.id, batch.session_key) in live().streams else None


def _read(device: KnownDevice, message: bytes) -> Batch:
    live().allow(device.id, None)
    batch = read_batch(document_of(message))
    for name, samples in batch.sensors.items():
        if len(samples.time_s) and not YEAR_2000 <= samples.start_s <= samples.end_s < YEAR_2100:
            raise UnreadableData(f"time of {name}: expected Unix time in ns; found {1e9 * samples.time_s[0]:.0f}")
    return batch


def document_of(message: bytes) -> Any:
    """Return what a message says in JSON.

    Raises
    ------
    UnreadableData : it is none.
    """
    with suppress(ValueError):  # what is no strict JSON: half a character, NaN; and what is none at all
        return orjson.loads(message)
    try:
        return loads(message)
    except (ValueError, RecursionError) as error:
        raise UnreadableData(f"the message: expected JSON; found {str(error)[:80]}") from None


def accept(device: KnownDevice, batch: Batch) -> Ack:
    """Take a batch in: it is kept, and waits for the engine. Whatever came before is not taken again.

    Raises
    ------
    TooFast, Overloaded : the device sends too much, or the server cannot keep up; it is to send the same again.
    """
    here = live()
    here.allow(device.id, batch)
    here.look_at_room()
    key = (device.id, batch.session_key)
    ended = here.ended.get(key)
    if ended is not None and time.monotonic() - ended < ENDED_S:
        return Ack(0, 0, None, "This session has ended.")
    for _ in range(2):
        stream = here.streams.get(key) or _begin(here, device, batch.session_key)
        with stream.lock:
            if stream.ended:  # at this moment
                continue
            if len(stream.queue) >= MOST_QUEUED:
                raise Overloaded("The server cannot keep up just now. Send the same again in a moment.", 2.0)
            stream.take(batch, time.time(), here.full)
            ack = Ack(stream.health.received, stream.id, stream.answer, stream.message())
            here.full |= stream.unkept == FULL  # until it is looked at again: what is left is for the database
        here.news.set()
        return ack
    raise Busy("This session has just been ended. Send the same again.")


def _begin(here: Live, device: KnownDevice, key: str) -> Stream:
    """Begin a session."""
    with here.starting:
        if (stream := here.streams.get((device.id, key))) is not None:
            return stream
        consents.requires(Purpose.RECOGNITION, device.user_id)
        mine = here.running(device.user_id)
        if len(mine) >= RUNNING_EACH:
            raise TooFast(f"{RUNNING_EACH} sessions of yours run already. End one of them first.", 30.0)
        if len(here.streams) >= MOST_RUNNING:
            raise Overloaded("As many devices stream as this server takes. Try again later.", 30.0)
        own = keys.of(device.user_id)
        with transaction(PATIENCE_S) as session:
            taken = set(session.scalars(select(LiveSession.key).where(LiveSession.device_id == device.id)))
            stored, number = key, 1
            while stored in taken:  # it was ended, and its device goes on
                number += 1
                stored = f"{key[:56]}~{number}"
            row = LiveSession(
                device_id=device.id,
                user_id=device.user_id,
                key=stored,
                folder=f"{PREFIX}{uuid4().hex}",
                keeps=device.keeps,
                last_heard=moment_now(),
                facts={} if stored == key else {"key": key},
            )
            session.add(row)
            session.flush()
            stream = _stream_of(row, device, own)
        with here.lock:
            here.streams[device.id, key] = stream
    audit.record(Action.LIVE_STARTED, f"live session {stream.id}", device=device.id)
    return stream


def _stream_of(row: LiveSession, device: Device | KnownDevice, key: Key) -> Stream:
    return Stream(
        row.id,
        row.user_id,
        row.device_id,
        device.name,
        device.place,
        row.facts.get("key", row.key),
        row.keeps,
        Path(current_app.config["UPLOADS"]) / row.folder,
        (row.started or moment_now()).timestamp(),
        (row.last_heard or row.started or moment_now()).timestamp(),
        dict(row.facts),
        key,
    )


# --- what a person's pages show


def running(user_id: int) -> list[LiveSession]:
    """Return a person's sessions that run, the newest first."""
    own = select(LiveSession).where(LiveSession.user_id == user_id, LiveSession.ended.is_(None))
    return list(db.session.scalars(own.order_by(LiveSession.id.desc())))


def ended(user_id: int, limit: int = 10) -> list[LiveSession]:
    """Return a person's sessions that have ended, the newest first."""
    own = select(LiveSession).where(LiveSession.user_id == user_id, LiveSession.ended.is_not(None))
    return list(db.session.scalars(own.order_by(LiveSession.id.desc()).limit(limit)))


def get(user_id: int, session_id: int) -> LiveSession:
    """Return a session of this person; one of somebody else does not exist for them."""
    row = db.session.get(LiveSession, session_id)
    if row is None or row.user_id != user_id:
        raise NotFound("You have no such live session.")
    return row


def state(user_id: int) -> dict[str, Any]:
    """Return all that is known of a person at this moment, for a page that begins."""
    return {"sessions": [session_state(stream) for stream in live().running(user_id)]}


def session_state(stream: Stream) -> dict[str, Any]:
    """Return what is known of a session: how its device is, and the windows of the last minutes."""
    windows = sorted(stream.windows.copy().items())
    return {**who(stream), "health": health_of(stream), "windows": [window for _, window in windows]}


def who(stream: Stream) -> dict[str, Any]:
    """Return what a session is called."""
    return {"session": stream.id, "device": stream.device, "place": stream.place, "started_s": stream.started}


def health_of(stream: Stream) -> dict[str, Any]:
    """Return how a device and its connection are."""
    return {**who(stream), **stream.health.as_dict(), "last_heard_s": stream.last_heard, "message": stream.message()}


# --- ends


def end(user_id: int, session_id: int, reason: str = "ended on the page") -> LiveSession:
    """End a session; the engine says the last of it, and makes it a recording where that is wanted."""
    row = get(user_id, session_id)
    for stream in live().running(user_id):
        if stream.id == session_id:
            end_stream(stream, reason)
    db.session.refresh(row)
    return row


def end_of_device(device: KnownDevice, key: str) -> None:
    """End a session as its device wishes; what is still on the way does not begin another.

    Raises
    ------
    NotFound : none of this name runs.
    """
    here = live()
    stream = here.streams.get((device.id, key))
    if stream is None:
        raise NotFound("No such session runs on this device.")
    with here.lock:
        at = time.monotonic()
        here.ended = {other: then for other, then in here.ended.items() if at - then < ENDED_S}
        here.ended[device.id, key] = at
    end_stream(stream, "ended on the device")


def end_all(user_id: int, reason: str, device_id: int | None = None) -> None:
    """End a person's sessions, of one device or of all."""
    for stream in live().running(user_id):
        if device_id in (None, stream.device_id):
            end_stream(stream, reason)


def keep_none(user_id: int) -> None:
    """Let none of a person's sessions that run become a recording."""
    for stream in live().running(user_id):
        with stream.lock:
            stream.keeps = stream.journal.keeps = False


def end_stream(stream: Stream, reason: str) -> None:
    """End a session that runs, once."""
    here = live()
    with transaction():
        of_it = update(LiveSession).where(LiveSession.id == stream.id, LiveSession.ended.is_(None))
        changed = rows_changed(
            of_it.values(
                ended=moment_now(), end_reason=reason, last_heard=as_moment(stream.last_heard), facts=stream.row_facts()
            )
        )
    _take_out(here, stream)
    if changed:
        with here.lock:
            here.ending.append((stream, reason))
        here.news.set()
        audit.record(Action.LIVE_ENDED, f"live session {stream.id}", reason=reason)


def _take_out(here: Live, stream: Stream) -> None:
    with here.lock:
        if here.streams.get((stream.device_id, stream.key)) is stream:
            del here.streams[stream.device_id, stream.key]
    with stream.lock:
        stream.ended = True


def drop(user_id: int, device_id: int | None = None) -> list[Path]:
    """Stop a person's sessions without a recording, of one device or of all; return the folders of all they have had.

    For who deletes the rows then, and after that the folders.
    """
    here = live()
    with here.lock:
        here.ending = [(one, why) for one, why in here.ending if not _is_of(one, user_id, device_id)]
    for stream in here.running(user_id):
        if _is_of(stream, user_id, device_id):
            _take_out(here, stream)
            hub.publish(user_id, "ended", {**who(stream), "reason": "deleted", "keeps": False, "recording": None})
    of_them = select(LiveSession.folder).where(LiveSession.user_id == user_id)
    if device_id is not None:
        of_them = of_them.where(LiveSession.device_id == device_id)
    return [Path(current_app.config["UPLOADS"]) / name for name in db.session.scalars(of_them)]


def _is_of(stream: Stream, user_id: int, device_id: int | None) -> bool:
    return stream.user_id == user_id and device_id in (None, stream.device_id)


def folder_named(name: str) -> Path:
    """Return where the folder of a session lies, by its name in the row."""
    return Path(current_app.config["UPLOADS"]) / name


def delete_folders(folders: Iterable[Path]) -> None:
    """Delete the folders of sessions whose rows are gone."""
    for folder in folders:
        if folder.exists():
            leftovers.delete(folder)


def write_rows(streams: Sequence[Stream]) -> None:
    """Write what is known of sessions that run into their rows, and when their devices were heard."""
    if not streams:
        return
    with transaction(PATIENCE_S) as session:
        for stream in streams:
            with stream.lock:
                stream.facts = stream.row_facts()
            heard = as_moment(stream.last_heard)
            of_it = update(LiveSession).where(LiveSession.id == stream.id, LiveSession.ended.is_(None))
            session.execute(of_it.values(facts=stream.facts, last_heard=heard))
            session.execute(update(Device).where(Device.id == stream.device_id).values(last_heard=heard))


def watch_sharing() -> None:
    """Find out which devices are heard in two sessions at the same time: their token is shared."""
    heard: dict[int, list[Stream]] = {}
    for stream in live().running():
        if time.monotonic() - stream.heard < SHARED_S and stream.arrived:
            heard.setdefault(stream.device_id, []).append(stream)
    for stream in live().running():
        stream.shared = len(heard.get(stream.device_id, ())) > 1


def as_moment(unix_s: float) -> datetime:
    """Return a moment for a row."""
    return datetime.fromtimestamp(unix_s, timezone.utc)
