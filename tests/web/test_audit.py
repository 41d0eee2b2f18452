"""What the site writes to the audit log, for everything that people do."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.services import accounts
from app.services.models import model_versions
from app.services.recordings.example import example_file
from tests.conftest import PASSWORD
from tests.services.test_audit import lines, written

Seen = tuple[str, str, str, str]  # action, outcome, actor, object


def seen(app: Flask) -> list[Seen]:
    return [(line["action"], line["outcome"], line["actor"], line["object"]) for line in lines(app)]


def id_of(username: str) -> int:
    return next(user.id for user in accounts.all_users() if user.username == username)


def test_log_in_both_ways_and_log_out(app: Flask, log_in: Callable[..., FlaskClient]) -> None:
    client = log_in("ada")
    client.post("/logout")
    client.post("/login", data={"username": "ada", "password": "wrong horse"})
    client.post("/login", data={"username": "hunter2 is my password", "password": "wrong horse"})
    assert seen(app)[-4:] == [
        ("log-in", "done", "ada", ""),
        ("log-out", "done", "ada", ""),
        ("log-in", "refused", "(nobody)", "ada"),
        ("log-in", "refused", "(nobody)", "a name without an account"),
    ]
    assert {line["address"] for line in lines(app)[-4:]} == {"127.0.0.1"}


def test_registering_and_another_password(app: Flask, client: FlaskClient) -> None:
    answers = {
        "username": "ada",
        "password": PASSWORD,
        "password_again": PASSWORD,
        "email": "ada@example.org",
        "contact_number": "+44 20 7946 0000",
        "address": "1 High Street",
    }
    assert client.post("/register", data=answers).status_code == 302
    changed = {"current": PASSWORD, "password": PASSWORD + "!", "password_again": PASSWORD + "!"}
    assert client.post("/password", data=changed | {"current": "wrong"}).status_code == 422
    assert client.post("/password", data=changed).status_code == 302
    assert [line[:3] for line in seen(app)] == [
        ("account made", "done", "(nobody)"),
        ("log-in", "done", "ada"),
        ("password changed", "refused", "ada"),
        ("password changed", "done", "ada"),
    ]


def test_what_an_administrator_does_to_accounts(
    app: Flask, admin_client: FlaskClient, user_client: FlaskClient
) -> None:
    number = id_of("ursula")
    admin_client.post(f"/admin/users/{number}/role", data={"role": "admin", "password": PASSWORD})
    admin_client.post(f"/admin/users/{number}/state", data={"state": "disabled"})
    role, state = lines(app)[-2:]
    assert (role["action"], role["actor"], role["object"], role["details"]) == (
        "role changed", "adam", "ursula", {"role": "admin"},
    )  # fmt: skip
    assert (state["action"], state["object"], state["details"]) == ("account changed", "ursula", {"disabled": True})
    for action in ("reset", "delete"):
        admin_client.post(f"/admin/users/{number}/{action}", data={"password": "wrong"})
        admin_client.post(f"/admin/users/{number}/{action}", data={"password": PASSWORD})
    looked = ("looked at", "done", "adam")  # at the page that answers a wrong password
    assert [line[:3] for line in seen(app) if line[:3] != looked][-4:] == [
        ("account changed", "refused", "adam"),
        ("reset address made", "done", "adam"),
        ("account changed", "refused", "adam"),
        ("account deleted", "done", "adam"),
    ]


def test_who_deletes_their_own_account_is_named_nowhere_any_more(app: Flask, user_client: FlaskClient) -> None:
    user_client.post("/account/delete", data={"password": PASSWORD})
    line = lines(app)[-1]
    assert (line["action"], line["actor"], line["object"]) == ("account deleted", "(erased)", "erasure 1")
    assert "ursula" not in written(app)


def test_what_is_refused(app: Flask, user_client: FlaskClient) -> None:
    user_client.get("/admin/users")
    app.config["WTF_CSRF_ENABLED"] = True
    user_client.post("/logout")
    assert seen(app)[-2:] == [
        ("refusal", "refused", "ursula", "GET /admin/users"),
        ("refusal", "refused", "ursula", "POST /logout"),
    ]


def test_tokens_that_open_nothing_are_recorded(app: Flask, client: FlaskClient) -> None:
    wrong = {"Authorization": "Bearer kinelab_guessed"}
    client.get("/api/v1/recordings/1/answers", headers=wrong)
    client.post("/api/live", headers=wrong, data=b"{}")
    assert seen(app)[-2:] == [
        ("refusal", "refused", "(nobody)", "GET /api/v1/recordings/1/answers"),
        ("refusal", "refused", "(nobody)", "POST /api/live"),
    ]
    assert lines(app)[-1]["details"] == {"reason": "no valid token"}
    assert "guessed" not in written(app)


def test_a_token_in_an_address_is_no_part_of_the_log(app: Flask, user_client: FlaskClient) -> None:
    user_client.get("/datasets/add/0123456789abcdef")
    assert seen(app)[-1][3] == "GET /datasets/add/<token>"


def test_the_life_of_a_recording(
    app: Flask, deployed: Flask, user_client: FlaskClient, admin_client: FlaskClient
) -> None:
    name, text = example_file()
    response = user_client.post("/predictions/", data={"file": (io.BytesIO(text.encode()), name)})
    number = int(re.search(r"/predictions/(\d+)", response.location)[1])
    user_client.get(f"/predictions/{number}/windows.csv")
    assert admin_client.get(f"/predictions/{number}").status_code == 404
    user_client.post(f"/predictions/{number}/delete")
    assert [line for line in seen(app) if line[0] != "log-in"][-4:] == [
        ("upload", "done", "ursula", f"recording {number}"),
        ("download", "done", "ursula", f"GET /predictions/{number}/windows.csv"),
        ("refusal", "refused", "adam", f"recording {number}"),
        ("recording deleted", "done", "ursula", f"recording {number}"),
    ]


def test_models_and_data_sets(app: Flask, deployed: Flask, admin_client: FlaskClient) -> None:
    number = model_versions.get("physiotherapy-example").id
    admin_client.post(f"/models/{number}/promote")
    admin_client.get(f"/models/{number}/card?download=1")
    admin_client.post(f"/models/{number}/limit", data={"answer_limit": "80"})
    admin_client.post("/datasets/physiotherapy-example/remove")
    assert [line[0] for line in seen(app)[-4:]] == ["model promoted", "download", "model changed", "data set deleted"]


def test_a_data_set_is_added_by_who_asked_for_it_though_a_thread_does_it(app: Flask, admin_client: FlaskClient) -> None:
    admin_client.post("/datasets/add", data={"name": "again", "path": "embedded-example"})
    for _ in range(100):
        if (found := [line for line in lines(app) if line["action"] == "data set added"]) or _wait():
            break
    assert (found[0]["actor"], found[0]["object"], found[0]["address"]) == ("adam", "again", "127.0.0.1")


def _wait() -> None:
    from app.services.datasets import imports

    for job in imports.running():
        job.done.wait(60)


def test_the_log_holds_no_secret_and_no_signal(app: Flask, deployed: Flask, client: FlaskClient) -> None:
    token = accounts.setup_token()
    answers: dict[str, Any] = {
        "username": "root",
        "password": PASSWORD,
        "password_again": PASSWORD,
        "email": "r@example.org",
        "contact_number": "+44 20 7946 0000",
        "address": "1 High Street",
    }
    client.get(f"/setup/{token}x")
    assert client.post(f"/setup/{token}", data=answers).status_code == 302
    name, text = example_file()
    client.post("/predictions/", data={"file": (io.BytesIO(text.encode()), name)})
    client.get("/predictions/1/windows.csv")
    client.post("/logout")
    log = written(app)
    cookie_key = app.config["SECRET_KEY"]
    for secret in (PASSWORD, token, cookie_key, name, "r@example.org", text.splitlines()[20].split(",")[1]):
        assert secret not in log
    assert [line[0] for line in seen(app)][:2] == ["set-up", "log-in"]


@pytest.mark.parametrize("username", ["eve\nforged", "eve\r\n{}", "a\u2028b"])
def test_a_name_cannot_forge_a_line(app: Flask, client: FlaskClient, username: str) -> None:
    client.post("/login", data={"username": username, "password": "x" * 12})
    assert len(lines(app)) == 1


def test_a_file_that_is_refused(
    app: Flask, deployed: Flask, user_client: FlaskClient, admin_client: FlaskClient
) -> None:
    user_client.post("/predictions/", data={"file": (io.BytesIO(b"no recording"), "secret name.csv")})
    admin_client.post("/datasets/add", data={"name": "mine", "path": str(app.config["INSTANCE"])})
    assert [line for line in seen(app) if line[1] == "refused"] == [
        ("upload", "refused", "ursula", ""),
        ("data set added", "refused", "adam", ""),
    ]
