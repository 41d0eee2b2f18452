"""Height by air pressure: stairs, lifts, the level, weather and gusts told apart on the noise of real phones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from app.har.height.answers import DOWN, LEVEL, STAIRS_MS, UNKNOWN, UP, held_against, of_windows
from app.har.height.climbs import Climb, find_climbs, pushed
from app.har.height.heard import PressureHeard
from app.har.height.rate import Heights, height_of, heights
from app.har.signals.types import Stream
from benchmarks import air

CALM = [name for name in air.PHONES if "wind" not in name]
SEEDS = range(6)
WINDOW_S = 3.0


def measured(course: air.Course) -> Heights:
    found = heights(course.time_s, course.pressure_hpa)
    assert found is not None
    return found


def courses(name: str, phone: str) -> list[tuple[air.Course, list[Climb], np.ndarray, np.ndarray]]:
    """Return courses, the climbs found, and of each window what height says and what is true."""
    rows = []
    for seed in SEEDS:
        course = air.course(name, air.PHONES[phone], seed)
        found = measured(course)
        climbs = find_climbs(found)
        start_s = np.arange(0, course.time_s[-1] - WINDOW_S, WINDOW_S)
        told = of_windows(found, climbs, start_s, start_s + WINDOW_S)
        rows.append((course, climbs, told, course.truth_at(start_s + WINDOW_S / 2)))
    return rows


@pytest.mark.parametrize("phone", CALM)
def test_stairs_are_told_from_the_level_and_up_from_down(phone: str) -> None:
    found = courses("stairs", phone)
    told, truth = (np.concatenate([row[i] for row in found]) for i in (2, 3))
    for true, said in ((air.UP, UP), (air.DOWN, DOWN)):
        assert (told[truth == true] == said).mean() > 0.85
        assert not np.isin(told[truth == true], {UP: [DOWN], DOWN: [UP]}[said]).any()
    assert np.isin(told[truth == air.LEVEL], [UP, DOWN]).mean() < 0.1  # landings are of their flight


@pytest.mark.parametrize("phone", CALM)
def test_a_lift_is_a_climb_and_no_stairs(phone: str) -> None:
    for course, climbs, told, truth in courses("lift", phone):
        metres = height_of(course.pressure_hpa[-5:]).mean() - height_of(course.pressure_hpa[:5]).mean()
        (ride,) = climbs
        assert ride.metres == pytest.approx(metres, abs=2.0)
        assert ride.rate_ms > STAIRS_MS[1] or abs(metres) < 4.0  # a single floor is over too soon to tell its speed
        assert abs(metres) < 4.0 or not np.isin(told[truth == air.CARRIED], [UP, DOWN]).any()


@pytest.mark.parametrize("phone", CALM)
@pytest.mark.parametrize("name", ["level walking", "weather", "gusts and doors"])
def test_what_is_no_climb_is_taken_for_none(name: str, phone: str) -> None:
    told = np.concatenate([row[2] for row in courses(name, phone)])
    assert np.isin(told, [UP, DOWN]).mean() < 0.02
    assert (told == LEVEL).mean() > 0.5


def test_a_phone_in_the_wind_never_says_level() -> None:
    for _, _, told, _ in courses("level walking", "Android in the wind"):
        assert not (told == LEVEL).any()


def test_where_pressure_is_silent_nothing_is_known() -> None:
    course = air.course("level walking", air.PHONES[CALM[0]], 0)
    kept = (course.time_s < 100) | (course.time_s > 130)
    found = heights(course.time_s[kept], course.pressure_hpa[kept])
    assert found is not None
    assert of_windows(found, [], np.array([90.0, 110.0]), np.array([93.0, 113.0])).tolist() == [LEVEL, UNKNOWN]
    assert heights(course.time_s[::10], course.pressure_hpa[::10]) is None  # a value in five seconds
    assert heights(course.time_s, course.pressure_hpa / 10) is None  # the pressure of no place


def ride(time_s: np.ndarray, *, upright: bool) -> Stream:
    """Return acceleration on a ride of 10 m from 20 s on at 1 m/s, which pushes up, or as a car forward."""
    push = 0.8 * ((np.abs(time_s - 20.6) < 0.625).astype(float) - (np.abs(time_s - 30.6) < 0.625))
    values = np.random.default_rng(1).normal(0, 0.1, (len(time_s), 3))
    values[:, 2] += 9.81
    values[:, 2 if upright else 0] += push
    return Stream("accelerometer", time_s, values.astype(np.float32))


def test_a_lift_is_felt_to_push_and_a_car_uphill_is_not() -> None:
    time_s, up = np.arange(0, 60, 0.02), Climb(20.0, 31.0, 10.0)
    assert pushed(up, ride(time_s, upright=True)) is True
    assert pushed(up, ride(time_s, upright=False)) is False
    assert pushed(Climb(20.0, 31.0, -10.0), ride(time_s, upright=True)) is False  # it pushes the other way
    assert pushed(up, ride(time_s[time_s > 25], upright=True)) is None
    without = ride(time_s, upright=True)
    assert pushed(up, Stream("accelerometer", time_s, without.values - np.float32([0, 0, 9.81]))) is None


ACTIVITIES = ("Sit", "Walk", "Walk-circle", "Stair-up", "Stair-down", "Run")


def held(told: Sequence[int], row: Sequence[float], activities: Sequence[str] = ACTIVITIES) -> np.ndarray:
    proba = np.tile(np.float32(row), (len(told), 1))
    found = held_against(proba, activities, np.array(told, np.int8))
    np.testing.assert_allclose(held_against(found, activities, np.array(told, np.int8)), found, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), proba.sum(axis=1), atol=1e-6)
    return found


def test_who_is_on_foot_goes_the_way_that_height_says() -> None:
    level, up, down, unknown = held([LEVEL, UP, DOWN, UNKNOWN], [0.1, 0.3, 0.1, 0.2, 0.2, 0.1])
    np.testing.assert_allclose(level, [0.1, 0.6, 0.2, 0, 0, 0.1], atol=1e-6)
    np.testing.assert_allclose(up, [0.1, 0, 0, 0.8, 0, 0.1], atol=1e-6)
    np.testing.assert_allclose(down, [0.1, 0, 0, 0, 0.8, 0.1], atol=1e-6)
    np.testing.assert_allclose(unknown, [0.1, 0.3, 0.1, 0.2, 0.2, 0.1], atol=1e-6)


def test_who_sits_or_runs_is_left_alone_and_so_is_a_model_without_stairs() -> None:
    for row in ([0.6, 0.1, 0.1, 0.1, 0.1, 0.0], [0.1, 0.1, 0.1, 0.1, 0.0, 0.6]):
        np.testing.assert_array_equal(held([LEVEL, UP], row), np.tile(np.float32(row), (2, 1)))
    np.testing.assert_array_equal(held([UP], [0.2, 0.8], ("Sit", "Walk")), np.float32([[0.2, 0.8]]))
    np.testing.assert_allclose(held([UP, DOWN], [0.9, 0.1], ("Walk", "Stairs")), [[0, 1], [0, 1]], atol=1e-6)


def test_a_live_session_says_of_its_windows_what_an_upload_says_once_nine_seconds_have_passed() -> None:
    seconds = np.arange(0.0, 90.0, 0.2)
    metres = np.clip(seconds - 40.0, 0.0, 20.0) * 0.3  # up the stairs from 40 to 60 s
    hpa = 1000.0 - (metres + np.random.default_rng(5).normal(0, 0.05, len(seconds))) / 8.4
    start_s = np.arange(0.0, 84.0, 3.0)
    measured = heights(seconds, hpa)
    assert measured is not None
    whole = of_windows(measured, find_climbs(measured), start_s, start_s + 3.0)
    heard, live = PressureHeard(), np.full(len(start_s), UNKNOWN, np.int8)
    for first in range(0, len(seconds), 15):  # three seconds a batch
        heard.add(seconds[first : first + 15][::-1], hpa[first : first + 15][::-1])
        ripe = np.flatnonzero(start_s <= seconds[min(first + 14, len(seconds) - 1)] - 12.0)
        if len(ripe):
            live[ripe[-1]] = heard.told(start_s[: ripe[-1] + 1], start_s[: ripe[-1] + 1] + 3.0)[-1]
    walked = (start_s < 36) | (start_s > 63)
    climbed = (start_s >= 45) & (start_s <= 55)
    assert set(whole[climbed]) == set(live[climbed]) == {UP}
    assert not set(live[walked]) & {UP, DOWN}
    assert np.mean(live[walked] == LEVEL) > 0.6
