"""Flower's server and nodes as child processes of a command: only here on this machine, silent, and ours to end.

Telemetry and the look for newer versions are off, no environment is built from the network, and Flower's folder is that
of the job, so that nothing is written into the user's. Its programs for the parts of an application are replaced by
ours (`har.federation.flower`): whoever reaches the server, or is one, can have no code of his run.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from app.har.federation import flower
from app.services.environment import without_secrets
from app.services.errors import Conflict, Invalid
from app.services.federation import sites
from app.services.files import DRAFT

ROOT = Path(__file__).resolve().parents[3]
HERE = "127.0.0.1"
STARTING_S = 120
OURS = {"flwr-serverapp": "serve", "flwr-clientapp": "take_part"}
PROGRAM = """#!{python}
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from app.har.federation.flower import {function}
{function}(Path({folder!r}))
"""
APP = """[project]
name = "kinelab-rounds"
version = "1.0.0"
description = "Names what each site has installed; nothing of it is loaded."
license = "MIT"
[tool.flwr.app]
publisher = "kinelab"
[tool.flwr.app.components]
serverapp = "rounds:server"
clientapp = "rounds:client"
"""
CONNECTION = """[superlink]
default = "here"
[superlink.here]
address = "{address}"
insecure = true
"""
SETTINGS = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
}


def require() -> None:
    """Refuse to go on without Flower.

    Raises
    ------
    Invalid : it is not installed here, or in another version.
    """
    try:
        found = version("flwr")
    except PackageNotFoundError:
        found = "none"
    if not found.startswith(flower.VERSION):
        raise Invalid(
            f"Training a network at several sites needs Flower (flwr {flower.VERSION}x); found {found}. It has an "
            "environment of its own, for Python 3.11 or newer: make federated, then "
            ".venv-federated/bin/flask federation … All else works without it."
        )


class Job:
    """A folder for one training, and the processes that work in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read = 0  # of the file of rounds
        environment = without_secrets(**SETTINGS, FLWR_HOME=str(folder))
        programs = [str(folder / "bin"), str(Path(sys.executable).parent), environment.get("PATH", os.defpath)]
        self._environment = environment | {"PATH": os.pathsep.join(programs)}

    @classmethod
    @contextmanager
    def begun(cls, description: Mapping[str, Any]) -> Iterator[Job]:
        """Give a folder with our programs and what they are to do; it is deleted in the end.

        Parameters
        ----------
        description : what `har.federation.flower` reads, besides this site's key and the keys that it knows.
        """
        known = {site.public_key: site.name for site in sites.list_sites()} | {sites.own_public_key(): sites.HERE}
        with tempfile.TemporaryDirectory(dir=sites.folder(), prefix=DRAFT) as name:
            folder = Path(name)
            (folder / "bin").mkdir()
            for program, function in OURS.items():
                path = folder / "bin" / program
                path.write_text(
                    PROGRAM.format(python=sys.executable, root=str(ROOT), function=function, folder=str(folder))
                )
                path.chmod(0o700)
            job = {**description, "known": known, "site_key": str(sites.folder() / "site_key")}
            (folder / flower.JOB).write_text(json.dumps(job), encoding="utf-8")
            yield cls(folder)

    @contextmanager
    def running(self, program: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start one of Flower's programs; it and what it has started are ended at the end of the block."""
        command = [str(Path(sys.executable).with_name(program)), *arguments]
        with (self.folder / f"{program}.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=self._environment, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield process
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=10)

    def start_run(self, port: int) -> None:
        """Have a server that is running start our part of the training.

        Raises
        ------
        Conflict : it does not answer, or refuses.
        """
        app = self.folder / "app"
        app.mkdir()
        (app / "pyproject.toml").write_text(APP)
        (app / "rounds.py").write_text("server = client = None\n")
        (self.folder / "config.toml").write_text(CONNECTION.format(address=f"{HERE}:{port}"))
        try:
            done = subprocess.run(
                [str(Path(sys.executable).with_name("flwr")), "run", str(app), "here"],
                env=self._environment,
                cwd=self.folder,
                capture_output=True,
                text=True,
                timeout=STARTING_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Conflict(f"Flower's server did not take the training within {STARTING_S} s.") from error
        if done.returncode:
            raise Conflict(f"Flower's server did not take the training: {(done.stderr or done.stdout).strip()[-500:]}")

    def reports(self) -> list[dict[str, Any]]:
        """Return what rounds have come to since the last call."""
        path = self.folder / flower.ROUNDS
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        new, self._read = lines[self._read :], len(lines)
        return [json.loads(line) for line in new]

    def failure(self) -> str:
        """Return why our part has failed, "" where it has not."""
        path = self.folder / flower.FAILED
        return path.read_text(encoding="utf-8").strip() if path.exists() else ""

    def last_words(self, program: str) -> str:
        """Return the end of what one of Flower's programs has printed."""
        path = self.folder / f"{program}.log"
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        return " ".join(line.strip() for line in lines[-3:])[-500:]


def listens(address: tuple[str, int]) -> bool:
    """Tell whether somebody listens there."""
    with suppress(OSError), socket.create_connection(address, timeout=3):
        return True
    return False


def wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> bool:
    """Return whether a process has come to listen on a port, before it ended or its time was over."""
    ends = time.monotonic() + STARTING_S
    while process.poll() is None and time.monotonic() < ends:
        if listens((HERE, port)):
            return True
        time.sleep(0.5)
    return False


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with socket.socket() as one:
        one.bind((HERE, 0))
        port: int = one.getsockname()[1]
        return port
