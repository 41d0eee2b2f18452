"""One fixed colour per activity, for matplotlib, plotly and the pages alike; needs no plotting library."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

from app.har import vocabulary
from app.har.vocabulary import normalised, shared_node

# Okabe and Ito (2008), then Paul Tol's muted scheme: told apart by people with any common colour blindness.
PALETTE = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#332288", "#44AA99",
    "#882255", "#999933", "#117733", "#AA4499", "#88CCEE", "#CC6677", "#661100", "#DDCC77", "#6699CC",
)  # fmt: skip
MISSING = "#BBBBBB"  # no label, no signal, or a name that is not in the list

# Activities of the palette; an answer that leaves several of them open in a paler tint of theirs, no answer in grey.
OF_NODE: Mapping[str, str] = {
    vocabulary.SITTING: "#0072B2", vocabulary.STANDING: "#56B4E9", vocabulary.LYING: "#332288",
    vocabulary.SITTING_OR_LYING: "#8E9BD0", vocabulary.STILL: "#A9CBE6",
    vocabulary.WALKING: "#009E73", vocabulary.STAIRS_UP: "#E69F00", vocabulary.STAIRS_DOWN: "#D55E00",
    vocabulary.STAIRS: "#F3C98B", vocabulary.ON_FOOT: "#93D3BC",
    vocabulary.RUNNING: "#CC79A7", vocabulary.CYCLING: "#F0E442", vocabulary.OTHER: "#C3B4DC",
    vocabulary.NOT_WORN: "#DDCC77", vocabulary.ANYTHING: "#D3D9DC", vocabulary.UNFAMILIAR: "#8C949A",
    vocabulary.TOO_LITTLE: "#B7ABA0",
}  # fmt: skip
# What is no activity is hatched, too: by shapes that plotly and matplotlib both have
HATCHES: Mapping[str, str] = {
    vocabulary.ANYTHING: ".", vocabulary.UNFAMILIAR: "x", vocabulary.NOT_WORN: "\\", vocabulary.TOO_LITTLE: "|",
}  # fmt: skip
MISSING_HATCH = "/"


def activity_colours(activities: Sequence[str], others: Sequence[str] = ()) -> dict[str, str]:
    """Return the colour of each activity: that of its node in the shared vocabulary, else one that its name decides.

    So an activity has the same colour wherever it is shown, whatever it is shown with, unless two names of a list
    decide on the same colour. Beyond 18 activities colours return.

    Parameters
    ----------
    activities : told apart from each other, even two of one node.
    others : answers that leave several of them open, and names in a file, which may be another word for one of them.
    """
    first_of = {node: name for name in reversed(activities) if (node := shared_node(name))}
    colours = {name: OF_NODE[node] for node, name in first_of.items()}
    colours |= _by_name([name for name in activities if name not in colours], set(colours.values()))
    known = {name: OF_NODE[node] for name in others if (node := name if name in OF_NODE else shared_node(name))}
    colours = known | colours
    colours |= _by_name([name for name in others if name not in colours], set(colours.values()))
    return {name: colours[name] for name in (*activities, *others)}


def _by_name(names: Sequence[str], taken: set[str]) -> dict[str, str]:
    """Return a colour for each name that the vocabulary does not know, those that no activity of it has first."""
    own = [colour for colour in PALETTE if colour not in OF_NODE.values()]
    shared = [colour for colour in PALETTE if colour in OF_NODE.values()]
    found: dict[str, str] = {}
    for name in sorted(names, key=normalised):
        start = zlib.crc32(normalised(name).encode()) % len(own)
        wanted = [*own[start:], *own[:start], *shared]
        found[name] = next((colour for colour in wanted if colour not in taken), wanted[0])
        taken.add(found[name])
    return found


def activity_colour(name: str, activities: Sequence[str]) -> str:
    """Return the colour of one activity of a list."""
    return activity_colours(activities).get(name, MISSING)
