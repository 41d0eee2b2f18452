"""What was asked of the general model and was missed at some time: asked, measured before and now, from the results.

What was tried and where the errors are is written by hand, in docs/benchmarks/not_reached.md; a figure there is of a
script that it names, or was measured once, with the commit that says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

Figures = dict[str, Any]
BEFORE = "620eabb, seeds 0, 1, 2"
TITLES = {
    "ku-har": "KU-HAR", "hapt": "HAPT", "motion-sense": "MotionSense", "wisdm-watch": "WISDM watch",
    "oxford-walk": "Oxford", "stm-har": "STM",
    "sp-sw-har-phone": "SP-SW-HAR phone", "sp-sw-har-watch": "SP-SW-HAR watch",
}  # fmt: skip
BY_SET = [name for name in TITLES if name != "oxford-walk"]  # Oxford is of walking alone
PHONES = [name for name in BY_SET if not name.endswith("watch")]
Row = tuple[str, str, float, float | None, float]  # target, of what, asked, before, now


def lines(results: dict[str, Figures], text: Path) -> Iterator[str]:
    """Yield the part of the page: what was asked, and the text."""
    everyday = results["everyday"]
    yield from (
        "",
        "### What was not reached, and what was tried",
        "",
        f"Every target of the general model that was missed at some time. *Before*: {BEFORE} (of a table and unknown "
        f"activities: 326e2da); *now*: `everyday`, seed {everyday['seeds']}, and `unknown`; **bold** is missed now.",
        "",
        "| target | of | asked | before | now |",
        "|---|---|---:|---:|---:|",
    )
    for target, of, asked, before, now in rows(everyday, results["unknown"]):
        mark = "**" if round(now, 3) < asked else ""
        earlier = "–" if before is None else f"{before:.3f}"
        yield f"| {target} | {of} | {asked:.2f} | {earlier} | {mark}{now:.3f}{mark} |"
    yield from ("", "Points of recall ahead of the nearest rival (`everyday_rivals`; asked 10, on each data set):", "")
    yield (
        "; ".join(f"{TITLES[name]} {lead}" for name in TITLES if (lead := _nearest(results["everyday_rivals"][name])))
        + "."
    )
    yield from ("", text.read_text(encoding="utf-8").strip())


def rows(everyday: Figures, unknown: Figures) -> Iterator[Row]:
    """Yield the targets."""
    said, alone = everyday["together, place said"], everyday["together"]
    levels, apart = "still, on foot, running: F1", "with stairs apart: F1"
    yield levels, "mean of seven data sets", 0.97, 0.903, _mean(said[name]["levels"] for name in BY_SET)
    yield levels, TITLES["sp-sw-har-phone"], 0.95, 0.797, said["sp-sw-har-phone"]["levels"]
    yield levels, TITLES["sp-sw-har-watch"], 0.95, 0.598, said["sp-sw-har-watch"]["levels"]
    yield apart, "mean of five data sets of phones", 0.96, 0.934, _mean(said[name]["coarse"] for name in PHONES)
    yield apart, f"{TITLES['wisdm-watch']}, place said", 0.85, 0.848, said["wisdm-watch"]["coarse"]
    yield apart, TITLES["wisdm-watch"], 0.85, 0.850, alone["wisdm-watch"]["coarse"]
    yield apart, TITLES["sp-sw-har-watch"], 0.85, 0.598, alone["sp-sw-har-watch"]["coarse"]
    yield "all activities, place said: F1", TITLES["motion-sense"], 0.94, 0.935, said["motion-sense"]["leaves"]
    places = {"hand": 0.835, "purse": 0.958, "front pocket": 0.944, "back pocket": 0.941, "neck pouch": 0.987}
    for place, before in places.items():
        yield "Oxford on foot, of all windows", place, 0.98, before, everyday["Oxford, by place"][place]["on_foot"]
    named = everyday["Oxford, by place"]["purse"]["walking_of_named"]
    yield "Oxford, walking where it is named", "purse", 0.90, 0.842, named
    up, walking = (everyday[f"clips of one kind: {kind}"] for kind in ("stairs up", "walking"))
    yield "clips of one kind: true", "MotionSense, stairs up", 0.95, 0.932, up["motion-sense"]["true"]
    yield "clips of one kind: true", "WISDM watch, walking", 0.95, 0.909, walking["wisdm-watch"]["true"]
    known = everyday["clips with known walking"]
    for name, before in {"ku-har": 0.672, "motion-sense": 0.875, "wisdm-watch": 0.860}.items():
        yield "clips with known walking: F1 of all activities", TITLES[name], 0.94, before, known[name]["leaves"]
    yield "true at its depth", TITLES["wisdm-watch"], 0.96, 0.950, alone["wisdm-watch"]["true"]
    yield "true at its depth, place said", TITLES["wisdm-watch"], 0.96, 0.953, said["wisdm-watch"]["true"]
    with_walk = everyday["together with known walking"]["wisdm-watch"]["true"]
    yield "true at its depth, with known walking", TITLES["wisdm-watch"], 0.96, 0.929, with_walk
    yield "true at its depth, place said", TITLES["sp-sw-har-phone"], 0.96, 0.956, said["sp-sw-har-phone"]["true"]
    yield "true at its depth, place said", TITLES["sp-sw-har-watch"], 0.96, 0.929, said["sp-sw-har-watch"]["true"]
    desk = unknown["not worn"]["STM, as quiet as on a desk"]["called not worn"]
    yield "not worn", "STM's quiet recordings", 0.95, 0.815, desk
    before_of = {
        "Stairs, ku-har": 0.048, "Stairs, hapt": 0.013, "Stairs, motion-sense": 0.004,
        "Stairs, wisdm-watch": 0.064, "Kicking, wisdm-watch": 0.018,
    }  # fmt: skip
    for what, row in unknown["left out of training"].items():
        if row["called unfamiliar"] < 0.7 or what in before_of:
            yield "left out of training, unfamiliar", what, 0.70, before_of.get(what), row["called unfamiliar"]


def _mean(values: Iterator[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def _nearest(models: Figures) -> str:
    leads = {name: row["everyday ahead, points of recall"] for name, row in models.items() if name != "everyday"}
    name = min(leads, key=lambda rival: float(leads[rival].split()[0]))
    return f"{leads[name]} ({name})"
