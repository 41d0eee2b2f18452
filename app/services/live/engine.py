"""The engine: one thread that recognises what comes in, of all sessions at once, and says so to those who listen.

It runs in the server alone. A session that it fails at is begun anew from its journal; if it fails again the session
rests for a while and says so, and the others go on. A second thread sees that it never stops, a third makes recordings
of sessions that have ended.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, current_app
from sqlalchemy import select

from app.extensions import db
from app.har.errors import HarError
from app.har.falls.watch import FallCandidate, FallWatch
from app.har.live.batches import Batch
from app.har.live.recogniser import BEHIND_S, LiveRecogniser, LiveTrack, LiveWindow
from app.har.vocabulary import ANYTHING
from app.services import falls as fall_detectors
from app.services.alarms import life, watching
from app.services.errors import Busy, NoRoom, ServiceError
from app.services.live import hub, keeping, sessions, walking
from app.services.live.answering import COUNTED_S, SHOWN_S, Answering, Model
from app.services.live.streams import Stream
from app.services.models import model_files, model_versions
from app.services.personal import heads
from app.services.recordings import quota
from app.tables import Alarm, ModelVersion

log = logging.getLogger(__name__)

TICK_S = 0.2  # from one look at what has come to the next
MOST_REST_S = 0.3  # after a look that took long: what comes meanwhile is recognised together, at less cost each
MODEL_EVERY_S = 10.0
HEALTH_EVERY_S = 5.0
ROWS_EVERY_S = 60.0
HEADS_EVERY_S = 300.0
RESTS_S = 30.0  # a session that the engine failed at twice
SILENT_S = 15 * 60.0  # after which a session ends by itself
STUCK_S = 60.0
BEGUN_AT_ONCE = 4  # sessions in one tick
LAGS_S, BEHIND_LAGGING_S = 0.8, 0.5  # a step that takes longer; then windows that overlap are cut if they are so new
SAME_FALL_S = 10.0
MOST_SAID = 60  # windows in one event: a session that goes on after a restart may have hundreds
LEAST_S = 1e-6  # of an answer; less is what rounding leaves
MOST_COUNTED = 1200  # windows of which it is known what they were counted as
ENGINE = "live_engine"  # in `app.extensions`


@dataclass(eq=False)
class _Own:
    """What the engine keeps of a session."""

    track: LiveTrack
    answering: Answering
    heads_at: float
    walking_known: bool  # or that there is none
    falls: FallWatch
    noticed: Sequence[float]  # falls that a server before this one has noticed
    pulse: tuple[float, float] | None = None  # beats/min, and when
    told: float = 0.0  # when its health was said
    message: str = ""


@dataclass
class Engine:
    """What is recognised, by which model; `tick` does what there is to do."""

    model: Model | None = None
    why_not: str = ""  # there is no model
    beat: float = field(default_factory=time.monotonic)
    _own: dict[int, _Own] = field(default_factory=dict)  # by session
    _rests: dict[int, float] = field(default_factory=dict)
    _model_at: float = -MODEL_EVERY_S
    _rows_at: float = field(default_factory=time.monotonic)
    _slow_at: float = 0.0
    _devices_at: float = 0.0

    def tick(self) -> None:
        """Recognise what has come, say it, and see after what is due."""
        here = sessions.live()
        ending, here.ending = here.ending, []
        news = [(stream, batches) for stream in self._next(here.running()) if (batches := stream.taken())]
        if news or ending:
            self._look_for_model()
        self._recognise(news)
        for stream, reason in ending:
            self._finish(stream, reason)
        if time.monotonic() - self._slow_at >= 1.0:
            self._slow_at = time.monotonic()
            self._each_second()
        self.beat = time.monotonic()

    def _next(self, running: Sequence[Stream]) -> list[Stream]:
        """Return the sessions that run, of those that are new a few: to begin one takes as long as many windows."""
        known = [stream for stream in running if stream.id in self._own]
        new = [stream for stream in running if stream.id not in self._own and stream.queue]
        return known + new[:BEGUN_AT_ONCE]

    # --- the model

    def _look_for_model(self) -> None:
        """Load the default model, or another one where that has changed; sessions go on with it from their journals."""
        if time.monotonic() - self._model_at < MODEL_EVERY_S:
            return
        self._model_at = time.monotonic()
        try:
            version = model_versions.get_or_default(None)
            kept = self.model
            asked = version.id, model_versions.limit_of(version), dict(version.prior)
            if kept is not None and asked == (kept.version_id, kept.limit, kept.prior):
                return
            self.model = _load(version)
            self.why_not = ""
        except (HarError, ServiceError, OSError) as error:
            log.warning("there is no model to recognise live with: %s", error)
            self.model, self.why_not = None, f"Nothing is recognised: {error}"
        self._own.clear()

    def _open(self, stream: Stream, model: Model) -> _Own:
        version = model_versions.get(model.version_id)
        learnt = heads.current(stream.user_id, version).get(stream.place) if stream.place else None
        known = walking.measured(stream.user_id, stream.place, model.version_id)
        track = model.recogniser.open(stream.place, known.reference)
        falls = FallWatch(fall_detectors.current())
        falls.threshold = watching.fall_threshold(stream.user_id, falls.method, falls.threshold)
        noticed = _falls_of(stream) if stream.restored_s > -float("inf") else ()
        return _Own(track, Answering(model, learnt), time.monotonic(), known.done, falls, noticed)

    # --- what has come

    def _recognise(self, news: Sequence[tuple[Stream, Sequence[Batch]]]) -> None:
        model = self.model
        if model is None:
            for stream, _ in news:
                stream.faulty = self.why_not
            return
        ready: list[tuple[Stream, _Own, Sequence[Batch]]] = []
        for stream, batches in news:
            if time.monotonic() < self._rests.get(stream.id, 0.0):
                stream.begun = True
                continue
            try:
                own = self._own.get(stream.id)
                if own is None:
                    own = self._open(stream, model)
                    if stream.begun:  # by another model, or before a fault
                        batches, own.noticed = stream.in_order(), _falls_of(stream)
                    self._own[stream.id], stream.begun = own, True
                ready.append((stream, own, batches))
            except Exception:
                self._failed(stream)
        if not ready:
            return
        try:
            began = time.monotonic()
            found = model.recogniser.step([(own.track, batches) for _, own, batches in ready])
            # Before what is said comes late, less is said: the windows of an upload, and none between them
            lags = time.monotonic() - began > LAGS_S
            model.recogniser.behind_s = BEHIND_LAGGING_S if lags else BEHIND_S
        except Exception:
            log.exception("windows of %d sessions could not be recognised together", len(ready))
            for stream, _, _ in ready:
                self._begin_anew(stream, model)
            return
        for (stream, own, batches), windows in zip(ready, found, strict=True):
            try:
                self._watch_over(stream, own, batches)
                self._say(stream, own, windows)
            except Exception:
                self._failed(stream)

    def _begin_anew(self, stream: Stream, model: Model) -> None:
        """Recognise one session by itself from its journal: of several, one was the fault of all."""
        try:
            own = self._own[stream.id] = self._open(stream, model)
            batches = stream.in_order()
            own.noticed = _falls_of(stream)
            (windows,) = model.recogniser.step([(own.track, batches)])
            self._watch_over(stream, own, batches)
            self._say(stream, own, windows)
        except Exception:
            self._failed(stream)

    def _failed(self, stream: Stream) -> None:
        log.exception("live session %d is not recognised for a while", stream.id)
        stream.begun = True
        self._own.pop(stream.id, None)
        self._rests[stream.id] = time.monotonic() + RESTS_S
        stream.faulty = f"What you do could not be recognised just now. It is tried again in {RESTS_S:.0f} s."
        self._tell_health(stream)

    def _watch_over(self, stream: Stream, own: _Own, batches: Sequence[Batch]) -> None:
        """Look for falls in what has come, at the pulse, and at the air pressure."""
        for batch in batches:
            for fall in own.falls.step(batch.sensors):
                self._notice(stream, own, fall, batch.end_s - fall.time_s)
            if (pressure := batch.sensors.get("pressure")) is not None:
                own.answering.hear_pressure(pressure.time_s, pressure.values[:, 0])
            pulse = batch.sensors.get("heart_rate")
            if pulse is not None and len(pulse.time_s):
                bpm = float(pulse.values[pulse.time_s.argmax(), 0])
                guess, answer = stream.activity or ANYTHING, stream.answer or ANYTHING
                watching.on_heart_rate(stream.user_id, stream.id, bpm, guess, time.time(), answer)

    def _notice(self, stream: Stream, own: _Own, fall: FallCandidate, ago_s: float) -> None:
        if all(abs(fall.time_s - before) > SAME_FALL_S for before in own.noticed):
            watching.on_fall(stream.user_id, stream.id, fall, time.time(), ago_s)

    def _say(self, stream: Stream, own: _Own, windows: Sequence[LiveWindow], at_end: bool = False) -> None:
        """Tell pages what a session's windows are answered."""
        stream.faulty = ""
        self._rests.pop(stream.id, None)
        said = own.answering.answer(windows, time.time() - stream.started, at_end)
        if not said:
            return
        if own.answering.put_back:
            stream.windows, stream.counted = {}, {}
            stream.counted_s = min(stream.counted_s, said[0]["start_s"])
        for window in said:
            stream.windows[window["start_s"]] = window
            _count(stream, window)
        newest = max(stream.windows)
        stream.answer, stream.activity = (stream.windows[newest][name] for name in ("answer", "activity"))
        oldest = newest - SHOWN_S
        stream.windows = {start: window for start, window in stream.windows.items() if start >= oldest}
        for first in range(0, len(said), MOST_SAID):
            told = said[first : first + MOST_SAID]
            heard = {**sessions.who(stream), "windows": told, "arrived_s": stream.taken_since}
            hub.publish(stream.user_id, "window", heard)
        seen = [_seen(window) for window in said if window["start_s"] >= oldest]  # older ones were seen long ago
        watching.on_windows(stream.user_id, stream.id, seen, time.time())

    def _finish(self, stream: Stream, reason: str) -> None:
        """Say the last of a session that has ended, and let it become a recording, or go."""
        with stream.lock:
            stream.flush()
        rest = stream.taken()
        self._recognise([(stream, rest)] if rest else [])
        own = self._own.pop(stream.id, None)
        if own is not None and self.model is not None:
            try:
                for fall in own.falls.end():
                    self._notice(stream, own, fall, own.track.stream.latest_s - fall.time_s)
                self._say(stream, own, self.model.recogniser.finish(own.track), at_end=True)
            except Exception:
                log.exception("the last windows of live session %d are not recognised", stream.id)
        self._rests.pop(stream.id, None)
        watching.on_ended(stream.user_id, stream.id, time.time())
        keeping.conclude(stream, reason)

    # --- what is due

    def _each_second(self) -> None:
        """See after devices, sessions that are silent, and what is kept; each by itself."""
        for what in (
            self._move_alarms,
            sessions.watch_sharing,
            self._tell_all,
            self._end_silent,
            self._keep_rows,
            self._renew_heads,
        ):
            try:
                what()
            except (Busy, NoRoom) as error:
                log.warning("live sessions wait: %s", error)
            except Exception:
                log.exception("the engine could not do all that is due")
        hub.current().drop_unused()

    def _move_alarms(self) -> None:
        watching.tick(time.time(), time.monotonic())
        if time.monotonic() - self._devices_at < HEALTH_EVERY_S:
            return
        self._devices_at = time.monotonic()
        for stream in sessions.live().running():
            watching.on_device(stream.user_id, stream.id, stream.last_heard, stream.health.battery, time.time())

    def _tell_all(self) -> None:
        for stream in sessions.live().running():
            own = self._own.get(stream.id)
            if own is None or time.monotonic() - own.told >= HEALTH_EVERY_S or own.message != stream.message():
                if own is not None:
                    own.told, own.message = time.monotonic(), stream.message()
                if own is not None or stream.faulty:
                    self._tell_health(stream)

    def _tell_health(self, stream: Stream) -> None:
        hub.publish(stream.user_id, "device", sessions.health_of(stream))

    def _end_silent(self) -> None:
        for stream in sessions.live().running():
            if time.time() - stream.last_heard > SILENT_S and time.monotonic() - stream.heard > min(SILENT_S, 60.0):
                sessions.end_stream(stream, f"silent for {SILENT_S / 60:.0f} minutes")

    def _keep_rows(self) -> None:
        if time.monotonic() - self._rows_at < ROWS_EVERY_S:
            return
        self._rows_at = time.monotonic()
        running = sessions.live().running()
        sessions.write_rows([stream for stream in running if stream.arrived])
        for user_id in {stream.user_id for stream in running if stream.keeps}:
            own = quota.quota_of(user_id)
            for stream in running:
                if stream.user_id == user_id and stream.keeps and own.used > own.limit:
                    stream.unkept = f"{own} What you do is recognised, but no more of it is kept."
        keeping.retry()

    def _renew_heads(self) -> None:
        """Take up what a person has corrected, or switched on or off, since their session began."""
        if self.model is None:
            return
        for stream in sessions.live().running():
            own = self._own.get(stream.id)
            if own is None:
                continue
            if not own.walking_known:
                known = walking.measured(stream.user_id, stream.place, self.model.version_id)
                own.walking_known = known.done
                if known.reference is not None:
                    self._begin_anew(stream, self.model)
            if time.monotonic() - own.heads_at < HEADS_EVERY_S:
                continue
            own.heads_at = time.monotonic()
            if not stream.place:
                continue
            learnt = heads.current(stream.user_id, model_versions.get(self.model.version_id)).get(stream.place)
            head = learnt.head if learnt is not None and learnt.switched_on else None
            if head is not own.answering.head:
                own.answering = Answering(self.model, learnt)


def _load(version: ModelVersion) -> Model:
    from threadpoolctl import threadpool_limits

    recogniser = LiveRecogniser(model_files.load(model_versions.directory(version), version.label))
    threadpool_limits(1)  # of this process: over so few windows, BLAS's threads wait for each other at twice the cost
    limit = model_versions.limit_of(version)
    return Model(version.id, version.label, recogniser, limit, dict(version.prior))


def _count(stream: Stream, window: dict[str, Any]) -> None:
    """Add a window to the seconds of its answer, once, up to where the next one begins; or to another one's, later."""
    start_s, answer, seconds = window["start_s"], window["answer"], stream.seconds
    if (before := stream.counted.get(start_s)) is not None:
        was, passed_s = before
        seconds[was] -= passed_s
        if seconds[was] < LEAST_S:
            del seconds[was]
    else:
        passed_s = min(window["end_s"] - max(stream.counted_s, start_s), COUNTED_S)
        if passed_s <= 0:
            return
        stream.counted_s = window["end_s"]
        while len(stream.counted) >= MOST_COUNTED:
            del stream.counted[next(iter(stream.counted))]
    stream.counted[start_s] = answer, passed_s
    seconds[answer] = seconds.get(answer, 0.0) + passed_s


def _seen(window: dict[str, Any]) -> watching.Seen:
    return watching.Seen(
        window["start_s"],
        window["end_s"],
        window["answer"],
        window["activity"],
        window["confidence"] or 0.0,
        window["unworn"],
        window["unfamiliar"],
    )


def _falls_of(stream: Stream) -> list[float]:
    """Return when falls of a session happened that were noticed already (Unix seconds, the device's clock)."""
    rows = db.session.scalars(select(Alarm.facts).where(Alarm.session_id == stream.id, Alarm.kind == life.FALL))
    facts = [own for row in rows for own in (row, row.get("latest", {}))]
    return [float(own["time_s"]) for own in facts if "time_s" in own]


# --- threads


def engine() -> Engine:
    """Return the application's engine, whether it runs in a thread or not."""
    found: Engine = current_app.extensions.setdefault(ENGINE, Engine())
    return found


def start(app: Flask) -> None:
    """Begin to recognise, for as long as the server runs."""
    with app.app_context():
        keeping.take_up()
        sessions.live()
        engine()
    threading.Thread(target=_watch, args=(app,), name="live watchdog", daemon=True).start()


def _run(app: Flask) -> None:
    news = None
    while True:
        began = time.monotonic()
        try:
            with app.app_context():
                news = sessions.live().news
                engine().tick()
        except Exception:  # whatever it was: people rely on alarms
            log.exception("the engine stumbled")
        took_s = time.monotonic() - began
        time.sleep(max(TICK_S - took_s, min(took_s, MOST_REST_S)))
        if news is not None:
            news.wait(1.0)
            news.clear()


def _watch(app: Flask) -> None:
    """Start the engine, and again should its thread ever end; say where it is, should it be stuck."""
    thread, told = None, False
    while True:
        if thread is None or not thread.is_alive():
            thread = threading.Thread(target=_run, args=(app,), name="live engine", daemon=True)
            thread.start()
        with app.app_context():
            stuck = time.monotonic() - engine().beat > STUCK_S
        if stuck and not told:
            frame = sys._current_frames().get(thread.ident or 0)
            where = "".join(traceback.format_stack(frame)) if frame is not None else ""
            log.error("the engine has been at one thing for more than %.0f s:\n%s", STUCK_S, where)
        told = stuck
        time.sleep(5.0)
