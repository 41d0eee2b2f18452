"""What a model tells activities by, and whether its explanations are true: measured once, kept beside the model."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.explanations.contributions import contributions, groups_of
from app.har.explanations.faithfulness import AT_MOST, ENOUGH, PER_ACTIVITY, even_sample, measured, passes
from app.har.explanations.words import group_in_words
from app.har.types import IntArray
from app.har.windows import WindowSet

FILE = "explained.json"
TOP, TOP_OF_PAIR, PAIRS = 3, 2, 6
OFTEN = 3  # windows that were taken for another activity, to be a pair


def about(model: ActivityClassifier, windows: WindowSet, seed: int = 0) -> dict[str, Any]:
    """Measure on windows that a model has not learnt from: of other people, where it was split by person.

    Returns
    -------
    dict : ``test``, see `faithfulness.measured`; ``told_by``: for each activity the groups of features that add most to
        it against the second choice, where it was recognised; ``confused``: which activities were taken for which, how
        often, and by which features.
    """
    p = model.predict_proba(windows)
    said, second = np.argsort(-p, axis=1, kind="stable")[:, :2].T.astype(np.int64)
    told = {}
    for activity in np.unique(windows.y).tolist():
        rows = np.flatnonzero((windows.y == activity) & (said == activity))[:PER_ACTIVITY]
        if len(rows):
            told[windows.activities[activity]] = _by_what(model, windows.take(rows), said[rows], second[rows], TOP)
    pairs = Counter(zip(windows.y.tolist(), said.tolist(), strict=True))
    wrong = [(pair, n) for pair, n in pairs.most_common() if pair[0] != pair[1] and n >= OFTEN][:PAIRS]
    of_true = np.bincount(windows.y, minlength=len(windows.activities))
    confused = []
    for (true, taken_for), n in wrong:
        rows = np.flatnonzero((windows.y == true) & (said == taken_for))[:PER_ACTIVITY]
        by = _by_what(model, windows.take(rows), said[rows], windows.y[rows], TOP_OF_PAIR)
        names = model.activities[true], model.activities[taken_for]
        confused.append({"was": names[0], "said": names[1], "windows": n, "share": n / int(of_true[true]), "by": by})
    return {"test": _tested(model, windows, seed), "told_by": told, "confused": confused}


def _tested(model: ActivityClassifier, windows: WindowSet, seed: int) -> dict[str, Any]:
    if len(windows) < ENOUGH:
        return {"passed": False, "windows": len(windows), "people": len(np.unique(windows.subjects))}
    return measured(
        model, even_sample(windows, max(5, min(PER_ACTIVITY, AT_MOST // len(windows.activities))), seed), seed
    )


def _by_what(model: ActivityClassifier, windows: WindowSet, for_: IntArray, against: IntArray, n: int) -> list[str]:
    groups = groups_of(model)
    whole, p = model.describer_(windows).whole, model.predict_proba(windows)
    missing = model.layout.missing(windows.X)
    found = contributions(model, groups, whole, missing, p, for_, against)
    added, levels = found.groups.mean(axis=0), found.levels.mean(axis=0)
    return [
        group_in_words(groups[i], levels[i], model.gravity) for i in np.argsort(-added)[:n].tolist() if added[i] > 0
    ]


def as_text(document: dict[str, Any]) -> str:
    """Return what is kept, as the text of a file."""
    return json.dumps(document, indent=1, ensure_ascii=False)


def of_folder(folder: Path) -> dict[str, Any] | None:
    """Return what was measured of a stored model; None where it was stored before that, or is of another kind."""
    try:
        found: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def why_not(document: dict[str, Any] | None, answer: str = "") -> str:
    """Say why nothing is explained, "" where it is.

    Parameters
    ----------
    answer : the activity that is to be explained; default any.
    """
    if document is None:
        return "It was not tested whether explanations of this model are true, so none are shown."
    tested = document["test"]
    if tested["windows"] < ENOUGH:
        return (
            f"Only {tested['windows']} windows were held out when this model was trained, too few to test whether its "
            "explanations are true, so none are shown."
        )
    if not tested["passed"]:
        return (
            "Explanations of this model were tested and were not clearly better than chance, so none are shown: its "
            "answers did not change as they should where what was said to matter was taken away."
        )
    if answer in unexplained(document):
        return (
            f"Explanations of “{answer}” by this model were tested and were not clearly better than chance, so none "
            "are shown."
        )
    return ""


def unexplained(document: dict[str, Any] | None) -> tuple[str, ...]:
    """Return the answers of which explanations failed the test, where those of the model passed."""
    if document is None or not document["test"]["passed"]:
        return ()
    return tuple(answer for answer, gain in document["test"]["answers"].items() if not passes(gain))


def in_words(document: dict[str, Any] | None) -> str:
    """Say how explanations were tested, and how they did; "" where they were not."""
    if document is None or "deletion" not in (tested := document["test"]):
        return ""
    deletion, insertion = (tested[kind][0] for kind in ("deletion", "insertion"))
    return (
        f"Tested on {tested['windows']} windows of {tested['people']} people held out of the training: as the parts "
        "that are said to matter are taken away, the answer’s probability falls sooner than in random order (by "
        f"{deletion:.2f} of the area under its curve), and rises sooner as they are put back (by {insertion:.2f})."
    )
