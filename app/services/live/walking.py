"""A person's own walking, where they have recorded it, as a measure for what they stream.

It is measured by a reader, as it is of uploads; a session begins without it, and goes on with it once it is there.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, current_app

from app.extensions import db
from app.har.errors import HarError
from app.services.errors import ServiceError
from app.services.models import model_versions
from app.services.recordings import reading, recordings

if TYPE_CHECKING:
    from app.har.classifiers.types import WalkingReference

log = logging.getLogger(__name__)

MOST_KEPT = 500
WALKS = "live_walks"  # in `app.extensions`


@dataclass(frozen=True)
class Measured:
    """What is known of a walk; ``reference`` is None while it is measured, or where it can't be."""

    reference: WalkingReference | None
    done: bool


def measured(user_id: int, place: str, version_id: int) -> Measured:
    """Return what a model measured of a person's own walking in a place; begins to measure it where it has not yet."""
    if not place or (own := recordings.walking_of(user_id, place)) is None:
        return Measured(None, True)
    kept: dict[tuple[int | None, int], Measured] = current_app.extensions.setdefault(WALKS, {})
    key = own.recording_id, version_id
    if key not in kept:
        if len(kept) >= MOST_KEPT:
            kept.clear()
        kept[key] = Measured(None, False)
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a thread needs the application

        def measure() -> None:
            with app.app_context():
                found = None
                try:
                    found = reading.measure_walking(user_id, own, model_versions.get(version_id))
                except (HarError, ServiceError, OSError) as error:
                    log.warning("the walking of user %d is not measured: %s", user_id, error)
                finally:
                    kept[key] = Measured(found, True)
                    db.session.remove()

        threading.Thread(target=measure, name="live walking", daemon=True).start()
    return kept[key]
