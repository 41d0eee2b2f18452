"""What recordings without labels were worth to a training, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.services.formatting import percent

FEW_JUDGED = 0.8  # share of the labelled windows: below, the gain is of some activities alone


def given_by_activity(unlabelled: Mapping[str, Any]) -> dict[str, int]:
    """Return how many windows were given which activity in the parts that learnt from them, the most first."""
    counts: dict[str, int] = {}
    for part in unlabelled["parts"]:
        for activity, n in part["by_activity"].items() if part["used"] else ():
            counts[activity] = counts.get(activity, 0) + n
    return dict(sorted(counts.items(), key=lambda each: -each[1]))


def what_unlabelled_was_worth(unlabelled: Mapping[str, Any]) -> str:
    """Say how much was learnt from, and what it changed for labelled people who were left out; several parts together.

    Parameters
    ----------
    unlabelled : as a result has it: the data set, and in ``parts`` the `Gain` of each test part.
    """
    parts: Sequence[Mapping[str, Any]] = unlabelled["parts"]
    if not parts:
        return ""
    name, used = unlabelled.get("dataset", "the data"), [part for part in parts if part["used"]]
    without, with_ = (sum(part[key] for part in parts) / len(parts) for key in ("f1_without", "f1_with"))
    scores = f"macro F1 of heads alone is {percent(with_)} with them and {percent(without)} without"
    if not used:
        sure = any(part["given"] for part in parts)
        why = f"they would have made it worse: {scores}" if sure else "no window was sure enough"
        return f"Nothing was learnt from recordings without labels of {name}. On labelled people left out, {why}."
    given, n = (sum(part[key] for part in used) for key in ("given", "unlabelled"))
    folds = "" if len(parts) == 1 else f", used in {len(used)} of {len(parts)} trainings"
    text = (
        f"ELM-GRU-AM also learnt from {given:,} of {n:,} windows without labels of {name}{folds}: those where it was "
        f"sure of exactly one activity. On labelled people left out, {scores}. The test people are not among them. "
        "Activities that nobody labelled may be taken for others: look at how many windows each got."
    )
    if any(part["f1_with"] < part["f1_without"] for part in used):
        text += " What was lost there may be chance between people."
    if not unlabelled.get("own", False):
        text += (
            " These recordings are of another data set. Where devices or places differ, that can do harm that people "
            "left out do not show: compare the test with that of a training without."
        )
    judged = min(part["judged"] for part in used)
    if judged < FEW_JUDGED:
        text += (
            f" Only {percent(judged)} of the labelled windows could be judged, because the other activities were "
            "labelled for too few people. Label these for more people before you rely on it."
        )
    return text
