"""What ``deployment/`` holds: the unit starts the site in a sandbox like its own; the rest is checked as it can be."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

from tests import homes
from tests.conftest import ROOT

FOLDER = ROOT / "deployment"
UNITS = [FOLDER / "kinelab.service", FOLDER / "kinelab-backup.service"]
PROGRAM, HOME, KEYS = "/opt/kinelab", "/var/lib/kinelab", "/var/lib/kinelab-keys"
MOST_EXPOSED = 1.5  # systemd's own scale from 0 to 10
# What ProtectSystem=strict, ProtectHome, PrivateTmp and StateDirectory make of a machine, and an account without rights
SANDBOX = f"""
set -eu
umask 022
python=$1 root=$2 home=$3
shift 3
mount -t tmpfs none /run
mkdir /run/python
mount --bind "$python" /run/python
mkdir /run/program /run/home
mount --bind "$root" /run/program
mount --bind "$home" /run/home
for folder in /opt /var/lib /root /home /tmp; do mount -t tmpfs -o mode=755 none $folder; done
chmod 1777 /tmp
mkdir {PROGRAM} {HOME} {KEYS}
mkdir -p "$python"
mount --bind -o ro /run/python "$python"
mount --bind /run/program {PROGRAM}
mount -o remount,bind,ro {PROGRAM}
mount --bind /run/home {HOME}
chown 65534:65534 {KEYS}
mount -o remount,bind,ro /
cd {PROGRAM}
exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all -- \
    env -i PATH=/usr/bin:/bin "$@"
"""


def settings(unit: Path, name: str) -> list[str]:
    """Return the values of a setting of a unit, in their order."""
    return re.findall(rf"^{name}=(.*)$", unit.read_text(encoding="utf-8"), re.M)


def can_isolate() -> bool:
    command = ["unshare", "--mount", "setpriv", "--reuid=65534", "--clear-groups", "true"]
    return hasattr(os, "getuid") and os.getuid() == 0 and subprocess.run(command, check=False).returncode == 0


@pytest.mark.slow
def test_the_unit_starts_the_site_without_rights_where_it_may_write_to_its_home_alone(
    tmp_path: Path, started_home: Path
) -> None:
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        pytest.skip("the unit runs .venv")
    if not shutil.which("unshare") or not can_isolate():
        pytest.skip("only root can set up such a sandbox")
    unit = UNITS[0]
    home = tmp_path / "home"
    homes.copied(started_home, home)
    for path in (home, *home.rglob("*")):
        os.chown(path, 65534, 65534)
    (command,) = settings(unit, "ExecStart")
    assert command.startswith(f"{PROGRAM}/.venv/bin/python ")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = [one for line in settings(unit, "Environment") for one in line.split()]
    assert f"ENCRYPTION_KEY_FILE={KEYS}/keys" in environment
    environment.remove(f"ENCRYPTION_KEY_FILE={KEYS}/keys")  # a home that has its key from elsewhere is no new one
    key = f"ENCRYPTION_KEY={os.environ['ENCRYPTION_KEY']}"  # of the home that tests start with
    where = [sys.base_prefix, str(ROOT), str(home)]
    log = (tmp_path / "log").open("w+")
    server = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", SANDBOX, "sh", *where, *environment, f"PORT={port}", key, *command.split()],
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        answer = None
        for _ in range(600):
            assert server.poll() is None, (tmp_path / "log").read_text()
            try:
                with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as response:
                    answer = json.load(response)
                break
            except (URLError, ConnectionError):
                time.sleep(0.1)
        said = (tmp_path / "log").read_text()
        assert answer == {"live": True, "ready": True, "problems": {}}, said
        assert "Traceback" not in said
        assert Path(f"/proc/{server.pid}/status").read_text().count("65534\t65534\t65534\t65534") == 2
        assert set(re.findall(r"^Cap\w+:\t(\w+)$", Path(f"/proc/{server.pid}/status").read_text(), re.M)) == {"0" * 16}
    finally:
        server.terminate()
        server.wait(20)
        log.close()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_little_that_a_unit_leaves_open(unit: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd here")
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert float(exposure[1]) <= MOST_EXPOSED, said


def test_the_timer_and_the_units_are_understood_by_systemd(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd here")
    for path in FOLDER.glob("kinelab*"):  # with programs that are on every machine in the place of ours
        text = path.read_text(encoding="utf-8").replace(f"{PROGRAM}/.venv/bin/python", "/bin/true")
        (tmp_path / path.name).write_text(text.replace(f"file://{PROGRAM}", "file:///usr"))
    command = ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.glob("kinelab*"))]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not re.findall(r"^.*kinelab.*$", result.stderr, re.M), result.stderr


def test_all_that_the_program_needs_is_in_the_container_and_nothing_of_an_installation() -> None:
    text = (FOLDER / "Containerfile").read_text(encoding="utf-8")
    copied = {name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M) for name in line.split()}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert ignored[0] == "*"
    assert {name[1:] for name in ignored if name.startswith("!")} == copied
    assert copied >= {"app", "migrations", "reference_models", "run.py", "config.py", "requirements.txt"}
    assert all((ROOT / name).exists() for name in copied)
    assert re.search(r"^USER 10001$", text, re.M)
    assert "--require-hashes" in text


def test_the_site_is_reached_through_the_proxy_alone_and_keeps_its_key_apart() -> None:
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    site, proxy = compose["services"]["site"], compose["services"]["proxy"]
    assert "ports" not in site
    assert site["environment"] | {"HTTPS": "1", "PROXIES": "1"} == site["environment"]
    assert site["read_only"]
    assert site["cap_drop"] == ["ALL"]
    assert {volume.split(":")[1] for volume in site["volumes"]} == {HOME, KEYS}
    assert [port.split(":")[0] for port in proxy["ports"]] == ["80", "443"]
    assert {volume.split(":")[0] for each in (site, proxy) for volume in each["volumes"]} - {"./Caddyfile"} == set(
        compose["volumes"]
    )
    caddy = (FOLDER / "Caddyfile").read_text(encoding="utf-8")
    assert "{$KINELAB_SITE:site:5000}" in caddy
