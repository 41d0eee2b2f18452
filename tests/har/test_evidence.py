"""What values show of units and gravity: certain, plausible, or nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from app.har.signals.evidence import gravity_evidence, moves, rotation_evidence
from app.har.signals.turning import movement_ratio
from app.har.signals.types import Stream
from app.har.signals.units import ACCELERATION, MISCONVERTED_ACCELERATION, ROTATION
from tests import synthetic

G = 9.80665
UNITS = {**ACCELERATION, **MISCONVERTED_ACCELERATION}


def acceleration(activity: str = "Walk", seconds: float = 12.0, factor: float = 1.0, gravity: bool = True) -> Stream:
    """Return a recording whose file holds it in a unit of that factor, and that was read as m/s²."""
    own = synthetic.recording(activity, seconds=seconds, gravity="included" if gravity else "removed").streams[0]
    return replace(own, values=own.values / np.float32(factor))


def read_in(stream: Stream, name: str, factor: float) -> Stream:
    """Return a stream that was read in a unit, whether it is in it or not."""
    return replace(stream, values=stream.values * np.float32(factor), unit_found=f"{name}, by a test", factor=factor)


@pytest.mark.parametrize("stated", [*ACCELERATION, "1/64 g"])
@pytest.mark.parametrize("true", UNITS)
def test_gravity_shows_the_unit_whatever_was_stated(true: str, stated: str) -> None:
    stream = read_in(acceleration(factor=UNITS[true]), stated, {**ACCELERATION, "1/64 g": G / 64}[stated])
    evidence = gravity_evidence(stream)
    certain = evidence.certain_unit()
    assert certain
    assert (certain.name, certain.factor) == (true, pytest.approx(UNITS[true]))
    assert evidence.steady == pytest.approx(G / UNITS[true], rel=0.05)  # in the values of the file
    assert evidence.mean == pytest.approx(G / UNITS[true], rel=0.05)
    if true in ACCELERATION:
        assert evidence.plausible_unit == certain


def test_a_factor_of_the_opposite_sign_is_the_same_unit() -> None:
    stream = acceleration(factor=G)
    inverted = replace(stream, values=-stream.values * np.float32(G), unit_found="g, by a test", factor=-G)
    evidence = gravity_evidence(inverted)
    assert evidence.certain_unit() == evidence.read_as == ("g", G)


def test_a_short_recording_is_plausible_and_not_certain() -> None:
    evidence = gravity_evidence(acceleration(seconds=2.5, factor=G))
    assert evidence.certain_unit() is None
    assert evidence.plausible_unit == ("g", G)
    assert math.isnan(evidence.steady)


@pytest.mark.parametrize("activity", ["Walk", "Run"])
def test_movement_without_gravity_shows_no_unit(activity: str) -> None:
    evidence = gravity_evidence(acceleration(activity, gravity=False))
    assert evidence.is_movement
    assert (evidence.certain_unit(), evidence.plausible_unit, evidence.holds_gravity) == (None, None, False)


def test_a_bias_is_gravity_only_where_gravity_is_stated() -> None:
    stream = acceleration("Rest", factor=UNITS["g ÷ 9.81"])  # keeps near 0.1 m/s²
    assert gravity_evidence(stream).certain_unit(with_gravity=False) is None
    assert gravity_evidence(stream).certain_unit(with_gravity=True)


def test_what_never_changes_and_what_is_empty_show_nothing() -> None:
    time = np.arange(500) / 50
    still = Stream("accelerometer", time, np.tile(np.array([0, 0, G], np.float32), (500, 1)))
    assert gravity_evidence(still).certain_unit() is None
    assert gravity_evidence(still).plausible_unit == ("m/s²", 1.0)
    empty = gravity_evidence(replace(still, time_s=time[:0], values=still.values[:0]))
    assert (empty.certain_unit(), empty.plausible_unit, empty.holds_gravity, empty.too_long) == (
        None,
        None,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("mean", "holds", "possible", "too_long"),
    [(4.8, False, None, False), (5.0, True, "m/s²", False), (15.0, True, "m/s²", False), (25.0, True, None, True),
     (1500.0, True, "mg", True)],
)  # fmt: skip
def test_a_mean_far_from_gravity_still_holds_it_or_not(
    mean: float, holds: bool, possible: str | None, too_long: bool
) -> None:
    stream = acceleration(seconds=4.0)
    evidence = gravity_evidence(replace(stream, values=stream.values * np.float32(mean / 9.81)))
    unit = evidence.possible_unit
    assert (evidence.holds_gravity, unit and unit.name, evidence.too_long) == (holds, possible, too_long)


def turned(factor: float = 1.0) -> tuple[Stream, Stream]:
    """Return an accelerometer and a gyroscope of a device that is turned to and fro, the latter multiplied."""
    time = np.arange(1000) / 50
    angle = 0.8 * np.sin(2 * np.pi * 0.25 * time)
    up = G * np.column_stack([np.zeros_like(time), np.sin(angle), np.cos(angle)])
    rotation = np.column_stack([np.gradient(angle, time), np.zeros_like(time), np.zeros_like(time)])
    streams = (("accelerometer", up), ("gyroscope", factor * rotation))
    accelerometer, gyroscope = (Stream(name, time, values.astype(np.float32)) for name, values in streams)
    return accelerometer, gyroscope


@pytest.mark.parametrize("true", [*ROTATION, "rad/s ÷ 57.3", "deg/s × 57.3"])
def test_turning_shows_the_unit_of_a_gyroscope(true: str) -> None:
    factors = {**ROTATION, "rad/s ÷ 57.3": np.degrees(1), "deg/s × 57.3": np.radians(1) ** 2}
    accelerometer, gyroscope = turned(1 / factors[true])
    certain = rotation_evidence(gyroscope, accelerometer).certain_unit
    assert certain
    assert certain.name == true


def test_a_gyroscope_alone_is_certain_only_where_it_is_too_fast() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(500) / 50
    slow, fast, counts = (
        Stream("gyroscope", time, rng.normal(0, scale, (500, 3)).astype(np.float32)) for scale in (1.0, 60.0, 5000.0)
    )
    assert rotation_evidence(slow).certain_unit is None
    assert rotation_evidence(fast).certain_unit == ("deg/s", ROTATION["deg/s"])
    assert (rotation_evidence(counts).certain_unit, rotation_evidence(counts).too_fast) == (None, True)
    degrees = read_in(slow, "deg/s", ROTATION["deg/s"])
    assert rotation_evidence(degrees).seems_still(degrees.read_as)


def test_a_body_that_moves_shows_it_in_any_unit() -> None:
    assert moves(acceleration("Run", factor=G))
    assert not moves(acceleration("Rest", factor=G))


@pytest.mark.parametrize("factor", [1.0, G])
def test_movement_is_as_strong_in_linear_acceleration_as_in_the_accelerometer(factor: float) -> None:
    linear = replace(acceleration(gravity=False, factor=factor), modality="linear_accelerometer")
    assert movement_ratio(acceleration(), linear) == pytest.approx(factor, rel=0.05)
