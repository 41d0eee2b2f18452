"""No value of any field, query parameter or part of an address ends in an unexpected error.

Routes come from the map of addresses. What a route reads is found by watching it: the requests' own dictionaries note
every key that is asked for. So a new route, field or parameter is tried without a line here.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import pytest
from filelock import FileLock
from flask import Flask, Request
from flask.testing import FlaskClient
from flask_wtf import FlaskForm
from jinja2 import FileSystemBytecodeCache
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.routing import AnyConverter, Rule
from werkzeug.test import TestResponse
from wtforms import Field, FieldList, Form, FormField

from app.services.datasets import imports
from app.services.identity import guessing
from app.tables import ModelVersion
from app.web.access import access_of
from app.web.event_streams import Stream
from app.web.forms import PageForm
from tests import homes
from tests.bad_inputs import zipped
from tests.conftest import application, logged_in
from tests.synthetic import kinelab_csv
from tests.tables import labelled
from tests.trained import Example, register_model

HOSTILE = [
    b"", b" ", b"0", b"-1", b"1.5", b"1e400", b"nan", b"-inf", b"sNaN", b"Infinity", b"1E+999999999",
    str(10**30).encode(), b"9" * 5000, "１２".encode(), "²".encode(), "٣".encode(), b"0x10", b"1_000",
    b"\x00", b"a\x00b", b"%00", b"\xed\xa0\x80", b"\xff\xfe", b"x" * 20_000, "💥".encode() * 300,
    "e\u0301\u202e\u200b".encode(), b"../../instance/secret_key", b"..%2f..%2f", b"C:\\x", b"/" * 3000, b"=1+1",
    b"<script>alert(1)</script>", b"'; DROP TABLE user; --", b"{{7*7}}", b"\r\nSet-Cookie: a=b", b"[]", b"{}", b"null",
    b"true", b"None", b"2026-02-30", b"99999-01-01", b"Europe/../etc", b"unknown choice", b"[" * 3000, b"a,b,,c",
    b"a=b", b"*", b"a/9",
]  # fmt: skip
BODIES = [
    ("application/json", b"[]"), ("application/json", b'{"name": {"a": [1]}}'), ("application/json", b"nul"),
    ("application/json", b'{"version": ' + b"9" * 5000 + b"}"), ("application/json", b"[" * 100_000),
    ("application/json", b'"\\ud800"'), ("multipart/form-data", b"--x\r\n"), ("text/plain", b"\xff\xfe\x00"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n\xed\xa0\x80"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--\r\n"),
    ("multipart/form-data; boundary=" + "x" * 300, b"--x--"), ("application/x-www-form-urlencoded", b"%&=&=%00;\xff"),
]  # fmt: skip
FILE_NAMES = ["", ".", "..", "a\x00b.csv", "x" * 5000 + ".csv", "../../x.csv", "💥\u202e.csv", '"\\\r\n', "=1.zip"]
PAGES = {"text/html", "application/json", "application/problem+json"}  # that say what is wrong
LAST = ("cancel", "withdraw", "state", "role", "end", "remove", "delete", "logout")  # what ends the things tried on


class Watched(ImmutableMultiDict[str, Any]):
    """Notes which keys are asked for."""

    asked: ClassVar[set[str]] = set()

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def get(self, key: str, *arguments: Any, **options: Any) -> Any:
        self.asked.add(key)
        return super().get(key, *arguments, **options)

    def getlist(self, key: str, *arguments: Any, **options: Any) -> Any:
        self.asked.add(key)
        return super().getlist(key, *arguments, **options)

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)


class WatchedRequest(Request):
    parameter_storage_class = Watched


@dataclass
class World:
    """A site with one of each thing, and an administrator to whom all of it belongs."""

    app: Flask
    client: FlaskClient
    parts: Mapping[str, Any]  # of addresses, by their names; of tokens, by the beginning of the route's address
    valid: Mapping[str, str]  # answers that are right
    asked: dict[str, set[str]] = field(default_factory=dict)  # by route
    failures: list[str] = field(default_factory=list)
    requests: int = 0

    def rules(self, *methods: str) -> list[tuple[Rule, str]]:
        """Return the routes that may be opened by some methods; those that end what others need come last."""
        found = [
            (rule, method)
            for rule in self.app.url_map.iter_rules()
            for method in sorted(rule.methods or ())
            if method in methods
        ]
        place = {word: number for number, word in enumerate(LAST)}

        def rank(pair: tuple[Rule, str]) -> tuple[int, str]:
            words = pair[0].endpoint.replace(".", "_").split("_")
            return max((1 + place[word] for word in words if word in place), default=0), str(pair[0])

        return sorted(found, key=rank)

    def address(self, rule: Rule, **changes: str) -> str:
        """Return the address of a route, with parts that are there but for the changes, which are quoted already."""
        address = ""
        for is_variable, part in rule._trace:
            if is_variable:
                address += changes.get(part, quote(str(self.part(rule, part))))
            elif part != "|":
                address += part
        return address

    def part(self, rule: Rule, name: str) -> Any:
        converter = rule._converters[name]
        if isinstance(converter, AnyConverter):
            return min(converter.items)
        prefix = next((key for key in self.parts if key.startswith("/") and str(rule).startswith(key)), name)
        return self.parts.get(prefix if name == "token" else name, 1)

    def send(
        self, rule: Rule, method: str, address: str, *, what: str, as_script: bool = False, **options: Any
    ) -> TestResponse:
        """Send a request; note what an unexpected error came of."""
        Watched.asked = set()
        headers = {"Accept": "application/json"} if as_script else {}
        client = self.client if access_of(rule.endpoint) != "public" else self.app.test_client()
        response = client.open(address, method=method, headers=headers, **options)
        response.request.environ["wsgi.input"].close()
        self.requests += 1
        expected = response.status_code < 500 or response.status_code in {503, 507}
        page = response.status_code < 400 or response.mimetype in PAGES
        if not expected or not page:
            self.failures.append(f"{response.status_code} {response.mimetype}: {method} {address[:150]} {what[:150]}")
        return response

    def log_in_again(self) -> None:
        """Get a new account where a request has ended the session or the account."""
        if self.client.get("/account/").status_code != 200:
            self.client = logged_in(self.app, f"adam{self.requests}", role="admin")


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory,
    migrated_home: Path,
    started_home: Path,
    finished_home: Path,
    walking_model: Example,
    compiled_templates: FileSystemBytecodeCache,
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("site")
    with (
        application(folder / "home", migrated_home, compiled_templates) as app,
        pytest.MonkeyPatch.context() as patch,
        FileLock(app.config["INSTANCE"] / "training.lock"),  # no answer begins a training
    ):
        patch.setattr(guessing, "sleep", lambda seconds: None)
        patch.setattr(Stream, "pieces", _ended)
        app.request_class = WatchedRequest
        for name in (homes.EXAMPLE, homes.SMALL):
            homes.copy_dataset(started_home, name, app)
        homes.copy_run(finished_home, 1)
        model = register_model(walking_model, folder / "model", "walking")
        client = logged_in(app, "adam", role="admin")
        logged_in(app, "bob")
        yield World(app, client, _things(client, model), _answers(model))


def _ended(stream: Stream) -> Iterator[bytes]:
    """Tell a page what it begins with, and nothing more: these clients read an answer to its end."""
    stream.end()
    yield from stream._waiting


def _things(client: FlaskClient, model: ModelVersion) -> dict[str, Any]:
    """Make one of each thing that has an address; return the parts of the addresses."""

    def sent(address: str, data: bytes, filename: str, **more: str) -> str:
        form = {"file": (io.BytesIO(data), filename), **more}
        return str(client.post(address, data=form, content_type="multipart/form-data").location)

    recording = sent("/predictions/", kinelab_csv("Walk").encode(), "walk.csv")
    unknown = labelled("Walk", 1, 9.0)
    waiting = sent("/predictions/", unknown.encode(), "own.csv")
    described = sent("/datasets/add", zipped({"Walk/1.csv": unknown}), "own.zip", name="own", describe="y")
    assert imports.get(described.rsplit("/", 1)[1]).done.wait(60)
    client.post("/admin/invitations", data={"role": "user", "hours": "24"})
    client.post(f"{recording}/corrections", data={"from": "0:00:01", "to": "0:00:05", "activity": "Walk"})
    steps = json.dumps([{"activity": "Walk", "start": 1_764_000_000, "end": 1_764_000_009}])
    client.post("/live/devices", data={"name": "phone"})
    calibrated = client.post("/calibration/", data={"place": "leg", "steps": steps}).location
    return {
        "recording_id": int(recording.rsplit("/", 1)[1]), "/mappings/": waiting.rsplit("/", 1)[1],
        "/datasets/": described.rsplit("/", 1)[1], "user_id": 2, "calibration_id": int(calibrated.rsplit("/", 1)[1]),
        "/sites/": "ab" * 16, "site_id": 1, "version_id": model.id, "run_id": 1, "name": homes.SMALL,
        "file_format": "png", "filename": "css/kinelab.css",
    }  # fmt: skip


def _answers(model: ModelVersion) -> dict[str, str]:
    return {
        "version": str(model.id), "dataset": homes.SMALL, "models": "naive-bayes", "protocol": "subject", "seed": "0",
        "window_length_s": "3", "overlap": "0", "name": "new-one", "place": "", "state": "enabled", "role": "admin",
        "answer_limit": "60", "columns-time": "clock", "columns-time_unit": "s", "username": "eve",
        "email": "eve@example.org", "password": "correct horse battery", "password_again": "correct horse battery",
        "recording": "1001_E_1", "activity": "Walk",
        "from": "0:00:01", "to": "0:00:05", "later": "1", "on": "1", "sort": "time", "page": "1",
        "public_key": "ab" * 32, "model": model.label,
    }  # fmt: skip


def chosen(number: int, *what: object) -> list[bytes]:
    """Return some hostile values, for the same things always the same."""
    return random.Random(repr(what)).sample(HOSTILE, number)


def form_of(values: Mapping[str, bytes | str]) -> bytes:
    return urlencode(dict(values)).encode()


def keys_of(world: World, rule: Rule, method: str) -> set[str]:
    """Return what a route reads of a request with right answers and of one with wrong ones."""
    key = f"{method} {rule}"
    if key not in world.asked:
        found: set[str] = set()
        wrong = dict.fromkeys([*world.valid], "x")
        bodies = [{"data": form_of(values), "content_type": FORM} for values in (wrong, world.valid)]
        for options in bodies if method == "POST" else ({}, {"query_string": urlencode(world.valid)}):
            if method == "POST" and any(word in rule.endpoint for word in LAST):
                options = {**options, "data": b""}
            world.send(rule, method, world.address(rule), what="right or wrong answers", **options)
            found |= Watched.asked
        world.asked[key] = found - {"csrf_token"}
    return world.asked[key]


FORM = "application/x-www-form-urlencoded"


def field_names(form: type[Form], prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Yield the names of a form's fields as a browser sends them, and whether each is of an entry of a list."""
    for name in dir(form):
        kind = getattr(getattr(form, name), "field_class", type(None))
        if issubclass(kind, FormField):
            yield from field_names(getattr(form, name).args[0], f"{prefix}{name}-")
        elif issubclass(kind, FieldList):
            yield f"{prefix}{name}-0", True
        elif issubclass(kind, Field):
            yield f"{prefix}{name}", False


def all_forms() -> set[type[Form]]:
    found: set[type[Form]] = set()
    queue: list[type[Form]] = [Form]
    while queue:
        for form in queue.pop().__subclasses__():
            queue.append(form)
            if form.__module__.startswith("app."):
                found.add(form)
    return found


def check(world: World) -> None:
    failures, world.failures = world.failures, []
    assert failures == []


def test_what_is_read_of_requests_is_found(world: World) -> None:
    for rule, method in world.rules("GET", "POST"):
        keys_of(world, rule, method)
        world.log_in_again()
    check(world)


def test_any_part_of_an_address(world: World) -> None:
    for rule, method in world.rules("GET", "POST"):
        for name in sorted(rule.arguments):
            for value in chosen(3, rule, name):
                address = world.address(rule, **{name: quote(value, safe=b"/%" if value.startswith(b"..") else b"")})
                world.send(rule, method, address, what=f"{name} in the address", as_script=len(value) % 2 == 0)
    world.log_in_again()
    check(world)


def test_any_value_of_a_query_parameter(world: World) -> None:
    for rule, method in world.rules("GET"):
        address, keys = world.address(rule), sorted(keys_of(world, rule, method))
        for key in keys:
            for value in chosen(3, rule, key):
                world.send(rule, "GET", f"{address}?{form_of({key: value}).decode()}", what=key)
        for value in chosen(2, rule) if keys else ():
            query = form_of(dict.fromkeys(keys, value)).decode()
            world.send(rule, "GET", f"{address}?{query}&{query}", what="all parameters, twice", as_script=True)
    check(world)


def test_any_value_of_a_form(world: World) -> None:
    lists = [name for form in all_forms() for name, is_entry in field_names(form) if is_entry]
    for rule, method in world.rules("POST"):
        address, keys = world.address(rule), sorted(keys_of(world, rule, method))
        right = {key: world.valid[key] for key in keys if key in world.valid}
        for key in keys:
            for value in chosen(2, rule, key):
                world.send(
                    rule,
                    "POST",
                    address,
                    what=f"{key}={value[:30]!r}",
                    data=form_of(right | {key: value}),
                    content_type=FORM,
                )
        for number, value in enumerate(chosen(4, rule) if keys else ()):
            body = form_of(dict.fromkeys([*keys, *lists], value))
            twice, what = number % 2 == 0, f"all {value[:30]!r}"
            body = body + b"&" + body if twice else body
            world.send(rule, "POST", address, what=what, data=body, content_type=FORM, as_script=not twice)
        for key in lists:
            for index in ("1", "9" * 30, "-1", "²"):
                body = form_of({key.replace("0", index): "x", f"{key}-kind": "x"})
                world.send(rule, "POST", address, what=f"{key}, entry {index}", data=body, content_type=FORM)
        world.log_in_again()
    check(world)


def test_any_body_and_any_name_of_a_file(world: World) -> None:
    for rule, method in world.rules("POST"):
        address, keys = world.address(rule), sorted(keys_of(world, rule, method))
        for content_type, body in random.Random(str(rule)).sample(BODIES, len(BODIES) // 2):
            world.send(
                rule, "POST", address, what=f"{content_type} {body[:30]!r}", data=body, content_type=content_type
            )
        for key in keys if "file" in keys else ():
            for name in FILE_NAMES:
                form = {"name": "another", key: (io.BytesIO(b"a,b\n"), name)}
                world.send(
                    rule,
                    "POST",
                    address,
                    what=f"{key} called {name[:30]!r}",
                    data=form,
                    content_type="multipart/form-data",
                )
        world.log_in_again()
    check(world)


def test_the_walk_meets_every_field_of_every_form(world: World) -> None:
    asked = set().union(*world.asked.values())
    missed = {
        f"{form.__name__}: {name}"
        for form in all_forms()
        for name, is_entry in field_names(form)
        if not is_entry and name not in asked and not any(key.endswith(f"-{name}") for key in asked)
    }
    assert missed == set()
    assert {
        form.__name__ for form in all_forms() if issubclass(form, FlaskForm) and not issubclass(form, PageForm)
    } == set()
    assert world.requests > 3000
