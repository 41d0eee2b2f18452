"""Our low-pass and our decimation do what SciPy's do, which are never loaded for a recording."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, resample_poly, sosfiltfilt

from app.har.signals.decimation import BLOCK, REACH, decimated
from app.har.signals.filters import low_passed


@pytest.mark.parametrize(("rate_hz", "cutoff_hz", "order"), [
    (100, 0.3, 3), (400, 0.3, 3), (100, 0.1, 4), (20, 5, 4), (100, 49.9, 4), (50, 3, 1), (50, 3, 2)
])  # fmt: skip
@pytest.mark.parametrize("n", [1, 2, 5, 63, 64, 65, 1000, 20000])
def test_a_low_pass_is_that_of_scipy(n: int, rate_hz: float, cutoff_hz: float, order: int) -> None:
    values = np.cumsum(np.random.default_rng(n).normal(0, 0.1, (n, 3)), axis=0)
    values[:, 2] += 9.81
    level, edge = values.mean(axis=0), min(n - 1, int(np.ceil(rate_hz / cutoff_hz)))
    sections = butter(order, cutoff_hz, fs=rate_hz, output="sos")
    expected = sosfiltfilt(sections, values - level, axis=0, padtype="even", padlen=edge) + level
    np.testing.assert_allclose(low_passed(values, rate_hz, cutoff_hz, order), expected, atol=1e-8)


@pytest.mark.parametrize("factor", [2, 3, 8])
@pytest.mark.parametrize("n_out", [2, 3, REACH, BLOCK - 1, BLOCK, BLOCK + 1, 1000])
@pytest.mark.parametrize("more", [0, 1])
def test_a_decimation_is_that_of_scipy(factor: int, n_out: int, more: int) -> None:
    rng = np.random.default_rng(n_out)
    values = (np.cumsum(rng.normal(0, 0.1, (4, (n_out - 1) * factor + 1 + more)), axis=1) + 9.81).astype(np.float32)
    expected = resample_poly(values, 1, factor, axis=1, padtype="line")
    np.testing.assert_allclose(decimated(values, factor), expected, atol=5e-5)
