"""The settings of ELM-GRU-AM."""

from __future__ import annotations

from dataclasses import dataclass

PARTS = (
    "selection",
    "logarithms",
    "raw",
    "gru",
    "time attention",
    "sensor attention",
    "head",
    "convolutions",
    "slow copies",
)


@dataclass(frozen=True)
class ModelConfig:
    """Settings of ELM-GRU-AM; lengths are in seconds, so that they suit any sampling rate."""

    frame_length_s: float = 1.0  # at most half a window is used
    frame_step_s: float = 0.5  # at most half a frame is used
    n_selected: int = 192  # frame features that go on to the network, the Random Forest's best
    units: int = 64
    filters: int = 16  # of the first convolution over the raw signal
    epochs: int = 10
    batch: int = 256
    closing_share: float = 0.25  # of as many epochs more, on all training windows once calibration has had its part
    learning_rate: float = 3e-3
    low_rate_augmentation: float = 0.5  # of the training windows come again, as from a slower sensor
    rotation_augmentation: bool = False  # and as from a device that is turned
    sensor_dropout: float = 0.1  # share of training windows that lose a sensor, where there are several
    elm_nodes: int = 3000
    elm_ridge: float = 100.0
    elm_convolutions: int = 500  # random kernels, in equal parts a device
    held_out_fraction: float = 0.15  # of the training windows: how to combine, and how confident to be
    keep_sums: bool = False  # what the head was solved from, by subject, so that it can forget one
    without: tuple[str, ...] = ()  # of PARTS; only to see what they are worth

    def lacks(self, part: str) -> bool:
        """Tell whether one of PARTS is left out."""
        return part in self.without
