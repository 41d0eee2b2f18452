"""The lab's own authority: what it certifies, and when anew."""

from __future__ import annotations

import logging
import plistlib
import stat
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from app.services import authority
from app.services.authority import Names, Signed

NAMES = Names(("lab1", "lab1.local", "localhost"), (ip_address("192.168.1.7"), ip_address("127.0.0.1")))


def names_in(certificate: x509.Certificate) -> set[str]:
    certified = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in certified}


def test_the_certificate_is_of_an_authority_that_can_certify_no_site_of_the_world(tmp_path: Path) -> None:
    server = Signed.read(authority.certificate_file(tmp_path / "tls", NAMES)).certificate
    root = Signed.read(tmp_path / "tls" / "authority.pem").certificate
    server.verify_directly_issued_by(root)
    assert names_in(server) == {"lab1", "lab1.local", "localhost", "192.168.1.7", "127.0.0.1"}
    assert server.not_valid_after_utc - server.not_valid_before_utc <= timedelta(days=397)
    used = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(used) == [ExtendedKeyUsageOID.SERVER_AUTH]
    constraints = root.extensions.get_extension_for_class(x509.NameConstraints)
    permitted = [each.value for each in constraints.value.permitted_subtrees or []]
    assert constraints.critical
    assert {"lab1", "local"} <= set(permitted)
    assert not any(ip_address("192.0.2.1") in each for each in permitted if not isinstance(each, str))
    files = list((tmp_path / "tls").iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len(files) == 2


def test_it_is_kept_until_an_address_comes_or_its_end_nears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = authority.certificate_file(tmp_path, NAMES).read_bytes()
    root = (tmp_path / "authority.pem").read_bytes()
    fewer = Names(NAMES.hosts, NAMES.addresses[1:])
    assert authority.certificate_file(tmp_path, fewer).read_bytes() == first
    moved = Names(NAMES.hosts, (ip_address("10.1.2.3"), *NAMES.addresses[1:]))
    second = authority.certificate_file(tmp_path, moved)
    assert "10.1.2.3" in names_in(Signed.read(second).certificate)
    text, then = second.read_bytes(), authority._now()
    monkeypatch.setattr(authority, "_now", lambda: then + timedelta(days=350))
    assert authority.certificate_file(tmp_path, moved).read_bytes() == text
    monkeypatch.setattr(authority, "_now", lambda: then + timedelta(days=365))
    assert authority.certificate_file(tmp_path, moved).read_bytes() != text
    assert (tmp_path / "authority.pem").read_bytes() == root
    monkeypatch.setattr(authority, "_now", lambda: then + timedelta(days=3500))
    authority.certificate_file(tmp_path, moved)
    assert (tmp_path / "authority.pem").read_bytes() != root


def test_what_the_authority_may_not_certify_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority.certificate_file(tmp_path, NAMES)
    abroad = Names((*NAMES.hosts, "lab.example.org"), (*NAMES.addresses, ip_address("198.51.100.9")))
    with caplog.at_level(logging.WARNING):
        path = authority.certificate_file(tmp_path, abroad)
    assert names_in(Signed.read(path).certificate) == names_in(Signed.read(tmp_path / "server.pem").certificate)
    assert "lab.example.org" not in names_in(Signed.read(path).certificate)
    assert "may not certify lab.example.org" in caplog.text
    assert "may not certify 198.51.100.9" in caplog.text
    of_campus = authority.certificate_file(tmp_path / "new", abroad)
    assert {"lab.example.org", "198.51.100.9"} <= names_in(Signed.read(of_campus).certificate)


def test_a_profile_holds_the_certificate_and_replaces_itself(tmp_path: Path) -> None:
    root = authority.the_authority(tmp_path, NAMES).certificate
    profile = plistlib.loads(authority.as_profile(root))
    assert profile == plistlib.loads(authority.as_profile(root))
    (payload,) = profile["PayloadContent"]
    assert payload["PayloadType"] == "com.apple.security.root"
    assert x509.load_der_x509_certificate(payload["PayloadContent"]) == root
    assert profile["PayloadUUID"] != payload["PayloadUUID"]


def test_this_machine_has_a_name_and_an_address() -> None:
    names = authority.names_of_machine(["lab.example.org", "203.0.113.5"])
    assert names.hosts[0] == "lab.example.org"
    assert names.hosts[-1] == "localhost"
    assert names.addresses[0] == ip_address("203.0.113.5")
    assert {ip_address("127.0.0.1"), ip_address("::1")} <= set(names.addresses)
    assert authority.reachable(names)[0] == "203.0.113.5"
    assert authority.reachable(Names(("localhost",), (ip_address("127.0.0.1"),))) == ["localhost"]
