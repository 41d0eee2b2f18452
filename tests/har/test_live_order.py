"""Batches of a device: what is read of a message, and the order that they are put in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.har.errors import UnreadableData
from app.har.live.batches import Batch, read_batch
from app.har.live.reorder import MOST_REMEMBERED, MOST_WAITING, WAIT_S, Reorder

NS = 1_700_000_000_000_000_000


def message(*entries: dict[str, object], **changed: object) -> dict[str, object]:
    return {"messageId": 3, "sessionId": "s", "deviceId": "d", "payload": list(entries)} | changed


def entry(name: str, x: float, y: float, z: float, time: object = NS) -> dict[str, object]:
    return {"name": name, "time": time, "values": {"z": z, "y": y, "x": x}}


def test_sensors_have_our_names_and_the_time_is_in_seconds() -> None:
    batch = read_batch(
        message(
            entry("accelerometer", 1, 2, 3),
            entry("totalacceleration", 0, 0, 9.8, str(NS + 500_000_000)),
            entry("gyroscope", 0.1, 0.2, 0.3),
            {"name": "heartrate", "time": NS, "values": {"bpm": 71}},
            {"name": "battery", "time": NS, "values": {"batteryLevel": 0.5, "batteryState": "unplugged"}},
            {"name": "orientation", "time": NS, "values": {"qx": 0}},
        )
    )
    assert set(batch.sensors) == {"movement", "acceleration", "rotation", "heart_rate"}
    np.testing.assert_allclose(batch.sensors["movement"].values, [[1, 2, 3]])
    assert batch.sensors["acceleration"].time_s[0] == pytest.approx(1_700_000_000.5)
    assert (batch.message_id, batch.battery) == (3, 0.5)


def test_a_barometer_comes_in_hectopascal_and_light_and_loudness_refuse_nothing() -> None:
    for told in (1003.25, 100.325):
        air = {"name": "barometer", "time": NS, "values": {"pressure": told, "relativeAltitude": 0.1}}
        beside = [{"name": "light", "time": NS, "values": {"lux": 3}}, {"name": "microphone", "time": NS, "values": {}}]
        batch = read_batch(message(entry("gravity", 0, 0, 9.8), air, *beside))
        assert set(batch.sensors) == {"gravity", "pressure"}
        np.testing.assert_allclose(batch.sensors["pressure"].values, [[1003.25]], rtol=1e-6)


def test_an_uncalibrated_accelerometer_in_g_shows_apple_s_sign_of_all_acceleration() -> None:
    batch = read_batch(message(entry("accelerometeruncalibrated", 0, 0, -1), entry("gravity", 0, 0, -9.8)))
    np.testing.assert_allclose(batch.sensors["acceleration"].values, [[0, 0, 9.80665]], atol=1e-4)
    np.testing.assert_allclose(batch.sensors["gravity"].values, [[0, 0, 9.8]], atol=1e-4)


def test_samples_without_a_value_or_with_one_that_no_sensor_gives_are_left_out() -> None:
    batch = read_batch(
        message(entry("gravity", 0, 0, 9.8), entry("gravity", None, 0, 9.8), entry("gravity", 0, 0, 1e6))
    )  # type: ignore[arg-type]
    assert len(batch.sensors["gravity"].time_s) == 1


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ([], "message"),
        (message(messageId="3"), "messageId"),
        (message(messageId=True), "messageId"),
        (message(sessionId=""), "sessionId"),
        (message(payload=None), "payload"),
        (message(7), "payload"),  # type: ignore[arg-type]
        (message(entry("gravity", "a", 0, 0)), "gravity"),  # type: ignore[arg-type]
        (message({"name": "gravity", "time": NS, "values": {"x": 1}}), "gravity"),
        (message(entry("gravity", 0, 0, 0, "noon")), "gravity"),
    ],
)
def test_a_message_of_another_form_is_refused_with_the_key_that_is_wrong(document: object, named: str) -> None:
    with pytest.raises(UnreadableData, match=named):
        read_batch(document)


def batch(number: int) -> Batch:
    return Batch(number, "s", {})


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 60),
    dropped=st.sets(st.integers(1, 59), max_size=10),
    doubled=st.lists(st.integers(0, 59), max_size=10),
    order=st.randoms(use_true_random=False),
    reach=st.integers(0, MOST_WAITING - 6),
)
def test_batches_come_out_in_order_each_once_and_all_are_counted(n, dropped, doubled, order, reach) -> None:  # type: ignore[no-untyped-def]
    sent = [i for i in range(n) if i not in dropped] + [i for i in doubled if i < n and i not in dropped]
    sent.sort(key=lambda i: i + order.uniform(0, reach / 2))
    reorder = Reorder()
    out: list[int] = []
    for at, number in enumerate(sent):
        out += [own.message_id for own in reorder.add(batch(number), 0.01 * at)]
        assert len(reorder._waiting) <= MOST_WAITING + 1
    out += [own.message_id for own in reorder.flush()]
    assert out == sorted(set(out))
    assert reorder.received == len(sent) == len(out) + reorder.doubled + reorder.late
    assert set(range(out[0], out[-1] + 1)) - set(out) >= {i for i in dropped if out[0] < i < out[-1]}
    assert reorder.lost + reorder.late == out[-1] - out[0] + 1 - len(out)


def test_what_is_missing_is_waited_for_only_so_long_and_then_lost_until_it_comes() -> None:
    reorder = Reorder(after=4)
    assert reorder.add(batch(6), 0.0) == []
    assert [own.message_id for own in reorder.due(WAIT_S)] == [6]
    assert (reorder.lost, reorder.late) == (1, 0)
    assert reorder.add(batch(5), WAIT_S) == []
    assert (reorder.lost, reorder.late, reorder.doubled) == (0, 1, 0)
    reorder.add(batch(5), WAIT_S)
    assert reorder.doubled == 1


def test_memory_stays_bounded_whatever_is_lost() -> None:
    reorder = Reorder(after=-1)
    for number in range(0, 400_000, 200):
        reorder.add(batch(number), float(number))
    assert len(reorder._given_up) <= MOST_REMEMBERED
    assert len(reorder._waiting) <= MOST_WAITING
