"""Correct a recording and calibrate in a real browser; whose answers change, and who sees it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.services.recordings import recordings
from tests import homes
from tests.browser.site import ADMINISTRATOR, Site, log_in, register, width
from tests.browser.test_pages import check
from tests.corrected import a_result, recorded
from tests.trained import recording_csv

pytestmark = pytest.mark.browser
SHOWING, STATUS = "#timeline-showing", "#correct-status"
MODEL = "reference-physiotherapy"


def stored_hour(site: Site, username: str) -> tuple[str, list[str]]:
    """Store an hour of a user beside the running site; return the address of its page, and the model's activities."""
    with homes.at_home(site.home) as app:
        from app.extensions import db
        from app.tables import ModelVersion, User

        user = db.session.scalars(select(User).where(User.username == username)).one()
        model = db.session.scalars(select(ModelVersion).where(ModelVersion.name == MODEL)).first()
        assert model is not None
        prediction = recorded(app, user.id, model, a_result(model, 1200, turn=20))
        activities = list(recordings.result_of(prediction).activities)
        return f"{site.address}/predictions/{prediction.recording_id}", activities


def answers(page: Page, url: str) -> list[tuple[float, str]]:
    """Return the bands of a recording: where each begins, and its answer."""
    rows = page.request.get(f"{url}/timeline.json").json()["recognised"]
    return [(row["start_s"], row["activity"]) for row in rows]


def bands(page: Page) -> list[str]:
    """Return the titles of the strips that are drawn."""
    ticks = page.evaluate(
        "Object.entries(document.getElementById('timeline').layout)"
        ".filter(([k, v]) => k.startsWith('yaxis') && v.ticktext).map(([, v]) => v.ticktext[0].trim())"
    )
    return [str(tick) for tick in ticks]


def test_a_person_corrects_a_band_sees_before_and_after_and_undoes_it_and_nobody_elses_answers_change(
    page: Page, site: Site, browser: Browser
) -> None:
    for name in ("untouched", "corrector"):
        register(page, site.address, name)
        url, activities = stored_hour(site, name)
        first = answers(page, url)
        if name == "untouched":
            theirs, before = url, first
            page.context.clear_cookies()
    page.goto(url)
    expect(page.locator(SHOWING)).to_contain_text("Showing")
    assert bands(page) == ["Recognised"]
    page.get_by_label("Select", exact=True).check()
    page.locator("#timeline").scroll_into_view_if_needed()
    box = page.locator("#timeline .nsewdrag").first.bounding_box()
    assert box
    y = box["y"] + 15
    page.mouse.move(box["x"] + 0.5 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], y + 5, steps=5)
    page.mouse.up()
    fields = page.locator("#stretches input")
    expect(fields.first).to_have_value(re.compile(r"^1[67]:\d\d:\d\d"))
    page.get_by_role("link", name=re.compile(r"^Correct 1[67]:00:00")).first.click()
    expect(fields).to_have_count(4)
    page.locator(".activity-choices label", has_text=activities[1]).click()
    page.locator("#correct-form").get_by_role("button", name="Save").click()
    expect(page.locator(STATUS)).to_have_text(f"Saved: 2 stretches of {activities[1]}.")
    effect = page.locator("#corrections-effect")
    expect(effect).to_contain_text("What changed")
    expect(effect).to_contain_text("windows from 1 recording")
    assert bands(page) == ["Recognised", "Model alone", "You said"]
    assert answers(page, url) != first
    check(page, page.url)

    effect.get_by_role("link", name="The model alone").click()
    expect(page.locator(SHOWING)).to_contain_text("Showing")
    assert bands(page) == ["Recognised"]
    page.go_back()
    page.locator("#said").get_by_role("button", name="Undo").click()
    expect(page.locator(STATUS)).to_have_text("Undone: 2 stretches.")
    expect(effect).not_to_contain_text("What you said")
    assert answers(page, url) == first

    page.context.clear_cookies()
    log_in(page, site.address, "untouched")
    assert answers(page, theirs) == before
    assert page.request.get(url).status == 404


def test_on_a_telephone_a_touched_band_is_corrected(browser: Browser, site: Site) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    register(page, site.address, "toucher")
    url, _ = stored_hour(site, "toucher")
    page.goto(url)
    expect(page.locator(SHOWING)).to_contain_text("Showing")
    page.get_by_label("Select", exact=True).check()
    page.locator("#timeline").scroll_into_view_if_needed()
    box = page.locator("#timeline .nsewdrag").first.bounding_box()
    assert box
    page.touchscreen.tap(box["x"] + 0.5 * box["width"], box["y"] + 15)
    expect(page.locator("#stretches input").first).to_have_value("16:00:00")
    page.get_by_label("Another activity").fill("Rowing")
    page.locator("#correct-form").get_by_role("button", name="Save").tap()
    expect(page.locator(STATUS)).to_have_text("Saved: 1 stretch of Rowing.")
    assert width(page, 390) == 390
    context.close()


def test_a_person_calibrates_by_the_guided_page_from_a_file_and_an_administrator_cannot_read_it(
    page: Page, site: Site
) -> None:
    register(page, site.address, "calibrator")
    page.clock.install()
    page.goto(f"{site.address}/calibration/")
    check(page, page.url)
    page.get_by_label("Where is the device worn?").select_option("in a trouser pocket")
    for row in page.locator("[data-step]").all():
        row.locator("[type=checkbox]").set_checked(row.get_attribute("data-step") in ("Walking", "Standing"))
    page.get_by_role("button", name="Start the countdown").click()
    expect(page.locator("#doing")).to_have_text("Standing")
    expect(page.locator("#count")).to_have_text("8")
    page.clock.run_for(8500)
    expect(page.locator("#phase")).to_have_text("Now, until the beep")
    page.clock.run_for(20_000)
    expect(page.locator("#doing")).to_have_text("Walking")
    page.clock.run_for(38_500)
    page.wait_for_url(re.compile(r"/calibration/\d+$"))
    check(page, page.url)
    walk = {"name": "walk.csv", "mimeType": "text/csv", "buffer": recording_csv(70.0)}
    page.set_input_files("input[type=file]", walk)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="Do the steps fit the signal?")).to_be_visible()
    expect(page.locator("main")).to_contain_text("The recording does not say the time of day")
    expect(page.locator("#placing .main-svg").first).to_be_visible()
    check(page, page.url)
    page.get_by_role("button", name="1 s later").click()
    page.get_by_role("button", name="Learn from these steps").click()
    page.wait_for_url(re.compile(r"/predictions/\d+"))
    expect(page.locator("#said")).to_contain_text("0:00:03 – 0:00:19")
    expect(page.locator("#said")).to_contain_text("calibration")
    expect(page.locator("#bouts")).to_contain_text("Standing")
    url = page.url.partition("#")[0]

    page.context.clear_cookies()
    log_in(page, site.address, ADMINISTRATOR)
    assert page.request.get(url).status == 404
    assert page.request.post(f"{url}/corrections").status in {400, 404}
    page.goto(f"{site.address}/datasets/shared-corrections")
    expect(page.locator("main")).to_contain_text("Nobody shares corrections")
    check(page, page.url)
