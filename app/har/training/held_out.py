"""The windows that a stored model was tested on, cut anew of the data set that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.har.classifiers.catalogue import EVERYDAY_MODEL
from app.har.errors import InvalidSetting
from app.har.evaluation.splits import split_windows
from app.har.signals.filters import Preparation, prepare
from app.har.signals.types import SignalSet
from app.har.training.everyday import with_everyday_labels
from app.har.training.left_out import without_people
from app.har.training.pooled import with_complete_sensors
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
    data sets left out learnt from several. The same files described otherwise are other people under the same names,
    and those held out would be no such: only as many windows as there were tell that it is as it was.

    Parameters
    ----------
    manifest : of the model.
    signals : of the data set, of one of its devices where the model learnt from that alone.
    """
    split, config = manifest.get("split", {}), manifest.get("config", {})
    if signals.sampling_rate_hz != manifest["sampling_rate_hz"]:
        return None
    try:
        signals = prepare(
            without_people(signals, config.get("leave_out", ())), Preparation(**manifest.get("preparation", {}))
        )
    except InvalidSetting:  # these people are not in it
        return None
    windows, _ = with_complete_sensors(make_windows(signals, manifest["window_length_s"], config.get("overlap", 0.0)))
    if EVERYDAY_MODEL in config.get("models", ()):
        windows, _ = with_everyday_labels(windows)
    read = [list(windows.activities), list(windows.channels), signals.gravity]
    if read != [manifest["activities"], manifest["channels"], manifest["gravity"]]:
        return None
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
    if (len(tested), len(learnt)) != (split["test_windows"], split["train_windows"]):
        return None
    return Parts(windows.take(tested), windows.take(learnt), whose)
