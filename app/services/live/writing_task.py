"""What a reader does of a live session that has ended: a day's journal is no work for the server's own process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.har.live import journal
from app.har.progress import OnEvent
from app.services import sealing


def write(arguments: Mapping[str, Any], on_event: OnEvent) -> dict[str, Any]:
    """Write the files of a journal as a recording."""
    target = Path(arguments["target"])
    key = sealing.only(arguments["key"])
    files = journal.Files(lambda path: sealing.created(path, key), sealing.opened, sealing.opened_bytes)
    journal.write_recording([Path(name) for name in arguments["files"]], target, files)
    return {"bytes": sealing.size(target)}
