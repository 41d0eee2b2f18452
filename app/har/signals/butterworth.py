"""Butterworth low-passes. SciPy has them, too, among so much else that loading it takes a third of a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
BLOCK = 64  # samples that one product filters; the state goes on from block to block


@dataclass(frozen=True)
class Butterworth:
    """A digital low-pass as a system of states: s' = A s + B x, y = C s + D x.

    It is a chain of sections of order two and one, whose states it holds: coefficients of the whole would lose the
    digits that a low cut-off needs.
    """

    A: Matrix  # (order, order)
    B: Matrix  # (order,)
    C: Matrix  # (order,)
    D: float

    @classmethod
    def low_pass(cls, order: int, cutoff: float) -> Butterworth:
        """Return the filter that halves the power at a cut-off, in cycles a sample.

        By the bilinear transform, with the cut-off warped beforehand (Oppenheim & Schafer, Discrete-Time Signal
        Processing, ch. 7).
        """
        angle = np.pi * (2 * np.arange(order) + order + 1) / (2 * order)
        analogue = np.tan(np.pi * cutoff) * np.exp(1j * angle)  # its poles, in units of twice the rate
        poles = (1 + analogue) / (1 - analogue)
        chain = cls(np.zeros((0, 0)), np.zeros(0), np.zeros(0), 1.0)
        for pole in poles[: (order + 1) // 2]:  # of each pair the upper one, and last the real one, if there is one
            real = abs(pole.imag) < 1e-12
            chain = chain.followed_by(*((pole.real, 0.0) if real else (2 * pole.real, -(abs(pole) ** 2))))
        return chain

    def followed_by(self, first: float, second: float) -> Butterworth:
        """Append y[t] = first · y[t - 1] + second · y[t - 2] + g · Σ x, of gain 1 at rest, with zeros at half the rate.

        A section of order one has no ``second``.
        """
        feedback = np.array([first, second] if second else [first])
        binomial = np.array([1.0, 2.0, 1.0] if second else [1.0, 1.0])
        taps = binomial * (1 - feedback.sum()) / binomial.sum()
        A = np.eye(len(feedback), k=1)
        A[:, 0] = feedback
        B, D = taps[1:] + feedback * taps[0], float(taps[0])
        C = np.eye(len(feedback))[0]
        chained = np.block([[self.A, np.zeros((len(self.A), len(A)))], [np.outer(B, self.C), A]])
        return Butterworth(chained, np.concatenate([self.B, B * self.D]), np.concatenate([D * self.C, C]), D * self.D)

    def __call__(self, x: Matrix) -> Matrix:
        """Filter (n, n_channels) along time, as if the first value had been there for ever."""
        (n, n_channels), order = x.shape, len(self.A)
        n_blocks = -(-n // BLOCK)
        blocks = np.zeros((n_channels, n_blocks * BLOCK))
        blocks[:, :n] = x.T
        blocks = blocks.reshape(-1, BLOCK)
        powers = [np.eye(order)]
        for _ in range(BLOCK):
            powers.append(self.A @ powers[-1])
        of_state = np.stack([self.C @ power for power in powers[:-1]], axis=1)  # (order, BLOCK)
        to_state = np.stack([power @ self.B for power in powers[-2::-1]])  # (BLOCK, order)
        response = np.concatenate([[self.D], self.B @ of_state[:, :-1]])
        lag = np.arange(BLOCK) - np.arange(BLOCK)[:, None]
        states = np.empty((n_channels, n_blocks, order))  # at the beginning of each block
        states[:, 0] = np.outer(x[0], np.linalg.solve(np.eye(order) - self.A, self.B))
        states[:, 1:] = (blocks @ to_state).reshape(states.shape)[:, :-1]
        onwards, reach = powers[-1].T, 1
        while reach < n_blocks:  # what came from the last block, from the last two, the last four …
            states[:, reach:] += states[:, :-reach] @ onwards
            onwards, reach = onwards @ onwards, 2 * reach
        y = blocks @ np.where(lag >= 0, response[np.abs(lag)], 0.0)
        y += states.reshape(-1, order) @ of_state
        return np.asarray(y.reshape(n_channels, -1)[:, :n].T, np.float64)
