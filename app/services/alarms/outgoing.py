"""Requests to addresses that people entered: to the outside only, to the address that was checked, within limits.

A webhook or a browser's push service could be named so that the server asks a machine of the inner network (SSRF). The
name is resolved once, every address that it has must be one of the public internet, and the connection is made to an
address that was checked: a name that means another machine a moment later gains nothing. Redirects are not followed,
proxies not used. Inner machines are reached only if the administrator lists them (the setting WEBHOOK_HOSTS).
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from flask import current_app

from app.services.errors import Invalid

CONNECT_S = 10.0
WHOLE_S = 30.0  # of one request, however slowly it goes
ANSWER_BYTES = 16_384
LONGEST_URL = 2000
NAT64 = IPv6Network("64:ff9b::/96")


class NotSent(Exception):
    """A message could not be sent; its text is for the page of targets.

    Attributes
    ----------
    for_good : trying again is useless.
    gone : whoever was to get it is no longer there.
    """

    def __init__(self, message: str, for_good: bool = False, gone: bool = False) -> None:
        super().__init__(message)
        self.for_good = for_good or gone
        self.gone = gone


def check_url(url: str) -> SplitResult:
    """Return an address in parts.

    Raises
    ------
    Invalid : it is none that messages may be sent to.
    """
    found = f"found {url[:80]!r}."
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise Invalid(f"The address must be one such as https://example.org/hook; {found}", "url") from error
    if not host or len(url) > LONGEST_URL or not url.isprintable() or " " in url.strip() or not url.isascii():
        raise Invalid(f"The address must be one such as https://example.org/hook; {found}", "url")
    if parts.username is not None or parts.password is not None:
        raise Invalid("The address must hold no user name and no password; found some.", "url")
    if parts.scheme != "https" and not (parts.scheme == "http" and _listed(host, port)):
        raise Invalid(f"The address must begin with https://; {found}", "url")
    with suppress(ValueError):  # a name, which is looked up when something is sent
        if not is_public(host) and not _listed(host, port):
            raise Invalid(
                f"The address must be on the public internet, or in WEBHOOK_HOSTS (an administrator's list); {found}",
                "url",
            )
    return parts


def _listed(host: str, port: int | None) -> bool:
    """Tell whether the administrator allows a machine, inner or without TLS."""
    hosts: tuple[str, ...] = current_app.config["WEBHOOK_HOSTS"]
    return host.lower() in hosts or f"{host.lower()}:{port}" in hosts


def is_public(text: str) -> bool:
    """Tell whether an address is one of the public internet, also where one is wrapped in another."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            address = inner
    odd = address.is_private, address.is_loopback, address.is_link_local, address.is_multicast, address.is_reserved
    return address.is_global and not any(odd) and not address.is_unspecified


def resolve(host: str, port: int, listed: bool) -> list[str]:
    """Return the addresses of a machine.

    Raises
    ------
    NotSent : it has none at the moment, or one that is not of the public internet.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotSent(f"{host} has no address at the moment.") from error
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not listed and not all(is_public(address) for address in addresses):
        raise NotSent(f"{host} is not on the public internet; an administrator can allow it (WEBHOOK_HOSTS).", True)
    return addresses


@contextmanager
def within(limit_s: float, sock: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Cut a connection off that takes longer than so much; a timeout of the socket is only that of one read."""

    def cut() -> None:
        if (open_one := sock()) is not None:
            with suppress(OSError):
                socket.socket.shutdown(open_one, socket.SHUT_RDWR)  # TLS's own takes the key from a read going on

    timer = threading.Timer(limit_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def post(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    """Send a body to an address; return status and the beginning of the answer.

    Raises
    ------
    NotSent : there is no answer, or the address is not allowed.
    """
    try:
        parts = check_url(url)
    except Invalid as error:
        raise NotSent(str(error), for_good=True) from error
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    addresses = resolve(host, port, _listed(host, parts.port))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(host, port)  # writes the name in the header, and never connects by itself
    connection.auto_open = 0
    try:
        connection.sock = _connected(addresses, port, host if secure else None)
        with within(WHOLE_S, lambda: connection.sock):
            if isinstance(connection.sock, ssl.SSLSocket):
                connection.sock.do_handshake()
            connection.request("POST", path, body, {**headers, "Connection": "close"})
            response = connection.getresponse()
            answer = response.read(ANSWER_BYTES)
        return response.status, answer.decode("utf-8", "replace")
    except ssl.SSLCertVerificationError as error:
        raise NotSent(f"The certificate of {host} is not accepted: {error.verify_message}.") from error
    except ssl.SSLError as error:
        raise NotSent(f"{host} gives no secure connection ({error.reason or type(error).__name__}).") from error
    except (OSError, http.client.HTTPException) as error:
        raise NotSent(f"{host} does not answer ({type(error).__name__}).") from error
    finally:
        connection.close()


def _connected(addresses: list[str], port: int, tls_name: str | None) -> socket.socket:
    """Connect to the first address that answers; with TLS, the certificate must be the name's."""
    failed: OSError = OSError("no address")
    for address in addresses[:3]:
        try:
            plain = socket.create_connection((address, port), timeout=CONNECT_S)
        except OSError as error:
            failed = error
            continue
        if tls_name is None:
            return plain
        try:
            context = ssl.create_default_context()
            return context.wrap_socket(plain, server_hostname=tls_name, do_handshake_on_connect=False)
        except BaseException:
            plain.close()
            raise
    raise failed
