"""What readers are made to do in tests: see `test_readers`."""

from __future__ import annotations

import errno
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from app.har.errors import UnusableRecording
from app.services.environment import SECRETS


def echo(arguments: dict[str, Any], on_event: Any) -> Any:
    on_event({"stage": "reading", "fraction": 1.0})
    return arguments


def hold_the_interpreter(arguments: dict[str, Any], on_event: Any) -> None:
    """Match a pattern that takes years: no other thread of the process runs meanwhile."""
    re.fullmatch("(a+)+b", "a" * 60)


def fill_memory(arguments: dict[str, Any], on_event: Any) -> None:
    while True:
        arguments.setdefault("kept", []).append(np.ones(2**22))


def end_the_program(arguments: dict[str, Any], on_event: Any) -> None:
    os.abort()


def talk(arguments: dict[str, Any], on_event: Any) -> str:
    return "x" * (40 * 2**20)


def refuse(arguments: dict[str, Any], on_event: Any) -> None:
    raise UnusableRecording("too short")


def full_disk(arguments: dict[str, Any], on_event: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def fail(arguments: dict[str, Any], on_event: Any) -> None:
    raise KeyError("a person's secret")


def number(arguments: dict[str, Any], on_event: Any) -> int:
    return os.getpid()


def secrets(arguments: dict[str, Any], on_event: Any) -> list[str]:
    """Return which there are, also in what the system keeps of the environment that a process was started with."""
    started_with = Path("/proc/self/environ")
    text = started_with.read_text() if started_with.exists() else ""
    return [name for name in sorted(SECRETS) if name in os.environ or f"{name}=" in text]


def sleep(arguments: dict[str, Any], on_event: Any) -> None:
    on_event({"stage": "reading", "number": os.getpid()})
    time.sleep(60)
