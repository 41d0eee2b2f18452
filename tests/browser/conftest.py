"""A browser and a site for the whole session; whoever ends a site, or needs an empty one, has one of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import homes
from tests.browser.site import ADMINISTRATOR, CHROMIUM, PASSWORD, Site, chromium, log_in, running

PATIENCE = 90_000  # ms; a click waits for the page that it asks for, and that may load TensorFlow beside other tests
HERE = r"http://127\.0\.0\.1:|data:|blob:"
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
    """Open a page of its own session; a script error on it fails the test, or what it asks of another host."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"{error} {error.stack}"))
    page.on("console", lambda m: errors.append(m.text) if "Content Security Policy" in m.text else None)
    elsewhere: list[str] = []
    page.on(
        "request", lambda r: None if re.match(r"http://127\.0\.0\.1:|data:|blob:", r.url) else elsewhere.append(r.url)
    )
    yield page
    context.close()
    assert not errors
    assert not elsewhere


@pytest.fixture(scope="session")
def inhabited_home(tmp_path_factory: pytest.TempPathFactory, started_home: Path) -> Path:
    """Return a home after the first start that has an administrator."""
    from app.services import accounts

    home = homes.copied(started_home, tmp_path_factory.mktemp("inhabited") / "home")
    with homes.at_home(home):
        accounts.register(ADMINISTRATOR, PASSWORD, "+44 20 7946 0000", "chief@example.org", "1 High Street", "admin")
    return home


@pytest.fixture(scope="session")
def site(inhabited_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run one site for many tests; each registers a person under a name that no other test uses."""
    with running(homes.copied(inhabited_home, tmp_path_factory.mktemp("site") / "home")) as site:
        yield site


@pytest.fixture
def separate_site(inhabited_home: Path, tmp_path: Path) -> Iterator[Site]:
    """Run the same for one test that ends it."""
    with running(homes.copied(inhabited_home, tmp_path / "home")) as site:
        yield site


@pytest.fixture
def new_site(tmp_path: Path) -> Iterator[Site]:
    """Run the site with an empty home."""
    with running(tmp_path / "home") as site:
        yield site


@pytest.fixture
def admin(page: Page, site: Site) -> Page:
    """Return a page on which the administrator is logged in."""
    log_in(page, site.address, ADMINISTRATOR)
    return page
