"""The timeline of a recording as one picture for a report or a paper: what the page shows, with its words.

matplotlib is imported only when a picture is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STRIP, LANE, PANEL, SMALL = 0.35, 0.2, 1.35, 0.8  # inches high: bands, transitions, a sensor of movement, any other
WIDTH, AROUND = 10.5, 1.9  # inches: of the picture, and of its height what is no panel
BEHIND = 0.22  # how much of the bands' colours shows behind a signal
AXES = {"x": "#1d7a83", "y": "#b5741a", "z": "#7c8a91"}
LINE, HATCH = "#1f3b44", "#5a666b"
MARKERS = {"▲": "^", "▼": "v", "●": "o"}
SLOW = ("Heart rate", "Skin", "Height", "Loudness", "Light")


def draw(drawn: Mapping[str, Any], title: str, told: Sequence[str], file_format: Literal["png", "svg"]) -> bytes:
    """Draw what `timeline.timeline` returns.

    Parameters
    ----------
    title : on top.
    told : lines below the title: the model, the moments.
    """
    from app.har.training import plots

    return plots.picture(_figure(drawn, title, told), file_format)


def _figure(drawn: Mapping[str, Any], title: str, told: Sequence[str]) -> Figure:
    from matplotlib.figure import Figure

    titles = {"recognised": "Recognised", "labelled": "In the file"}
    strips = [(title, drawn[key]) for key, title in titles.items() if drawn[key]]
    panels: dict[str, list[Mapping[str, Any]]] = {}
    for trace in drawn["signal"]:
        panels.setdefault(trace["sensor"], []).append(trace)
    between = drawn.get("between") or []
    lanes = len(strips) + bool(between)
    heights = (
        [STRIP] * len(strips)
        + [LANE] * bool(between)
        + [SMALL if any(word in name for word in SLOW) else PANEL for name in panels]
    )
    figure = Figure(figsize=(WIDTH, sum(heights) + AROUND), layout="constrained")
    rows = figure.subplots(len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for ax, (name, bands) in zip(rows, strips, strict=False):
        _bands(ax, bands, drawn, 1.0, hatched=True)
        ax.set(yticks=[0.5], yticklabels=[name], ylim=(0, 1))
        ax.tick_params(left=False)
    if between:
        _moves(rows[len(strips)], between)
    for ax, (name, traces) in zip(rows[lanes:], panels.items(), strict=True):
        _bands(ax, drawn["recognised"], drawn, BEHIND, hatched=False)
        for trace in traces:
            values = np.array(trace["values"], np.float64)  # None becomes NaN, a gap in the line
            colour = LINE if len(traces) == 1 else AXES[trace["channel"][-1]]
            ax.plot(trace["time_s"], values, linewidth=0.6, color=colour)
        ax.set_title(name, loc="left", pad=3)
        ax.grid(axis="y", color="#dde4e6", linewidth=0.6)
    for ax in rows:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(axis="x", bottom=ax is rows[-1])
    ticks = drawn["ticks"]
    rows[-1].set_xticks(ticks["at"], [text.replace("<br>", "\n") for text in ticks["text"]])
    rows[-1].set(xlim=drawn["range_s"], xlabel=drawn["axis"])
    figure.suptitle("\n".join([title, *told]), x=0.01, ha="left")
    _legend(figure, drawn, panels)
    return figure


def _bands(ax: Axes, bands: Sequence[Mapping[str, Any]], drawn: Mapping[str, Any], alpha: float, hatched: bool) -> None:
    """Draw bands of activities over the whole height, one artist an activity: a day has thousands."""
    spans: dict[str | None, list[tuple[float, float]]] = {}
    for band in bands:
        spans.setdefault(band["activity"], []).append((band["start_s"], band["end_s"] - band["start_s"]))
    for name, stretches in spans.items():
        look = _look(name, drawn) if hatched else {"facecolor": _look(name, drawn)["facecolor"]}
        ax.broken_barh(stretches, (0, 1), transform=ax.get_xaxis_transform(), alpha=alpha, linewidth=0, **look)


def _moves(ax: Axes, between: Sequence[Mapping[str, Any]]) -> None:
    """Mark each transition in its middle: of a day, its length is less than a dot."""
    for sign, marker in MARKERS.items():
        middle = [(each["start_s"] + each["end_s"]) / 2 for each in between if each["sign"] == sign]
        ax.plot(middle, [0.5] * len(middle), linestyle="", marker=marker, markersize=5, color=LINE)
    ax.set(yticks=[0.5], yticklabels=["Between"], ylim=(0, 1))
    ax.tick_params(left=False)


def _look(name: str | None, drawn: Mapping[str, Any]) -> dict[str, Any]:
    hatch = drawn["missing_hatch"] if name is None else drawn["hatches"].get(name, "")
    colour = drawn["missing_colour"] if name is None else drawn["colours"][name]
    return {"facecolor": colour, "edgecolor": HATCH, "hatch": 2 * hatch}


def _legend(figure: Figure, drawn: Mapping[str, Any], panels: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Name what occurs below the panels: activities, and axes where they are drawn."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    names = dict.fromkeys(band["activity"] for key in ("recognised", "labelled") for band in drawn[key])
    handles: list[Any] = [Patch(label=name or "missing", linewidth=0, **_look(name, drawn)) for name in names]
    signs = {each["name"]: each["sign"] for each in drawn.get("between") or []}
    handles += [
        Line2D([], [], linestyle="", marker=MARKERS[sign], markersize=5, color=LINE, label=name)
        for name, sign in sorted(signs.items())
    ]
    if any(len(traces) > 1 for traces in panels.values()):
        handles += [Line2D([], [], color=colour, label=axis) for axis, colour in AXES.items()]
    figure.legend(handles=handles, loc="outside lower left", ncols=min(6, max(1, len(handles))), frameon=False)
