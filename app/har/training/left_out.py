"""People who are neither trained on nor tested on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches

import numpy as np

from app.har.errors import InvalidSetting
from app.har.signals.types import UNLABELLED, SignalSet

NAMED = 20  # subjects in a message


def resolved(wanted: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Return people as the data call them: among several data sets, *17* is *ku-har/17* where no other has a *17*.

    Raises
    ------
    InvalidSetting : one of them is not in the data, or in several data sets; the message names those who are, the most
        alike first.
    """
    there = sorted(set(known))
    found = {each: [each] if each in there else [name for name in there if _own(name) == each] for each in wanted}
    if all(len(names) == 1 for names in found.values()):
        return tuple(dict.fromkeys(name for (name,) in found.values()))
    wrong = {each: names for each, names in found.items() if len(names) != 1}
    alike = [name for each, names in wrong.items() for name in names or get_close_matches(each, there)]
    named = list(dict.fromkeys([*alike, *there]))
    more = f" and {len(named) - NAMED:,} more" if len(named) > NAMED else ""
    unknown = "There is no" if not any(wrong.values()) else "There is not exactly one"
    raise InvalidSetting(
        f"{unknown} subject {' or '.join(wrong)[:200]} in the data to leave out. Subjects: "
        f"{', '.join(named[:NAMED])}{more}.",
        "leave_out",
    )


def _own(name: str) -> str:
    """Return what the data set of a person calls them."""
    return name.partition("/")[2]


def without_people(signals: SignalSet, subjects: Sequence[str]) -> SignalSet:
    """Take the labels off what these subjects recorded, so that no window is cut from it.

    Raises
    ------
    InvalidSetting : one of them is not in the data.
    """
    if not subjects:
        return signals
    labels = np.array(signals.labels)
    theirs = np.isin(np.array(signals.subjects)[signals.recording], resolved(subjects, signals.subjects))
    for first, length in zip(signals.first[theirs].tolist(), signals.length[theirs].tolist(), strict=True):
        labels[first : first + length] = UNLABELLED
    return replace(signals, labels=labels)
