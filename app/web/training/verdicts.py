"""What a difference between two models means, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def compared(pairs: Iterable[Mapping[str, Any]], titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return each comparison of a run with the ``titles`` of its two models and a ``verdict`` on their macro F1.

    Parameters
    ----------
    pairs : ``model`` and ``against``, and for each score the difference with its 95 % interval.
    titles : by name of the model.
    """
    return [dict(pair) | _in_words(pair, titles) for pair in pairs]


def _in_words(pair: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, str]:
    first, second = (titles.get(pair[role], pair[role]) for role in ("model", "against"))
    verdict = "no significant difference"  # the 95 % interval holds 0
    if pair["f1"]["low"] > 0:
        verdict = f"{first} is better"
    elif pair["f1"]["high"] < 0:
        verdict = f"{second} is better"
    return {"title": f"{first} − {second}", "verdict": verdict}
