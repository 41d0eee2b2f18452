"""The page of a long recording: what it draws, lists and gives away, by which clock, and what it refuses."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.har.classifiers.types import Wearing
from app.har.height.answers import LEVEL
from app.har.problems import Problem, ProblemKind
from app.services import keys
from app.services.recordings import lanes, recordings
from app.services.recordings.result_tables import DAY_COLUMNS
from app.tables import User
from tests import fhir
from tests.long_recording import ACTIVITIES, DAY_START_UTC_S, a_day, make_old, store, unsure_day
from tests.services import test_steps

HOURS = 6.0
PER_WINDOW = (
    "proba", "start_s", "end_s", "recording_index", "labels", "sensor_attention", "unfamiliar",
)  # fmt: skip
JSON = {"Accept": "application/json"}
TABLES = [f"/{table}.{kind}" for table in ("windows", "bouts", "daily", "metrics") for kind in ("csv", "json")]


@pytest.fixture
def stored(app: Flask, user_client: FlaskClient) -> Callable[..., str]:
    """Return a maker of recordings of the logged-in user, which gives the address of their page."""

    def make(filename: str = "day.csv", origin_utc_s: float | None = DAY_START_UTC_S, hours: float = HOURS) -> str:
        user = db.session.scalars(select(User).where(User.username == "ursula")).one()
        signals, result = a_day(hours, rate_hz=10.0, origin_utc_s=origin_utc_s)
        return f"/predictions/{store(app, user.id, signals, result, filename).recording_id}"

    return make


def test_other_systems_are_offered_the_activities_where_it_is_known_when_they_were(
    user_client: FlaskClient, stored: Callable[..., str]
) -> None:
    url = stored(hours=0.2)
    user_client.set_cookie("tz", "Europe/Berlin")
    links = re.findall(r'href="([^"]*/(?:fhir|omh)\.json[^"]*)"', user_client.get(url).text)
    bundle, points = (user_client.get(html.unescape(link)) for link in links)
    assert bundle.mimetype == "application/fhir+json"
    assert bundle.headers["Content-Disposition"] == "attachment; filename=day-fhir.json"
    first = fhir.resources(fhir.check(bundle.text), "Observation")[0]
    assert first["effectivePeriod"]["start"] == "2025-05-12T00:00:00.000+02:00"
    interval = points.get_json()[0]["body"]["effective_time_frame"]["time_interval"]
    assert interval["start_date_time"] == first["effectivePeriod"]["start"]
    everything = user_client.get("/account/activities.json")
    assert everything.headers["Content-Disposition"] == "attachment; filename=activities-fhir.json"
    assert fhir.resources(fhir.check(everything.text), "Observation")[0] == first
    refused = user_client.get("/account/activities.json?date=tomorrow", follow_redirects=True)
    assert (refused.request.path, "found &#39;tomorrow&#39;" in refused.text) == ("/account/data", True)
    timeless = stored(origin_utc_s=None, hours=0.2)
    assert "For other systems" not in user_client.get(timeless).text
    refused = user_client.get(f"{timeless}/fhir.json")
    assert refused.status_code == 422
    assert "does not tell the time of day" in refused.text


def test_steps_are_on_the_page_and_with_each_bout(app: Flask, user_client: FlaskClient) -> None:
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    url = f"/predictions/{store(app, user.id, *test_steps.made()).recording_id}"
    bouts = list(csv.DictReader(io.StringIO(user_client.get(f"{url}/bouts.csv").text)))
    steps = sum(int(bout["steps"] or 0) for bout in bouts)
    assert steps > 200
    assert f"<strong>{steps} steps</strong> while on foot" in user_client.get(url).text
    assert user_client.get(f"{url}/result.json").json["summary"]["steps"] == steps


def test_what_was_measured_beside_movement_is_on_the_page_and_what_height_changed(
    app: Flask, user_client: FlaskClient
) -> None:
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    signals, day = a_day(0.1, rate_hz=10.0, labelled=False)
    proba = np.zeros_like(day.proba)
    proba[:20, day.activities.index("Sit")] = proba[20:, day.activities.index("Stair-up")] = 0.9
    ride = (0, 15.0, 42.0, 40.5, True)
    level = np.full(len(day), LEVEL, np.int8)
    rises = ((0, 20.0, 22.5, "SIT_TO_STAND"), (0, 90.0, 93.5, "SIT_TO_STAND"))
    own = replace(day, proba=proba, height=level, climbs=(ride,), transitions=rises)
    prediction = store(app, user.id, signals, own)
    url, seconds = f"/predictions/{prediction.recording_id}", np.arange(0, 360.0)
    loud = ("day.csv", "sound_level", seconds, np.full(360, -40, np.float32))
    lanes.save(recordings.folder_of(prediction.recording), [loud], keys.of(user.id))
    page = user_client.get(url).text
    assert '<a href="#transitions-title">Between activities</a>' in page
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "Height: used (barometer). On foot, no stairs. It changed 66.7 % of the answers: Stair-up → Walk" in text
    assert re.search(r"22:00:15 – 22:00:42 ?: lift, up 40 m", text)
    assert "Sit -40 (-40 to -40)" in text
    assert "Sit to stand 2 3.0 s 2.5 to 3.5 s" in text
    assert "no sound and no speech is read or stored" in text
    assert user_client.get(f"{url}/result.json").json["summary"]["height_used"] is True


def test_the_page_shows_bouts_hours_and_labels_by_the_clock_of_the_browser(
    user_client: FlaskClient, stored: Callable[..., str]
) -> None:
    url = stored()
    user_client.set_cookie("tz", "Europe/Berlin")
    page = user_client.get(url).text
    assert 'data-zone="Europe/Berlin"' in page
    assert "Mon 12 May 2025" in page
    assert "12 May, 05:00" in page
    assert "12 May, 06:00" not in page
    in_utc = user_client.get(f"{url}?tz=UTC").text
    assert 'data-zone="UTC"' in in_utc
    assert "Sun 11 May 2025" in in_utc
    assert "tz=UTC" in in_utc.partition('class="downloads"')[2]
    assert "answers to windows whose label the model knows agree" in page
    longest = (
        user_client.get(f"{url}?sort=length").text.partition('id="bouts"')[2].partition("</tr>\n          <tr>")[0]
    )
    assert "11 May" not in longest
    assert "03:00:00 – 03:30:00" in longest
    assert "missing" in longest


@pytest.mark.parametrize("cookie", ["Mars/Olympus", "../../etc/passwd", "", '"<script>'])
def test_a_browser_of_an_unknown_time_zone_gets_utc(
    user_client: FlaskClient, stored: Callable[..., str], cookie: str
) -> None:
    user_client.set_cookie("tz", cookie)
    response = user_client.get(stored())
    assert response.status_code == 200
    assert 'data-zone="UTC"' in response.text


def test_without_a_time_of_day_the_page_says_so_and_counts_from_the_start(
    user_client: FlaskClient, stored: Callable[..., str]
) -> None:
    page = user_client.get(stored(origin_utc_s=None)).text
    assert 'data-zone=""' in page
    assert "5:00 – 6:00" in page
    assert "Europe" not in page


def test_bouts_come_a_page_at_a_time_and_the_longest_first_if_wanted(
    user_client: FlaskClient, stored: Callable[..., str]
) -> None:
    url = stored(origin_utc_s=None)

    def rows(address: str) -> list[tuple[float, float]]:
        table = user_client.get(url + address).text.partition('id="bouts"')[2].partition("</table>")[0]
        return [(float(a), float(b)) for a, b in re.findall(r'from=([^&]+)&amp;to=([^&#]+)[^"]*" data-bout', table)]

    first, second, longest = rows(""), rows("?bouts=2"), rows("?sort=length")
    assert len(first) == len(second) == len(longest) == 20
    middles = [start + end for start, end in first + second]
    assert middles == sorted(middles)
    lengths = [end - start for start, end in longest]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == pytest.approx(1.5 * 1800)  # the half hour that is missing, with a quarter on either side
    assert user_client.get(f"{url}?bouts=999").status_code == 200  # the nearest page that is there


def test_a_closer_look_gets_more_points_of_less_and_its_own_bands(
    user_client: FlaskClient, stored: Callable[..., str]
) -> None:
    url = stored()
    whole, closer = (user_client.get(f"{url}/timeline.json{q}").json for q in ("", "?from=3600&to=3660"))
    for sensor in ("Acceleration (m/s²)", "Rotation (rad/s)"):
        points = sum(len(trace["values"]) for trace in whole["signal"] if trace["sensor"] == sensor)
        assert 3000 < points <= 4000
    assert closer["range_s"] == [3600, 3660]
    assert all(3599 <= t <= 3661 for trace in closer["signal"] for t in trace["time_s"])
    assert len(closer["signal"][0]["values"]) == pytest.approx(600, abs=3)
    assert closer["recognised"][0]["start_s"] <= 3600
    assert closer["recognised"][-1]["end_s"] >= 3660
    assert whole["missing_colour"] == "#BBBBBB"
    assert None in {band["activity"] for band in whole["recognised"]}
    assert user_client.get(f"{url}/timeline.json?tz=Asia/Tokyo").json["axis"] == "Time of day (Asia/Tokyo)"


@pytest.mark.parametrize(
    "query",
    [
        "from=10&to=5",
        "from=5&to=5",
        "from=nan&to=10",
        "from=0&to=inf",
        "from=-1e300&to=1e300",
        "from=0&to=1e12",
        "from=1e9&to=2e9",
        "from=-50&to=-10",
        "from=x&to=10",
        "from=&to=",
        "from=0x10&to=20",
        "tz=Nowhere/Land",
    ],
)
def test_a_range_or_zone_that_makes_no_sense_is_refused_in_words(
    user_client: FlaskClient, stored: Callable[..., str], query: str
) -> None:
    response = user_client.get(f"{stored()}/timeline.json?{query}", headers=JSON)
    assert response.status_code == 400
    assert "expected" in response.json["message"]


@pytest.mark.parametrize("role", ["user", "admin"])
def test_somebody_elses_recording_is_not_found_by_any_address(
    stored: Callable[..., str], log_in: Callable[..., FlaskClient], role: str
) -> None:
    url = stored("secret.csv")
    stranger = log_in("stranger", role=role)
    for address in ("", "/timeline.json", "/timeline.json?from=nan", "/timeline.svg", "/result.json", *TABLES):
        response = stranger.get(url + address)
        assert response.status_code == 404, address
        assert "secret" not in response.text


def test_windows_bouts_and_days_can_be_taken_away_and_agree(
    user_client: FlaskClient, stored: Callable[..., str]
) -> None:
    url = stored()
    tables = {address: user_client.get(url + address + "?tz=Europe/Berlin") for address in TABLES}
    assert {response.status_code for response in tables.values()} == {200}
    windows, bouts, daily = (
        list(csv.DictReader(io.StringIO(tables[f"/{t}.csv"].text))) for t in ("windows", "bouts", "daily")
    )
    assert len(windows) == len(json.loads(tables["/windows.json"].data)["windows"]) == 6600 + 1
    assert [(row["start_s"], row["end_s"]) for row in windows if row["activity"] == "missing"] == [
        ("10800.0", "12600.0")
    ]
    assert sum(int(bout["windows"]) for bout in bouts) == 6600
    assert [b["start_s"] for b in bouts] == [str(b["start_s"]) for b in tables["/bouts.json"].json["bouts"]]
    assert windows[0]["start_utc"] == bouts[0]["start_utc"] == "2025-05-11T22:00:00.000Z"
    assert windows[0]["start_local"] == bouts[0]["start_local"] == "2025-05-12T00:00:00.000+02:00"
    assert {row["model"] for table in (windows, bouts, daily) for row in table} == {"lab/1"}
    assert sum(float(windows[0][f"p_{name}"]) for name in ACTIVITIES) == pytest.approx(1)

    minutes: dict[str, dict[str, float]] = {"hour": defaultdict(float), "day": defaultdict(float)}
    for row in daily:
        minutes[row["period"]][row["activity"]] += float(row["minutes"])
    for total in minutes.values():
        assert total.pop("missing") == pytest.approx(30, abs=0.01)
        assert sum(total.values()) == pytest.approx(330, abs=0.02)
        for name, value in total.items():
            assert value == pytest.approx(sum(w["activity"] == name for w in windows) / 20, abs=0.01)
    (recording,) = tables["/daily.json"].json["daily"]
    assert recording["time"] == "time of day, Europe/Berlin"
    assert recording["hours"][0]["start"] == "2025-05-12T00:00:00+02:00"
    assert len(recording["hours"]) == 6


@pytest.mark.parametrize(
    ("filename", "saved"),
    [
        ("my walk.csv", "my walk-bouts.csv"),
        ("../../etc/passwd", "passwd-bouts.csv"),
        ("..\\..\\boot.ini", "_.._boot-bouts.csv"),
        ('a";rm -rf $HOME;".csv', "a_rm -rf _HOME_-bouts.csv"),
        ("x" * 250 + ".csv", "x" * 120 + "-bouts.csv"),
        ("…", "_-bouts.csv"),
    ],
)
def test_a_download_has_a_name_that_is_safe(
    user_client: FlaskClient, stored: Callable[..., str], filename: str, saved: str
) -> None:
    header = user_client.get(f"{stored(filename, hours=2.0)}/bouts.csv").headers["Content-Disposition"]
    assert header in {f'attachment; filename="{saved}"', f"attachment; filename={saved}"}


def test_a_file_of_single_windows_has_rows_and_neither_bouts_nor_hours(app: Flask, user_client: FlaskClient) -> None:
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    _, day = a_day(2.0, rate_hz=1.0)
    n = len(day)
    single = replace(
        day,
        recording_index=np.arange(n),
        recording_ids=tuple(f"row {i + 1}" for i in range(n)),
        origin_utc_s=(None,) * n,
    )
    url = f"/predictions/{store(app, user.id, None, single, 'windows.csv').recording_id}"
    page = user_client.get(url)
    assert page.status_code == 200
    for title in ('id="periods-title"', 'id="bouts-title"', "data-zone"):
        assert title not in page.text
    assert "single pieces without a common clock" in page.text
    assert "correct-form" not in page.text
    assert user_client.get(f"{url}/timeline.json?from=0.5&to=9.5").json["showing"] == "rows 1 – 9 of 1,800"
    assert user_client.get(f"{url}/timeline.json?from=5000&to=6000", headers=JSON).status_code == 400
    assert user_client.get(f"{url}/daily.csv").text == ",".join(DAY_COLUMNS) + "\r\n"
    assert user_client.get(f"{url}/timeline.png").data.startswith(b"\x89PNG")


def test_what_an_earlier_version_stored_is_shown_with_its_notices_and_problems(
    app: Flask, user_client: FlaskClient
) -> None:
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    _, result = a_day(2.0, rate_hz=1.0)
    problems = (
        Problem("day.csv", ProblemKind.CLOCK_GAP, "1,800 s between two samples", "windows are cut on either side"),
        Problem("day.csv", ProblemKind.SENSOR_GAP, "no gyroscope from 12.0 to 21.0 s", "not used there"),
    )
    prediction = store(app, user.id, None, replace(result, problems=problems))
    make_old(app, prediction)
    url = f"/predictions/{prediction.recording_id}"
    page = user_client.get(url).text
    against = page.partition('class="verdict-against"')[2].partition("</ul>")[0]
    assert "No gyroscope from 12.0 to 21.0 s. Not used there." in against
    table = page.partition('id="problems-title"')[2].partition("</table>")[0]
    assert "1,800 s between two samples" in table
    assert "Gap in one sensor" in table
    assert {row["kind"] for row in user_client.get(f"{url}/result.json").json["summary"]["problems"]} == {
        "clock gap", "gap in one sensor",
    }  # fmt: skip


def test_the_page_answers_no_deeper_than_is_sure_and_shows_the_deepest_guess_beside_it(
    app: Flask, user_client: FlaskClient
) -> None:
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    address = f"/predictions/{store(app, user.id, None, unsure_day()).recording_id}"
    page = user_client.get(address).text
    legend = page.partition('class="timeline-legend"')[2].partition("</ul>")[0]
    for name, left_open in (
        ("Still", "lying, sitting or standing"),
        ("On foot", "walking or stairs up"),
        ("Uncertain", "no answer is 80 % probable"),
        ("Unfamiliar", "unlike anything that the model knows"),
    ):
        assert re.search(rf"{name}</span> <small class=.left-open.>\({left_open}\)", legend), name
    assert "Stair-up" not in legend.partition("On foot")[0]
    totals = page.partition('id="activities-title"')[2].partition("</table>")[0]
    assert re.search(r"Stair-up</span></th>\s*<td[^>]*>–</td>", totals)  # never the answer, often the guess
    windows = page.partition('id="windows"')[2].partition("</table>")[0]
    assert "Still</span><small" in windows
    assert "deepest guess: Sit, 34 %" in windows
    last = user_client.get(f"{address}?page=999").text.partition('id="windows"')[2].partition("</table>")[0]
    assert "Unfamiliar</span>" in last
    assert "second choice: " in windows
    assert "second choice: " not in last  # where nothing is likelier than the rest, nothing is second
    assert "deepest guess: Stair-up, 50 %" in page.partition('id="bouts"')[2].partition("</table>")[0]
    verdict = " ".join(page.partition('id="verdict"')[2].partition("</section>")[0].split())
    assert "On foot and Still" in verdict
    assert "<strong>30 min 00 s</strong>" in verdict
    assert '<strong class="verdict-number">67 %</strong> of 1 h 30 min has an answer' in verdict
    assert "In 33 % of the time no activity, and no group of them, is probable enough" in verdict
    assert (
        "0 % of the windows are answered by one activity, 67 % by a group of several, and 33 % have no answer" in page
    )
    home = user_client.get("/").text
    assert "On foot, Still" in home
    assert "Stair-up" not in home.partition('id="history-title"')[2]


def test_a_recording_of_which_the_model_is_mostly_unsure_says_so(app: Flask, user_client: FlaskClient) -> None:
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    result = unsure_day()
    for limit, said in ((0.8, False), (0.93, True)):  # above it, only the postures are sure
        url = f"/predictions/{store(app, user.id, None, replace(result, limit=limit)).recording_id}"
        words = "In 66 % of the time no activity, and no group of them, is probable enough"
        assert (words in user_client.get(url).text) is said


def test_the_downloads_have_the_answer_and_the_deepest_guess(app: Flask, user_client: FlaskClient) -> None:
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    url = f"/predictions/{store(app, user.id, None, unsure_day()).recording_id}"
    tables = {
        name: list(csv.DictReader(io.StringIO(user_client.get(f"{url}/{name}.csv").text)))
        for name in ("windows", "bouts", "daily")
    }
    first, last = tables["windows"][0], tables["windows"][-1]
    assert [first[c] for c in ("activity", "confidence", "deepest_activity", "deepest_confidence")] == [
        "Still", "0.94", "Sit", "0.34",
    ]  # fmt: skip
    assert (last["activity"], last["confidence"], last["unfamiliar"]) == ("Unfamiliar", "", "True")
    assert {row["activity"] for row in tables["bouts"]} == {"Still", "On foot", "Uncertain", "Unfamiliar", "missing"}
    assert {row["deepest_activity"] for row in tables["bouts"]} >= {"Sit", "Stair-up"}
    days = {row["activity"]: row for row in tables["daily"] if row["period"] == "day"}
    assert (float(days["On foot"]["minutes"]), float(days["On foot"]["deepest_minutes"])) == (30.0, 0.0)
    assert (float(days["Stair-up"]["minutes"]), float(days["Stair-up"]["deepest_minutes"])) == (0.0, 30.0)
    for column, minutes in (("minutes", 120), ("deepest_minutes", 90)):  # half an hour is nothing more than another
        assert sum(float(row[column]) for row in days.values()) == pytest.approx(minutes, abs=0.1)
    drawn = user_client.get(f"{url}/timeline.json").json
    assert "deepest guess: Sit, 34.0 %" in drawn["recognised"][0]["text"]
    summary = user_client.get(f"{url}/result.json").json["summary"]
    assert summary["windows_per_depth"] == {"activity": 0, "group": 1200, "none": 600}


def test_where_a_device_was_worn_is_shown_with_what_it_was_measured_against(
    app: Flask, user_client: FlaskClient
) -> None:
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    worn = (
        Wearing("day.csv", 0.0, 3600.0, "leg", False, "this recording", 840.0, 12),
        Wearing("day.csv", 5400.0, 7200.0, "hand or bag"),
        Wearing("other.csv", 0.0, 3600.0, "wrist"),
    )
    url = f"/predictions/{store(app, user.id, None, unsure_day(wearings=worn)).recording_id}"
    page = user_client.get(url).text
    table = page.partition('id="wearings"')[2].partition("</table>")[0]
    for words in (
        "22:00:00 – 23:00:00",
        "On the leg (guessed)",
        "your walking in this file",
        "Too little walking was found",
    ):
        assert words in table
    assert "wrist" not in table
    assert user_client.get(f"{url}/result.json").json["summary"]["wearings"][0]["reference_windows"] == 12
    without = user_client.get(f"/predictions/{store(app, user.id, None, unsure_day()).recording_id}").text
    assert "worn-title" not in without


def test_a_person_can_say_that_they_walk_all_through_a_recording(app: Flask, user_client: FlaskClient) -> None:
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    worn = (Wearing("day.csv", 0.0, 3600.0, "leg", True, "known walking"),)
    lacking = store(app, user.id, None, unsure_day(wearings=(Wearing("day.csv", 0.0, 3600.0),)))
    assert "Walk for 30 seconds with the device in the same place" in (
        user_client.get(f"/predictions/{lacking.recording_id}").text
    )
    walk = unsure_day(wearings=worn)
    walk = replace(walk, **{name: getattr(walk, name)[600:620] for name in PER_WINDOW})  # a minute on foot
    recording = store(app, user.id, None, walk).recording
    url = f"/predictions/{recording.id}"
    assert "Do you walk all through this recording? Then say below" in user_client.get(url).text
    refused = user_client.post(f"{url}/walking", data={"walking": "1"}, follow_redirects=True).text
    assert "Say first where the device was worn" in refused
    recording.place = "leg"
    db.session.commit()
    assert "Do you walk all through this recording?" in user_client.get(url).text
    used = user_client.post(f"{url}/walking", data={"walking": "1"}, follow_redirects=True).text
    assert "Your other recordings with the device in a trouser pocket are measured against it." in used
    result = unsure_day(wearings=worn, walking_recording=recording.id)
    other = f"/predictions/{store(app, user.id, None, result, 'other.csv').recording_id}"
    assert "Measured against your walking in “day.csv”" in user_client.get(other).text
    stopped = user_client.post(f"{url}/walking", data={"walking": "0"}, follow_redirects=True).text
    assert "Do you walk all through this recording?" in stopped
    user_client.post(f"{url}/delete")
    assert "Measured against walking of yours" in user_client.get(other).text


def test_nobody_says_of_somebody_elses_recording_that_they_walk(
    app: Flask, user_client: FlaskClient, log_in: Callable[..., FlaskClient]
) -> None:
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    recording = store(app, user.id, None, unsure_day()).recording
    for role in ("user", "admin"):
        stranger = log_in(f"stranger-{role}", role=role)
        assert stranger.post(f"/predictions/{recording.id}/walking", data={"walking": "1"}).status_code == 404


def test_the_page_of_a_recording_with_thousands_of_labels_opens_soon(app: Flask, user_client: FlaskClient) -> None:
    _, result = a_day(rate_hz=1.0)
    names = tuple(f"label {i}" for i in range(8000))
    many = replace(result, labels=np.arange(len(result)) % len(names), label_activities=names)
    user = db.session.scalars(select(User)).one()
    prediction = store(app, user.id, None, many)
    started = time.process_time()
    page = user_client.get(f"/predictions/{prediction.recording_id}").text
    assert time.process_time() - started < 10.0  # it took 54 s with a row for each
    assert "and 7,800 more labels with fewer windows" in page


def test_the_page_is_smoothed_or_of_windows_alone_and_its_downloads_with_it(
    app: Flask, user_client: FlaskClient
) -> None:
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    signals, result = a_day(2.0, rate_hz=10.0)
    stored = store(app, user.id, signals, replace(result, shortest_bout_s=9.0))
    url = f"/predictions/{stored.recording_id}"

    def n_bouts(address: str) -> int:
        return len(user_client.get(f"{url}/bouts.json{address}").json["bouts"])

    page, alone = user_client.get(url).text, user_client.get(f"{url}?smooth=0").text
    assert "A bout of less than 9 s" in page
    assert "Each window has its own answer" in alone
    shown = r'aria-current="true" href="[^"]*smooth=(\d)[^"]*">([^<]+)<'
    assert (re.findall(shown, page), re.findall(shown, alone)) == ([("1", "Smoothed")], [("0", "Windows alone")])
    assert n_bouts("?smooth=0") > 2 * n_bouts("") == 2 * n_bouts("?smooth=1")
    assert n_bouts("?smooth=maybe") == n_bouts("")
    for link in re.findall(r'(?:href|data-url)="([^"]*(?:csv|json|png|svg)[^"]*)"', alone):
        assert "smooth=0" in link or "quality" in link or not link.startswith(url)
    assert user_client.get(f"{url}/windows.json").json["smoothed_s"] == 9.0
    rows = csv.DictReader(io.StringIO(user_client.get(f"{url}/windows.csv?smooth=0").text))
    assert {row["smoothed_s"] for row in rows} == {"0.0"}
    drawn = [len(user_client.get(f"{url}/timeline.json{q}").json["recognised"]) for q in ("?smooth=0", "")]
    assert drawn[0] > 2 * drawn[1]
