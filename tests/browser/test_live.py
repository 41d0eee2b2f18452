"""A phone streams, its wearer's page follows, and a fall becomes an alarm that is cancelled, or acknowledged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests import streaming
from tests.browser.site import Site, register
from tests.streaming import Phone

pytestmark = [pytest.mark.browser, pytest.mark.real_data]


def connect(page: Page, site: Site, place: str = "leg") -> str:
    """Add a device; return its token."""
    page.goto(site.address + "/live/devices")
    page.locator("#name-new").fill("My phone")
    page.locator("#place-new").select_option(place)
    page.get_by_role("button", name="Add device").click()
    expect(page.get_by_alt_text(re.compile("QR code"))).to_be_visible()
    return page.locator("code", has_text="Bearer").inner_text().removeprefix("Bearer ").strip()


def test_the_page_follows_what_a_phone_streams(page: Page, site: Site, data_dir: Path) -> None:
    page.set_default_timeout(30_000)
    register(page, site.address, "walker")
    phone = Phone(site.address, connect(page, site))
    page.get_by_role("link", name="See it live").click()
    expect(page.locator("#connection")).to_have_text("Connected")
    expect(page.locator("#silent")).to_be_visible()
    word = page.locator(".stream-word")
    phone.stream(streaming.motion_sense(data_dir, "wlk", 30), speed=4)
    expect(word).to_contain_text("Walking")
    phone.stream(streaming.motion_sense(data_dir, "sit", 15), speed=4)
    expect(word).to_contain_text("Sitting")
    expect(page.locator(".stream-legend")).to_contain_text("Walking")
    page.screenshot(path="/tmp/live1.png", full_page=True)
    page.set_viewport_size({"width": 390, "height": 844})
    page.screenshot(path="/tmp/live2.png", full_page=True)
    page.reload()
    expect(page.locator(".stream-legend")).to_contain_text("Walking")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="End this stream").click()
    expect(page.get_by_role("region", name="Streams that have ended")).to_contain_text("My phone")
