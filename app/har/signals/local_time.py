"""Clocks on the wall: a device that was set to local time says the hour, but not in which time zone.

A recording of such a clock (`Recording.local_clock`) counts as if the clock were UTC until it is said in which zone the
device was set to its time. Then it is a moment like any other's, for whoever reads it, wherever they are.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone, tzinfo

from app.har.signals.clocks import first_s
from app.har.signals.types import Recording


def in_zone(recording: Recording, zone: tzinfo) -> Recording:
    """Return a recording in UTC, where its clock is local without a zone: of this zone; any other as it is.

    A device is set once and knows of no summer time: what holds at its first sample holds to its last.
    """
    if not recording.local_clock or recording.origin_utc_s is None:
        return recording
    begins_s = recording.origin_utc_s + first_s(recording.streams)
    origin_s = recording.origin_utc_s - ahead(begins_s, zone)
    return replace(recording, origin_utc_s=origin_s, local_clock=False, clock_zone=str(zone))


def ahead(moment_s: float, zone: tzinfo) -> float:
    """Return by how many seconds local time is ahead of UTC when a clock on the wall reads a moment."""
    wall = datetime.fromtimestamp(moment_s, timezone.utc).replace(tzinfo=zone)
    offset = wall.utcoffset()
    return offset.total_seconds() if offset is not None else 0.0
