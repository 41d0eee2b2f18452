"""Single sign-on with a real provider, and all that does not open an account by it."""

from __future__ import annotations

import base64
import hmac
import html
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from joserfc import jwt
from joserfc.jwk import OctKey
from pyotp import TOTP
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.extensions import db
from app.services import accounts, audit_reading
from app.services.audit_reading import AuditQuery
from app.services.identity import provider as asked
from app.services.identity import second_factor, sign_on
from app.services.identity.provider_settings import ProviderSettings
from app.services.privacy import erasing, exporting
from app.tables import Consent, IdentityLink, Role, User
from config import Config
from tests import oidc
from tests.conftest import PASSWORD, application
from tests.oidc import Provider

ADA = {"sub": "248289761001", "email": "ada@clinic.example", "email_verified": True, "preferred_username": "Ada"}
NEW = {"new-username": "ada", "new-contact_number": "", "new-address": "", "new-submit": "Create account"}
LogIn = Callable[..., FlaskClient]


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with oidc.running(oidc.rsa_key()) as provider:
        yield provider


@pytest.fixture
def provider(running: Provider, app: Flask) -> Iterator[Provider]:
    """Return a provider that the application uses."""
    key = running.key
    running.renew(ADA, key)
    app.config["OIDC"] = oidc.settings(running)
    yield running
    running.renew(ADA, key)


@pytest.fixture(scope="module")
def shared_app(
    running: Provider,
    tmp_path_factory: pytest.TempPathFactory,
    migrated_home: Path,
    compiled_templates: FileSystemBytecodeCache,
) -> Iterator[Flask]:
    """Return one application for all that is refused and changes nothing."""
    home = tmp_path_factory.mktemp("sign-on") / "home"
    with application(home, migrated_home, compiled_templates) as app:
        app.config["OIDC"] = oidc.settings(running)
        yield app


def leave(client: FlaskClient, address: str = "/login/provider", **data: str) -> str:
    """Post a form that leads to the provider; return the address there."""
    response = client.post(address, data=data)
    assert response.status_code == 200, response.text
    return html.unescape(re.findall(r'content="0; url=([^"]+)"', response.text)[0])


def come_back(client: FlaskClient, address: str) -> TestResponse:
    """Log in at the provider, and open the address that it leads back to."""
    back = urlsplit(oidc.visit(address))
    return client.get(f"{back.path}?{back.query}")


def enter(client: FlaskClient, goes_to: str = "") -> TestResponse:
    return come_back(client, leave(client, f"/login/provider?next={goes_to}"))


def is_logged_in(client: FlaskClient) -> bool:
    return client.get("/account/").status_code == 200


def flashed(client: FlaskClient) -> str:
    return client.get("/login").text


def registered(app: Flask, **answers: str) -> FlaskClient:
    """Make Ada's account by single sign-on; return a client in which it is open."""
    client = app.test_client()
    assert enter(client).location.startswith("/login/provider/first-time")
    assert client.post("/login/provider/first-time", data=NEW | answers).status_code == 302
    return client


def lines(action: str) -> list[dict[str, Any]]:
    opened = map(json.loads, audit_reading.as_json_lines(AuditQuery()))
    return [line for line in opened if line["action"] == action]


def test_somebody_new_is_asked_once_and_comes_in_without_a_question_afterwards(app: Flask, provider: Provider) -> None:
    client = app.test_client()
    assert "Log in with Clinic" in client.get("/login").text
    first = enter(client, "/predictions/")
    assert first.location == "/login/provider/first-time?next=/predictions/"
    page = client.get(first.location).text
    assert 'value="ada"' in page  # what they are called there, in our letters
    assert "With an account you agree to this" in page
    assert 'name="new-email"' not in page  # the provider has verified it
    assert accounts.all_users() == []

    made = client.post(first.location, data=NEW)
    assert made.location == "/predictions/"
    user = accounts.find("ada")
    assert (user.email, user.role, user.has_password) == ("ada@clinic.example", Role.USER, False)
    assert db.session.scalars(select(Consent.purpose)).all() == ["recognition"]
    link = db.session.scalars(select(IdentityLink)).one()
    assert (link.issuer, link.subject, link.user_id) == (provider.issuer, ADA["sub"], user.id)

    again = app.test_client()
    assert enter(again, "/live/").location == "/live/"
    assert is_logged_in(again)
    assert [(line["actor"], line["object"]) for line in lines("log-in")] == [("ada", "single sign-on")] * 2
    assert len(accounts.all_users()) == 1


def test_nothing_of_the_session_before_lives_on_and_a_code_works_once(app: Flask, provider: Provider) -> None:
    registered(app)
    client = app.test_client()
    with client.session_transaction() as before:
        before["of somebody else"] = "a draft"
    back = urlsplit(oidc.visit(leave(client)))
    assert client.get(f"{back.path}?{back.query}").location == "/"
    with client.session_transaction() as after:
        assert "of somebody else" not in after
    client.post("/logout")
    client.get(f"{back.path}?{back.query}")
    assert not is_logged_in(client)
    assert "was used before" in flashed(client)


def unsigned(provider: Provider, claims: dict[str, Any]) -> str:
    parts = [json.dumps({"alg": "none"}).encode(), json.dumps(claims).encode()]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


def by_the_public_key(provider: Provider, claims: dict[str, Any]) -> str:
    """Sign by HMAC with what everybody knows: the public key as a secret."""
    form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    pem = provider.key.public_key.public_bytes(*form)
    return by_secret(pem, provider, claims)


def by_secret(secret: bytes, provider: Provider, claims: dict[str, Any]) -> str:
    def part(document: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    signed = f"{part({'alg': 'HS256', 'kid': provider.key.kid})}.{part(claims)}"
    digest = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def by_the_client_secret(provider: Provider, claims: dict[str, Any]) -> str:
    key = OctKey.import_key(oidc.SECRET)
    return jwt.encode({"alg": "HS256", "kid": provider.key.kid}, claims, key, algorithms=["HS256"])


def by_somebody_else(provider: Provider, claims: dict[str, Any]) -> str:
    key = oidc.ec_key()
    return jwt.encode({"alg": "ES256", "kid": provider.key.kid}, claims, key, algorithms=["ES256"])


def by_an_unknown_key(provider: Provider, claims: dict[str, Any]) -> str:
    key = oidc.ec_key()
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key, algorithms=["ES256"])


def changed_afterwards(provider: Provider, claims: dict[str, Any]) -> str:
    header, _, signature = oidc.signed_rightly(provider, claims).split(".")
    payload = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "somebody else"}).encode()).decode().rstrip("=")
    return f"{header}.{payload}.{signature}"


WRONG: dict[str, tuple[dict[str, Any], str]] = {  # what is otherwise, and what the audit log says
    "issuer": ({"changed": {"iss": "https://login.elsewhere.example"}}, "'iss'"),
    "audience": ({"changed": {"aud": "another site"}}, "'aud'"),
    "audiences without a party": (
        {"changed": {"aud": ["kinelab", "another site"]}},
        "missing_claim: Missing claim: 'azp'",
    ),
    "party": ({"changed": {"aud": ["kinelab", "another site"], "azp": "another site"}}, "'azp'"),
    "party of one audience": ({"changed": {"azp": "another site"}}, "'azp'"),
    "nonce": ({"changed": {"nonce": "of another time"}}, "'nonce'"),
    "no nonce": ({"left_out": ("nonce",)}, "'nonce'"),
    "expired": ({"changed": {"exp": 1_700_000_000}}, "expired"),
    "never expires": ({"left_out": ("exp",)}, "'exp'"),
    "of the future": ({"changed": {"iat": 4_000_000_000}}, "future"),
    "no subject": ({"left_out": ("sub",)}, "'sub'"),
    "a subject too long": ({"changed": {"sub": "x" * 256}}, "subject"),
    "an empty subject": ({"changed": {"sub": ""}}, "'sub'"),
    "no signature": ({"sign": unsigned}, "unsupported_algorithm"),
    "HMAC of the public key": ({"sign": by_the_public_key}, "unsupported_algorithm"),
    "HMAC of the secret": ({"sign": by_the_client_secret}, "unsupported_algorithm"),
    "a key of another kind": ({"sign": by_somebody_else}, "invalid_key_type"),
    "a key that is not published": ({"sign": by_an_unknown_key}, "invalid_key_id"),
    "changed afterwards": ({"sign": changed_afterwards}, "bad_signature"),
    "no token": ({"sign": lambda provider, claims: "abc"}, "decode_error"),
    "another access token": ({"changed": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}, "'at_hash'"),
    "an answer of another issuer": (
        {"answers": {"iss": "https://login.elsewhere.example"}},
        "answer of another issuer",
    ),
    "an answer without its issuer": (
        {"metadata": {"authorization_response_iss_parameter_supported": True}},
        "answer without its issuer",
    ),
    "another state": ({"answers": {"state": "guessed"}}, "state"),
    "another code": ({"answers": {"code": "guessed"}}, "code refused"),
    "an error": ({"answers": {"error": "access_denied"}}, "provider: access_denied"),
    "userinfo about somebody else": (
        {"left_out": ("email_verified",), "told_apart": {"sub": "somebody else"}},
        "answers about somebody else",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_believed_opens_nothing(shared_app: Flask, running: Provider, what: str) -> None:
    key = running.key
    running.renew(ADA, key)
    shared_app.extensions.pop(asked._EXTENSION, None)
    wrong, reason = WRONG[what]
    for name, value in wrong.items():
        setattr(running, name, value)
    client = shared_app.test_client()
    try:
        answer = enter(client)
    finally:
        running.renew(ADA, key)
    assert answer.location.startswith("/login?") or answer.location == "/login"
    assert "alert-danger" in flashed(client)
    assert client.get("/login/provider/first-time").location.startswith("/login")
    assert lines("log-in")[-1]["outcome"] == "refused"
    assert reason in lines("log-in")[-1]["details"]["reason"]
    assert accounts.all_users() == []


def test_a_right_token_of_the_same_application_opens(shared_app: Flask, running: Provider) -> None:
    """What is refused above is refused for its own reason."""
    running.renew(ADA, running.key)
    assert enter(shared_app.test_client()).location.startswith("/login/provider/first-time")


def test_a_state_is_of_one_browser(app: Flask, provider: Provider) -> None:
    registered(app)
    back = urlsplit(oidc.visit(leave(app.test_client())))
    other = app.test_client()
    assert other.get(f"{back.path}?{back.query}").location == "/login"
    assert not is_logged_in(other)


def test_an_answer_that_comes_late_opens_nothing(
    app: Flask, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(app)
    client = app.test_client()
    back = urlsplit(oidc.visit(leave(client)))
    monkeypatch.setattr(asked, "FLOW_S", -1.0)
    client.get(f"{back.path}?{back.query}")
    assert not is_logged_in(client)


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "", "/" + "x" * 4000]
)
def test_one_is_sent_to_pages_of_this_site_alone(shared_app: Flask, running: Provider, target: str) -> None:
    running.renew(ADA, running.key)
    client = shared_app.test_client()
    response = client.post("/login/provider", query_string={"next": target})
    address = html.unescape(re.findall(r'content="0; url=([^"]+)"', response.text)[0])
    assert come_back(client, address).location == "/login/provider/first-time?next=/"
    evil = client.get("/login/provider/first-time", query_string={"next": target})
    assert evil.status_code == 200


def test_no_form_of_another_site_begins_it(app: Flask, provider: Provider) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    assert app.test_client().post("/login/provider").status_code == 400
    assert provider.asked == []


def test_an_address_is_verified_where_it_is_told(shared_app: Flask, running: Provider) -> None:
    running.renew(ADA, running.key)
    running.left_out, running.told_apart = ("email", "email_verified"), {"email": "a@b.example", "email_verified": True}
    assert "a@b.example" in shared_client_page(shared_app)
    running.left_out = ("email_verified",)  # the other address is verified, this one is not
    assert 'name="new-email"' in shared_client_page(shared_app)
    running.renew(ADA, running.key)


def shared_client_page(app: Flask) -> str:
    client = app.test_client()
    return client.get(enter(client).location).text


def test_an_address_that_is_not_verified_is_nobodys(app: Flask, provider: Provider) -> None:
    provider.person["email_verified"] = False
    client = app.test_client()
    first = enter(client).location
    page = client.get(first).text
    assert 'name="new-email"' in page
    assert ADA["email"] not in page
    assert client.post(first, data=NEW).status_code == 422
    assert client.post(first, data=NEW | {"new-email": "ada@home.example"}).status_code == 302
    assert accounts.find("ada").email == "ada@home.example"


def test_an_account_with_the_same_address_is_opened_by_its_password_alone(
    app: Flask, provider: Provider, log_in: LogIn
) -> None:
    log_in("grace")
    accounts.change_details(accounts.find("grace").id, "", ADA["email"], "")
    client = app.test_client()
    first = enter(client).location
    page = client.get(first).text
    assert "There is an account with your e-mail address" in page
    assert "grace" not in page
    assert client.post(first, data=NEW).status_code == 422  # no second one either
    own = {"own-username": "grace", "own-submit": "Link it and log in"}
    assert client.post(first, data=own | {"own-password": "wrong"}).status_code == 422
    assert db.session.scalars(select(IdentityLink)).all() == []
    assert client.post(first, data=own | {"own-password": PASSWORD}).location == "/"
    again = app.test_client()
    enter(again)
    assert "grace" in again.get("/account/").text
    assert len(accounts.all_users()) == 1


def test_linking_by_password_asks_for_the_second_factor_too(app: Flask, provider: Provider, log_in: LogIn) -> None:
    log_in("grace")
    secret = with_second_factor("grace")
    client = app.test_client()
    first = enter(client).location
    own = {"own-username": "grace", "own-password": PASSWORD, "own-submit": "Link it and log in"}
    code_page = client.post(first, data=own).location
    assert code_page.startswith("/login/code")
    assert db.session.scalars(select(IdentityLink)).all() == []
    client.post(code_page, data={"code": TOTP(secret).at(time.time() + 30)})
    assert is_logged_in(client)
    assert sign_on.link_of(accounts.find("grace").id) is not None


def test_who_came_from_the_provider_links_nothing_by_logging_in_as_usual(
    app: Flask, provider: Provider, log_in: LogIn
) -> None:
    log_in("grace")
    client = app.test_client()
    enter(client)
    client.post("/login", data={"username": "grace", "password": PASSWORD})
    assert is_logged_in(client)
    assert client.get("/login/provider/first-time").location == "/"
    assert db.session.scalars(select(IdentityLink)).all() == []


def with_second_factor(name: str) -> str:
    user = accounts.find(name)
    salt = second_factor.new_salt()
    secret = second_factor.secret_of(user, salt)
    second_factor.switch_on(user.id, salt, TOTP(secret).at(time.time()), "")
    return secret


def test_the_second_factor_is_asked_for_here_unless_a_setting_lets_the_provider_do_it(
    app: Flask, provider: Provider
) -> None:
    registered(app)
    secret = with_second_factor("ada")
    provider.person["amr"] = ["pwd", "mfa"]
    client = app.test_client()
    code_page = enter(client, "/live/").location
    assert code_page == "/login/code?next=/live/"
    assert not is_logged_in(client)
    assert client.post(code_page, data={"code": TOTP(secret).at(time.time() + 30)}).location == "/live/"

    app.config["OIDC"] = oidc.settings(provider, second_factors=frozenset({"mfa"}))
    assert enter(app.test_client()).location == "/"
    provider.person["amr"] = ["pwd"]
    assert enter(app.test_client()).location.startswith("/login/code")


def test_who_is_disabled_here_stays_out(app: Flask, provider: Provider, log_in: LogIn) -> None:
    log_in("adam", role="admin")
    registered(app)
    accounts.set_disabled(accounts.find("adam").id, accounts.find("ada").id, True)
    client = app.test_client()
    assert enter(client).location.startswith("/login")
    assert "Your account here is disabled" in flashed(client)
    assert not is_logged_in(client)


def test_who_was_erased_is_nobody_again(app: Flask, provider: Provider) -> None:
    client = registered(app)
    number = accounts.find("ada").id
    assert b"single sign-on" in b"".join(exporting.zipped(number))
    erasing.erase(number)
    assert not is_logged_in(client)
    assert db.session.scalars(select(IdentityLink)).all() == []
    back = app.test_client()
    assert enter(back).location.startswith("/login/provider/first-time")
    assert accounts.all_users() == []


def test_without_new_accounts_only_those_that_are_there_are_opened(
    app: Flask, provider: Provider, log_in: LogIn
) -> None:
    app.config["OIDC"] = oidc.settings(provider, new_accounts=False)
    log_in("grace")
    client = app.test_client()
    first = enter(client).location
    assert "New accounts are made by an administrator" in client.get(first).text
    assert client.post(first, data=NEW).status_code == 422
    assert [user.username for user in accounts.all_users()] == ["grace"]


ROLES = {"lab-admins": "admin", "nurses": "caregiver", "*": "user"}


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["staff"], "user"), (["nurses"], "caregiver"), (["nurses", "lab-admins"], "admin"), ("lab-admins", "admin"),
        ([], "user"), (None, "user"), (7, "user"), ([["lab-admins"], {}], "user"), (["*"], "user"),
    ],
)  # fmt: skip
def test_values_of_the_claim_give_roles(shared_app: Flask, running: Provider, groups: object, role: str) -> None:
    running.renew(ADA, running.key)
    shared_app.config["OIDC"] = oidc.settings(running, role_claim=("realm", "groups"), roles=ROLES)
    identity = asked._identity(ADA | {"realm": {"groups": groups}})
    assert sign_on.role_of(identity) is Role(role)
    shared_app.config["OIDC"] = oidc.settings(running)
    assert sign_on.role_of(identity) is None


def test_a_role_follows_the_provider_at_each_log_in(app: Flask, provider: Provider, log_in: LogIn) -> None:
    app.config["OIDC"] = oidc.settings(provider, role_claim=("groups",), roles=ROLES)
    provider.told_apart = {"groups": ["lab-admins"]}  # the token does not tell, the userinfo endpoint does
    client = registered(app)
    assert accounts.find("ada").role is Role.ADMIN

    provider.told_apart = {"groups": []}
    enter(last := app.test_client())
    assert accounts.find("ada").role is Role.ADMIN  # the last one stays
    assert is_logged_in(last)
    assert [line["outcome"] for line in lines("role changed")] == ["refused"]

    log_in("adam", role="admin")
    enter(app.test_client())
    assert accounts.find("ada").role is Role.USER
    assert not is_logged_in(client)  # what was open with more power is closed

    app.config["OIDC"] = oidc.settings(provider, role_claim=("groups",), roles={"nurses": "caregiver"})
    refused = app.test_client()
    assert enter(refused).location.startswith("/login")
    assert "gives you no role here" in flashed(refused)


def test_keys_that_the_provider_has_changed_are_looked_for(app: Flask, provider: Provider) -> None:
    registered(app)
    old, provider.key = provider.key, oidc.ec_key()
    provider.published = [old, provider.key]
    client = app.test_client()
    enter(client)
    assert is_logged_in(client)
    assert provider.asked.count("/keys") == 2

    provider.published = [provider.key]
    asked._known().keys_at -= asked.KNOWN_S + 1  # an hour later the old one opens nothing
    provider.sign = lambda provider, claims: jwt.encode({"alg": "RS256", "kid": old.kid}, claims, old)
    enter(late := app.test_client())
    assert not is_logged_in(late)
    provider.key = old


def test_while_the_provider_is_silent_passwords_open_and_the_page_says_so(
    app: Flask, provider: Provider, log_in: LogIn
) -> None:
    log_in("grace")
    app.config["OIDC"] = oidc.settings(provider, issuer="http://127.0.0.1:9")
    client = app.test_client()
    began = time.perf_counter()
    assert client.post("/login/provider").location == "/login"
    assert "Clinic does not answer at the moment" in flashed(client)
    assert client.post("/login/provider").location == "/login"
    assert time.perf_counter() - began < 3  # the second time nobody is asked
    client.post("/login", data={"username": "grace", "password": PASSWORD})
    assert is_logged_in(client)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://login.elsewhere.example"},
        {"authorization_endpoint": ""},
        {"authorization_endpoint": None, "padding": "x" * 600_000},
    ],
)
def test_a_provider_that_says_something_else_is_not_gone_to(
    shared_app: Flask, running: Provider, metadata: dict[str, Any]
) -> None:
    running.renew(ADA, running.key)
    shared_app.extensions.pop(asked._EXTENSION, None)
    running.metadata = metadata
    client = shared_app.test_client()
    assert client.post("/login/provider").location == "/login"
    assert "does not answer" in flashed(client)
    running.renew(ADA, running.key)
    shared_app.extensions.pop(asked._EXTENSION, None)


def test_addresses_without_tls_are_not_gone_to(shared_app: Flask, running: Provider) -> None:
    shared_app.config["OIDC"] = oidc.settings(running, issuer="https://login.clinic.example")
    with pytest.raises(ValueError, match="no https"):
        asked._checked("http://login.clinic.example/token")
    shared_app.config["OIDC"] = oidc.settings(running)


def test_an_account_is_linked_and_unlinked_by_its_owner(
    app: Flask, provider: Provider, user_client: FlaskClient
) -> None:
    assert "is not linked" in user_client.get("/account/single-sign-on").text
    wrong = user_client.post("/account/single-sign-on/link", data={"password": "wrong"})
    assert wrong.location == "/account/single-sign-on"
    address = leave(user_client, "/account/single-sign-on/link", password=PASSWORD)
    assert come_back(user_client, address).location == "/account/single-sign-on"
    assert ADA["sub"] in user_client.get("/account/single-sign-on").text
    enter(other := app.test_client())
    assert "ursula" in other.get("/account/").text

    assert user_client.post("/account/single-sign-on/unlink", data={"password": "wrong"}).status_code == 302
    assert sign_on.link_of(accounts.find("ursula").id) is not None
    user_client.post("/account/single-sign-on/unlink", data={"password": PASSWORD})
    assert sign_on.link_of(accounts.find("ursula").id) is None
    assert [line["outcome"] for line in lines("single sign-on linked")] == ["refused", "done"]
    assert [line["outcome"] for line in lines("single sign-on unlinked")] == ["refused", "done"]
    assert enter(app.test_client()).location.startswith("/login/provider/first-time")


def test_one_person_of_the_provider_opens_one_account(app: Flask, provider: Provider, user_client: FlaskClient) -> None:
    registered(app)
    come_back(user_client, leave(user_client, "/account/single-sign-on/link", password=PASSWORD))
    assert "It is linked with another account here" in user_client.get("/account/single-sign-on").text
    assert sign_on.link_of(accounts.find("ursula").id) is None


def test_what_was_begun_while_logged_in_ends_with_that_session(
    app: Flask, provider: Provider, user_client: FlaskClient
) -> None:
    address = leave(user_client, "/account/single-sign-on/link", password=PASSWORD)
    with user_client.session_transaction() as kept:
        kept.pop("_user_id")
    assert come_back(user_client, address).location == "/login"
    assert db.session.scalars(select(IdentityLink)).all() == []


def test_without_a_password_the_provider_confirms_who_it_is(app: Flask, provider: Provider) -> None:
    client = registered(app)
    assert "confirm at Clinic" in client.get("/account/delete").text
    assert client.post("/account/delete", data={}).status_code == 403
    assert client.post("/account/single-sign-on/unlink").status_code == 302  # nothing else would open the account
    assert "Confirm first" in client.get("/account/single-sign-on").text

    provider.person = ADA | {"sub": "somebody else"}
    come_back(client, leave(client, "/account/single-sign-on/confirm"))
    assert client.post("/account/delete", data={}).status_code == 403
    provider.person = dict(ADA)
    provider.changed = {"auth_time": int(time.time()) - 7200}  # logged in this morning
    come_back(client, leave(client, "/account/single-sign-on/confirm"))
    assert client.post("/account/delete", data={}).status_code == 403
    provider.changed = {}
    address = leave(client, "/account/single-sign-on/confirm?next=/account/delete")
    assert {"prompt": ["login"], "max_age": ["0"]}.items() <= parse_qs(urlsplit(address).query).items()
    assert come_back(client, address).location == "/account/delete"
    assert "has confirmed that it is you" in client.get("/account/delete").text
    client.post("/account/single-sign-on/unlink")
    assert "Set a password first" in client.get("/account/single-sign-on").text
    assert client.post("/account/delete", data={}).location == "/"
    assert accounts.all_users() == []


def test_a_first_password_is_set_and_the_account_unlinked(app: Flask, provider: Provider) -> None:
    client = registered(app)
    guess = app.test_client()
    guess.post("/login", data={"username": "ada", "password": ""})
    guess.post("/login", data={"username": "ada", "password": "anything at all"})
    assert not is_logged_in(guess)
    new = {"password": PASSWORD, "password_again": PASSWORD}
    assert client.post("/password", data=new).status_code == 403
    come_back(client, leave(client, "/account/single-sign-on/confirm"))
    assert client.post("/password", data=new).status_code == 302
    assert accounts.find("ada").has_password
    client.post("/account/single-sign-on/unlink", data={"password": PASSWORD})
    assert sign_on.link_of(accounts.find("ada").id) is None
    local = app.test_client()
    local.post("/login", data={"username": "ada", "password": PASSWORD})
    assert is_logged_in(local)


def test_logging_out_leads_on_to_the_provider_where_one_came_by_it(
    app: Flask, provider: Provider, user_client: FlaskClient
) -> None:
    client = registered(app)
    enter(client := app.test_client())
    there = urlsplit(leave(client, "/logout"))
    assert not is_logged_in(client)
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{provider.issuer}/end"
    assert parse_qs(there.query)["post_logout_redirect_uri"] == ["http://localhost/login"]
    assert user_client.post("/logout").location == "/"
    provider.metadata = {"end_session_endpoint": None}
    app.extensions.pop(asked._EXTENSION)
    enter(client)
    assert client.post("/logout").location == "/"


def test_without_a_provider_there_is_no_such_page(client: FlaskClient, user_client: FlaskClient) -> None:
    assert "provider" not in client.get("/login").text
    for address in ("/login/provider/back", "/login/provider/first-time"):
        assert client.get(address).status_code == 404
    assert client.post("/login/provider").status_code == 404
    assert user_client.get("/account/single-sign-on").status_code == 404
    assert "Single sign-on" not in user_client.get("/account/").text
    assert db.session.scalars(select(User.username)).all() == ["ursula"]


ENOUGH = {"OIDC_ISSUER": "https://login.clinic.example", "OIDC_CLIENT_ID": "kinelab"}


def test_settings_say_which_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAR_HOME", str(tmp_path / "home"))
    assert Config().OIDC is None
    (tmp_path / "secret").write_text("of the site\n")
    said = {
        "OIDC_CLIENT_SECRET_FILE": str(tmp_path / "secret"),
        "OIDC_ROLE_CLAIM": "realm_access/roles",
        "OIDC_ROLES": "cn=lab, admins=admin",
    }
    with pytest.raises(SystemExit, match="pairs"):
        configured(monkeypatch, ENOUGH | said)
    found = configured(monkeypatch, ENOUGH | said | {"OIDC_ROLES": "cn=lab=admin, *=user", "OIDC_NEW_ACCOUNTS": "0"})
    assert (found.client_secret, found.role_claim) == ("of the site", ("realm_access", "roles"))
    assert (found.roles, found.new_accounts) == ({"cn=lab": "admin", "*": "user"}, False)
    assert "of the site" not in repr(found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"OIDC_CLIENT_ID": ""},
        {"OIDC_ISSUER": "http://login.clinic.example"},
        {"OIDC_ISSUER": "https://"},
        {"OIDC_ISSUER": "https://login.clinic.example/?realm=staff"},
        {"OIDC_SCOPES": "email"},
        {"OIDC_NEW_ACCOUNTS": "yes"},
        {"OIDC_ROLE_CLAIM": "groups"},
        {"OIDC_ROLES": "lab=chief", "OIDC_ROLE_CLAIM": "groups"},
        {"OIDC_CLIENT_SECRET_FILE": "/nowhere"},
        {"OIDC_CA_FILE": "/nowhere"},
        {"OIDC_NAME": "x" * 61},
    ],
)
def test_a_wrong_setting_is_a_clear_message(
    wrong: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_HOME", str(tmp_path))
    with pytest.raises(SystemExit, match=f"{next(iter(wrong))} (and OIDC_ROLES )?must"):
        configured(monkeypatch, ENOUGH | wrong)


def configured(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> ProviderSettings:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    found = Config().OIDC
    assert found is not None
    return found
