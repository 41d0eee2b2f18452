"""The natural cubic spline through samples on a clock of their own, at evenly spaced moments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.types import FloatArray, IntArray, TimeArray

EVENLY_FROM = 1000  # moments; fewer are looked for one by one


def spline(
    time: TimeArray,
    values: FloatArray,
    at: TimeArray,
    hole_s: float | NDArray[np.floating],
    ends: IntArray | None = None,
) -> FloatArray:
    """Interpolate (n_channels, n) by the natural cubic spline, held constant beyond the ends.

    Its slopes solve a tridiagonal system that takes any spacing (de Boor, A Practical Guide to Splines, ch. IV). At a
    hole they are limited (Fritsch & Carlson 1980), so that nothing swings out where nothing was measured. Only times
    need more than single precision, and their differences no longer do.

    Parameters
    ----------
    time, at : increasing.
    hole_s : what is longer is a hole; of all, or (n - 1,) of each step.
    ends : last samples of pieces, of three samples at least, that have nothing to do with the next one; default none.
        Nothing between two pieces may be asked for.
    """
    from scipy.linalg import get_lapack_funcs

    if len(time) < 3:
        return np.stack([np.interp(at, time, y) for y in values]).astype(np.float32)
    width = np.diff(time).astype(np.float32)
    secant = np.diff(values, axis=1)
    secant /= width
    lower, diagonal, upper = np.empty_like(width), np.empty(len(time), np.float32), np.empty_like(width)
    lower[:-1], lower[-1] = width[1:], 1.0
    upper[0], upper[1:] = 1.0, width[:-1]
    diagonal[0] = diagonal[-1] = 2.0
    diagonal[1:-1] = 2 * (width[:-1] + width[1:])
    right = np.empty_like(values)
    right[:, 0], right[:, -1] = secant[:, 0], secant[:, -1]
    np.multiply(width[1:], secant[:, :-1], out=right[:, 1:-1])
    right[:, 1:-1] += width[:-1] * secant[:, 1:]
    if ends is not None:
        lower[ends - 1], upper[ends], diagonal[ends], right[:, ends] = 1.0, 0.0, 2.0, secant[:, ends - 1]
        lower[ends], upper[ends + 1], diagonal[ends + 1], right[:, ends + 1] = 0.0, 1.0, 2.0, secant[:, ends + 1]
    right *= 3
    # In two steps: `solve_banded` keeps the interpreter to itself all the time, so that no second block is resampled
    factor: Any = get_lapack_funcs("gttrf", dtype=np.float32)
    solve: Any = get_lapack_funcs("gttrs", dtype=np.float32)
    factors = factor(lower, diagonal, upper, overwrite_dl=True, overwrite_d=True, overwrite_du=True)[:5]
    solved, _ = solve(*factors, right.T, overwrite_b=True)
    slope = np.asarray(solved.T, np.float32)
    hole = np.flatnonzero(width > hole_s)
    if ends is not None:
        hole = np.setdiff1d(hole, ends)
    for side in (hole, hole + 1):
        limit, steep = 3 * secant[:, hole], slope[:, side]
        slope[:, side] = np.where(steep * limit > 0, np.sign(limit) * np.minimum(abs(steep), abs(limit)), 0.0)
    later = np.searchsorted(time, at, side="right") if ends is not None else _not_later(time, at)
    left = np.clip(later - 1, 0, len(time) - 2)
    if ends is not None:
        left -= np.isin(left, ends)  # at the very end of a piece
    return _hermite(time, width, values, slope, at, left)


def _hermite(
    time: TimeArray, step: FloatArray, values: FloatArray, slope: FloatArray, at: TimeArray, left: IntArray
) -> FloatArray:
    right = left + 1
    width = step[left]
    u = np.clip((at - time[left]).astype(np.float32) / width, 0.0, 1.0)
    rest = 1 - u
    before, slope_before = (1 + 2 * u) * rest**2, u * rest**2 * width
    after, slope_after = u**2 * (3 - 2 * u), -(u**2) * rest * width
    result = np.empty((len(values), len(at)), np.float32)
    taken = np.empty(len(at), np.float32)
    for out, y, d in zip(result, values, slope, strict=True):
        y.take(left, out=out, mode="clip")  # with the other modes, it would take to elsewhere first
        out *= before
        for weight, samples, position in ((after, y, right), (slope_before, d, left), (slope_after, d, right)):
            samples.take(position, out=taken, mode="clip")
            taken *= weight
            out += taken
    return result


def _not_later(time: TimeArray, at: TimeArray) -> NDArray[np.int64]:
    """Count the times that are not later than each of many evenly spaced moments, in a third of the time of a search.

    For each time the first moment that is not earlier is calculated, which is right to one moment, and corrected.
    """
    if len(at) < EVENLY_FROM:
        return np.searchsorted(time, at, side="right")
    moment = np.ceil((time - at[0]) * ((len(at) - 1) / (at[-1] - at[0]))).clip(0, len(at)).astype(np.int64)
    moment -= (moment > 0) & (at.take(moment - 1, mode="clip") >= time)
    moment += (moment < len(at)) & (at.take(moment, mode="clip") < time)
    return np.cumsum(np.bincount(moment, minlength=len(at) + 1)[:-1])
