"""The pages' scripts where something is missing: the connection, the session, the element that they work on."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.site import PASSWORD, Site, log_in, register
from tests.tables import labelled

pytestmark = pytest.mark.browser
POLL = """async () => {
  const { poll } = await import("/static/js/lib/poll.js");
  window.heard = [];
  window.stop = poll("/answers", (answer) => { heard.push(answer.n); return answer.n < 3; },
                     { every: 10, lost: () => heard.push("lost") });
}"""


def test_a_lost_connection_is_shown_beside_the_answers_and_the_next_change_asks_again(page: Page, site: Site) -> None:
    register(page, site.address, "losing")
    page.goto(site.address + "/")
    file = {"name": "wrist band.csv", "mimeType": "text/csv", "buffer": labelled().encode()}
    page.set_input_files("input[type=file]", file)
    page.locator("#upload-button").click()
    page.wait_for_url(re.compile("/mappings/file/"))
    found = page.locator("#found")
    unit = page.locator("select[name$=unit]").nth(1)

    page.route("**/mappings/file/*", lambda route: route.abort())
    unit.select_option(index=1)
    expect(found.locator("[data-lost]")).to_be_visible()
    expect(found).not_to_have_attribute("aria-busy", "true")

    page.unroute("**/mappings/file/*")
    page.route(
        "**/mappings/file/*", lambda route: route.fulfill(status=400, body="<main><p class=lead>Too old</p></main>")
    )
    unit.select_option(index=0)
    expect(found.locator("[data-lost]")).to_have_text("Too old")
    page.unroute("**/mappings/file/*")
    unit.select_option(index=1)
    expect(found.locator("[data-lost]")).to_have_count(0)


def test_what_is_asked_again_and_again_survives_a_lost_answer_and_ends_when_told(page: Page, site: Site) -> None:
    asked = 0

    def answer(route: Route) -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            route.abort()
        else:
            route.fulfill(json={"n": asked})

    page.goto(site.address + "/login")
    page.route("**/answers", answer)
    page.evaluate(POLL)
    page.wait_for_function("() => heard.length >= 3")
    page.wait_for_timeout(100)
    assert page.evaluate("heard") == [1, "lost", 3]


def test_a_page_whose_session_has_ended_asks_to_log_in(page: Page, site: Site) -> None:
    register(page, site.address, "expired")
    page.goto(site.address + "/password")
    page.context.clear_cookies()
    page.route("**/answers", lambda route: route.fulfill(status=401, json={"message": "Log in again."}))
    page.evaluate(POLL)
    page.wait_for_url(re.compile("/login"))


def test_a_script_on_a_page_without_its_element_does_nothing(page: Page, site: Site) -> None:
    page.goto(site.address + "/login")
    for name in ("training", "upload"):
        page.add_script_tag(url=f"/static/js/{name}.js", type="module")
    page.wait_for_timeout(200)  # an error would be reported by now, and fails the test


def test_several_data_sets_are_tested_by_data_set_until_another_way_is_chosen(admin: Page, site: Site) -> None:
    admin.goto(site.address + "/training/")
    first, second, *_ = admin.locator("input[name=dataset]").all()
    way, how_much = admin.locator("input[name=protocol]:checked"), admin.locator("#how-much")
    first.check()
    expect(way).to_have_value("subject")
    second.check()
    expect(way).to_have_value("dataset")
    expect(how_much).to_be_hidden()  # each data set is a fold
    first.uncheck()
    expect(way).to_have_value("subject")  # one cannot be left out
    expect(how_much).to_be_visible()
    admin.locator("input[name=protocol][value=random]").check()
    first.check()
    expect(way).to_have_value("random")


def test_the_window_length_follows_the_data_sets_until_a_person_writes_one(admin: Page, site: Site) -> None:
    admin.goto(site.address + "/training/")
    first, second, *_ = admin.locator("input[name=dataset]").all()
    first.evaluate("box => { box.dataset.windowS = '1.5'; }")
    admin.locator("summary", has_text="Advanced").click()
    length = admin.get_by_label("Window length (s)")
    first.check()
    expect(length).to_have_value("1.5")
    first.uncheck()
    second.check()
    expect(length).to_have_value(re.compile(r"^3(\.0)?$"))
    length.fill("2")
    first.check()
    expect(length).to_have_value("2")


def test_a_stored_model_is_offered_where_it_fits_and_reads_windows_in_its_own_way(admin: Page, site: Site) -> None:
    admin.goto(site.address + "/training/")
    admin.locator("summary", has_text="Advanced").click()
    base, length = admin.get_by_label("Start from"), admin.get_by_label("Window length (s)")
    tuned, ticked = admin.get_by_label("Fine-tune its network"), admin.locator("input[name=models]:checked")
    for box in admin.locator("input[name=dataset]").all():
        box.uncheck()
    admin.locator("input[name=dataset][value=physiotherapy-example]").check()
    assert base.locator("option[value='reference-physiotherapy/1']").is_disabled()  # it has seen these people
    expect(tuned).to_be_hidden()
    expect(ticked).to_have_count(4)
    base.select_option("reference-ku-har/1")
    expect(tuned).to_be_visible()
    expect(length).to_be_hidden()
    expect(ticked).to_have_value("elm-gru-am")
    base.select_option("")
    expect(length).to_be_visible()
    expect(ticked).to_have_count(4)


def test_an_upload_after_the_session_has_ended_says_so(page: Page, site: Site) -> None:
    register(page, site.address, "gone")
    page.goto(site.address + "/")
    browser = page.context.browser
    assert browser is not None
    elsewhere = browser.new_context().new_page()
    log_in(elsewhere, site.address, "gone")
    elsewhere.goto(site.address + "/account/sessions")
    elsewhere.get_by_text("End all others").click()
    elsewhere.get_by_label("All others").get_by_label("Your password").fill(PASSWORD)
    elsewhere.get_by_role("button", name="End them").click()
    expect(elsewhere.get_by_text("You are logged out everywhere else.")).to_be_visible()
    elsewhere.context.close()
    page.set_input_files(
        "input[type=file]", {"name": "walk.csv", "mimeType": "text/csv", "buffer": labelled().encode()}
    )
    page.locator("#upload-button").click()
    expect(page.locator("#upload-message")).to_have_text("Log in again: this session has ended.")
    expect(page.locator("#upload-button")).to_be_enabled()
