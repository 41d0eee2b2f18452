"""What brings features and signals to one size, learnt from training windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.har.types import FloatArray

CLIP = 5.0  # standard deviations: what lies beyond says no more


@dataclass(frozen=True)
class Scaler:
    """Mean and deviation per feature, learnt from training rows."""

    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, rows: FloatArray) -> Scaler:
        return cls(rows.mean(axis=0), rows.std(axis=0) + np.float32(1e-6))

    def __call__(self, values: FloatArray, clip: float = CLIP) -> FloatArray:
        scaled: FloatArray = values - self.mean
        scaled /= self.deviation
        return np.clip(scaled, -clip, clip, out=scaled)


@dataclass(frozen=True)
class Compander:
    """Brings the raw signal of rest and of running to one size: asinh in units of what quiet windows move by."""

    centre: FloatArray  # (n_channels,)
    quiet: FloatArray
    scale: FloatArray

    @classmethod
    def of(cls, raw: FloatArray) -> Compander:
        """Learn from training windows (n, n_steps, n_channels)."""
        centre = np.median(raw, axis=(0, 1)).astype(np.float32)
        quiet = np.quantile(raw.std(axis=1), 0.1, axis=0).astype(np.float32) + np.float32(1e-3)
        scale = np.arcsinh((raw - centre) / quiet).std(axis=(0, 1)).astype(np.float32) + np.float32(1e-6)
        return cls(centre, quiet, scale)

    def __call__(self, raw: FloatArray) -> FloatArray:
        x = (raw - self.centre) / self.quiet
        companded = np.log(np.abs(x) + np.sqrt(x * x + 1))  # asinh, which numpy takes ten times as long for
        signed: FloatArray = np.copysign(companded, x)
        return signed / self.scale
