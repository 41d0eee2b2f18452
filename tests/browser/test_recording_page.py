"""A recording's page in a real browser: look closer, follow a bout, take it away; with a mouse, a keyboard, a phone."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.har.classifiers.types import Wearing
from app.services.recordings.prediction_result import PredictionResult
from tests import exports
from tests.browser.site import Site, register, width
from tests.browser.test_pages import check
from tests.long_recording import a_day, store, unsure_day

pytestmark = pytest.mark.browser
SHOWING = "#timeline-showing"


def stored_day(
    site: Site, monkeypatch: pytest.MonkeyPatch, username: str, result: PredictionResult | None = None
) -> str:
    """Store a made-up day of a user beside the running site and return the address of its page.

    ``result`` is what was recognised in a recording without a signal, instead.
    """
    monkeypatch.setenv("HAR_HOME", str(site.home))
    from app import create_app
    from app.extensions import db
    from app.tables import User
    from config import Config

    app: Flask = create_app(Config())
    with app.app_context():
        user = db.session.scalars(select(User).where(User.username == username)).one()
        prediction = store(app, user.id, *(a_day(rate_hz=10.0) if result is None else (None, result)))
        url = f"{site.address}/predictions/{prediction.recording_id}"
        db.session.remove()
        db.engine.dispose()
    return url


def seen(page: Page) -> tuple[float, float]:
    """Return the range that is drawn, in seconds on the recording's clock."""
    start, end = page.evaluate("document.getElementById('timeline').layout.xaxis.range")
    return start, end


def pinch(page: Page, put_down: tuple[float, float], lifted: tuple[float, float]) -> None:
    """Move two fingers over the plot; where each is, as a share of the plot's width."""
    box = page.locator("#timeline .nsewdrag").last.bounding_box()
    assert box
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, shares: list[float]) -> None:
        at = [{"x": box["x"] + share * box["width"], "y": box["y"] + 20, "id": n} for n, share in enumerate(shares)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", list(put_down))
    for step in np.linspace(0.2, 1, 5):
        touch("touchMove", [a + step * (b - a) for a, b in zip(put_down, lifted, strict=True)])
    touch("touchEnd", [])


def test_a_person_uploads_looks_closer_follows_a_bout_and_takes_it_away(page: Page, site: Site) -> None:
    register(page, site.address, "follower")
    page.goto(site.address + "/")
    page.get_by_role("button", name="Try the example recording").click()
    page.wait_for_url(re.compile(r"/predictions/\d+"))
    expect(page.locator(SHOWING)).to_contain_text("Showing 0:00:00 – ")
    whole = seen(page)
    page.get_by_role("button", name="Zoom in").click()
    expect(page).to_have_url(re.compile("from="))
    assert seen(page)[1] - seen(page)[0] == pytest.approx((whole[1] - whole[0]) / 2, rel=0.01)

    bout = page.locator("#bouts a[data-bout]").nth(1)
    bout.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#timeline-title")).to_be_focused()
    start = float(str(bout.get_attribute("href")).partition("from=")[2].partition("&")[0])
    expect(page).to_have_url(re.compile(f"from={start:.3f}"))
    assert seen(page)[0] == pytest.approx(max(start, whole[0]), abs=0.2)
    page.reload()  # the address keeps the look
    expect(page.locator(SHOWING)).to_contain_text("Showing")
    assert seen(page)[0] == pytest.approx(max(start, whole[0]), abs=0.2)
    page.get_by_role("button", name="All").click()
    expect(page.locator(SHOWING)).to_contain_text("Showing 0:00:00 – ")

    why = page.locator("#bouts [data-why]").first
    why.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#why-title")).to_contain_text("Why “")
    expect(page.locator("#why-alike-windows figure")).to_have_count(4)  # this one and three of other people
    check(page)
    page.locator("#why-close").focus()
    page.keyboard.press("Escape")
    expect(page.locator("#why")).to_be_hidden()
    expect(why).to_be_focused()

    with page.expect_download() as table:
        page.get_by_role("link", name="bouts, CSV").click()
    rows = list(csv.DictReader(Path(table.value.path()).read_text().splitlines()))
    shown = page.locator("#bouts tbody tr").all_inner_texts()  # of the first page
    assert len(rows) >= len(shown) > 3
    assert all(row["activity"] in text for row, text in zip(rows, shown, strict=False))
    with page.expect_download() as document:
        page.get_by_role("link", name="days and hours, JSON").click()
    (recording,) = json.loads(Path(document.value.path()).read_text())["daily"]
    assert recording["time"] == "since the start"
    check(page, page.url)


def test_the_zip_that_a_phone_made_is_understood_and_its_card_says_how(page: Page, site: Site) -> None:
    walk = exports.walk(rate_hz=100.0, seconds=60.0)
    hole = [replace(s, time_s=np.where(s.time_s < 30, s.time_s, s.time_s + 85.6)) for s in walk.streams]
    export = exports.zipped(exports.sensor_logger(replace(walk, streams=tuple(hole))))
    register(page, site.address, "phoner")
    page.goto(site.address + "/")
    models = page.get_by_label("Recognise with")
    models.select_option(label=next(t for t in models.locator("option").all_inner_texts() if "ku-har" in t))
    page.get_by_label("Where was the device worn?").select_option("in a trouser pocket")
    page.set_input_files(
        "input[type=file]", {"name": "2026-11-22.zip", "mimeType": "application/zip", "buffer": export}
    )
    page.get_by_role("button", name="Upload and recognise").click()
    page.wait_for_url(re.compile(r"/predictions/\d+$"))
    expect(page.locator("main")).to_contain_text("You said that the device was worn in a trouser pocket.")
    card = page.locator(".quality")
    expect(card).to_contain_text("Sensor Logger")
    expect(card).to_have_attribute("data-verdict", "usable")
    expect(card.get_by_role("row", name="Accelerometer")).to_contain_text("m/s², by the app's standard")
    expect(card.get_by_role("row", name="Accelerometer")).to_contain_text(re.compile(r"1, .*1:25|1 gap|1, 1 min"))
    expect(page.locator("main")).to_contain_text("low-pass at 0.3 Hz")  # gravity, which the model never learnt
    expect(page.locator(SHOWING)).to_contain_text("Showing")
    expect(page.locator("#bouts")).to_contain_text("missing")
    check(page, page.url)


def test_a_day_is_drawn_with_few_shapes_and_the_latest_look_wins(
    browser: Browser, page: Page, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(page, site.address, "dayer")
    url = stored_day(site, monkeypatch, "dayer")
    page.goto(url)
    expect(page.locator(SHOWING)).to_contain_text("fills most of its time")
    points = page.evaluate("document.getElementById('timeline').data.map((t) => t.x.length)")
    assert max(points) <= 4000
    expect(page.locator("[data-chart] .trace.bars").first).to_be_attached()

    for _ in range(7):
        page.get_by_role("button", name="Zoom in").click()
    expect(page.locator(SHOWING)).to_contain_text("(11 min 15 s)")
    expect(page.locator(SHOWING)).not_to_contain_text("fills most")
    assert page.locator("#timeline").get_attribute("aria-busy") == "false"
    plot = page.locator("#timeline .nsewdrag").last
    box = plot.bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 20, steps=5)
    page.mouse.up()
    expect(page.locator(SHOWING)).to_contain_text(re.compile(r"\(5 min \d\d s\)"))
    expect(page.locator("#timeline")).to_have_attribute("aria-busy", "false")
    page.mouse.dblclick(box["x"] + 0.5 * box["width"], box["y"] + 20)
    expect(page.locator(SHOWING)).to_contain_text("(24 h 00 min)")

    page.goto(f"{url}?from=9&to=5")  # an address typed wrongly still shows the whole
    expect(page.locator(SHOWING)).to_contain_text("(24 h 00 min)")
    check(page, url)

    phone = browser.new_context(
        viewport={"width": 390, "height": 844},
        has_touch=True,
        timezone_id="Asia/Tokyo",
        storage_state=page.context.storage_state(),
    ).new_page()
    phone.goto(site.address)
    phone.goto(url)
    expect(phone.locator("p[data-zone]")).to_have_attribute("data-zone", "Asia/Tokyo")
    phone.get_by_role("button", name="Zoom in").tap()
    expect(phone.locator(SHOWING)).to_contain_text("(12 h 00 min)")
    before = seen(phone)
    phone.locator("#timeline").scroll_into_view_if_needed()
    pinch(phone, (0.4, 0.6), (0.2, 0.8))
    expect(phone.locator(SHOWING)).to_contain_text(re.compile(r"\(\d h \d\d min\)"))
    after = seen(phone)
    assert (after[1] - after[0]) / (before[1] - before[0]) == pytest.approx(1 / 3, rel=0.05)
    middle = (sum(before) / 2, sum(after) / 2)
    assert middle[1] == pytest.approx(middle[0], abs=0.02 * (before[1] - before[0]))
    phone.get_by_role("button", name="All").tap()
    expect(phone.locator(SHOWING)).to_contain_text("(24 h 00 min)")
    tools = phone.locator(".timeline-tools").bounding_box()
    chart = phone.locator("#timeline").bounding_box()
    assert tools
    assert chart
    assert tools["y"] + tools["height"] <= chart["y"]
    assert chart["x"] >= 0
    assert chart["x"] + chart["width"] <= 390
    phone.context.close()


def test_answers_that_are_none_are_hatched_and_all_fits_a_phone(
    page: Page, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(page, site.address, "unsure")
    worn = (Wearing("day.csv", 0.0, 3600.0, "leg", False, "this recording", 840.0, 12),)
    page.goto(stored_day(site, monkeypatch, "unsure", unsure_day(wearings=worn)))
    expect(page.locator(SHOWING)).to_contain_text("Showing")
    bars = page.evaluate(
        "document.querySelector('.periods-chart').data.map((bar) => [bar.name, bar.marker.pattern?.shape ?? ''])"
    )
    assert dict(bars) == {"Still": "", "On foot": "", "Uncertain": ".", "Unfamiliar": "x", "missing": "/"}
    expect(page.locator("#wearings")).to_contain_text("Measured against what seems to be your walking at")
    expect(page.locator("#windows tbody tr").first).to_contain_text("deepest guess: Sit, 34 %")
    check(page, page.url)
    page.set_viewport_size({"width": 390, "height": 844})
    assert width(page, 390) == 390
    for table in ("bouts", "windows", "hours"):  # nor is one of them to be pushed sideways
        region = page.locator(f"#{table}").locator("..")
        assert region.evaluate("(region) => region.scrollWidth <= region.clientWidth"), table


def test_the_axes_are_drawn_on_demand_and_the_picture_is_of_what_is_seen(
    browser: Browser, page: Page, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(page, site.address, "axes")
    url = stored_day(site, monkeypatch, "axes")
    page.goto(f"{url}?from=3600&to=3660")
    expect(page.locator(SHOWING)).to_contain_text("(1 min 00 s)")

    def lines() -> int:
        return int(page.evaluate("document.getElementById('timeline').data.filter((t) => t.mode === 'lines').length"))

    assert lines() == 2
    expect(page.get_by_label("Axes of the sensors")).to_be_hidden()
    page.get_by_role("switch", name="Axes").check()
    expect(page).to_have_url(re.compile("axes=1"))
    assert lines() == 6
    expect(page.get_by_label("Axes of the sensors")).to_be_visible()
    picture = page.get_by_role("link", name="picture of what is seen, SVG")
    expect(picture).to_have_attribute("href", re.compile(r"from=3600\.000&to=3660\.000&axes=1"))
    with page.expect_download() as svg:
        picture.click()
    text = Path(svg.value.path()).read_text()
    assert "(1 min 00 s)" in text
    assert "Recognised by lab/1" in text

    plain = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state()).new_page()
    plain.goto(url)
    plain.get_by_role("navigation", name="Sections of this page").get_by_role("link", name="Bouts").click()
    expect(plain.get_by_role("heading", name="Bouts")).to_be_in_viewport()
    plain.get_by_role("navigation", name="Pages of windows").get_by_role("link", name="2", exact=True).click()
    expect(plain.get_by_role("heading", name="Window by window")).to_be_in_viewport()
    plain.context.close()
