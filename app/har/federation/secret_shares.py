"""A secret in shares, of which some together tell it and fewer tell nothing.

Shamir (1979), How to share a secret, Communications of the ACM 22: the secret is the value at 0 of a random polynomial
over a finite field, and a share is its value at another place.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

PRIME = 2**521 - 1
SECRET_BYTES, SHARE_BYTES = 32, 66


def split(secret: bytes, threshold: int, holders: Sequence[int]) -> dict[int, bytes]:
    """Return a share for each holder, any ``threshold`` of which tell the secret.

    Parameters
    ----------
    secret : `SECRET_BYTES` of it.
    holders : their numbers, from 1.
    """
    if len(secret) != SECRET_BYTES or not 1 <= threshold <= len(holders) or min(holders) < 1:
        raise ValueError("a secret of 32 bytes, and as many holders as the threshold at least, are expected")
    coefficients = [int.from_bytes(secret, "big"), *(secrets.randbelow(PRIME) for _ in range(threshold - 1))]

    def value(x: int) -> int:
        total = 0
        for coefficient in reversed(coefficients):
            total = (total * x + coefficient) % PRIME
        return total

    return {holder: value(holder).to_bytes(SHARE_BYTES, "big") for holder in holders}


def joined(shares: Mapping[int, bytes]) -> bytes:
    """Return the secret of at least as many shares, by their holders, as its threshold was.

    Raises
    ------
    ValueError : the shares do not belong together, or are too few.
    """
    total = 0
    for holder, share in shares.items():
        above = below = 1
        for other in shares:
            if other != holder:
                above, below = above * other % PRIME, below * (other - holder) % PRIME
        total += int.from_bytes(share, "big") * above * pow(below, -1, PRIME)
    secret = total % PRIME
    if secret.bit_length() > 8 * SECRET_BYTES:  # true of all but one in 2²⁶⁵ wrong ones
        raise ValueError("these shares tell no secret")
    return secret.to_bytes(SECRET_BYTES, "big")
