"""The quality card tells what was recorded, how well, and whether it can be used."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.har.problems import Problem
from app.har.recordings import quality
from app.har.recordings.quality import QualityCard, StreamQuality, card
from app.har.signals.clocks import repair
from app.har.signals.types import Recording, Stream
from tests import synthetic

PULSE = Stream("heart_rate", np.arange(60.0), np.ones((60, 1), np.float32))


def of(card: QualityCard, modality: str) -> StreamQuality:
    return next(own for own in card.streams if own.modality == modality)


def changed(recording: Recording, number: int = 0, **changes: Any) -> Recording:
    """Return a recording one of whose streams is another."""
    streams = list(recording.streams)
    streams[number] = replace(streams[number], **changes)
    return replace(recording, streams=tuple(streams))


def without(recording: Recording, start_s: float, end_s: float) -> Recording:
    """Return a recording with a hole in all of its sensors."""
    kept = [(s, (s.time_s < start_s) | (s.time_s > end_s)) for s in recording.streams]
    return replace(recording, streams=tuple(replace(s, time_s=s.time_s[own], values=s.values[own]) for s, own in kept))


def test_a_good_recording_passes_and_its_card_says_what_is_there() -> None:
    recording = replace(synthetic.recording("Walk", seconds=60.0), app="phyphox", origin_utc_s=1_700_000_000.0)
    found = card(changed(recording, unit_found="g, by the header"))
    assert (found.verdict, found.reasons, found.app) == ("pass", (), "phyphox")
    assert found.start_utc == "2023-11-14T22:13:20.000+00:00"
    assert found.duration_s == pytest.approx(59.98)
    own = of(found, "accelerometer")
    assert (own.unit, own.unit_found) == ("m/s²", "g, by the header")
    assert (own.rate_hz, own.samples, own.gaps, own.clipped, own.dead_axes, own.worn) == (50.0, 3000, 0, 0.0, (), None)
    assert own.mean_magnitude < 0.5
    assert len(own.outline) == 240
    least, most = np.array(own.outline, dtype=float).T
    assert (least <= most).all()
    assert json.loads(json.dumps(found.as_dict()))["streams"][1]["sensor"] == "gyroscope"


def test_a_hole_is_measured_and_shown_and_leaves_a_doubt_told_once() -> None:
    found = card(without(synthetic.recording("Walk", seconds=60.0), 20.0, 32.0))
    own = of(found, "gyroscope")
    assert (own.gaps, own.longest_gap_s, own.gap_s) == (1, pytest.approx(12.04), pytest.approx(12.04))
    assert own.gap_spans == ((pytest.approx(19.98), pytest.approx(32.02)),)
    assert (None, None) in own.outline
    assert found.verdict == "usable"
    assert found.reasons == ("accelerometer and gyroscope: 12.0 of 60.0 s are missing",)


def test_sensors_that_never_run_together_leave_a_doubt_as_one_can_be_enough() -> None:
    recording = synthetic.recording("Walk", seconds=60.0)
    acceleration, rotation = recording.streams
    halves = replace(recording, streams=(taken(acceleration, 0.0, 30.0), taken(rotation, 28.0, 60.0)))
    found = card(halves)
    assert found.verdict == "usable"
    assert found.reasons == ("its sensors share no stretch of 3 s without a gap; training needs all of them",)
    brief = replace(recording, streams=(taken(acceleration, 0.0, 2.0), taken(rotation, 1.0, 3.5)))
    assert card(brief).reasons == ("the longest stretch of a sensor without a gap lasts 2.5 s",)


def taken(stream: Stream, start_s: float, end_s: float) -> Stream:
    there = (stream.time_s >= start_s) & (stream.time_s < end_s)
    return replace(stream, time_s=stream.time_s[there], values=stream.values[there])


def test_a_tolerated_hole_is_no_gap() -> None:
    recording = without(synthetic.recording("Walk", seconds=60.0), 20.0, 20.8)
    assert of(card(recording), "accelerometer").gaps == 1
    assert of(card(recording, gap_s=0.9), "accelerometer").gaps == 0


def clipped(values: NDArray[np.float32], at: float) -> NDArray[np.float32]:
    return np.clip(4 * values, -at, at)


def test_sensors_examined_at_once_are_as_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = synthetic.recording("Run", seconds=30.0)
    recording = changed(recording, values=clipped(recording.streams[0].values, 2 * 9.80665))
    one_after_the_other = card(recording)
    monkeypatch.setattr(quality, "LONG", 0)
    assert card(recording) == one_after_the_other


@pytest.mark.parametrize(("at", "told"), [(2 * 9.80665, True), (50.0, False), (5.0, False)])
def test_samples_that_lie_at_the_end_of_a_sensors_range_are_counted(at: float, told: bool) -> None:
    recording = synthetic.recording("Run", seconds=30.0)
    values = clipped(recording.streams[0].values, at)
    own = card(changed(recording, values=values))
    share = of(own, "accelerometer").clipped
    assert (share > 0.05) == told  # no sensor's range is as small as 5 m/s²
    assert bool(of(own, "accelerometer").clipped_spans) == told
    assert any("clipped" in reason for reason in own.reasons) == told


def test_a_dead_axis_is_told_from_a_dead_sensor() -> None:
    recording = synthetic.recording("Walk", seconds=30.0)
    values = recording.streams[0].values.copy()
    values[:, 1] = 0.25
    found = card(changed(recording, values=values))
    assert of(found, "accelerometer").dead_axes == ("acc_y",)
    assert found.reasons == ("accelerometer: acc_y never changes; that axis seems dead",)
    dead = card(changed(recording, values=np.full_like(values, 0.25)))
    assert of(dead, "accelerometer").constant
    assert (dead.verdict, of(dead, "accelerometer").dead_axes) == ("usable", ())
    both = changed(changed(recording, values=0 * values), 1, values=0 * values)
    assert card(both).verdict == "unusable"


def worn_then_not(hours: tuple[float, float], rate: float = 10.0) -> Recording:
    """Return a watch that is worn for some hours, then lies on a table."""
    rng = np.random.default_rng(0)
    n, still = (round(3600 * rate * h) for h in hours)
    values = np.concatenate([rng.normal(0, 1.0, (n, 3)), rng.normal(0, 0.02, (still, 3))]) + np.array([0, 0, 9.81])
    stream = Stream("accelerometer", np.arange(n + still) / rate, values.astype(np.float32))
    return Recording("r", "s", (stream,), "included")


@pytest.mark.parametrize(
    ("hours", "worn", "verdict"),
    [((3.0, 0.0), 1.0, "usable"), ((2.0, 2.0), 0.5, "usable"), ((0.0, 2.0), 0.0, "unusable")],
)
def test_a_watch_that_lies_still_for_an_hour_is_not_worn(hours: tuple[float, float], worn: float, verdict: str) -> None:
    found = card(worn_then_not(hours))
    assert of(found, "accelerometer").worn == pytest.approx(worn, abs=0.13)  # quarters, judged by the hour around
    assert found.verdict == verdict  # "usable": 10 samples a second are few
    assert any("worn" in reason for reason in found.reasons) == (worn < 1)


def test_wear_is_not_judged_in_less_than_an_hour_or_without_gravity() -> None:
    recording = worn_then_not((0.0, 0.9))
    assert of(card(recording), "accelerometer").worn is None
    assert of(card(replace(worn_then_not((0.0, 2.0)), gravity="removed")), "accelerometer").worn is None


def test_a_slow_sensor_behind_many_rows_is_reported_with_its_real_rate() -> None:
    time, values = synthetic.signal("Walk", 1, 60.0, 44.0)
    slow = values[::3].repeat(3, axis=0)[: len(time)].astype(np.float32)
    streams, problems = repair([Stream("accelerometer", time, slow[:, :3])], "f")
    found = card(Recording("r", "s", streams, "removed", problems=problems))
    own = of(found, "accelerometer")
    assert (own.rate_asked_hz, own.rate_hz) == (pytest.approx(44.0, abs=0.1), pytest.approx(44 / 3, abs=0.1))
    assert found.reasons == ("accelerometer: 14.7 samples a second, of 44.0 rows a second, are few for movement",)


def test_a_pulse_once_a_second_is_neither_slow_nor_repeated() -> None:
    walk = synthetic.recording("Walk", seconds=60.0)
    pulse = Stream("heart_rate", np.arange(60.0), np.repeat([70.0, 71.0], 30)[:, None].astype(np.float32))
    temperature = Stream("skin_temperature", np.arange(240) / 4, np.full((240, 1), 33.1, np.float32))
    streams, problems = repair([*walk.streams, pulse, temperature], "f")
    assert problems == ()
    found = card(replace(walk, streams=streams))
    assert (found.verdict, of(found, "heart_rate").mean_magnitude) == ("pass", 70.5)
    assert len(streams[2].time_s) == 60


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        (Recording("r", "s", (PULSE,), "removed"), "none of the sensors"),
        (synthetic.recording("Walk", seconds=2.0), "lasts 2.0 s"),
        (without(synthetic.recording("Walk", seconds=5.0), 2.0, 4.0), "lasts 2.0 s"),
    ],
    ids=["no motion sensor", "too short", "in pieces"],
)  # fmt: skip
def test_what_no_model_could_use_is_unusable(recording: Recording, reason: str) -> None:
    found = card(recording)
    assert found.verdict == "unusable"
    assert reason in found.reasons[0]


def test_damage_that_was_mended_leaves_a_doubt() -> None:
    problem = Problem("f", "clock restart", "by 40 s", "cut there")
    assert card(replace(synthetic.recording("Walk"), problems=(problem,))).reasons == (
        "the clock started again in mid-recording",
    )


@pytest.mark.real_data
@pytest.mark.parametrize("columns", [("gFx", "gFy", "gFz"), ("ax", "ay", "az"), ("wx", "wy", "wz")])
def test_the_sensors_of_physics_toolbox_give_14_6_samples_behind_44_rows(
    data_dir: Path, columns: tuple[str, str, str]
) -> None:
    path = data_dir / "phone-exports" / "physics-toolbox" / "record_N.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(line for line in file if line.strip()))
    time = np.array([float(row["time"]) for row in rows])
    values = np.array([[float(row[name]) for name in columns] for row in rows], np.float32)
    streams, _ = repair([Stream("accelerometer", time, values)], path.name)
    own = card(Recording("r", "s", streams, "included")).streams[0]
    assert own.rate_asked_hz == pytest.approx(44.0, abs=0.5)
    assert own.rate_hz == pytest.approx(14.65, abs=0.05)
