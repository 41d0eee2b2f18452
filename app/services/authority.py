"""The lab's own authority and the certificate of this machine, for `make run-https`.

A phone gives its sensors to a page only over HTTPS, and no public authority certifies an address inside a lab. So the
machine has an authority of its own, made once, which phones install; it signs the certificate that the site shows,
anew whenever the machine's addresses change or the certificate nears its end.
"""

from __future__ import annotations

import logging
import os
import plistlib
import secrets
import socket
import struct
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

log = logging.getLogger(__name__)

AUTHORITY_LASTS = timedelta(days=3652)
CERTIFICATE_LASTS = timedelta(days=390)  # phones take none that is longer than 398
RENEWED_BEFORE = timedelta(days=30)
# What the authority may certify: whoever steals its key cannot pretend to be a site of the world
PRIVATE = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7",
    "fe80::/10", "::1/128",
)  # fmt: skip
LOCAL = ("localhost", "local", "lan", "home.arpa", "internal")

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Names:
    """What a machine is called, the name or address that others most likely reach it by first."""

    hosts: tuple[str, ...]
    addresses: tuple[Address, ...]

    def as_general(self) -> list[x509.GeneralName]:
        """Return them as a certificate has them."""
        return [*map(x509.DNSName, self.hosts), *map(x509.IPAddress, self.addresses)]


@dataclass(frozen=True)
class Signed:
    """A certificate with its key, kept in one file so that they are never of two makings."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def read(cls, path: Path) -> Signed:
        data = path.read_bytes()
        key = serialization.load_pem_private_key(data, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{path} must hold a key of an elliptic curve; found {type(key).__name__}")
        return cls(x509.load_pem_x509_certificate(data), key)

    def write(self, path: Path) -> None:
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(key + self.certificate.public_bytes(serialization.Encoding.PEM))
            draft.replace(path)  # whole or not at all
        finally:
            draft.unlink(missing_ok=True)


def names_of_machine(further: Sequence[str] = ()) -> Names:
    """Return how this machine can be reached, and what else the lab calls it."""
    own = socket.gethostname().lower().rstrip(".")
    hosts = [name for name in further if not _is_address(name)]
    if own and own != "localhost":
        hosts += [own] if "." in own else [own, f"{own}.local"]
    addresses = [ip_address(name) for name in further if _is_address(name)]
    for address in _addresses():
        if not (address.is_unspecified or address.is_link_local or address.is_multicast):
            addresses.append(address)
    return Names(tuple(dict.fromkeys([*hosts, "localhost"])), tuple(dict.fromkeys(addresses)))


def reachable(names: Names) -> list[str]:
    """Return what others may type for this machine, the likeliest first; alone on the machine, what itself types."""
    addresses = [f"[{each}]" if each.version == 6 else str(each) for each in names.addresses if not each.is_loopback]
    hosts = [name for name in names.hosts if name.endswith(".local") or "." in name]
    return [*addresses[:1], *hosts, *addresses[1:]] or ["localhost"]


def certificate_file(folder: Path, names: Names) -> Path:
    """Return the file of this machine's certificate and key, made anew where it must be.

    Parameters
    ----------
    folder
        Where the authority and the certificate are kept; for its owner alone.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, authority = folder / "server.pem", the_authority(folder, names)
    allowed = _allowed(authority.certificate, names)
    if path.exists() and _serves(Signed.read(path).certificate, authority.certificate, allowed):
        return path
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _begun("Kinelab", authority.certificate.subject, key, CERTIFICATE_LASTS)
        .add_extension(x509.SubjectAlternativeName(allowed.as_general()), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    Signed(certificate, key).write(path)
    return path


def the_authority(folder: Path, names: Names) -> Signed:
    """Return the lab's authority, made at the first time, and again when it nears its end."""
    path = folder / "authority.pem"
    if path.exists() and _ends(authority := Signed.read(path)) - _now() > CERTIFICATE_LASTS:
        return authority
    key = ec.generate_private_key(ec.SECP256R1())
    name = f"Kinelab on {names.hosts[0]}"
    certificate = (
        _begun(name, None, key, AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.NameConstraints(_constraints(names), None), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority = Signed(certificate, key)
    authority.write(path)
    return authority


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate as phones show it."""
    return certificate.fingerprint(hashes.SHA256()).hex(" ").upper()


def as_crt(certificate: x509.Certificate) -> bytes:
    """Return a certificate as Android and desktops install it."""
    return certificate.public_bytes(serialization.Encoding.DER)


def as_profile(certificate: x509.Certificate) -> bytes:
    """Return a certificate as the profile that an iPhone installs; the same one replaces itself."""
    same = certificate.fingerprint(hashes.SHA256()).hex()
    name = str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    payload = {
        "PayloadType": "com.apple.security.root",
        "PayloadIdentifier": f"org.kinelab.authority.{same[:16]}.root",
        "PayloadUUID": str(uuid.uuid5(uuid.NAMESPACE_OID, f"root {same}")).upper(),
        "PayloadVersion": 1,
        "PayloadDisplayName": name,
        "PayloadContent": as_crt(certificate),
    }
    profile = {
        "PayloadType": "Configuration",
        "PayloadIdentifier": f"org.kinelab.authority.{same[:16]}",
        "PayloadUUID": str(uuid.uuid5(uuid.NAMESPACE_OID, same)).upper(),
        "PayloadVersion": 1,
        "PayloadDisplayName": name,
        "PayloadDescription": "Lets this phone trust the Kinelab site of your lab, and nothing outside it.",
        "PayloadContent": [payload],
    }
    return plistlib.dumps(profile)


def _begun(
    name: str, issuer: x509.Name | None, key: ec.EllipticCurvePrivateKey, lasts: timedelta
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    begins = _now() - timedelta(hours=12)  # the clock of a phone may be behind
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(**used: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: used.get(name, False) for name in names})


def _constraints(names: Names) -> list[x509.GeneralName]:
    networks = [ip_network(text) for text in PRIVATE]
    # A machine on a campus has a public address; another one of the same network tomorrow
    own = [
        ip_network(f"{each}/{16 if each.version == 4 else 48}", strict=False)
        for each in names.addresses
        if not any(each in network for network in networks)
    ]
    hosts = [name for name in names.hosts if not _is_below(name, LOCAL)]
    return [*map(x509.DNSName, [*LOCAL, *hosts]), *map(x509.IPAddress, dict.fromkeys([*networks, *own]))]


def _allowed(authority: x509.Certificate, names: Names) -> Names:
    """Return the names that an authority may certify; the log says which it may not."""
    permitted = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    hosts = [each.value for each in permitted if isinstance(each, x509.DNSName)]
    networks = [each.value for each in permitted if isinstance(each, x509.IPAddress)]
    allowed = Names(
        tuple(name for name in names.hosts if _is_below(name, hosts)),
        tuple(each for each in names.addresses if any(each in network for network in networks)),  # type: ignore[operator]
    )
    for name in (*names.hosts, *names.addresses):
        if name not in (*allowed.hosts, *allowed.addresses):
            log.warning("The lab's authority may not certify %s. For a new one, delete instance/tls.", name)
    return allowed


def _is_below(name: str, hosts: Sequence[str]) -> bool:
    return any(name == host or name.endswith(f".{host}") for host in hosts)


def _serves(certificate: x509.Certificate, authority: x509.Certificate, names: Names) -> bool:
    """Tell whether a certificate is still good for these names."""
    certified = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # of an authority before
        return False
    return _ends_at(certificate) - _now() > RENEWED_BEFORE and set(names.as_general()) <= set(certified)


def _ends(signed: Signed) -> datetime:
    return _ends_at(signed.certificate)


def _ends_at(certificate: x509.Certificate) -> datetime:
    return certificate.not_valid_after_utc


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


def _is_address(text: str) -> bool:
    with suppress(ValueError):
        ip_address(text)
        return True
    return False


def _addresses() -> Iterator[Address]:
    """Yield the addresses of this machine, the one by which it reaches others first, some twice."""
    for family, other in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((other, 9))  # sends nothing
            yield ip_address(probe.getsockname()[0])
    with suppress(OSError):
        for *_, (address, *_) in socket.getaddrinfo(socket.gethostname(), None):
            yield ip_address(str(address).partition("%")[0])
    yield from _addresses_of_interfaces()
    yield ip_address("127.0.0.1")
    yield ip_address("::1")


def _addresses_of_interfaces() -> Iterator[Address]:
    if sys.platform != "linux":
        return
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # one without an address
                answer = fcntl.ioctl(probe.fileno(), 0x8915, struct.pack("256s", name.encode()[:15]))  # SIOCGIFADDR
                yield ip_address(answer[20:24])
