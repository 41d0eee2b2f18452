"""A network that several sites train: what travels, whose answers count, and sites that are lost on the way."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.har.errors import InsufficientData, UnreadableData
from app.har.federation import flower, network_rounds
from app.har.federation.documents import TaskDocument
from app.har.federation.envelope import opened, public_key, sealed
from app.har.federation.joint import network_card
from app.har.federation.network_rounds import Plan, answer, train
from app.har.federation.network_training import SharedNetwork, SiteData, Vector, averaged
from tests.federation import divided, shared_map, windows_of
from tests.trained import Example

CENTRE, NORTH, SOUTH, STRANGER = (Ed25519PrivateKey.generate() for _ in range(4))
SITES = {public_key(NORTH): "north", public_key(SOUTH): "south"}
CENTRES = {public_key(CENTRE): "centre"}
PLAN = Plan(sites=2, rounds=3, epochs=2, learning_rate=6e-3, waiting_s=0.0, timeout_s=30.0)


@pytest.fixture(scope="module")
def network(example_model: Example) -> SharedNetwork:
    return SharedNetwork(shared_map(example_model.model))


@pytest.fixture(scope="module")
def fresh(network: SharedNetwork) -> Vector:
    return network.fresh(0)


@pytest.fixture(scope="module")
def halves(example_model: Example, network: SharedNetwork) -> list[SiteData]:
    windows = windows_of(example_model, network.shared)
    return [network.data(part) for part in divided(windows.take(slice(None, None, 2)), 2)]


@dataclass
class Post:
    """A carrier whose sites answer at once, as they are told here."""

    network: SharedNetwork
    here: dict[int, tuple[Ed25519PrivateKey, SiteData | None]]  # without data, a site answers what it was sent
    lost_in: dict[int, int] = field(default_factory=dict)  # by site: the round after whose task it is gone
    tasks: list[TaskDocument] = field(default_factory=list)
    waiting: dict[int, bytes | str] = field(default_factory=dict)

    def online(self) -> set[int]:
        return {site for site in self.here if self.lost_in.get(site, 99) > len(self.tasks)}

    def send(self, content: bytes, sites: Iterable[int]) -> None:
        task = opened(content, "task")
        self.tasks.append(TaskDocument.model_validate(task.document))
        self.waiting = {}
        for site in set(sites) & self.online():
            key, data = self.here[site]
            if data is not None:
                self.waiting[site], *_ = answer(content, self.network, data, key, CENTRES)
            else:
                self.waiting[site] = given_back(task.digest, bytes(task.payload), key)

    def answers(self) -> dict[int, bytes | str]:
        found, self.waiting = self.waiting, {}
        return found


def given_back(task: str, payload: bytes, key: Ed25519PrivateKey, windows: int = 100) -> bytes:
    document = {"kind": "trained", "made": "2026-11-28", "task": task, "windows": windows, "people": 9, "loss": 1.0}
    return sealed(document, payload, key)


def trained(network: SharedNetwork, post: Any, plan: Plan = PLAN) -> tuple[Vector, list[dict[str, Any]]]:
    reports: list[dict[str, Any]] = []
    came = train(network, post, plan, CENTRE, SITES, reports.append)
    return came.weights, reports


def share_right(network: SharedNetwork, weights: Vector, data: SiteData) -> float:
    answers = network.joined(weights).network_(data.inputs)["activity"]
    return float((answers.argmax(axis=1) == data.y).mean())


def test_weights_become_a_network_and_the_same_weights_again(
    network: SharedNetwork, fresh: Vector, halves: list[SiteData]
) -> None:
    from app.har.federation.network_training import vector_of

    weights = fresh + np.linspace(0, 0.01, len(fresh), dtype=np.float32)
    built = network.with_weights(weights)
    np.testing.assert_array_equal(vector_of(built), weights)
    inputs = {name: value[:20] for name, value in halves[0].inputs.items()}
    of_keras = built(inputs, training=False)["activity"].numpy()
    np.testing.assert_allclose(network.joined(weights).network_(inputs)["activity"], of_keras, atol=1e-5)
    for wrong in (weights[:-1], np.append(weights, np.float32(1)), np.full_like(weights, np.nan)):
        with pytest.raises(UnreadableData, match="weights of a network"):
            network.with_weights(wrong)


def test_the_mean_of_weights_counts_windows() -> None:
    one, other = np.array([1, 2], np.float32), np.array([4, -4], np.float32)
    np.testing.assert_array_equal(averaged([(one, 2), (other, 1)]), np.array([2, 0], np.float32))
    np.testing.assert_array_equal(averaged([(one, 7)]), one)


def test_data_of_a_site_are_the_same_from_their_file(halves: list[SiteData], tmp_path: Path) -> None:
    halves[0].save(tmp_path / "data.npz")
    again = SiteData.load(tmp_path / "data.npz")
    assert (again.windows, again.people) == (halves[0].windows, 10)
    assert len(again.y) > again.windows, "copies as from slower devices are among them"
    assert set(again.inputs) == set(halves[0].inputs)
    for name, value in halves[0].inputs.items():
        np.testing.assert_array_equal(again.inputs[name], value)


def test_a_site_that_is_lost_in_a_round_ends_neither_it_nor_the_training(network: SharedNetwork) -> None:
    post = Post(network, {1: (NORTH, None), 2: (SOUTH, None)}, lost_in={2: 2})
    _, reports = trained(network, post)
    assert [set(report["sites"]) for report in reports] == [{"north", "south"}, {"north"}, {"north"}]
    assert [task.round for task in post.tasks] == [1, 2, 3]
    rates = [task.learning_rate for task in post.tasks]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.long  # of its parts, the one above is quick, and tests/services/test_network.py has the training
def test_what_a_lost_site_has_given_and_the_others_learn_goes_on(
    network: SharedNetwork, fresh: Vector, halves: list[SiteData]
) -> None:
    post = Post(network, {1: (NORTH, halves[0]), 2: (SOUTH, halves[1])}, lost_in={2: 2})
    weights, reports = trained(network, post)
    assert reports[-1]["sites"]["north"]["loss"] < reports[0]["sites"]["north"]["loss"]
    assert share_right(network, weights, halves[1]) > share_right(network, fresh, halves[1]) + 0.2


def test_an_answer_counts_once_of_a_known_site_and_to_this_task_alone(network: SharedNetwork, fresh: Vector) -> None:
    class Meddlesome(Post):
        def answers(self) -> dict[int, bytes | str]:
            found = super().answers()
            task = opened(next(one for one in found.values() if isinstance(one, bytes)), "a").document["task"]
            good = fresh.astype("<f4").tobytes()
            return found | {
                3: given_back(task, good, STRANGER),
                4: given_back(task, good, NORTH),
                5: given_back("0" * 64, good, SOUTH),
                6: given_back(task, np.full_like(fresh, np.inf).tobytes(), SOUTH),
                7: given_back(task, good[:-4], SOUTH),
                8: given_back(task, good[:-1], SOUTH),
                9: b"no file",
                10: "its process ended",
            }

    post = Meddlesome(network, {1: (NORTH, None)})
    weights, reports = trained(network, post, replace(PLAN, sites=1, rounds=1))
    assert set(reports[0]["sites"]) == {"north"}
    assert len(reports[0]["refused"]) == 8
    np.testing.assert_array_equal(weights, fresh)


def test_rounds_need_sites_and_answers(network: SharedNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_rounds, "ASK_AGAIN_S", 0.0)
    with pytest.raises(InsufficientData, match="for 2 sites; 1 can be reached"):
        trained(network, Post(network, {1: (NORTH, None)}))
    with pytest.raises(InsufficientData, match="Round 1 brought no answer"):
        trained(network, Post(network, {1: (NORTH, None), 2: (SOUTH, None)}, lost_in={1: 1, 2: 1}))

    class Silent(Post):
        def answers(self) -> dict[int, bytes | str]:
            return {}

    with pytest.raises(InsufficientData, match="did not answer in time"):
        trained(network, Silent(network, {1: (NORTH, None), 2: (SOUTH, None)}), replace(PLAN, timeout_s=0.01))


def test_a_site_trains_for_a_known_server_and_the_model_that_it_has(
    network: SharedNetwork, fresh: Vector, halves: list[SiteData]
) -> None:
    document = {
        "kind": "task", "made": "2026-11-28", "network": network.digest, "round": 1, "rounds": 1, "epochs": 1,
        "learning_rate": 1e-3,
    }  # fmt: skip
    weights = fresh.astype("<f4").tobytes()
    changed = bytearray(sealed(document, weights, CENTRE))
    changed[-500] ^= 1
    for content, text in [
        (sealed(document, weights, STRANGER), "no site known here"),
        (bytes(changed), "was changed"),
        (sealed(document | {"network": "0" * 64}, weights, CENTRE), "for another model"),
        (sealed(document | {"epochs": 10**6}, weights, CENTRE), "epochs"),
        (sealed(document, weights[:-4], CENTRE), "weights of a network"),
    ]:
        with pytest.raises(UnreadableData, match=text):
            answer(content, network, halves[0], NORTH, CENTRES)


def test_another_scaling_is_another_network(network: SharedNetwork) -> None:
    from copy import copy

    model = copy(network.shared.model)
    model.frame_scaler_ = replace(model.frame_scaler_, mean=model.frame_scaler_.mean + np.float32(1))
    assert SharedNetwork(replace(network.shared, model=model)).digest != network.digest


def test_the_card_says_who_trained_and_that_nobody_tested(network: SharedNetwork) -> None:
    sites = {
        "north": {"windows": 5000, "people": 40, "rounds": 3},
        "south": {"windows": 4000, "people": 9, "rounds": 1},
    }
    card = network_card("joint", network.shared.model, {"base": "lab/1", "network": {"rounds": 3, "sites": sites}})
    assert "| north | 5,000 | 40 | 3 of 3 |" in card
    assert "| south | 4,000 | 9 | 1 of 3 |" in card
    assert "those of lab/1" in card
    assert "not tested" in card


@dataclass
class Grid:
    """As much of Flower's grid as the carrier uses."""

    pushed: list[Any] = field(default_factory=list)
    replies: list[Any] = field(default_factory=list)

    def get_node_ids(self) -> list[int]:
        return [7, 8]

    def push_messages(self, messages: list[Any]) -> list[str]:
        self.pushed = list(messages)
        return [f"message {message.dst_node_id}" for message in messages]

    def pull_messages(self, numbers: list[str]) -> list[Any]:
        return [one for one in self.replies if one.metadata.reply_to_message_id in numbers]


def reply(to: str, file: bytes, reason: str = "") -> Any:
    return SimpleNamespace(
        metadata=SimpleNamespace(reply_to_message_id=to),
        content={"answer": {"file": file}},
        error=SimpleNamespace(reason=reason),
        has_error=lambda: bool(reason),
    )


def test_what_flower_carries_is_told_apart_by_site(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = ModuleType("flwr.app")
    for name in ("ConfigRecord", "RecordDict"):
        setattr(messages, name, dict)
    messages.Message = lambda content, **more: SimpleNamespace(content=content, **more)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flwr.app", messages)
    grid = Grid()
    carrier = flower.GridCarrier(grid)  # type: ignore[arg-type]
    carrier.send(b"do this", {8, 7})
    assert carrier.online() == {7, 8}
    assert [(one.dst_node_id, one.content["task"]["file"]) for one in grid.pushed] == [(7, b"do this"), (8, b"do this")]
    grid.replies = [reply("message 8", b"", "Node unavailable"), reply("message 7", b"done"), reply("message 9", b"?")]
    assert carrier.answers() == {7: b"done", 8: "Node unavailable"}
    assert carrier.answers() == {}, "each answer is given once"


def test_another_version_of_flower_is_not_patched_in_silence() -> None:
    with pytest.raises(RuntimeError, match=r"no something\.run_"):
        flower._instead(ModuleType("something"), "run_", print)
