"""Files of people that the everyday model does not know, from the upload to the answer."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from app.har.classifiers.everyday import classifier
from app.har.errors import UnusableRecording
from app.har.problems import ProblemKind
from app.services.personal.by_height import used
from app.services.recordings import lanes
from app.services.recordings.heights import without
from app.services.recordings.recognise import Model, Recognised, always, recognise
from app.services.recordings.result_files import load_result, save_result
from app.services.recordings.smoothing import as_chosen
from tests import everyday, exports, synthetic

N_WINDOWS = 12
HEADER = [f"{sensor}_{axis}" for sensor in ("acc", "gyro") for axis in "xyz"]


def walk(
    *, gravity: bool = True, device: str = "", gyroscope: bool = True, factor: float = 1.0
) -> dict[str, np.ndarray]:
    """Return the columns of somebody who walks, by their names."""
    values = everyday.signal("Walking", 5, N_WINDOWS).reshape(-1, 9)
    acceleration = factor * (values[:, :3] + gravity * values[:, 6:])
    samples = np.column_stack([acceleration, values[:, 3:6]])
    names = HEADER if gyroscope else HEADER[:3]
    return {f"{device}{name}": column for name, column in zip(names, samples.T, strict=False)}


def recognised(folder: Path, columns: dict[str, np.ndarray], place: str = "") -> Recognised:
    time_s = np.arange(len(next(iter(columns.values())))) / 50
    path = folder / "walk.csv"
    path.write_text(synthetic.text(np.column_stack([time_s, *columns.values()]), ",".join(["time_s", *columns])))
    return recognise(path, "walk.csv", always(Model("everyday", everyday.model)), place=place)


def details(found: Recognised, kind: ProblemKind) -> list[str]:
    return [f"{problem.detail}: {problem.action}" for problem in found.result.problems if problem.kind == kind]


def test_a_plain_file_is_recognised_and_says_where_it_was_worn(tmp_path: Path) -> None:
    found = recognised(tmp_path, walk(), place="leg")
    assert found.result.sensors == ("accelerometer", "gyroscope", "gravity")
    assert (found.result.proba[:, 3:6].sum(axis=1) > 0.9).all()
    assert details(found, ProblemKind.MISSING_SENSOR) == []
    (one,) = found.result.wearings
    assert (one.place, one.place_known, one.end_s) == ("leg", True, pytest.approx(3.0 * N_WINDOWS, abs=3.1))


@pytest.mark.parametrize("gyroscope", [True, False])
def test_linear_acceleration_leaves_postures_open(gyroscope: bool, tmp_path: Path) -> None:
    found = recognised(tmp_path, walk(gravity=False, gyroscope=gyroscope))
    (gravity,) = details(found, ProblemKind.MISSING_SENSOR)  # a missing gyroscope is no loss worth a word
    assert "without gravity" in gravity
    assert "sitting, standing and lying stay open" in gravity
    assert np.ptp(found.result.proba[:, :3], axis=1).max() < 1e-6


@pytest.mark.parametrize("gyroscope", [True, False])
def test_what_is_named_linear_acceleration_is_acceleration_without_gravity(gyroscope: bool, tmp_path: Path) -> None:
    plain = walk(gravity=False, gyroscope=gyroscope)
    named = {name.replace("acc", "linear_acc"): column for name, column in plain.items()}
    found = recognised(tmp_path, named)
    np.testing.assert_allclose(found.result.proba, recognised(tmp_path, plain).result.proba, atol=1e-6)
    down = {f"gravity_{axis}": everyday.signal("Walking", 5, N_WINDOWS).reshape(-1, 9)[:, 6 + i]
            for i, axis in enumerate("xyz")}  # fmt: skip
    assert details(recognised(tmp_path, named | down), ProblemKind.MISSING_SENSOR) == []


def test_of_a_phone_and_a_watch_the_phone_is_read_and_the_watch_listed(tmp_path: Path) -> None:
    watch = {name: 3 * column for name, column in walk(device="watch.").items() if "gyro" in name}
    watch |= {name: column[::-1] for name, column in walk(device="watch.").items() if "acc" in name}
    found = recognised(tmp_path, {**watch, **walk(device="phone.")})
    (unused,) = details(found, ProblemKind.UNUSED_DEVICE)
    assert "recognised from the phone; the watch was left out" in unused
    alone = recognised(tmp_path, walk())
    np.testing.assert_allclose(found.result.proba, alone.result.proba, atol=1e-3)


def test_a_unit_that_cannot_be_is_refused_though_gravity_is_taken_off(tmp_path: Path) -> None:
    with pytest.raises(UnusableRecording, match="more than twice gravity"):
        recognised(tmp_path, walk(factor=3.0))


def test_a_file_without_an_accelerometer_is_refused(tmp_path: Path) -> None:
    columns = {name: column for name, column in walk().items() if "gyro" in name}
    with pytest.raises(UnusableRecording, match="needs an accelerometer"):
        recognised(tmp_path, columns)


def test_an_export_of_an_app_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "walk.zip"
    path.write_bytes(exports.zipped(exports.sensor_logger(exports.walk(seconds=30.0))))
    found = recognise(path, "walk.zip", always(Model("everyday", everyday.model))).result
    np.testing.assert_allclose(found.proba.sum(axis=1), 1, atol=1e-5)
    assert len(found.proba) >= 9


def test_a_gyroscope_that_stops_is_no_loss_worth_a_word_but_an_accelerometer_is(tmp_path: Path) -> None:
    columns = walk()
    half = len(columns["acc_x"]) // 2
    for sensor, listed in (("gyro", 0), ("acc", 1)):
        cut = {name: column.copy() for name, column in columns.items()}
        for axis in "xyz":
            cut[f"{sensor}_{axis}"][half:] = np.nan
        gaps = details(recognised(tmp_path, cut), ProblemKind.SENSOR_GAP)
        assert len(gaps) == listed
        assert all("accelerometer" in gap for gap in gaps)


def test_a_file_whose_cells_of_gravity_are_empty_is_read_without_them(tmp_path: Path) -> None:
    columns = walk()
    full = recognised(tmp_path, columns)
    empty = {f"gravity_{axis}": np.full(len(columns["acc_x"]), np.nan) for axis in "xyz"}
    found = recognised(tmp_path, columns | empty)
    np.testing.assert_allclose(found.result.proba, full.result.proba, atol=1e-5)
    (problem,) = details(found, ProblemKind.UNREADABLE_SENSOR)
    assert problem.endswith("read without gravity")


@pytest.mark.parametrize(("said", "doubted"), [("leg", False), ("trunk", True), ("", False)])
def test_a_place_that_the_walking_contradicts_is_doubted_and_believed(said: str, doubted: bool, tmp_path: Path) -> None:
    found = recognised(tmp_path, walk(), place=said)
    (one,) = found.result.wearings
    assert one.walks_like == ("leg" if doubted else "")
    assert one.place == (said or "leg")
    problems = details(found, ProblemKind.PLACE_IN_DOUBT)
    assert problems == (
        [
            "you said that the device was worn at the waist or on the trunk, but the walking looks like that of a "
            "device on the leg: recognised as you said. If the place is wrong, choose another and recognise it again"
        ]
        if doubted
        else []
    )


def test_a_few_windows_of_walking_contradict_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "SURE_WINDOWS", N_WINDOWS + 1)
    (one,) = recognised(tmp_path, walk(), place="trunk").result.wearings
    assert one.walks_like == ""


CLIMBED_MS = {"Walking": 0.0, "climbed": 0.3, "Stairs up": 0.0, "Standing": 0.0, "carried": 1.5}
OUTING = (("Walking", 12), ("climbed", 8), ("Walking", 8), ("Stairs up", 8), ("Standing", 8), ("carried", 6),
          ("Standing", 8))  # fmt: skip


def outing() -> dict[str, np.ndarray]:
    """Return a walk in which the movement and the height disagree twice, and a lift."""
    moves = {"climbed": "Walking", "carried": "Standing"}
    parts = [everyday.signal(moves.get(what, what), 5, n, seed=i) for i, (what, n) in enumerate(OUTING)]
    values = np.concatenate(parts).reshape(-1, 9)
    speed = np.concatenate([np.full(150 * n, CLIMBED_MS[what]) for what, n in OUTING])
    acceleration = values[:, :3] + values[:, 6:]
    ridden = np.where(speed > 1.0, speed, 0.0)
    push = np.gradient(np.convolve(ridden, np.ones(75) / 75, "same")) * 50  # a lift takes 1.5 s to start
    lengths = np.linalg.norm(acceleration, axis=1, keepdims=True)
    acceleration = acceleration * (1 + push[:, None] / lengths)
    metres = np.cumsum(speed) / 50
    noise = np.random.default_rng(3).normal(0, 0.05, len(metres))
    samples = np.column_stack([acceleration, values[:, 3:6], 1000.0 - (metres + noise) / 8.4])
    return dict(zip([*HEADER, "pressure"], samples.T, strict=True))


def test_air_pressure_tells_stairs_from_walking_and_names_a_lift(tmp_path: Path) -> None:
    found = recognised(tmp_path, outing(), place="leg")
    stored, path = found.result, tmp_path / "result.npz"
    save_result(path, stored, None)
    shown, alone = as_chosen(load_result(path)), as_chosen(without(stored))
    edges = np.cumsum([0, *(n for _, n in OUTING)])
    inside = [slice(first + 2, last - 2) for first, last in pairwise(edges.tolist())]
    for part, said, height in ((0, "Walking", "Walking"), (1, "Walking", "Stairs up"), (3, "Stairs", "Walking")):
        answers = [np.array(result.answer_names)[result.answers[inside[part]]] for result in (alone, shown)]
        assert set(answers[0]) == {said}
        assert set(answers[1]) == {height}
    assert (shown.summary()["height_used"], alone.summary()["height_used"]) == (True, False)
    what = used(shown, alone)
    assert what.up_m == pytest.approx(7.2, abs=1.0)
    assert [ride.words for ride in what.rides] == [f"lift, up {round(18 * 1.5)} m"]
    assert ("Walking", "Stairs up") in [pair[:2] for pair in what.moved.pairs]
    (lane,) = found.lanes
    assert lane[1] == "pressure"
    lanes.save(tmp_path, found.lanes, None)
    (drawn,) = lanes.view(tmp_path, stored.recording_ids[0], 0.0, 1e9, 1000)
    assert drawn["channel"] == "height"
    assert drawn["values"][-1] == pytest.approx(24 * 0.3 + 27.0, abs=1.0)
