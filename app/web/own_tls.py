"""TLS with the certificate of the lab's own authority (``services/authority.py``), and its renewal while we serve."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from app.services import authority

log = logging.getLogger(__name__)

LOOKS_EVERY_S = 300.0  # at the machine's addresses, and how long the certificate lasts


def context(folder: Path, names: authority.Names) -> ssl.SSLContext:
    """Return what connections are encrypted by, with a certificate for these names: TLS 1.2 and 1.3."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.set_alpn_protocols(["http/1.1"])
    tls.load_cert_chain(authority.certificate_file(folder, names))
    return tls


def renew(server: Any, tls: ssl.SSLContext, folder: Path, further: Sequence[str]) -> threading.Event:
    """Look now and then, in a thread, whether the machine needs another certificate; new connections show it.

    Returns what stops that.
    """
    stopped = threading.Event()

    def look() -> None:
        path = folder / "server.pem"
        shown = path.stat().st_mtime_ns
        while not stopped.wait(LOOKS_EVERY_S):
            try:
                authority.certificate_file(folder, authority.names_of_machine(further))
                if path.stat().st_mtime_ns != shown:
                    shown = path.stat().st_mtime_ns
                    # OpenSSL wants nobody to begin a connection meanwhile: the main loop does it
                    server.trigger.pull_trigger(partial(tls.load_cert_chain, path))
                    log.info("The certificate of this site was renewed.")
            except Exception:
                log.exception("the certificate of this site could not be renewed")

    threading.Thread(target=look, name="tls-renewal", daemon=True).start()
    return stopped
