"""Figures: each function draws what it is given, on ``ax`` where one is given, and returns the axes it drew on.

matplotlib is imported only when something is drawn, and its global state is left alone.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from app.har.colours import MISSING, PALETTE, activity_colour
from app.har.evaluation.types import Metrics
from app.har.progress import Event

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

WIDTH = 4.8  # inches, of figures for pages: with these letters they can be read on a phone, too
LETTERS = 10  # points, of all text in a saved figure
NAMED_LIMITS = (0.5, 0.7, 0.9, 0.99)  # whose names stand beside their points
TEXT = (0.16, 0.12)  # width and height of such a name, as shares of the axes
SCORES = {"accuracy": "Accuracy", "precision": "Precision", "recall": "Recall", "f1": "F1"}


def save(figure: Figure | SubFigure, stem: Path) -> list[Path]:
    """Write ``stem.png`` and ``stem.svg``; equal figures give equal files."""
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg")]
    for path in paths:
        path.write_bytes(picture(figure, path.suffix[1:]))
    return paths


def picture(figure: Figure | SubFigure, kind: str) -> bytes:
    """Return a figure as a "png" or "svg", all letters in one size."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    if not isinstance(figure, Figure):
        raise TypeError("only a whole figure can be saved, not a part of one")
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # an activity may be called "$x$"; its name is not a formula
        text.set_fontsize(LETTERS)
    file = io.BytesIO()
    how: dict[str, Any] = {"dpi": 200} if kind == "png" else {"metadata": {"Date": None}}
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "kinelab"}):
        figure.savefig(file, format=kind, **how)
    return file.getvalue()


def confusion(
    counts: ArrayLike, activities: Sequence[str], *, normalise: bool = False, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw a confusion matrix, (n, n) windows with true activities in rows; ``normalise`` shows shares of each row."""
    matrix = np.asarray(counts)
    n = len(activities)
    size = max(4.5, 0.55 * n + 2.5)
    ax = ax or _axes(size + 0.8, size)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = ax.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(n, n):
        if matrix[row, column]:
            text = f"{100 * shares[row, column]:.0f}" if normalise else f"{matrix[row, column]}"
            colour = "white" if shares[row, column] > 0.6 else "black"
            ax.text(column, row, text, ha="center", va="center", color=colour)
    ax.set_xticks(range(n), activities, rotation=45, ha="right")
    ax.set_yticks(range(n), activities)
    what = "% of the true activity's windows" if normalise else "windows"
    ax.set(xlabel="recognised activity", ylabel="true activity", title=_title(title, f"Confusion matrix, {what}"))
    ax.figure.colorbar(image, ax=ax, label="% of the true activity's windows", shrink=0.8)
    return ax


def learning_curve(events: Iterable[Event], *, title: str = "") -> tuple[Axes, Axes]:
    """Draw accuracy and loss by epoch, on the windows learnt from and on those held out, from epoch events."""
    from matplotlib.figure import Figure

    epochs = [event for event in events if "epoch" in event]
    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    accuracy, loss = figure.subplots(2, 1)
    numbers = [event["epoch"] for event in epochs]
    for ax, key, factor, label in ((accuracy, "accuracy", 100, "accuracy (%)"), (loss, "loss", 1, "loss")):
        for prefix, who, style in (("", "windows learnt from", "--"), ("val_", "windows held out", "-")):
            values = [factor * event.get(prefix + key, np.nan) for event in epochs]  # not every epoch is checked
            if not np.isnan(values).all():
                ax.plot(numbers, values, style, label=who, marker="o", markersize=3)
        ax.set(xlabel="epoch", ylabel=label)
        ax.locator_params(axis="x", integer=True)
        ax.grid(alpha=0.3)
    accuracy.legend()
    figure.suptitle(_title(title, "Learning curve"))
    return accuracy, loss


def transfer_curve(points: Sequence[Mapping[str, Any]], *, ax: Axes | None = None) -> Axes:
    """Draw macro F1 after few windows of each activity, on a stored model and from scratch; see `learning_curve`."""
    ax = ax or _axes(WIDTH, 3.6)
    places = range(len(points))
    for key, label, marker in (("base", "on the stored model", "o"), ("scratch", "from scratch", "s")):
        colour = PALETTE[0] if key == "base" else PALETTE[1]
        ax.plot(places, [100 * one[key] for one in points], label=label, marker=marker, color=colour)
    ax.set_xticks(places, [str(one["windows"] or "all") for one in points])
    ax.set(xlabel="windows of each activity", ylabel="macro F1 (%)", title="Heads alone, on the test windows")
    ax.grid(alpha=0.3)
    ax.legend(loc="lower right")
    return ax


def importances(ranking: Sequence[tuple[str, float]], selected_k: int, *, n_named: int = 20) -> tuple[Axes, Axes]:
    """Draw the most important features by name and, below, how importance falls off over all of them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 7.5), layout="constrained")
    ax, fall_off = figure.subplots(2, 1, height_ratios=(3, 1))
    named = list(ranking)[:n_named]
    colours = [PALETTE[0] if i < selected_k else MISSING for i in range(len(named))]
    ax.barh(range(len(named)), [100 * importance for _, importance in named], color=colours)
    ax.set_yticks(range(len(named)), [name for name, _ in named])
    ax.invert_yaxis()
    ax.set(xlabel="share of the forest's importance (%)")
    ax.set_title(f"The {len(named)} most important of {len(ranking)} features")
    rank = np.arange(1, len(ranking) + 1)
    fall_off.plot(rank, [100 * importance for _, importance in ranking], color="black", linewidth=1)
    fall_off.axvspan(1, max(selected_k, 1), color=PALETTE[0], alpha=0.15)
    fall_off.set(xlabel="rank", ylabel="importance (%)", title=f"Fall-off; the first {selected_k} go on")
    return ax, fall_off


def apart(places: Mapping[float, tuple[float, float]]) -> list[float]:
    """Return the names of places that are so far from those before them that texts at them don't overlap."""
    width, height = (float(np.ptp(axis)) or 1.0 for axis in zip(*places.values(), strict=True)) if places else (1, 1)
    kept: list[float] = []
    for name, (x, y) in places.items():
        near = (abs(x - places[k][0]) / width < TEXT[0] and abs(y - places[k][1]) / height < TEXT[1] for k in kept)
        if not any(near):
            kept.append(name)
    return kept


def reliability(metrics: Metrics, *, title: str = "") -> tuple[Axes, Axes]:
    """Draw how often answers of each confidence are right, and accuracy against the share of windows answered."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 7.5), layout="constrained")
    calibration, answered = figure.subplots(2, 1)
    bins = metrics.reliability
    calibration.plot([0, 100], [0, 100], color=MISSING, linestyle="--", label="perfectly calibrated")
    sizes = [20 + 300 * one.windows / sum(b.windows for b in bins) for one in bins]
    calibration.plot([100 * one.confidence for one in bins], [100 * one.accuracy for one in bins], color=PALETTE[0])
    calibration.scatter(
        [100 * one.confidence for one in bins],
        [100 * one.accuracy for one in bins],
        s=sizes, color=PALETTE[0], label="answers (larger: more windows)", zorder=3,
    )  # fmt: skip
    calibration.set(xlabel="confidence (%)", ylabel="of these answers right (%)", xlim=(0, 103), ylim=(0, 103))
    calibration.set_title(f"Expected calibration error {100 * metrics.calibration_error:.1f} %")
    calibration.legend(loc="lower right")
    shares = [100 * one.share for one in metrics.coverage]
    accuracies = [100 * one.accuracy for one in metrics.coverage]
    answered.plot(shares, accuracies, marker="o", color=PALETTE[0])
    named = {one.threshold: (x, y) for one, x, y in zip(metrics.coverage, shares, accuracies, strict=True)}
    for threshold in apart({limit: named[limit] for limit in NAMED_LIMITS if limit in named}):
        text = f"≥ {100 * threshold:.0f} %"
        answered.annotate(text, named[threshold], (-6, -3), textcoords="offset points", ha="right", va="top")
    width = float(np.ptp(shares)) or 1.0
    answered.set_xlim(min(shares) - 0.24 * width, max(shares) + 0.05 * width)  # room for the names
    answered.margins(y=0.12)
    answered.set(xlabel="windows answered (%)", ylabel="accuracy of the answers (%)")
    answered.set_title("If answers below a confidence are withheld")
    for ax in (calibration, answered):
        ax.grid(alpha=0.3)
    figure.suptitle(_title(title, "Calibration of the confidence"))
    return calibration, answered


def class_distribution(counts: Mapping[str, int], *, ax: Axes | None = None) -> Axes:
    """Draw how many windows each activity has."""
    names = list(counts)
    ax = ax or _axes(6.4, max(2.5, 0.32 * len(names) + 1.2))
    bars = ax.barh(range(len(names)), list(counts.values()), color=[activity_colour(name, names) for name in names])
    ax.bar_label(bars, padding=3, fontsize=8)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set(xlabel="windows", title="Windows per activity")
    return ax


def comparison(outcomes: Mapping[str, Metrics], *, ax: Axes | None = None) -> Axes:
    """Draw accuracy, precision, recall and F1 of several models, by title, side by side, with their 95 % intervals."""
    ax = ax or _axes(WIDTH, 3.4 + 0.25 * np.ceil(len(outcomes) / 2))
    width = 0.8 / max(len(outcomes), 1)
    lowest = 100.0
    for i, (title, metrics) in enumerate(outcomes.items()):
        intervals = [getattr(metrics, score) for score in SCORES]
        values = np.array([100 * interval.value for interval in intervals])
        ends = np.array([[100 * interval.low, 100 * interval.high] for interval in intervals])
        errors = np.abs(ends - values[:, None]).T
        x = np.arange(len(SCORES)) + (i - (len(outcomes) - 1) / 2) * width
        colour = PALETTE[i % len(PALETTE)]
        # Points, not bars: the axis does not start at nought, and a cut bar misleads.
        marker = "os^Dv"[i % 5]
        ax.errorbar(x, values, errors, fmt=marker, capsize=4, markersize=7, label=title, color=colour)
        lowest = min(lowest, float(ends.min()))
    ax.set_xticks(range(len(SCORES)), list(SCORES.values()))
    ax.set_ylim(max(0.0, 10 * np.floor(lowest / 10) - 10), 100)
    ax.set(ylabel="%", title="Test windows, with 95 % intervals")
    ax.grid(axis="y", alpha=0.3)
    ax.set_axisbelow(True)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncol=2, frameon=False)
    return ax


def _title(model: str, what: str) -> str:
    return f"{model}: {what[0].lower()}{what[1:]}" if model else what


def _axes(width: float, height: float) -> Axes:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").add_subplot()
