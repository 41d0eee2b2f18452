"""The readers of this process: warm child processes, one job at a time each, ended when a job goes too far.

An answer is a line of JSON of limited length, never a pickle: a reader has had a stranger's file in its hands. What is
large is written as files into the folder that the job names.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from app.har import errors
from app.har.errors import HarError, UnreadableData, UnusableRecording
from app.har.progress import OnEvent, ignore_event
from app.services.environment import without_secrets

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[3]
MAX_ANSWER = 32 * 2**20  # bytes of a line
STARTING_S = 60.0  # that a reader may take until it listens
KEPT = 2  # readers that wait for the next job
KEPT_MIB = 512  # a reader that has grown beyond is not kept


@dataclass(frozen=True)
class Limits:
    """How far a job may go."""

    timeout_s: float
    memory_mib: int  # besides what the program itself takes
    timeout_setting: str = "READ_TIMEOUT_S"  # that an administrator may raise


class ReaderFailed(RuntimeError):
    """A reader met a fault of the program; its traceback is in the log."""


class _Reader:
    """A child process."""

    def __init__(self, memory_mib: int) -> None:
        self.memory_mib = memory_mib
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app.services.readers.child", str(memory_mib)],
            cwd=ROOT,
            env=without_secrets(MALLOC_ARENA_MAX="2"),  # each arena reserves address space, which counts
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._lines: Queue[bytes] = Queue()
        self._is_ready = False
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def ask(self, task: str, arguments: dict[str, Any], limits: Limits, on_event: OnEvent) -> dict[str, Any]:
        """Send a job and return its ``result`` or ``error``.

        Raises
        ------
        UnreadableData : it took too long, or ended; this reader is of no more use.
        """
        job = {"task": task, "arguments": arguments, "timeout_s": limits.timeout_s}
        assert self._process.stdin is not None  # noqa: S101  a pipe was asked for
        with suppress(OSError):  # where it has ended, as the answer will say
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
        ends = time.monotonic() + limits.timeout_s + (0.0 if self._is_ready else STARTING_S)
        while True:
            try:
                line = self._lines.get(timeout=max(ends - time.monotonic(), 0.0))
            except Empty:
                raise UnreadableData(
                    f"Reading this file took longer than {limits.timeout_s:,.0f} s, which is the limit here. Use a "
                    f"part of it, or ask an administrator to raise {limits.timeout_setting}."
                ) from None
            if not line.endswith(b"\n"):
                self.end()
                log.warning("a reader ended with status %s", self._process.returncode)
                if line:
                    raise UnreadableData("Reading this file gives more than the server accepts. Use a part of it.")
                raise UnreadableData(
                    f"Reading this file needed more than {limits.memory_mib:,} MB of memory, which is the limit here, "
                    "or the program that read it was ended, by damage in the file for one. Try again, use a part of "
                    "it, or ask an administrator to raise READ_MEMORY_MB."
                )
            message: dict[str, Any] = json.loads(line)
            if "ready" in message:
                self._is_ready, ends = True, time.monotonic() + limits.timeout_s
            elif "event" in message:
                on_event(message["event"])
            else:
                return message

    def _listen(self) -> None:
        """Hand on the lines that it writes; one that is too long, or no line at all, is the last."""
        assert self._process.stdout is not None  # noqa: S101  a pipe was asked for
        line = b"\n"
        with self._process.stdout as lines:
            while line.endswith(b"\n"):
                line = lines.readline(MAX_ANSWER)
                self._lines.put(line)

    def is_small(self) -> bool:
        """Tell whether it takes little more memory than a fresh one; where nobody can say, it does."""
        try:
            resident = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1]
            return int(resident) * os.sysconf("SC_PAGE_SIZE") < KEPT_MIB * 2**20
        except (OSError, IndexError):
            return True

    def end(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()


_idle: list[_Reader] = []
_lock = threading.Lock()


def ask(task: str, arguments: dict[str, Any], limits: Limits, on_event: OnEvent = ignore_event) -> Any:
    """Let a reader do a job, and return its result: plain values.

    Parameters
    ----------
    task : "module:function" of a function that takes the arguments and `on_event`, and returns plain values.
    arguments : plain values.

    Raises
    ------
    HarError : as the function raised it; UnreadableData where a limit was hit.
    OSError : as the function raised it, a full disk for one.
    ReaderFailed : it raised something else.
    """
    reader = _take(limits.memory_mib)
    try:
        answer = reader.ask(task, arguments, limits, on_event)
    except BaseException:
        _give_back(reader, usable=False)
        raise
    _give_back(reader, usable=True)
    if "error" in answer:
        raise _raised(answer["error"])
    return answer["result"]


def warm(memory_mib: int) -> None:
    """Start a reader, so that the first file need not wait for it."""
    with _lock:
        if not _idle:
            _idle.append(_Reader(memory_mib))


def _raised(answer: dict[str, Any]) -> Exception:
    """Return the error that a reader reported."""
    if "errno" in answer:
        return OSError(answer["errno"], answer["message"]) if answer["errno"] else OSError(answer["message"])
    kind = getattr(errors, str(answer.get("kind")), None)
    if not (isinstance(kind, type) and issubclass(kind, HarError)):
        return ReaderFailed(answer["message"])
    error = kind(answer["message"])
    if isinstance(error, UnusableRecording):
        error.held = answer.get("held")
    return error


def _take(memory_mib: int) -> _Reader:
    with _lock:
        for reader in reversed(_idle):
            if reader.memory_mib == memory_mib:
                _idle.remove(reader)
                if reader.lives:
                    return reader
                reader.end()
    return _Reader(memory_mib)


def _give_back(reader: _Reader, *, usable: bool) -> None:
    usable = usable and reader.lives and reader.is_small()
    if not usable:
        reader.end()
        try:
            reader = _Reader(reader.memory_mib)  # it is warm by the time that somebody needs it
        except OSError as error:  # the next job starts one, or says why it cannot
            log.warning("no reader could be started ahead: %s", error)
            return
    with _lock:
        _idle.append(reader)
        too_many = [_idle.pop(0)] if len(_idle) > KEPT else []
    for one in too_many:
        one.end()


def _end_all() -> None:
    with _lock:
        for reader in _idle:
            reader.end()
        _idle.clear()


atexit.register(_end_all)
