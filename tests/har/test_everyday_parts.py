"""The parts of the everyday model by themselves: features, trees, wearings, calibration, posture, the table."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.har.classifiers.everyday.answer import on_table
from app.har.classifiers.everyday.calibration import Binary, Directions, Line, Trial, _line, cautious, one_and_both_ways
from app.har.classifiers.everyday.evidence import gather
from app.har.classifiers.everyday.features import NEEDS, describe, feature_names
from app.har.classifiers.everyday.forest import fit_forest
from app.har.classifiers.everyday.posture import postures
from app.har.classifiers.everyday.wearing import Track, find_wearings, smoothed, smoothed_among_alike, track_of, upright
from app.har.types import FloatArray, IntArray
from tests import everyday

NAMES = feature_names(150, 50.0)
SOURCES = np.array([name.partition(".")[0] for name in NAMES])
MIXED = everyday.windows_of([("Standing", 2), ("Sitting", 2), ("Walking", 4), ("Stairs up", 3), ("Running", 2)])


def described(x: FloatArray) -> FloatArray:
    return describe(x[:, :, :3], x[:, :, 3:6], x[:, :, 6:], 50.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_features_are_the_same_however_the_device_is_turned(seed: int) -> None:
    turned = everyday.turned(MIXED, everyday.rotation(seed))
    np.testing.assert_allclose(described(turned), described(MIXED.X), atol=2e-3)


def test_features_have_a_name_each() -> None:
    assert described(MIXED.X).shape == (len(MIXED), len(NAMES))
    assert len(set(NAMES)) == len(NAMES)
    assert set(SOURCES) == set(NEEDS)


@pytest.mark.parametrize("lacking", [(), ("gyro",), ("gravity",), ("gyro", "gravity")])
def test_a_feature_is_missing_exactly_where_its_sensor_is(lacking: tuple[str, ...]) -> None:
    x = MIXED.X.copy()
    x[3] = everyday.without(MIXED, *lacking).X[3]
    found, whole = described(x), described(MIXED.X)
    missing = [bool(set(NEEDS[source]) & set(lacking)) for source in SOURCES]
    np.testing.assert_array_equal(np.isnan(found[3]), missing)
    others = np.arange(len(x)) != 3
    np.testing.assert_allclose(found[others], whole[others], atol=1e-5)
    np.testing.assert_allclose(found[3, ~np.array(missing)], whole[3, ~np.array(missing)], atol=1e-5)


def test_gravity_changes_only_the_features_that_need_it() -> None:
    x = MIXED.X.copy()
    x[:, :, 6:] = x[:, :, [7, 8, 6]]
    changed = ~np.isclose(described(x), described(MIXED.X), atol=1e-5).all(axis=0)
    assert set(SOURCES[changed]) == {"vertical", "turn"}


def test_features_of_silence_constants_and_spikes_are_numbers() -> None:
    x = np.zeros((4, 150, 9), np.float32)
    x[1] = 3.0
    x[2, 70] = 1e4
    x[3] = 1e-30
    assert np.isfinite(described(x)).all()


def test_trees_answer_as_those_of_scikit_learn() -> None:
    from sklearn.ensemble import ExtraTreesClassifier

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 20)).astype(np.float32)
    y = np.array([0, 2, 3])[(rows[:, 0] > 0).astype(int) + (rows[:, 1] > 0.5)]
    weights = rng.uniform(0.5, 2, 300).astype(np.float32)
    forest = fit_forest(rows, y, weights, 4, n_trees=20, leaf=3, seed=7)
    theirs = ExtraTreesClassifier(20, min_samples_leaf=3, max_features=0.15, random_state=7)
    theirs.fit(rows, y, sample_weight=weights)
    new = rng.normal(size=(3000, 20)).astype(np.float32)  # more than are looked at together
    answer = forest.predict_proba(new)
    np.testing.assert_allclose(answer[:, [0, 2, 3]], theirs.predict_proba(new), atol=1e-3)
    assert not answer[:, 1].any()  # of a class that nobody did
    new[:, 5] = np.nan
    np.testing.assert_array_equal(forest.predict_proba(new), forest.predict_proba(np.nan_to_num(new)))
    assert forest.predict_proba(new[:0]).shape == (0, 4)


@given(st.lists(st.tuples(st.integers(-9, 9), st.booleans()), max_size=30), st.integers(0, 3))
def test_smoothing_is_the_mean_over_neighbours_of_the_run(points: list[tuple[int, bool]], reach: int) -> None:
    values = np.array([value for value, _ in points], np.float64)
    runs = np.cumsum([new for _, new in points]).astype(np.int64)
    runs = np.unique(runs, return_inverse=True)[1]
    naive = [
        np.mean([values[j] for j in range(len(values)) if abs(i - j) <= reach and runs[i] == runs[j]])
        for i in range(len(values))
    ]
    np.testing.assert_allclose(smoothed(values, runs, reach), naive, atol=1e-9)


def test_a_window_is_smoothed_only_as_far_as_its_neighbours_are_like_it() -> None:
    still, unsure, moving = np.log([[0.98, 0.02], [0.6, 0.4], [0.02, 0.98]])
    found = smoothed_among_alike(np.stack([still, moving, still, still, unsure, still]), np.zeros(6, np.int64))
    np.testing.assert_array_equal(found.argmax(axis=1), [0, 1, 0, 0, 0, 0])
    np.testing.assert_allclose(found[1], moving, atol=0.6)  # somebody stood up for 3 s
    assert np.exp(found[4, 0]) > 0.75
    apart = smoothed_among_alike(np.stack([still, unsure, still]), np.arange(3))
    np.testing.assert_allclose(apart, np.stack([still, unsure, still]))
    alike = np.tile(unsure, (3, 1)) - 1.0
    np.testing.assert_allclose(smoothed_among_alike(alike, np.zeros(3, np.int64)), alike)
    assert smoothed_among_alike(alike[:0], np.zeros(0, np.int64)).shape == (0, 2)


def made_track(gravity: FloatArray, recordings: list[str], subject: str = "set/ada", place: str = "") -> Track:
    n = len(gravity)
    of_recording = [recordings[:i].count(name) for i, name in enumerate(recordings)]
    quiet = np.zeros(n, np.float32)
    names = np.full(n, place, "U16"), np.full(n, subject), np.array(recordings)
    start_s = 3.0 * np.array(of_recording)
    fields = dict.fromkeys(("movement_rms", "rotation_rms", "sway_rms"), quiet)
    keys = dict(zip(("place", "subjects", "recordings"), names, strict=True))
    return Track(
        features=np.zeros((n, 1), np.float32), gravity=gravity.astype(np.float32), start_s=start_s,
        window_length_s=3.0, **fields, **keys,
    )  # fmt: skip


def directions(*parts: tuple[float, int]) -> FloatArray:
    """Return gravity, turned by so many degrees in so many windows."""
    angle = np.radians(np.concatenate([np.full(n, degrees) for degrees, n in parts]))
    return np.stack([np.sin(angle), np.cos(angle), 0 * angle], axis=1).astype(np.float32)


def wearings(gravity: FloatArray, recordings: list[str] | None = None, **names: str) -> list[int]:
    n = len(gravity)
    return find_wearings(made_track(gravity, recordings or ["r"] * n, **names), np.ones(n, bool)).tolist()


def test_a_run_ends_at_a_gap_and_with_a_recording() -> None:
    track = made_track(directions((0, 6)), ["a"] * 3 + ["b"] * 3)
    assert track.runs.tolist() == [0, 0, 0, 1, 1, 1]
    gap = replace(track, start_s=np.array([0.0, 3.0, 60.0, 0.0, 3.0, 6.0]))
    assert gap.runs.tolist() == [0, 0, 1, 2, 2, 2]


def test_a_run_ends_where_there_is_no_acceleration() -> None:
    x = everyday.windows_of([("Walking", 6)])
    x.X[3, :, :3] = np.nan
    assert track_of(x, np.zeros((6, 1), np.float32)).runs.tolist() == [0, 0, 0, 1, 2, 2]


def test_a_phone_that_is_moved_starts_a_new_wearing() -> None:
    assert wearings(directions((0, 20))) == [0] * 20
    assert wearings(directions((0, 10), (90, 10))) == [0] * 10 + [1] * 10
    assert wearings(directions((0, 10), (90, 3), (0, 10))) == [0] * 23  # a short turn
    assert wearings(directions((0, 10), (40, 10))) == [0] * 20
    assert wearings(np.full((20, 3), np.nan, np.float32)) == [0] * 20


def test_wearings_of_a_day_on_foot_are_found_in_seconds() -> None:
    track = made_track(directions((0, 1)), ["r"]).take(np.zeros(28_800, np.int64))
    track = replace(track, gravity=directions((0, 14_400), (90, 14_400)), start_s=3.0 * np.arange(28_800))
    began = time.process_time()
    assert np.array_equal(find_wearings(track, np.ones(28_800, bool)), np.repeat([0, 1], 14_400))
    assert time.process_time() - began < 2  # 4 s when each window looked at all before it


def test_a_moved_phone_that_nobody_walked_with_is_worn_as_before() -> None:
    track = made_track(directions((0, 10), (90, 10)), ["r"] * 20)
    assert find_wearings(track, np.arange(20) < 10).tolist() == [0] * 20


@pytest.mark.parametrize(
    ("turned", "subject", "place", "merged"),
    [
        (10, "set/ada", "", True),
        (50, "set/ada", "", False),
        (50, "set/ada", "leg", True),
        (10, "set/unknown", "", False),
        (10, "unknown", "leg", False),
        (10, "", "", False),
    ],
)
def test_recordings_of_a_known_person_that_were_worn_alike_are_one(
    turned: float, subject: str, place: str, merged: bool
) -> None:
    gravity = directions((0, 8), (turned, 8))
    found = wearings(gravity, ["a"] * 8 + ["b"] * 8, subject=subject, place=place)
    assert found == ([0] * 16 if merged else [0] * 8 + [1] * 8)


def test_upright_is_not_led_astray_by_a_few() -> None:
    gravity = directions((0, 10), (5, 10), (90, 6), (170, 3))
    np.testing.assert_allclose(upright(gravity), directions((2.5, 1))[0], atol=1e-3)


def test_two_calibrations_that_contradict_leave_it_open() -> None:
    found = cautious(np.array([2.0, -3.0, 2.0, np.nan]), np.array([1.0, -5.0, -1.0, 1.0]))
    np.testing.assert_allclose(found, [1.0, -3.0, 0.05, np.nan])


def test_a_question_is_calibrated_by_what_is_known_of_the_wearing() -> None:
    binary = Binary(known=Line(1.0, 0.0), mixed=Line(0.5, 0.0), clip=Line(0.5, 1.0))
    odds = np.array([2.0, 2.0, -1.0, -4.0])
    found = binary(odds, np.array([True, False, False, False]), np.array([5, 60, 59, 59]))
    np.testing.assert_allclose(found, [2.0, 1.0, -0.05, -1.0])


@pytest.mark.parametrize(
    ("down", "spread", "by_walking", "expected"),
    [
        (2.0, 3.0, np.nan, 0.88),  # stairs up and down: their own scores decide
        (2.0, 0.5, np.nan, 0.5),  # one way only: half of them lie above their median whatever they are
        (np.nan, np.nan, np.nan, 0.5),
        (2.0, 0.5, -3.0, 0.05),  # then known walking decides
        (2.0, 3.0, -3.0, 0.88),
        (np.nan, np.nan, -3.0, 0.05),
    ],
)
def test_up_and_down_are_named_by_own_stairs_only_where_those_go_both_ways(
    down: float, spread: float, by_walking: float, expected: float
) -> None:
    model = everyday.model()
    walk = model._training(everyday.windows_of([("Walking", 6)]))[0].track
    evidence = gather(walk, model.columns, model.questions_)
    scores, spreads, from_walking = (np.full(6, value) for value in (down, spread, by_walking))
    evidence = replace(evidence, down=scores, spread=spreads, down_from_walking=from_walking)
    directions = Directions(by_stairs=Line(1.0, 0.0), by_walking=Line(1.0, 0.0), both_ways=Line(8.0, -12.0))
    np.testing.assert_allclose(directions(evidence), expected, atol=0.01)


def test_a_wearing_is_taken_with_stairs_one_way_and_both_ways() -> None:
    model = everyday.model()
    parts = [("Walking", 9), ("Stairs up", 6), ("Standing", 3), ("Stairs down", 5)]
    walks = [walk.node.tolist() for walk in one_and_both_ways(model._training(everyday.windows_of(parts))[0])]
    walking, up, down = ["Walking"] * 9, ["Stairs up"] * 6, ["Stairs down"] * 5
    assert walks == [walking + up, walking + down, walking + up + down]
    few = [*parts[:-1], ("Stairs down", 4)]
    assert not list(one_and_both_ways(model._training(everyday.windows_of(few))[0]))


def asked(odds: FloatArray, truth: IntArray, dataset: list[str]) -> Line:
    """Fit a line to the answers about windows of some data sets; nothing else of a trial counts."""
    model = everyday.model()
    windows = everyday.windows_of([("Walking", 6), ("Standing", 6)])
    training = replace(model._training(windows)[0], dataset=np.array(dataset))
    evidence = gather(training.track, model.columns, model.questions_)
    trial = Trial(training, evidence, np.ones(len(odds), bool), "recorded", evidence)
    return _line([(trial, odds.astype(np.float64), truth)])


def test_a_line_finds_slope_and_intercept() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 2, 8000).astype(np.float32)
    truth = (rng.random(8000) < 1 / (1 + np.exp(-1.5 * odds))).astype(np.int64)
    line = asked(odds, truth, ["a"] * 8000)
    assert line.slope == pytest.approx(1.5, abs=0.1)
    assert line.intercept == pytest.approx(0.0, abs=0.1)


def test_of_a_line_classes_and_data_sets_weigh_the_same() -> None:
    rng = np.random.default_rng(1)
    truth = rng.permutation(np.repeat([0, 1], 600)).astype(np.int64)
    odds = np.where(truth == 1, 1.0, -1.0).astype(np.float32) + rng.normal(0, 1, 1200).astype(np.float32)
    few = asked(odds, truth, ["a"] * 600 + ["b"] * 600)
    often = np.concatenate([np.arange(1200), np.repeat(np.flatnonzero((truth == 1) & (np.arange(1200) < 600)), 9)])
    many = asked(odds[often], truth[often], [*(["a"] * 600 + ["b"] * 600), *["a"] * (len(often) - 1200)])
    assert many.slope == pytest.approx(few.slope, abs=0.02)
    assert many.intercept == pytest.approx(few.intercept, abs=0.02)


def test_a_line_of_one_class_says_nothing() -> None:
    assert asked(np.ones(5, np.float32), np.ones(5, np.int64), ["a"] * 5) == Line(0.0, 0.0)
    assert _line([]) == Line(0.0, 0.0)


LEG, TRUNK, WRIST = np.eye(4)[:3]


@pytest.mark.parametrize(
    ("place", "tilt", "expected"),
    [
        (LEG, 5.0, [1, 0, 0]),
        (LEG, 85.0, [0, 0.6, 0.4]),
        (TRUNK, 3.0, [1, 0, 0]),
        (TRUNK, 35.0, [0, 1, 0]),
        (TRUNK, 90.0, [0, 0, 1]),
        (WRIST, 5.0, [1 / 3] * 3),
        (LEG, np.nan, [1 / 3] * 3),
    ],
)
def test_posture_by_the_angle_against_walking(place: FloatArray, tilt: float, expected: list[float]) -> None:
    found = postures(np.array([tilt]), place[None].astype(np.float64))[0]
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert found.sum() == pytest.approx(1)


def still(rms: float, rotation: float, sway: float, sees_gravity: bool) -> list[bool]:
    track = made_track(directions((0, 6)), ["r"] * 6)
    of_rms, of_rotation, of_sway = (np.full(6, x, np.float32) for x in (rms, rotation, sway))
    of_rms[2] = of_sway[2] = 1.0  # somebody knocks at the table
    gravity = track.gravity if sees_gravity else np.full_like(track.gravity, np.nan)
    track = replace(track, movement_rms=of_rms, rotation_rms=of_rotation, sway_rms=of_sway, gravity=gravity)
    return (on_table(track) > 0.5).tolist()


@pytest.mark.parametrize(
    ("rms", "rotation", "sway", "sees_gravity", "table"),
    [
        (0.03, 0.001, 0.002, True, True),  # a loud sensor that does not sway
        (0.03, np.nan, 0.002, True, True),
        (0.012, 0.001, 0.006, True, False),  # a quiet one on a wrist that rests
        (0.03, 0.001, 0.02, True, False),
        (0.005, 0.05, 0.002, True, False),  # a hand turns it
        (np.inf, np.nan, np.inf, True, False),
        (0.005, 0.001, 0.02, False, True),
        (0.005, np.nan, 0.02, False, True),
        (0.03, 0.001, 0.002, False, False),  # with gravity, the device may have taken out the sway
    ],
)
def test_a_table_is_quieter_than_anybody_who_rests(
    rms: float, rotation: float, sway: float, sees_gravity: bool, table: bool
) -> None:
    assert still(rms, rotation, sway, sees_gravity) == [table] * 6


def test_noise_sways_less_than_breath_of_the_same_strength() -> None:
    rng = np.random.default_rng(0)
    windows = everyday.windows_of([("Standing", 2)])
    time = np.arange(150) / 50
    windows.X[:, :, :3] = 0
    windows.X[0, :, :3] = rng.normal(0, 0.02, (150, 3))
    windows.X[1, :, 1] = 0.02 * np.sqrt(6) * np.sin(2 * np.pi * time / 3)
    track = track_of(windows, np.zeros((2, 1), np.float32))
    np.testing.assert_allclose(track.movement_rms, 0.02 * np.sqrt(3), rtol=0.1)
    assert track.sway_rms[0] < 0.4 * track.sway_rms[1]


def test_thousands_of_recordings_of_a_person_are_put_together_by_how_they_were_worn() -> None:
    n, per = 2_000, 6
    gravity = np.concatenate([directions((90.0 * (i % 2), per)) for i in range(n)])
    names = np.repeat([f"r{i}" for i in range(n)], per).tolist()
    assert wearings(gravity, names, subject="new/1") == np.repeat(np.arange(n) % 2, per).tolist()
