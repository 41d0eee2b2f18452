"""One fixed colour per activity, for matplotlib, plotly and the pages alike; needs no plotting library."""

from __future__ import annotations

from collections.abc import Sequence

# Okabe and Ito (2008), then Paul Tol's muted scheme: told apart by people with any common colour blindness.
PALETTE = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#332288", "#44AA99",
    "#882255", "#999933", "#117733", "#AA4499", "#88CCEE", "#CC6677", "#661100", "#DDCC77", "#6699CC",
)  # fmt: skip
MISSING = "#BBBBBB"  # no label, no signal, or a name that is not in the list


def activity_colour(name: str, activities: Sequence[str]) -> str:
    """Return the colour of an activity by its place in the list; beyond 18 activities colours return."""
    return PALETTE[list(activities).index(name) % len(PALETTE)] if name in activities else MISSING
