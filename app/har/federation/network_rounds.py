"""Rounds in which several sites train one network: who is asked, whose answers count, and when a round ends.

How messages travel is left to a carrier (`flower`). They are files as sites exchange them (`envelope`): signed by the
site that trains or by the one that asks, so that whoever carries them can change none and be nobody else.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from app.har.errors import InsufficientData, UnreadableData
from app.har.federation.documents import TaskDocument, TrainedDocument, parsed
from app.har.federation.envelope import opened, sealed
from app.har.federation.network_training import SharedNetwork, SiteData, Vector, averaged

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ASK_AGAIN_S = 1.0  # how long to wait before the carrier is asked again


@dataclass(frozen=True)
class Plan:
    """How a network is to be trained."""

    sites: int  # so many must be there before the first round
    rounds: int
    epochs: int  # of each site in a round
    learning_rate: float
    waiting_s: float  # for the sites, before the first round and when none is left
    timeout_s: float  # of a round: a site that is there and does not answer is waited for no longer
    seed: int = 0


class Carrier(Protocol):
    """What brings messages to sites and back."""

    def online(self) -> set[int]:
        """Return which sites can be reached, by numbers that the carrier gives them."""

    def send(self, content: bytes, sites: Iterable[int]) -> None:
        """Send all of them the same; answers to what was sent before no longer count."""

    def answers(self) -> dict[int, bytes | str]:
        """Return what has come back since, by site: its answer, or in words why there is none."""


@dataclass
class Training:
    """What came of all rounds."""

    weights: Vector
    rounds: list[dict[str, Any]] = field(default_factory=list)  # who took part, their windows and losses


def train(
    network: SharedNetwork,
    carrier: Carrier,
    plan: Plan,
    key: Ed25519PrivateKey,
    known: Mapping[str, str],
    on_round: Callable[[dict[str, Any]], None],
) -> Training:
    """Let sites train the network, round by round, from weights that have learnt nothing.

    A round ends when every site that was asked has answered or cannot be reached any more, or when its time is over;
    one that is lost does not end the training, and may come back in a later round.

    Parameters
    ----------
    known : the names of the sites that may take part, by their public keys.
    on_round : receives what each round came to.

    Raises
    ------
    InsufficientData : too few sites came, or a round brought no answer that counts.
    """
    training = Training(network.fresh(plan.seed))
    digest = network.digest
    for number in range(1, plan.rounds + 1):
        asked = _gathered(carrier, plan, plan.sites if number == 1 else 1)
        document = {
            "kind": "task",
            "made": _today(),
            "network": digest,
            "round": number,
            "rounds": plan.rounds,
            "epochs": plan.epochs,
            "learning_rate": plan.learning_rate * 0.5 * (1 + math.cos(math.pi * (number - 1) / plan.rounds)),
        }
        task = sealed(document, training.weights.astype("<f4").tobytes(), key)
        carrier.send(task, asked)
        answers = _collected(carrier, asked, plan.timeout_s)
        updates, report = _read(answers, asked, opened(task, "The task").digest, known, len(training.weights))
        report |= {"round": number, "rounds": plan.rounds}
        on_round(report)
        if not updates:
            raise InsufficientData(f"Round {number} brought no answer. {' '.join(report['refused'])}".strip())
        training.rounds.append(report)
        training.weights = averaged(updates)
    return training


def answer(
    content: bytes,
    network: SharedNetwork,
    data: SiteData,
    key: Ed25519PrivateKey,
    known: Mapping[str, str],
) -> tuple[bytes, TaskDocument, float]:
    """Do what a site is asked in a round, with its data; return its signed answer, what was asked, and its loss.

    Parameters
    ----------
    known : the names of the sites that may ask, by their public keys.

    Raises
    ------
    UnreadableData : the task was changed, comes from nobody known, or is for another network.
    """
    task = opened(content, "The task")
    if task.signer not in known:
        raise UnreadableData(f"The task is signed with the key {task.signer[:16]}…, which is of no site known here.")
    document = parsed(TaskDocument, task.document, "The task")
    if document.network != network.digest:
        raise UnreadableData("The task is for another model: all sites must have the same version of the same model.")
    weights, loss = network.trained(
        _vector(task.payload), data, epochs=document.epochs, rate=document.learning_rate, seed=document.round
    )
    said = {
        "kind": "trained",
        "made": _today(),
        "task": task.digest,
        "windows": data.windows,
        "people": data.people,
        "loss": loss,
    }
    return sealed(said, weights.astype("<f4").tobytes(), key), document, loss


def _gathered(carrier: Carrier, plan: Plan, wanted: int) -> set[int]:
    """Wait until so many sites are there, and return them all.

    Raises
    ------
    InsufficientData : they have not come in time.
    """
    ends = time.monotonic() + plan.waiting_s
    while len(online := carrier.online()) < wanted:
        if time.monotonic() > ends:
            raise InsufficientData(
                f"Waited {plan.waiting_s:g} s for {wanted} sites; {len(online)} can be reached. Start the others with "
                "flask federation train-site."
            )
        time.sleep(ASK_AGAIN_S)
    return online


def _collected(carrier: Carrier, asked: set[int], timeout_s: float) -> dict[int, bytes | str]:
    ends = time.monotonic() + timeout_s
    answers: dict[int, bytes | str] = {}
    while True:
        reachable = carrier.online()  # before the answers: who answers and leaves at once is not lost
        answers |= carrier.answers()
        if not (asked - set(answers)) & reachable or time.monotonic() > ends:
            return answers
        time.sleep(ASK_AGAIN_S)


def _read(
    answers: Mapping[int, bytes | str], asked: set[int], task: str, known: Mapping[str, str], length: int
) -> tuple[list[tuple[Vector, int]], dict[str, Any]]:
    """Return the weights and windows of the answers that count, and a report of the round."""
    updates, sites, refused = [], {}, []
    for content in answers.values():
        try:
            if isinstance(content, str):
                raise UnreadableData(content)
            one = opened(content, "An answer")
            name = known.get(one.signer)
            if name is None or name in sites:
                raise UnreadableData(f"An answer is of the key {one.signer[:16]}…, unknown here or not its first.")
            document = parsed(TrainedDocument, one.document, f"The answer of {name}")
            weights = _vector(one.payload)
            if document.task != task or len(weights) != length or not np.isfinite(weights).all():
                raise UnreadableData(f"The answer of {name} is to another task, or its weights are no numbers.")
        except UnreadableData as error:
            refused.append(str(error))
        else:
            updates.append((weights, document.windows))
            sites[name] = {"windows": document.windows, "people": document.people, "loss": document.loss}
    refused += ["A site did not answer in time."] * len(asked - set(answers))
    return updates, {"sites": sites, "refused": refused}


def _vector(payload: memoryview) -> Vector:
    if len(payload) % 4:
        raise UnreadableData("The weights of the network are cut off.")
    return np.frombuffer(payload, "<f4").astype(np.float32)


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()
