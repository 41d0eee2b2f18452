"""The strips of the quality card: where each shape stands."""

from __future__ import annotations

from typing import Any

import pytest

from app.web.predictions.quality_strips import Band, shown_quality


def stream(**changes: Any) -> dict[str, Any]:
    return {
        "modality": "watch.heart_rate", "sensor": "heart_rate", "unit": "beats/min", "worn": None,
        "start_s": 100.0, "duration_s": 40.0, "gaps": 1, "clipped": 0.0125,
        "outline": [(60.0, 60.0), (None, None), (80.0, 100.0), (60.0, 80.0)],
        "gap_spans": [(110.0, 120.0)], "unworn_spans": [], "clipped_spans": [(120.0, 120.01)],
    } | changes  # fmt: skip


def quality(*streams: dict[str, Any], duration_s: float = 40.0) -> dict[str, Any]:
    cards = [{"recording": name, "duration_s": duration_s, "streams": list(streams)} for name in ("one", "two")]
    return {"recordings": 70, "cards": cards}


def test_a_strip_reaches_from_the_least_to_the_most_and_leaves_out_what_is_missing() -> None:
    (strip,) = shown_quality(quality(stream()), "one").strips
    assert strip.title == "Watch heart rate"
    assert strip.scale == "60.0 to 100.0 beats/min"
    assert strip.description == "watch heart rate over the recording: 1 gaps, 1.25 % clipped"
    # Four parts of 250 on a width of 1000; a height of 36 between margins of 2, for 40 beats
    assert strip.path == "M125 38.4V37.6M625 20.4V1.6M875 38.4V19.6"
    assert strip.stroke_width == pytest.approx(275)


def test_bands_stand_where_their_time_is_and_can_always_be_seen() -> None:
    shown = shown_quality(quality(stream()), "two")
    assert shown.strips[0].bands == {"gap": [Band(250.0, 250.0)], "unworn": [], "clipped": [Band(500.0, 1.5)]}
    assert list(shown.shadings) == ["gap", "clipped"]


def test_a_sensor_that_started_later_stands_further_right() -> None:
    early, late = shown_quality(quality(stream(), stream(start_s=120.0, duration_s=20.0)), "one").strips
    assert early.path.startswith("M125 ")
    assert late.path.startswith("M562 ")
    assert late.stroke_width == pytest.approx(early.stroke_width / 2, abs=0.01)


def test_a_still_sensor_is_a_line_and_a_moment_is_drawn_too() -> None:
    (strip,) = shown_quality(quality(stream(outline=[(5.0, 5.0)], duration_s=0.0), duration_s=0.0), "one").strips
    assert strip.path == "M0 38.4V37.6"
    assert shown_quality(quality(stream(outline=[])), "one").strips == []


def test_where_a_file_has_too_many_recordings_the_first_card_stands_for_all() -> None:
    assert shown_quality(quality(stream()), "two").card["recording"] == "two"
    shown = shown_quality(quality(stream()), "sixty")
    assert (shown.card["recording"], shown.recordings) == ("one", 70)
    assert not shown.wear_known
    assert shown_quality(quality(stream(worn=0.5)), "one").wear_known
