"""Figures say what they show, and equal data gives equal files."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from app.har.colours import MISSING, OF_NODE, PALETTE, activity_colour, activity_colours
from app.har.evaluation.types import Confidence, Coverage, Metrics, ScoreInterval, SubjectMetrics
from app.har.training import plots
from app.har.vocabulary import ANYTHING, PARENT, TOO_LITTLE, UNFAMILIAR

ACTIVITIES = ("Sit", "Walk", "Run")
EPOCHS = [
    {"stage": "network", "epoch": i, "accuracy": 1 - 1 / i, "loss": 1 / i, "val_accuracy": 0.5, "val_loss": 0.7}
    for i in range(1, 6)
]


def metrics(value: float) -> Metrics:
    interval = ScoreInterval(value, value - 0.05, min(1.0, value + 0.02))
    return Metrics(
        interval, interval, interval, interval, 0.01, (), ((5, 1), (0, 4)),
        (SubjectMetrics("s1", value, value, 10),),
        (Confidence(0.6, 0.5, 4), Confidence(0.95, 1.0, 6)),
        (Coverage(0.0, 1.0, value), Coverage(0.9, 0.6, 1.0)),
        3.0, 1000.0,
    )  # fmt: skip


def waves() -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    time = np.arange(200) / 50
    return time, np.stack([np.sin(time), np.cos(time), time], axis=1)


DRAWN: dict[str, tuple[Callable[[], Axes], list[str]]] = {
    "counts": (
        lambda: plots.confusion([[5, 1, 0], [0, 7, 0], [2, 0, 0]], ACTIVITIES, title="ELM-GRU-AM"),
        ["recognised activity", "true activity", "Sit", "7", "ELM-GRU-AM"],
    ),
    "rows": (
        lambda: plots.confusion([[3, 1, 0], [0, 7, 0], [0, 0, 0]], ACTIVITIES, normalise=True),
        ["75", "25", "100"],
    ),
    "learning": (lambda: plots.learning_curve(EPOCHS, title="LSTM")[0], ["LSTM", "epoch", "accuracy (%)", "loss"]),
    "importances": (
        lambda: plots.importances([(f"feature {i}", 0.5**i) for i in range(1, 40)], 12)[0],
        ["feature 1", "feature 20", "importance", "the first 12 go on"],
    ),
    "distribution": (lambda: plots.class_distribution({"Sit": 30, "Walk": 1200}), ["Sit", "1200", "windows"]),
    "comparison": (
        lambda: plots.comparison({"ELM-GRU-AM": metrics(0.95), "Random Forest": metrics(0.9)}),
        ["Accuracy", "Precision", "Recall", "F1", "ELM-GRU-AM", "Random Forest", "95 %"],
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_saved_twice_over_the_same_and_its_words_can_be_read(name: str, tmp_path: Path) -> None:
    draw, words = DRAWN[name]
    png, svg = plots.save(draw().figure, tmp_path / "first")
    assert (png.name, svg.name) == ("first.png", "first.svg")
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text(encoding="utf-8")
    written = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", text))
    for word in words:
        assert word in written
    assert "dc:date" not in text
    assert plots.save(draw().figure, tmp_path / "again")[1].read_text(encoding="utf-8") == text


def test_a_plot_is_drawn_on_the_axes_it_is_given() -> None:
    ax = plots.class_distribution({"Sit": 1})
    assert plots.class_distribution({"Walk": 2}, ax=ax) is ax


def test_epochs_without_held_out_figures_leave_a_gap_and_without_any_no_line() -> None:
    bare = [{"epoch": i, "accuracy": 0.9, "loss": 0.1} for i in (6, 7)]
    held_out = plots.learning_curve([*EPOCHS, *bare])[0].lines[1]
    assert np.isnan(held_out.get_ydata()[-2:].astype(float)).all()  # type: ignore[union-attr]
    assert len(plots.learning_curve(bare)[0].lines) == 1


def test_interval_bars_have_the_intervals_ends() -> None:
    ax = plots.comparison({"CNN": metrics(0.9)})
    ends = {round(float(y), 6) for segment in ax.collections[0].get_segments() for y in segment[:, 1]}
    assert ends == {85.0, 92.0}


def test_eighteen_activities_have_eighteen_colours_and_anything_else_is_grey() -> None:
    names = [f"activity {i}" for i in range(18)]
    colours = [activity_colour(name, names) for name in names]
    assert len(set(colours)) == 18
    assert set(colours) <= set(PALETTE)
    assert MISSING not in colours
    assert activity_colour("unheard of", names) == MISSING
    assert all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in (*PALETTE, MISSING, *OF_NODE.values()))


def test_an_activity_has_one_colour_whatever_a_model_or_a_file_calls_it() -> None:
    names = ("Stair-up", "walking_upstairs", "ups", "Stairs up")
    assert {activity_colour(name, ("Sit", name)) for name in names} == {OF_NODE["Stairs up"]}
    assert activity_colours(("Stair-up", "Sit"), ("On foot", "ups"))["ups"] == OF_NODE["Stairs up"]
    assert set(OF_NODE) == {*PARENT, ANYTHING, UNFAMILIAR, TOO_LITTLE}
    assert len(set(OF_NODE.values())) == len(OF_NODE)


def test_two_activities_of_one_node_and_the_special_ones_of_a_lab_are_told_apart() -> None:
    activities = ("Sit", "Talk-sit", "Jump", "Push-up", "Walk")
    colours = activity_colours(activities, ("Still", "Uncertain", "juggling", "SITTING"))
    assert colours["SITTING"] == colours["Sit"]
    del colours["SITTING"]
    assert len(set(colours.values())) == len(colours)
    assert list(activity_colours(activities))[:2] == ["Sit", "Talk-sit"]


def test_a_special_activity_has_one_colour_whatever_it_is_shown_with() -> None:
    alone = activity_colour("Jump", ["Jump"])
    for names in (("Sit", "Jump"), ("Stair-up", "Walk", "Jump", "Run"), ("JUMP", "Pick", "Sit-up")):
        assert {colour for name, colour in activity_colours(names).items() if name.lower() == "jump"} == {alone}
    assert activity_colours(("Walk",), ("Jump",))["Jump"] == alone
    names = ["Jump", "Push-up", "Sit-up", "Table-tennis", "Walk-backward"]
    assert activity_colours(names) == {name: activity_colours(names[::-1])[name] for name in names}
    assert alone not in OF_NODE.values()


def test_beyond_eighteen_activities_colours_return() -> None:
    names = [f"activity {i}" for i in range(25)]
    assert set(activity_colours(names).values()) == set(PALETTE)


def test_only_a_whole_figure_can_be_saved(tmp_path: Path) -> None:
    figure = plots.class_distribution({"Sit": 1}).get_figure(root=True)
    assert figure is not None
    with pytest.raises(TypeError, match="whole figure"):
        plots.save(figure.subfigures(), tmp_path / "part")  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [(100, 99, 97, 60), (100, 100, 99.9, 99.8), (100, 98, 50, 20), (100, 100, 100, 100)])
def test_the_names_of_limits_do_not_lie_over_one_another_or_outside(steps: tuple[float, ...]) -> None:
    shares = dict(zip((0.5, 0.7, 0.9, 0.99), steps, strict=True))
    coverage = tuple(Coverage(threshold, share / 100, 1 - share / 1000) for threshold, share in shares.items())
    _, answered = plots.reliability(replace(metrics(0.9), coverage=coverage))
    figure = answered.get_figure()
    assert isinstance(figure, Figure)
    FigureCanvasAgg(figure).draw()
    boxes = [text.get_window_extent() for text in answered.texts]
    assert boxes
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    frame = answered.get_window_extent()
    assert all(frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 for box in boxes)
