"""One round of masked sums, step by step; see `masking`. Keeping secrets between the steps is up to the caller.

1. Each site makes two pairs of keys. 2. Somebody who puts the files together opens the round. 3. Each site shares its
seeds with the others. 4. Each masks its sums. 5. Of the sites that stayed, each tells one share of one seed of every
site. Whoever has these adds up and takes the masks off. A site answers once, and so many must answer that no second
question about the same round can have enough answers: of no site can both seeds be found out.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.har.errors import InsufficientData, UnreadableData
from app.har.federation import fixed_point, secret_shares
from app.har.federation.documents import (
    AnswerDocument,
    KeysDocument,
    MaskedDocument,
    RoundDocument,
    SharesDocument,
    parsed,
)
from app.har.federation.envelope import Sealed, opened
from app.har.federation.fixed_point import Words
from app.har.federation.masking import agreed, masked, unmasked
from app.har.federation.minimums import Minimum
from app.har.federation.noise import Privacy, deviations_for, noisy
from app.har.federation.site_sums import Contribution, Counts, SharedMap, packed_length
from app.har.windows import WindowSet

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

FEWEST_SITES = 3  # of two, each knows the other's sums from the total
NONCE = bytes(12)  # a key seals one message


@dataclass(frozen=True)
class Secrets:
    """What a site keeps to itself during a round, in hexadecimal digits."""

    id: str
    share_private: str
    mask_private: str
    own_seed: str
    round: str = ""  # the digest of the only round that they serve
    answered: bool = False

    def secret_for(self, purpose: bytes) -> bytes:
        """Return 32 bytes that nobody else ever learns, the same for the same purpose.

        They come of the one secret of which no share leaves the site.
        """
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(hashes.SHA256(), 32, salt=None, info=purpose).derive(bytes.fromhex(self.share_private))

    @classmethod
    def drawn(cls) -> Secrets:
        import secrets

        return cls(secrets.token_hex(16), secrets.token_hex(32), secrets.token_hex(32), secrets.token_hex(32))

    def public(self, private: str) -> str:
        """Return the public half of one of the keys."""
        return _private(bytes.fromhex(private)).public_key().public_bytes_raw().hex()

    def serving(self, round_digest: str) -> Secrets:
        """Return the secrets bound to a round.

        Raises
        ------
        InsufficientData : they are bound to another.
        """
        if self.round not in ("", round_digest):
            raise InsufficientData("These keys served another round already. Make new ones: flask federation keys.")
        return replace(self, round=round_digest)


@dataclass(frozen=True)
class Round:
    """The sites that take part, by their numbers from 1."""

    digest: str
    threshold: int
    members: dict[int, KeysDocument]
    noise: Privacy | None = None  # what the noise of all together is to keep

    @classmethod
    def of(cls, sealed: Sealed, name: str, check_signer: Callable[[str], Any]) -> Round:
        """Read the file that opens a round.

        Parameters
        ----------
        check_signer : raises for a key that is not registered here.

        Raises
        ------
        UnreadableData, InsufficientData : its members do not belong together, or are too few.
        """
        document = parsed(RoundDocument, sealed.document, name)
        members = {}
        for number, text in enumerate(document.members, start=1):
            try:
                content = base64.b64decode(text, validate=True)
            except ValueError as error:
                raise UnreadableData(f"{name}: the keys of site {number} cannot be read.") from error
            inner = opened(content, f"{name}, site {number}")
            check_signer(inner.signer)
            members[number] = parsed(KeysDocument, inner.document, f"{name}, site {number}")
        check_members(list(members.values()), document.threshold)
        noise = Privacy(**document.noise.model_dump()) if document.noise else None
        return cls(sealed.digest, document.threshold, members, noise)

    def number_of(self, signer: str) -> int:
        """Return the number of a site.

        Raises
        ------
        UnreadableData : it takes no part.
        """
        for number, member in self.members.items():
            if member.signer == signer:
                return number
        raise UnreadableData(f"The site with the key {signer[:16]}… takes no part in this round.")

    def fewest(self, numbers: Sequence[int]) -> Counts:
        """Return how few windows and people may be left of these sites, when only as many stay as must."""
        counts = [self.members[number].counts for number in numbers]
        n = self.threshold

        def least(values: list[Any]) -> Any:
            return np.sort(np.array(values), axis=0)[:n].sum(axis=0)

        return Counts(
            least([one.windows for one in counts]),
            least([one.people for one in counts]),
            int(least([one.n_people for one in counts])),
        )

    @property
    def noisy_sites(self) -> int:
        """Return how many sites add noise that nobody takes off: of those that must stay, who tell nobody theirs.

        Fewer than a third of the sites, and at least one, may know the total and tell each other their noise.
        """
        n = len(self.members)
        return max(1, self.threshold - max(1, -(-n // 3) - 1))

    def given(self, shared: SharedMap, windows: WindowSet, own: Secrets) -> Contribution:
        """Return what a site gives of these windows, with its part of the noise if there is to be some.

        The same noise is drawn each time: of two files with different noise, the difference would tell something.
        """
        if self.noise is None:
            return Contribution.of(shared, windows)
        secret = own.secret_for(self._purpose("noise"))
        return noisy(shared, windows, self.noise, secret=secret, sites=self.noisy_sites)[0]

    def noise_of(self, stayed: int, shared: SharedMap) -> list[dict[str, Any]]:
        """Return what is to be said of the noise in the total of so many sites."""
        if self.noise is None:
            return []
        deviations = deviations_for(shared, self.noise, self.noisy_sites)
        together = {name: value * math.sqrt(stayed) for name, value in deviations.items()}
        return [{"site": "all sites together", **asdict(self.noise), **together}]

    def activities_for(self, minimum: Minimum, numbers: Sequence[int]) -> list[int]:
        """Return the activities that the masked sums of these sites may have: so many people did them in any case.

        Raises
        ------
        InsufficientData : too few windows are left.
        """
        few = self.fewest(numbers)
        if self.noise is not None:  # no more windows are used of each person
            used = min(1.0, self.noise.windows_of_a_person * few.n_people / max(few.n_windows, 1))
            few = replace(few, windows=(few.windows * used).astype(np.int64))
        kept = np.flatnonzero(few.people >= minimum.people)
        windows, people = np.zeros_like(few.windows), np.zeros_like(few.people)
        windows[kept], people[kept] = few.windows[kept], few.people[kept]
        minimum.check(Counts(windows, people, few.n_people), f"The smallest {self.threshold} sites of this round")
        return [int(label) for label in kept]

    def _purpose(self, *parts: object) -> bytes:
        return " ".join(["kinelab federation 1", self.digest, *map(str, parts)]).encode()


def usual_threshold(n_sites: int) -> int:
    """Return how many sites must stay and answer: more than two thirds, of three sites two.

    So up to a third of the sites may tell everything that they know without giving a single one away.
    """
    return 2 if n_sites == FEWEST_SITES else 2 * n_sites // 3 + 1


def check_members(members: Sequence[KeysDocument], threshold: int) -> None:
    """Refuse a round that could show single sites, or whose sums would not fit together.

    Raises
    ------
    InsufficientData, UnreadableData
    """
    n = len(members)
    if n < FEWEST_SITES:
        raise InsufficientData(f"Masks hide a site among others: at least {FEWEST_SITES} are needed; found {n}.")
    if not n / 2 < threshold <= n:
        raise InsufficientData(f"Of {n} sites, more than half must answer, and at most all; found {threshold}.")
    if len({one.signer for one in members}) < n or len({one.id for one in members}) < n:
        raise UnreadableData("A site is in this round twice.")
    if len({one.mask_key for one in members} | {one.share_key for one in members}) < 2 * n:
        raise UnreadableData("Two sites of this round have the same key.")
    if len({(one.map, tuple(one.activities), one.nodes) for one in members}) > 1:
        raise UnreadableData("The sites of this round have not the same model: their feature maps differ.")


def shares_for(round_: Round, me: int, own: Secrets) -> dict[str, str]:
    """Return my two secrets in shares, each sealed for the site that it is for, by its number (step 3)."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    _check_unspent(own)
    holders = list(round_.members)
    of_key = secret_shares.split(bytes.fromhex(own.mask_private), round_.threshold, holders)
    of_seed = secret_shares.split(bytes.fromhex(own.own_seed), round_.threshold, holders)
    private = _private(bytes.fromhex(own.share_private))
    shares = {}
    for number, member in round_.members.items():
        key = _agreed(private, member.share_key, round_._purpose("shares", me, number))
        shares[str(number)] = ChaCha20Poly1305(key).encrypt(NONCE, of_key[number] + of_seed[number], None).hex()
    return shares


def masked_sums(
    round_: Round, me: int, own: Secrets, shared: Mapping[int, SharesDocument], contribution: Contribution
) -> Words:
    """Return my sums, masked towards all sites that shared their seeds (step 4).

    Raises
    ------
    InsufficientData : too few have, a number is too large, or I have answered: what masks came of is deleted then.
    """
    _check_unspent(own)
    if len(shared) < round_.threshold or me not in shared:
        raise InsufficientData(
            f"{round_.threshold} of {len(round_.members)} sites must have shared their seeds, this one among them; "
            f"found {len(shared)}."
        )
    private = _private(bytes.fromhex(own.mask_private))
    seeds = {
        other: _agreed(private, round_.members[other].mask_key, round_._purpose("mask"))
        for other in shared
        if other != me
    }
    words = fixed_point.encoded(contribution.packed(), len(round_.members))
    return masked(words, me, bytes.fromhex(own.own_seed), seeds)


def answer(
    round_: Round, me: int, own: Secrets, shared: Mapping[int, SharesDocument], stayed: Sequence[int]
) -> dict[str, dict[str, str]]:
    """Return my shares of the own seeds of those that stayed, and of the mask keys of those that dropped (step 5).

    Raises
    ------
    InsufficientData : too few stayed, or I have answered before.
    UnreadableData : a share for me cannot be read.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    if own.answered:
        raise InsufficientData("This site has answered in this round; a second answer could show single sites.")
    if len(set(stayed)) < round_.threshold or not set(stayed) <= set(shared):
        raise InsufficientData(
            f"{round_.threshold} of the {len(shared)} sites that shared their seeds must have stayed; found "
            f"{len(set(stayed) & set(shared))}."
        )
    private = _private(bytes.fromhex(own.share_private))
    own_seeds, mask_keys = {}, {}
    for number, document in shared.items():
        key = _agreed(private, round_.members[number].share_key, round_._purpose("shares", number, me))
        try:
            both = ChaCha20Poly1305(key).decrypt(NONCE, bytes.fromhex(document.shares.get(str(me), "")), None)
        except (InvalidTag, ValueError) as error:
            raise UnreadableData(f"The share that site {number} of this round made for this one is wrong.") from error
        if number in stayed:
            own_seeds[str(number)] = both[secret_shares.SHARE_BYTES :].hex()
        else:
            mask_keys[str(number)] = both[: secret_shares.SHARE_BYTES].hex()
    return {"own_seeds": own_seeds, "mask_keys": mask_keys}


def total(
    round_: Round, masked_files: Mapping[int, tuple[MaskedDocument, Words]], answers: Mapping[int, AnswerDocument]
) -> Contribution:
    """Return the sum of the sites that stayed.

    Raises
    ------
    InsufficientData : too few answers.
    UnreadableData : the files do not belong together.
    """
    if len(answers) < round_.threshold:
        raise InsufficientData(f"{round_.threshold} sites must answer; found {len(answers)}.")
    first = round_.members[1]
    length = packed_length(first.nodes, len(first.activities))
    towards = {tuple(sorted(document.masked_with)) for document, _ in masked_files.values()}
    if len(towards) != 1 or any(len(words) != length for _, words in masked_files.values()):
        raise UnreadableData("The sites masked their sums towards different sites: all need the same shares files.")
    stayed, everyone = set(masked_files), set(towards.pop())
    if not stayed <= everyone <= set(round_.members):
        raise UnreadableData("A site masked its sums towards sites that take no part in this round.")
    dropped = everyone - stayed
    for number, one in answers.items():
        if set(one.own_seeds) != set(map(str, stayed)) or set(one.mask_keys) != set(map(str, dropped)):
            raise UnreadableData(f"The answer of site {number} is about other sites than those whose sums are here.")
    chosen = dict(list(answers.items())[: round_.threshold])

    def secret(number: int, of: str) -> bytes:
        shares = {holder: bytes.fromhex(getattr(one, of)[str(number)]) for holder, one in chosen.items()}
        try:
            return secret_shares.joined(shares)
        except ValueError as error:
            raise UnreadableData(
                f"The answers about site {number} do not fit together: one of them is wrong."
            ) from error

    left_over = {}
    for gone in dropped:
        private = _private(secret(gone, "mask_keys"))
        for site in stayed:
            left_over[site, gone] = _agreed(private, round_.members[site].mask_key, round_._purpose("mask"))
    words: NDArray[np.uint64] = np.zeros(length, np.uint64)
    for _, one_site in masked_files.values():
        words += one_site
    words = unmasked(words, {site: secret(site, "own_seeds") for site in stayed}, left_over)
    return Contribution.unpacked(fixed_point.decoded(words), first.nodes, len(first.activities))


def _check_unspent(own: Secrets) -> None:
    if own.answered:
        raise InsufficientData("This site has answered in this round, and its secrets are deleted. Begin a new one.")


def _agreed(private: X25519PrivateKey, public: str, purpose: bytes) -> bytes:
    try:
        return agreed(private, bytes.fromhex(public), purpose)
    except ValueError as error:
        raise UnreadableData(f"The key {public[:16]}… of a site of this round leads to no secret.") from error


def _private(secret: bytes) -> X25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(secret)
