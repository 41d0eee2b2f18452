"""What a training is asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from app.har.evaluation.types import Protocol


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run besides the data."""

    models: tuple[str, ...] = ("elm-gru-am", "random-forest", "lstm", "cnn")
    protocol: Protocol = "subject"
    seed: int = 0
    epochs: int | None = None  # None: each model's own default
    test_fraction: float = 0.2
    folds: int | None = None  # test on every window once, in so many folds, instead of on one part
    window_length_s: float = 3.0
    overlap: float = 0.0
    low_pass_hz: float | None = None  # see filters.Preparation, here and below
    separate_gravity: bool = False
    gap_s: float = 0.5
    rotation_augmentation: bool = False  # see classifier.ModelConfig
