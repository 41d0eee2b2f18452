from __future__ import annotations

import numpy as np
import pytest

from app.har.falls.impacts import Impacts
from app.har.falls.watch import FallCandidate, FallWatch
from tests.falls import FALL_S, START_S, Sensor, batches, fall, running, sitting_down_after_walking


def watched(parts: list[Sensor]) -> list[FallCandidate]:
    watch = FallWatch()
    return [candidate for part in parts for candidate in watch.step({"acceleration": part})] + watch.end()


@pytest.mark.parametrize("rate_hz", [25.0, 50.0, 100.0, 200.0])
def test_a_fall_is_told_of_once_within_five_seconds_at_the_rates_of_phones(rate_hz: float) -> None:
    watch, told = FallWatch(), {}
    for part in batches(fall(rate_hz)):
        for candidate in watch.step({"acceleration": part}):
            told[candidate.time_s] = part.time_s[-1]
    ((impact_s, told_s),) = told.items()
    assert abs(impact_s - START_S - FALL_S) < 0.05
    assert told_s - impact_s < 5


@pytest.mark.parametrize(
    "sensor",
    [
        pytest.param(fall(turned_deg=5), id="down hard on a chair"),
        pytest.param(fall(peak_g=1.7), id="lying down"),
        pytest.param(fall(steps_after=True), id="walking on"),
        pytest.param(running(), id="running"),
        pytest.param(sitting_down_after_walking(), id="sitting down after walking, in a pocket"),
    ],
)
def test_what_lacks_one_of_impact_turn_and_stillness_is_no_fall(sensor: Sensor) -> None:
    assert watched(batches(sensor)) == []


def test_a_phone_that_lies_in_another_way_gives_the_same_score() -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    sensor = fall()
    turned = Sensor(sensor.time_s, (sensor.values @ turn).astype(np.float32))
    assert watched(batches(turned))[0].score == pytest.approx(watched(batches(sensor))[0].score, abs=1e-4)


@pytest.mark.parametrize("seconds", [0.1, 0.37, 3.0, 30.0])
def test_impacts_do_not_depend_on_how_the_stream_is_cut(seconds: float) -> None:
    whole, cut = Impacts(), Impacts()
    expected = whole.step(fall()) + whole.end()
    found = [impact for part in batches(fall(), seconds) for impact in cut.step(part)] + cut.end()
    assert [i.time_s for i in found] == [i.time_s for i in expected] != []
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.acceleration, other.acceleration, atol=1e-3)


def test_samples_out_of_order_and_doubled_change_nothing() -> None:
    sensor, random = fall(), np.random.default_rng(1)
    parts = [part.part(random.permutation(len(part.time_s))) for part in batches(sensor)]
    assert watched([p for part in parts for p in (part, part)]) == watched(batches(sensor)) != []


def test_a_lost_batch_beside_the_impact_hides_no_fall() -> None:
    parts = batches(fall())
    for lost in (6, 9, 10):
        assert len(watched([part for i, part in enumerate(parts) if i != lost])) == 1


def test_a_clock_that_is_set_makes_no_fall_and_hides_none_that_comes_later() -> None:
    first, later = running(20), fall()
    for jump_s in (-86_400.0, 3_600.0):
        jumped = Sensor(later.time_s + jump_s, later.values)
        assert len(watched(batches(first) + batches(jumped))) == 1


def test_missing_and_infinite_values_are_passed_over() -> None:
    sensor = fall()
    values = sensor.values.copy()
    values[::50], values[1::50] = np.nan, np.inf
    assert len(watched(batches(Sensor(sensor.time_s, values)))) == 1


def test_movement_and_gravity_apart_are_put_together() -> None:
    sensor = fall()
    gravity = Sensor(sensor.time_s[::2], sensor.values[::2])
    movement = Sensor(sensor.time_s, sensor.values - sensor.values)
    assert len(FallWatch().step({"movement": movement, "gravity": gravity})) == 1
    assert FallWatch().step({"movement": movement}) == []


def test_a_higher_limit_of_a_person_tells_of_less() -> None:
    score = watched(batches(fall()))[0].score
    assert FallWatch(threshold=score + 0.01).step({"acceleration": fall()}) == []
