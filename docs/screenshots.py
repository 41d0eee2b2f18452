"""Take the screenshots in docs/screenshots/ from the real site: ``python -m docs.screenshots``."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, Page

from app.har.datasets.description import Description
from app.har.datasets.exports import kinelab
from app.services import accounts
from app.services.datasets import library
from tests import homes
from tests.bad_inputs import zipped
from tests.browser.site import Site, chromium, create_administrator, register, start_training
from tests.days import a_week
from tests.tables import labelled

FOLDER = Path(__file__).parent / "screenshots"
WIDTHS = (1280, 390)
MINUTES = 60_000


class Camera:
    """Photographs whole pages at both widths."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page, self.site = page, site

    def shoot(self, name: str, path: str | None = None, ready: Callable[[], object] | None = None) -> None:
        if path is not None:
            self.page.goto(self.site.address + path)
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900 if width > 500 else 844})
            if ready is not None:
                ready()
            for image in self.page.locator("img[loading=lazy]").all():
                if image.is_visible():
                    image.scroll_into_view_if_needed()
            self.page.wait_for_timeout(700)
            self.page.evaluate("scrollTo(0, 0)")
            self.page.screenshot(path=FOLDER / f"{name}-{width}.png", full_page=True)
        self.page.set_viewport_size({"width": 1280, "height": 900})


def photograph(browser: Browser, site: Site) -> None:
    """Walk through every page, first as administrator, then as user."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(5 * MINUTES)
    camera = Camera(page, site)
    camera.shoot("landing-before-set-up", "/")
    set_up = str(site.setup_address)
    camera.shoot("set-up", set_up.removeprefix(site.address))
    create_administrator(page, set_up)
    camera.shoot("home-administrator", "/")
    camera.shoot("users", "/admin/users")
    camera.shoot("invitations", "/admin/invitations")
    camera.shoot("data-sets", "/datasets/")
    camera.shoot("add-data-set", "/datasets/add")
    describe(page, camera)
    camera.shoot("data-set", "/datasets/physiotherapy-example")
    label(page, camera)
    camera.shoot("training", "/training/")
    camera.shoot("models-at-first", "/models/")
    start_training(page, site.address, models=("elm-gru-am", "random-forest", "cnn"), epochs=12, keep_sums=True)
    page.wait_for_selector("#loss-curve .scatterlayer .trace", timeout=10 * MINUTES)
    page.wait_for_timeout(4000)
    run = page.url.removeprefix(site.address)
    camera.shoot("training-running")
    page.wait_for_selector("#comparison", timeout=10 * MINUTES)
    camera.shoot("training-result", run)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Make default").click()
    camera.shoot("models", "/models/")
    page.get_by_role("link", name="physiotherapy-example/1").first.click()
    camera.shoot("model")
    page.select_option("select[name=subject]", index=1)
    page.get_by_role("button", name="Forget", exact=True).click()
    page.wait_for_selector("#forgotten-title", timeout=MINUTES)
    camera.shoot("model-that-forgot")
    start_training(page, site.address, models=("plain-elm", "svm", "decision-tree"), epochs=12, folds="5")
    page.wait_for_selector("#differences", timeout=10 * MINUTES)
    camera.shoot("evaluation")
    camera.shoot("training-runs-compared", "/training/compare?run=1&run=2")
    page.goto(site.address + "/models/")
    page.get_by_role("link", name="reference-everyday/1").first.click()
    camera.shoot("model-everyday")
    camera.shoot("model-card", page.url.removeprefix(site.address) + "/card")
    camera.shoot("change-password", "/password")
    camera.shoot("account", "/account/")
    camera.shoot("sessions", "/account/sessions")
    camera.shoot("second-factor", "/account/second-factor")
    camera.shoot("audit-log", "/admin/audit")
    camera.shoot("sites", "/sites/")
    chief = camera

    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(5 * MINUTES)
    camera = Camera(page, site)
    camera.shoot("landing", "/")
    camera.shoot("register", "/register")
    camera.shoot("log-in", "/login")
    register(page, site.address, "walker")
    camera.shoot("home-user-empty", "/")
    example = page.request.get(site.address + "/predictions/example.csv").body()
    page.set_input_files(
        "input[type=file]", {"name": "shoulder exercises.csv", "mimeType": "text/csv", "buffer": example}
    )
    page.get_by_role("button", name=re.compile("Upload|Recognise")).first.click()
    page.wait_for_url(re.compile(r"/predictions/\d+"))
    camera.shoot("prediction")
    correct(page, camera)
    calibrate(page, camera)
    share(page, camera)
    chief.shoot("shared-corrections", "/datasets/shared-corrections")
    no_gyroscope = [",".join(row.split(",")[:4]) for row in example.decode().splitlines()]
    page.goto(site.address + "/")
    file = {"name": "no gyroscope.csv", "mimeType": "text/csv", "buffer": "\n".join(no_gyroscope).encode()}
    page.set_input_files("input[type=file]", file)
    page.get_by_role("button", name=re.compile("Upload|Recognise")).first.click()
    page.wait_for_url(re.compile(r"/predictions/\d+"))
    camera.shoot("prediction-missing-sensor")
    ask_for_columns(page, camera)
    camera.shoot("home-user", "/")
    compare_days(page, camera)
    camera.shoot("not-found", "/no-such-page")
    page.goto(site.address + "/")
    page.set_input_files("input[type=file]", {"name": "notes.csv", "mimeType": "text/csv", "buffer": b"dear diary\n"})
    page.get_by_role("button", name=re.compile("Upload|Recognise")).first.click()
    page.wait_for_timeout(1500)
    camera.shoot("upload-refused")


def label(page: Page, camera: Camera) -> None:
    """Add the example's recordings without their labels, and label some of their stretches."""
    with homes.at_home(camera.site.home), tempfile.TemporaryDirectory() as folder:
        signals = replace(library.open_dataset(library.get(library.EXAMPLE_NAME)).signals, activities=())
        path = Path(folder) / "at-home.zip"
        path.write_bytes(zipped({name: b"".join(parts) for name, parts in kinelab.files(signals)}))
        later = Description.from_yaml("label: {from: later}\nsubject: {from: folder}\n", "spec.yaml")
        library.add("at-home", path, description=later)
    page.goto(camera.site.address + "/datasets/at-home/label")
    page.wait_for_selector("#label-form", timeout=MINUTES)
    for number in range(8):
        with page.expect_navigation():
            if number < 3:
                page.locator("#other").fill(("Pendulum", "Abduction", "Forward elevation")[number])
                page.locator("[value=other]").click()
            else:
                page.locator(".label-keys .btn-primary").click()
    camera.shoot("label")


def correct(page: Page, camera: Camera) -> None:
    """Say what two stretches of the recording on the page were."""
    url = page.url
    for number, (first, last) in enumerate((("0:00:30", "0:01:00"), ("0:02:00", "0:02:30")), start=1):
        page.locator("input[name=from]").fill(first)
        page.locator("input[name=to]").fill(last)
        if number == 1:
            page.locator("#activity-choices label").nth(1).click()
        else:
            page.locator("input[name=other]").fill("Rowing")
        page.locator("#correct-form").get_by_role("button", name="Save").click()
        page.wait_for_function("n => document.querySelectorAll('#said > li').length === n", arg=number)
    camera.shoot("corrections", url.removeprefix(camera.site.address).partition("#")[0])


def calibrate(page: Page, camera: Camera) -> None:
    """Go through a calibration whose steps are over, with a recording that is there."""
    camera.shoot("calibrate", "/calibration/")
    page.select_option("#place", "wrist")
    begin = int(time.time()) - 120
    steps = [
        {"activity": name, "start": begin + 35 * i, "end": begin + 35 * i + 25}
        for i, name in enumerate(("Standing", "Walking", "Sitting"))
    ]
    page.evaluate(
        "steps => { const form = document.getElementById('steps-form'); form.steps.value = steps; form.submit(); }",
        json.dumps(steps),
    )
    page.wait_for_selector("#recording")
    camera.shoot("calibrate-recording")
    page.get_by_role("button", name="Use it").click()
    page.wait_for_selector("input[name=later]")
    camera.shoot("calibrate-steps")


def share(page: Page, camera: Camera) -> None:
    """Agree that administrators see corrections."""
    camera.shoot("share-corrections", "/account/sharing")
    page.get_by_role("button", name="I agree").click()
    page.wait_for_selector("text=Take it back")


def compare_days(page: Page, camera: Camera) -> None:
    """Wear something for a week, and say how old one is."""
    with homes.at_home(camera.site.home) as home:
        a_week(home, accounts.find("walker").id)
    page.goto(camera.site.address + "/days/")
    page.select_option("#age", "adult")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector(".cut-points")
    camera.shoot("days", "/days/")


def describe(page: Page, camera: Camera) -> None:
    """Bring recordings in a layout of a lab's own, and cancel."""
    files: dict[str, bytes | str] = {f"P{n}/{a}.csv": labelled("Walk", n) for a in ("Stroll", "March") for n in (1, 2)}
    page.goto(camera.site.address + "/datasets/add")
    page.fill("input[name=name]", "our-walks")
    page.set_input_files(
        "input[type=file]", {"name": "our walks.zip", "mimeType": "application/zip", "buffer": zipped(files)}
    )
    page.get_by_role("button", name="Add data set").click()
    page.wait_for_url(re.compile(r"/describe$"))
    page.check("input[name=label_from][value=name]")
    page.check("input[name=subject_from][value=folder]")
    page.fill("input[name=pattern]", "{label}")
    page.locator("input[name=pattern]").blur()
    camera.shoot("describe-data-set")
    page.get_by_role("button", name="Cancel").click()


def ask_for_columns(page: Page, camera: Camera) -> None:
    """Upload a table in a layout of one's own, and cancel."""
    page.goto(camera.site.address + "/")
    file = {"name": "wrist band.csv", "mimeType": "text/csv", "buffer": labelled().encode()}
    page.set_input_files("input[type=file]", file)
    page.get_by_role("button", name=re.compile("Upload|Recognise")).first.click()
    page.wait_for_url(re.compile(r"/mappings/file/"), timeout=MINUTES)
    camera.shoot("mapping")
    page.get_by_role("button", name="Cancel and delete the file").click()


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    site = Site(Path(tempfile.mkdtemp())).start()
    with chromium() as browser:
        photograph(browser, site)
    site.stop()


if __name__ == "__main__":
    main()
