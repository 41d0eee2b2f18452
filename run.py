"""Migrate the database, prepare a first start, and serve: ``python run.py``."""

from __future__ import annotations

import importlib
import logging
import os
import socket
import sys
import threading
from ipaddress import ip_address
from pathlib import Path

import segno
from filelock import FileLock, Timeout

from app import create_app
from app.services import accounts, authority, installation, keys, server_log
from app.services.alarms import sending
from app.services.errors import ServiceError
from app.services.live import engine
from app.services.privacy import retention
from app.services.readers import pool
from app.web import own_tls
from app.web.serving import make_server
from config import Config

log = logging.getLogger("kinelab")

NOTE = "server.txt"  # in `instance/`: which process serves this home


def listen(host: str, port: str) -> socket.socket:
    """Return a bound socket, or end with a message that says what to do."""
    if not port.isdecimal() or int(port) > 65535:
        sys.exit(f"PORT must be a number between 1 and 65535; found {port!r}.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
    except OSError as error:
        sys.exit(f"HOST must be an address of this machine; found {host!r} ({error}).")
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()  # from here on a browser waits instead of being refused
    except OSError as error:
        listener.close()
        sys.exit(
            f"Kinelab cannot listen on {host}:{port}: {error.strerror}. "
            "If another program uses this port, choose one that is free, for example: make run PORT=5050"
        )
    return listener


def keep_home(home: Path) -> FileLock:
    """Take a home for this server alone until it ends, or end with a message that names the one that has it."""
    lock = FileLock(home / "instance" / "server.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        note = home / "instance" / NOTE
        other = note.read_text(encoding="utf-8") if note.exists() else "a server that is just starting"
        sys.exit(
            f"HAR_HOME must be the home of one server; {home} is in use by {other}. "
            "Stop that one first, or choose another folder: HAR_HOME=… make run"
        )
    except OSError as error:  # `Timeout` is one, too
        sys.exit(f"HAR_HOME must be a folder that can be written; found {home} ({error.strerror}).")
    return lock


def print_setup_address(address: str) -> None:
    """Say where the first administrator's account is made, as long as there is none."""
    if accounts.setup_needed():
        print(
            "\nThere is no administrator yet. Create the account at this address, which works once, within "
            f"{accounts.SETUP_HOURS} hours:\n\n"
            f"    {address}/setup/{accounts.setup_token()}\n",
            flush=True,
        )


def print_new_key() -> None:
    """Say where the key is that this start has made; itself it is shown once, on a terminal, and in no log."""
    if (key := keys.new_key()) is None:
        return
    once = f"Write it down; it is shown this once:\n\n    {key}\n" if sys.stdout.isatty() else "Run flask keys export."
    print(
        f"\nEverything about people is stored sealed, under a key that is in {keys.source()}. Without this key nobody "
        f"can ever read it, nor restore a backup: keep a copy where neither this disk nor its backups are. {once}",
        flush=True,
    )


def warn_of_what_is_open(config: Config) -> None:
    """Say what an installation that others can reach has left out."""
    try:
        here_only = ip_address(config.HOST).is_loopback
    except ValueError:
        here_only = config.HOST == "localhost"
    if config.OWN_TLS:
        return
    if (not here_only or config.SESSION_COOKIE_SECURE) and not config.PROXIES:
        log.warning(
            "PROXIES is not set. If a proxy stands in front of Kinelab, set PROXIES=1: until then all visitors seem to "
            "come from its address, and one who guesses passwords slows down all."
        )
    if not here_only and not config.SESSION_COOKIE_SECURE:
        log.warning(
            "Others can reach %s, and HTTPS is not set. Passwords and recordings then travel where others can read "
            "them: put Kinelab behind TLS and set HTTPS=1, or use make run-https.",
            config.HOST,
        )


def print_tls_addresses(names: authority.Names, port: int, folder: Path) -> None:
    """Say at which addresses phones find the site, and how they come to trust it."""
    first, *others = authority.reachable(names)
    print(f"Kinelab is at https://{first}:{port} (stop it with Ctrl+C)")
    for other in others:
        print(f"        also https://{other}:{port}")
    print(f"\nOn a phone, first http://{first}:{port}/authority/ (how to trust this site, once):\n")
    segno.make(f"http://{first}:{port}/authority/").terminal(compact=True)
    certificate = authority.the_authority(folder, names).certificate
    print(f"\nThe authority's SHA-256: {authority.fingerprint(certificate)}\n", flush=True)


def main() -> None:
    """Run the site until it is stopped."""
    server_log.configure(logging.INFO)
    config = Config()
    home_lock = keep_home(config.HAR_HOME)
    listener = listen(config.HOST, config.PORT)
    warn_of_what_is_open(config)
    app = create_app(config)
    port = listener.getsockname()[1]
    host = f"[{config.HOST}]" if ":" in config.HOST else config.HOST
    address = f"http://{host}:{port}"
    tls = names = None
    if config.OWN_TLS:
        names = authority.names_of_machine(config.TLS_NAMES)
        tls = own_tls.context(config.TLS_FOLDER, names)
        address = f"https://{authority.reachable(names)[0]}:{port}"
        app.config["SITE_URL"] = config.SITE_URL or address
    (config.INSTANCE / NOTE).write_text(f"process {os.getpid()}, at {address}", encoding="utf-8")
    with app.app_context():
        try:
            installation.prepare()
        except ServiceError as error:  # the database is locked, or the disk full
            sys.exit(f"Kinelab cannot start. {error}")
        print_new_key()
        print_setup_address(address)
        pool.warm(config.READ_MEMORY_MB)
    engine.start(app)
    sending.start(app)
    retention.start(app)
    server = make_server(app, listener, tls)
    if tls is None or names is None:
        print(f"Kinelab is at {address} (stop it with Ctrl+C)", flush=True)
    else:
        print_tls_addresses(names, port, config.TLS_FOLDER)
        own_tls.renew(server, tls, config.TLS_FOLDER, config.TLS_NAMES)
    # The first page of a recording would wait half a second for it
    threading.Thread(target=importlib.import_module, args=("pandas",), daemon=True).start()
    server.run()
    home_lock.release()


if __name__ == "__main__":
    main()
