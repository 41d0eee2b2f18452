"""Every page can be used with a keyboard, a screen reader and a phone."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.site import Site, log_out, register

pytestmark = pytest.mark.browser
PUBLIC = ["/", "/login", "/register", "/no-such-page"]
ADMIN = [
    "/",
    "/admin/users",
    "/admin/invitations",
    "/datasets/",
    "/datasets/add",
    "/datasets/physiotherapy-example",
    "/datasets/physiotherapy-example/people",
    "/datasets/physiotherapy-example/recordings",
    "/datasets/physiotherapy-example/problems",
    "/datasets/physiotherapy-example/settings",
    "/training/",
    "/models/",
]
USER = [
    "/",
    "/password",
    "/account/",
    "/account/sessions",
    "/account/second-factor",
    "/account/delete",
    "/mappings/",
]


def check(page: Page, address: str) -> None:
    """Fail on an accessibility violation, or when a phone would have to scroll sideways."""
    response = page.goto(address)
    assert response is not None
    assert response.status == (404 if "no-such" in address else 200), address
    page.wait_for_load_state("networkidle")
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
    assert not found.response["violations"], f"{address}\n{found.generate_report()}"
    page.set_viewport_size({"width": 390, "height": 844})
    if page.locator(".js-plotly-plot").count():
        page.wait_for_timeout(500)  # plots follow the width a moment later
    wide = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert wide <= 390, f"{address} is {wide} pixels wide on a phone"


def test_pages_are_accessible_and_fit_a_phone(admin: Page, site: Site) -> None:
    for path in ADMIN:
        check(admin, site.address + path)
    log_out(admin)
    for path in PUBLIC:
        check(admin, site.address + path)
    register(admin, site.address, "visitor")
    for path in USER:
        check(admin, site.address + path)
