"""What is PostgreSQL's own; everything else does not ask which database it is.

One lock of the server takes the place of SQLite's one writer: whoever writes holds it until the end of the transaction.
So what a block has looked at is so until its end on either database, and nobody has to try again because others wrote
meanwhile. Whoever reads waits for nobody and sees what is committed.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from functools import cache
from typing import Any, cast

from flask import current_app
from sqlalchemy import Connection, Engine, Integer, Table, event, func, select, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, ProgrammingError

from app.services.database_address import Server
from app.services.errors import Busy, Conflict, Invalid

WRITER = 0x6B696E65  # the number of the lock, within one database
PAUSE_S = 0.01  # between two tries
CONNECT_S = 10
OLDEST = 13  # of its versions, of which this one has normalize()
SERVER = "database_server"  # in `app.extensions`

LOCKED, DISK_FULL, NO_TEXT = "55P03", "53100", "22021"
PASSING = {LOCKED, "40001", "40P01", "53300"}  # too many connections; a deadlock with another program
GONE = ("57P", "08")  # it is being stopped or started
KINDS = {"22": DataError, "23": IntegrityError, "42": ProgrammingError}  # by the first two letters
REFUSED = {  # by what PostgreSQL calls it
    "28P01": "the account or its password is wrong",
    "28000": "its pg_hba.conf does not let this account in from here",
    "3D000": "there is no database of this name; docs/DEPLOYMENT.md says how to make it",
    "42501": "the account may not connect to this database",
    "53300": "it has as many connections as it takes (max_connections)",
    "57P03": "it is being started or stopped",
}


class Unreachable(Busy):
    """The server of the database does not answer, or not to us."""

    title = "The database does not answer"


def is_used() -> bool:
    """Tell whether the current application's database is one of PostgreSQL."""
    return current_app.extensions.get(SERVER) is not None


def listen(engine: Engine, server: Server) -> None:
    """Let an engine reach its server, and say in words, without anybody's data, what the server refuses."""
    current_app.extensions[SERVER] = server
    event.listen(engine, "do_connect", lambda dialect, record, arguments, options: _connected(server, options))
    event.listen(engine, "handle_error", _told, retval=True)


def _connected(server: Server, options: dict[str, Any]) -> Any:
    import pg8000.dbapi

    try:
        context = _tls(server)
    except (OSError, ssl.SSLError) as error:
        raise Unreachable(f"The certificates that DATABASE_URL names (sslrootcert) cannot be read: {error}.") from None
    try:
        reached = _socket(server)
        return _connection()(**options, sock=reached, host=server.host, ssl_context=context)
    except (OSError, pg8000.dbapi.Error) as error:
        raise Unreachable(f"{server} does not let Kinelab in: {_why(error)}.") from None


@cache
def _connection() -> Any:
    """Return the driver's connection, which says of every end that it is one, and ends without a word."""
    import pg8000.dbapi

    class Connection(pg8000.dbapi.Connection):
        def handle_messages(self, context: Any) -> None:
            try:
                super().handle_messages(context)
            except OSError as error:
                raise pg8000.dbapi.InterfaceError("network error") from error

        def close(self) -> None:
            with suppress(pg8000.dbapi.InterfaceError, OSError):
                super().close()

    return Connection


def _socket(server: Server) -> socket.socket:
    """Return a connection that is given up where nobody answers; what is asked later may take its time."""
    if server.folder:
        reached = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        reached.settimeout(CONNECT_S)
        try:
            reached.connect(f"{server.folder}/.s.PGSQL.{server.port}")
        except OSError:
            reached.close()
            raise
    else:
        reached = socket.create_connection((server.host, server.port), CONNECT_S)
        reached.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # a server that vanished is noticed
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, name):
                reached.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    reached.settimeout(None)
    return reached


def _tls(server: Server) -> ssl.SSLContext | bool:
    if server.sslmode == "disable":
        return False
    context = ssl.create_default_context(cafile=server.sslrootcert or None)
    context.check_hostname = server.sslmode == "verify-full"
    if server.sslmode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context


def _why(error: Exception) -> str:
    if code := code_of(error):
        return REFUSED.get(code, str(cast(dict[str, str], error.args[0])["M"]))
    if isinstance(error, ssl.SSLError):
        return f"its certificate is not trusted ({error.reason}); see sslrootcert"
    if "refuses SSL" in str(error):
        return "it has no TLS; where the way to it is safe all the same, add ?sslmode=disable to DATABASE_URL"
    if isinstance(error, OSError):
        return f"nobody answers there ({error.strerror or error})"
    return str(error) or type(error).__name__


def code_of(error: BaseException | None) -> str:
    """Return by which code the server told an error, nothing of any other error."""
    said = error.args[0] if error is not None and error.args else None
    return str(said.get("C", "")) if isinstance(said, dict) else ""


def _told(context: ExceptionContext) -> DBAPIError | Invalid | None:
    """Return for what the server says an error of the right kind, without the values that are in its details."""
    error = context.original_exception
    if not (code := code_of(error)):
        return None
    error.args = ({"C": code, "M": error.args[0].get("M", "")},)
    if code == NO_TEXT:
        return Invalid("There is a sign in it that nothing here is called by, and that cannot be stored: a zero byte.")
    context.is_disconnect = code.startswith(GONE)
    kind = KINDS.get(code[:2], OperationalError)
    return kind(context.statement, None, error, hide_parameters=True, connection_invalidated=context.is_disconnect)


def take_writer(connection: Connection, wait_s: float) -> bool:
    """Take the place of the writer until the end of the transaction; who has it already has it still.

    SQLite asks like this, too, again and again: one who waited in the server's own line could not give up.
    """
    until = time.monotonic() + wait_s
    while not connection.scalar(text("SELECT pg_try_advisory_xact_lock(:writer)"), {"writer": WRITER}):
        if time.monotonic() >= until:
            return False
        time.sleep(PAUSE_S)
    return True


def is_passing(error: DBAPIError) -> bool:
    """Tell of an error whether it will pass by itself."""
    return code_of(error.orig) in PASSING


def is_gone(error: DBAPIError) -> bool:
    """Tell of an error whether the server has gone, or is going."""
    return error.connection_invalidated or code_of(error.orig).startswith(GONE)


def require_rights() -> None:
    """Before tables are made: refuse a database in which that would fail, or go wrong.

    Raises
    ------
    Conflict : nothing was changed.
    """
    server: Server = current_app.extensions[SERVER]
    from app.extensions import db

    with db.engine.connect() as connection:
        version = cast(tuple[int, ...], connection.dialect.server_version_info)
        encoding = connection.scalar(text("SHOW server_encoding"))
        folds = connection.scalar(text("SELECT lower('Ü') = 'ü'"))
        may = connection.scalar(text("SELECT has_schema_privilege(current_schema(), 'CREATE')"))
    if version[0] < OLDEST:
        raise Conflict(f"{server} is PostgreSQL {version[0]}; Kinelab needs {OLDEST} or newer.")
    if encoding != "UTF8":
        raise Conflict(f"{server} is of encoding {encoding}: make it with ENCODING 'UTF8' TEMPLATE template0.")
    if not folds:
        raise Conflict(f"{server} knows no letters like Ü: make it with LOCALE 'C.UTF-8' TEMPLATE template0.")
    if not may:
        raise Conflict(
            f"In {server} this account may not make tables: let it own the database (ALTER DATABASE … OWNER TO …), or "
            "GRANT CREATE ON SCHEMA public TO it."
        )


def renumber(connection: Connection, table: Table) -> None:
    """Let the numbers of new rows follow on those of rows that brought theirs along."""
    for column in table.primary_key:
        if isinstance(column.type, Integer):
            sequence = func.pg_get_serial_sequence(f'"{table.name}"', column.name)
            connection.execute(select(func.setval(sequence, select(func.max(column)).scalar_subquery())))


def size() -> int:
    """Return the bytes of the database."""
    from app.extensions import db

    return int(db.session.scalar(text("SELECT pg_database_size(current_database())")) or 0)
