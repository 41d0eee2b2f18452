"""Files in layouts of a lab's own: an unknown CSV is asked about and recognised, a zip becomes a data set."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.bad_inputs import zipped
from tests.browser.site import Site, log_out, register
from tests.browser.test_pages import check
from tests.tables import labelled

pytestmark = pytest.mark.browser


def choose(page: Page, name: str, content: bytes) -> None:
    page.set_input_files("input[type=file]", {"name": name, "mimeType": "text/csv", "buffer": content})


def test_an_unknown_file_is_asked_about_once_and_a_zip_of_such_files_becomes_a_data_set(
    admin: Page, site: Site
) -> None:
    page = admin
    files: dict[str, bytes | str] = {
        f"{activity}/P{n}_1.csv": labelled("Walk", n, 6 + len(activity))
        for activity in ("Stroll", "March")
        for n in (1, 2)
    }
    page.goto(site.address + "/datasets/add")
    page.get_by_label("Name", exact=True).fill("our-walks")
    choose(page, "our walks.zip", zipped(files))
    page.get_by_role("button", name="Add data set").click()
    page.wait_for_url(re.compile(r"/describe$"))
    check(page, page.url)
    found = page.locator("#found")
    expect(found).to_contain_text("from the file")
    page.check("input[name=label_from][value=folder]")
    expect(found.get_by_role("cell", name="Stroll", exact=True).first).to_be_visible()
    page.check("input[name=subject_from][value=name]")
    page.fill("input[name=pattern]", "{subject}_{trial}")
    page.locator("input[name=pattern]").blur()
    expect(found.get_by_role("cell", name="P2", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Add data set").click()
    page.wait_for_url(re.compile(r"/datasets/our-walks$"))
    expect(page.locator("main")).to_contain_text("Own recordings")
    expect(page.locator("main")).to_contain_text("Stroll")

    log_out(page)
    register(page, site.address, "wearer")
    before = set((site.home / "uploads").iterdir())
    page.goto(site.address + "/")
    page.get_by_label("Recognise with").select_option(index=1)
    choose(page, "wrist band.csv", labelled().encode())
    page.get_by_role("button", name="Upload and recognise").click()
    page.wait_for_url(re.compile(r"/mappings/file/\w+$"))
    address = page.url
    check(page, address)
    expect(page.locator("main")).to_contain_text("g with gravity")
    unit = page.locator("select[name=columns-sensors-0-unit]")
    unit.select_option("m/s²")
    expect(page.locator("#found")).to_contain_text("is the unit right?")
    unit.select_option("g")
    expect(page.locator("#found .right")).to_be_visible()
    models = page.get_by_label("Recognise with")
    models.select_option(label=next(t for t in models.locator("option").all_inner_texts() if "physiotherapy" in t))
    page.get_by_role("button", name="Read and recognise").click()
    page.wait_for_url(re.compile(r"/predictions/\d+$"))
    expect(page.locator("[data-read-with]")).to_have_attribute("data-read-with", "wrist band")
    response = page.goto(address)
    assert response is not None
    assert re.search(r"/predictions/\d+$", response.url)  # it is not waiting any more: its recording is shown
    page.goto(site.address + "/mappings/")
    expect(page.get_by_label("Name of wrist band")).to_be_visible()
    assert len(set((site.home / "uploads").iterdir()) - before) == 1
