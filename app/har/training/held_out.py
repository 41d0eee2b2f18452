"""The windows that a stored model was tested on, cut anew of the data set that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.har.evaluation.splits import split_windows
from app.har.signals.filters import Preparation, prepare
from app.har.signals.types import SignalSet
from app.har.windows import WindowSet, make_windows


@dataclass(frozen=True)
class Parts:
    """The windows of a data set, as a training divided them."""

    tested: WindowSet
    learnt: WindowSet
    whose: str  # the tested ones are: of people held out, or drawn at random


def of_model(manifest: Mapping[str, Any], signals: SignalSet) -> Parts | None:
    """Divide a data set as the training of a model did; None where that cannot be done again.

    A model built on another, or of chosen activities, has its own way of reading a data set; one that was tested on
    data sets left out learnt from several.

    Parameters
    ----------
    manifest : of the model.
    signals : of the data set, of one of its devices where the model learnt from that alone.
    """
    split, config = manifest.get("split", {}), manifest.get("config", {})
    if list(signals.activities) != manifest["activities"] or list(signals.channels) != manifest["channels"]:
        return None
    signals = prepare(signals, Preparation(**manifest.get("preparation", {})))
    windows = make_windows(signals, manifest["window_length_s"], config.get("overlap", 0.0))
    if split.get("protocol") == "subject":
        tested, learnt = (
            np.flatnonzero(np.isin(windows.subjects, split["subjects"][part])) for part in ("test", "train")
        )
        whose = f"{split['test_subjects']} people held out of {manifest['data']['dataset']}"
    elif split.get("protocol") == "random":
        parts = split_windows(windows, "random", split["seed"], config.get("test_fraction", 0.2))
        tested, learnt = parts.test, parts.train
        whose = f"windows held out of {manifest['data']['dataset']}, of people it learnt from"
    else:
        return None
    return Parts(windows.take(tested), windows.take(learnt), whose)
