"""What the page of a recording offers to explain, and a line of words for each bout."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from app.har.vocabulary import ANYTHING
from app.services import leftovers
from app.services.models import explained
from app.services.personal.view import View
from app.services.recordings import explaining, recordings
from app.tables import Prediction

REMEMBERED = 5000  # lines
_remembered: OrderedDict[tuple[str, float, int, float, float], tuple[str, str]] = OrderedDict()


class Offered(NamedTuple):
    """Which answers of a result the page offers to explain, and what it says of the others."""

    words: str
    named_by: Literal["deepest_activity", "activity"]  # which of a bout's answers its explanation is about
    none: bool = False
    unexplained: tuple[str, ...] = ()

    def of(self, bout: Mapping[str, Any]) -> bool:
        """Tell whether the page offers to explain a bout or a window, a row of a table of them."""
        name = bout[self.named_by]
        return not self.none and (bout["deepest_activity"] if name == ANYTHING else name) not in self.unexplained


def offered(prediction: Prediction) -> Offered:
    """Say what a page offers: the only place that decides where *Why?* stands; `why` refuses the same, and more."""
    if reason := explaining.refusal(prediction):
        return Offered(reason, "activity", none=True)
    version = prediction.model_version
    everyday = explained.is_everyday(version)
    unexplained = explained.of(version).unexplained if version else ()
    words = ""
    if unexplained:
        names, these = ", ".join(f"“{name}”" for name in unexplained), "these answers" if unexplained[1:] else "it"
        words = (
            f"No reasons are given for {names}: explanations of {these} by this model were tested and were not clearly "
            "better than chance."
        )
        words += f" {explaining.BY_ANOTHER}" if everyday else ""
    return Offered(words, "activity" if everyday else "deepest_activity", unexplained=unexplained)


def in_short(
    prediction: Prediction, seen: View, recording_index: int, stretches: Sequence[tuple[float, float]]
) -> list[str]:
    """Say in one line of each of many stretches why the answer is what it is; "" where that is not explained.

    They are explained at once, and lines are remembered until others take their room. Of a recording whose stored
    signal is not what the model answered to, nothing is said: its file is read again only for who asks about a bout.
    """
    version = prediction.model_version
    if version is None or explaining.refusal(prediction):
        return [""] * len(stretches)
    path = recordings.result_file(prediction)
    written = path.stat().st_mtime
    keys = [(str(path), written, recording_index, begin, end) for begin, end in stretches]
    lines = {key: line for key in keys if (line := _remembered.get(key))}  # others may drop it while new ones are made
    new = [key for key in keys if key not in lines]
    said = explaining.explain(prediction, version, recording_index, [key[3:] for key in new], explaining.SOURCES[:1])
    if said is None:
        return [""] * len(stretches)
    lines |= {key: (one.words["answer"], one.words["in_short"]) for key, one in zip(new, said, strict=True)}
    _remembered.update(lines)
    while len(_remembered) > REMEMBERED:
        _remembered.popitem(last=False)
    refused = explained.of(version).unexplained
    return [
        "" if answer in refused else _told(words, answer, explaining.page_says(seen.result, at, answer))
        for (answer, words), at in zip(
            (lines[key] for key in keys),
            (explaining.within(seen.result, recording_index, *stretch) for stretch in stretches),
            strict=True,
        )
    ]


def _forget(folder: Path) -> None:
    """Forget the lines of a recording that is deleted."""
    for key in [key for key in _remembered if Path(key[0]).parent == folder]:
        _remembered.pop(key, None)


leftovers.REMEMBERED.append(_forget)


def _told(words: str, answer: str, page_says: str) -> str:
    """Return a line, of which guess it is where the page says something else."""
    return f"The model’s own guess is “{answer}”. {words}" if page_says and words else words
