"""The report on a cohort that may leave the lab: one page of HTML without names, paths and dates.

People are P001, P002 … in an order that the names do not decide. What fewer than FEWEST people did is not told, nor is
anything of single people where there are fewer than that, nor a total or a share from which it could be computed.
"""

from __future__ import annotations

import hashlib
import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flask import current_app

from app.services.cohorts import figures
from app.services.cohorts.cluster import DIED
from app.services.cohorts.kept import Kept
from app.services.cohorts.people import People, Person, people_of
from app.services.cohorts.recogniser import FAULT
from app.services.errors import Conflict
from app.services.files import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST = 5
LISTED = 500  # people of a report
FAILURES = {  # by kind: what is said of them
    "UnreadableData": "damaged, or not a recording",
    "UnrecognisedData": "in no layout that is known",
    "UnknownTable": "a table whose columns nobody has named",
    "UnusableRecording": "read, but of no use to this model",
    "OutOfMemory": "needs too much memory",
    "OSError": "could not be read from the disk",
    DIED: "ended the process that read it",
    FAULT: "a fault of the program",
}


@dataclass(frozen=True)
class Row:
    """One answer across the people."""

    answer: str
    people: int
    quarter: float  # shares of the time of each person: a quarter of the people have less
    median: float
    three_quarters: float


def write_report(answers: Path, out: Path) -> None:
    """Write the report on what is kept of a cohort.

    Raises
    ------
    Conflict : nothing is kept there.
    """
    with written_whole(out) as draft:
        draft.write_text(report(answers), encoding="utf-8")


def report(answers: Path) -> str:
    """Return the report on what is kept of a cohort, as HTML that needs nothing else."""
    if not answers.exists():
        raise Conflict(f"{answers} is not there: it holds the answers of the cohort, beside the table.")
    kept = Kept(answers)
    every, salt = people_of(kept), kept.fact("salt")
    enough = len(every.people) >= FEWEST
    shown = [answer for answer in every.answers if every.doing(answer) >= FEWEST]
    found = _of(every, shown)
    people = _pseudonyms(found.people, salt)[:LISTED] if enough else []
    barred = people[: figures.MOST_BARS]
    models = sorted({str(line.line["model"]) for line in kept.lines(failed=False, stop=1)})
    template = current_app.jinja_env.get_template("cohorts/report.html")
    return template.render(
        fewest=FEWEST,
        n_people=len(found.people) if enough else None,
        recordings=sum(one.recordings for one in found.people) if enough else None,
        hours=sum(one.total for one in found.people) / 60 if enough else None,
        model=", ".join(models),
        rows=[_row(found, answer) for answer in shown],
        hidden=len(every.answers) > len(shown),
        people=people,
        more=len(found.people) - len(people) if enough else 0,
        answers=shown[:6],
        failures=(failures := _failures(kept)),
        all_failures=sum(failures.values()) == kept.counts().failed,
        shares=_drawn(figures.shares(found, shown)) if shown else "",
        bars=_drawn(figures.bars(barred, found, shown)) if barred and shown else "",
    )


def _of(people: People, answers: Sequence[str]) -> People:
    """Return people with some of their answers alone, as if there were no others: what lacks would tell."""
    return People(
        [
            replace(one, minutes={answer: one.minutes[answer] for answer in answers if answer in one.minutes})
            for one in people.people
        ],
        answers,
    )


def _pseudonyms(people: Sequence[Person], salt: str) -> list[tuple[str, Person]]:
    """Number people in an order that only the salt decides, which no report holds."""
    mixed = sorted(people, key=lambda person: hashlib.sha256(f"{salt}{person.name}".encode()).digest())
    return [(f"P{number:03}", person) for number, person in enumerate(mixed, 1)]


def _row(people: People, answer: str) -> Row:
    shares = [person.share(answer) for person in people.people]
    quarter, median, three_quarters = statistics.quantiles(shares, n=4, method="inclusive")
    return Row(answer, people.doing(answer), quarter, median, three_quarters)


def _failures(kept: Kept) -> dict[str, int]:
    """Count the recordings that failed, by why; what is rarer than FEWEST is left out."""
    counts = Counter(line.kind for line in kept.lines(failed=True))
    return {FAILURES.get(kind, "of no use"): n for kind, n in counts.most_common() if n >= FEWEST}


def _drawn(axes: Axes) -> str:
    """Return a figure as SVG for a page."""
    from app.har.training.plots import picture

    svg = picture(axes.figure, "svg").decode()
    return re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
