"""Purposes and uses: what is taken back stops what it was for, at once, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from app.extensions import db
from app.services import consents
from app.services.care import codes, people
from app.services.care import consents as care
from app.services.consents import NotAgreed
from app.services.errors import Conflict
from app.services.federation import sharing as federation
from app.services.live import devices, keeping, sessions, tokens
from app.services.live.streams import ENDING
from app.services.personal import consents as shared
from app.services.personal import corrections, sharing
from app.services.privacy import withdrawing
from app.services.purposes import Purpose
from app.services.recordings import reading
from app.tables import LiveSession, User
from app.tables._columns import now
from tests.long_recording import a_day, store
from tests.services.conftest import a_user

NEEDS = {  # use: to which purposes a person must have agreed
    "an upload is recognised": {Purpose.RECOGNITION},
    "a device is listened to": {Purpose.RECOGNITION},
    "a stream becomes a recording": {Purpose.LIVE, Purpose.RECOGNITION},
    "administrators see corrections": {Purpose.TRAINING},
    "a caregiver sees the person": {Purpose.CAREGIVER},
    "sums with the person are given to other sites": {Purpose.FEDERATION},
}


def uses(app: Flask, user_id: int, carla: User, monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], bool]]:
    """Return each use, which says whether it was possible."""
    device, token = devices.make(user_id, "phone")

    def upload() -> bool:
        with reading.turn(user_id):
            return True

    def listen() -> bool:
        return sessions._begin(sessions.live(), tokens.of_token(token), "walk").id > 0

    def keep() -> bool:
        row = LiveSession(
            device_id=device.id, user_id=user_id, key="k", folder="live-k", keeps=True, ended=now(), facts={}
        )
        db.session.add(row)
        db.session.commit()
        (folder := Path(app.config["UPLOADS"]) / "live-k").mkdir()
        (folder / f"000000{ENDING}").write_bytes(b"")
        kept: list[int] = []

        def recorded(of: LiveSession, *_: object) -> tuple[None, str]:
            kept.append(of.id)
            return None, ""

        monkeypatch.setattr(keeping, "_recorded", recorded)
        keeping.conclude_row(row)
        assert not folder.exists()
        return bool(kept)

    return {
        "an upload is recognised": upload,
        "a device is listened to": listen,
        "a stream becomes a recording": keep,
        "administrators see corrections": lambda: bool(sharing.overview()[0]),
        "a caregiver sees the person": lambda: bool(people.states(carla.id)),
        "sums with the person are given to other sites": lambda: federation._not_agreed() == [],
    }


def answer(possible: Callable[[], bool]) -> bool | Purpose:
    """Return whether a use was possible; where it was refused, for which purpose."""
    try:
        return possible()
    except NotAgreed as refused:
        return refused.purpose


@pytest.mark.parametrize("without", [None, *Purpose])
def test_what_is_taken_back_stops_what_it_was_for_and_nothing_else(
    app: Flask, user: User, monkeypatch: pytest.MonkeyPatch, without: Purpose | None
) -> None:
    carla, number = a_user("carla", role="caregiver"), user.id
    prediction = store(app, number, *a_day(0.2, rate_hz=20.0))
    corrections.add(number, prediction.recording, a_day(0.2, rate_hz=20.0)[1], [(0, 30.0, 60.0, "Walking")])
    shared.give(number, shared.VERSION)
    care.give(number, codes.code_of(carla), care.VERSION)
    for purpose in (Purpose.LIVE, Purpose.FEDERATION):
        consents.give(purpose, number, consents.version_of(purpose))
    if without is Purpose.CAREGIVER:
        care.withdraw(number, care.history(number)[0].id)
    elif without is Purpose.TRAINING:
        shared.withdraw(number)
    elif without is not None:
        withdrawing.withdraw(without, number)
    for purpose in Purpose:
        assert consents.holds(purpose, number, carla.id) is (purpose is not without)
    for use, possible in uses(app, number, carla, monkeypatch).items():
        assert answer(possible) in ((True,) if without not in NEEDS[use] else (False, without)), use


def test_a_device_that_keeps_is_agreed_to_with_the_device_and_taking_it_back_reaches_a_stream_that_runs(
    app: Flask, user: User
) -> None:
    device, token = devices.make(user.id, "phone", keeps=True)
    stream = sessions._begin(sessions.live(), tokens.of_token(token), "walk")
    assert stream.keeps
    assert consents.holds(Purpose.LIVE, user.id)
    withdrawing.withdraw(Purpose.LIVE, user.id)
    db.session.expire_all()
    assert (stream.keeps, stream.journal.keeps, devices.get(user.id, device.id).keeps) == (False, False, False)
    assert [one.keeps for one in sessions.running(user.id)] == [False]


def test_only_the_text_that_was_shown_is_agreed_to(app: Flask, user: User) -> None:
    with pytest.raises(Conflict):
        consents.give(Purpose.LIVE, user.id, consents.version_of(Purpose.LIVE) + 1)
    with pytest.raises(NotAgreed):
        consents.requires(Purpose.LIVE, user.id)
    consents.give(Purpose.LIVE, user.id, consents.version_of(Purpose.LIVE))
    consents.give(Purpose.LIVE, user.id, consents.version_of(Purpose.LIVE))
    assert [one.purpose for one in consents.history(user.id)] == ["live recording", "recognition"]
