"""When sums say too much of single people, and are not given away; `benchmarks/bench_federation.py` shows why.

While there are fewer windows than a row has numbers, HᵀH has the rank of the windows: its row space holds each of them
and hardly anything else, so that whoever has a window can tell whether it is in the sums, and few windows can be
recovered to the last digit. And the sums of an activity that one person did are that person's mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.har.errors import InsufficientData
from app.har.federation.site_sums import Counts
from app.har.windows import WindowSet


@dataclass(frozen=True)
class Minimum:
    """Of how many windows in all, and of how many people for each activity, sums are given away."""

    windows: int
    people: int

    def shareable(self, windows: WindowSet) -> tuple[WindowSet, dict[str, int]]:
        """Leave out the activities that too few people did.

        Returns
        -------
        The other windows, and how many were left out of each activity.
        """
        people = {
            label: len(np.unique(windows.subjects[windows.y == label])) for label in np.unique(windows.y).tolist()
        }
        few = [label for label, n in people.items() if n < self.people]
        left_out = {windows.activities[label]: int((windows.y == label).sum()) for label in few}
        return windows.take(~np.isin(windows.y, few)), left_out

    def check(self, counts: Counts, whose: str) -> None:
        """Refuse what would say too much.

        Parameters
        ----------
        whose : who has so few, for the message: "this data set".

        Raises
        ------
        InsufficientData : there are too few windows, or too few people did an activity.
        """
        few = counts.people[(counts.windows > 0) & (counts.people < self.people)]
        if counts.n_windows < self.windows or counts.n_people < self.people or few.size:
            least = f"; an activity with {few.min()}" if few.size else ""
            raise InsufficientData(
                f"Sums are given away of at least {self.windows:,} windows, and of at least {self.people} people for "
                f"each activity: fewer would show single people. {whose} has {counts.n_windows:,} windows of "
                f"{counts.n_people} people{least}."
            )
