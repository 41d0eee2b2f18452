"""The outbox: claimed once, tried again, dead at last, in order, held back in quiet hours; and who gets what."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from flask import Flask, current_app
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.extensions import db
from app.services.alarms import alarms, mail, outbox, outgoing, push, rules, sending, targets, webhook
from app.services.alarms.outbox import DEAD, MAIL, PUSH, SENT, UNNEEDED, WAITING, WEBHOOK
from app.services.alarms.outgoing import NotSent
from app.services.care import consents
from app.services.errors import Conflict, Invalid, NotFound
from app.services.transaction import transaction
from app.tables import CareConsent, NoticeTarget, Role, User
from tests.hooks import served
from tests.services.alarm_people import T0, add_person, add_target, agree, fall, fresh, notices, raised

DAY = timedelta(days=1)


class Post:
    """Takes messages in place of a channel; it may be down."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.down = False

    def __call__(self, address: Any, message: Any) -> None:
        if self.down:
            raise NotSent("The mail server cannot be reached.")
        self.sent.append((address["to"], message.title))


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    post = Post()
    monkeypatch.setattr(sending, "SEND", dict.fromkeys((MAIL, WEBHOOK, PUSH), post))
    return post


@pytest.fixture
def person(app: Flask) -> int:
    """Return a person with a caregiver, who has an e-mail address."""
    person, caregiver = add_person("ursula"), add_person("carla", Role.CAREGIVER)
    agree(person, caregiver)
    add_target(caregiver, to="carla@example.org")
    return person


def caregiver() -> int:
    return db.session.query(User).filter_by(username="carla").one().id


def send_all(now: float, channel: str = MAIL) -> None:
    while sending.send_next(channel, lambda: now):
        pass


def test_an_alarm_is_told_to_the_caregiver_and_is_then_notified(person: int, post: Post) -> None:
    alarm = raised(person)
    send_all(T0)
    assert post.sent == [("carla@example.org", "Kinelab: possible fall, ursula")]
    assert fresh(alarm.id).state == "notified"
    send_all(T0 + 1)
    assert len(post.sent) == 1


def test_what_is_cancelled_in_the_countdown_is_told_to_nobody_else(person: int, post: Post) -> None:
    alarm = fall(person)
    alarms.cancel(person, alarm.id, now=T0 + 5)
    send_all(T0 + 100)
    assert post.sent == []


@pytest.mark.parametrize(
    ("end", "title"),
    [
        (lambda person, alarm: alarms.cancel(person, alarm, now=T0 + 5), "Kinelab: cancelled: possible fall, ursula"),
        (
            lambda person, alarm: alarms.close(caregiver(), alarm, "false", now=T0 + 5),
            "Kinelab: false alarm: possible fall, ursula",
        ),
    ],
)
def test_who_was_told_of_an_alarm_is_told_that_it_is_over(
    person: int, post: Post, end: Callable[[int, int], object], title: str
) -> None:
    alarm = raised(person)
    send_all(T0)
    add_target(caregiver(), to="new@example.org")  # was not told of it
    end(person, alarm.id)
    send_all(T0 + 5)
    assert post.sent[1:] == [("carla@example.org", title)]


def test_a_step_and_its_messages_are_kept_together_or_not_at_all(
    person: int, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarm = fall(person, T0 - 90)

    def fails(*_: object) -> int:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "put", fails)
        with pytest.raises(RuntimeError):
            alarms.tick(T0)
    assert fresh(alarm.id).state == "pre-alarm"
    assert [step.after for step in fresh(alarm.id).steps] == ["observed", "pre-alarm"]
    alarms.tick(T0)
    assert fresh(alarm.id).state == "raised"
    assert len(notices(WAITING)) == 1


def test_nothing_is_lost_when_the_mail_server_is_down_for_an_hour(person: int, post: Post) -> None:
    post.down = True
    alarm = raised(person)
    now = T0
    while now < T0 + 3600:
        send_all(now - 0.01)  # not yet
        tries = notices()[0].tries
        send_all(now)
        assert notices()[0].tries == tries + 1
        due = notices()[0].due
        assert due is not None
        now = due.timestamp()
    assert 12 <= tries <= 30
    assert post.sent == []
    assert fresh(alarm.id).state == "raised"
    target = db.session.query(NoticeTarget).one()
    assert target.last_error == "The mail server cannot be reached."
    post.down = False
    send_all(T0 + 3600 + outbox.WAITS_S[-1])  # no later than this
    assert post.sent == [("carla@example.org", "Kinelab: possible fall, ursula")]
    assert fresh(alarm.id).state == "notified"
    assert db.session.query(NoticeTarget).one().last_error == ""


def test_a_message_that_fails_for_ever_is_a_dead_letter_that_can_be_sent_again(
    person: int, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_TRIES", 8)
    post.down = True
    raised(person)
    now = T0
    while not outbox.dead():
        send_all(now)
        now += outbox.WAITS_S[-1]
    (letter,) = outbox.dead()
    assert letter.tries == 8
    post.down = False
    send_all(now + 86_400)
    assert post.sent == []
    outbox.again(letter.id, now)
    send_all(now)
    assert len(post.sent) == 1
    with pytest.raises(NotFound):
        outbox.again(letter.id, now)
    with pytest.raises(NotFound):
        outbox.forget(letter.id)


def test_a_claim_is_had_once_and_again_only_when_its_owner_has_died(person: int) -> None:
    raised(person)
    first = outbox.claim(MAIL, T0)
    assert first is not None
    assert outbox.claim(MAIL, T0 + outbox.STALE_S - 1) is None
    second = outbox.claim(MAIL, T0 + outbox.STALE_S)
    assert second is not None
    with transaction():
        assert not outbox.mark(first, SENT, T0 + outbox.STALE_S)  # who comes back late changes nothing
        assert outbox.mark(second, SENT, T0 + outbox.STALE_S)
    assert outbox.claim(MAIL, T0 + 86_400) is None


def test_of_many_threads_one_sends_a_message(app: Flask, person: int, post: Post) -> None:
    raised(person)
    together = threading.Barrier(4)

    def work() -> None:
        with app.app_context():
            together.wait()
            sending.send_next(MAIL, lambda: T0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(post.sent) == 1


def test_messages_of_an_alarm_come_in_order_also_when_the_first_fails(person: int, post: Post) -> None:
    post.down = True
    alarm = raised(person)
    send_all(T0)
    post.down = False
    alarms.close(caregiver(), alarm.id, "true", now=T0 + 1)
    send_all(T0 + 1)
    assert post.sent == []
    send_all(T0 + 5)
    assert [title for _, title in post.sent] == [
        "Kinelab: possible fall, ursula",
        "Kinelab: closed: possible fall, ursula",
    ]


def test_a_caregiver_without_consent_is_told_nothing_even_of_what_waited(person: int, post: Post) -> None:
    raised(person)
    with transaction():
        db.session.query(CareConsent).one().withdrawn = datetime.now(timezone.utc)
    assert not consents.holds(person, caregiver())
    send_all(T0)
    assert post.sent == []
    assert len(notices(UNNEEDED)) == 1


def test_an_unacknowledged_alarm_reminds_less_and_less_and_an_acknowledged_one_no_more(person: int, post: Post) -> None:
    alarm = raised(person)
    at = []
    for minute in range(0, 3 * 60, 15):
        alarms.tick(T0 + 60 * minute)
        before = len(post.sent)
        send_all(T0 + 60 * minute)
        at += [minute] * (len(post.sent) - before)
    assert at == [0, 15, 45, 105]
    alarms.acknowledge(caregiver(), alarm.id, now=T0 + 3 * 3600)
    alarms.tick(T0 + 86_400)
    assert fresh(alarm.id).state == "acknowledged"


def test_quiet_hours_hold_back_what_can_wait_and_never_a_fall(person: int, post: Post) -> None:
    night = T0 + 16 * 3600  # midnight, UTC
    rules.change(caregiver(), rules.QUIET, True, {"zone": "UTC", "from": "22:00", "to": "07:00"})
    alarms.notice(person, "silent", {"reason": "silent"}, now=night)
    raised(person, night)
    send_all(night)
    assert [title for _, title in post.sent] == ["Kinelab: possible fall, ursula"]
    send_all(night + 7 * 3600 - 1)
    assert len(post.sent) == 1
    send_all(night + 7 * 3600)
    assert post.sent[1][1] == "Kinelab: device silent, ursula"


def test_a_fault_that_ends_in_quiet_hours_is_told_to_nobody(person: int, post: Post) -> None:
    night = T0 + 16 * 3600
    rules.change(caregiver(), rules.QUIET, True, {"zone": "UTC"})
    alarms.notice(person, "silent", {"reason": "silent"}, now=night)
    alarms.gone(person, "silent", "the device is heard again", night + 60)
    send_all(night + 86_400)
    assert post.sent == []
    assert [notice.state for notice in notices()] == [UNNEEDED]


def test_a_clock_that_is_put_back_keeps_no_message_for_long(person: int, post: Post) -> None:
    post.down = True
    raised(person)
    send_all(T0)
    post.down = False
    send_all(T0 - 86_400)
    assert len(post.sent) == 1


@settings(
    max_examples=10, deadline=None, database=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck)
)
@given(st.lists(st.sampled_from(("send", "fail", "die", "again", "wait")), max_size=15))
def test_whatever_happens_to_a_message_it_is_sent_or_dead_or_waits(app: Flask, happens: list[str]) -> None:
    """At most one of several senders holds it at a time, and it is never lost."""
    number = add_person(f"p{time.monotonic_ns()}")
    add_target(number)
    before = {notice.id for notice in notices()}
    raised(number)
    (own,) = {notice.id for notice in notices()} - before
    now, sent, died = T0, 0, 0
    for what in [*happens, "again", "wait", "send"]:
        now += {"wait": 400.0}.get(what, 1.0)
        if what == "again":
            state = next(notice.state for notice in notices() if notice.id == own)
            if state == DEAD:
                outbox.again(own, now)
            continue
        claimed = outbox.claim(MAIL, now)
        if claimed is None or what == "wait":
            continue
        assert outbox.claim(MAIL, now) is None
        with transaction():
            if what == "send":
                sent += outbox.mark(claimed, SENT, now)
            elif what == "fail":
                assert outbox.mark_failed(claimed, "no", now, for_good=claimed.at.second % 3 == 0)
            else:
                died += 1
    if not sent:
        claimed = outbox.claim(MAIL, now + 2 * outbox.STALE_S)
        assert claimed is not None
        with transaction():
            sent += outbox.mark(claimed, SENT, now + 2 * outbox.STALE_S)
    assert sent == 1


# --- e-mail


class Letters:
    """A handler of a real SMTP server."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address.startswith("nobody"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        from email import message_from_bytes, policy

        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def smtp(app: Flask) -> Iterator[Letters]:
    letters = Letters()
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    controller = Controller(letters, hostname="127.0.0.1", port=port)
    controller.start()
    app.config.update(SMTP_HOST="127.0.0.1", SMTP_PORT=port, SMTP_SECURITY="none", SMTP_FROM="kinelab@lab.example")
    app.config["SITE_URL"] = "https://kinelab.lab.example"
    yield letters
    controller.stop()


def test_an_alarm_comes_as_an_e_mail_that_says_no_more_than_it_must(person: int, smtp: Letters) -> None:
    alarm = raised(person)
    send_all(T0)
    (letter,) = smtp.letters
    text = letter.get_content()
    assert letter["To"] == "carla@example.org"
    assert letter["Subject"] == "Kinelab: possible fall, ursula"
    assert f"https://kinelab.lab.example/alarms/{alarm.id}" in text
    assert "research software, not a medical device" in text
    assert letter["Message-ID"].startswith(f"<kinelab-notice-{notices()[0].id}-")
    assert not any(word in text for word in ("0.7", "3.1", "threshold", "example.org"))
    assert fresh(alarm.id).state == "notified"


def test_a_mailbox_that_does_not_exist_is_a_dead_letter_at_once(person: int, smtp: Letters) -> None:
    db.session.query(NoticeTarget).one().address = {"to": "nobody@example.org"}
    db.session.commit()
    raised(person)
    send_all(T0)
    assert [letter.error for letter in outbox.dead()] == ["The mail server refuses this address (550)."]


def test_a_slow_mail_server_delays_no_webhook(
    app: Flask, person: int, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_target(caregiver(), WEBHOOK, to="hook")
    waits = threading.Event()
    told = threading.Event()
    monkeypatch.setattr(sending, "EACH_S", 0.02)
    monkeypatch.setitem(sending.SEND, MAIL, lambda *_: waits.wait(20))
    monkeypatch.setitem(sending.SEND, WEBHOOK, lambda *_: told.set())
    raised(person, time.time() - 1)
    stop = sending.start(app)
    assert told.wait(10)
    assert not waits.is_set()
    stop()
    waits.set()
    for thread in threading.enumerate():
        if thread.name.startswith("sending"):
            thread.join(10)


def test_without_a_mail_server_no_address_is_taken(app: Flask) -> None:
    with pytest.raises(Conflict, match="SMTP_HOST"):
        targets.add_mail(add_person("ada"), "ada@example.org")


# --- webhooks


def test_a_webhook_gets_signed_json(app: Flask, person: int) -> None:
    with served() as server:
        host = f"127.0.0.1:{server.server_port}"
        app.config["WEBHOOK_HOSTS"] = (host,)
        _, secret = targets.add_webhook(caregiver(), f"http://{host}/hook")
        alarm = raised(person)
        send_all(T0, WEBHOOK)
        ((headers, body),) = server.got  # type: ignore[attr-defined]
    said = json.loads(body)
    assert said["title"] == "Kinelab: possible fall, ursula"
    assert said["link"] == f"/alarms/{alarm.id}"
    at = int(headers["X-Kinelab-Signature"].partition(",")[0].removeprefix("t="))
    assert headers["X-Kinelab-Signature"] == webhook.signature(secret, at, body)
    assert headers["X-Kinelab-Signature"] != webhook.signature(secret, at, body + b" ")


@pytest.mark.parametrize(("status", "says"), [(302, "redirect"), (500, "answers 500"), (410, "answers 410")])
def test_a_webhook_that_does_not_take_a_message_is_tried_again_unless_it_is_gone(
    app: Flask, person: int, status: int, says: str
) -> None:
    with served(status) as server:
        host = f"127.0.0.1:{server.server_port}"
        app.config["WEBHOOK_HOSTS"] = (host,)
        target, _ = targets.add_webhook(caregiver(), f"http://{host}/hook")
        raised(person)
        send_all(T0, WEBHOOK)
        assert len(server.got) == 1  # type: ignore[attr-defined]
    db.session.expire_all()
    assert says in target.last_error
    assert target.switched_on == (status != 410)
    assert {each.state for each in notices() if each.target_id == target.id} == {DEAD if status == 410 else WAITING}


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "ftp://example.org/", "https://", "https://user:secret@example.org/",
     "https://exa mple.org/", "https://example.org:99999/", "x" * 3000, "https://example.org/\r\nX: y",
     "https://10.1.2.3/", "https://[::1]/"],
)  # fmt: skip
def test_an_address_that_is_none_for_messages_is_refused(app: Flask, url: str) -> None:
    with pytest.raises(Invalid, match="found"):
        outgoing.check_url(url)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",  # noqa: S104
     "::1", "::", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "ff02::1",
     "240.0.0.1", "255.255.255.255"],
)  # fmt: skip
def test_an_inner_address_is_not_public(address: str) -> None:
    assert not outgoing.is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert outgoing.is_public(address)


def test_no_connection_is_made_to_a_name_of_which_one_address_is_inner(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served() as server:
        mixed = [(2, 1, 6, "", ("1.1.1.1", 443)), (2, 1, 6, "", ("127.0.0.1", server.server_port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: mixed)
        with pytest.raises(NotSent, match="not on the public internet") as raised_error:
            outgoing.post("https://rebound.example.org/", b"{}", {})
        assert raised_error.value.for_good
        assert server.got == []  # type: ignore[attr-defined]


def test_a_name_is_looked_up_once_and_connected_to_as_it_was_checked(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def changing(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", ("1.1.1.1" if len(asked) == 1 else "127.0.0.1", 443))]

    connected: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], **_: object) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(NotSent, match="does not answer"):
        outgoing.post("https://rebound.example.org/", b"{}", {})
    assert connected == [("1.1.1.1", 443)]
    assert asked == ["rebound.example.org"]


def test_a_server_that_answers_byte_by_byte_is_cut_off(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    app.config["WEBHOOK_HOSTS"] = (host,)
    monkeypatch.setattr(outgoing, "WHOLE_S", 0.3)

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                for _ in range(200):
                    connection.sendall(b"H")
                    time.sleep(0.05)
            except OSError:
                pass

    thread = threading.Thread(target=drip)
    thread.start()
    began = time.monotonic()
    with pytest.raises(NotSent):
        outgoing.post(f"http://{host}/", b"{}", {})
    assert time.monotonic() - began < 3
    thread.join()
    listener.close()


# --- TLS


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """Make a certificate that nobody knows, for a name; return how a server uses it. It is in ``own.pem``."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now - DAY, now + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    own = folder / "own.pem"
    own.write_bytes(
        made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    return context


@pytest.mark.parametrize(
    ("name", "known", "taken"),
    [("hooks.lab", True, True), ("hooks.lab", False, False), ("other.lab", True, False)],
    ids=["right", "unknown", "of another name"],
)
def test_a_webhook_must_have_a_certificate_of_its_name_although_the_address_is_connected_to(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, known: bool, taken: bool
) -> None:
    context = certificate(tmp_path, name)
    usual = ssl.create_default_context
    if known:
        monkeypatch.setattr(ssl, "create_default_context", lambda: usual(cafile=str(tmp_path / "own.pem")))
    with served() as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who hangs up at the certificate
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        port = server.server_port
        app.config["WEBHOOK_HOSTS"] = ("hooks.lab",)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", port))])
        if taken:
            assert outgoing.post(f"https://hooks.lab:{port}/x?y=1", b"{}", {})[0] == 200
            ((headers, _),) = server.got  # type: ignore[attr-defined]
            assert headers["Host"] == f"hooks.lab:{port}"
        else:
            with pytest.raises(NotSent, match="The certificate of"):
                outgoing.post(f"https://hooks.lab:{port}/", b"{}", {})
            assert server.got == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("known", [True, False])
def test_a_mail_server_gets_letter_and_password_only_with_a_certificate_that_is_known(
    person: int, smtp: Letters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    asked: list[bytes] = []

    def password(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        asked.append(data.password)
        return AuthResult(success=True)

    context = certificate(tmp_path, "mail.lab")
    usual, connect = ssl.create_default_context, socket.create_connection
    if known:
        monkeypatch.setattr(ssl, "create_default_context", lambda: usual(cafile=str(tmp_path / "own.pem")))
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    controller = Controller(
        smtp, hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True, authenticator=password
    )
    controller.start()
    monkeypatch.setattr(
        socket, "create_connection", lambda address, *a, **k: connect(("127.0.0.1", address[1]), *a, **k)
    )
    current_app.config.update(
        SMTP_HOST="mail.lab", SMTP_PORT=port, SMTP_SECURITY="starttls", SMTP_USER="kinelab", SMTP_PASSWORD="secret"
    )
    raised(person)
    send_all(T0)
    controller.stop()
    assert asked == ([b"secret"] if known else [])
    assert len(smtp.letters) == known
    assert notices()[0].state == (SENT if known else WAITING)


# --- push


def subscription(endpoint: str) -> tuple[dict[str, Any], Callable[[bytes], bytes]]:
    """Return what a browser subscribes with, and how it reads what comes."""
    import os

    import http_ece
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from py_vapid.utils import b64urlencode

    key, secret = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    keys = {"p256dh": b64urlencode(point), "auth": b64urlencode(secret)}

    def read(body: bytes) -> bytes:
        read: bytes = http_ece.decrypt(body, private_key=key, auth_secret=secret, version="aes128gcm")
        return read

    return {"endpoint": endpoint, "keys": keys}, read


def test_a_browser_can_read_what_its_push_service_cannot(app: Flask, person: int) -> None:
    from py_vapid import Vapid02

    with served(201) as server:
        host = f"127.0.0.1:{server.server_port}"
        app.config.update(WEBHOOK_HOSTS=(host,), VAPID_CONTACT="mailto:lab@university.edu")
        browser, read = subscription(f"http://{host}/push/abc")
        targets.add_push(person, browser)
        assert len({targets.add_push(person, browser).id for _ in range(2)}) == 1
        alarm = fall(person)
        send_all(T0, PUSH)
        ((headers, body),) = server.got  # type: ignore[attr-defined]
    assert b"fall" not in body
    assert json.loads(read(body)) == {
        "title": "Kinelab: possible fall: are you fine?",
        "body": json.loads(read(body))["body"],
        "url": f"/alarms/{alarm.id}",
        "tag": f"alarm-{alarm.id}",
    }
    assert Vapid02.verify(headers["Authorization"].replace("vapid t=", "vapid t="))
    assert headers["Authorization"].endswith(push.public_key())
    assert headers["Topic"] == f"alarm-{alarm.id}"
    key = app.config["INSTANCE"] / "vapid.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert fresh(alarm.id).state == "pre-alarm"  # the person's own browser is nobody's knowledge


@pytest.mark.parametrize(("status", "says", "on"), [(410, "Subscribe again", False), (403, "Subscribed, but", True)])
def test_a_browser_that_looks_subscribed_but_gets_nothing_says_so(
    app: Flask, person: int, status: int, says: str, on: bool
) -> None:
    with served(status) as server:
        host = f"127.0.0.1:{server.server_port}"
        app.config.update(WEBHOOK_HOSTS=(host,), VAPID_CONTACT="mailto:lab@university.edu")
        target = targets.add_push(person, subscription(f"http://{host}/push/abc")[0])
        targets.test(person, target.id, T0)
        send_all(T0, PUSH)
    db.session.expire_all()
    assert says in target.last_error
    assert target.switched_on == on


def test_a_target_is_tested_only_so_often(app: Flask, post: Post) -> None:
    person = add_person("ada")
    target = add_target(person, to="ada@example.org")
    for _ in range(targets.TESTS_AN_HOUR):
        targets.test(person, target, T0)
    with pytest.raises(Conflict):
        targets.test(person, target, T0)
    send_all(T0)
    assert post.sent == [("ada@example.org", "Kinelab: a test")] * targets.TESTS_AN_HOUR
    targets.test(person, target, T0 + 3601)
    with pytest.raises(NotFound):
        targets.test(add_person("eve"), target, T0)


def test_everybody_who_would_be_told_gets_a_test(person: int, post: Post) -> None:
    add_target(person, to="ursula@example.org")
    assert targets.test_all(person, T0) == 2
    send_all(T0)
    assert {to for to, _ in post.sent} == {"ursula@example.org", "carla@example.org"}
    assert "ursula's alarms" in mail.plain(sending.messages.of(notices()[0]))
