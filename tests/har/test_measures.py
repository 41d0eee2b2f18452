"""Daily measures are what their definitions say, computed by hand on days that are made up for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from app.har.measures import cut_points, rest, slots
from app.har.measures.cut_points import CUT_POINTS
from app.har.measures.days import Days, Row
from app.har.measures.dictionary import columns
from app.har.measures.slots import SLOT_S, Slots, slots_of
from app.har.measures.timeline import NODES, Measured, node_positions, together
from app.har.signals.types import Recording, Stream
from app.har.types import FloatArray
from app.har.vocabulary import LYING, NOT_WORN, SITTING, STANDING, WALKING

BERLIN = ZoneInfo("Europe/Berlin")
G = 9.80665
MIDNIGHT = datetime(2026, 11, 29, tzinfo=BERLIN).timestamp()
HOUR, MINUTE = 3600.0, 60.0


def did(*stretches: tuple[float, float, str], start: float = MIDNIGHT, **more: object) -> Measured:
    """Return a recording of stretches in minutes from a midnight."""
    begin, end, names = zip(*stretches, strict=True)
    times = (np.array(each) * MINUTE + start for each in (begin, end))
    return Measured(*times, node_positions(names), **{"steps": np.zeros(0), **more})  # type: ignore[arg-type]


def day(*measured: Measured, **more: object) -> Row:
    [row] = Days(measured, BERLIN, **more).rows()  # type: ignore[arg-type]
    return row


def moved(
    n: int, level_mg: float | FloatArray = 0.0, start: float = MIDNIGHT, angle: FloatArray | None = None
) -> Slots:
    number = np.arange(n) + round(start / SLOT_S)
    value = np.broadcast_to(np.float32(level_mg), n)
    return Slots(number, value, value, np.zeros(n, np.float32) if angle is None else angle)


# --- acceleration


def recording(
    values: FloatArray, rate_hz: float = 100.0, origin_s: float | None = 0.0, start_s: float = 0.0
) -> Recording:
    time_s = start_s + np.arange(len(values)) / rate_hz
    stream = Stream("accelerometer", time_s, values.astype(np.float32))
    return Recording("day", "", (stream,), "included", origin_utc_s=origin_s)


def test_enmo_mad_and_angle_are_as_defined() -> None:
    up = np.tile([0.0, 0.0, G], (500, 1))
    half = up.copy()
    half[::2] *= 1.2  # 1.2 g and 0.8 g by turns: above 1 g by 0.2 g half of the time, 0.2 g from the mean of 1 g always
    half[1::2] *= 0.8
    tilted = np.tile([G / 2, 0.0, G * np.sqrt(3) / 2], (500, 1))
    found = slots_of(recording(np.concatenate((up, half, tilted))))
    assert found is not None
    assert found.number.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.enmo_mg, [0, 100, 0], atol=1e-3)
    np.testing.assert_allclose(found.mad_mg, [0, 200, 0], atol=1e-3)
    np.testing.assert_allclose(found.angle_deg, [90, 90, 60], atol=1e-3)


def test_slots_lie_on_the_worlds_clock_and_those_with_holes_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    values = np.array([0.0, 0.0, G]) + rng.normal(0, 0.5, (6000, 3))
    whole = recording(values, origin_s=1003.0, start_s=0.5)  # begins at 1003.5 s: the first whole slot is the 201st
    found = slots_of(whole)
    assert found is not None
    assert found.number[0] == 201
    assert len(found) == 11
    stream = whole.streams[0]
    kept = (stream.time_s < 10.0) | (stream.time_s > 12.0)
    holed = Stream("accelerometer", stream.time_s[kept], stream.values[kept])
    without = slots_of(Recording("day", "", (holed,), "included", origin_utc_s=1003.0))
    assert without is not None
    assert sorted({*found.number.tolist()} - {*without.number.tolist()}) == [202]  # 1010 to 1015 s, of which 2 lack
    monkeypatch.setattr(slots, "AT_ONCE", 700)
    by_parts = slots_of(whole)
    assert by_parts is not None
    for name in ("number", "enmo_mg", "mad_mg", "angle_deg"):
        np.testing.assert_allclose(getattr(by_parts, name), getattr(found, name), rtol=1e-5)


def test_without_gravity_or_too_slow_there_are_none() -> None:
    still = np.zeros((1000, 3)) + 0.01
    assert slots_of(Recording("x", "", recording(still).streams, "removed")) is None
    assert slots_of(recording(still + G, rate_hz=5.0)) is None
    assert slots_of(Recording("x", "", (), "included")) is None


def test_of_several_devices_the_one_on_the_wrist_is_measured() -> None:
    up = recording(np.tile([0.0, 0.0, G], (1000, 1))).streams[0]
    worn = tuple(Stream(f"{name}.accelerometer", up.time_s, up.values) for name in ("phone", "watch"))
    found = slots_of(Recording("x", "", worn, "included"))
    assert found is not None
    assert found.device == "watch"


# --- cut-points


def test_a_slot_is_of_the_level_whose_cut_point_it_reaches() -> None:
    chosen = cut_points.choose("wrist", "adult")
    assert chosen is not None
    assert (chosen.light, chosen.moderate, chosen.vigorous) == (44.8, 100.6, 428.8)
    values = np.array([0, 44.7, 44.8, 100.5, 100.7, 428.7, 429], np.float32)
    found = Slots(np.arange(7), values, np.zeros(7, np.float32), np.zeros(7, np.float32))
    assert chosen.levels_of(found).tolist() == [0, 0, 1, 1, 2, 2, 3]


def test_cut_points_fit_place_age_and_brand_or_there_are_none() -> None:
    assert cut_points.choose("wrist", "adult", "GENEActiv").moderate == 93.2  # type: ignore[union-attr]
    assert cut_points.choose("trunk", "adult").metric == "MAD"  # type: ignore[union-attr]
    assert cut_points.choose("trunk", "adult", name="hildebrand-adult-hip-actigraph").moderate == 69.1  # type: ignore[union-attr]
    for place, age in (("leg", "adult"), ("wrist", "adolescent"), ("hand or bag", "old"), ("wrist", ""), ("", "adult")):
        assert cut_points.choose(place, age) is None
    assert len({each.name for each in CUT_POINTS}) == len(CUT_POINTS)
    for each in CUT_POINTS:
        limits = [limit for limit in (each.light, each.moderate, each.vigorous) if limit is not None]
        assert limits == sorted(limits)
        assert {*each.ages} <= {*cut_points.AGES}


# --- a day


def test_minutes_wear_and_a_valid_day() -> None:
    row = day(
        did((0, 480, LYING), (480, 600, SITTING), (600, 630, WALKING), (630, 700, NOT_WORN), (700, 730, "Nothing"))
    )
    assert {name: row[name] for name in ("lying_min", "sitting_min", "walking_min", "not_worn_min")} == {
        "lying_min": 480, "sitting_min": 120, "walking_min": 30, "not_worn_min": 70,
    }  # fmt: skip
    assert row["other_movement_min"] == 30  # a name that the vocabulary does not know
    assert (row["signal_h"], row["worn_h"], row["no_signal_h"]) == (round(730 / 60, 3), 11.0, round(710 / 60, 3))
    assert (row["date"], row["start"], row["valid"]) == ("2026-11-29", "2026-11-29T00:00:00+01:00", True)
    assert not day(did((0, 599, SITTING)))["valid"]
    assert day(did((0, 599, SITTING)), worn_enough_h=9.0)["valid"]
    assert list(row) == [column.name for column in columns("day")]


def test_days_end_at_local_midnights_and_may_have_23_or_25_hours() -> None:
    spring = datetime(2026, 3, 28, 23, tzinfo=BERLIN).timestamp()
    rows = Days([did((0, 120, WALKING), start=spring)], BERLIN).rows()
    assert [(row["date"], row["hours"], row["walking_min"]) for row in rows] == [
        ("2026-03-28", 24.0, 60.0), ("2026-03-29", 23.0, 60.0),
    ]  # fmt: skip
    autumn = datetime(2026, 10, 25, tzinfo=BERLIN).timestamp()
    hours = Days([did((0, 25 * 60, SITTING), start=autumn)], BERLIN).rows("hour")
    assert len(hours) == 25
    assert {row["sitting_min"] for row in hours} == {60.0}
    assert [row["start"][11:] for row in hours[2:4]] == ["02:00:00+02:00", "02:00:00+01:00"]
    assert list(hours[0]) == [column.name for column in columns("hour")]


def test_two_recordings_of_one_time_count_once_and_an_answer_counts_before_none() -> None:
    watch = did((0, 60, SITTING), (60, 90, "Uncertain"), (90, 120, NOT_WORN))
    phone = did((30, 100, WALKING), (100, 130, NOT_WORN), steps=MIDNIGHT + MINUTE * np.array([35.0, 70.0, 95.0]))
    row = day(watch, phone)
    # The phone has more answers: it is believed where both have one; off counts last
    assert (row["sitting_min"], row["walking_min"], row["no_answer_min"], row["not_worn_min"]) == (30, 70, 0, 30)
    assert (row["recordings"], row["steps"], row["signal_h"]) == (2, 3, round(130 / 60, 3))
    longer = did((0, 110, SITTING))
    assert day(longer, phone)["steps"] == 0  # it was the other one that counted
    assert len(together([watch, watch]).start_s) == 3


def test_where_the_one_who_walked_cannot_be_counted_there_are_no_steps() -> None:
    walk = did((0, 10, WALKING), steps=None)
    assert day(walk)["steps"] is None
    assert day(walk, did((20, 60, SITTING)))["steps"] is None
    assert day(did((0, 10, SITTING), steps=None))["steps"] is None
    assert day(did((0, 10, SITTING)))["steps"] == 0


# --- sitting


def test_bouts_of_sitting_and_their_breaks() -> None:
    row = day(
        did(
            (0, 20, SITTING), (20.5, 40, SITTING),  # half a minute of nothing: one bout of 40 min
            (40, 41, STANDING),  # a break
            (41, 101, "Sitting or lying"),  # an hour
            (101, 103, "Still"),  # two minutes of which nothing is known: the bout ends, and nobody broke it
            (103, 110, SITTING), (110, 120, WALKING),  # a break
            (120, 140, SITTING),  # and the recording ends
        )
    )  # fmt: skip
    assert row["sedentary_min"] == 39.5 + 60 + 7 + 20
    assert (row["sedentary_bouts_30"], row["sedentary_bouts_60"]) == (2, 1)
    assert (row["sedentary_30_min"], row["sedentary_60_min"], row["longest_sedentary_min"]) == (99.5, 60, 60)
    assert row["sedentary_breaks"] == 2


def test_a_bout_over_midnight_is_one_of_the_day_on_which_it_begins() -> None:
    rows = Days([did((-20, 25, SITTING), (25, 30, WALKING))], BERLIN).rows()
    assert [(row["sedentary_min"], row["sedentary_bouts_30"], row["sedentary_breaks"]) for row in rows] == [
        (20, 1, 0), (25, 0, 1),
    ]  # fmt: skip


# --- intensity


def test_minutes_by_intensity_of_what_was_worn() -> None:
    adult = cut_points.choose("wrist", "adult")
    level = np.repeat(np.array([10.0, 50.0, 200.0, 500.0], np.float32), 12)  # a minute each
    watch = did((0, 3, WALKING), (3, 4, NOT_WORN), slots=moved(48, level), cut_points=adult, place="wrist")
    row = day(watch)
    assert [row[f"{name}_min"] for name in ("inactive", "light", "moderate", "vigorous", "mvpa")] == [1, 1, 1, 0, 1]
    assert row["enmo_mg"] == pytest.approx((10 + 50 + 200) / 3, abs=0.01)
    assert row["intensity_h"] == 0.05
    assert row["cut_points"].startswith("Hildebrand et al.")


def test_what_a_publication_does_not_have_is_empty_and_without_one_all_is() -> None:
    level = np.repeat(np.array([10.0, 100.0, 500.0], np.float32), 12)
    hip = did((0, 3, WALKING), slots=moved(36, level), cut_points=cut_points.choose("trunk", "adult"), place="trunk")
    row = day(hip)
    assert [row[f"{name}_min"] for name in ("inactive", "light", "moderate", "vigorous", "mvpa")] == [
        None,
        None,
        1,
        1,
        2,
    ]
    old = did((0, 3, WALKING), slots=moved(36, level), cut_points=cut_points.choose("wrist", "old"), place="wrist")
    assert [day(old)[f"{name}_min"] for name in ("light", "moderate", "vigorous", "mvpa")] == [0, None, None, 2]
    unknown = day(did((0, 3, WALKING), slots=moved(36, level), without="it was not said where the device was worn"))
    assert unknown["cut_points"] == "none: it was not said where the device was worn"
    assert (unknown["mvpa_min"], unknown["intensity_h"]) == (None, 0.0)
    assert unknown["mad_mg"] == pytest.approx(610 / 3, abs=0.01)


def test_two_devices_at_once_give_one_intensity() -> None:
    adult = cut_points.choose("wrist", "adult")
    one = did((0, 2, WALKING), slots=moved(24, 500.0), cut_points=adult, place="wrist")
    other = did((1, 2, WALKING), slots=moved(12, 0.0, MIDNIGHT + 60), cut_points=adult, place="wrist")
    assert day(one, other)["vigorous_min"] == 2


# --- rest


def night(turns_h: tuple[float, ...] = (), moving: tuple[float, float] = (23.0, 7.0)) -> FloatArray:
    """Return the angle of a wrist from noon to noon: it moves all day, and rests at night but for some turns."""
    rng = np.random.default_rng(1)
    n = round(24 * HOUR / SLOT_S)
    angle = np.cumsum(rng.normal(0, 6.0, n))
    first, last = (round(((hour - 12) % 24) * HOUR / SLOT_S) for hour in moving)
    angle[first:last] = 20 + rng.normal(0, 0.02, last - first)
    for hour in turns_h:  # twenty minutes awake
        at = round(((hour - 12) % 24) * HOUR / SLOT_S)
        angle[at : at + 240] += np.cumsum(rng.normal(0, 6.0, 240))
    return angle.astype(np.float32)


def test_the_rest_window_of_a_wrist_is_the_longest_still_stretch_of_the_night() -> None:
    noon = MIDNIGHT - 12 * HOUR
    n = round(24 * HOUR / SLOT_S)
    watch = did((-720, 720, SITTING), slots=moved(n, 20.0, noon, night((2.0,))), place="wrist",
                cut_points=cut_points.choose("wrist", "adult"))  # fmt: skip
    before, after = Days([watch], BERLIN).rows()
    assert before["rest_start"] is None  # no night ends on that day
    start, end = (datetime.fromisoformat(after[name]) for name in ("rest_start", "rest_end"))
    slack = timedelta(minutes=3)  # half of what the median looks over
    assert abs(start - datetime(2026, 11, 28, 23, tzinfo=BERLIN)) < slack
    assert abs(end - datetime(2026, 11, 29, 7, tzinfo=BERLIN)) < slack
    assert after["rest_by"] == "angle of the wrist"
    assert after["rest_h"] == pytest.approx(8, abs=0.1)
    # What was within it is neither sedentary nor of any intensity
    assert after["sedentary_min"] == pytest.approx(5 * 60, abs=3)
    assert after["inactive_min"] == pytest.approx(5 * 60, abs=3)


def test_a_night_in_which_the_wrist_is_bare_for_hours_has_no_rest_window() -> None:
    noon, n = MIDNIGHT - 12 * HOUR, round(15 * HOUR / SLOT_S)
    watch = did((-720, 180, SITTING), slots=moved(n, 0.0, noon, night()[:n]), place="wrist")
    assert [row["rest_start"] for row in Days([watch], BERLIN).rows()] == [None, None]


def test_elsewhere_the_rest_window_comes_from_lying() -> None:
    belt = did((-720, -60, SITTING), (-60, 180, LYING), (180, 200, WALKING), (200, 400, LYING), (400, 500, SITTING),
               (500, 520, LYING), (520, 720, SITTING), place="trunk")  # fmt: skip
    row = Days([belt], BERLIN).rows()[1]
    assert row["rest_by"] == "lying"
    assert row["rest_h"] == round(460 / 60, 3)
    assert row["sedentary_min"] == 720 - 400


def test_blocks_of_rest_are_joined_over_short_gaps_and_short_ones_do_not_count() -> None:
    start, end = np.array([0.0, 3000, 9000, 20000]), np.array([1700.0, 6000, 12000, 21000])
    assert rest.longest(start, end) == (3000, 12000)
    assert rest.longest(start[:1], end[:1]) is None


# --- all of it


def test_without_a_clock_days_count_from_the_start() -> None:
    undated = did((0, 26 * 60, SITTING), start=100.0)
    rows = Days([undated], BERLIN, dated=False).rows()
    assert [(row["date"], row["start"], row["sitting_min"]) for row in rows] == [
        ("day 1", None, 1440),
        ("day 2", None, 120),
    ]


def test_years_between_recordings_cost_no_rows() -> None:
    rows = Days([did((0, 10, SITTING)), did((0, 10, WALKING), start=MIDNIGHT + 2000 * 86400.0)], BERLIN).rows()
    assert [row["sitting_min"] for row in rows] == [10, 0]
    assert Days([], BERLIN).rows() == []


def test_each_activity_has_a_column_and_each_column_a_definition_and_a_source() -> None:
    assert len(columns("day")) == len({column.name for column in columns("day")})
    assert {f"{name}_min" for name in ("lying", "stairs_up", "no_answer", "not_worn")} <= {
        c.name for c in columns("hour")
    }
    assert all(column.definition and column.source for column in columns("day"))
    assert len(NODES) == 15


# --- standing up


def test_standing_up_is_counted_once_and_by_the_recording_that_counts() -> None:
    minutes = np.array([[10.0, 10.05], [30.0, 30.05], [70.0, 70.1]])
    sat = did((0, 60, SITTING), stood_up=minutes * MINUTE + MIDNIGHT)  # the last one is of no time of its own
    short = did((5, 20, SITTING), stood_up=minutes[:1] * MINUTE + MIDNIGHT)
    row = day(sat, short)
    assert (row["sit_to_stand"], row["sit_to_stand_mean_s"]) == (2, 3.0)
    unknown = day(sat, did((60, 90, SITTING)))
    assert (unknown["sit_to_stand"], unknown["sit_to_stand_mean_s"]) == (None, None)
    assert (day(did((0, 60, SITTING), stood_up=np.zeros((0, 2))))["sit_to_stand"]) == 0
