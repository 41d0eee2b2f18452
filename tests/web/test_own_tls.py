"""The site over TLS with the lab's own authority, by real handshakes."""

from __future__ import annotations

import http.client
import plistlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from flask import Flask, Response, request
from flask.testing import FlaskClient

from app.services import authority
from app.web import own_tls, serving
from app.web.access import access
from app.web.event_streams import event_stream
from tests.served import serve
from tests.web.test_event_streams import Hub

MEBIBYTE = 2**20


@pytest.fixture
def tls(app: Flask, tmp_path: Path) -> ssl.SSLContext:
    app.config.update(OWN_TLS=True, TLS_FOLDER=tmp_path / "tls", SESSION_COOKIE_SECURE=True, THREADS=2)
    return own_tls.context(tmp_path / "tls", authority.names_of_machine())


@pytest.fixture
def hub(app: Flask) -> Hub:
    """Give the application a page of events, one that says who asks, and one that takes and gives much."""
    hub = Hub()

    @access("user")
    def events() -> Response:
        return event_stream(hub.subscribe, hub.since)

    @access("public")
    def asked() -> dict[str, str | None]:
        return {"address": request.remote_addr, "url": request.url}

    @access("user", files=True)
    def much() -> Response:
        return Response(request.stream.read(), mimetype="application/octet-stream")

    app.add_url_rule("/events", view_func=events)
    app.add_url_rule("/asked", view_func=asked)
    app.add_url_rule("/much", view_func=much, methods=["POST"])
    app.config["WTF_CSRF_ENABLED"] = False
    return hub


@pytest.fixture
def port(app: Flask, hub: Hub, tls: ssl.SSLContext) -> Iterator[int]:
    with serve(app, tls) as port:
        yield port


@pytest.fixture
def trusting(tls: ssl.SSLContext, tmp_path: Path) -> ssl.SSLContext:
    """Return what a phone checks certificates by, after it installed the authority."""
    trusted = authority.as_crt(authority.Signed.read(tmp_path / "tls" / "authority.pem").certificate)
    return ssl.create_default_context(cadata=trusted)


def ask(
    port: int, trusting: ssl.SSLContext | None, address: str, name: str = "localhost"
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = (
        http.client.HTTPConnection(name, port, timeout=20)
        if trusting is None
        else http.client.HTTPSConnection(name, port, timeout=20, context=trusting)
    )
    with closing(connection):
        connection.request("GET", address)
        answer = connection.getresponse()
        return answer, answer.read()


def cookie(client: FlaskClient, app: Flask) -> str:
    found = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert found is not None
    return f"{found.key}={found.value}"


@pytest.fixture
def user_cookie(app: Flask, log_in: Callable[..., FlaskClient]) -> str:
    app.config.update(SESSION_COOKIE_SECURE=False, OWN_TLS=False)  # the test's own client speaks no https
    text = cookie(log_in("ada"), app)
    app.config.update(SESSION_COOKIE_SECURE=True, OWN_TLS=True)
    return text


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_who_trusts_the_authority_reaches_the_site(port: int, trusting: ssl.SSLContext, name: str) -> None:
    answer, text = ask(port, trusting, "/asked", name)
    assert text.decode().strip() == f'{{"address":"127.0.0.1","url":"https://{name}:{port}/asked"}}'
    assert "Strict-Transport-Security" not in answer.headers
    assert ask(port, trusting, "/login", name)[0].status == 200


def test_who_does_not_trust_it_is_warned_and_disturbs_nobody(port: int, trusting: ssl.SSLContext) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(port, ssl.create_default_context(), "/asked")
    assert ask(port, trusting, "/asked")[0].status == 200


def test_old_versions_of_tls_are_refused(port: int, trusting: ssl.SSLContext) -> None:
    trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    assert ask(port, trusting, "/asked")[0].status == 200
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        trusting.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError, match=r"(?i)protocol|version|alert|reset|unsupported"):
        ask(port, trusting, "/asked")


def test_plain_http_leads_to_https_and_shows_how_to_trust(port: int, tmp_path: Path) -> None:
    answer, _ = ask(port, None, "/login?next=/x")
    assert (answer.status, answer.headers["Location"]) == (302, f"https://localhost:{port}/login?next=/x")
    for address in ("/api/v1/me", "/api/v1/openapi.json", "/metrics"):  # a program is not led on: it would not notice
        answer, _ = ask(port, None, address)
        assert (answer.status, answer.headers["Location"]) == (403, None), address
    answer, text = ask(port, None, "/authority/")
    root = authority.Signed.read(tmp_path / "tls" / "authority.pem").certificate
    assert answer.status == 200
    assert authority.fingerprint(root) in text.decode()
    assert f'href="https://localhost:{port}/"' in text.decode()
    assert x509.load_der_x509_certificate(ask(port, None, "/authority/kinelab.crt")[1]) == root
    answer, profile = ask(port, None, "/authority/kinelab.mobileconfig")
    assert answer.headers["Content-Type"] == "application/x-apple-aspen-config"
    assert plistlib.loads(profile)["PayloadType"] == "Configuration"
    with closing(http.client.HTTPConnection("localhost", port, timeout=20)) as connection:
        connection.request("POST", "/login", "password=secret")
        assert connection.getresponse().status == 403


def test_without_an_own_authority_there_is_no_such_page(client: FlaskClient) -> None:
    assert client.get("/authority/").status_code == 404
    assert client.get("/login").status_code == 200


def test_who_shakes_hands_slowly_keeps_nobody_waiting_and_is_closed(
    port: int, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, server = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = trusting.wrap_bio(client, server, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        hello.do_handshake()
    text = server.read()
    slow = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(20)]
    for n, each in enumerate(slow):
        each.sendall(text[: n * 5])
    begin = time.monotonic()
    for _ in range(5):
        assert ask(port, trusting, "/asked")[0].status == 200
    assert time.monotonic() - begin < 5
    monkeypatch.setattr(serving, "HANDSHAKE_S", 0.1)
    for each in slow:
        assert each.recv(100) in (b"", text)
        each.close()


@pytest.mark.parametrize("junk", [b"\x16" * 300, b"\x16\x03\x01\xff\xff" + bytes(400)])
def test_junk_is_closed(port: int, trusting: ssl.SSLContext, junk: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(junk)
        with suppress(ConnectionResetError):  # there was more than it read
            while connection.recv(4096):
                pass
    assert ask(port, trusting, "/asked")[0].status == 200


def test_much_comes_and_goes_whole_by_several_at_once(port: int, trusting: ssl.SSLContext, user_cookie: str) -> None:
    body = bytes(range(256)) * (20 * MEBIBYTE // 256)
    got: list[str] = []

    def send() -> None:
        with closing(http.client.HTTPSConnection("localhost", port, timeout=60, context=trusting)) as connection:
            connection.request("POST", "/much", body, {"Cookie": user_cookie, "Content-Type": "text/csv"})
            answer = connection.getresponse()
            digest = sha256()
            while piece := answer.read(200_000):
                digest.update(piece)
            got.append(digest.hexdigest())

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert got == [sha256(body).hexdigest()] * 2


def test_events_come_over_tls(port: int, hub: Hub, trusting: ssl.SSLContext, user_cookie: str) -> None:
    with closing(http.client.HTTPSConnection("localhost", port, timeout=20, context=trusting)) as connection:
        connection.request("GET", "/events", headers={"Cookie": user_cookie})
        stream = connection.getresponse()
        assert stream.status == 200
        publishers = [threading.Thread(target=lambda: [hub.publish(n=1) for _ in range(300)]) for _ in range(3)]
        for publisher in publishers:
            publisher.start()
        numbers: list[int] = []
        while len(numbers) < 901:  # the state, and all of them
            line = stream.readline()
            assert line
            numbers += [int(line[4:])] if line.startswith(b"id: ") else []
        for publisher in publishers:
            publisher.join()
        assert numbers == list(range(numbers[0], numbers[0] + 901))
        stream.close()


def test_a_new_certificate_is_shown_without_a_new_start(
    app: Flask, tls: ssl.SSLContext, hub: Hub, trusting: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_tls, "LOOKS_EVERY_S", 0.1)
    folder = tmp_path / "tls"
    server = serving.make_server(app, socket.create_server(("127.0.0.1", 0)), tls)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    stopped = own_tls.renew(server, tls, folder, ["10.9.8.7"])
    ends = time.monotonic() + 20
    while b"\x0a\x09\x08\x07" not in certificate_of(int(server.effective_port), trusting):
        assert time.monotonic() < ends
        time.sleep(0.05)
    stopped.set()
    serving.stop(server, app)
    thread.join(10)


def certificate_of(port: int, trusting: ssl.SSLContext) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
        trusting.wrap_socket(connection, server_hostname="localhost") as safe,
    ):
        return safe.getpeercert(binary_form=True) or b""
