"""The main job, end to end, in a real browser on the embedded example."""

from __future__ import annotations

import csv
import re
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Error, Page, expect

from tests.browser.site import ADMINISTRATOR, Site, create_administrator, log_in, log_out, register, start_training

pytestmark = pytest.mark.browser
MINUTES = 60_000


def test_the_whole_story_from_set_up_to_deleting_a_recording(page: Page, new_site: Site, tmp_path: Path) -> None:
    site = new_site
    assert site.setup_address
    create_administrator(page, site.setup_address)
    page.goto(site.address + "/datasets/")
    page.get_by_role("link", name="physiotherapy-example").first.click()
    expect(page.locator("main")).to_contain_text("7")

    start_training(page, site.address, models=("elm-gru-am", "naive-bayes"), epochs=1)
    widths = set()
    for _ in range(600):
        if page.locator("#comparison").count():
            break
        with suppress(Error):  # the page may be just leaving for the result
            if width := page.evaluate("document.querySelector('#progress .progress-bar')?.style.width"):
                widths.add(width)
        time.sleep(0.5)
    assert len(widths) >= 3, f"progress was not seen moving: {widths}"
    expect(page.locator("#comparison tbody tr")).to_have_count(2)
    figure = page.get_by_alt_text("Comparison of the models")
    figure.scroll_into_view_if_needed()
    page.wait_for_function("e => e.complete && e.naturalWidth > 300", arg=figure.element_handle())
    cell = page.get_by_role("region", name="Confusion matrix of ELM-GRU-AM").get_by_role("link").first
    behind = str(cell.get_attribute("aria-label")).split()[0]
    cell.click()
    expect(page.get_by_role("region", name="Windows").locator("tbody tr")).to_have_count(min(int(behind), 50))
    page.go_back()
    with page.expect_download() as table:
        page.get_by_role("link", name="metrics, CSV").click()
    rows = list(csv.DictReader(Path(table.value.path()).read_text().splitlines()))
    assert [row["model"] for row in rows] == ["elm-gru-am", "naive-bayes"]
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Make default").click()
    expect(page.locator("main")).to_contain_text("is now the default model")

    page.goto(site.address + "/datasets/physiotherapy-example")
    recording = tmp_path / "my recording.csv"
    recording.write_bytes(example_recording(page, site))

    log_out(page)
    register(page, site.address, "walker")
    page.goto(site.address + "/")
    page.set_input_files("input[type=file]", recording)
    if page.get_by_role("button", name=re.compile("Upload|Recognise")).count():
        page.get_by_role("button", name=re.compile("Upload|Recognise")).first.click()
    page.wait_for_url(re.compile(r"/predictions/\d+"))
    expect(page.locator("h1")).to_contain_text("my recording.csv")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.locator("main")).to_contain_text(re.compile(r"\d+ of \d+"))
    result_address = page.url
    with page.expect_download() as windows:
        page.get_by_role("link", name=re.compile("CSV")).first.click()
    recognised = list(csv.DictReader(Path(windows.value.path()).read_text().splitlines()))
    assert recognised
    assert {"activity", "confidence"} <= set(recognised[0])

    for address in ("/admin/users", "/datasets/", "/training/", "/models/"):
        response = page.goto(site.address + address)
        assert response is not None
        assert response.status == 403

    other = page.context.browser.new_context().new_page()  # type: ignore[union-attr]
    register(other, site.address, "stranger")
    response = other.goto(result_address)
    assert response is not None
    assert response.status == 404
    other.context.close()

    page.goto(result_address)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").first.click()
    page.wait_for_url(re.compile(r"/$"))
    expect(page.locator("main")).not_to_contain_text("my recording.csv", timeout=5000)
    response = page.goto(result_address)
    assert response is not None
    assert response.status == 404
    assert not list((site.home / "uploads").iterdir())


def test_at_first_start_a_user_recognises_a_recording_before_anything_was_trained(page: Page, site: Site) -> None:
    register(page, site.address, "newcomer")
    page.goto(site.address + "/")
    expect(page.get_by_label("Recognise with").locator("option")).to_have_count(5)  # one leaves it to the file
    page.get_by_role("button", name="Try the example recording").click()
    page.wait_for_url(re.compile(r"/predictions/\d+"))
    expect(page.locator("main")).to_contain_text("reference-physiotherapy/1")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()


def example_recording(page: Page, site: Site) -> bytes:
    """Download the first recording of the embedded example, as a user would."""
    response = page.request.get(site.address + "/predictions/example.csv")
    assert response.ok
    return response.body()


def trainer_of(site: Site) -> psutil.Process:
    """Return the site's trainer."""
    children = psutil.Process(site.process.pid).children(recursive=True)
    (trainer,) = (child for child in children if "app.services.models.training_child" in child.cmdline())
    return trainer


def test_a_killed_trainer_leaves_a_failed_run_with_its_reason_and_the_site_goes_on(admin: Page, site: Site) -> None:
    start_training(admin, site.address, models=("elm-gru-am",), epochs=500)
    trainer_of(site).kill()
    expect(admin.locator("#status")).to_contain_text("failed", timeout=MINUTES)
    expect(admin.locator("#status")).to_contain_text("SIGKILL")
    assert site.is_up()
    start_training(admin, site.address, models=("elm-gru-am",), epochs=500)
    admin.on("dialog", lambda dialog: dialog.accept())
    admin.get_by_role("button", name="Stop training").click()
    expect(admin.locator("#status")).to_contain_text("stopped", timeout=MINUTES)
    assert not list((site.home / "model_store").glob("physiotherapy-example/*"))


def test_a_restart_in_mid_run_leaves_an_interrupted_run_and_no_trainer_behind(page: Page, separate_site: Site) -> None:
    site, admin = separate_site, page
    log_in(admin, site.address, ADMINISTRATOR)
    start_training(admin, site.address, models=("elm-gru-am",), epochs=500)
    trainer = trainer_of(site)
    run_path = admin.url.removeprefix(site.address)
    admin.goto("about:blank")
    site.kill()
    _, alive = psutil.wait_procs([trainer], timeout=10)
    assert not alive, "the trainer outlived its server"
    site.start()
    admin.goto(site.address + run_path)
    expect(admin.locator("#status")).to_contain_text("interrupted")
    start_training(admin, site.address, models=("naive-bayes",), epochs=1)
    expect(admin.locator("#comparison")).to_be_visible(timeout=3 * MINUTES)
