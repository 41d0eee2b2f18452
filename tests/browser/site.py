"""The real site, run as a lab runs it, and a headless browser to use it with."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests import homes

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery staple"
ADMINISTRATOR = "chief"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Site:
    """``python run.py`` on a free port with its own home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.address = ""
        self.setup_address: str | None = None

    def start(self) -> Site:
        """Start the server and wait until it says where it is."""
        environment = os.environ | homes.where(self.home) | {"PORT": "0", "HOST": "127.0.0.1"}
        self.process = subprocess.Popen(
            [sys.executable, "run.py"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        printed = []
        for line in self.process.stdout:
            printed.append(line)
            if found := re.search(r"http://\S+/setup/\S+", line):
                self.setup_address = found[0]
            if found := re.search(r"Kinelab is at (http://\S+)", line):
                self.address = found[1]
                break
        assert self.address, "the server did not start:\n" + "".join(printed)
        self.output = printed
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        return self

    def _drain(self) -> None:
        assert self.process.stdout is not None
        self.output.extend(self.process.stdout)

    def kill(self) -> None:
        """End the server at once, as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """End the server politely."""
        self.process.terminate()
        self._wait()

    def _wait(self) -> None:
        self.process.wait(timeout=20)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def is_up(self) -> bool:
        """Tell whether the site answers."""
        with urlopen(self.address, timeout=10) as response:
            return bool(response.status == 200)


@contextmanager
def running(home: Path) -> Iterator[Site]:
    """Run the site in a home, and end it where that was not done meanwhile."""
    site = Site(home).start()
    try:
        yield site
    finally:
        if site.process.poll() is None:
            site.stop()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def create_administrator(page: Page, setup_address: str) -> None:
    """Open the one-time address and make the first account."""
    page.goto(setup_address)
    fill_account(page, ADMINISTRATOR)
    page.locator("main form [type=submit]").click()
    page.wait_for_url(re.compile(r"/$"))


def register(page: Page, address: str, username: str) -> None:
    """Register an account as a user would, and log in with it where the site does not do so by itself."""
    page.goto(address + "/register")
    fill_account(page, username)
    page.locator("main form [type=submit]").click()
    if "/login" in page.url:
        log_in(page, address, username)


def fill_account(page: Page, username: str) -> None:
    page.fill("input[name=username]", username)
    page.fill("input[name=email]", f"{username}@example.org")
    page.fill("input[name=contact_number]", "+44 20 7946 0000")
    page.fill("[name=address]", "1 Laboratory Lane")
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)


def log_in(page: Page, address: str, username: str) -> None:
    page.goto(address + "/login")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url(re.compile(r"/(people)?$"))


def log_out(page: Page) -> None:
    page.context.clear_cookies()


def start_training(
    page: Page, address: str, *, models: tuple[str, ...], epochs: int, folds: str = "", keep_sums: bool = False
) -> None:
    """Fill in the train page for the embedded example and press the button."""
    page.goto(address + "/training/?dataset=physiotherapy-example")
    for box in page.locator("input[name=models]").all():
        box.set_checked(box.get_attribute("value") in models)
    page.select_option("select[name=folds]", folds)
    page.locator("summary", has_text="Advanced").click()
    page.fill("input[name=epochs]", str(epochs))
    page.locator("input[name=keep_sums]").set_checked(keep_sums)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_selector("#progress")


def width(page: Page, wanted: int) -> int:
    """Return how wide the page is; plots follow the window a moment later, so up to 5 s are given for them to fit."""
    with suppress(PlaywrightTimeout):
        page.wait_for_function("wanted => document.documentElement.scrollWidth <= wanted", arg=wanted, timeout=5000)
    return int(page.evaluate("document.documentElement.scrollWidth"))
