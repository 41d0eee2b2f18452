"""Random convolutions describe a window's shape, are drawn from the seed alone, and do not depend on the company."""

from __future__ import annotations

import numpy as np
import pytest

from app.har.classifiers.elm_gru_am.convolutions import ROWS, STRIDE, RandomConvolutions, _kernels
from app.har.types import FloatArray


def signals(n: int = 90, n_steps: int = 60, n_channels: int = 3) -> FloatArray:
    return np.random.default_rng(0).normal(size=(n, n_steps, n_channels)).astype(np.float32).cumsum(axis=1)


def test_a_number_is_the_average_rectified_output_of_its_kernel() -> None:
    raw = signals()
    convolutions = RandomConvolutions.of(raw, 12, seed=3)
    found = convolutions(raw)
    window = (raw[5] - raw[5].mean(axis=0)) / (raw[5].std(axis=0) + 1e-3)
    position = 0
    for dilation, weights in _kernels(3, 12, 60, 3):
        for kernel in weights.T:
            taps = kernel.reshape(-1, 3)  # (taps, n_channels)
            starts = range(0, 60 - (len(taps) - 1) * dilation, STRIDE)
            outputs = [(window[start::dilation][: len(taps)] * taps).sum() for start in starts]
            above = np.maximum(np.array(outputs) - convolutions.biases[position], 0)
            assert found[5, position] == pytest.approx(above.mean() / convolutions.scales[position], abs=1e-4)
            position += 1
    assert position == found.shape[1] == 12


def test_kernels_have_no_mean_several_dilations_and_leave_channels_out() -> None:
    kernels = _kernels(0, 40, 60, 6)
    assert [dilation for dilation, _ in kernels] == [1, 2, 4]
    taps = np.concatenate([weights.T.reshape(-1, 9, 6) for _, weights in kernels])
    np.testing.assert_allclose(taps.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose((taps**2).sum(axis=(1, 2)), 1, rtol=1e-5)
    heard = (taps != 0).any(axis=1)
    assert heard.any(axis=1).all()
    assert 0.3 < heard.mean() < 0.8
    # Stored models count on these very numbers in every later version
    np.testing.assert_allclose(_kernels(7, 3, 20, 1)[0][1][:3, 0], [0.593039, -0.170483, 0.006108], atol=1e-5)


def test_the_size_of_the_movement_and_the_company_of_a_window_do_not_matter() -> None:
    raw = signals(ROWS + 20)
    convolutions = RandomConvolutions.of(raw, 20, seed=1)
    together = convolutions(raw)
    np.testing.assert_allclose(convolutions(raw[ROWS + 3 : ROWS + 4])[0], together[ROWS + 3], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(convolutions(40 * raw + 9.81), together, rtol=0.02, atol=0.01)


@pytest.mark.parametrize("n_kernels", [0, 2, 10])
@pytest.mark.parametrize("n_steps", [4, 8, 9, 17, 200])
def test_short_and_constant_windows_give_finite_numbers(n_steps: int, n_kernels: int) -> None:
    raw = signals(30, n_steps, 2)
    raw[3] = 1.0
    found = RandomConvolutions.of(raw, n_kernels, seed=0)(raw)
    assert found.shape == (30, n_kernels)
    assert np.isfinite(found).all()
