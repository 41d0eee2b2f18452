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
SOON = 60_000  # ms; beside other tests the server has little of a processor


def connect(page: Page, site: Site, place: str = "leg") -> str:
    """Add a device; return its token."""
    page.goto(site.address + "/live/devices")
    page.locator("#name-new").fill("My phone")
    page.locator("#place-new").select_option(place)
    page.get_by_role("button", name="Add device").click()
    expect(page.get_by_alt_text(re.compile("QR code"))).to_be_visible()
    return page.locator("code", has_text="Bearer").inner_text().removeprefix("Bearer ").strip()


def test_the_page_follows_what_a_phone_streams(page: Page, site: Site, data_dir: Path) -> None:
    register(page, site.address, "walker")
    phone = Phone(site.address, connect(page, site))
    page.get_by_role("link", name="See it live").click()
    expect(page.locator("#connection")).to_have_text("Connected")
    expect(page.locator("#silent")).to_be_visible()
    word = page.locator(".stream-word")
    phone.stream(streaming.motion_sense(data_dir, "wlk", 30), speed=4)
    expect(word).to_contain_text(re.compile("Walking|On foot"), timeout=SOON)
    phone.stream(streaming.motion_sense(data_dir, "sit", 15), speed=4)
    expect(word).to_contain_text(re.compile("Sitting|Still"), timeout=SOON)
    expect(page.locator(".stream-legend")).to_contain_text(re.compile("Walking|On foot"))
    page.reload()
    expect(page.locator(".stream-legend")).to_contain_text(re.compile("Walking|On foot"))
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="End this stream").click()
    expect(page.get_by_role("region", name="Ended streams")).to_contain_text("My phone")


def test_a_fall_is_noticed_and_cancelled_on_the_phone(page: Page, site: Site, data_dir: Path) -> None:
    register(page, site.address, "tumbler")
    phone = Phone(site.address, connect(page, site, "trunk"))
    page.goto(site.address + "/live/")
    alarm = page.locator("#alarm")
    phone.stream(streaming.fall(data_dir), speed=2)
    expect(alarm).to_contain_text("Possible fall", timeout=SOON)
    answer = phone.stream(streaming.motion_sense(data_dir, "std", 2), speed=2)
    assert answer["alarm"]["kind"] == "fall", answer
    assert phone.send({}, "/api/live/fine") == {"cancelled": True}
    expect(alarm).to_be_empty()


def test_a_phones_browser_streams_what_its_sensors_say(page: Page, site: Site) -> None:
    register(page, site.address, "browser")
    page.goto(site.address + "/live/devices")
    page.locator("#name-new").fill("This browser")
    page.get_by_role("button", name="Add device").click()
    page.get_by_text("Without a camera").click()
    address = page.locator("details code").inner_text()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address)
    assert "#" not in page.url
    page.evaluate(
        """() => setInterval(() => {
          const t = performance.now() / 1000;
          const wave = Math.sin(2 * Math.PI * 1.9 * t);
          window.dispatchEvent(new DeviceMotionEvent("devicemotion", {
            acceleration: { x: 0.5, y: 3 * wave, z: 0.3 },
            accelerationIncludingGravity: { x: 0.5, y: 9.81 + 3 * wave, z: 0.3 },
            rotationRate: { alpha: 40 * wave, beta: 10, gamma: 5 }, interval: 16,
          }));
        }, 16)"""
    )
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#state")).to_contain_text("Sending")
    expect(page.locator("#health")).to_contain_text(re.compile(r"Sent\s*[3-9]"))
    expect(page.locator("#answer")).not_to_be_empty(timeout=SOON)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#state")).to_have_text("Stopped.")
    page.goto(site.address + "/live/")
    expect(page.get_by_role("region", name="Ended streams")).to_contain_text("This browser")
