"""A browser for the whole session, a fresh site for each test module."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.site import CHROMIUM, Site, chromium, create_administrator

PATIENCE = 90_000  # ms; a click waits for the page that it asks for, and that may load TensorFlow beside other tests
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Run a headless Chromium; without one a test is skipped on a user's machine and fails in CI."""
    if CHROMIUM is None:
        message = "these tests drive Chromium, and none is installed (Debian: apt install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a page of its own session; a script error on it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if "Content Security Policy" in m.text else None)
    yield page
    context.close()
    assert not errors


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run the site with an empty home."""
    site = Site(tmp_path_factory.mktemp("home")).start()
    yield site
    if site.process.poll() is None:
        site.stop()


@pytest.fixture
def admin(page: Page, site: Site) -> Page:
    """Return a page on which the administrator, just created, is logged in."""
    assert site.setup_address
    create_administrator(page, site.setup_address)
    return page
