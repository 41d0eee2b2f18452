"""Cohorts as they are when a run has ended, without one."""

from __future__ import annotations

from typing import Any

from app.services.cohorts import cohorts, tables
from app.services.cohorts.folder import Item
from app.services.cohorts.job import Job
from app.services.cohorts.kept import Kept
from app.services.cohorts.recogniser import MINUTES
from app.services.recordings.model_choice import StoredModel


def answer_of(**minutes: float) -> dict[str, Any]:
    """Return what a worker answers, with so many minutes of each activity."""
    whole = sum(minutes.values())
    line = {
        "recordings": 1, "app": "Kinelab", "start_utc": "2026-03-02T09:00:00Z", "duration_s": 60 * whole,
        "windows": 10, "minutes": whole, "confidence": 0.9, "problems": 1, "model": "lab/1",
        **{f"{MINUTES}{name}": value for name, value in minutes.items()},
    }  # fmt: skip
    return {"row": line, "bouts": {"start_s": []}, "days": {"date": []}, "cost": {}}


def an_ended_cohort(n_people: int = 12) -> int:
    """Make a cohort of people who walk and sit, and of one file that failed; return its number."""
    number = cohorts._next_number()
    home = cohorts.root() / str(number)
    home.mkdir()
    job = Job("/data/study-of-the-spring", StoredModel(1, "lab/1", "/models/lab/1", None, 0.9))
    cohorts._write(home / cohorts.ASKED, {"job": job.as_dict(), "workers": 2, "created": "2026-03-02T09:00:00+00:00"})
    cohorts._write(home / cohorts.OUTCOME, {"status": cohorts.FINISHED, "reason": ""})
    kept = Kept(tables.beside(home / cohorts.TABLE, tables.ANSWERS))
    fill(kept, [f"Ursula {n}" for n in range(n_people)])
    return number


def fill(kept: Kept, people: list[str]) -> None:
    """Keep a recording of each of these, and one that could not be read."""
    kept.prepare()
    names = [(f"{person}/monday.csv", person) for person in people]
    kept.begin((Item(name, 1, "s"), "s", person) for name, person in [*names, ("broken.csv", "broken")])
    with kept.keeping() as keep:
        for n, (name, _) in enumerate(names):
            rare = {"Cycling": 2.0} if n < 3 else {}
            keep(name, answer_of(Walking=5.0 + n, Sitting=40.0 - 3 * n % 11, **rare))
        reason = "broken.csv: expected columns of numbers, found none."
        keep("broken.csv", {"failure": {"kind": "UnreadableData", "reason": reason}, "cost": {}})
