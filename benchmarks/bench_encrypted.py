"""What an encrypted database costs: a page, a read of the API, a commit and a new connection, plain beside encrypted.

Two homes of the same content, a person with a thousand recordings in each, in one process; they take turns, so that
both meet the same load of the machine. The server around it is left out: it is the same for both.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.homes import at_home

RECORDINGS, TURNS = 1000, 60
PASSWORD = "correct horse battery"  # noqa: S105  of nobody


def prepare(home: Path, encrypted: bool) -> str:
    """Make a person with many recordings; return a token of theirs."""
    from app.services import accounts, database_changing, installation
    from app.services.api import tokens
    from app.services.transaction import transaction
    from app.tables import Prediction, StoredRecording

    with at_home(home):
        installation.prepare()
        if not encrypted:
            database_changing.change(False)
        user = accounts.register("ursula", PASSWORD, "+44 20 7946 0000", "ursula@example.org", "1 High Street")
        with transaction() as session:
            for i in range(RECORDINGS):
                facts = {"minutes": 2.0, "bytes": 1}
                recording = StoredRecording(user_id=user.id, filename=f"{i}.csv", folder=f"recording-{i}", facts=facts)
                summary = {"minutes_per_activity": {"Walk": 2.0}, "windows": 40}
                recording.predictions.append(Prediction(model_label="walking/1", summary=summary))
                session.add(recording)
        return tokens.make(user.id, "bench", ["recordings:read"], 1)[1]


def works(home: Path, token: str) -> dict[str, Callable[[], object]]:
    """Return what is timed, by its name, within the application of a home."""
    from flask import current_app
    from sqlalchemy import text

    from app.services import database
    from app.services.transaction import transaction

    client = current_app.test_client()
    assert client.post("/login", data={"username": "ursula", "password": PASSWORD}).status_code == 302
    bearer = {"Authorization": f"Bearer {token}"}

    def get(address: str, **headers: str) -> None:
        assert client.get(address, headers=headers).status_code == 200

    def commit() -> None:
        with transaction() as session:
            session.execute(text("UPDATE recording SET notes = :notes WHERE id = 7"), {"notes": str(time.time())})

    def connect() -> None:
        with closing(database.connect(home / "instance" / database.NAME)) as connection:
            connection.execute("SELECT count(*) FROM alembic_version").fetchone()

    def look_through() -> None:
        with closing(database.connect(home / "instance" / database.NAME)) as connection:
            connection.execute("SELECT sum(length(filename)), sum(length(notes)) FROM recording").fetchone()

    return {
        "page of the recordings": lambda: get("/"),
        "search in a thousand recordings": lambda: get("/?search=99"),
        "API, a list of ten": lambda: get("/api/v1/recordings?limit=10", **bearer),
        "API, a recording": lambda: get("/api/v1/recordings/7", **bearer),
        "commit of one row": commit,
        "new connection and a row": connect,
        "new connection and all rows of a table": look_through,
    }


def timed(home: Path, token: str, found: dict[str, list[float]], turns: int) -> None:
    """Do each thing some times after a first one; add how long it took (ms)."""
    with at_home(home, WTF_CSRF_ENABLED=False, RATELIMIT_ENABLED=False, API_REQUESTS_A_MINUTE=10_000_000):
        for name, work in works(home, token).items():
            work()
            for _ in range(turns):
                started = time.perf_counter()
                work()
                found.setdefault(name, []).append(1000 * (time.perf_counter() - started))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(ENCRYPTION_KEY="", ENCRYPTION_KEY_FILE=str(Path(folder) / "keys"))
        homes = {kind: Path(folder) / kind for kind in ("plain", "encrypted")}
        tokens = {kind: prepare(home, kind == "encrypted") for kind, home in homes.items()}
        found: dict[str, dict[str, list[float]]] = {kind: {} for kind in homes}
        rounds = 6
        for _ in range(rounds):
            for kind, home in homes.items():
                timed(home, tokens[kind], found[kind], TURNS // rounds)
        sizes = {kind: (home / "instance" / "kinelab.sqlite").stat().st_size for kind, home in homes.items()}
    figures: dict[str, Any] = {"recordings": RECORDINGS, "turns": TURNS}
    for name in found["plain"]:
        plain, encrypted = (statistics.median(found[kind][name]) for kind in homes)
        figures[name] = {
            "plain_ms": round(plain, 2),
            "encrypted_ms": round(encrypted, 2),
            "more_ms": round(encrypted - plain, 2),
            "encrypted_p95_ms": round(statistics.quantiles(found["encrypted"][name], n=20)[18], 2),
        }
    figures["size (MiB)"] = {kind: round(size / 2**20, 2) for kind, size in sizes.items()}
    figures["programs that wanted to run"] = round(os.getloadavg()[0], 1)
    json.dump(figures, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
