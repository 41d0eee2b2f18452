"""Figures across the people of a cohort: each draws what it is given, and returns the axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.services.cohorts.people import People, Person

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, ROW, AROUND = 7.2, 0.36, 1.0  # inches: of a figure, of each row of it, above and below all rows
MOST_BARS = 40  # people; of more, bars are too thin to be told apart


def shares(people: People, answers: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draw of each answer which part of their time people had it: median, quartiles, and the furthest of them."""
    ax = _axes(len(answers)) if ax is None else ax
    colours, values = people.colours, [[100 * one.share(answer) for one in people.people] for answer in answers]
    drawn = ax.boxplot(values[::-1], orientation="horizontal", patch_artist=True, widths=0.6, whis=(0, 100))
    for box, answer in zip(drawn["boxes"], answers[::-1], strict=True):
        box.set_facecolor(colours[answer])
    for median in drawn["medians"]:
        median.set_color("black")
    ax.set_yticks(range(1, len(answers) + 1), answers[::-1])
    ax.set_xlabel("Percent of each person's recognised time")
    ax.set_xlim(0, 100)
    return ax


def bars(
    people: Sequence[tuple[str, Person]], all_people: People, answers: Sequence[str], ax: Axes | None = None
) -> Axes:
    """Draw a bar for each person, as they are called here, of which part of their time had which answer."""
    ax = _axes(len(people)) if ax is None else ax
    colours, left = all_people.colours, [0.0] * len(people)
    rows = range(len(people))[::-1]
    for answer in answers:
        widths = [100 * one.share(answer) for _, one in people]
        ax.barh(list(rows), widths, left=left, color=colours[answer], label=answer, height=0.8)
        left = [before + width for before, width in zip(left, widths, strict=True)]
    ax.set_yticks(list(rows), [name for name, _ in people])
    ax.set_xlim(0, 100)
    ax.set_xlabel("Percent of recognised time")
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.12 - 0.6 / max(len(people), 1)), ncols=3, frameon=False)
    return ax


def _axes(rows: int) -> Axes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, AROUND + ROW * max(rows, 1)), layout="constrained")
    axes: Axes = figure.subplots()
    return axes
