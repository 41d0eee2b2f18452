"""Devices and their live sessions. What devices themselves send goes to /api/live, with tokens of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import url_for

from app.services.api.tokens import Scope
from app.services.live import devices, listing, sessions
from app.web.api.v1 import asked, shapes
from app.web.api.v1.operations import cursor_of, number_of, operation
from app.web.bearer import bearer

if TYPE_CHECKING:
    from app.tables import Device, LiveSession

LIVE = Scope.LIVE


@operation("GET", "/live/sessions", LIVE, shapes.LiveSessions)
def list_sessions(query: asked.PartQuery) -> shapes.LiveSessions:
    """List live sessions, running or ended."""
    found = listing.newest(bearer().id, number_of(query.cursor), query.limit)
    return shapes.LiveSessions([_session(row) for row in found.items], cursor_of(found.before))


@operation("GET", "/live/sessions/<int:session_id>", LIVE, shapes.LiveSession)
def get_session(session_id: int) -> shapes.LiveSession:
    """Get a session; while it runs, with its windows."""
    user_id = bearer().id
    row = sessions.get(user_id, session_id)
    state = next((one for one in sessions.state(user_id)["sessions"] if one["session"] == session_id), None)
    return _session(row, state)


@operation("POST", "/live/sessions/<int:session_id>/end", LIVE, shapes.LiveSession)
def end_session(session_id: int) -> shapes.LiveSession:
    """End a session."""
    return _session(sessions.end(bearer().id, session_id, "ended by a program"))


@operation("GET", "/live/devices", LIVE, shapes.Devices)
def list_devices() -> shapes.Devices:
    """List devices."""
    return shapes.Devices([_device(row) for row in devices.list_devices(bearer().id)])


@operation("POST", "/live/devices", LIVE, shapes.MadeDevice, 201)
def add_device(json: asked.NewDevice) -> tuple[Any, int]:
    """Add a device.

    Its token is in this answer alone. With an Idempotency-Key, the answer is kept for a day, and the token with it.
    """
    device, token = devices.make(bearer().id, json.name, json.place, json.keeps)
    return shapes.MadeDevice(_device(device), token, url_for("api.live")), 201


@operation("DELETE", "/live/devices/<int:device_id>", LIVE, status=204)
def revoke_device(device_id: int) -> tuple[str, int]:
    """Take nothing more from a device."""
    devices.revoke(bearer().id, device_id)
    return "", 204


def _device(row: Device) -> shapes.Device:
    return shapes.Device(row.id, row.name, row.place, row.keeps, row.created, row.last_heard, row.revoked)


def _session(row: LiveSession, state: dict[str, Any] | None = None) -> shapes.LiveSession:
    return shapes.LiveSession(
        row.id,
        row.device_id,
        row.started,
        row.last_heard,
        row.ended,
        row.end_reason,
        row.recording_id,
        row.keeps,
        state["health"] if state else None,
        state["windows"] if state else None,
    )
