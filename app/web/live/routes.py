"""Live: what a person is doing now, by the devices that they let stream; and the page that makes a phone one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.services import qr
from app.services.alarms import alarms
from app.services.errors import Invalid, ServiceError
from app.services.live import devices, hub, sessions
from app.services.recordings.places import PLACES
from app.web.access import access
from app.web.event_streams import event_stream
from app.web.live.forms import DeviceForm

if TYPE_CHECKING:
    from app.tables import Device

bp = Blueprint("live", __name__)
INGEST = "/api/live"


@bp.get("/")
@access("user")
def index() -> ResponseReturnValue:
    """Show what a person's devices say now, and the streams that have ended."""
    return render_template(
        "live/index.html",
        devices=[device for device in devices.list_devices(current_user.id) if device.revoked is None],
        ended=sessions.ended(current_user.id),
        places=dict(PLACES),
    )


@bp.get("/events")
@access("user")
def events() -> ResponseReturnValue:
    """Send what happens, as it happens; whoever comes back gets what they missed."""
    user_id = int(current_user.id)

    def state() -> dict[str, Any]:
        live = [alarms.as_change(alarm).data() for alarm in alarms.live_of(user_id)]
        return sessions.state(user_id) | {"alarms": live}

    def since(last_id: int | None) -> Sequence[hub.Event]:
        return hub.since(user_id, last_id, state)

    return event_stream(partial(hub.subscribe, user_id), since)


@bp.post("/sessions/<int:session_id>/end")
@access("user")
def end(session_id: int) -> ResponseReturnValue:
    """End a stream; what its device sends afterwards begins another."""
    session = sessions.end(current_user.id, session_id, "ended on the page")
    if session.keeps:
        flash("The stream has ended. Its recording appears on Home in a moment.", "success")
    else:
        flash("The stream has ended. What was sent is deleted, as the device does not keep recordings.", "success")
    return redirect(url_for(".index"))


@bp.get("/devices")
@access("user")
def list_devices() -> ResponseReturnValue:
    """List a person's devices."""
    return _devices_page(DeviceForm())


@bp.post("/devices")
@access("user")
def add_device() -> ResponseReturnValue:
    """Add a device; its token is on the page that follows, once."""
    form = DeviceForm()
    try:
        if not form.validate_on_submit():
            raise Invalid("Check the fields marked below.")
        device, token = devices.make(current_user.id, form.name.data or "", _place(form), form.keeps.data)
    except ServiceError as error:
        flash(str(error), "danger")
        return _devices_page(form), error.status
    return _connect_page(device, token)


@bp.post("/devices/<int:device_id>")
@access("user")
def change_device(device_id: int) -> ResponseReturnValue:
    """Change a device's name, its place, or whether it keeps recordings."""
    form = DeviceForm()
    if form.validate_on_submit():
        devices.change(current_user.id, device_id, name=form.name.data or "", place=_place(form), keeps=form.keeps.data)
        flash("Changed. A stream that runs goes on as it began.", "success")
    else:
        flash("Nothing was changed: a device needs a name of at most 80 letters.", "danger")
    return redirect(url_for(".list_devices"))


@bp.post("/devices/<int:device_id>/connect")
@access("user")
def connect_device(device_id: int) -> ResponseReturnValue:
    """Give a device a new token; the old one is void from then on."""
    token = devices.renew(current_user.id, device_id)
    return _connect_page(devices.get(current_user.id, device_id), token)


@bp.post("/devices/<int:device_id>/revoke")
@access("user")
def revoke_device(device_id: int) -> ResponseReturnValue:
    """Take nothing more from a device."""
    devices.revoke(current_user.id, device_id)
    flash("The device can send nothing any more. Connect it again to give it a new token.", "success")
    return redirect(url_for(".list_devices"))


@bp.get("/phone")
@access("public")
def phone() -> ResponseReturnValue:
    """Let a phone's browser stream; who it is for stands in a part of the address that no server sees."""
    return render_template("live/phone.html", ingest=INGEST)


def _place(form: DeviceForm) -> str:
    place = form.place.data or ""
    if place and place not in PLACES:
        raise Invalid(f"The place must be one of {', '.join(PLACES)}; found “{place}”.", "place")
    return place


def _devices_page(form: DeviceForm) -> str:
    return render_template(
        "live/devices.html",
        form=form,
        places=PLACES,
        devices=devices.list_devices(current_user.id),
        streaming={each.device_id for each in sessions.running(current_user.id)},
    )


def _connect_page(device: Device, token: str) -> str:
    address = f"{url_for('.phone', _external=True)}#{token}"
    return render_template(
        "live/connect.html",
        device=device,
        token=token,
        address=address,
        qr=qr.picture(address),
        push=request.host_url.rstrip("/") + INGEST,
        secure=request.is_secure,
    )
