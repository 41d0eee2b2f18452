"""Masks, so that the sum of all sites can be known, and that of none by itself.

Bonawitz et al. (2017), Practical secure aggregation for privacy-preserving machine learning, CCS. Any two sites agree
on a seed (X25519, RFC 7748); one adds the numbers that it yields (ChaCha20, RFC 8439) to its own, the other subtracts
them, and in the sum of all they are gone. A second mask of each site by itself keeps a late file from being read after
the site was taken for dropped. The seeds are shared among the sites (`secret_shares`), so that the masks of a site that
drops out can be taken off by the others; of every site either the one or the other seed is ever told, never both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from app.har.federation.fixed_point import Words

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

SEED_BYTES = 32
AT_ONCE = 2**20  # numbers of a mask made at once


def agreed(private: X25519PrivateKey, public: bytes, purpose: bytes) -> bytes:
    """Return the secret that two sites have in common, of 32 bytes, for one purpose in one round.

    Raises
    ------
    ValueError : the public key is none that leads to a secret.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    shared = private.exchange(X25519PublicKey.from_public_bytes(public))
    return HKDF(algorithm=hashes.SHA256(), length=SEED_BYTES, salt=None, info=purpose).derive(shared)


def add_mask(words: Words, seed: bytes, sign: int) -> None:
    """Add the numbers that a seed yields, or subtract them (sign -1), in place; a seed serves one mask only."""
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

    stream = Cipher(ChaCha20(seed, bytes(16)), mode=None).encryptor()
    zeros = bytes(8 * min(AT_ONCE, len(words)))
    for start in range(0, len(words), AT_ONCE):
        part = words[start : start + AT_ONCE]
        mask = np.frombuffer(stream.update(zeros[: 8 * len(part)]), "<u8")
        if sign > 0:
            part += mask
        else:
            part -= mask


def masked(words: Words, number: int, own_seed: bytes, pair_seeds: Mapping[int, bytes]) -> Words:
    """Return a site's numbers, masked.

    Parameters
    ----------
    number : of the site in the round.
    pair_seeds : by the number of each other site that shared its seeds.
    """
    hidden = words.copy()
    add_mask(hidden, own_seed, 1)
    for other, seed in pair_seeds.items():
        add_mask(hidden, seed, 1 if number < other else -1)
    return hidden


def unmasked(total: Words, own_seeds: Mapping[int, bytes], left_over: Mapping[tuple[int, int], bytes]) -> Words:
    """Return the sum of the sites' numbers.

    Parameters
    ----------
    total : the sum of what `masked` returned at the sites that stayed.
    own_seeds : of these sites, by number.
    left_over : seeds of pairs of a site that stayed and one that dropped out, in this order, by their numbers.
    """
    result = total.copy()
    for seed in own_seeds.values():
        add_mask(result, seed, -1)
    for (stayed, dropped), seed in left_over.items():
        add_mask(result, seed, -1 if stayed < dropped else 1)
    return result
