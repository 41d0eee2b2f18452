"""Sums of several sites: exact, signed, masked, and refused where they say too much."""

from __future__ import annotations

import base64
import itertools
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.har.errors import InsufficientData, InvalidSetting, UnreadableData, UnusableRecording
from app.har.federation import envelope, fixed_point, noise, rounds, secret_shares
from app.har.federation.documents import AnswerDocument, MaskedDocument, SharesDocument, SumsDocument, parsed
from app.har.federation.joint import joint_card, joint_model
from app.har.federation.minimums import Minimum
from app.har.federation.site_sums import Contribution, SharedMap, counts_of, packed_length
from app.har.federation.windows import windows_for
from app.har.sums import Matrix, Sums
from app.har.windows import WindowSet
from benchmarks.reconstruction import RowSpace, features_behind, labels_and_weights, recovered_rows
from tests.federation import divided, shared_map, together, windows_of
from tests.trained import Example

RIDGE = 100.0
MADE = "2026-11-28"


@pytest.fixture
def shared(small_lab: Path) -> SharedMap:
    return shared_map(small_lab)


@pytest.fixture(scope="session")
def windows(example_model: Example, small_lab: Path) -> WindowSet:
    return windows_of(example_model, shared_map(small_lab)).take(slice(None, None, 2))


P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P  # of Ed25519: -x² + y² = 1 + d x² y²


def added(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P,
    )


def of_order_8_or_less() -> set[tuple[int, int]]:
    """Return the eight points: what is left of any point once its part of the large prime order is taken away."""
    order = 2**252 + 27742317777372353535851937790883648493
    found: set[tuple[int, int]] = set()
    y = 2
    while len(found) < 8:
        y += 1
        square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
        x = pow(square, (P + 3) // 8, P)
        x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
        if x * x % P == square:
            total, doubled, n = (0, 1), (x, y), order
            while n:
                total = added(total, doubled) if n & 1 else total
                doubled, n = added(doubled, doubled), n >> 1
            found.add(total)
    return found


def test_keys_with_which_anybody_can_sign_are_known() -> None:
    points = of_order_8_or_less()
    assert {y for _, y in points} == {y for y in envelope.WEAK if y < P}
    for y in [y for _, y in points] + [y + P for _, y in points if y + P < 2**255]:
        for sign in (0, 2**255):
            assert envelope.is_weak((y | sign).to_bytes(32, "little").hex())
    assert not envelope.is_weak(envelope.public_key(Ed25519PrivateKey.generate()))
    nobody = "00" * 32
    content = envelope.sealed({"kind": "sums"}, b"", Ed25519PrivateKey.generate())
    signer = envelope.opened(content, "a").signer
    with pytest.raises(UnreadableData, match="anybody can sign"):
        envelope.opened(content.replace(signer.encode(), nobody.encode()), "a")


def test_what_is_no_text_is_not_shown() -> None:
    for content, found in [
        (b"\x89PNG\r\n\x1a\n", "found no text"),
        (b"a,b\r\n1,2\r\n", r"found 'a,b\\r'"),
        (b"", "found ''"),
    ]:
        with pytest.raises(UnreadableData, match=found):
            envelope.opened(content, "a.sums")


def relative(one: Matrix, other: Matrix) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


def rows_of(shared: SharedMap, windows: WindowSet) -> tuple[Matrix, Matrix, Matrix]:
    """Return the rows of windows without copies, their targets and weights: what no site gives away."""
    return shared.hidden(windows), np.eye(len(shared.weights))[windows.y], shared.weights[windows.y]


@pytest.mark.parametrize("n_sites", [2, 80])
def test_the_joint_head_is_the_one_solved_with_all_rows_in_one_place(
    shared: SharedMap, windows: WindowSet, n_sites: int
) -> None:
    shared.model.config = replace(shared.model.config, low_rate_augmentation=0.0)  # each site draws its copies
    H, T, W = rows_of(shared, windows)
    scratch = np.linalg.solve(H.T @ (W[:, None] * H) + RIDGE * np.eye(H.shape[1]), H.T @ (W[:, None] * T))
    parts = [Contribution.of(shared, part) for part in divided(windows, n_sites)]
    for order in (parts, parts[::-1], [parts[i] for i in np.random.default_rng(0).permutation(n_sites)]):
        assert relative(together(order).sums.solve(RIDGE), scratch) < 1e-8
    assert together(parts).counts.n_windows == len(windows)


def test_the_joint_model_differs_from_its_base_in_the_head_alone(shared: SharedMap, windows: WindowSet) -> None:
    before = {pattern: beta.copy() for pattern, beta in shared.model.elm_.betas.items()}
    joint = joint_model(shared, together([Contribution.of(shared, part) for part in divided(windows, 2)]).sums)
    assert joint.network_ is shared.model.network_
    assert joint.window_scaler_ is shared.model.window_scaler_
    assert set(joint.elm_.betas) == set(before)
    assert all((shared.model.elm_.betas[pattern] == beta).all() for pattern, beta in before.items())
    right = joint.predict_proba(windows).argmax(axis=1) == windows.y
    assert right.mean() > 0.9
    assert SharedMap(joint, shared.weights).digest == shared.digest, "its sites can go on with it"


def test_the_digest_tells_another_map_from_this(shared: SharedMap, example_model: Example) -> None:
    before = shared.digest
    weighed = SharedMap(shared.model, shared.weights * (1 + 1e-15))
    assert weighed.digest != shared.digest
    assert shared_map(example_model.model).digest != shared.digest, "of other nodes"
    shared.model.window_scaler_.mean[0] += 1e-6
    assert shared.digest != before


def test_packed_sums_are_unpacked_to_the_last_bit(shared: SharedMap, windows: WindowSet) -> None:
    one = Contribution.of(shared, windows.take(slice(0, 60)))
    vector = one.packed()
    assert len(vector) == packed_length(shared.n_nodes, len(shared.weights))
    again = Contribution.unpacked(vector, shared.n_nodes, len(shared.weights))
    assert (again.sums.gram == one.sums.gram).all()
    assert (again.sums.moment == one.sums.moment).all()
    assert (again.sums.counts == one.sums.counts).all()
    assert again.sums.rows == one.sums.rows
    assert again.counts.n_windows == 60
    assert (again.people == one.people).all()
    assert again.n_people == one.n_people


def test_windows_are_cut_as_the_model_takes_them(example_model: Example, shared: SharedMap) -> None:
    signals = example_model.store.signals
    first = signals.activities[0]
    names = {name: name for name in signals.activities}
    renamed = signals.__class__(**{**vars(signals), "activities": ("Something else", *signals.activities[1:])})
    without = windows_for(shared.model, renamed, {})
    assert not (without.y == shared.model.activities.index(first)).any()
    named = windows_for(shared.model, renamed, names | {"Something else": first})
    assert (named.y == shared.model.activities.index(first)).any()
    lacking = signals.__class__(**{**vars(signals), "signal": signals.signal[:, :3], "channels": signals.channels[:3]})
    with pytest.raises(UnusableRecording, match="without gyro_x, gyro_y, gyro_z"):
        windows_for(shared.model, lacking, {})


def test_too_few_windows_or_people_are_refused_and_an_activity_of_few_people_is_left_out(windows: WindowSet) -> None:
    counts = counts_of(windows)
    Minimum(counts.n_windows, 2).check(counts, "This")
    with pytest.raises(InsufficientData, match=rf"This has {counts.n_windows:,} windows of 10 people"):
        Minimum(counts.n_windows + 1, 2).check(counts, "This")
    with pytest.raises(InsufficientData, match="of 10 people"):
        Minimum(1, 11).check(counts, "This")
    alone = windows.take((windows.y != 0) | (windows.subjects == windows.subjects[windows.y == 0][0]))
    with pytest.raises(InsufficientData, match="an activity with 1"):
        Minimum(1, 2).check(counts_of(alone), "This")
    rest, left_out = Minimum(1, 2).shareable(alone)
    assert left_out == {windows.activities[0]: int((alone.y == 0).sum())}
    assert not (rest.y == 0).any()
    assert len(rest) == len(alone) - sum(left_out.values())
    Minimum(1, 2).check(counts_of(rest), "This")


def a_file(key: Ed25519PrivateKey) -> bytes:
    return envelope.sealed({"kind": "sums", "made": MADE}, bytes(range(100)), key)


def test_a_signed_file_is_read_and_any_change_of_it_is_noticed() -> None:
    key = Ed25519PrivateKey.generate()
    content = a_file(key)
    found = envelope.opened(content, "a")
    assert found.signer == envelope.public_key(key)
    assert bytes(found.payload) == bytes(range(100))
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1
        with pytest.raises(UnreadableData):
            envelope.opened(bytes(changed), "a")
    for wrong in (content[:-1], content + b"\0", b"", content[:20], envelope.MAGIC + b"\xff" * 100):
        with pytest.raises(UnreadableData):
            envelope.opened(wrong, "a")
    other = envelope.public_key(Ed25519PrivateKey.generate())
    with pytest.raises(UnreadableData, match="changed after"):
        envelope.opened(content.replace(found.signer.encode(), other.encode()), "a")


def test_a_document_with_something_odd_in_it_is_refused_by_its_name() -> None:
    good = {
        "signer": "a" * 64, "payload_bytes": 8, "made": MADE, "map": "b" * 64, "model": "m/1", "activities": ["x"],
        "nodes": 1, "windows": [1], "people": [1], "n_people": 1, "kind": "sums", "noise": None,
    }  # fmt: skip
    parsed(SumsDocument, good, "a")
    for key, value in [
        ("windows", [-1]), ("windows", [1, 2]), ("people", [1.5]), ("nodes", 10**9), ("map", "../x"), ("made", "today"),
        ("activities", ["a\nb"]), ("kind", "keys"), ("n_people", "1"), ("rows", [1]), ("noise", {"epsilon": -1}),
    ]:  # fmt: skip
        with pytest.raises(UnreadableData, match="a is no file of kind 'sums'"):
            parsed(SumsDocument, {**good, key: value}, "a")


def test_a_secret_is_told_by_any_shares_that_are_enough_and_by_no_fewer() -> None:
    secret = bytes(range(32))
    shares = secret_shares.split(secret, 3, [1, 2, 3, 4, 5])
    for holders in itertools.combinations(shares, 3):
        assert secret_shares.joined({holder: shares[holder] for holder in holders}) == secret
    assert secret_shares.joined(shares) == secret
    with pytest.raises(ValueError, match="tell no secret"):
        secret_shares.joined({1: shares[1], 2: shares[2]})
    with pytest.raises(ValueError, match="tell no secret"):
        secret_shares.joined({**shares, 3: shares[2]})


def test_fixed_point_sums_are_those_of_rounded_numbers_whatever_their_sign() -> None:
    values = np.random.default_rng(0).normal(0, 1e6, (5, 1000))
    total = np.zeros(1000, np.uint64)
    for one in values:
        total += fixed_point.encoded(one, 5)
    assert np.abs(fixed_point.decoded(total) - values.sum(axis=0)).max() < 1e-9
    with pytest.raises(InsufficientData, match="must each be below"):
        fixed_point.encoded(np.array([2.0**29 / 5]), 5)
    with pytest.raises(InsufficientData):
        fixed_point.encoded(np.array([np.nan]), 5)


class Party:
    """The sites of a round, all in one place."""

    def __init__(
        self, shared: SharedMap, parts: list[WindowSet], threshold: int, privacy: noise.Privacy | None = None
    ) -> None:
        self.contributions = [Contribution.of(shared, part) for part in parts]
        self.keys = [Ed25519PrivateKey.generate() for _ in parts]
        self.secrets = [rounds.Secrets.drawn() for _ in parts]
        self.files = [self._keys_file(shared, i) for i in range(len(parts))]
        members = [base64.b64encode(one).decode() for one in self.files]
        document = {"kind": "round", "made": MADE, "threshold": threshold, "members": members}
        wanted = {"noise": asdict(privacy)} if privacy else {}
        content = envelope.sealed(document | wanted, b"", self.keys[0])
        self.round = rounds.Round.of(envelope.opened(content, "round"), "round", lambda _: None)
        self.shares = {
            i + 1: self._document(SharesDocument, i, {"shares": rounds.shares_for(self.round, i + 1, own)})
            for i, own in enumerate(self.secrets)
        }
        if privacy:
            self.contributions = [
                self.round.given(shared, part, own) for part, own in zip(parts, self.secrets, strict=True)
            ]

    def _keys_file(self, shared: SharedMap, i: int) -> bytes:
        own, counts = self.secrets[i], self.contributions[i].counts
        document = {
            "kind": "keys", "made": MADE, "id": own.id, "map": shared.digest, "model": "m/1",
            "activities": list(shared.model.activities), "nodes": shared.n_nodes, "windows": counts.windows.tolist(),
            "people": counts.people.tolist(), "n_people": counts.n_people,
            "share_key": own.public(own.share_private), "mask_key": own.public(own.mask_private),
        }  # fmt: skip
        return envelope.sealed(document, b"", self.keys[i])

    def _document(self, kind: type, i: int, content: dict[str, object]) -> object:
        name = kind.model_fields["kind"].annotation.__args__[0]
        document = {"kind": name, "made": MADE, "round": self.round.digest, **content}
        return parsed(kind, envelope.opened(envelope.sealed(document, b"", self.keys[i]), name).document, name)

    def masked(self, i: int) -> tuple[object, np.ndarray]:
        words = rounds.masked_sums(self.round, i + 1, self.secrets[i], self.shares, self.contributions[i])
        return self._document(MaskedDocument, i, {"masked_with": sorted(self.shares)}), words

    def answer(self, i: int, stayed: list[int]) -> object:
        told = rounds.answer(self.round, i + 1, self.secrets[i], self.shares, stayed)
        return self._document(AnswerDocument, i, told)


@pytest.fixture(scope="session")
def party(small_lab: Path, windows: WindowSet) -> Party:
    return Party(shared_map(small_lab), divided(windows, 5), 4)


@pytest.mark.parametrize("dropped", [[], [3], [1], [5]])
def test_masked_sums_give_the_same_head_and_sites_that_drop_out_do_not_end_the_round(
    party: Party, dropped: list[int]
) -> None:
    files = {i + 1: party.masked(i) for i in range(5) if i + 1 not in dropped}
    answers = {number: party.answer(number - 1, list(files)) for number in files}
    found = rounds.total(party.round, files, answers)
    exact = together([party.contributions[number - 1] for number in files])
    assert relative(found.sums.solve(RIDGE), exact.sums.solve(RIDGE)) < 1e-8
    assert (found.windows == exact.windows).all()
    assert (found.people == exact.people).all()
    assert found.sums.rows == exact.sums.rows
    assert found.n_people == exact.n_people


@pytest.mark.parametrize(("n_sites", "threshold", "counted"), [(3, 2, 1), (4, 3, 2), (10, 7, 4), (80, 54, 28)])
def test_noise_is_counted_of_the_sites_that_stay_and_keep_theirs(n_sites: int, threshold: int, counted: int) -> None:
    assert rounds.usual_threshold(n_sites) == threshold
    assert rounds.Round("", threshold, dict.fromkeys(range(1, n_sites + 1))).noisy_sites == counted  # type: ignore[arg-type]


def test_noise_that_sites_share_is_that_of_one_and_more_and_stays_when_one_drops_out(
    shared: SharedMap, windows: WindowSet
) -> None:
    privacy = noise.Privacy(1.0, windows_of_a_person=5, row_norm=3.0)
    parts = divided(windows, 4)
    party = Party(shared, parts, 3, privacy)
    files = {i + 1: party.masked(i) for i in range(3)}  # the fourth drops out
    answers = {number: party.answer(number - 1, list(files)) for number in files}
    found = rounds.total(party.round, files, answers)
    one_site = noise.deviations_for(shared, privacy)
    said = party.round.noise_of(3, shared)[0]
    assert said["epsilon"] == 1.0
    for key, one in one_site.items():
        assert said[key] == pytest.approx(one * np.sqrt(3 / 2)), "two of three count, and three have added"
        assert said[key] > one
    upper = found.sums.gram[np.triu_indices(shared.n_nodes, 1)]
    assert upper.std() == pytest.approx(said["gram_deviation"], rel=0.02), "rows of five windows are nothing beside it"
    assert found.sums.moment.std() == pytest.approx(said["moment_deviation"], rel=0.05)
    again = party.round.given(shared, parts[0], party.secrets[0])
    np.testing.assert_array_equal(again.packed(), party.contributions[0].packed())
    other = party.round.given(shared, parts[0], rounds.Secrets.drawn())
    assert (other.sums.gram != again.sums.gram).all()


def test_what_a_site_masks_looks_like_noise_and_no_other_site_can_take_it_off(party: Party) -> None:
    _, words = party.masked(0)
    plain = fixed_point.encoded(party.contributions[0].packed(), 5)
    bits = np.unpackbits(words.view(np.uint8))
    assert abs(bits.mean() - 0.5) < 0.001
    assert (words == plain).sum() < 3
    rest = sum(party.masked(i)[1] for i in range(1, 5))
    assert abs(np.unpackbits((words + rest).view(np.uint8)).mean() - 0.5) < 0.001, "the masks of sites by themselves"


def test_a_round_asks_for_enough_sites_answers_and_one_answer_of_each(party: Party) -> None:
    files = {i + 1: party.masked(i) for i in range(5)}
    answers = {number: party.answer(number - 1, [1, 2, 3, 4, 5]) for number in files}
    with pytest.raises(InsufficientData, match="4 sites must answer; found 3"):
        rounds.total(party.round, files, {number: answers[number] for number in (1, 2, 3)})
    with pytest.raises(UnreadableData, match="about other sites"):
        rounds.total(party.round, {number: files[number] for number in (1, 2, 3, 4)}, answers)
    with pytest.raises(InsufficientData, match="must have stayed; found 3"):
        party.answer(0, [1, 2, 3])
    with pytest.raises(InsufficientData, match="must have shared"):
        rounds.masked_sums(
            party.round, 1, party.secrets[0], {n: party.shares[n] for n in (1, 2, 3)}, party.contributions[0]
        )
    spent = party.secrets[0].__class__(**{**vars(party.secrets[0]), "answered": True})
    with pytest.raises(InsufficientData, match="second answer"):
        rounds.answer(party.round, 1, spent, party.shares, [1, 2, 3, 4, 5])
    with pytest.raises(InsufficientData, match="served another round"):
        party.secrets[0].serving("a" * 64).serving("b" * 64)


def test_a_wrong_share_and_a_wrong_answer_are_noticed(party: Party) -> None:
    swapped = dict(party.shares)
    swapped[2] = swapped[3]
    with pytest.raises(UnreadableData, match="share that site 2"):
        rounds.answer(party.round, 1, party.secrets[0], swapped, [1, 2, 3, 4, 5])
    files = {i + 1: party.masked(i) for i in range(5)}
    answers = {number: party.answer(number - 1, list(files)) for number in files}
    wrong = {**answers[1].own_seeds, "2": "00" * 66}
    answers[1] = answers[1].model_copy(update={"own_seeds": wrong})
    with pytest.raises(UnreadableData, match="one of them is wrong"):
        rounds.total(party.round, files, answers)


def test_a_round_that_could_show_a_site_is_not_opened(party: Party) -> None:
    members = list(party.round.members.values())
    for some, threshold, message in [
        (members[:2], 2, "at least 3"),
        (members, 2, "more than half"),
        (members, 6, "at most all"),
        ([*members[:4], members[0]], 4, "twice"),
        ([*members[:4], members[4].model_copy(update={"map": "c" * 64})], 4, "feature maps differ"),
        ([*members[:4], members[4].model_copy(update={"mask_key": members[0].mask_key})], 4, "the same key"),
    ]:
        with pytest.raises((InsufficientData, UnreadableData), match=message):
            rounds.check_members(some, threshold)
    assert [rounds.usual_threshold(n) for n in (3, 4, 5, 10, 80)] == [2, 3, 4, 7, 54]


def test_masked_sums_hold_only_what_enough_people_did_even_if_the_largest_sites_drop_out(party: Party) -> None:
    few = party.round.fewest([1, 2, 3, 4, 5])
    largest = max(one.n_people for one in party.contributions)
    assert few.n_people == sum(one.n_people for one in party.contributions) - largest
    allowed = party.round.activities_for(Minimum(1, 2), [1, 2, 3, 4, 5])
    assert allowed == np.flatnonzero(few.people >= 2).tolist()
    with pytest.raises(InsufficientData, match="smallest 4 sites"):
        party.round.activities_for(Minimum(few.n_windows + 1, 2), [1, 2, 3, 4, 5])


def test_the_noise_is_as_large_as_its_epsilon_asks_for() -> None:
    from scipy.stats import norm

    for epsilon, delta in [(0.5, 1e-5), (1, 1e-5), (8, 1e-6), (50, 1e-5)]:
        sigma = noise.deviation(epsilon, delta, 2.0)

        def spent(sigma: float, epsilon: float = epsilon) -> float:
            a, b = 1 / sigma, epsilon * sigma / 2
            return float(norm.cdf(a - b) - np.exp(epsilon) * norm.cdf(-a - b))

        assert spent(sigma) <= delta * 1.0001
        assert spent(0.99 * sigma) > delta
    classical = 2.0 * np.sqrt(2 * np.log(1.25 / 1e-5))
    assert noise.deviation(1, 1e-5, 2.0) < classical


@pytest.mark.parametrize(
    "wrong", [{"epsilon": x} for x in (0.0, -1.0, np.nan, np.inf)] + [{"delta": x} for x in (0.0, 1.0, np.nan)]
)
def test_no_noise_is_promised_where_none_would_be_added(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidSetting, match=next(iter(wrong))):
        noise.Privacy(**{"epsilon": 1.0, **wrong})


def test_no_person_moves_noisy_sums_by_more_than_they_were_made_for(shared: SharedMap, windows: WindowSet) -> None:
    privacy = noise.Privacy(1.0, windows_of_a_person=5, row_norm=3.0)
    few = windows.take(noise._few_of_each(windows, 5, np.random.default_rng(0)))
    assert np.unique(few.subjects, return_counts=True)[1].max() == 5
    everyone = noise._bounded(shared, few, 3.0)
    for person in np.unique(few.subjects):
        rest = noise._bounded(shared, few.take(few.subjects != person), 3.0)
        assert np.linalg.norm(everyone.gram - rest.gram) <= 5 * 3.0**2 + 1e-9
        assert np.linalg.norm(everyone.moment - rest.moment) <= 5 * 3.0 * np.sqrt(shared.weights.max()) + 1e-9
    one, said = noise.noisy(shared, windows, privacy)
    two, _ = noise.noisy(shared, windows, privacy)
    assert (one.sums.gram == one.sums.gram.T).all()
    apart = np.triu(one.sums.gram - two.sums.gram)[np.triu_indices(shared.n_nodes)].std()
    assert apart == pytest.approx(np.sqrt(2) * said["gram_deviation"], rel=0.05)
    one.sums.solve(noise.ridge_for(shared, [said]))


def test_the_card_says_who_and_what_it_was_learnt_from(shared: SharedMap) -> None:
    windows = [0, *range(1, len(shared.weights))]
    facts = {
        "base": "lab/3", "sites": [{"name": "leeds", "made": MADE}, {"name": "ulm", "made": MADE}], "missing": ["graz"],
        "noise": [{"site": "ulm", "epsilon": 4.0, "delta": 1e-5}], "masked": False, "windows": windows,
        "people": windows, "n_people": 12,
    }  # fmt: skip
    card = joint_card("joint", shared.model, facts)
    for text in (
        "leeds",
        "ulm",
        "graz",
        "lab/3",
        "scaling",
        "network",
        "ε = 4",
        f"{sum(windows):,} windows of 12 people",
    ):
        assert text in card
    assert f"No site had {shared.model.activities[0]}" in card


def test_few_windows_are_found_again_in_their_sums_and_the_minimum_refuses_these(
    example_model: Example, windows: WindowSet
) -> None:
    shared = shared_map(example_model.model)
    few = windows.take(np.random.default_rng(0).permutation(len(windows))[:4])
    H, T, W = rows_of(shared, few)
    relu = np.arange(800)  # of the nodes of a sensor, as many as make it quick
    sums = Sums.of(H, T, W).select(relu)
    rows = recovered_rows(sums.gram, 24)
    true = np.sqrt(W)[:, None] * H[:, relu]
    nearest = np.array([np.linalg.norm(true - row, axis=1).argmin() for row in rows])
    assert sorted(nearest) == [0, 1, 2, 3]
    np.testing.assert_allclose(rows, true[nearest], atol=1e-6)
    labels, weights = labels_and_weights(sums, rows)
    assert (labels == few.y[nearest]).all()
    features = features_behind(shared.model.elm_, rows / np.sqrt(weights)[:, None], 0)
    read = shared._scaled(few)[nearest][:, shared.model.elm_.blocks[0]]
    np.testing.assert_allclose(features, read, atol=1e-6)
    with pytest.raises(InsufficientData):
        Minimum(4000, 5).check(counts_of(few), "This")


def test_below_the_length_of_a_row_sums_tell_which_windows_are_in_them(shared: SharedMap, windows: WindowSet) -> None:
    order = np.random.default_rng(0).permutation(len(windows))
    inside, outside = windows.take(order[:200]), windows.take(order[200:400])
    rows, others = shared.hidden(inside), shared.hidden(outside)
    space = RowSpace.of(rows.T @ rows)
    assert space.rank < shared.n_nodes
    assert space.outside(rows).max() < space.outside(others).min()
