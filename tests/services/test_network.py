"""A network trained by several sites: what is stored, what is refused, and Flower's processes as children of ours."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import time
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from flask import Flask

from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.errors import InsufficientData
from app.har.federation import flower
from app.har.federation.network_rounds import Plan
from app.har.federation.network_training import SharedNetwork
from app.services.errors import Conflict, Invalid
from app.services.federation import flower_processes as processes
from app.services.federation import merging, network, sharing, sites
from app.services.models import model_versions
from tests.federation import acting_as
from tests.services.test_federation import DATASET, base, known  # noqa: F401  fixtures

CHOICES = network.Choices(2, 3, 1, 1.0, 1.0)
SHOWN = "import json, os, shutil; print(json.dumps([dict(os.environ), shutil.which('flwr-clientapp')]))"
WITH_A_CHILD = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
time.sleep(600)
"""


def runs(number: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in ("", "Z")


def no_round(report: object) -> None:
    raise AssertionError(report)


@pytest.fixture
def with_flower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "version", lambda name: f"{flower.VERSION}0")


@pytest.mark.parametrize("found", ["", "1.41.0", "2.0.0"])
def test_without_the_right_flower_it_says_how_to_get_it(
    example: Flask, monkeypatch: pytest.MonkeyPatch, found: str
) -> None:
    def version(name: str) -> str:
        if not found:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr(processes, "version", version)
    for start in (
        lambda: network.train("reference-physiotherapy", "joint", CHOICES, 8000, no_round),
        lambda: network.take_part("reference-physiotherapy", DATASET, ("127.0.0.1", 8000), no_round),
    ):
        with pytest.raises(Invalid, match=f"found {found or 'none'}.*make federated"):
            start()


@pytest.mark.usefixtures("with_flower", "base")
def test_a_name_a_port_and_data_are_looked_at_before_anything_starts(example: Flask) -> None:
    with pytest.raises(Invalid, match="name"):
        network.train("lab", "No Name!", CHOICES, 8000, no_round)
    with socket.socket() as taken:
        taken.bind((processes.HERE, 0))
        taken.listen()
        with pytest.raises(Conflict, match="is in use"):
            network.train("lab", "joint", CHOICES, taken.getsockname()[1], no_round)
    example.config["FEDERATION_MIN_PEOPLE"] = 11
    with pytest.raises(InsufficientData, match="Sums are given away of at least"):
        network.take_part("lab", DATASET, (processes.HERE, 1), no_round)
    assert list(sites.folder().glob(".draft-*")) == []


def test_a_job_has_our_programs_and_nothing_of_the_network(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "SMTP_PASSWORD"):
        monkeypatch.setenv(name, "not for Flower")
    monkeypatch.setenv("FLWR_TELEMETRY_ENABLED", "1")
    sites.add("leeds", "ab" * 32)
    with processes.Job.begun({"model": "somewhere"}) as job:
        assert stat.S_IMODE(job.folder.stat().st_mode) == 0o700
        described = json.loads((job.folder / flower.JOB).read_text(encoding="utf-8"))
        assert described["known"] == {"ab" * 32: "leeds", sites.own_public_key(): sites.HERE}
        with job.running("python", "-c", SHOWN) as process:
            process.wait(timeout=60)
        environment, program = json.loads((job.folder / "python.log").read_text())
        assert environment["FLWR_TELEMETRY_ENABLED"] == "0"
        assert environment["FLWR_HOME"] == str(job.folder)
        assert not {"SECRET_KEY", "SMTP_PASSWORD"} & environment.keys()
        assert Path(program) == job.folder / "bin" / "flwr-clientapp", "Flower finds ours before its own"
        assert "take_part" in Path(program).read_text(encoding="utf-8")
        assert job.reports() == []
        flower._append_to(job.folder / flower.ROUNDS)({"round": 1})
        assert job.reports() == [{"round": 1}]
        assert job.reports() == []
        with pytest.raises(ValueError, match="three"), flower._failure_left_in(job.folder):
            raise ValueError("three")
        assert "three" in job.failure()
    assert not job.folder.exists()


def test_a_process_and_what_it_has_started_end_with_the_block(app: Flask) -> None:
    with processes.Job.begun({}) as job:
        with job.running("python", "-c", WITH_A_CHILD) as process:
            while not (job.folder / "python.log").read_text():
                time.sleep(0.05)
            child = int((job.folder / "python.log").read_text())
        assert process.poll() is not None
        ends = time.monotonic() + 20
        while runs(child):
            assert time.monotonic() < ends, "the child of the process still runs"
            time.sleep(0.05)


def test_what_is_chosen_is_a_plan() -> None:
    assert Plan(**asdict(CHOICES), learning_rate=network.LEARNING_RATE).seed == 0


@pytest.mark.usefixtures("with_flower")
def test_a_server_that_does_not_start_is_said(base: object, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(network, "SUPERLINK", "python")  # which knows no such options, and ends
    with pytest.raises(Conflict, match=r"did not start.*--insecure"):
        network.train("lab", "joint", CHOICES, processes.free_port(), no_round)
    monkeypatch.setattr(network, "SUPERNODE", "python")
    with pytest.raises(Invalid, match="cannot be reached"):
        network.take_part("lab", DATASET, (processes.HERE, processes.free_port()), no_round)


@pytest.mark.slow
def test_what_the_sites_have_trained_is_a_model_whose_head_they_can_go_on_with(
    base: model_versions.ModelVersion,  # noqa: F811
    tmp_path: Path,
) -> None:
    shared = sharing.shared_map(base)
    weights = SharedNetwork(shared).fresh(3)
    said = {"windows": 900, "people": 10, "loss": 0.5}
    rounds = [{"round": 1, "sites": {"leeds": said, "ulm": said}}, {"round": 2, "sites": {"leeds": said}}]
    version = network._stored(base, "joint", weights, rounds)
    stored = load_model(model_versions.directory(version))
    windows = sharing.windows_of(shared, DATASET)
    assert (stored.predict_proba(windows) != shared.model.predict_proba(windows)).any()
    assert sharing.shared_map(version).digest == shared.digest
    card = model_versions.card(version)
    assert card is not None
    assert "| ulm | 900 | 10 | 1 of 2 |" in card.read_text(encoding="utf-8")
    known("leeds")
    sharing.export_sums("joint", DATASET, tmp_path / "here.sums")
    with acting_as("leeds"):
        sharing.export_sums("lab", DATASET, tmp_path / "leeds.sums")
    merged = merging.merge([tmp_path / "here.sums", tmp_path / "leeds.sums"], "joint", "both")
    of_both = load_model(model_versions.directory(merged))
    for name, array in stored.network_.arrays.items():
        assert (of_both.network_.arrays[name] == array).all(), "the network is the one that the sites have trained"
