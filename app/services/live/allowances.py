"""How much a device may send, and what it is told when that is too much."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from app.services.errors import ServiceError

BATCHES_A_SECOND, BATCHES_AHEAD = 5.0, 30.0
SAMPLES_A_SECOND, AHEAD_S = 400.0, 10.0  # of the sensor with the most


class TooFast(ServiceError):
    """A device sends more than is taken; ``wait_s`` says for how long it is to wait."""

    status = 429
    title = "Too much at once"

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Overloaded(TooFast):
    """The server cannot keep up."""

    status = 503
    title = "Too busy at this moment"


@dataclass
class Allowance:
    """What a token may send: it fills up with time, and is used up by what comes."""

    batches: float = BATCHES_AHEAD
    samples: float = SAMPLES_A_SECOND * AHEAD_S
    at: float = field(default_factory=time.monotonic)

    def use(self, n_batches: float, n_samples: float) -> float:
        """Use some of it up; return how many seconds are missing, 0 where it was enough."""
        at = time.monotonic()
        passed, self.at = at - self.at, at
        self.batches = min(self.batches + passed * BATCHES_A_SECOND, BATCHES_AHEAD)
        self.samples = min(self.samples + passed * SAMPLES_A_SECOND, SAMPLES_A_SECOND * AHEAD_S)
        # One batch of more than ten seconds is taken, and paid for afterwards
        missing = max((n_batches - self.batches) / BATCHES_A_SECOND, -self.samples / SAMPLES_A_SECOND, 0.0)
        if not missing:
            self.batches -= n_batches
            self.samples -= n_samples
        return missing
