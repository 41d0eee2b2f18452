"""Bands, hours and days of a recording, and how its moments are written."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from app.har.signals.types import UNLABELLED
from app.services.errors import ServiceError
from app.services.recordings.activity_times import (
    COLUMNS,
    bands,
    clock_of,
    per_period,
    seconds_between,
    with_gaps,
)
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.result_tables import agreement, by_period, days
from app.services.recordings.timeline import timeline, window_strip_data
from app.services.recordings.wall_clock import WallClock, time_zone
from tests.long_recording import a_day
from tests.recognised import bouts, windows

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def day() -> PredictionResult:
    """Return a day of 28,200 windows; of the signal one sample a second is enough here."""
    return a_day(rate_hz=1.0)[1]


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


def moved(result: PredictionResult, origin_utc_s: float | None, shift_s: float = 0.0) -> PredictionResult:
    return replace(
        result,
        origin_utc_s=(origin_utc_s,),
        start_s=result.start_s + shift_s,
        end_s=result.end_s + shift_s,
    )


def test_equal_neighbours_are_one_band_and_a_pause_between_them_is_missing() -> None:
    _, result = a_day(2.0, rate_hz=1.0, labelled=False)
    found = with_gaps(result.bout_columns(0), -60.0, 7200.0)
    start, end, activity = found.start_s, found.end_s, found.activity
    assert (start[0], end[0], activity[0]) == (-60.0, 0.0, UNLABELLED)
    np.testing.assert_allclose(start[1:], end[:-1], atol=1e-6)
    gap = (activity == UNLABELLED) & (start >= 0)
    assert (start[gap].tolist(), end[gap].tolist()) == ([3600.0], [5400.0])
    assert (activity[1:] != activity[:-1]).all()


def test_few_bands_are_exact_and_many_are_thinned_to_what_fills_most_of_each_stripe(day: PredictionResult) -> None:
    bouts, n = day.bout_columns(0), len(day.answer_names)
    exact, thinned = bands(bouts, n, 1000.0, 4000.0)
    assert not thinned
    assert np.isfinite(exact.confidence[exact.activity != UNLABELLED]).all()
    assert (exact.start_s < 4000.0).all()
    assert (exact.end_s > 1000.0).all()

    drawn_bands, thinned = bands(bouts, n, 0.0, 86_400.0)
    assert thinned
    start, end, activity = drawn_bands.start_s, drawn_bands.end_s, drawn_bands.activity
    assert len(start) <= COLUMNS < len(bouts.start_s)
    np.testing.assert_allclose(start[1:], end[:-1])
    window = np.minimum((day.start_s // (86_400 / COLUMNS)).astype(int), COLUMNS - 1)
    votes = np.zeros((COLUMNS, n + 1))
    np.add.at(votes, (window, day.ranked[:, 0]), 3.0)  # a stripe of 144 s holds 48 whole windows
    votes[:, n] = 144.0 - votes.sum(axis=1)
    drawn = activity[np.searchsorted(start, (np.arange(COLUMNS) + 0.5) * 86_400 / COLUMNS, side="right") - 1]
    most = np.where(drawn == UNLABELLED, n, drawn)
    np.testing.assert_allclose(votes[np.arange(COLUMNS), most], votes.max(axis=1))
    assert UNLABELLED in activity  # the watch lay apart for half an hour


def test_the_seconds_between_edges_add_up_to_the_time_between_them(day: PredictionResult) -> None:
    edges = np.sort(np.random.default_rng(0).uniform(-100, 86_500, 300))
    seconds = seconds_between(day.bout_columns(0), len(day.answer_names), edges)
    np.testing.assert_allclose(seconds.sum(axis=1), np.diff(edges), atol=1e-6)
    walking = (day.ranked[:, 0] == 3) & (day.start_s > edges[0]) & (day.end_s < edges[-1])
    assert seconds[:, 3].sum() == pytest.approx(3.0 * walking.sum(), abs=6)


@pytest.mark.parametrize("kind", ["hour", "day"])
@pytest.mark.parametrize(
    ("origin", "zone"),
    [
        pytest.param(None, timezone.utc, id="elapsed"),
        pytest.param(utc("2025-05-12T13:47:11"), timezone.utc, id="UTC"),
        pytest.param(utc("2025-03-29T12:00:00"), BERLIN, id="summer time begins"),
        pytest.param(utc("2025-10-25T12:00:00"), BERLIN, id="summer time ends"),
        pytest.param(utc("2025-04-05T06:00:00"), ZoneInfo("Australia/Lord_Howe"), id="half an hour of summer time"),
        pytest.param(utc("2025-05-12T13:47:11"), ZoneInfo("Asia/Kathmandu"), id="quarters of an hour"),
    ],
)
def test_hours_and_days_add_up_to_the_minutes_of_the_whole(
    day: PredictionResult, origin: float | None, zone: ZoneInfo, kind: str
) -> None:
    result = moved(day, origin)
    clock = clock_of(result, 0, zone)
    assert clock.known == (origin is not None)
    periods = by_period(days(result, zone), kind)  # type: ignore[arg-type]
    summary = result.summary()
    for name, minutes in summary["minutes_per_activity"].items():
        assert sum(p["minutes"].get(name, 0) for p in periods) == pytest.approx(minutes, abs=0.01)
    assert sum(p["missing"] for p in periods) == pytest.approx(30.0, abs=0.01)
    lengths = [end - start for start, end in clock.periods(kind)]
    assert sum(lengths) == pytest.approx(clock.end_s - clock.start_s)
    assert max(lengths) <= (3600.1 if kind == "hour" else 25 * 3600 + 0.1)
    titles = [clock.period_title(p["start_s"], kind) for p in periods]  # type: ignore[arg-type]
    assert len(set(titles)) == len(titles)


def test_when_summer_time_ends_an_hour_comes_twice_and_the_day_has_25() -> None:
    clock = WallClock(0.0, 2 * 86_400.0, utc("2025-10-25T12:00:00"), BERLIN)
    hours, days = clock.periods("hour"), clock.periods("day")
    titles = [clock.period_title(start, "hour") for start, _ in hours]
    assert titles[12:15] == ["26 Oct, 02:00 (CEST)", "26 Oct, 02:00 (CET)", "26 Oct, 03:00"]
    assert [clock.iso(start) for start, _ in hours[12:14]] == ["2025-10-26T02:00:00+02:00", "2025-10-26T02:00:00+01:00"]
    assert [(end - start) / 3600 for start, end in days] == [10, 25, 13]
    assert clock.period_title(days[1][0], "day") == "Sun 26 Oct 2025"


@pytest.mark.parametrize("origin", [None, 0.0])
def test_decades_of_a_clock_that_was_not_set_have_neither_hours_nor_days(
    day: PredictionResult, origin: float | None
) -> None:
    start_s = np.where(np.arange(len(day)) < 5, 0.0, 1_717_156_790.0) + day.start_s
    late = moved(replace(day, start_s=start_s, end_s=start_s + 3.0), origin)
    assert list(per_period(late, 0, clock_of(late, 0, BERLIN), "hour")) == []
    assert list(per_period(late, 0, clock_of(late, 0, BERLIN), "day")) == []


def test_midnight_divides_days_where_the_person_looks_from() -> None:
    origin = utc("2025-05-12T20:30:00")
    for zone, lengths in ((timezone.utc, [3.5, 2.5]), (BERLIN, [1.5, 4.5])):
        clock = WallClock(0.0, 6 * 3600.0, origin, zone)
        assert [(end - start) / 3600 for start, end in clock.periods("day")] == lengths


def test_without_a_time_of_day_hours_and_days_count_from_the_start() -> None:
    clock = WallClock(500.0, 500.0 + 90_000.0, None, BERLIN)
    assert [start for start, _ in clock.periods("day")] == [500.0, 86_900.0]
    assert clock.period_title(86_900.0, "day") == "day 2"
    assert clock.period_title(500.0 + 7200, "hour") == "2:00 – 3:00"
    assert clock.write(500.0 + 90_000.3) == "25:00:00.3"


@pytest.mark.parametrize(
    ("origin", "shift_s", "first"),
    [
        (utc("2025-05-12T10:00:00"), 0.0, "2025-05-12T10:00:00.000Z"),
        (utc("2025-05-12T10:00:00"), -2.5, "2025-05-12T09:59:57.500Z"),
        (None, utc("2025-05-12T10:00:00"), "2025-05-12T10:00:00.000Z"),
        (None, 178_000.0, None),
        (-5e9, 0.0, None),
        (1e15, 0.0, None),
    ],
    ids=["known", "starts before 0 s", "the clock itself is Unix time", "since the phone started", "1811", "nonsense"],
)
def test_the_time_of_day_is_told_where_it_is_known(
    day: PredictionResult, origin: float | None, shift_s: float, first: str | None
) -> None:
    result = moved(day, origin, shift_s)
    assert windows(result)[0]["start_utc"] == first
    assert bouts(result)[0]["start_utc"] == first
    assert clock_of(result, 0, timezone.utc).known == (first is not None)


@pytest.mark.parametrize(
    ("from_s", "to_s", "texts"),
    [
        (0.0, 86_400.0, ["00:00<br>12 May", "06:00", "12:00", "18:00", "00:00<br>13 May"]),
        (3600.0, 5400.0, ["01:00<br>12 May", "01:05", "01:10", "01:15", "01:20", "01:25", "01:30"]),
        (10.0, 13.0, ["00:00:10.0<br>12 May", "00:00:10.5"]),
        (0.0, 7 * 86_400.0, ["12 May", "13 May"]),
    ],
)
def test_ticks_are_round_by_the_clock_on_the_wall(from_s: float, to_s: float, texts: list[str]) -> None:
    clock = WallClock(0.0, to_s, utc("2025-05-11T22:00:00"), BERLIN)
    ticks = clock.ticks(from_s, to_s)
    assert ticks["text"][: len(texts)] == texts
    assert 2 <= len(ticks["at"]) <= 8
    assert all(from_s <= at <= to_s for at in ticks["at"])


def test_ticks_of_a_stopwatch_go_on_past_a_day() -> None:
    ticks = WallClock(100.0, 200_000.0, None, BERLIN).ticks(100.0, 172_900.0)
    assert ticks == {"at": [100.0, 43_300.0, 86_500.0, 129_700.0, 172_900.0],
                     "text": ["0:00:00", "12:00:00", "24:00:00", "36:00:00", "48:00:00"]}  # fmt: skip


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "", "Europe", "a\0b", "x" * 5000])
def test_a_time_zone_that_does_not_exist_is_refused_in_words(name: str) -> None:
    with pytest.raises(ServiceError, match="Europe/Berlin"):
        time_zone(name)


def test_what_is_drawn_stays_small_however_long_the_recording(day: PredictionResult) -> None:
    clock = clock_of(day, 0, BERLIN)
    drawn = timeline(day, 0, None, clock, None, None)
    assert len(drawn["recognised"]) <= COLUMNS
    assert len(drawn["labelled"]) <= COLUMNS
    assert drawn["thinned"]
    assert {band["activity"] for band in drawn["recognised"]} == {*day.activities, None}
    assert max(band["end_s"] for band in drawn["labelled"]) == pytest.approx(43_200 - 900, abs=200)
    assert drawn["whole_s"] == drawn["range_s"] == (0.0, 86_400.0)
    closer = timeline(day, 0, None, clock, 40_000.0, 1e6)
    assert closer["range_s"] == (40_000.0, 86_400.0)


@pytest.mark.parametrize("range_s", [(5.0, 4.0), (5.0, 5.0), (90_000.0, 91_000.0), (-20.0, -10.0), (86_400.0, None)])
def test_a_range_outside_of_the_recording_is_refused_in_words(
    day: PredictionResult, range_s: tuple[float, float | None]
) -> None:
    with pytest.raises(ServiceError, match=r"within 0\.000 s to 86400\.000 s"):
        timeline(day, 0, None, clock_of(day, 0, BERLIN), *range_s)


def test_single_windows_are_drawn_row_by_row(day: PredictionResult) -> None:
    n = len(day)
    rows = replace(day, recording_index=np.arange(n), recording_ids=tuple(f"row {i + 1}" for i in range(n)))
    assert rows.layout == "windows"
    near = window_strip_data(rows, 10.5, 20.5)
    assert [band["text"][1] for band in near["recognised"]] == [f"row {i}" for i in range(11, 21)]
    assert [band["activity"] for band in near["labelled"]] == [
        day.label_activities[i] for i in day.labels[10:20].tolist()
    ]
    far = window_strip_data(rows, None, None)
    assert far["thinned"]
    assert len(far["recognised"]) <= COLUMNS
    with pytest.raises(ServiceError, match=r"rows 1 to 28,200"):
        window_strip_data(rows, 30_000.0, 40_000.0)
    assert days(rows).empty


def test_agreement_counts_windows_as_the_file_names_them(day: PredictionResult) -> None:
    found = agreement(day, 0)
    assert found is not None
    labelled = day.labels != UNLABELLED
    assert found["compared"] == labelled.sum() == sum(row["windows"] for row in found["rows"])
    diagonal = sum(row["recognised"][found["columns"].index(row["label"])] for row in found["rows"])
    assert found["right"] == diagonal == ((day.ranked[:, 0] == day.labels) & labelled).sum()
    assert agreement(a_day(2.0, rate_hz=1.0, labelled=False)[1], 0) is None
    many = replace(day, labels=np.arange(len(day)) % 8000, label_activities=tuple(f"label {i}" for i in range(8000)))
    found = agreement(many, 0)
    assert found is not None
    assert (len(found["rows"]), found["more"]) == (200, 7800)
    strange = replace(day, label_activities=("Bike", *day.label_activities[1:]))
    rows = {row["label"]: row for row in agreement(strange, 0)["rows"]}  # type: ignore[index]
    assert not rows["Bike"]["known"]
    assert sum(rows["Bike"]["recognised"]) == rows["Bike"]["windows"]
