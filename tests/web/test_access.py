"""Who may open what: a walk over every route there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import AnyConverter, BaseConverter, IntegerConverter

from app.web.access import access_of

CHANGES = {"POST", "PUT", "PATCH", "DELETE"}


def example(converter: BaseConverter) -> str | int:
    """Return a value that the variable of an address takes."""
    if isinstance(converter, AnyConverter):
        return min(converter.items)
    return 1 if isinstance(converter, IntegerConverter) else "x"


def routes(app: Flask, *levels: str) -> Iterator[tuple[str, str]]:
    """Yield method and address of every route with these marks, with a value for each of its variables."""
    for rule in app.url_map.iter_rules():
        if access_of(rule.endpoint) not in levels:
            continue
        values = {name: example(converter) for name, converter in rule._converters.items()}
        with app.test_request_context():
            address = rule.build(values, append_unknown=False)[1]
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            yield method, address


def test_every_route_says_who_may_open_it(app: Flask) -> None:
    unmarked = [rule.endpoint for rule in app.url_map.iter_rules() if access_of(rule.endpoint) is None]
    assert unmarked == []


def test_the_walk_meets_the_pages_of_every_part(app: Flask) -> None:
    met = {address.split("/")[1] for _, address in routes(app, "public", "account", "user", "caregiver", "admin")}
    assert met >= {"", "login", "password", "admin", "datasets", "training", "models", "predictions", "people"}


def test_whoever_is_not_logged_in_is_sent_to_log_in(app: Flask, client: FlaskClient) -> None:
    closed = routes(app, "account", "user", "caregiver", "admin")
    answers = {route: client.open(route[1], method=route[0]) for route in closed}
    assert len(answers) > 20
    for route, answer in answers.items():
        assert answer.status_code == 302, route
        assert answer.location.startswith("/login"), route


def test_a_user_is_refused_on_every_page_for_administrators(app: Flask, user_client: FlaskClient) -> None:
    statuses = {route: user_client.open(route[1], method=route[0]).status_code for route in routes(app, "admin")}
    assert len(statuses) > 10
    assert set(statuses.values()) == {403}, statuses


def test_a_caregiver_is_refused_on_every_page_of_users_and_administrators(
    app: Flask, caregiver_client: FlaskClient
) -> None:
    walk = {r: caregiver_client.open(r[1], method=r[0]).status_code for r in routes(app, "user", "admin")}
    assert len(walk) > 50
    assert set(walk.values()) == {403}, walk


def test_what_everybody_may_open_is_open_to_caregivers_and_their_own_pages_to_nobody_else(
    app: Flask, caregiver_client: FlaskClient, user_client: FlaskClient, admin_client: FlaskClient
) -> None:
    open_to_all, own = ([a for m, a in routes(app, level) if m == "GET"] for level in ("account", "caregiver"))
    for address in (*open_to_all, *own):
        assert caregiver_client.head(address).status_code in {200, 302, 404}, address  # a stream of events has no end
    assert own
    for route in routes(app, "caregiver"):
        statuses = {client.open(route[1], method=route[0]).status_code for client in (user_client, admin_client)}
        assert statuses == {403}, route


def test_no_change_is_made_by_a_get(app: Flask) -> None:
    """A page that only shows takes no POST, and a POST-only address takes no GET."""
    mixed = {rule.endpoint for rule in app.url_map.iter_rules() if rule.methods & CHANGES and "GET" in rule.methods}
    forms = {
        f"auth.{name}"
        for name in ("login", "register", "setup", "change_password", "invitation", "reset", "second_step")
    }
    forms |= {
        "account.details",
        "account.delete",
        "account.second_factor",
        "admin.invitations",
        "admin.retention",
        "datasets.add",
    }
    forms |= {"predictions.describe", "sign_on.first_time"}
    assert mixed <= forms


def test_a_route_without_a_mark_is_refused_even_to_an_administrator(app: Flask, admin_client: FlaskClient) -> None:
    app.config["DEBUG"] = True
    app._got_first_request = False  # Flask takes no new route once it has served one
    app.add_url_rule("/forgotten", view_func=lambda: "secret")
    assert admin_client.get("/forgotten").status_code == 403


@pytest.mark.parametrize("address", ["/nothing", "/admin/nothing", "/static/nothing", "/static/../config.py", "/%00"])
def test_what_is_not_there_is_not_found(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code == 404
