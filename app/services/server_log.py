"""The server's log: what a person entered cannot begin a line of it, nor steer the terminal that shows it."""

from __future__ import annotations

import copy
import logging
import threading
import time
from types import TracebackType

LONGEST_LINE = 2000  # characters; a message may quote what somebody sent
BELOW = "    | "  # begins each line of a traceback, so that none of them looks like an entry

SysExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LineFormatter(logging.Formatter):
    """A line for an entry, its time in UTC; below it, set in, the lines of a traceback."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record = copy.copy(record)
        record.exc_text = None  # another handler may have formatted the traceback as it is
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the name is logging's
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: SysExcInfo) -> str:  # noqa: N802
        return _set_in(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return _set_in(stack_info)


def printable(text: str) -> str:
    """Write what cannot be printed (line breaks, escapes, marks of direction, half characters) as ``\\x1b``."""
    shown = text if text.isprintable() else "".join(map(_printable_character, text[: LONGEST_LINE + 1]))
    return shown if len(shown) <= LONGEST_LINE else f"{shown[:LONGEST_LINE]}…"


def _printable_character(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def _set_in(text: str) -> str:
    return "\n".join(BELOW + printable(line) for line in text.split("\n"))


def configure(level: int) -> None:
    """Log from a level on to standard error, with Python's warnings and what ends a thread."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level, handlers=[handler])
    logging.captureWarnings(True)
    threading.excepthook = _log_end_of_thread


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    name = ended.thread.name if ended.thread else "a thread"
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        logging.getLogger(__name__).error("%s ended by an error", name, exc_info=ended.exc_value)
