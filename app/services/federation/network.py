"""The network of a model, trained by several sites together: the side that asks, and the sites that train.

Flower carries the messages; it is optional, see `flower_processes`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import current_app

from app.har.errors import InsufficientData
from app.services import audit
from app.services.audit import Action
from app.services.errors import Conflict, Invalid
from app.services.federation import sharing
from app.services.files import DRAFT
from app.services.models import model_versions
from app.services.names import NAME_RULE, is_name

if TYPE_CHECKING:
    from app.tables import ModelVersion

OnRound = Callable[[dict[str, Any]], None]
SUPERLINK, SUPERNODE = "flower-superlink", "flower-supernode"
LEARNING_RATE = 6e-3  # of the first round
LOST_S = 60  # that a site tries to reach a server which is gone


@dataclass(frozen=True)
class Choices:
    """How a network is to be trained."""

    sites: int  # so many must be there before the first round
    rounds: int
    epochs: int  # of each site in a round
    waiting_s: float  # for the sites
    timeout_s: float  # of a round


def train(model: str, name: str, choices: Choices, port: int, on_round: OnRound) -> ModelVersion:
    """Let the sites that come train the network of a model anew, and store the model with it.

    Parameters
    ----------
    model : the base, which all sites have.
    name : of the new model.
    port : on which Flower's server listens, on this machine alone.
    on_round : receives what each round came to.

    Raises
    ------
    Invalid, Conflict, NotFound, HarError : Flower is not installed or cannot start, or no site has trained.
    """
    import numpy as np

    from app.har.federation import flower
    from app.services.federation import flower_processes as processes

    processes.require()
    if not is_name(name):
        raise Invalid(f"A model's name is {NAME_RULE}; found {name[:80]!r}.", field="name")
    version = model_versions.get(model)
    sharing.shared_map(version)  # refuses a model without such a network
    if processes.listens((processes.HERE, port)):
        raise Conflict(f"Port {port} is in use. Name another: --port.")
    description = {
        "model": str(model_versions.directory(version)),
        "plan": asdict(choices) | {"learning_rate": LEARNING_RATE},
    }
    rounds: list[dict[str, Any]] = []
    with (
        processes.Job.begun(description) as job,
        job.running(SUPERLINK, "--insecure", "--host", processes.HERE, "--port", str(port)) as server,
    ):
        if not processes.wait_until_it_listens(server, port):
            raise Conflict(f"Flower's server did not start. {job.last_words(SUPERLINK)}")
        job.start_run(port)
        while not (trained := (job.folder / flower.WEIGHTS).exists()) and not job.failure() and server.poll() is None:
            time.sleep(0.5)
            for report in job.reports():
                rounds.append(report)
                on_round(report)
        if not trained:
            raise InsufficientData(job.failure() or f"Flower's server has ended. {job.last_words(SUPERLINK)}")
        for report in job.reports():
            rounds.append(report)
            on_round(report)
        return _stored(version, name, np.load(job.folder / flower.WEIGHTS), rounds)


def take_part(model: str, dataset_name: str, server: tuple[str, int], on_round: OnRound) -> None:
    """Train for others with a data set of this site, until they have enough.

    Parameters
    ----------
    model : the base, which all sites have.
    server : where Flower's server is reached from here, on this machine: by a tunnel, if it runs on another.
    on_round : receives each round's figures.

    Raises
    ------
    InsufficientData : the data set has too few windows or people.
    Invalid, Conflict, NotFound, HarError : Flower is not installed, or the server cannot be reached or asks for what
        is not done here.
    """
    from app.har.federation import flower
    from app.har.federation.network_training import SharedNetwork
    from app.har.federation.site_sums import counts_of
    from app.services.federation import flower_processes as processes

    processes.require()
    version = model_versions.get(model)
    shared, least = sharing.shared_map(version), sharing.minimum()
    windows, _ = least.shareable(sharing.windows_of(shared, dataset_name))
    least.check(counts_of(windows), f"The data set {dataset_name}")
    address = f"{server[0]}:{server[1]}"
    own = ["--host", processes.HERE, "--port", str(processes.free_port())]
    done = False
    with processes.Job.begun({"model": str(model_versions.directory(version))}) as job:
        SharedNetwork(shared).data(windows).save(job.folder / flower.DATA)
        audit.record(Action.NETWORK_SHARED, f"{dataset_name} for {version.label}", windows=len(windows))
        with job.running(SUPERNODE, "--insecure", "--superlink", address, "--max-wait-time", str(LOST_S), *own) as node:
            while node.poll() is None and not job.failure() and not (done and not processes.listens(server)):
                time.sleep(0.5)
                for report in job.reports():
                    on_round(report)
                    done = report["round"] == report["rounds"]
        if not done:
            raise Invalid(job.failure() or f"The server at {address} cannot be reached, or has ended before its time.")


def _stored(base: ModelVersion, name: str, weights: Any, rounds: list[dict[str, Any]]) -> ModelVersion:
    from app.har.classifiers.elm_gru_am.persistence import save_model
    from app.har.federation.joint import network_card
    from app.har.federation.network_training import SharedNetwork
    from app.har.training.model_card import CARD

    shared = sharing.shared_map(base)
    taken: dict[str, dict[str, int]] = {}
    for report in rounds:
        for site, said in report["sites"].items():
            before = taken.get(site, {"rounds": 0})["rounds"]
            taken[site] = {"windows": said["windows"], "people": said["people"], "rounds": before + 1}
    facts = {
        "base": base.label,
        "map": shared.digest,
        "weights": shared.weights.tolist(),
        "network": {"rounds": len(rounds), "sites": taken},
    }
    trained = SharedNetwork(shared).joined(weights)
    extra = {"data": {"dataset": name}, "federation": facts}
    with tempfile.TemporaryDirectory(dir=current_app.config["MODEL_STORE"], prefix=DRAFT) as draft:
        folder = Path(draft) / "model"
        save_model(trained, folder, extra=extra, texts={CARD: network_card(name, trained, facts)})
        version = model_versions.register(name, folder, {})
    audit.record(Action.NETWORK_TRAINED, version.label, sites=len(taken), base=base.label)
    return version
