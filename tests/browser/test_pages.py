"""Every page can be used with a keyboard, a screen reader and a phone, in light and in dark colours."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Page
from pyotp import TOTP

from tests import homes, oidc
from tests.bad_inputs import zipped
from tests.browser.site import ADMINISTRATOR, PASSWORD, Site, log_in, log_out, register, running, width
from tests.cohorts import an_ended_cohort
from tests.days import a_week
from tests.oidc import Provider
from tests.synthetic import kinelab_csv

pytestmark = pytest.mark.browser
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
QUICKLY = {"resultTypes": ["violations"], "preload": False}  # no lists of what is right; all styles are of this site
VIOLATIONS = "options => axe.run(document, options).then(({ violations }) => ({ violations }))"
# Of rows, items and the like of one template, axe looks at the first and at those that look otherwise; of a plot, at
# what it is called: what is drawn in it has colours that axe does not know of (fill and stroke)
SHORTEN = """() => {
  const taken = [];
  const take = (each) => { taken.push([each, each.nextSibling, each.parentNode]); each.remove(); };
  for (const parent of document.querySelectorAll("main, main *")) {
    const seen = {};
    for (const each of [...parent.children].filter((each) => /^(tr|li|details|dt|dd)$/i.test(each.tagName))) {
      const classes = [each, ...each.querySelectorAll("*")].map((inner) => inner.tagName + inner.className);
      const kind = [...new Set(classes)].sort().join();
      seen[kind] = (seen[kind] ?? 0) + 1;
      if (seen[kind] > 2) take(each);
    }
  }
  document.querySelectorAll(".js-plotly-plot .main-svg").forEach(take);
  window.lengthen = () => {
    for (const [each, next, parent] of taken.reverse()) {
      parent.insertBefore(each, next?.parentNode === parent ? next : null);
    }
  };
}"""
FOLLOWS = "[data-events], [data-alarm-events]"  # follows events, which have no end, as long as it is open
PLURAL_OF_ONE = r"(?<![\w.,])1 (recordings|subjects|activities|windows|files|people|problems|runs|models|users|bouts)\b"
PUBLIC = ["/", "/login", "/register", "/no-such-page", "/api/v1/"]
ADMIN = [
    "/",
    "/admin/users",
    "/admin/users/1",
    "/admin/invitations",
    "/admin/audit",
    "/admin/retention",
    "/admin/retention?recordings=30",
    "/alarms/outbox",
    "/datasets/",
    "/datasets/add",
    "/datasets/physiotherapy-example",
    "/datasets/physiotherapy-example/people",
    "/datasets/physiotherapy-example/recordings",
    "/datasets/physiotherapy-example/recordings?text=nothing",
    "/datasets/physiotherapy-example/problems",
    "/datasets/physiotherapy-example/settings",
    "/datasets/raw",
    "/datasets/raw/people",
    "/datasets/raw/label",
    "/datasets/shared-corrections",
    "/cohorts/",
    "/cohorts/1",
    "/sites/",
    "/training/",
    "/training/1",
    "/training/1/windows?model=random-forest&true=Pendulum&recognised=Pendulum",
    "/training/compare?run=1&run=2",
    "/training/?like=1",
    "/models/",
    "/models/1",
    "/models/1/card",
]
# addresses made while the test runs
ONCE = {"auth.invitation", "auth.reset", "auth.second_step", "auth.setup", "sign_on.first_time"}
USER = [
    "/",
    "/password",
    "/account/",
    "/account/sessions",
    "/account/single-sign-on",
    "/account/sharing",
    "/account/consents",
    "/account/data",
    "/account/looked",
    "/account/tokens",
    "/account/subscriptions",
    "/calibration/",
    "/live/",
    "/live/devices",
    "/live/phone",
    "/live/here/",
    "/account/second-factor",
    "/account/delete",
    "/mappings/",
    "/caregivers",
    "/caregivers?code=no-such",
    "/alarms/",
    "/alarms/rules",
    "/alarms/notices",
]
CAREGIVER = ["/people", "/alarms/", "/alarms/notices"]
# What is no page of its own, and the page of an import in progress
NOT_VISITED = {
    "account.activities", "account.everything",
    "admin.download_audit", "alarms.events", "alarms.service_worker", "authority.crt",
    "authority.page", "authority.profile", "care.events",
    "bootstrap.static", "datasets.adding", "datasets.distribution", "datasets.export",
    "cohorts.figure", "cohorts.progress", "cohorts.report", "cohorts.table",
    "datasets.label_progress", "datasets.preview", "datasets.progress", "datasets.recording",
    "datasets.shared_corrections_zip",
    "datasets.suggestions", "days.columns_csv", "days.download", "health.live", "health.metrics_text", "health.ready",
    "home.plotly_js", "live.events", "live.here_file", "live.here_model", "live.here_models",
    "mappings.download", "predictions.activities_json", "predictions.alike_json", "predictions.download_many",
    "predictions.reasons_json", "predictions.why_json",
    "predictions.example_csv", "predictions.index", "predictions.progress", "predictions.quality_json",
    "predictions.result_json", "predictions.running", "predictions.table_csv", "predictions.table_json",
    "predictions.timeline_image", "predictions.timeline_json", "sign_on.come_back", "static", "training.artefact",
    "training.certificates", "training.explaining_now", "training.explaining_progress", "training.exported",
    "training.exporting", "training.exporting_progress",
    "training.forgetting_now", "training.forgetting_progress", "training.progress",
}  # fmt: skip


@pytest.fixture(scope="module")
def clinic() -> Iterator[Provider]:
    """Run a provider of single sign-on, and say in the environment where it is."""
    with oidc.running(oidc.ec_key()) as provider, pytest.MonkeyPatch.context() as environment:
        for name, value in {"ISSUER": provider.issuer, "CLIENT_ID": oidc.CLIENT, "CLIENT_SECRET": oidc.SECRET}.items():
            environment.setenv(f"OIDC_{name}", value)
        environment.setenv("OIDC_NAME", "Clinic")
        provider.person = {"sub": "a1b2", "email": "new@clinic.example", "email_verified": True}
        yield provider


@pytest.fixture(scope="module")
def furnished(finished_home: Path, clinic: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run a site with a data set, two trainings that have ended, models, an administrator, and single sign-on."""
    from app.services import accounts
    from app.services.models import runs
    from app.services.transaction import transaction
    from app.tables import TrainingRun

    home = homes.copied(finished_home, tmp_path_factory.mktemp("furnished") / "home")
    with homes.at_home(home):
        accounts.register(ADMINISTRATOR, PASSWORD, "+44 20 7946 0000", "chief@example.org", "1 High Street", "admin")
        accounts.register("carla", PASSWORD, "", "carla@example.org", "", "caregiver")
        run = runs.describe(1, "three hundred trees", "A first try.")
        with transaction() as session:
            session.add(TrainingRun(status=run.status, config=run.config | {"seed": 1}, result=run.result))
        an_ended_cohort()
        recordings_to_label(accounts.find(ADMINISTRATOR).id)
    with running(home) as site:
        yield site


def recordings_to_label(person: int) -> None:
    """Add recordings without labels, of which somebody has labelled two stretches and skipped one."""
    from app.har.datasets.description import Description
    from app.har.labelling import make_map
    from app.services.datasets import labelling, library, reading_tasks

    description = Description.from_yaml("label: {from: later}\nsubject: {from: folder}\n", "spec.yaml")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "raw.zip"
        path.write_bytes(zipped({f"{i}/walk.csv": kinelab_csv(None, i, 15.0) for i in (1, 2)}))
        dataset = library.add("raw", path, description=description)
    make_map(library.open_dataset(dataset).signals).save(library.store_folder(dataset) / reading_tasks.BOUTS)
    for bout, activity in enumerate(("Walking", "limping", "")):
        labelling.say("raw", person, bout, activity, 2.0)


def check(page: Page, address: str = "") -> None:
    """Fail on an accessibility violation in either colours, on focus that is not seen, or where a phone must scroll."""
    if address:
        response = page.goto(address)
        assert response is not None
        assert response.status == (404 if "no-such" in address else 200), address
    page.wait_for_load_state("load" if page.locator(FOLLOWS).count() else "networkidle")
    page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
    assert unseen_focus(page) == [], page.url
    assert not re.search(PLURAL_OF_ONE, page.inner_text("main")), page.url
    page.set_viewport_size({"width": 390, "height": 844})
    wide = width(page, 390)
    page.set_viewport_size({"width": 1280, "height": 900})
    assert wide <= 390, f"{page.url} is {wide} pixels wide on a phone"
    page.evaluate(SHORTEN)
    page.evaluate(Axe().axe_script)
    for colours, rules in (("dark", ["color-contrast"]), ("light", RULES)):  # only contrast hangs on colours
        page.emulate_media(color_scheme=colours, reduced_motion="reduce")  # no colour is on its way
        page.wait_for_function("colours => document.documentElement.dataset.bsTheme === colours", arg=colours)
        found = AxeResults(page.evaluate(VIOLATIONS, {"runOnly": rules} | QUICKLY))
        assert not found.response["violations"], f"{page.url} in {colours} colours\n{found.generate_report()}"
    page.evaluate("lengthen()")


def unseen_focus(page: Page) -> list[str]:
    """Return the elements that show no outline when the keyboard reaches them."""
    page.keyboard.press("Tab")  # from now on the browser shows focus as for a keyboard
    return page.evaluate(
        """() => {
          const all = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
          const seen = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.disabled;
          return [...document.querySelectorAll(all)].filter(seen).filter((element) => {
            element.focus();
            if (document.activeElement !== element) return false;
            const style = getComputedStyle(element);
            return style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2;
          }).map((element) => element.outerHTML.slice(0, 120));
        }"""
    )


def test_the_pages_of_an_administrator(page: Page, furnished: Site) -> None:
    log_in(page, furnished.address, ADMINISTRATOR)
    for path in ADMIN:
        check(page, furnished.address + path)


def test_the_pages_of_a_visitor_and_of_a_user(page: Page, furnished: Site) -> None:
    for path in PUBLIC:
        check(page, furnished.address + path)
    register(page, furnished.address, "visitor")
    for path in USER:
        check(page, furnished.address + path)


def test_the_pages_of_a_caregiver_and_of_whom_they_see(page: Page, furnished: Site) -> None:
    log_in(page, furnished.address, "carla")
    for path in CAREGIVER:
        check(page, furnished.address + path)
    page.goto(furnished.address + "/people")
    code = page.locator(".care-code").inner_text()
    log_out(page)
    register(page, furnished.address, "seen")
    check(page, f"{furnished.address}/caregivers?code={code}")
    page.get_by_role("button", name="I agree").click()
    check(page)
    with homes.at_home(furnished.home) as home:
        raised, counting = some_alarms("seen")
        some_days(home, "seen")
    for path in (f"/alarms/{raised}", f"/alarms/{counting}", "/alarms/", "/alarms/notices", "/days/"):
        check(page, furnished.address + path)
    log_out(page)
    log_in(page, furnished.address, "carla")
    for path in ("/people", "/people/days", f"/alarms/{raised}"):
        check(page, furnished.address + path)
    log_out(page)
    log_in(page, furnished.address, ADMINISTRATOR)
    check(page, furnished.address + "/alarms/outbox")  # with a message that could not be sent


def some_alarms(name: str) -> tuple[int, int]:
    """Give somebody an alarm that is raised, one that counts down, and a target that fails; return the alarms."""
    from app.services import accounts
    from app.services.alarms import alarms, life
    from app.services.transaction import transaction
    from app.tables import Notice, NoticeTarget

    person, moment = accounts.find(name).id, time.time()
    heart = {"bpm": 134, "low": 40, "high": 120, "activity": "Sitting"}
    raised = alarms.notice(person, life.HEART_RATE, heart, None, moment - 300)
    alarms.tick(moment)
    counting = alarms.notice(person, life.UNUSUAL, {"measure": "lying", "share": 0.9, "usual": 0.4}, None, moment)
    assert raised is not None
    assert counting is not None
    with transaction() as session:
        target = NoticeTarget(user_id=person, channel="mail", address={"to": "a@b.edu"}, last_error="550 no mailbox")
        session.add(Notice(target=target, state="dead", error="550 no mailbox"))
    return raised.id, counting.id


def some_days(home: Flask, name: str) -> None:
    """Give somebody two days, and let the caregiver see them."""
    from app.services import accounts
    from app.services.care import consents

    person = accounts.find(name).id
    a_week(home, person, days=2)
    consents.change(person, consents.history(person)[0].id, consents.WITH_DAYS)


def test_the_pages_behind_addresses_that_work_once(page: Page, furnished: Site, new_site: Site) -> None:
    from app.services import accounts
    from app.services.identity import one_time, second_factor

    assert new_site.setup_address is not None
    check(page, new_site.setup_address)
    page.locator("main form [type=submit]").click()
    check(page)  # with what is missing
    with homes.at_home(furnished.home):
        chief = accounts.find(ADMINISTRATOR).id
        two = accounts.register("twofold", PASSWORD, "+44 20 7946 0000", "two@example.org", "1 High Street").id
        invitation, reset = one_time.invite(chief, "user"), one_time.open_reset(two, chief)
        salt = second_factor.new_salt()
        app_of_phone = TOTP(second_factor.secret_of(accounts.get(two), salt))
        second_factor.switch_on(two, salt, app_of_phone.now(), "")
    check(page, f"{furnished.address}/invitation/{invitation}")
    check(page, f"{furnished.address}/reset/{reset}")
    page.goto(furnished.address + "/login")
    page.fill("input[name=username]", "twofold")
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url(re.compile("/login/code"))
    check(page)


def test_the_pages_of_who_comes_by_single_sign_on(page: Page, furnished: Site) -> None:
    page.goto(furnished.address + "/login")
    page.get_by_role("button", name="Log in with Clinic").click()
    page.wait_for_url(re.compile("/first-time"))  # to the provider and back, by its own redirect
    check(page)
    page.get_by_role("button", name="Create account").click()
    page.get_by_text("Your account is ready.").wait_for()
    check(page, furnished.address + "/account/single-sign-on")
    page.get_by_role("button", name="Confirm at Clinic").click()
    page.get_by_text("It is you. For five").wait_for()
    check(page, furnished.address + "/account/delete")


def test_the_pages_of_a_recording(page: Page, furnished: Site) -> None:
    register(page, furnished.address, "walker")
    page.goto(furnished.address)
    page.get_by_role("button", name="Try the example recording").click()
    page.wait_for_url(re.compile(r"/predictions/\d+$"))
    address = page.url
    check(page)
    check_report(page)
    check(page, f"{address}/describe")
    check(page, furnished.address)  # with a recording in the list


def check_report(page: Page) -> None:
    """Fail where a recording on paper lacks what a report needs, or shows what can only be pressed."""
    page.emulate_media(media="print", color_scheme="light")
    page.set_viewport_size({"width": 680, "height": 980})  # A4 without its margins
    assert page.locator(".report-lines").is_visible()
    assert page.get_by_text("Recognised by").first.is_visible()
    assert page.get_by_text("not a medical device").is_visible()
    pressed = "header, main form, main button, .page-actions, .downloads, nav, #windows"
    assert [each for each in page.locator(pressed).all() if each.is_visible()] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 680
    page.emulate_media(media="screen")
    assert not page.locator(".report-lines").is_visible()
    page.set_viewport_size({"width": 1280, "height": 900})


def test_the_page_that_asks_for_columns(page: Page, furnished: Site, tmp_path: Path) -> None:
    register(page, furnished.address, "namer")
    (tmp_path / "own.csv").write_text(re.sub("acc_|gyro_", "k", kinelab_csv().replace("time_s", "when"), count=6))
    page.goto(furnished.address)
    page.set_input_files("input[type=file]", tmp_path / "own.csv")
    page.get_by_role("button", name=re.compile("Upload")).click()
    page.wait_for_url(re.compile(r"/mappings/file/"))
    check(page)


def test_the_page_that_asks_for_labels(page: Page, furnished: Site, tmp_path: Path) -> None:
    log_in(page, furnished.address, ADMINISTRATOR)
    (tmp_path / "own.zip").write_bytes(zipped({f"walk/p{i}.csv": kinelab_csv(None, i) for i in (1, 2)}))
    page.goto(furnished.address + "/datasets/add")
    page.fill("[name=name]", "own")
    page.check("[name=describe]")
    page.set_input_files("input[type=file]", tmp_path / "own.zip")
    page.get_by_role("button", name="Add data set").click()
    page.wait_for_url(re.compile(r"/describe$"))
    check(page)


def test_every_page_is_among_these(app: Flask) -> None:
    from werkzeug.exceptions import HTTPException

    routes = app.url_map.bind("localhost")
    elsewhere = {"alarms.show", "calibration.show", "datasets.describe", "mappings.show"}
    elsewhere |= {"days.compare", "days.index", "predictions.describe", "predictions.show"}
    visited = elsewhere | ONCE
    for path in (*PUBLIC, *ADMIN, *USER, *CAREGIVER):
        try:
            visited.add(routes.match(path.partition("?")[0])[0])
        except HTTPException:
            assert "no-such" in path
    all_pages = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    all_pages -= {name for name in all_pages - visited if name.startswith("api_v1.")}  # of these only one is for people
    assert all_pages - NOT_VISITED == visited
    assert all_pages >= NOT_VISITED


def test_paper_is_light(page: Page, site: Site) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(site.address + "/login")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "light"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
