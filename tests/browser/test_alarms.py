"""A person and a caregiver before their own screens: who sees an alarm, and what each does about it."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import homes
from tests.browser.site import PASSWORD, Site, log_in, register

pytestmark = pytest.mark.browser


def raise_a_fall(site: Site, name: str) -> None:
    """Let somebody fall, some minutes ago: nobody has answered."""
    from app.services import accounts
    from app.services.alarms import alarms, life

    with homes.at_home(site.home):
        at = time.time() - 200
        facts = {"time_s": at, "peak_g": 3.1, "score": 0.9, "method": "threshold"}
        alarms.notice(accounts.find(name).id, life.FALL, facts, None, at)
        for moment in (at + 10, at + 110):
            alarms.tick(moment)


def test_a_caregiver_without_consent_sees_nothing_and_with_it_looks_after_an_alarm(
    browser: Browser, page: Page, site: Site
) -> None:
    from app.services import accounts

    with homes.at_home(site.home):
        accounts.register("attentive", PASSWORD, "", "attentive@example.org", "", "caregiver")
    register(page, site.address, "faller")
    raise_a_fall(site, "faller")
    caregiver = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    log_in(caregiver, site.address, "attentive")
    expect(caregiver.get_by_text("Nobody yet")).to_be_visible()
    expect(caregiver.get_by_text("faller")).to_have_count(0)

    page.goto(site.address + "/caregivers")
    page.get_by_label("Code").fill(caregiver.locator(".care-code").inner_text())
    page.get_by_role("button", name="Read what they would see").click()
    page.get_by_role("button", name="I agree").click()
    expect(page.get_by_text("attentive sees your state")).to_be_visible()
    page.goto(site.address + "/alarms/")
    page.get_by_role("link", name="Possible fall").click()
    expect(page.get_by_role("button", name="I’m fine")).to_be_visible()

    caregiver.reload()
    card = caregiver.locator(".person", has_text="faller")
    expect(card.get_by_text("No device is connected")).to_be_visible()
    card.get_by_role("link", name="Possible fall").click()
    caregiver.get_by_role("button", name="I look after it").click()
    expect(caregiver.get_by_text("Everybody who was told")).to_be_visible()
    expect(page.get_by_text("attentive: Looks after it")).to_be_visible()  # without loading the page

    page.goto(site.address + "/caregivers")
    caregiver.goto(site.address + "/people")
    expect(card).to_be_visible()
    expect(caregiver.locator("#following")).to_have_attribute("data-state", "open")
    page.get_by_role("button", name="Take it back").click()
    expect(caregiver.get_by_text("Nobody yet")).to_be_visible()  # at once, without loading the page
    caregiver.goto(site.address + "/alarms/")
    expect(caregiver.get_by_text(re.compile("Possible fall"))).to_have_count(0)
    caregiver.context.close()
