"""What lies on the disk when a real server is killed in mid-work: nothing about a person that is plain."""

from __future__ import annotations

import io
import re
import socket
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from app.services import keys
from app.services.live import devices
from app.services.live.simulated import Person, Phone
from app.tables import User
from tests.api import token_of
from tests.browser.site import Site
from tests.conftest import PASSWORD
from tests.live import add_everyday
from tests.services.test_keys import NAME, SAMPLE, kept_plain, planted, signs

BEGINS = 1_760_000_000  # a moment: what has none is not exported
LARGE_S = 200.0  # of a recording that neither waitress nor werkzeug keeps in memory


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are not shown")
def test_nothing_about_a_person_lies_plain_after_exports_and_a_kill_in_mid_work(
    app: Flask, user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_everyday(app)
    home, temporary = Path(app.config["HAR_HOME"]), tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    token, (_, of_device) = token_of(user.id), devices.make(user.id, "phone", keeps=True)
    known = [*signs(), user.username.encode(), user.email.encode(), PASSWORD.encode()]
    known += [keys.of(user.id).secret, token.encode(), of_device.encode()]
    head, *rows = planted(LARGE_S).decode().splitlines()
    large = "\n".join(
        [head, *(f"{BEGINS + i / 50:.2f},{row.partition(',')[2]}" for i, row in enumerate(rows))]
    ).encode()
    assert len(large) > 2**19
    site = Site(home).start()
    try:
        first = upload(site, token, dated(planted()))
        browse = logged_in(site)
        with zipfile.ZipFile(io.BytesIO(browse.get(f"{site.address}/account/everything.zip").content)) as everything:
            assert [name for name in everything.namelist() if NAME in name]
        for address in (
            f"/predictions/{first}/fhir.json",
            f"/predictions/{first}/omh.json",
            "/account/activities.json",
        ):
            assert browse.get(site.address + address).ok
        with half_sent(site, token, large):
            spooled = wait_for(lambda: nameless(site, temporary))
            assert [word for data in spooled for word in known if word in data] == []
        stream(site, of_device)
        answered: list[int] = []
        reading = threading.Thread(target=upload_quietly, args=(site, token, large, answered))
        reading.start()
        wait_for(lambda: [*(home / "uploads").glob("recording-*/source")][1:])
        site.kill()
        reading.join()
        assert not answered  # it was killed while the file was read
        assert kept_plain(home, known) == kept_plain(temporary, known) == []
        site = Site(home).start()  # which makes a recording of what was streamed, and clears up
        assert kept_plain(home, known) == kept_plain(temporary, known) == []
    finally:
        site.kill()
    assert kept_plain(home, known) == kept_plain(temporary, known) == []


def dated(table: bytes) -> bytes:
    """Return a table of 50 Hz that tells when it was."""
    head, *rows = table.decode().splitlines()
    return "\n".join([head, *(f"{BEGINS + i / 50:.2f},{row.partition(',')[2]}" for i, row in enumerate(rows))]).encode()


def upload(site: Site, token: str, content: bytes) -> int:
    answer = requests.post(
        f"{site.address}/api/v1/recordings",
        headers={"Authorization": f"Bearer {token}"},
        files={"file": (f"{NAME}.csv", content)},
        timeout=60,
    )
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def upload_quietly(site: Site, token: str, content: bytes, answered: list[int]) -> None:
    with suppress(requests.ConnectionError):
        answered.append(upload(site, token, content))


def logged_in(site: Site) -> requests.Session:
    """Return a browser of Ursula's."""
    browse = requests.Session()
    page = browse.get(f"{site.address}/login", timeout=20).text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    form = {"csrf_token": token[1], "username": "ursula", "password": PASSWORD}
    assert "Log out" in browse.post(f"{site.address}/login", data=form, timeout=20).text
    return browse


def half_sent(site: Site, token: str, content: bytes) -> socket.socket:
    """Return the connection of an upload that has not arrived as a whole."""
    host, port = site.address.removeprefix("http://").split(":")
    head = (
        f"POST /api/v1/recordings HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(content) + 9999}\r\n\r\n"
        f'--b\r\nContent-Disposition: form-data; name="file"; filename="{NAME}.csv"\r\n\r\n'
    )
    connection = socket.create_connection((host, int(port)))
    connection.sendall(head.encode() + content)
    return connection


def nameless(site: Site, folder: Path) -> list[bytes]:
    """Return what is in files without a name that a server has open, where the whole of an upload is there."""
    found = []
    for number in Path(f"/proc/{site.process.pid}/fd").iterdir():
        with suppress(OSError):
            if str(number.readlink()).startswith(str(folder)) and number.stat().st_size > 2**19:
                found.append(number.read_bytes())
    return found


def stream(site: Site, token: str) -> None:
    """Let a phone stream some seconds, of which one is known, without an end."""
    person, phone, base = Person(0), Phone(site.address, token, "walk"), time.time() - 8
    for second in range(8):
        times, values = person.second(float(second))
        values[:] = SAMPLE if second == 4 else values
        assert phone.send(phone.message({"totalacceleration": (times + base, values[:, :3])}))["session"] == 1
    phone.close()


def wait_for(look: Callable[[], list[Any]]) -> list[Any]:
    until = time.monotonic() + 20
    while not (found := look()):
        assert time.monotonic() < until
        time.sleep(0.005)
    return found
