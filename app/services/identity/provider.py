"""The provider of single sign-on, by OpenID Connect: where it sends people, and what its tokens say of them.

The authorisation code flow with PKCE, a state and a nonce for each time. What comes back is believed where its
signature is by a key that the provider publishes and by an asymmetric algorithm, and where issuer, audience, nonce and
times are right. The provider is who the administrator names; all that it answers is bounded in size and time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import current_app

from app.extensions import db
from app.services import audit
from app.services.audit import Action
from app.services.errors import Forbidden, NotFound, ServiceError
from app.services.identity.provider_settings import LOOPBACK, OTHERS, ProviderSettings

log = logging.getLogger(__name__)

# Signatures by a key that only the provider has: neither none, nor HMAC with a secret that both know
ALGORITHMS = [f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)]
KEY_TYPES = {"RSA", "EC"}
LEEWAY_S = 60  # by which clocks may differ
FLOW_S = 600.0  # that somebody may take at the provider
FRESH_S = 120.0  # for how long an answer to "log in anew" is one
KNOWN_S = 3600.0  # for how long what the provider says of itself, and its keys, are believed
SILENT_S = 10.0  # for which a provider that did not answer is not asked again
ASKING = threading.BoundedSemaphore(4)  # threads of the server that may wait for it at once
_EXTENSION = "oidc_provider"


class Unreachable(ServiceError):
    """The provider does not answer."""

    status = 502
    title = "Single sign-on does not answer"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} does not answer at the moment. Try again in a minute, or log in with your username and password."
        )


class Refused(Forbidden):
    """What came back from the provider opens nothing."""

    title = "Single sign-on did not work"


@dataclass(frozen=True)
class Identity:
    """Who somebody is at the provider."""

    issuer: str
    subject: str
    email: str = ""  # only if the provider has verified it
    username: str = ""  # what they are called there; here they may choose
    contact_number: str = ""
    claimed: tuple[str, ...] = ()  # values of the claim that roles follow
    second_factor: bool = False  # the provider asked for one that counts here
    logged_in: float = 0.0  # when they entered what the provider asks for; 0 where it does not say


@dataclass
class _Known:
    """What was read of the provider, in memory."""

    metadata: dict[str, Any] = field(default_factory=dict)
    read_at: float = 0.0
    keys: list[dict[str, Any]] = field(default_factory=list)
    keys_at: float = 0.0
    silent_until: float = 0.0


def settings() -> ProviderSettings:
    """Return what the installation says of its provider."""
    found: ProviderSettings | None = current_app.config["OIDC"]
    if found is None:
        raise NotFound("There is no single sign-on here.")
    return found


def begin(back: str, fresh: bool = False) -> tuple[str, str, dict[str, Any]]:
    """Return the address to send somebody to, the state that comes back with them, and what their browser keeps.

    Parameters
    ----------
    back : address of this site to which they are sent back.
    fresh : they shall show anew who they are.

    Raises
    ------
    Unreachable : the provider does not say where that is.
    """
    with _asking():
        from authlib.common.security import generate_token

        state, kept = generate_token(43), {"nonce": generate_token(43), "verifier": generate_token(64)}
        anew = {"prompt": "login", "max_age": 0} if fresh else {}
        with _session(back) as session:
            address, _ = session.create_authorization_url(
                _endpoint("authorization_endpoint"),
                state=state,
                code_verifier=kept["verifier"],
                nonce=kept["nonce"],
                **anew,
            )
    return address, state, {**kept, "at": time.time()}


def finish(answer: Mapping[str, str], kept: Mapping[str, Any], back: str, fresh: bool = False) -> Identity:
    """Return who came back from the provider.

    Parameters
    ----------
    answer : what is in the address with which they came.
    kept : what `begin` let their browser keep of this state.

    Raises
    ------
    Refused : it is not what was asked for, or nothing to be believed.
    Unreachable : the provider does not answer.
    """
    if time.time() - kept["at"] > FLOW_S:
        raise refused("You took too long. Begin again.", "too late")
    if answer.get("iss", settings().issuer) != settings().issuer:  # RFC 9207: an answer of another provider
        raise _not_believed("answer of another issuer")
    if "error" in answer:
        name = answer["error"] if answer["error"].replace("_", "").isalpha() else "error"
        raise refused(f"{settings().name} did not let you in, or you went back.", f"provider: {name[:40]}")
    with _asking():
        if "iss" not in answer and _metadata().get("authorization_response_iss_parameter_supported"):
            raise _not_believed("answer without its issuer")
        token = _exchange(answer.get("code", ""), str(kept["verifier"]), back)
        claims = _claims(str(token.get("id_token") or ""), str(kept["nonce"]), str(token.get("access_token") or ""))
        identity = _identity(_with_userinfo(claims, str(token.get("access_token") or "")))
    if fresh and not abs(time.time() - identity.logged_in) < FRESH_S + LEEWAY_S:
        raise refused(
            f"{settings().name} does not say that you have just logged in there. Ask an administrator for an address "
            "where you set a password.",
            "not logged in anew",
        )
    return identity


def end_address(back: str) -> str | None:
    """Return where one logs out at the provider, too; None where it has no such page, or does not answer."""
    try:
        with _asking():
            address = _metadata().get("end_session_endpoint")
            if not address:
                return None
            # The ID token, which says the same, is not kept for this
            query = urlencode({"client_id": settings().client_id, "post_logout_redirect_uri": back})
            return f"{_checked(str(address))}{'&' if '?' in address else '?'}{query}"
    except ServiceError:
        return None


def refused(message: str, reason: str, whom: str = "single sign-on") -> Refused:
    """Return an error, once the audit log has its reason."""
    audit.record(Action.LOG_IN, whom, outcome="refused", reason=reason)
    return Refused(message)


def _not_believed(reason: str) -> Refused:
    return refused(f"What {settings().name} answered cannot be believed. Begin again, or ask an administrator.", reason)


def _known() -> _Known:
    known: _Known = current_app.extensions.setdefault(_EXTENSION, _Known())
    return known


@contextmanager
def _asking() -> Iterator[None]:
    """Ask the provider: a few threads at once, none of them with a connection to the database."""
    name = settings().name
    if time.monotonic() < _known().silent_until or not ASKING.acquire(timeout=2.0):
        raise Unreachable(name)
    try:
        db.session.rollback()
        yield
    except (OSError, ValueError, RecursionError) as error:  # requests' errors are of OSError
        from requests import ConnectionError as NoConnection
        from requests import Timeout

        log.warning("the provider of single sign-on: %s: %s", type(error).__name__, error)
        if isinstance(error, (NoConnection, Timeout)):
            _known().silent_until = time.monotonic() + SILENT_S
        raise Unreachable(name) from error
    finally:
        ASKING.release()


@contextmanager
def _session(back: str | None = None) -> Iterator[Any]:
    from authlib.integrations.requests_client import OAuth2Session  # takes a second, and not everybody comes this way

    from app.services.identity.bounded import Bounded

    mine = settings()
    with OAuth2Session(
        mine.client_id,
        mine.client_secret or None,
        token_endpoint_auth_method=_authentication(),
        scope=" ".join(mine.scopes),
        redirect_uri=back,
        code_challenge_method="S256",
    ) as session:
        session.trust_env = False  # no password of a .netrc, no proxy
        session.verify = str(mine.ca_file) if mine.ca_file else True
        session.mount("https://", Bounded())
        session.mount("http://", Bounded())
        yield session


def _authentication() -> str:
    """Return how this site shows the provider that it is itself."""
    if not settings().client_secret:
        return "none"
    taken = _known().metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return "client_secret_basic" if "client_secret_basic" in taken else "client_secret_post"


def _read(address: str, access_token: str = "") -> dict[str, Any]:
    """Return a document of the provider."""
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {access_token}"} if access_token else {})
    with _session() as session:
        response = session.get(_checked(address), headers=headers, withhold_token=True, allow_redirects=False)
        if response.status_code != 200:
            raise ValueError(f"{address} answers {response.status_code}")
        document = response.json()
    if not isinstance(document, dict):
        raise ValueError(f"{address} holds no JSON object")
    return document


def _checked(address: str) -> str:
    """Return an address of the provider; it has TLS, unless all of the provider is on this machine."""
    parts = urlsplit(address)
    here = settings().plain_http and parts.scheme == "http" and parts.hostname in LOOPBACK
    if not (parts.scheme == "https" or here):
        raise ValueError(f"{address!r} has no https")
    return address


def _metadata() -> dict[str, Any]:
    """Return what the provider says of itself (OpenID Connect Discovery)."""
    known = _known()
    if not known.metadata or time.monotonic() - known.read_at > KNOWN_S:
        issuer = settings().issuer
        document = _read(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != issuer:
            raise ValueError(f"OIDC_ISSUER is {issuer}, and there the issuer is {document.get('issuer')!r}")
        known.metadata, known.read_at = document, time.monotonic()
    return known.metadata


def _endpoint(name: str) -> str:
    return _checked(str(_metadata().get(name) or ""))


def _exchange(code: str, verifier: str, back: str) -> Mapping[str, Any]:
    """Return the tokens that a code stands for."""
    from authlib.integrations.base_client import OAuthError

    address = _endpoint("token_endpoint")
    with _session(back) as session:
        try:
            token: Mapping[str, Any] = session.fetch_token(
                address, grant_type="authorization_code", code=code, code_verifier=verifier, allow_redirects=False
            )
        except OAuthError as error:
            log.warning("the provider of single sign-on takes a code for nothing: %s", error)
            raise _not_believed("code refused") from error
    return token


def _claims(token: str, nonce: str, access_token: str) -> dict[str, Any]:
    """Return what an ID token says, once all of it is checked (OpenID Connect Core, 3.1.3.7)."""
    from authlib.oidc.core import CodeIDToken
    from joserfc.errors import JoseError

    mine = settings()
    wanted: Any = {
        "iss": {"essential": True, "value": mine.issuer},
        "aud": {"essential": True, "value": mine.client_id},
        "sub": {"essential": True},
        "nonce": {"essential": True, "value": nonce},
    }
    try:
        decoded = _decoded(token)
        params = {"nonce": nonce, "client_id": mine.client_id, "access_token": access_token}
        claims = CodeIDToken(decoded.claims, decoded.header, wanted, params)
        claims.validate(leeway=LEEWAY_S)
    except JoseError as error:
        log.warning("an ID token is not believed: %s", error)
        raise _not_believed(f"token: {str(error)[:80]}") from error
    if not 0 < len(claims["sub"]) <= 255:
        raise _not_believed("token: subject")
    return dict(claims)


def _decoded(token: str) -> Any:
    """Return a token whose signature is right; keys that are unknown are looked for once more, as they change."""
    from joserfc import jwt
    from joserfc.errors import BadSignatureError, DecodeError, InvalidKeyIdError

    known = _known()
    fresh = not known.keys or time.monotonic() - known.keys_at > KNOWN_S
    while True:
        if fresh:
            found = _read(_endpoint("jwks_uri")).get("keys")
            usable = [key for key in found or () if isinstance(key, dict) and key.get("kty") in KEY_TYPES]
            known.keys, known.keys_at = [key for key in usable if key.get("use", "sig") == "sig"], time.monotonic()
        try:
            return jwt.decode(token, _key_set(known.keys), algorithms=ALGORITHMS)
        except (BadSignatureError, InvalidKeyIdError):
            if fresh:
                raise
            fresh = True
        except (ValueError, TypeError) as error:  # what is no token, or no key, at all
            raise DecodeError(str(error)) from error


def _key_set(keys: list[dict[str, Any]]) -> Any:
    from joserfc.errors import MissingKeyError
    from joserfc.jwk import KeySet

    if not keys:
        raise MissingKeyError("the provider publishes no key")
    return KeySet.import_key_set({"keys": keys})


def _with_userinfo(claims: dict[str, Any], access_token: str) -> dict[str, Any]:
    """Add what the provider tells only at its own address; the token's word stands above."""
    wants_more = "email_verified" not in claims or (
        settings().role_claim and _at(claims, settings().role_claim) is None
    )
    address = _metadata().get("userinfo_endpoint")
    if not (wants_more and address and access_token):
        return claims
    told = _read(str(address), access_token)
    if told.get("sub") != claims["sub"]:
        raise _not_believed("answers about somebody else")
    if claims.get("email", told.get("email")) != told.get("email"):
        told.pop("email_verified", None)  # which is of another address
    return {**told, **claims}


def _identity(claims: dict[str, Any]) -> Identity:
    def text(name: str, longest: int) -> str:
        value = claims.get(name)
        return value[:longest] if isinstance(value, str) and value.isprintable() else ""

    found = _at(claims, settings().role_claim) if settings().role_claim else ()
    claimed = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    named = settings().roles.keys() - {OTHERS}
    methods = claims.get("amr")
    when = claims.get("auth_time")
    return Identity(
        issuer=settings().issuer,
        subject=claims["sub"],
        email=text("email", 254) if claims.get("email_verified") is True else "",
        username=text("preferred_username", 64),
        contact_number=text("phone_number", 32),
        claimed=tuple(value for value in claimed if isinstance(value, str) and value in named),
        second_factor=any(m in settings().second_factors for m in methods or () if isinstance(m, str)),
        logged_in=float(when) if isinstance(when, (int, float)) and not isinstance(when, bool) else 0.0,
    )


def _at(claims: Mapping[str, Any], way: tuple[str, ...]) -> Any:
    """Return what is at the end of a way of names, None where it ends before."""
    value: Any = claims
    for name in way:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
