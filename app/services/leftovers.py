"""Folders that no row of the database knows, at the start of a server.

What a person deleted is deleted. What is whole may be somebody's only copy, for example after an older database was
restored: it is set aside in ``.leftovers/`` beside the others, and deleted after some time.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

from app.services import audit
from app.services.audit import Action
from app.services.files import DRAFT
from app.tables._columns import now

log = logging.getLogger(__name__)

ASIDE = ".leftovers"
DELETED = ".deleted-"  # begins the name of a folder whose row is gone because somebody wanted it
KEPT_DAYS = 30
DRAFT_S = 86_400.0  # in which somebody who works on a draft has written something
REMEMBERED: list[Callable[[Path], None]] = []  # what forgets what is in memory of a folder that is deleted


def delete(folder: Path) -> None:
    """Delete a folder whose row a person deleted; what cannot be deleted now is deleted at the next start."""
    for forget in REMEMBERED:
        forget(folder)
    with suppress(OSError):
        folder = folder.rename(folder.with_name(f"{DELETED}{folder.name}"))
    shutil.rmtree(folder, ignore_errors=True)


def _delete_old(draft: Path) -> None:
    """Delete a draft that nobody has written to for long: it was begun by a server, or a command, that died."""
    with suppress(OSError):
        last = max(path.lstat().st_mtime for path in (draft, *draft.glob("*")))  # a training may take longer than a day
        if last < now().timestamp() - DRAFT_S:
            shutil.rmtree(draft) if draft.is_dir() else draft.unlink()


def set_aside(folder: Path, root: Path) -> None:
    """Move a whole folder out of the way, and say so in both logs."""
    name = "-".join(folder.relative_to(root).parts)
    target = root / ASIDE / f"{now().date()}-{name}-{uuid4().hex[:8]}"
    target.parent.mkdir(mode=0o700, exist_ok=True)
    folder.rename(target)
    log.warning("the database does not know %s: it is now %s, and deleted in %d days", folder, target, KEPT_DAYS)
    audit.record(Action.LEFTOVER, name, set_aside=f"{root.name}/{ASIDE}/{target.name}", days=KEPT_DAYS)


def sweep(roots: Iterable[Path]) -> None:
    """Finish what deletions have left; delete what was set aside long ago, and drafts that nobody works on any more."""
    oldest = now().date() - timedelta(days=KEPT_DAYS)
    for root in roots:
        for folder in (*root.glob(f"{DELETED}*"), *root.glob(f"*/{DELETED}*")):
            shutil.rmtree(folder, ignore_errors=True)
        for draft in (*root.glob(f"{DRAFT}*"), *root.glob(f"*/{DRAFT}*")):
            _delete_old(draft)
        for folder in root.glob(f"{ASIDE}/*"):
            with suppress(ValueError):
                if date.fromisoformat(folder.name[:10]) < oldest:
                    shutil.rmtree(folder, ignore_errors=True)
                    audit.record(Action.LEFTOVER, folder.name, deleted=True)
