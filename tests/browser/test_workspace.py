"""The home page as a place to work: several files at once, what became of each, and all of it on a phone."""

from __future__ import annotations

import base64
import re

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.browser.site import Site, register
from tests.browser.test_pages import check
from tests.trained import recording_csv

pytestmark = pytest.mark.browser
DROP = """(zone, files) => {
  const transfer = new DataTransfer();
  for (const [name, content] of files) {
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  zone.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""
PHOTO = b"\x89PNG\r\n\x1a\n" + b"\x00" * 500
PHONE = 390


def drop(page: Page, *files: tuple[str, bytes]) -> None:
    encoded = [[name, base64.b64encode(content).decode()] for name, content in files]
    page.locator("#drop-zone").evaluate(DROP, encoded)


def file(name: str, seconds: float) -> FilePayload:
    return FilePayload(name=name, mimeType="text/csv", buffer=recording_csv(seconds))


def width(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth"))


def test_of_two_files_dropped_at_once_one_is_read_and_one_refused_and_both_are_seen(page: Page, site: Site) -> None:
    register(page, site.address, "dropper")
    page.goto(site.address + "/")
    drop(page, ("photo.csv", PHOTO), ("walk.csv", recording_csv(30.0)))
    page.get_by_role("button", name="Upload and recognise").click()
    expect(page.locator("#upload-files li").nth(0)).to_have_text(re.compile("^photo.csv is binary"))
    expect(page.locator("#upload-files li")).to_have_count(2)
    rows = page.locator("#recording-list tbody tr")
    expect(rows).to_have_count(2)  # the page was loaded again, at the list
    expect(rows.nth(0)).to_contain_text("photo.csv")
    expect(rows.nth(0)).to_contain_text("failed")
    expect(rows.nth(0)).to_contain_text("is binary")
    recording = rows.nth(1).get_by_role("link", name="walk.csv", exact=True).get_attribute("href")
    check(page, site.address + "/")
    check(page, f"{site.address}{recording}/describe")
    page.goto(site.address + "/")
    rows.nth(0).get_by_role("button", name="Dismiss").click()
    expect(rows).to_have_count(1)

    page.set_input_files("input[type=file]", file("again.csv", 30.0))
    page.get_by_role("button", name="Upload and recognise").click()
    expect(page.locator("#upload-message")).to_contain_text("You uploaded this file on")
    page.locator("#upload-message").get_by_role("button", name="Upload anyway").click()
    page.wait_for_url(re.compile(r"/predictions/\d+$"))
    expect(page.locator("h1")).to_contain_text("again.csv")


def test_of_several_files_one_that_is_there_already_is_asked_about(page: Page, site: Site) -> None:
    register(page, site.address, "repeater")
    page.goto(site.address + "/")
    page.set_input_files("input[type=file]", file("one.csv", 20.0))
    page.get_by_role("button", name="Upload and recognise").click()
    page.wait_for_url(re.compile(r"/predictions/\d+$"))
    page.goto(site.address + "/")
    page.set_input_files("input[type=file]", [file("same.csv", 20.0), file("two.csv", 25.0)])
    page.get_by_role("button", name="Upload and recognise").click()
    lines = page.locator("#upload-files li")
    expect(lines.nth(1)).to_contain_text("read")
    expect(lines.nth(0)).to_contain_text("You uploaded this file on")
    rows = page.locator("#recording-list tbody tr")
    expect(rows.nth(0)).to_contain_text("two.csv")  # the list is told while the form above it still asks
    rows.nth(1).get_by_role("checkbox").check()
    lines.nth(0).get_by_role("button", name="Leave it out").click()
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("two.csv")
    expect(rows.nth(1)).to_contain_text("one.csv")


def test_a_model_that_cannot_read_a_file_is_not_offered_for_it(page: Page, site: Site) -> None:
    register(page, site.address, "spinner")
    page.goto(site.address + "/")
    models = page.get_by_label("Recognise with")
    everyday = models.locator("option", has_text="any phone or watch")
    models.select_option(value=everyday.get_attribute("value"))
    gyroscope = FilePayload(name="gyro.csv", mimeType="text/csv", buffer=recording_csv(20.0, channels=[3, 4, 5]))
    page.set_input_files("input[type=file]", gyroscope)
    page.get_by_role("button", name="Upload and recognise").click()
    expect(page.locator("#upload-message")).to_contain_text("accelerometer")
    expect(everyday).to_be_disabled()
    expect(everyday).to_contain_text("cannot read this file, it needs the accelerometer")
    models.select_option(value=models.locator("option", has_text="KU-HAR").get_attribute("value"))
    page.get_by_role("button", name="Upload and recognise").click()
    page.wait_for_url(re.compile(r"/predictions/\d+$"))
    page.goto(site.address + "/")
    expect(everyday).to_be_enabled()
    failed = page.locator("#recording-list tbody tr", has_text="failed")
    expect(failed).to_contain_text("The file is kept until")
    check(page, site.address + "/")
    chosen = failed.get_by_label("Model for gyro.csv")
    chosen.select_option(value=chosen.locator("option", has_text="KU-HAR").get_attribute("value"))
    failed.get_by_role("button", name="Try again").click()
    page.wait_for_url(re.compile(r"/predictions/\d+$"))
    page.goto(site.address + "/")
    expect(page.locator("#recording-list tbody tr")).to_have_count(2)
    expect(failed).to_have_count(0)


def test_a_phone_does_the_whole_story_without_scrolling_sideways(browser: Browser, site: Site) -> None:
    context = browser.new_context(viewport={"width": PHONE, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        page.goto(site.address + "/")
        page.get_by_role("link", name="Register").first.click()
        assert width(page) <= PHONE
        register(page, site.address, "phone")
        page.goto(site.address + "/")
        assert width(page) <= PHONE
        page.locator("summary", has_text="How do I export").click()
        expect(page.locator("#how-to-export")).to_contain_text("Zipped CSV")
        page.locator("summary", has_text="Which models are there?").click()
        expect(page.locator("#models")).to_contain_text("any phone or watch")
        assert width(page) <= PHONE
        page.set_input_files("input[type=file]", file("walk on a phone.csv", 30.0))
        page.get_by_role("button", name="Upload and recognise").click()
        page.wait_for_url(re.compile(r"/predictions/\d+$"))
        expect(page.locator("h1")).to_contain_text("walk on a phone.csv")
        expect(page.locator(".js-plotly-plot").first).to_be_visible()
        page.wait_for_timeout(500)  # plots follow the width a moment later
        assert width(page) <= PHONE
        page.goto(site.address + "/")
        row = page.locator("#recording-list tbody tr").first
        row.get_by_role("link", name="Name, notes").click()
        page.get_by_label("Name", exact=True).fill("My walk")
        page.get_by_role("button", name="Save").click()
        expect(row.get_by_role("link", name="My walk", exact=True)).to_be_visible()
        box = row.bounding_box()
        assert box is not None
        assert box["width"] <= PHONE  # a card, not a row of a table that goes on beside the screen
        assert width(page) <= PHONE
        assert not errors
    finally:
        context.close()


def test_a_change_that_takes_longer_says_so_at_once(page: Page, site: Site) -> None:
    register(page, site.address, "waiting")
    page.goto(site.address + "/")
    page.route("**/predictions/example", lambda route: None)  # an answer that does not come
    shown = """async (button) => {
      button.click();
      await new Promise((resolve) => setTimeout(resolve, 450));
      return document.getElementById("working").checkVisibility();
    }"""
    assert page.get_by_role("button", name="Try the example recording").evaluate(shown)
