"""Made-up people whose phones stream, for tests of what becomes of it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.services.live import devices, hub, sessions
from app.services.live.engine import engine
from app.services.live.simulated import Person, Phone
from app.services.live.tokens import KnownDevice
from app.services.models import reference_models
from app.tables import Device, LiveSession, User


def add_everyday(app: Flask) -> None:
    """Make the models that come with the program known, of which the everyday model is the default."""
    reference_models.add_new()


@dataclass
class Streamer:
    """A person with a device, and all that their page is told."""

    user: User
    token: str
    device: KnownDevice
    told: list[hub.Event] = field(default_factory=list)
    base: float = field(default_factory=lambda: time.time() - 120.0)  # when their day begins: what is sent is not new

    def __post_init__(self) -> None:
        self.user_id = self.user.id
        hub.subscribe(self.user_id, self.told.append)

    def messages(self, seconds: int, seed: int = 0, key: str = "walk") -> list[bytes]:
        """Return messages of a second each; those of a person are the same each time."""
        person, phone = Person(seed), Phone("http://x", self.token, key)
        bodies = []
        for second in range(seconds):
            times, values = person.second(float(second))
            sensors = {"totalacceleration": values[:, :3], "gyroscope": values[:, 3:]}
            bodies.append(phone.message({name: (times + self.base, own) for name, own in sensors.items()}))
        return bodies

    def send(self, *bodies: bytes, tick: bool = True) -> None:
        """Let messages come in, whatever the device may send at once, and recognise them."""
        for body in bodies:
            sessions.live()._allowances.clear()
            sessions.receive(self.device, body)
        if tick:
            engine().tick()

    def windows(self) -> dict[float, dict[str, Any]]:
        """Return what the page shows in the end, by when windows begin since the day began."""
        found = {}
        for event in self.told:
            for window in event.data.get("windows", ()) if event.kind == "window" else ():
                found[round(window["start_s"] - self.base, 2)] = window
        return found

    def row(self) -> LiveSession:
        """Return the newest session."""
        db.session.expire_all()
        return db.session.scalars(select(LiveSession).order_by(LiveSession.id.desc())).first()  # type: ignore[return-value]


def streamer(user: User, place: str = "", keeps: bool = False) -> Streamer:
    """Give a person a device."""
    device, token = devices.make(user.id, "phone", place, keeps)
    return Streamer(user, token, known(device))


def known(device: Device) -> KnownDevice:
    return KnownDevice(device.id, device.user_id, device.name, device.place, device.keeps, device.token_hash)


def restart(app: Flask) -> None:
    """Forget all that a server has in memory, as one that was killed."""
    for name in ("live", "live_engine", "live_hub", "live_tokens"):
        app.extensions.pop(name, None)
    db.session.remove()


def document(**changes: Any) -> dict[str, Any]:
    """Return a message as Sensor Logger sends it, with changes; None takes a key away."""
    stamp = time.time_ns()
    values = {"x": 0.1, "y": 9.8, "z": 0.2}
    payload = [{"name": "totalacceleration", "time": stamp + i * 10_000_000, "values": values} for i in range(50)]
    whole = {"messageId": 0, "sessionId": "walk", "deviceId": "phone", "payload": payload, **changes}
    return {key: value for key, value in whole.items() if value is not None}


def body(**changes: Any) -> bytes:
    return json.dumps(document(**changes)).encode()
