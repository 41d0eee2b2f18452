"""DATABASE_URL: what it may say, and what is said of one that it may not, or that leads nowhere; never its password."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from app import create_app
from app.services import installation
from app.services.database_address import read
from app.services.postgresql import Unreachable
from config import Config

SECRET = "s3cr%2Fet"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (f"mysql://ada:{SECRET}@db/kinelab", "begin with postgresql:// or sqlite:///; found mysql://"),
        (f"ada:{SECRET}@db/kinelab", "cannot be read"),
        (f"postgresql://ada:{SECRET}@db:port/kinelab", "cannot be read"),
        (f"postgresql://ada:{SECRET}@/kinelab?port=x", "a number for its port; found x"),
        (f"postgresql://ada:{SECRET}@db", "name an account and a database"),
        (f"postgresql://:{SECRET}@db/kinelab", "name an account and a database"),
        (f"postgresql://ada:{SECRET}@db/kinelab?sslmode=prefer", "sslmode of disable, require, .*; found prefer"),
        (f"postgresql://ada:{SECRET}@db/kinelab?password=x", "no options but .*; found password"),
    ],
)
def test_an_address_that_cannot_be_is_a_message_without_its_password(
    address: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", address)
    with pytest.raises(SystemExit, match=f"DATABASE_URL must .*{says}") as told:
        Config()
    assert "s3cr" not in str(told.value)


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("postgresql://ada:x@db.lab/kinelab", ("db.lab", 5432, "", "verify-full", "")),
        ("postgres://ada:x@db.lab:6432/kinelab?sslrootcert=/ca.pem", ("db.lab", 6432, "", "verify-full", "/ca.pem")),
        ("postgresql://ada:x@10.0.0.7/kinelab?sslmode=require", ("10.0.0.7", 5432, "", "require", "")),
        ("postgresql+pg8000://ada@localhost/kinelab", ("localhost", 5432, "", "disable", "")),
        ("postgresql://ada@/kinelab?host=/run/postgresql", ("localhost", 5432, "/run/postgresql", "disable", "")),
        ("postgresql://ada@[::1]/kinelab", ("::1", 5432, "", "disable", "")),
    ],
)
def test_what_is_said_over_a_network_is_said_over_tls_with_a_name_that_is_checked(
    address: str, where: tuple[str, int, str, str, str]
) -> None:
    url, server = read(address)
    assert server is not None
    assert (server.host, server.port, server.folder, server.sslmode, server.sslrootcert) == where
    assert url.render_as_string(hide_password=False).startswith("postgresql+pg8000://ada")  # type: ignore[union-attr]


def test_a_server_that_is_not_there_is_a_message_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and never listens
        port = nobody.getsockname()[1]
        monkeypatch.setenv("HAR_HOME", str(tmp_path))
        monkeypatch.setenv("DATABASE_URL", f"postgresql://ada:{SECRET}@127.0.0.1:{port}/kinelab")
        config = Config()
        app = create_app(config)
        says = rf"The database kinelab at 127.0.0.1, port {port}, does not let Kinelab in: nobody answers there"
        with app.app_context():
            with pytest.raises(Unreachable, match=says) as told:
                installation.prepare()
            answer = app.test_cli_runner().invoke(args=["users", "list"])
        assert "s3cr" not in f"{told.value}{config}"
        assert (answer.exit_code, answer.stderr.count("\n")) == (1, 1)
        assert answer.stderr.startswith("Error: The database kinelab at")
        page = app.test_client().get("/")
        assert page.status_code == 503
        assert "The database does not answer" in page.text
        assert app.test_client().get("/healthz").status_code == 503
