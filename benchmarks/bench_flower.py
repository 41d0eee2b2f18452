"""The network trained by two sites over Flower: how good it is beside that of either site alone, and a site killed.

KU-HAR's training people of the reference model, half of them at each site; tested on that model's test people. Each
site and the server is a program of its own with a home of its own, as it would be in use, all over 127.0.0.1.
``network_f1`` is of the network by itself, ``f1`` of the whole model with the head that the same sites have solved.

.venv-federated/bin/python -m benchmarks.bench_flower; JSON on stdout. Needs requirements-federated.txt, and the
recordings in HAR_DATA_DIR. A site alone trains as many epochs over its windows as both together.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from app.har.classifiers import model_folder
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.datasets.store import build_store, open_store
from app.har.federation.joint import joint_model
from app.har.federation.network_training import SharedNetwork
from app.har.federation.site_sums import Contribution, SharedMap
from app.har.federation.windows import windows_for
from app.har.windows import WindowSet
from benchmarks.data import SETS

ROOT = Path(__file__).resolve().parent.parent
NAME = "reference-ku-har"
MODEL = ROOT / "reference_models" / NAME
FLASK = Path(sys.executable).with_name("flask")
SITES = ("north", "south")
ROUNDS, EPOCHS = 8, 2
RATE_ALONE = 3e-3  # that of any training here
KILLED = "south"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def of_people(people: set[str], path: Path) -> Path:
    """Write a KU-HAR of some people."""
    with zipfile.ZipFile(SETS["ku-har"][0]) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as part:
        for name in whole.namelist():
            if re.match(r"(\d+)_", Path(name).name) and Path(name).name.partition("_")[0] in people:
                part.writestr(name, whole.read(name))
    return path


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "HAR_HOME": str(home), "FEDERATION_MIN_WINDOWS": "1000", "PYTHONPATH": str(ROOT)}


def flask(home: Path, *arguments: object) -> str:
    command = [str(FLASK), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment(home), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def started(home: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [str(FLASK), "federation", *map(str, arguments)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


def homes(folder: Path, people: dict[str, set[str]]) -> dict[str, Path]:
    """Make a home of the server and one of each site, which know each other's keys."""
    made = {name: folder / name for name in ("server", *people)}
    keys = {name: flask(home, "federation", "key").strip() for name, home in made.items()}
    for name, ids in people.items():
        data = of_people(ids, folder / f"{name}.zip")
        flask(made[name], "datasets", "add", "people", data)
        flask(made["server"], "federation", "add", name, keys[name])
        flask(made[name], "federation", "add", "centre", keys["server"])
    return made


def trained(made: dict[str, Path], name: str, killed_in: int = 0) -> dict[str, Any]:
    """Run the server and its sites; kill one of them after so many rounds. Return what the rounds were."""
    began = time.perf_counter()
    options = ["--rounds", ROUNDS if not killed_in else 4, "--epochs", EPOCHS, "--port", 8765]
    rounds: list[dict[str, Any]] = []
    with started(made["server"], "train-server", NAME, "--name", name, *options) as server:
        time.sleep(15)
        south = (made[KILLED], "train-site", NAME, "--dataset", "people", "--port", 8765)
        north = (made["north"], *south[1:])
        with started(*north), started(*south) as lost:
            assert server.stderr is not None
            for line in server.stderr:
                say(line.rstrip())
                if found := re.match(r"Round (\d+) of \d+: (.*)", line):
                    rounds.append({"seconds": time.perf_counter() - began, "sites": found[2].count("loss")})
                    if len(rounds) == killed_in:
                        time.sleep(8)  # in the middle of the next round
                        kill(lost.pid)
            server.wait(timeout=120)
    return {
        "ended_well": server.returncode == 0,
        "rounds": len(rounds),
        "sites_of_each_round": ", ".join(str(one["sites"]) for one in rounds),
        "seconds_of_a_round": float(np.median(np.diff([one["seconds"] for one in rounds]))),
        "longest_round_s": float(np.diff([one["seconds"] for one in rounds]).max()),
    }


def kill(pid: int) -> None:
    """End a command and all that it has started at once, as when the power fails."""
    for child in Path(f"/proc/{pid}/task").glob("*/children"):
        for number in child.read_text().split():
            kill(int(number))
    os.kill(pid, signal.SIGKILL)


class Test:
    """People whom no site has."""

    def __init__(self, shared: SharedMap, windows: WindowSet) -> None:
        self.shared, self.windows = shared, windows

    def quality(self, model: ActivityClassifier) -> dict[str, float]:
        description = model.describer_(self.windows)
        present = np.ones((len(self.windows), len(model.sensors)), bool)
        alone = model.network_(model._network_inputs(description, present))["activity"]
        whole = model.predict_proba(self.windows)
        return {
            "network_f1": float(f1_score(self.windows.y, alone.argmax(axis=1), average="macro")),
            "f1": float(f1_score(self.windows.y, whole.argmax(axis=1), average="macro")),
        }


def with_head(network: ActivityClassifier, shared: SharedMap, parts: list[Contribution]) -> ActivityClassifier:
    total = parts[0]
    for part in parts[1:]:
        total += part
    joint = joint_model(shared, total.sums)
    joint.network_ = network.network_
    return joint


def main() -> None:
    """Print the figures."""
    manifest = model_folder.verify(MODEL)
    shared = SharedMap.of(load_model(MODEL), manifest)
    network = SharedNetwork(shared)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_store(SETS["ku-har"][0], folder / "store")
        windows = windows_for(shared.model, open_store(folder / "store").signals, {})
        tested = np.isin(windows.subjects, manifest["split"]["subjects"]["test"])
        test, learnt = Test(shared, windows.take(tested)), windows.take(~tested)
        order = np.random.default_rng(0).permutation(np.unique(learnt.subjects))
        people = {site: {str(one) for one in order[number :: len(SITES)]} for number, site in enumerate(SITES)}
        say(f"{len(learnt)} windows of {len(order)} people; {len(test.windows)} to test")
        own = {site: learnt.take(np.isin(learnt.subjects, list(people[site]))) for site in SITES}
        parts = {site: Contribution.of(shared, windows) for site, windows in own.items()}
        made = homes(folder, people)
        rounds = {"both to the end": trained(made, "joint")}
        model = load_model(made["server"] / "model_store" / "joint" / "1")
        quality = {"both, over Flower": test.quality(with_head(model, shared, list(parts.values())))}
        say(f"joint: {quality['both, over Flower']}")
        rounds["one killed in round 2"] = trained(made, "survived", killed_in=1)
        for site, windows in own.items():
            weights, _ = network.trained(
                network.fresh(0), network.data(windows), epochs=ROUNDS * EPOCHS, rate=RATE_ALONE, seed=0
            )
            quality[f"{site} alone"] = test.quality(with_head(network.joined(weights), shared, [parts[site]]))
            say(f"{site}: {quality[f'{site} alone']}")
    versions = {name: version(name) for name in ("flwr", "protobuf")}
    print(json.dumps({**versions, "quality": quality, "rounds": rounds}, indent=1))


if __name__ == "__main__":
    main()
