"""What DATABASE_URL says: a file of SQLite, or a database of PostgreSQL as its own programs write the address.

Read with the settings (``config.py``), and so imports nothing of ours. No message repeats the address: a password may
be in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVER = "postgresql+pg8000"
TLS = ("disable", "require", "verify-ca", "verify-full")
KNOWN = {"host", "port", "sslmode", "sslrootcert", "application_name"}


@dataclass(frozen=True)
class Server:
    """Where a database of PostgreSQL is, and how it is spoken to."""

    database: str
    host: str
    port: int
    folder: str  # of the socket, on this machine; then `host` is not asked
    sslmode: str
    sslrootcert: str

    def __str__(self) -> str:
        return f"The database {self.database} at {self.folder or self.host}, port {self.port},"


def read(text: str) -> tuple[str | URL, Server | None]:
    """Return the address for SQLAlchemy, and of a database of PostgreSQL its server.

    Raises
    ------
    ValueError : it is none, in words that follow "DATABASE_URL must".
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("be like postgresql://kinelab:PASSWORD@HOST/kinelab; it cannot be read as that") from None
    if url.drivername.startswith("sqlite"):
        return text, None
    if url.drivername not in {"postgresql", "postgres", DRIVER}:
        raise ValueError(f"begin with postgresql:// or sqlite:///; found {url.drivername}://")
    return _of_server(url)


def _of_server(url: URL) -> tuple[URL, Server]:
    options = {name: value for name, value in url.query.items() if isinstance(value, str)}
    if strange := sorted(url.query.keys() - KNOWN):
        raise ValueError(f"have no options but {', '.join(sorted(KNOWN))}; found {strange[0]}")
    host = options.get("host") or url.host or "localhost"
    if not url.username or not url.database:
        raise ValueError("name an account and a database: postgresql://kinelab:PASSWORD@HOST/kinelab")
    port = options.get("port") or "5432"
    if not port.isdecimal():
        raise ValueError(f"have a number for its port; found {port}")
    sslmode = options.get("sslmode") or ("disable" if _is_here(host) else "verify-full")
    if sslmode not in TLS:
        raise ValueError(f"have an sslmode of {', '.join(TLS)}; found {sslmode}")
    server = Server(
        url.database,
        "localhost" if host.startswith("/") else host,
        url.port or int(port),
        host if host.startswith("/") else "",
        sslmode,
        options.get("sslrootcert", ""),
    )
    named = {"application_name": options.get("application_name", "kinelab")}
    return URL.create(DRIVER, url.username, url.password, database=url.database, query=named), server


def _is_here(host: str) -> bool:
    """Tell whether what is said goes over no network."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.startswith("/")
