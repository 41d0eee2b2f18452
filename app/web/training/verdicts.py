"""What a difference between two models means, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.har.evaluation.types import FEWEST_PEOPLE
from app.services.formatting import percent

CLOSE = 0.01  # of macro F1: another draw of the windows changes as much


def compared(
    pairs: Iterable[Mapping[str, Any]], titles: Mapping[str, str], split: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return each comparison of a run with the ``titles`` of its two models and a ``verdict`` on their macro F1.

    Parameters
    ----------
    pairs : ``model`` and ``against``, and for each score the difference with its 95 % interval.
    titles : by name of the model.
    split : of the run; where fewer than `FEWEST_PEOPLE` were tested, there is no verdict.
    """
    return [dict(pair) | _in_words(pair, titles, split["test_subjects"]) for pair in pairs]


def _in_words(pair: Mapping[str, Any], titles: Mapping[str, str], people: int) -> dict[str, str]:
    first, second = (titles.get(pair[role], pair[role]) for role in ("model", "against"))
    verdict = "no significant difference"  # the 95 % interval holds 0
    if people < FEWEST_PEOPLE:
        verdict = "too few people to say"
    elif pair["f1"]["low"] > 0:
        verdict = f"{first} is better"
    elif pair["f1"]["high"] < 0:
        verdict = f"{second} is better"
    return {"title": f"{first} − {second}", "verdict": verdict}


def what_it_cannot_say(split: Mapping[str, Any]) -> str:
    """Say what the test part of a run leaves open; "" where enough people were tested who were not trained on.

    Subjects that a data set does not name count as one.
    """
    people = split["test_subjects"]
    if people < FEWEST_PEOPLE:
        whom = "Only one person was tested" if people == 1 else f"Only {people} people were tested"
        return (
            f"{whom}. The figures say how well the models did for them. They do not say which model is better for "
            f"other people, nor how much people differ: for that, at least {FEWEST_PEOPLE} must be tested. "
            "Folds test everybody once."
        )
    if split["protocol"] == "random":
        return (
            "The people who were tested were also trained on. The figures do not say how well the models do for "
            "anybody else. Split by subject to see that."
        )
    return ""


def what_a_base_is_worth(transfer: Mapping[str, Any]) -> str:
    """Say in words what the curve of a training on a stored model shows; "" where there is none."""
    points = transfer.get("curve")
    if not points:
        return ""
    base, ahead = transfer["base"], [one["base"] - one["scratch"] for one in points]
    if max(ahead) <= CLOSE:
        why = "Here it is no help: training from scratch is as good, or better, with few windows and with all."
    elif min(ahead) >= -CLOSE:
        why = "It helps, above all with few windows."
    elif ahead[0] > CLOSE:
        why = "It helps with few windows; with more, training from scratch is better."
    else:
        why = "With few windows, training from scratch is better; with more, the base helps."
    few, every = ((percent(one["base"]), percent(one["scratch"])) for one in (points[0], points[-1]))
    n = points[0]["windows"] or "all"
    windows = "window" if n == 1 else "windows"
    return (
        f"{why} With {n} {windows} of each activity, macro F1 is {few[0]} on {base} and {few[1]} from scratch; "
        f"with all, {every[0]} and {every[1]}."
    )
