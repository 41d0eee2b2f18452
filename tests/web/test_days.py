"""Days: one's own side by side, as files, and those of who agreed to it for a caregiver; nobody else's."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.har.measures.dictionary import columns
from app.services import accounts, audit_reading
from app.services.audit import Action
from app.services.audit_reading import AuditQuery
from app.services.care import consents
from app.services.measures import people
from app.tables import User
from tests.api import call, token_of
from tests.days import a_result, a_week, store_day
from tests.web.test_care import agree

ZONE = {"tz": "Europe/Berlin"}
BERLIN = ZoneInfo("Europe/Berlin")


def account(name: str) -> User:
    return accounts.find(name)


@pytest.fixture
def ursula(app: Flask, user_client: FlaskClient) -> FlaskClient:
    """Return ursula's client, who has two days."""
    a_week(app, account("ursula").id, days=2)
    return user_client


def cells(text: str) -> list[list[str]]:
    rows = re.findall(r"<tr role=\"row\">(.*?)</tr>", text, re.S)
    return [
        [re.sub(r"<[^>]+>|\s+", " ", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", r, re.S)] for r in rows
    ]


def test_days_are_shown_the_newest_first_with_what_is_not_known(ursula: FlaskClient) -> None:
    text = ursula.get("/days/", query_string=ZONE).text
    newest, first = (row for row in cells(text) if row[0].endswith("Nov 2026"))
    assert (newest[0], newest[1], first[0]) == ("Tue 24 Nov 2026", "24.0", "Mon 23 Nov 2026")
    assert newest[3] == "–"  # no signal in which steps are counted
    assert "No intensity where no age group was chosen." in text
    assert re.search(r"\d\d:\d\d – 0[67]:\d\d", newest[9])
    assert first[9] == "–"
    assert text.count('class="day-bar"') == 2


def test_standing_up_is_a_column_where_a_model_finds_it(app: Flask, ursula: FlaskClient) -> None:
    assert "Sit to stand" not in cells(ursula.get("/days/", query_string=ZONE).text)[0]
    result = a_result(start=datetime(2026, 11, 25, tzinfo=BERLIN))
    rises = ((0, 40_000.0, 40_002.0, "SIT_TO_STAND"), (0, 50_000.0, 50_003.0, "SIT_TO_STAND"))
    store_day(app, account("ursula").id, replace(result, transitions=rises))
    heading, newest, before = cells(ursula.get("/days/", query_string=ZONE).text)[:3]
    column = heading.index("Sit to stand")
    assert (newest[column].split(), before[column]) == (["2", "2.5", "s", "each"], "–")


def test_a_day_that_is_yet_to_come_hides_none_and_earlier_days_are_told_of(
    app: Flask, ursula: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (datetime(2021, 3, 4, tzinfo=BERLIN), datetime(2091, 3, 4, tzinfo=BERLIN)):
        store_day(app, account("ursula").id, a_result(start=day))
    now = datetime(2026, 11, 30, tzinfo=BERLIN).timestamp()
    monkeypatch.setattr(people, "time", SimpleNamespace(time=lambda: now))
    text = ursula.get("/days/", query_string=ZONE).text
    assert "Tue 24 Nov 2026" in [row[0] for row in cells(text)]
    assert re.search(r"earlier days, the last of them <a href=\"/days/\?last=2021-03-04\">Thu 4 Mar 2021</a>", text)
    assert re.search(r"first=2091-03-04\">Sun 4 Mar 2091</a>, which is yet to come", text)
    assert "Thu 4 Mar 2021" in ursula.get("/days/", query_string={**ZONE, "last": "2021-03-04"}).text


def test_who_says_an_age_group_gets_intensities_and_may_take_it_back(ursula: FlaskClient) -> None:
    ursula.post("/days/age", data={"age": "adult"})
    text = ursula.get("/days/", query_string=ZONE).text
    assert "By Hildebrand et al." in text
    assert account("ursula").age_group == "adult"
    other = ursula.get("/days/", query_string={**ZONE, "cut_points": "hildebrand-adult-wrist-geneactiv"}).text
    assert "GENEActiv, non-dominant wrist, 21 to 61 years." in other
    ursula.post("/days/age", data={"age": "nonsense"})
    assert account("ursula").age_group == "adult"
    ursula.post("/days/age", data={"age": ""})
    assert account("ursula").age_group == ""


def test_days_and_hours_are_downloaded_with_their_dictionary(app: Flask, ursula: FlaskClient) -> None:
    days = list(csv.DictReader(io.StringIO(ursula.get("/days/days.csv", query_string=ZONE).text)))
    assert [row["date"] for row in days] == ["2026-11-23", "2026-11-24"]
    assert list(days[0]) == [column.name for column in columns("day")]
    one = {**ZONE, "first": "2026-11-24", "last": "2026-11-24"}
    hours = ursula.get("/days/hours.json", query_string=one).get_json()
    assert len(hours["rows"]) == 24
    assert sum(row["sitting_min"] for row in hours["rows"]) == pytest.approx(float(days[1]["sitting_min"]), abs=0.1)
    assert [each["column"] for each in hours["columns"]] == [column.name for column in columns("hour")]
    assert {*hours["rows"][0]} == {column.name for column in columns("hour")}
    definitions = list(csv.DictReader(io.StringIO(ursula.get("/days/columns.csv").text)))
    assert len(definitions) == len(columns("day"))

    token = token_of(account("ursula").id)
    answer = call(app, token, "GET", "days", query_string={**one, "period": "day"})
    assert answer.get_json()["rows"][0]["sitting_min"] == float(days[1]["sitting_min"])
    assert call(app, token, "GET", "days", query_string={"first": "soon"}).status_code == 422
    assert call(app, token, "GET", "days", query_string={"cut_points": "own"}).status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [{"first": "soon"}, {"last": "1815-12-10"}, {"first": "2026-01-01", "last": "2026-12-31"}, {"cut_points": "mine"},
     {"first": "2026-11-24", "last": "2026-11-23"}],
)  # fmt: skip
def test_what_is_no_span_of_days_is_said(user_client: FlaskClient, wrong: dict[str, str]) -> None:
    page = user_client.get("/days/", query_string=wrong, follow_redirects=True)
    assert page.status_code == 200
    assert "alert-danger" in page.text
    assert user_client.get("/days/days.csv", query_string=wrong).status_code == 422


def test_a_caregiver_sees_the_days_of_who_agreed_to_that_and_is_written_down(
    app: Flask, ursula: FlaskClient, caregiver_client: FlaskClient, log_in: Callable[..., FlaskClient]
) -> None:
    log_in("olga")
    store_day(app, account("olga").id, a_result())
    assert "Nobody yet" in caregiver_client.get("/people/days").text
    agree(ursula)
    assert "Nobody yet" in caregiver_client.get("/people/days").text  # of her state and alarms alone
    [consent] = consents.history(account("ursula").id)
    assert "as far back as there are recordings" in ursula.get(f"/caregivers?days={consent.id}").text
    ursula.post(f"/caregivers/{consent.id}/change", data={"version": consents.WITH_DAYS})
    text = caregiver_client.get("/people/days", query_string=ZONE).text
    assert [row[:2] for row in cells(text) if row[0] == "ursula"] == [["ursula", "2 of 2"]]
    assert "olga" not in text
    entries, _ = audit_reading.find(AuditQuery(action=Action.LOOKED.value), 1)
    assert entries.items[0]["object"] == "days"

    held = next(each for each in consents.history(account("ursula").id) if each.withdrawn is None)
    ursula.post(f"/caregivers/{held.id}/change", data={"version": consents.VERSION})
    assert "Nobody yet" in caregiver_client.get("/people/days").text
    assert "ursula" in caregiver_client.get("/people").text
    assert ursula.post(f"/caregivers/{held.id}/change", data={"version": 2}).status_code == 404
    assert ursula.post(f"/caregivers/{held.id}/change", data={"version": 3}).status_code in (404, 409)


def test_days_of_others_are_for_caregivers_alone(
    ursula: FlaskClient, admin_client: FlaskClient, caregiver_client: FlaskClient
) -> None:
    assert [each.get("/people/days").status_code for each in (ursula, admin_client)] == [403, 403]
    assert "No days yet" in admin_client.get("/days/").text
    assert caregiver_client.get("/days/").status_code == 403
