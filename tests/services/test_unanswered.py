"""What is no activity has rows of its own: unfamiliar, not worn, too little, missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timezone
from pathlib import Path

import numpy as np
import pytest

from app.har.recordings.quality import card
from app.har.signals.types import UNLABELLED, Recording, SignalSet, Stream
from app.har.texts import to_csv
from app.services.recordings import result_tables
from app.services.recordings.activity_times import clock_of
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.quality import Quality
from app.services.recordings.result_files import load_result, save_result
from app.services.recordings.timeline import timeline
from app.services.recordings.unanswered import not_worn, too_little
from tests.long_recording import a_day
from tests.recognised import bouts, windows

HOUR = 3600.0


def signals(*stretches: tuple[str, float, float]) -> SignalSet:
    """Return a signal of stretches, each of a recording, with a start and a length in seconds, at 10 Hz."""
    names = tuple(dict.fromkeys(name for name, _, _ in stretches))
    length = np.array([round(10 * seconds) for _, _, seconds in stretches])
    total = int(length.sum())
    return SignalSet(
        signal=np.zeros((total, 3), np.float32),
        labels=np.full(total, UNLABELLED, np.int16),
        channels=("acc_x", "acc_y", "acc_z"),
        sampling_rate_hz=10.0,
        gravity="included",
        activities=(),
        recording_ids=names,
        subjects=names,
        first=np.cumsum(length) - length,
        length=length,
        recording=np.array([names.index(name) for name, _, _ in stretches]),
        start_s=np.array([start for _, start, _ in stretches]),
    )


def unclear_day(**changes: object) -> PredictionResult:
    """Return two hours: half an hour unworn, a minute of too little in the gap, the last windows unfamiliar."""
    _, day = a_day(2.0, rate_hz=1.0, labelled=False)
    unfamiliar = np.arange(len(day)) >= len(day) - 20
    return replace(
        day,
        unfamiliar=unfamiliar,
        unworn=((0, 0.0, HOUR / 2),),
        too_little=((0, HOUR, HOUR + 2.0), (0, HOUR + 60.0, HOUR + 62.5)),
        **changes,  # type: ignore[arg-type]
    )


def test_what_is_too_short_for_a_window_between_two_gaps_is_too_little_and_the_end_of_a_recording_is_not() -> None:
    recorded = signals(("a", 0, 10), ("a", 20, 1.5), ("a", 30, 7), ("b", 0, 3), ("b", 5, 2), ("c", 0, 2))
    found = too_little(recorded, 3.0, ("a", "b"))
    assert found == ((0, 9.0, 10.0), (0, 20.0, 21.5), (1, 5.0, 7.0))
    assert too_little(signals(("a", 0, 61)), 3.0, ("a",)) == ()


def test_the_step_between_two_samples_is_no_stretch_that_is_missing() -> None:
    _, day = a_day(2.0, rate_hz=1.0, labelled=False)
    touching = replace(day, too_little=((0, HOUR, 1.5 * HOUR - 0.01),))
    assert "missing" not in set(result_tables.totals(touching)["activity"])
    assert "missing" not in {row["activity"] for row in (*windows(touching), *bouts(touching))}


def test_a_device_is_not_worn_where_all_devices_of_the_recording_lie_still() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(0, 3 * HOUR, 0.5)

    def device(name: str, moves_from_s: float) -> Stream:
        noise = rng.normal(0, np.where(time < moves_from_s, 0.001, 2.0)[:, None], (len(time), 3))
        return Stream(f"{name}.accelerometer", time, (noise + np.array([0, 0, 9.81])).astype(np.float32))

    worn = device("phone", 0.0)
    watch, phone = device("watch", 2 * HOUR), device("phone", 1.5 * HOUR)
    for streams, expected in (((watch,), 2 * HOUR), ((watch, phone), 1.5 * HOUR), ((watch, worn), None)):
        recording = Recording("a", "a", streams, "included")
        spans = not_worn(Quality((card(recording),), 1), ("a",))
        assert [span[0] for span in spans] == ([] if expected is None else [0])
        if expected is not None:
            assert expected - HOUR / 2 <= spans[0][2] <= expected  # a quarter is judged by the hour around it


def test_each_is_a_row_of_its_own_in_windows_bouts_days_and_totals() -> None:
    day = unclear_day()
    totals = result_tables.totals(day).set_index("activity")
    assert totals.loc["Not worn", "minutes"] == pytest.approx(30)
    assert totals.loc["Unfamiliar", "minutes"] == pytest.approx(1)
    assert totals.loc["Too little", "minutes"] == pytest.approx(4.5 / 60, abs=1e-3)
    assert totals.loc["missing", "minutes"] == pytest.approx(30 - 4.5 / 60, abs=1e-3)
    assert totals["share"].sum() == pytest.approx(1)  # of the time in windows
    for rows in (windows(day), bouts(day)):
        short = [row for row in rows if row["activity"] == "Too little"]
        assert [(row["start_s"], row["end_s"], row["confidence"]) for row in short] == [
            (HOUR, HOUR + 2, None), (HOUR + 60, HOUR + 62.5, None),
        ]  # fmt: skip
        assert {"Not worn", "Unfamiliar", "Too little", "missing"} < {row["activity"] for row in rows}
        ends = [row["end_s"] for row in rows[:-1]]
        assert ends == [row["start_s"] for row in rows[1:]]  # they follow each other without a gap
    for period in ("day", "hour"):
        table = result_tables.days(day, timezone.utc)
        minutes = table[table["period"] == period].groupby("activity")["minutes"].sum()
        for name in ("Not worn", "Unfamiliar", "Too little", "missing"):
            assert minutes[name] == pytest.approx(totals.loc[name, "minutes"], abs=1e-3)
    assert "Too little" in to_csv(result_tables.bouts(day))


def test_the_timeline_hatches_each_and_says_on_hover_what_it_means() -> None:
    day = unclear_day()
    drawn = timeline(day, 0, None, clock_of(day, 0, timezone.utc), HOUR - 10, HOUR + 70)
    text = {band["activity"]: band["text"] for band in drawn["recognised"]}
    assert "recorded, but too short for an answer" in text["Too little"]
    assert text[None][0] == "missing: not recorded"
    whole = timeline(day, 0, None, clock_of(day, 0, timezone.utc), 0.0, HOUR / 2)
    assert "the device lay still for an hour or more" in whole["recognised"][0]["text"]
    assert set(drawn["hatches"]) == {"Uncertain", "Unfamiliar", "Not worn", "Too little"}


def test_a_model_that_knows_when_it_is_not_worn_answers_that_itself() -> None:
    names = ("Not worn", *unclear_day().activities[1:])
    assert not unclear_day(activities=names).not_worn.any()
    assert unclear_day(activities=names).answer_names.count("Not worn") == 1


def test_they_are_stored_and_a_result_of_an_earlier_build_has_none(tmp_path: Path) -> None:
    day = unclear_day()
    save_result(tmp_path / "1.npz", day, None)
    again = load_result(tmp_path / "1.npz")
    assert (again.unworn, again.too_little) == (day.unworn, day.too_little)
    assert windows(again) == windows(day)


def test_what_a_personal_head_looks_at_is_stored_and_a_result_of_an_earlier_build_has_none(tmp_path: Path) -> None:
    day = unclear_day(features=np.ones((len(unclear_day()), 3), np.float16))
    save_result(tmp_path / "1.npz", day, None)
    np.testing.assert_array_equal(load_result(tmp_path / "1.npz").features, day.features)
    with np.load(tmp_path / "1.npz") as stored:
        np.savez(tmp_path / "0.npz", **{name: array for name, array in stored.items() if name != "features"})
    assert load_result(tmp_path / "0.npz").features.shape == (len(day), 0)


def test_neither_right_nor_wrong_is_what_was_not_worn() -> None:
    _, labelled = a_day(2.0, rate_hz=1.0)
    day = replace(labelled, unworn=((0, 0.0, HOUR / 2),))
    table = result_tables.metrics(day)
    assert table["as_Not worn"].sum() == 600
    assert table["answered"].sum() == (day.right != UNLABELLED).sum() == (labelled.right != UNLABELLED).sum() - 600
