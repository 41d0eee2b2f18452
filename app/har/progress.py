"""Progress reports of long work: what they hold, and the stages that they name."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any


class Stage(str, Enum):
    """What long work is busy with; the label is what pages and commands show."""

    label: str

    def __new__(cls, name: str, label: str = "") -> Stage:
        """Make a member that equals its name."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.label = label
        return member

    def __str__(self) -> str:
        return str.__str__(self)

    def __format__(self, spec: str) -> str:
        return str.__format__(self, spec)

    WAITING = "waiting", "waiting for another import to finish"
    QUEUED = "queued", "waiting for other recordings to be recognised"
    READING = "reading", "reading the file"
    RESAMPLING = "resampling", "resampling the sensors"
    RECOGNISING = "recognising", "recognising the activities"
    STARTING = "starting", "starting"
    WINDOWS = "windows", "cutting windows"
    SPLIT = "split", "splitting"
    UNLABELLED = "unlabelled", "learning from recordings without labels"
    FIT = "fit", "preparing"
    FEATURES = "features", "computing features"
    SELECTION = "selection", "ranking features by Random Forest"
    LEARNING = "learning", "learning from the features"
    HEAD = "head", "fitting the ELM head"
    NETWORK = "network", "training the network"
    CALIBRATION = "calibration", "calibrating the confidence"
    EVALUATION = "evaluation", "evaluating on the test windows"
    FOLD_SCORED = "fold scored", "fold scored"
    SCORED = "scored", "scored"
    CURVE = "curve", "comparing with a head from scratch"
    WRITING = "writing", "drawing the plots"
    FAILED = "failed", "failed"


Event = dict[str, Any]
"""One progress report: ``stage`` always; where it applies ``model``, ``epoch``, ``epochs``, ``loss``, ``accuracy``,
``val_loss``, ``val_accuracy``, ``fraction`` (0–1 of the stage)."""
OnEvent = Callable[[Event], None]


def ignore_event(event: Event) -> None:
    """Take a progress report and do nothing with it."""
