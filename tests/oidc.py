"""A small provider of OpenID Connect in the process of the tests: real addresses, codes, keys and tokens."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from app.services.identity.provider_settings import ProviderSettings

CLIENT, SECRET = "kinelab", "a secret of the site"
Sign = Callable[["Provider", dict[str, Any]], str]


@dataclass
class Provider:
    """A provider, and what the next person says there; a test changes what it wants to be otherwise."""

    issuer: str
    key: Any
    person: dict[str, Any] = field(default_factory=dict)  # claims about who logs in
    changed: dict[str, Any] = field(default_factory=dict)  # claims of the token that are otherwise than they should be
    left_out: tuple[str, ...] = ()
    told_apart: dict[str, Any] = field(default_factory=dict)  # what only the userinfo endpoint tells
    sign: Sign | None = None
    answers: dict[str, str] = field(default_factory=dict)  # otherwise in the address that leads back
    metadata: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # paths, as they came
    published: list[Any] = field(default_factory=list)

    def renew(self, person: dict[str, Any], key: Any) -> None:
        """Be as at first, with somebody in front."""
        vars(self).update(vars(Provider(self.issuer, key, dict(person))))

    def discovery(self) -> dict[str, Any]:
        names = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "end_session": "end"}
        return {
            "issuer": self.issuer,
            **{f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in names.items()},
            "jwks_uri": f"{self.issuer}/keys",
            **self.metadata,
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Return where somebody is sent back to who has just logged in here."""
        wanted = {"response_type": "code", "client_id": CLIENT, "code_challenge_method": "S256"}
        assert {name: query[name] for name in wanted} == wanted
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], **self.answers})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        credentials = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '+')}".encode()).decode()
        if authorization not in {f"Basic {credentials}", f"Basic {_basic(SECRET)}"}:
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)  # each works once
        if asked is None or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        challenge = base64.urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if challenge != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "nonce": asked["nonce"],
            "iat": int(time.time()),
            "exp": int(time.time()) + 300,
            "auth_time": int(time.time()) if asked.get("max_age") == "0" else int(time.time()) - 7200,
            **self.person,
            **self.changed,
        }
        claims = {name: value for name, value in claims.items() if name not in self.left_out}
        signed = (self.sign or signed_rightly)(self, claims)
        return 200, {"access_token": "of " + self.person["sub"], "token_type": "Bearer", "id_token": signed}


def _basic(secret: str) -> str:
    return base64.b64encode(f"{CLIENT}:{secret}".encode()).decode()


def signed_rightly(provider: Provider, claims: dict[str, Any]) -> str:
    algorithm = "RS256" if provider.key.key_type == "RSA" else "ES256"
    return jwt.encode({"alg": algorithm, "kid": provider.key.kid}, claims, provider.key, algorithms=[algorithm])


def rsa_key() -> RSAKey:
    return RSAKey.generate_key(2048, auto_kid=True)


def ec_key() -> ECKey:
    return ECKey.generate_key("P-256", auto_kid=True)


@contextmanager
def running(key: Any) -> Iterator[Provider]:
    """Run a provider at an address of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def answer(self, status: int, document: Any = None, **headers: str) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            provider.asked.append(parts.path)
            if parts.path == "/.well-known/openid-configuration":
                self.answer(200, provider.discovery())
            elif parts.path == "/keys":
                keys = [each.as_dict(private=False) for each in provider.published or [provider.key]]
                self.answer(200, {"keys": [{"kty": "AKP", "kid": "of a later time"}, *keys]})
            elif parts.path == "/authorize":
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.answer(302, Location=provider.authorize(query))
            elif parts.path == "/userinfo" and self.headers["Authorization"] == f"Bearer of {provider.person['sub']}":
                self.answer(200, {"sub": provider.person["sub"], **provider.told_apart})
            else:
                self.answer(404)

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(text).items()}
            self.answer(*provider.token(form, self.headers["Authorization"] or ""))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_port}", key)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def settings(provider: Provider, **changed: Any) -> ProviderSettings:
    """Return what an installation says that uses a provider."""
    return ProviderSettings(
        **{"issuer": provider.issuer, "client_id": CLIENT, "name": "Clinic", "client_secret": SECRET, **changed}
    )


def visit(address: str) -> str:
    """Open an address at the provider as a browser does; return the address that it leads back to."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        response = connection.getresponse()
        response.read()
        assert response.status == 302, response.status
        return response.headers["Location"]
    finally:
        connection.close()
