"""Numbers as whole ones modulo 2⁶⁴: masks that are added and taken off again leave their sum exactly as it was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.har.errors import InsufficientData
from app.har.sums import Matrix

Words = NDArray[np.uint64]
FRACTION_BITS = 34  # so that a sum keeps 10 digits after the point, and may be as large as 5 × 10⁸
LARGEST = 2.0 ** (63 - FRACTION_BITS)


def encoded(values: Matrix, n_sites: int) -> Words:
    """Return numbers as whole ones, rounded to 2⁻³⁴; sums of so many sites do not run over.

    Raises
    ------
    InsufficientData : a number is too large, or none.
    """
    largest = float(np.abs(values).max(initial=0))
    if not largest < LARGEST / n_sites:
        raise InsufficientData(
            f"Masked sums of {n_sites} sites must each be below {LARGEST / n_sites:,.0f}; found {largest:,.0f}. Give "
            "fewer windows, or share the sums without masks."
        )
    words: Words = np.rint(np.ldexp(values, FRACTION_BITS)).astype(np.int64).view(np.uint64)
    return words


def decoded(words: Words) -> Matrix:
    """Return the numbers again."""
    return np.ldexp(words.view(np.int64).astype(np.float64), -FRACTION_BITS)
