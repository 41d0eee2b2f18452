"""Windows of a stream as a model takes them: cut as they are full, gravity apart as an upload has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from app.har.live.uniform import SOURCES, Stretch
from app.har.signals.filters import GRAVITY_HZ, GRAVITY_ORDER, NOISE_ORDER, low_passed
from app.har.types import FloatArray

BEFORE_PERIODS = 2.4  # of the cut-off, 8 s of gravity's: what is earlier moves a sample by less than 1 part in 1,000
AFTER_S = 6.0  # after which a window is filtered again, with what came then
MIRRORED_PERIODS = 1.0  # as `signals.filters` continues a piece beyond its ends
TOTAL, MOVEMENT, GRAVITY, ROTATION = (slice(3 * i, 3 * i + 3) for i in range(len(SOURCES)))


@dataclass(frozen=True)
class Cut:
    """A window that is full."""

    stretch: Stretch
    number: int  # in the stretch, by HOP_S
    start: int  # sample of the stretch
    settled: bool  # nothing that comes later changes its samples


@dataclass(frozen=True)
class Context:
    """How many samples around a window a filter looks at."""

    cutoff_hz: float
    order: int
    rate_hz: float
    n_timesteps: int

    @property
    def before(self) -> int:
        return int(np.ceil(BEFORE_PERIODS * self.rate_hz / self.cutoff_hz))

    @property
    def after(self) -> int:
        return self.before

    @property
    def mirrored(self) -> int:
        return int(np.ceil(MIRRORED_PERIODS * self.rate_hz / self.cutoff_hz))

    @property
    def filter(self) -> FloatArray:
        """What each sample of a window takes of each sample around it, (n_timesteps, before + n_timesteps + after)."""
        return _filter(self)


@lru_cache(maxsize=8)
def _filter(context: Context) -> FloatArray:
    n = context.before + context.n_timesteps + context.after
    whole = low_passed(np.eye(n), context.rate_hz, context.cutoff_hz, context.order)
    return np.ascontiguousarray(whole[context.before : context.before + context.n_timesteps], np.float32)


def gravity_context(rate_hz: float, n_timesteps: int) -> Context:
    """Return that of the low-pass that is gravity."""
    return Context(GRAVITY_HZ, GRAVITY_ORDER, rate_hz, n_timesteps)


def noise_context(rate_hz: float, n_timesteps: int, cutoff_hz: float) -> Context:
    """Return that of the low-pass that leaves out noise."""
    return Context(cutoff_hz, NOISE_ORDER, rate_hz, n_timesteps)


def kept_samples(rate_hz: float, n_timesteps: int) -> int:
    """Return how many samples of a stretch windows may need: one that is filtered again, and before it."""
    return gravity_context(rate_hz, n_timesteps).before + n_timesteps + int(np.ceil(AFTER_S * rate_hz))


def separates(stretch: Stretch) -> bool:
    """Tell whether gravity is to be filtered out of acceleration: the device gives neither it nor movement."""
    present = set(stretch.present)
    return "acceleration" in present and not present & {"movement", "gravity"}


def cut_movement_and_gravity(
    cuts: Sequence[Cut], rate_hz: float, n_timesteps: int, low_pass_hz: float | None = None
) -> FloatArray:
    """Return movement, rotation and gravity of windows, (n, n_timesteps, 9); NaN where one is missing.

    Parameters
    ----------
    low_pass_hz : see `Preparation`.
    """
    around = _samples(cuts, rate_hz, n_timesteps, low_pass_hz)
    movement, gravity = around[:, :, MOVEMENT].copy(), around[:, :, GRAVITY].copy()
    total = around[:, :, TOTAL]
    alone = np.array([separates(cut.stretch) for cut in cuts], bool)
    if alone.any():
        rows = np.flatnonzero(alone)
        gravity[rows] = _filtered([cuts[i] for i in rows.tolist()], TOTAL, gravity_context(rate_hz, n_timesteps))
    no_movement, no_gravity = np.isnan(movement[:, 0, 0]), np.isnan(gravity[:, 0, 0])
    movement[no_movement] = total[no_movement] - gravity[no_movement]
    gravity[no_gravity] = total[no_gravity] - movement[no_gravity]
    return np.concatenate([movement, around[:, :, ROTATION], gravity], axis=2)


def cut_with_gravity(
    cuts: Sequence[Cut], rate_hz: float, n_timesteps: int, low_pass_hz: float | None = None
) -> FloatArray:
    """Return acceleration with gravity and rotation, (n, n_timesteps, 6); NaN where one is missing."""
    around = _samples(cuts, rate_hz, n_timesteps, low_pass_hz)
    total = around[:, :, TOTAL]
    summed = around[:, :, MOVEMENT] + around[:, :, GRAVITY]
    whole = np.where(np.isnan(total[:, :1, :1]), summed, total)
    return np.concatenate([whole, around[:, :, ROTATION]], axis=2)


def _samples(cuts: Sequence[Cut], rate_hz: float, n_timesteps: int, low_pass_hz: float | None) -> FloatArray:
    """Return all sources of windows, (n, n_timesteps, 12)."""
    if low_pass_hz is not None:
        return _filtered(cuts, slice(0, 3 * len(SOURCES)), noise_context(rate_hz, n_timesteps, low_pass_hz))
    starts = [cut.start - cut.stretch.first for cut in cuts]
    return np.stack([cut.stretch.kept[at : at + n_timesteps] for cut, at in zip(cuts, starts, strict=True)])


def _filtered(cuts: Sequence[Cut], columns: slice, context: Context) -> FloatArray:
    """Low-pass windows with what is around them; beyond the samples that are there, with their mirror image."""
    n = context.before + context.n_timesteps + context.after
    start = np.array([cut.start for cut in cuts])[:, None]
    first = np.array([cut.stretch.first for cut in cuts])[:, None]
    last = np.array([_last_seen(cut, context) for cut in cuts])[:, None]
    at = start - context.before + np.arange(n)
    at = _mirrored(at, np.zeros_like(first), last, context.mirrored).clip(first, last) - first
    n_columns = columns.stop - columns.start
    around = np.empty((n, len(cuts), n_columns), np.float32)
    for row, (places, cut) in enumerate(zip(at, cuts, strict=True)):
        around[:, row] = cut.stretch.kept[places, columns]
    filtered = context.filter @ around.reshape(n, -1)  # one product for all windows and axes
    return filtered.reshape(-1, len(cuts), n_columns).transpose(1, 0, 2)


def _last_seen(cut: Cut, context: Context) -> int:
    """Return the last sample that a filter takes into account: before it is settled, that of the window itself."""
    return cut.stretch.made - 1 if cut.settled else cut.start + context.n_timesteps - 1


def _mirrored(
    at: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64], reach: int
) -> NDArray[np.int64]:
    """Return positions, those beyond the ends mirrored; beyond the mirror image all are that of its end."""
    edge = np.minimum(last - first, reach)
    low = np.minimum(first - at, edge) + first
    high = last - np.minimum(at - last, edge)
    return np.where(at < first, low, np.where(at > last, high, at))
