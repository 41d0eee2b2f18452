"""A server of PostgreSQL of this run's own, and a database in it for each home (`TEST_DATABASE=postgresql`)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pg8000.native
from sqlalchemy import Connection, NullPool, create_engine

FOLDER = "TEST_POSTGRESQL"  # in the environment, of workers and children too: where the server's socket is
NOTE = "database.txt"  # in a home: which database goes with it
ACCOUNT = "kinelab"
# Nothing of it outlives the run, so nothing is waited for until it is on the disk
SETTINGS = (
    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "max_connections=300",
    "ssl=on", "shared_buffers=64MB", "wal_level=minimal", "max_wal_senders=0", "max_wal_size=8GB",
    "checkpoint_timeout=1h",
)  # fmt: skip
IN_MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30
# The shell ends the server where whoever reads the tests' last words is gone: also when they are killed
RUN = 'exec 3<&0; "$@" </dev/null & read -r _ <&3; kill -INT $!; wait $!; rm -rf "$0"'


def is_used() -> bool:
    """Tell whether homes have their databases on a server."""
    return FOLDER in os.environ


def program(name: str) -> str:
    """Return where a program of the newest PostgreSQL is; Debian keeps a server's out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    path = str(found[-1]) if found else shutil.which(name)
    assert path, "TEST_DATABASE=postgresql needs a server: apt-get install postgresql"
    return path


@contextmanager
def server() -> Iterator[Path]:
    """Run a server that asks no password at its socket in a folder, which is returned, and one everywhere else."""
    roomy = IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > ROOM
    folder = Path(tempfile.mkdtemp(prefix="kinelab-pg-", dir=IN_MEMORY if roomy else None))
    # No server runs as root: there, Debian's own account does
    user: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, **user)
    try:
        subprocess.run(
            [program("initdb"), "-D", folder / "data", "-U", ACCOUNT, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
             "--auth-local=trust", "--auth-host=scram-sha-256"],
            cwd=folder, check=True, stdout=subprocess.DEVNULL, **user,
        )  # fmt: skip
        _certify(folder, user)
        where = (f"unix_socket_directories={folder}", "listen_addresses=127.0.0.1", f"port={_free_port()}")
        options = [f"-c{setting}" for setting in (*SETTINGS, *where)]
        with (folder / "log").open("wb") as log:
            running = subprocess.Popen(
                ["sh", "-c", RUN, folder, program("postgres"), "-D", folder / "data", *options],
                cwd=folder, stdin=subprocess.PIPE, stdout=log, stderr=log, **user,
            )  # fmt: skip
        try:
            _wait_for(folder)
            yield folder
        finally:
            running.communicate(timeout=60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _certify(folder: Path, user: dict[str, Any]) -> None:
    """Make the certificate that the server shows over TLS, which nobody trusts by itself."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", "data/server.key", "-out", "data/server.crt"],
        cwd=folder, check=True, stderr=subprocess.DEVNULL, umask=0o077, **user,
    )  # fmt: skip


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_for(folder: Path) -> None:
    for _ in range(1200):
        if list(folder.glob(".s.PGSQL.*[0-9]")):
            with suppress(pg8000.native.Error):
                run("SELECT 1", folder=folder)
                return
        time.sleep(0.05)
    raise AssertionError((folder / "log").read_text())


def port(folder: Path | None = None) -> int:
    """Return where the server listens."""
    (found,) = Path(folder or os.environ[FOLDER]).glob(".s.PGSQL.*[0-9]")
    return int(found.suffix.removeprefix("."))


def run(statement: str, database: str = "postgres", folder: Path | None = None) -> list[Any]:
    """Run a statement outside of any transaction."""
    folder = folder or Path(os.environ[FOLDER])
    connection = pg8000.native.Connection(ACCOUNT, database=database, unix_sock=f"{folder}/.s.PGSQL.{port(folder)}")
    try:
        return list(connection.run(statement) or [])
    finally:
        connection.close()


def address(database: str) -> str:
    """Return what DATABASE_URL is set to."""
    return f"postgresql://{ACCOUNT}@/{database}?host={os.environ[FOLDER]}&port={port()}"


def address_of(home: Path) -> str:
    """Return the address of a home's database: its own, a copy of another home's if it was copied, or an empty one."""
    note = home / NOTE
    if (before := note.read_text(encoding="ascii") if note.exists() else "template0") != _name(home):
        _copy(before, home)
    return address(_name(home))


def put(home: Path, other: Path) -> None:
    """Put a copy of the database that goes with a home in the place of another home's."""
    _copy((home / NOTE).read_text(encoding="ascii"), other)


def _copy(name: str, home: Path) -> None:
    drop(_name(home))
    run(f"CREATE DATABASE {_name(home)} TEMPLATE {name} STRATEGY FILE_COPY")
    home.mkdir(parents=True, exist_ok=True)
    (home / NOTE).write_text(_name(home), encoding="ascii")
    (home / NOTE).chmod(0o600)


@contextmanager
def reading(home: Path) -> Iterator[Connection]:
    """Read the database that goes with a home."""
    from app.services.database_address import read

    url, _ = read(address((home / NOTE).read_text(encoding="ascii")))
    place = {"unix_sock": f"{os.environ[FOLDER]}/.s.PGSQL.{port()}"}
    engine = create_engine(url, connect_args=place, poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def _name(home: Path) -> str:
    return f"home_{sha256(str(home.resolve()).encode()).hexdigest()[:24]}"


def forget(home: Path) -> None:
    """Delete a home's database."""
    if is_used():
        drop(_name(home))


def drop(name: str) -> None:
    """Delete a database, whoever has it open."""
    run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
