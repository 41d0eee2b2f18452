"""How well air pressure tells stairs, lifts, the level, weather and gusts apart; JSON on stdout.

``generated`` are courses of `benchmarks.air` on the noise of four phones. ``real`` are recordings that people published
without a licence, so that they were measured and nothing of them is kept here; the first argument is a folder of
clones (``git clone https://github.com/OWNER/NAME`` each): jmandzak/ActivityDetection (AndroSensor: 22 climbs of one
building, 23 walks outside, labelled by folder), LynnBokern/ML4QS (phyphox: 16 minutes with a table of labels),
Sascha-no-idea/elevator-movement-evaluation (phyphox: three rides up and down). Two of the 22 climbs go the other way
than their names say, by 24 and 25 m: they are counted by what pressure says (`SWAPPED`).

Of windows of 3 s: ``said right`` is the share on stairs of which height says the right way, ``said wrong`` the other
way, ``level`` and ``stairs`` the shares of all that is not stairs of which height says so.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.height.answers import DOWN, LEVEL, STAIRS_MS, UP, of_windows
from app.har.height.climbs import Climb, find_climbs
from app.har.height.rate import heights
from benchmarks import air

SEEDS, WINDOW_S = 100, 3.0
SWAPPED = ("Upstairs7", "Downstairs7")
Numbers = NDArray[np.float64]
Seen = tuple[list[Climb], NDArray[np.int8], Numbers]  # climbs, what height says of each window, their middles


def seen(time_s: Numbers, pressure_hpa: Numbers) -> Seen:
    """Return what is found in a course of pressure."""
    found = heights(time_s, pressure_hpa)
    assert found is not None
    climbs = find_climbs(found)
    start_s = np.arange(time_s[0], time_s[-1] - WINDOW_S, WINDOW_S)
    return climbs, of_windows(found, climbs, start_s, start_s + WINDOW_S), start_s + WINDOW_S / 2


def shares(told: Iterable[NDArray[np.int8]], truth: Iterable[NDArray[np.int64]]) -> dict[str, float | None]:
    """Return the shares of windows of which height says what."""
    said, true = np.concatenate(list(told)), np.concatenate(list(truth))
    stairs, way = np.isin(true, (air.UP, air.DOWN)), np.where(true == air.UP, UP, DOWN)
    turned = np.isin(said, (UP, DOWN))
    figures: dict[str, float | None] = {"said right": None, "said wrong": None, "level": None, "stairs": None}
    if stairs.any():
        figures["said right"] = float((said == way)[stairs].mean())
        figures["said wrong"] = float((turned & (said != way))[stairs].mean())
    if (~stairs).any():
        figures["level"] = float((said == LEVEL)[~stairs].mean())
        figures["stairs"] = float(turned[~stairs].mean())
    return figures


def generated() -> dict[str, Any]:
    """Return the figures of each course and phone."""
    rows = {}
    for name in air.COURSES:
        for phone, own in air.PHONES.items():
            seeds = range(SEEDS if name != "weather" else SEEDS // 10)
            courses = [air.course(name, own, seed) for seed in seeds]
            results = [seen(course.time_s, course.pressure_hpa) for course in courses]
            truth = [course.truth_at(middle) for course, (_, _, middle) in zip(courses, results, strict=True)]
            row: dict[str, Any] = shares((told for _, told, _ in results), truth)
            hours = sum(course.time_s[-1] for course in courses) / 3600
            flights = [[climb for climb in climbs if slow(climb)] for climbs, _, _ in results]
            row["stairs found an hour"] = None if name == "stairs" else sum(map(len, flights)) / hours
            rides = [
                any(ride_is(climb, course) for climb in climbs)
                for (climbs, _, _), course in zip(results, courses, strict=True)
            ]
            row["found"] = f"{sum(rides)} of {len(rides)} rides" if name == "lift" else None
            rows[f"{name}, {phone}"] = row
    return rows


def slow(climb: Climb) -> bool:
    """Tell whether a climb is as fast as stairs."""
    return STAIRS_MS[0] <= climb.rate_ms <= STAIRS_MS[1]


def ride_is(climb: Climb, course: air.Course) -> bool:
    """Tell whether a climb is the ride of a course, faster than stairs are."""
    carried = np.flatnonzero(course.truth == air.CARRIED) / air.FINE_HZ
    middle = float(carried.mean()) if len(carried) else np.nan
    return climb.start_s <= middle <= climb.end_s and climb.rate_ms >= 0.5


def table(path: Path, separator: str, time: str, pressure: str) -> tuple[Numbers, Numbers]:
    """Read two columns by the beginning of their headings."""
    header, *lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    names = [name.strip('" ').lower() for name in header.split(separator)]
    places = [next(i for i, name in enumerate(names) if name.startswith(wanted)) for wanted in (time, pressure)]
    cells = [[line.split(separator)[i] for i in places] for line in lines if line.count(separator) >= max(places)]
    values = np.array([[float(cell) if re.match(r"[-\d.]", cell) else np.nan for cell in row] for row in cells])
    values = values[np.isfinite(values).all(axis=1)]
    return values[:, 0], values[:, 1]


def activity_detection(folder: Path) -> Iterator[tuple[str, Seen]]:
    """Yield what is found in each labelled recording of ActivityDetection."""
    for path in sorted(folder.glob("*/*.csv")):
        if path.parent.name in ("Upstairs", "Downstairs", "Walking data"):
            milliseconds, pressure = table(path, ";", "time since", "atmospheric pressure (hpa)")
            up = (path.parent.name == "Upstairs") != (path.stem in SWAPPED)
            label = "walking" if path.parent.name == "Walking data" else "up" if up else "down"
            yield label, seen(milliseconds / 1000, pressure)


def real(folder: Path) -> dict[str, Any]:
    """Return the figures of published recordings."""
    rows: dict[str, Any] = {}
    found = list(activity_detection(folder / "ActivityDetection"))
    for label, true in (("up", air.UP), ("down", air.DOWN), ("walking", air.LEVEL)):
        own = [result for name, result in found if name == label]
        row = shares((told for _, told, _ in own), (np.full(len(told), true) for _, told, _ in own))
        hours = sum(len(told) for _, told, _ in own) * WINDOW_S / 3600
        flights = sum(slow(climb) for climbs, _, _ in own for climb in climbs)
        beside = {"stairs found an hour": flights / hours if label == "walking" else None, "found": None}
        rows[f"ActivityDetection, {label}, {len(own)} recordings, {60 * hours:.0f} min"] = row | beside
    climbs, told, middle = seen(*table(folder / "ML4QS" / "Barometer.csv", ",", "timestamps", "x"))
    labelled = ((300, 360), (865, 915))  # stairs, by its table
    on_stairs = np.any([(middle >= first) & (middle < last) for first, last in labelled], axis=0)
    flights_there = [any(slow(own) and first <= own.start_s < last for own in climbs) for first, last in labelled]
    others = sum(slow(climb) for climb in climbs) - sum(flights_there)
    rows["ML4QS, 16 min with two flights"] = shares([told[~on_stairs]], [np.full((~on_stairs).sum(), air.LEVEL)]) | {
        "stairs found an hour": others / (len(told) * WINDOW_S / 3600),
        "found": f"{sum(flights_there)} of {len(flights_there)} flights",
    }
    paths = sorted(folder.glob("elevator-*/measurements/*/Pressure*"))
    lifts = [seen(*table(path, ",", "time (s)", "pressure")) for path in paths]
    rides = sum(climb.rate_ms >= 0.5 for climbs, _, _ in lifts for climb in climbs)
    carried = [np.full(len(told), air.CARRIED) for _, told, _ in lifts]
    rows[f"elevator-movement-evaluation, {len(lifts)} recordings"] = shares((told for _, told, _ in lifts), carried) | {
        "found": f"{rides} of {2 * len(lifts)} rides"
    }
    return rows


def cost() -> dict[str, float]:
    """Return how long a day takes at 25 values a second, the best of three."""
    time_s = np.arange(0, 86_400, 0.04)
    pressure = 1000 + np.random.default_rng(0).normal(0, 0.01, len(time_s))
    took = []
    for _ in range(3):
        began = time.perf_counter()
        seen(time_s, pressure)
        took.append(time.perf_counter() - began)
    return {"a day at 25 values a second (s)": min(took)}


if __name__ == "__main__":
    figures = {"generated": generated(), "cost": cost()}
    if len(sys.argv) > 1:
        figures["real"] = real(Path(sys.argv[1]))
    json.dump(figures, sys.stdout, indent=2)
