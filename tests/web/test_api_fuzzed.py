"""The API, fuzzed from its own description: no answer is a 500, of another status, or of another shape."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import booleans, one_of

from app.extensions import db
from app.tables import Dataset, Role, User
from tests.api import PATH, World, token_of, world
from tests.trained import Example, register_model

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis needs Python 3.11")
checks = pytest.importorskip("schemathesis.checks")
Mode = schemathesis.GenerationMode
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = 5  # of each operation, as described or not


@pytest.fixture
def here(app: Flask, finished_run: int, small: Dataset, example_model: Example, tmp_path: Path) -> World:
    return world(app, register_model(example_model, tmp_path))


@pytest.fixture
def served(here: World) -> Iterator[Any]:
    """Return the application as a server calls it: each request in a context of its own."""

    def serve(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ.setdefault("wsgi.input", io.BytesIO())

        def answer() -> list[bytes]:
            parts = here.app.wsgi_app(environ, start_response)
            try:
                return [b"".join(parts)]
            finally:
                getattr(parts, "close", lambda: None)()

        try:
            return Context().run(answer)
        finally:
            db.session.expire_all()

    return serve


def test_no_request_has_an_answer_that_is_not_described(here: World, served: Any) -> None:
    db.session.get_one(User, here.people["ursula"]).role = Role.ADMIN  # who may do all, with things of her own
    db.session.commit()
    headers = {"Authorization": f"Bearer {token_of(here.people['ursula'])}"}
    schema = schemathesis.openapi.from_wsgi(f"{PATH}/openapi.json", served)
    asked: set[int] = set()
    found = [result.ok() for result in schema.get_all_operations()]
    for operation in sorted(found, key=lambda one: one.method == "delete"):

        @given(case=one_of(*(operation.as_strategy(generation_mode=mode) for mode in Mode)), is_there=booleans())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def fuzz(case: Any, is_there: bool) -> None:
            if is_there:  # nobody guesses the numbers of things
                case.path_parameters.update({name: here.things[name] for name in case.path_parameters})
            response = case.call(headers=headers)
            asked.add(response.status_code)
            case.validate_response(response, checks=CHECKS)

        fuzz()
    assert asked >= {200, 201, 404, 422}
