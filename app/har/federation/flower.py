"""Rounds of training carried by Flower (flwr 1.42), which is optional; nothing else imports it.

Flower starts a process for the server's part of a training, and one at each site for each task. By its way they load
the code that whoever starts a run sends to the server, and the server to the sites. Here they load nothing of it: these
functions are in the place of its two programs (`services.federation.flower_processes`), and do what is installed here.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.classifiers import model_folder
from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.errors import HarError
from app.har.federation.network_rounds import Plan, answer, train
from app.har.federation.network_training import SharedNetwork, SiteData
from app.har.federation.site_sums import SharedMap

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from flwr.app import Context, Message
    from flwr.serverapp import Grid

VERSION = "1.42."  # whose insides these functions know
# In the folder of a job
JOB, DATA, ROUNDS, WEIGHTS, FAILED = "job.json", "data.npz", "rounds.jsonl", "weights.npy", "failed.txt"


@dataclass
class GridCarrier:
    """A carrier of messages by Flower's grid."""

    grid: Grid
    _asked: dict[str, int] = field(default_factory=dict)  # by message: the site

    def online(self) -> set[int]:
        """Return the sites that have shown signs of life within a minute or so."""
        return set(self.grid.get_node_ids())

    def send(self, content: bytes, sites: Iterable[int]) -> None:
        """Send all of them the same; answers to what was sent before no longer count."""
        from flwr.app import ConfigRecord, Message, RecordDict

        to = sorted(sites)
        messages = [
            Message(RecordDict({"task": ConfigRecord({"file": content})}), dst_node_id=site, message_type="train")
            for site in to
        ]
        self._asked = dict(zip(self.grid.push_messages(messages), to, strict=True))

    def answers(self) -> dict[int, bytes | str]:
        """Return what has come back since the last call, by site: its answer, or in words why there is none."""
        found: dict[int, bytes | str] = {}
        for message in self.grid.pull_messages(list(self._asked)):
            site = self._asked.pop(message.metadata.reply_to_message_id, None)
            if site is not None:
                found[site] = message.error.reason if message.has_error() else message.content["answer"]["file"]
        return found


def serve(folder: Path) -> None:
    """Be Flower's program for the server's part of a training, until it ends; see `Plan`."""
    from flwr.superlink.cli.flwr_serverapp import flwr_serverapp

    def run(grid: Grid, context: Context, **_: Any) -> Context:
        job = _read(folder)
        plan = Plan(**job["plan"])
        network = _network(job)
        with _failure_left_in(folder):
            came = train(network, GridCarrier(grid), plan, _key(job), job["known"], _append_to(folder / ROUNDS))
            np.save(folder / f"draft-{WEIGHTS}", came.weights)
            (folder / f"draft-{WEIGHTS}").rename(folder / WEIGHTS)
        return context

    _instead(sys.modules["flwr.superlink.runtime.run_serverapp"], "run_", run)
    flwr_serverapp()


def take_part(folder: Path) -> None:
    """Be Flower's program for one task of a site."""
    from flwr.supernode.cli.flwr_clientapp import flwr_clientapp

    def app(message: Message, context: Context) -> Message:
        from flwr.app import ConfigRecord, Message, RecordDict

        job = _read(folder)
        with _failure_left_in(folder):
            data = SiteData.load(folder / DATA)
            content, asked, loss = answer(message.content["task"]["file"], _network(job), data, _key(job), job["known"])
        _append_to(folder / ROUNDS)({"round": asked.round, "rounds": asked.rounds, "loss": loss})
        return Message(RecordDict({"answer": ConfigRecord({"file": content})}), reply_to=message)

    def load(**_: Any) -> Callable[..., Callable[[Message, Context], Message]]:
        return lambda *_: app

    _instead(sys.modules["flwr.supernode.runtime.run_clientapp"], "get_load_client_app_fn", load)
    flwr_clientapp()


@contextmanager
def _failure_left_in(folder: Path) -> Iterator[None]:
    """Leave in the folder of a job why this block failed."""
    try:
        yield
    except BaseException as error:
        text = str(error) if isinstance(error, HarError) else "".join(traceback.format_exception(error)[-2:])
        (folder / FAILED).write_text(text, encoding="utf-8")
        raise


def _instead(module: Any, name: str, function: Callable[..., Any]) -> None:
    """Put a function in the place of one of Flower's; without it, code from elsewhere would be loaded."""
    if not callable(getattr(module, name, None)):
        raise RuntimeError(f"This version of Flower has no {module.__name__}.{name}; expected {VERSION}x.")
    setattr(module, name, function)


def _read(folder: Path) -> dict[str, Any]:
    job: dict[str, Any] = json.loads((folder / JOB).read_text(encoding="utf-8"))
    return job


def _network(job: dict[str, Any]) -> SharedNetwork:
    folder = Path(job["model"])
    return SharedNetwork(SharedMap.of(load_model(folder), model_folder.verify(folder)))


def _key(job: dict[str, Any]) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(Path(job["site_key"]).read_bytes())


def _append_to(path: Path) -> Callable[[dict[str, Any]], None]:
    def append(report: dict[str, Any]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(report) + "\n")

    return append
